package fakenet_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

func TestSignIn(t *testing.T) {
	const (
		xoauth2     = "user=ann@example.com\x01auth=Bearer good\x01\x01"
		oauthbearer = "n,a=ann@example.com,\x01host=h\x01port=143\x01auth=Bearer good\x01\x01"
		challenge   = `{"status":"401","schemes":"bearer","scope":"mail"}`
		invalid     = `{"status":"invalid_token","scope":"mail"}`
	)
	tests := []struct {
		name      string
		mechanism string
		answers   []string // the first is the initial response unless asked is set
		asked     []string // the challenges, where the client sends no initial response
		want      error
	}{
		{"plain", "PLAIN", []string{"\x00ann@example.com\x00pw"}, nil, nil},
		{"plain asked", "PLAIN", []string{"\x00ANN@example.com\x00pw"}, []string{""}, nil},
		{"plain wrong", "PLAIN", []string{"\x00ann@example.com\x00no"}, nil, mailtest.ErrSignIn},
		{"plain for oneself", "PLAIN", []string{"ann@example.com\x00ann@example.com\x00pw"}, nil, nil},
		{"plain for somebody else", "PLAIN", []string{"ANN@example.com\x00Admin\x00horse"}, nil, nil},
		{"plain for nobody", "PLAIN", []string{"eve@example.com\x00admin\x00horse"}, nil, mailtest.ErrSignIn},
		{"plain for somebody else, wrong", "PLAIN", []string{"ann@example.com\x00admin\x00pw"}, nil, mailtest.ErrSignIn},
		{"plain for somebody else, by who may not", "PLAIN", []string{"ann@example.com\x00o,d=d@example.com\x00pw"}, nil, mailtest.ErrSignIn},
		{"plain two fields", "PLAIN", []string{"ann@example.com\x00no"}, nil, fakenet.ErrMalformed},
		{"login", "LOGIN", []string{"ann@example.com", "pw"}, []string{"Username:", "Password:"}, nil},
		{"login initial", "LOGIN", []string{"ann@example.com", "pw"}, []string{"skip", "Password:"}, nil},
		{"login unknown", "LOGIN", []string{"eve", "pw"}, []string{"Username:", "Password:"}, mailtest.ErrSignIn},
		{"xoauth2", "XOAUTH2", []string{xoauth2}, nil, nil},
		{"xoauth2 wrong", "XOAUTH2", []string{"user=ann@example.com\x01auth=Bearer bad\x01\x01", ""}, []string{"", challenge}, mailtest.ErrSignIn},
		{"xoauth2 wrong dummy", "XOAUTH2", []string{"user=ann@example.com\x01auth=Bearer bad\x01\x01", "\x01"}, []string{"", challenge}, fakenet.ErrDummy},
		{"xoauth2 unended", "XOAUTH2", []string{"user=ann@example.com\x01auth=Bearer good\x01"}, nil, fakenet.ErrMalformed},
		{"xoauth2 injected field", "XOAUTH2", []string{"user=ann@example.com\x01auth=Bearer good\x01x=y\x01\x01"}, nil, fakenet.ErrMalformed},
		{"xoauth2 unavailable", "XOAUTH2", []string{"user=down@example.com\x01auth=Bearer good\x01\x01"}, nil, mailtest.ErrUnavailable},
		{"oauthbearer", "OAUTHBEARER", []string{oauthbearer}, nil, nil},
		{"oauthbearer escaped", "OAUTHBEARER", []string{"n,a=o=2Cd=3Dd@example.com,\x01auth=Bearer good\x01\x01"}, nil, nil},
		{"oauthbearer wrong", "OAUTHBEARER", []string{"n,a=ann@example.com,\x01auth=Bearer bad\x01\x01", "\x01"}, []string{"", invalid}, mailtest.ErrSignIn},
		{"oauthbearer empty dummy", "OAUTHBEARER", []string{"n,a=ann@example.com,\x01auth=Bearer bad\x01\x01", ""}, []string{"", invalid}, fakenet.ErrDummy},
		{"oauthbearer without user", "OAUTHBEARER", []string{"n,,\x01auth=Bearer good\x01\x01"}, nil, fakenet.ErrMalformed},
		{"oauthbearer bad pair", "OAUTHBEARER", []string{"n,a=ann@example.com,\x01nonsense\x01auth=Bearer good\x01\x01"}, nil, fakenet.ErrMalformed},
		{"unknown", "CRAM-MD5", []string{""}, nil, fakenet.ErrMechanism},
	}
	box := mailtest.New()
	box.AddMaster("admin", secret.New("horse"))
	for _, address := range []string{"ann@example.com", "o,d=d@example.com"} {
		box.Add(address, secret.New("pw")).AcceptTokens(mailtest.Tokens(secret.New("good")))
	}
	box.Add("down@example.com", secret.Text{}).AcceptTokens(func(context.Context, secret.Text) error {
		return fmt.Errorf("introspection: %w", mailtest.ErrUnavailable)
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers := tt.answers
			exchange := fakenet.SignIn{Box: box, Mechanism: tt.mechanism}
			asked := tt.asked
			if len(asked) == 0 || asked[0] == "skip" {
				exchange.Initial, answers = []byte(answers[0]), answers[1:]
				asked = asked[min(1, len(asked)):]
			}
			exchange.Ask = func(got []byte) ([]byte, error) {
				if len(asked) == 0 || string(got) != asked[0] {
					t.Fatalf("asked %q, want %q", got, asked)
				}
				a := answers[0]
				asked, answers = asked[1:], answers[1:]
				return []byte(a), nil
			}
			account, err := exchange.Run(t.Context())
			if !errors.Is(err, tt.want) {
				t.Errorf("Run: %v, want %v", err, tt.want)
			}
			if (account != nil) != (tt.want == nil) {
				t.Errorf("account = %v with %v", account, err)
			}
			if len(asked) > 0 {
				t.Errorf("not asked: %q", asked)
			}
		})
	}
}

func TestSignInOptions(t *testing.T) {
	box := mailtest.New()
	box.Add("ann@example.com", secret.New("pw")).AcceptTokens(mailtest.Tokens(secret.New("good")))
	never := func(challenge []byte) ([]byte, error) {
		t.Errorf("asked %q", challenge)
		return nil, fakenet.ErrCancelled
	}
	refused := fakenet.SignIn{Box: box, Mechanism: "PLAIN", Initial: []byte("\x00ann@example.com\x00pw"), Refuse: true, Ask: never}
	if _, err := refused.Run(t.Context()); !errors.Is(err, mailtest.ErrSignIn) {
		t.Errorf("Refuse: %v, want %v", err, mailtest.ErrSignIn)
	}
	quiet := fakenet.SignIn{
		Box: box, Mechanism: "XOAUTH2", Initial: []byte("user=ann@example.com\x01auth=Bearer bad\x01\x01"),
		NoChallenge: true, Ask: never,
	}
	if _, err := quiet.Run(t.Context()); !errors.Is(err, mailtest.ErrSignIn) {
		t.Errorf("NoChallenge: %v, want %v", err, mailtest.ErrSignIn)
	}
	cancelled := fakenet.SignIn{
		Box: box, Mechanism: "XOAUTH2", Initial: []byte("user=ann@example.com\x01auth=Bearer good\x01\x01"), Refuse: true,
		Ask: func([]byte) ([]byte, error) { return fakenet.DecodeAnswer([]byte("*")) },
	}
	if _, err := cancelled.Run(t.Context()); !errors.Is(err, fakenet.ErrCancelled) {
		t.Errorf("cancelled: %v, want %v", err, fakenet.ErrCancelled)
	}
}

func TestDecode(t *testing.T) {
	tests := []struct {
		text    string
		initial bool
		want    string
		err     error
	}{
		{"", false, "", nil},
		{"=", true, "", nil},
		{"=", false, "", fakenet.ErrEncoding},
		{"AQ==", false, "\x01", nil},
		{"AQ", false, "", fakenet.ErrEncoding},
		{"AR==", false, "", fakenet.ErrEncoding},
		{"*", false, "", fakenet.ErrCancelled},
		{"*", true, "", fakenet.ErrCancelled},
	}
	for _, tt := range tests {
		decode := fakenet.DecodeAnswer
		if tt.initial {
			decode = fakenet.DecodeInitial
		}
		got, err := decode([]byte(tt.text))
		if string(got) != tt.want || !errors.Is(err, tt.err) || err == nil && got == nil {
			t.Errorf("decode(%q), initial %t = %q, %v, want %q, %v", tt.text, tt.initial, got, err, tt.want, tt.err)
		}
	}
}

func FuzzSignIn(f *testing.F) {
	f.Add("XOAUTH2", []byte("user=ann@example.com\x01auth=Bearer good\x01\x01"))
	f.Add("OAUTHBEARER", []byte("n,a=ann@example.com,\x01auth=Bearer good\x01\x01"))
	f.Add("PLAIN", []byte("\x00ann@example.com\x00pw"))
	f.Fuzz(func(t *testing.T, mechanism string, initial []byte) {
		box := mailtest.New()
		box.Add("ann@example.com", secret.New("pw")).AcceptTokens(mailtest.Tokens(secret.New("good")))
		exchange := fakenet.SignIn{Box: box, Mechanism: mechanism, Initial: initial, Ask: func(challenge []byte) ([]byte, error) {
			return fakenet.DecodeAnswer([]byte(base64.StdEncoding.EncodeToString(challenge)))
		}}
		account, err := exchange.Run(t.Context())
		if (account == nil) != (err != nil) {
			t.Errorf("Run = %v, %v: want an account or an error", account, err)
		}
	})
}
