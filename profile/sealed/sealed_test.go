package sealed_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/profile/sealed"
	"github.com/mailsession/mailsession/secret"
)

func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestEveryRecipientOpensIt: each of several can, whatever the bytes, and nobody
// else.
func TestEveryRecipientOpensIt(t *testing.T) {
	ann, bob, eve := identity(t), identity(t), identity(t)
	for _, value := range []string{"trojan horse", "", "\x00\xff binary \n", strings.Repeat("long ", 1000)} {
		text, err := sealed.To(ann.Recipient(), bob.Recipient())(secret.New(value))
		if err != nil || strings.Contains(text, "horse") {
			t.Fatalf("seal: %q, %v", text, err)
		}
		for _, id := range []*age.X25519Identity{ann, bob} {
			got, err := sealed.By(eve, id)(t.Context(), text)
			if err != nil || got.Reveal() != value {
				t.Errorf("open = %q, %v, want %q", got.Reveal(), err, value)
			}
		}
		if _, err := sealed.By(eve)(t.Context(), text); !errors.Is(err, sealed.ErrWrongKey) {
			t.Errorf("opened by a stranger: %v, want ErrWrongKey", err)
		}
	}
	if _, err := sealed.To()(secret.New("trojan horse")); err == nil || strings.Contains(err.Error(), "horse") {
		t.Errorf("sealed for nobody: %v, want an error", err)
	}
}

// TestWhatIsDamaged: every byte counts.
func TestWhatIsDamaged(t *testing.T) {
	id := identity(t)
	text, err := sealed.To(id.Recipient())(secret.New("trojan horse"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(data); i += 7 {
		changed := bytes.Clone(data)
		changed[i] ^= 1
		_, err := sealed.By(id)(t.Context(), base64.StdEncoding.EncodeToString(changed))
		if !errors.Is(err, sealed.ErrDamaged) && !errors.Is(err, sealed.ErrWrongKey) || strings.Contains(err.Error(), "horse") {
			t.Errorf("byte %d changed: %v, want ErrDamaged or ErrWrongKey", i, err)
		}
	}
	for _, none := range []string{"", "x", "!!", base64.StdEncoding.EncodeToString(data[:len(data)-1]), base64.StdEncoding.EncodeToString(make([]byte, 3<<20))} {
		if _, err := sealed.By(id)(t.Context(), none); !errors.Is(err, sealed.ErrDamaged) {
			t.Errorf("%.20q: %v, want ErrDamaged", none, err)
		}
	}
}

// FuzzOpen: nothing that is not sealed opens, and nothing panics.
func FuzzOpen(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	text, err := sealed.To(id.Recipient())(secret.New("trojan horse"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("")
	f.Fuzz(func(t *testing.T, what string) {
		got, err := sealed.By(id)(t.Context(), what)
		if err == nil && got.Reveal() != "trojan horse" {
			t.Errorf("%q opens", what)
		}
	})
}

// Example moves a set to another computer, whose key nobody else has.
func Example() {
	there, err := age.GenerateX25519Identity()
	if err != nil {
		fmt.Println(err)
		return
	}
	here, err := profile.Parse([]byte(`{"version": 1, "sets": {
		"ann": {"account": "ann@example.com", "password": "literal:correct horse", "incoming": {"host": "imap.example.com"}}
	}}`), &profile.Options{AllowLiteralSecrets: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := here.Export(context.Background(), &profile.ExportOptions{Seal: sealed.To(there.Recipient())})
	if err != nil {
		fmt.Println(err)
		return
	}

	file, err := profile.Parse(data, &profile.Options{Resolvers: map[string]profile.Resolver{
		profile.SchemeSealed: sealed.By(there),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := file.Open(context.Background(), "ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println(s.User(), file.Sets["ann"].Password)
	// Output: ann@example.com sealed:…
}
