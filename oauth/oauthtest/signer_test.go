package oauthtest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/mailsession/mailsession/oauth/oauthtest"
)

// metadata reads the discovery document and the key it leads to.
func metadata(t *testing.T, srv *oauthtest.Server) (issuer string, key *ecdsa.PublicKey) {
	t.Helper()
	document := get(t, srv, srv.URL()+oauthtest.DiscoveryPath)
	issuer, _ = document["issuer"].(string)
	address, _ := document["jwks_uri"].(string)
	keys, _ := get(t, srv, address)["keys"].([]any)
	if len(keys) != 1 {
		t.Fatalf("jwks_uri has %d keys, want 1", len(keys))
	}
	jwk, _ := keys[0].(map[string]any)
	point := []byte{4}
	for _, name := range []string{"x", "y"} {
		text, _ := jwk[name].(string)
		point = append(point, decode(t, text)...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	return issuer, key
}

func get(t *testing.T, srv *oauthtest.Server, address string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatalf("NewRequest(%q): %v", address, err)
	}
	_, answer := do(t, srv, req)
	return answer
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatalf("base64 of %q: %v", text, err)
	}
	return b
}

func TestIDTokenIsSigned(t *testing.T) {
	o := oauthtest.Options{Accounts: []oauthtest.Account{{
		Subject: "42", Email: "ann@example.org", Name: "Ann",
		Claims: map[string]any{"upn": "ann@corp.example", "preferred_username": nil},
	}}}
	everywhere(t, o, func(b bed) {
		t, srv := b.t, b.srv
		c := newClient(t, srv, "openid", "email", "profile")
		verifier := oauth2.GenerateVerifier()
		value := c.code(t, verifier, oauth2.SetAuthURLParam("nonce", "n-1")).Get("code")
		tok, err := c.config.Exchange(c.ctx, value, oauth2.VerifierOption(verifier))
		if err != nil {
			t.Fatalf("Exchange: %v", err)
		}
		idToken, _ := tok.Extra("id_token").(string)
		parts := strings.Split(idToken, ".")
		if len(parts) != 3 {
			t.Fatalf("id_token has %d parts, want 3", len(parts))
		}
		issuer, key := metadata(t, srv)
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		signature := decode(t, parts[2])
		if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			t.Error("the signature does not verify with the key of jwks_uri")
		}
		var claims map[string]any
		if err := json.Unmarshal(decode(t, parts[1]), &claims); err != nil {
			t.Fatalf("claims: %v", err)
		}
		for name, want := range map[string]any{
			"iss": issuer, "sub": "42", "aud": oauthtest.DefaultClientID, "nonce": "n-1",
			"email": "ann@example.org", "name": "Ann", "upn": "ann@corp.example", "preferred_username": nil,
		} {
			if claims[name] != want {
				t.Errorf("claim %s = %v, want %v", name, claims[name], want)
			}
		}
		if exp, _ := claims["exp"].(float64); int64(exp) <= time.Now().Unix() {
			t.Errorf("exp = %v, want it in the future", claims["exp"])
		}
	})
}
