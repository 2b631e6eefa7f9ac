package oauth

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// FuzzRecord: whatever a record's value is, reading it gives a record or an
// error of one line that quotes nothing; what was read is written so that it is
// read as the same again, and no field gets lost.
func FuzzRecord(f *testing.F) {
	for _, seed := range []string{
		`{"schema":1}`, `{"schema":2,"refresh_token":[]}`, `{"schema":0}`, `{}`, `null`, `[]`, ``, `{"schema":1.5}`, `{"schema":1e99}`,
		`{"schema":1,"client_id":"c","issuer":"https://a","token_url":"https://a/t","tenant":"t","subject":"s","address":"a@b","scopes":["x","y"],` +
			`"refresh_token":"rt","refresh_expiry":"2030-01-01T00:00:00Z","last_use":"2026-01-01T00:00:00.5+01:00","pending_since":"0001-01-01T00:00:00Z",` +
			`"access_tokens":{"x y":{"access_token":"at","type":"Bearer","issued":"2026-01-01T00:00:00Z","expiry":"9999-12-31T23:59:59Z","scopes":["x"],"new":1},"z":null},` +
			`"status":{"state":"needs_sign_in","kind":"revoked","code":"invalid_grant","since":"2026-01-01T00:00:00Z","new":[]},` +
			`"pin":"sha256:00","former_pins":[{"pin":"p","refresh_token":"r","new":{}}],"new":{"a":[1,2.50,"<>"]}}`,
		`{"schema":1,"Schema":9,"refresh_to` + "\u212a" + `en":"x","ſubject":"y","subject":"z"}`,
		`{"schema":1,"tenant":"","pin":""}`, `{"schema":1,"status":null,"former_pins":null,"access_tokens":null,"last_use":null}`,
		`{"schema":1,"a":"` + "\xff\u2028" + `","a":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := decodeRecord(value)
		if err != nil {
			if text := err.Error(); len(text) > 200 || strings.Contains(text, "\n") {
				t.Errorf("decodeRecord(%q) = %v", value, err)
			}
			return
		}
		first, err := r.encode(true)
		if err != nil {
			t.Fatalf("what was read from %q cannot be written: %v", value, err)
		}
		r, err = decodeRecord(first)
		if err != nil {
			t.Fatalf("%q, written as %q, cannot be read: %v", value, first, err)
		}
		again, err := r.encode(true)
		if err != nil || !bytes.Equal(first, again) {
			t.Errorf("%q is written as %q, then as %q, %v", value, first, again, err)
		}
		for name := range unknownFields(t, value) {
			if _, ok := unknownFields(t, again)[name]; !ok {
				t.Errorf("%q has lost the field %q: %q", value, name, again)
			}
		}
	})
}

// unknownFields returns the fields of an object that begin like no field of a
// record.
func unknownFields(t *testing.T, value []byte) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(value, &all); err != nil {
		t.Fatalf("Unmarshal(%q): %v", value, err)
	}
	known := storedRecord{
		Provider: "x", ClientID: "x", Issuer: "x", TokenURL: "x", Tenant: "x", Subject: "x", Address: "x", Scopes: []string{"x"}, RefreshToken: "x",
		RefreshExpiry: time.Unix(1, 0), LastUse: time.Unix(1, 0), PendingSince: time.Unix(1, 0), AccessTokens: extras{"x": nil},
		Status: []byte("1"), Pin: "x", FormerPins: []json.RawMessage{[]byte("1")},
	}
	encoded, err := json.Marshal(known) //nolint:gosec // G117: there is no secret in it.
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	var names map[string]any
	if err := json.Unmarshal(encoded, &names); err != nil || len(names) != 17 {
		t.Fatalf("%d known fields, %v", len(names), err)
	}
	for name := range names {
		delete(all, name)
	}
	return all
}

// FuzzPin: the text of a pin is a refresh token of printable ASCII or an error
// that quotes nothing of it, and a token is the same as plain text and as JSON.
func FuzzPin(f *testing.F) {
	for _, seed := range []string{
		"rt-1", " rt-1\r\n", "\ufeffrt-1", "\ufeff{\"refresh_token\":\"rt-1\"}", `{"access_token":"a","refresh_token":"b","expires_in":3600}`,
		`{"access_token":"a","expires_in":3600}`, `{"refresh_token":5}`, `{"refresh_token":null}`, "{", "", "two words", "two\nlines", "<html>",
		`{"refresh_token":"a b"}`, `{"refresh_token":""}`, "\x00", `["a"]`, `"a"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		tok, err := parsePin(text)
		if (err == nil) == tok.IsZero() {
			t.Fatalf("parsePin(%q): token %t and error %v", text, !tok.IsZero(), err)
		}
		if err != nil {
			if len(text) > 12 && strings.Contains(err.Error(), string(text)) {
				t.Errorf("the error %q quotes the pin", err)
			}
			return
		}
		if strings.ContainsFunc(tok.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("parsePin(%q) is not a token", text)
		}
		object, err := json.Marshal(map[string]any{"refresh_token": tok.Reveal(), "expires_in": 3600})
		if err != nil {
			t.Fatalf("Marshal: %v", err)
		}
		if len(object) > maxPin {
			return
		}
		if again, err := parsePin(object); err != nil || !again.Equal(tok) {
			t.Errorf("the token of %q is another one as JSON: %v", text, err)
		}
	})
}

// TestFormerPinsAreFew: the record remembers a few pins, and those alone that
// the server has put something in the place of.
func TestFormerPinsAreFew(t *testing.T) {
	r := newRecord(&Config{})
	pin := func(i int) secret.Text { return secret.New(strings.Repeat("p", i+1)) }
	for i := range 10 {
		r.turnTo(pin(i))
		if i%2 == 0 {
			r.refresh = secret.New("rotated")
		}
	}
	if len(r.former) != maxFormer {
		t.Fatalf("%d former pins, want %d", len(r.former), maxFormer)
	}
	for i, o := range r.former {
		if want := pinSum(pin(8 - 2*i)); o.pin != want || o.refresh.Reveal() != "rotated" {
			t.Errorf("former pin %d is %s, want %s", i, o.pin, want)
		}
	}
	r.turnTo(pin(6))
	if r.refresh.Reveal() != "rotated" || r.pin != pinSum(pin(6)) || len(r.former) != maxFormer-1 {
		t.Errorf("the pin that came back has become %d bytes, %d former pins are left", len(r.refresh.Reveal()), len(r.former))
	}
	r.turnTo(pin(9))
	if !r.refresh.Equal(pin(9)) {
		t.Error("a pin that came back as it was has become something else")
	}
}
