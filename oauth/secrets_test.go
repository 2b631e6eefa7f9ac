package oauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/state"
)

// TestNoTypePrintsASecret: whatever is done with a value of an exported type to
// make text of it, what is secret in it is not in the text. Every type that can
// hold anything has a row.
func TestNoTypePrintsASecret(t *testing.T) {
	const hidden = "hidden-from-all-eyes"
	text := secret.New(hidden)
	b := newBed(t, forRobot())
	// Numbers of this length are those of keys.
	ofKey := regexp.MustCompile(`[0-9A-Fa-f]{300,}`)
	covered := map[string]bool{}
	for _, v := range valuesWith(b, text) {
		typ := reflect.TypeOf(v)
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		covered[typ.Name()] = true
		for how, said := range told(v) {
			for _, form := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden), robotSecret} {
				if strings.Contains(said, form) {
					t.Errorf("%T by %s: %s", v, how, said)
				}
			}
			if found := ofKey.FindString(said); found != "" {
				t.Errorf("%T by %s has %s in it", v, how, found)
			}
		}
	}
	for _, name := range exportedTypes(t) {
		if !covered[name] {
			t.Errorf("there is no row of the type %s", name)
		}
	}
}

// valuesWith returns values of all types that can hold anything, with a secret
// wherever there is room for one.
func valuesWith(b *bed, text secret.Text) []any {
	b.t.Helper()
	certificate, _ := newCertificate(b.t, farOff())
	file, err := b.srv.AddServiceAccount("robot@project.example", mailScope)
	if err != nil {
		b.t.Fatalf("AddServiceAccount: %v", err)
	}
	key := must(oauth.ParseServiceAccountKey(file))
	static := oauth.StaticToken(text)
	give := func(context.Context) (secret.Text, error) { return text, nil }
	cfg := &oauth.Config{
		ClientID: "c", ClientSecret: text, Endpoint: oauth.MicrosoftEndpoint("", "t.example"),
		Proxy: &proxy.Config{URL: "http://proxy.example", User: "u", Password: text},
	}
	keep := &oauth.Keep{Store: state.NewMemory(), Key: "grant/x"}
	url := oauth.FromURL("https://room.example/?key="+text.Reveal(), func(context.Context) (http.Header, error) { return nil, nil })
	command := oauth.FromCommand("helper", text.Reveal())
	pinned := must(oauth.Pinned(b.t.Context(), cfg, oauth.PinValue(text), &oauth.PinOptions{Keep: keep}))
	app := must(oauth.ClientCredentials(cfg, oauth.ClientSecret(text), nil))
	iam := oauth.IAMSigner("robot@project.example", static, &oauth.IAMOptions{Config: cfg})
	token := &oauth.Token{AccessToken: text, Type: "Bearer"}
	grant := b.signInAgain()
	all := []any{
		cfg, *cfg, cfg.Endpoint, cfg.Retry, token, *token, keep, *keep, static, oauth.AnyResource(static),
		app, app.For("x"), must(oauth.External(cfg, command)), must(oauth.External(cfg, url)), must(oauth.ManagedIdentity(cfg, nil)),
		pinned, pinned.For("x"), grant, grant.For("x"), must(grant.Facts(b.t.Context())), must(grant.Facts(b.t.Context())).Status,
		oauth.ClientSecret(text), oauth.ClientCertificate(certificate, nil), oauth.FederatedToken(give), oauth.FederatedFile(text.Reveal()),
		certificate, *certificate, key, *key, iam, must(oauth.ServiceAccount(&oauth.Config{Scopes: []string{mailScope}}, key, "ann@example.org")),
		command, url, oauth.PinValue(text), oauth.PinFunc(give), oauth.PinEnv("X"), oauth.PinFile("/x"), oauth.PinCredential("x"),
		oauth.PinOptions{Keep: keep},
		oauth.SignInOptions{Keep: keep},
		oauth.DeviceOptions{Keep: keep},
		oauth.IAMOptions{Config: cfg},
		oauth.AppOptions{},
		oauth.CertificateOptions{},
		oauth.DiscoverOptions{Proxy: cfg.Proxy},
		oauth.ManagedIdentityOptions{},
		oauth.DeviceCode{UserCode: "ABC"},
		oauth.Metadata{},
		oauth.Expectation{},
		&oauth.Error{Op: "refresh"},
		oauth.Error{},
	}
	for _, finding := range oauth.Diagnose(token, oauth.Expectation{Resource: "x", User: "y"}) {
		all = append(all, finding)
	}
	return all
}

// signInAgain returns a grant of the bed's person, with a client of its own.
func (b *bed) signInAgain() *oauth.Grant {
	b.t.Helper()
	b.srv = oauthtest.New(nil)
	b.t.Cleanup(b.srv.Close)
	cfg := *b.cfg
	cfg.Endpoint = oauth.Endpoint{Issuer: b.srv.Issuer(), AuthURL: b.srv.AuthURL(), TokenURL: b.srv.TokenURL()}
	cfg.HTTPClient = b.srv.Client()
	b.cfg, b.opts.OpenURL, b.opts.Listen = &cfg, b.srv.Browser, b.srv.Listen
	return b.signIn()
}

// told returns a value as the ways to make text of it tell it.
func told(v any) map[string]string {
	said := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		said[verb] = fmt.Sprintf(verb+" "+verb, v, []any{v})
	}
	if text, err := json.Marshal(v); err == nil { // Functions have no JSON.
		said["JSON"] = string(text)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", v)
	said["slog"] = log.String()
	return said
}

// exportedTypes returns the names of the package's exported types that can hold
// anything: no numbers, strings and interfaces.
func exportedTypes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatalf("Glob: %v", err)
	}
	var names []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("ParseFile: %v", err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			if _, ok := spec.Type.(*ast.StructType); ok {
				names = append(names, spec.Name.Name)
			}
			return true
		})
	}
	if len(names) < 20 {
		t.Fatalf("only the types %v were found", names)
	}
	return names
}
