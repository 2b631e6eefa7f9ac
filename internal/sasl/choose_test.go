package sasl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/secret"
)

func TestChoose(t *testing.T) {
	password := sasl.Credentials{User: "ann", Password: secret.New("p")}
	token := sasl.Credentials{User: "ann", Token: secret.New("t"), Host: "mail.example.com", Port: 993}
	admin := sasl.Credentials{User: "ann", AuthUser: "admin", Password: secret.New("p")}
	both := sasl.Credentials{User: "ann", Password: secret.New("p"), Token: secret.New("t")}

	tests := []struct {
		name    string
		offered string
		creds   sasl.Credentials
		forced  string
		want    string
		err     error
	}{
		{"Google", "XOAUTH2 OAUTHBEARER PLAIN", token, "", sasl.OAUTHBEARER, nil},
		{"Microsoft", "XOAUTH2", token, "", sasl.XOAUTH2, nil},
		{"Yahoo", "PLAIN OAUTHBEARER", token, "", sasl.OAUTHBEARER, nil},
		{"Yandex does not say", "PLAIN", token, "", sasl.XOAUTH2, nil},
		{"in lower case", "oauthbearer", token, "", sasl.OAUTHBEARER, nil},
		{"token before password", "PLAIN LOGIN XOAUTH2", both, "", sasl.XOAUTH2, nil},
		{"PLAIN before LOGIN", "LOGIN PLAIN", password, "", sasl.PLAIN, nil},
		{"LOGIN alone", "LOGIN", password, "", sasl.LOGIN, nil},
		{"for somebody else", "LOGIN PLAIN", admin, "", sasl.PLAIN, nil},
		{"for somebody else, by one name", "LOGIN", admin, "", "", sasl.ErrNoMechanism},
		{"for somebody else, forced to one name", "LOGIN PLAIN", admin, "LOGIN", "", sasl.ErrNoMechanism},
		{"nothing for a password", "XOAUTH2 GSSAPI", password, "", "", sasl.ErrNoMechanism},
		{"nothing at all", "", password, "", "", sasl.ErrNoMechanism},
		{"forced", "XOAUTH2 OAUTHBEARER", token, "xoauth2", sasl.XOAUTH2, nil},
		{"forced, second of the list offered", "LOGIN", password, "PLAIN LOGIN", sasl.LOGIN, nil},
		{"forced though not offered", "", password, "LOGIN PLAIN", sasl.LOGIN, nil},
		{"forced to what the credentials do not fit", "PLAIN XOAUTH2", token, "PLAIN", "", sasl.ErrNoMechanism},
		{"forced to what is not known", "SCRAM-SHA-256", password, "SCRAM-SHA-256", "", sasl.ErrNoMechanism},
		{"no credentials", "PLAIN", sasl.Credentials{User: "ann"}, "", "", sasl.ErrNoCredentials},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := sasl.Choose(strings.Fields(tt.offered), tt.creds,
				&sasl.Policy{Secure: true, Mechanisms: strings.Fields(tt.forced)})
			if !errors.Is(err, tt.err) {
				t.Fatalf("Choose = %v, want %v", err, tt.err)
			}
			if err == nil && m.Name() != tt.want {
				t.Errorf("Choose = %s, want %s", m.Name(), tt.want)
			}
		})
	}
}

func TestChooseWantsEncryption(t *testing.T) {
	for _, creds := range []sasl.Credentials{
		{User: "ann", Password: secret.New("p")},
		{User: "ann", Token: secret.New("t")},
	} {
		if _, err := sasl.Choose([]string{"PLAIN", "XOAUTH2"}, creds, nil); !errors.Is(err, sasl.ErrInsecure) {
			t.Errorf("Choose in plain text = %v, want %v", err, sasl.ErrInsecure)
		}
	}
}

func TestChooseChecksCredentials(t *testing.T) {
	creds := sasl.Credentials{User: "ann", Token: secret.New("from-a-file\n")}
	_, err := sasl.Choose([]string{"XOAUTH2"}, creds, &sasl.Policy{Secure: true})
	if _, ok := errors.AsType[*sasl.CredentialsError](err); !ok {
		t.Errorf("Choose = %v, want a CredentialsError", err)
	}
}

func TestChooseDoesNotStartTheMechanism(t *testing.T) {
	m, err := sasl.Choose([]string{"LOGIN"}, sasl.Credentials{User: "ann", Password: secret.New("p")}, &sasl.Policy{Secure: true})
	if err != nil {
		t.Fatal(err)
	}
	d := &dialogue{challenges: []string{"User", "Password"}}
	if err := sasl.Exchange(m, d); err != nil || len(d.log) != 3 {
		t.Errorf("Exchange = %v with %q, want the name and the password asked for once each", err, d.log)
	}
}
