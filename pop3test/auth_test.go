package pop3test_test

import (
	"context"
	"crypto/md5" //nolint:gosec // G501: APOP is made of MD5.
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/secret"
)

// xoauth2 and oauthBearer are the first messages of the token mechanisms.
func xoauth2(user, token string) string {
	return b64("user=" + user + "\x01auth=Bearer " + token + "\x01\x01")
}

func oauthBearer(user, token string) string {
	return b64("n,a=" + user + ",\x01host=pop.example.com\x01port=995\x01auth=Bearer " + token + "\x01\x01")
}

func TestPasswords(t *testing.T) {
	play(t, []dialogue{
		{"wrong and then right", nil, greeting + `
			> USER ` + ann + `
			< +OK Say the password
			> PASS wrong horse
			< -ERR [AUTH] Authentication failed
			> PASS ` + password + `
			< -ERR PASS comes after USER
			> USER nobody@example.com
			< +OK Say the password
			> PASS ` + password + `
			< -ERR [AUTH] Authentication failed
			> USER Ann@Example.com
			< +OK Say the password
			> PASS ` + password + `
			< +OK Signed in
			> USER ` + ann + `
			< -ERR Signed in already
			> STAT
			< +OK 3 762`},
		{"a server without USER", &pop3test.Options{Capabilities: pop3test.Without("USER")}, greeting + `
			> USER ` + ann + `
			< -ERR Unknown command
			> PASS x
			< -ERR Unknown command`},
		{"without codes", &pop3test.Options{Capabilities: pop3test.Without("AUTH-RESP-CODE")}, greeting + `
			> USER ` + ann + `
			< +OK Say the password
			> PASS wrong horse
			< -ERR Authentication failed`},
		{"8-bit names need UTF8", nil, greeting + `
			> USER änn@example.com
			< -ERR USER needs a name in ASCII
			> UTF8
			< +OK UTF8 enabled
			> USER änn@example.com
			< +OK Say the password
			> PASS grün horse
			< -ERR [AUTH] Authentication failed`},
		{"8-bit passwords too", nil, greeting + `
			> USER ` + ann + `
			< +OK Say the password
			> PASS grün horse
			< -ERR PASS needs a password in ASCII
			> PASS ` + password + `
			< -ERR PASS comes after USER`},
		{"another folder is the maildrop", &pop3test.Options{Folder: "Archive"}, signIn + "> STAT\n< +OK 0 0"},
		{"no folder is the maildrop", &pop3test.Options{Folder: "Nowhere"}, greeting + `
			> USER ` + ann + `
			< +OK Say the password
			> PASS ` + password + `
			< -ERR [SYS/PERM] The mailbox cannot be opened
			> QUIT
			< +OK Bye
			<EOF`},
		{"8-bit names need UTF8 USER", &pop3test.Options{Capabilities: []string{"UTF8", "USER"}}, greeting + `
			> UTF8
			< +OK UTF8 enabled
			> USER änn@example.com
			< -ERR USER needs a name in ASCII`},
	})
}

func TestSASL(t *testing.T) {
	good, bad := xoauth2(ann, token), xoauth2(ann, "old-horse")
	play(t, []dialogue{
		{"the list of mechanisms", nil, greeting + `
			> AUTH
			< +OK Mechanisms follow
			< PLAIN
			< LOGIN
			< XOAUTH2
			< OAUTHBEARER
			< .`},
		{"PLAIN at once", nil, greeting + "> AUTH PLAIN " + b64("\x00"+ann+"\x00"+password) + "\n< +OK Signed in"},
		{"PLAIN in two steps", nil, greeting + "> AUTH plain\n< + \n> " + b64("\x00"+ann+"\x00"+password) + "\n< +OK Signed in"},
		{"LOGIN", nil, greeting + "> AUTH LOGIN\n< + " + b64("Username:") + "\n> " + b64(ann) + "\n< + " + b64("Password:") +
			"\n> " + b64(password) + "\n< +OK Signed in"},
		{"XOAUTH2 in two steps", nil, greeting + "> AUTH XOAUTH2\n< + \n> " + good + "\n< +OK Signed in\n> STAT\n< +OK 3 762"},
		{"OAUTHBEARER", nil, greeting + "> AUTH OAUTHBEARER " + oauthBearer(ann, token) + "\n< +OK Signed in"},
		{"a refused token", nil, greeting + `
			> AUTH XOAUTH2
			< +...
			> ` + bad + `
			< + ` + b64(`{"status":"401","schemes":"bearer","scope":"mail"}`) + `
			>
			< -ERR [AUTH] Authentication failed
			> AUTH OAUTHBEARER ` + oauthBearer(ann, "old-horse") + `
			< + ` + b64(`{"status":"invalid_token","scope":"mail"}`) + `
			> AQ==
			< -ERR [AUTH] Authentication failed
			> AUTH XOAUTH2 ` + bad + `
			< + ...
			> AQ==
			< -ERR Invalid answer to the error challenge
			> AUTH XOAUTH2 ` + good + `
			< +OK Signed in`},
		{"a refused token without a challenge", &pop3test.Options{NoTokenChallenge: true}, greeting +
			"> AUTH XOAUTH2 " + bad + "\n< -ERR [AUTH] Authentication failed"},
		{"mistakes", nil, greeting + `
			> AUTH CRAM-MD5
			< -ERR Unrecognized authentication type
			> AUTH PLAIN no*base64
			< -ERR Invalid base64 data
			> AUTH PLAIN =
			< -ERR [AUTH] Authentication failed
			> AUTH PLAIN
			< +...
			> *
			< -ERR Authentication aborted by client
			> AUTH PLAIN
			< +...
			> ` + strings.Repeat("AAAA", 4000) + `
			< -ERR Invalid base64 data`},
		{"a first response beyond the limit of a line", nil, greeting +
			"> AUTH XOAUTH2 " + xoauth2(ann, strings.Repeat("horse", 60)) + "\n< -ERR Line too long"},
		{"a server without SASL", &pop3test.Options{Capabilities: pop3test.Without("SASL")}, greeting + "> AUTH PLAIN\n< -ERR Unknown command"},
	})
}

func TestAPOP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &pop3test.Options{APOP: true})
		stamp := func() string {
			line, err := w.line()
			i := strings.IndexByte(line, '<')
			if err != nil || i < 0 {
				t.Fatalf("greeting %q, %v, want a timestamp", line, err)
			}
			return strings.TrimSuffix(line[i:], "\r\n")
		}
		digest := func(stamp, password string) string {
			sum := md5.Sum([]byte(stamp + password)) //nolint:gosec // G401: APOP is made of MD5.
			return hex.EncodeToString(sum[:])
		}
		first := stamp()
		w.talk("> APOP " + ann + " " + digest(first, "wrong horse") + "\n< -ERR [AUTH] Authentication failed")
		w.talk("> APOP " + ann + "\n< -ERR APOP needs a name and a digest")
		w.talk("> APOP " + ann + " " + digest(first, password) + "\n< +OK Signed in\n> QUIT\n< +OK Bye\n<EOF")
		w.dial()
		second := stamp()
		if first == second || !strings.HasSuffix(second, "@mail.example.com>") {
			t.Errorf("timestamps %q and %q, want different ones of mail.example.com", first, second)
		}
		w.talk("> APOP " + ann + " " + digest(first, password) + "\n< -ERR [AUTH] Authentication failed")
		w.box.Add("token@example.com", secret.Text{})
		w.talk("> APOP token@example.com " + digest(second, "") + "\n< -ERR [AUTH] Authentication failed")
	})
	play(t, []dialogue{{"not offered", nil, greeting + "> APOP ann 0123\n< -ERR Unknown command"}})
}

func TestTokensAreCheckedByTheOptions(t *testing.T) {
	asked := ""
	o := &pop3test.Options{CheckToken: func(_ context.Context, user string, _ secret.Text) error {
		asked = user
		return fmt.Errorf("the issuer is away: %w", mailtest.ErrUnavailable)
	}}
	play(t, []dialogue{{"unavailable", o, greeting + "> AUTH XOAUTH2 " + xoauth2("ANN@example.com", token) +
		"\n< -ERR [SYS/TEMP] Temporary authentication failure"}})
	if asked != ann {
		t.Errorf("CheckToken was asked about %q, want the account's address", asked)
	}
}

func TestCommandsHideSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &pop3test.Options{APOP: true})
		w.talk(`
			< +OK ...
			> APOP ann c4c9334bac560ecc979e58001b3e22fb
			< -ERR [AUTH] Authentication failed
			> APOP c4c9334bac560ecc979e58001b3e22fb
			< -ERR ...
			> AUTH ` + b64("a secret horse without a mechanism") + `
			< -ERR ...
			> AUTH PLAIN ` + b64("secret") + `
			< -ERR ...
			> AUTH XOAUTH2
			< +...
			> ` + xoauth2(ann, token) + `
			< +OK Signed in
			> PASS too late, horse
			< -ERR Signed in already
			> RETR
			< -ERR ...`)
		var lines []string
		for _, c := range w.server.Commands() {
			lines = append(lines, c.Line)
		}
		want := []string{
			"APOP ann [redacted]", "APOP [redacted]", "AUTH [redacted]", "AUTH PLAIN [redacted]", "AUTH XOAUTH2", "[redacted]",
			"PASS [redacted]", "RETR",
		}
		if !slices.Equal(lines, want) {
			t.Errorf("Commands() = %q, want %q", lines, want)
		}
	})
}
