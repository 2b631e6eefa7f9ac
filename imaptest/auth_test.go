package imaptest_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// offered returns the default capabilities before somebody signed in, and after
// it.
func offered() (before, after string) {
	signIn := []string{"SASL-IR", "AUTH=PLAIN", "AUTH=LOGIN", "AUTH=XOAUTH2", "AUTH=OAUTHBEARER"}
	return strings.Join(imaptest.DefaultCapabilities(), " "), strings.Join(imaptest.Without(signIn...), " ")
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestCapabilitiesByStage(t *testing.T) {
	before, after := offered()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk(`
			< * OK [CAPABILITY ` + before + `] imaptest ready
			> a1 CAPABILITY
			< * CAPABILITY ` + before + `
			< a1 OK CAPABILITY completed
			> a2 SELECT INBOX
			< a2 BAD Not authenticated
			> a3 LOGIN ann@example.com pw
			< a3 OK [CAPABILITY ` + after + `] Signed in
			> a4 CAPABILITY
			< * CAPABILITY ` + after + `
			< a4 OK CAPABILITY completed
			> a5 LOGIN ann@example.com pw
			< a5 BAD Already authenticated
			> a6 FETCH 1 FLAGS
			< a6 BAD No mailbox selected
			> a7 LOGOUT
			< * BYE Logging out
			< a7 OK LOGOUT completed`)
		w.ended()
	})
}

func TestQuietCapabilities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{QuietCapabilities: true, Capabilities: []string{"IDLE", "X-STRANGE"}})
		w.talk(`
			< * OK imaptest ready
			> a CAPABILITY
			< * CAPABILITY IMAP4rev1 IDLE X-STRANGE
			< a OK CAPABILITY completed
			> a LOGIN ann@example.com pw
			< a OK Signed in`)
	})
}

func TestLogin(t *testing.T) {
	tests := map[string]string{
		"plain":        "> a LOGIN ann@example.com pw\n< a OK ...",
		"quoted":       `> a LOGIN "ann@example.com" "pw"` + "\n< a OK ...",
		"literals":     "> a LOGIN {15}\n< + Go ahead\n> ann@example.com {2}\n< + Go ahead\n> pw\n< a OK ...",
		"eager":        "> a LOGIN {15+}\n> ann@example.com {2+}\n> pw\n< a OK ...",
		"wrong":        "> a LOGIN ann@example.com wrong\n< a NO [AUTHENTICATIONFAILED] Authentication failed",
		"unknown":      "> a LOGIN eve@example.com pw\n< a NO [AUTHENTICATIONFAILED] Authentication failed",
		"one argument": "> a LOGIN ann@example.com\n< a BAD expected a space at byte 16 of the arguments",
		"three":        "> a LOGIN ann@example.com pw x\n< a BAD expected the end of the command at byte 19 of the arguments",
		"unended":      "> a LOGIN ann@example.com \"pw\n< a BAD quoted string without end",
	}
	for name, dialogue := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				w.talk("< * OK ...\n" + dialogue)
			})
		})
	}
}

func TestAuthenticate(t *testing.T) {
	const (
		challenge = `{"status":"401","schemes":"bearer","scope":"mail"}`
		invalid   = `{"status":"invalid_token","scope":"mail"}`
	)
	xoauth2 := func(token string) string { return b64("user=ann@example.com\x01auth=Bearer " + token + "\x01\x01") }
	bearer := func(token string) string {
		return b64("n,a=ann@example.com,\x01host=imap.example.com\x01port=143\x01auth=Bearer " + token + "\x01\x01")
	}
	signedIn, failed := "\n< a OK ...", "\n< a NO [AUTHENTICATIONFAILED] Authentication failed"
	tests := map[string]string{
		"PLAIN initial":        "> a AUTHENTICATE PLAIN " + b64("\x00ann@example.com\x00pw") + signedIn,
		"PLAIN asked":          "> a authenticate plain\n< + \n> " + b64("\x00ann@example.com\x00pw") + signedIn,
		"PLAIN wrong":          "> a AUTHENTICATE PLAIN " + b64("\x00ann@example.com\x00no") + failed,
		"PLAIN malformed":      "> a AUTHENTICATE PLAIN " + b64("ann@example.com") + failed,
		"PLAIN not base64":     "> a AUTHENTICATE PLAIN pw!\n< a BAD Invalid base64 data",
		"PLAIN empty":          "> a AUTHENTICATE PLAIN =" + failed,
		"PLAIN cancelled":      "> a AUTHENTICATE PLAIN\n< + \n> *\n< a BAD Authentication aborted by client",
		"LOGIN":                "> a AUTHENTICATE LOGIN\n< + VXNlcm5hbWU6\n> " + b64(ann) + "\n< + UGFzc3dvcmQ6\n> " + b64("pw") + signedIn,
		"LOGIN initial":        "> a AUTHENTICATE LOGIN " + b64(ann) + "\n< + UGFzc3dvcmQ6\n> " + b64("no") + failed,
		"XOAUTH2 initial":      "> a AUTHENTICATE XOAUTH2 " + xoauth2("good") + signedIn,
		"XOAUTH2 asked":        "> a AUTHENTICATE XOAUTH2\n< + \n> " + xoauth2("good") + signedIn,
		"XOAUTH2 refused":      "> a AUTHENTICATE XOAUTH2 " + xoauth2("old") + "\n< + " + b64(challenge) + "\n> " + failed,
		"XOAUTH2 equals sign":  "> a AUTHENTICATE XOAUTH2 " + xoauth2("old") + "\n< + " + b64(challenge) + "\n> =\n< a BAD Invalid base64 data",
		"XOAUTH2 wrong dummy":  "> a AUTHENTICATE XOAUTH2 " + xoauth2("old") + "\n< + " + b64(challenge) + "\n> AQ==\n< a BAD Invalid answer to the error challenge",
		"XOAUTH2 cancelled":    "> a AUTHENTICATE XOAUTH2 " + xoauth2("old") + "\n< + " + b64(challenge) + "\n> *\n< a BAD Authentication aborted by client",
		"XOAUTH2 malformed":    "> a AUTHENTICATE XOAUTH2 " + b64("user=ann@example.com") + failed,
		"OAUTHBEARER initial":  "> a AUTHENTICATE OAUTHBEARER " + bearer("good") + signedIn,
		"OAUTHBEARER asked":    "> a AUTHENTICATE OAUTHBEARER\n< + \n> " + bearer("good") + signedIn,
		"OAUTHBEARER refused":  "> a AUTHENTICATE OAUTHBEARER " + bearer("old") + "\n< + " + b64(invalid) + "\n> AQ==" + failed,
		"OAUTHBEARER no dummy": "> a AUTHENTICATE OAUTHBEARER " + bearer("old") + "\n< + " + b64(invalid) + "\n> \n< a BAD Invalid answer to the error challenge",
		"unknown mechanism":    "> a AUTHENTICATE CRAM-MD5\n< a NO Unsupported authentication mechanism",
	}
	for name, dialogue := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				w.talk("< * OK ...\n" + dialogue)
				if strings.Contains(dialogue, signedIn) {
					w.talk("> b SELECT INBOX\n< * FLAGS ...")
				} else {
					w.talk("> b NOOP\n< b OK NOOP completed\n> c SELECT INBOX\n< c BAD Not authenticated")
				}
			})
		})
	}
}

func TestAuthenticateWithoutSASLIR(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{Capabilities: imaptest.Without("sasl-ir", "AUTH=LOGIN")})
		w.talk(`
			< * OK ...
			> a AUTHENTICATE PLAIN AGFubkBleGFtcGxlLmNvbQBwdw==
			< a BAD expected the end of the command at byte 6 of the arguments
			> a AUTHENTICATE LOGIN
			< a NO Unsupported authentication mechanism
			> a AUTHENTICATE PLAIN
			< +...
			> AGFubkBleGFtcGxlLmNvbQBwdw==
			< a OK ...`)
	})
}

func TestTokenErrors(t *testing.T) {
	token := b64("user=ann@example.com\x01auth=Bearer old\x01\x01")
	tests := []struct {
		name    string
		options *imaptest.Options
		check   mailtest.TokenCheck
		want    string
	}{
		{
			"no challenge", &imaptest.Options{NoTokenChallenge: true}, mailtest.Tokens(),
			"< a NO [AUTHENTICATIONFAILED] Authentication failed",
		},
		{
			"own details", nil, func(context.Context, secret.Text) error { return &mailtest.TokenError{Status: "400", Scope: "s"} },
			"< + " + b64(`{"status":"400","schemes":"bearer","scope":"s"}`),
		},
		{
			"unavailable", nil, func(context.Context, secret.Text) error { return fmt.Errorf("down: %w", mailtest.ErrUnavailable) },
			"< a NO [UNAVAILABLE] Temporary authentication failure",
		},
		{
			"some error", nil, func(context.Context, secret.Text) error { return context.DeadlineExceeded },
			"< + " + b64(`{"status":"401","schemes":"bearer","scope":"mail"}`),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, tt.options)
				w.account.AcceptTokens(tt.check)
				w.talk("< * OK ...\n> a AUTHENTICATE XOAUTH2 " + token + "\n" + tt.want)
			})
		})
	}
}

func TestSTARTTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{Security: mailtest.STARTTLS, Capabilities: []string{"SASL-IR", "AUTH=PLAIN"}})
		w.talk(`
			< * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] imaptest ready
			> a LOGIN ann@example.com pw
			< a NO [PRIVACYREQUIRED] LOGIN is disabled
			> a AUTHENTICATE PLAIN
			< a NO [PRIVACYREQUIRED] Start TLS first
			> a STARTTLS
			< a OK Begin TLS negotiation now`)
		w.secure()
		w.talk(`
			> b CAPABILITY
			< * CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN
			< b OK CAPABILITY completed
			> b STARTTLS
			< b BAD STARTTLS not available
			> b LOGIN ann@example.com pw
			< b OK ...`)
		for _, c := range w.server.Commands() {
			if encrypted := strings.HasPrefix(c.Line, "b "); c.Encrypted != encrypted {
				t.Errorf("%q recorded as encrypted: %t, want %t", c.Line, c.Encrypted, encrypted)
			}
		}
	})
}

func TestTextInjectedBehindSTARTTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{Security: mailtest.STARTTLS})
		w.server.Inject(mailtest.After("STARTTLS", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"))
		w.talk("< * OK ...")
		w.send("a STARTTLS\r\n")
		synctest.Wait()
		got := make([]byte, 1024)
		n, err := w.r.Read(got)
		want := "a OK Begin TLS negotiation now\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"
		if err != nil || string(got[:n]) != want {
			t.Errorf("one read gave %q, %v, want %q", got[:n], err, want)
		}
	})
}

func TestTextSentAheadOfTLSIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{Security: mailtest.STARTTLS})
		w.send("a STARTTLS\r\nb NOOP\r\n")
		w.talk("< * OK ...\n< a OK ...\n< * BYE Plain text before the TLS handshake")
		w.ended()
	})
}

func TestImplicitTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{Security: mailtest.TLS})
		w.secure()
		w.open()
		w.talk("> a STARTTLS\n< a BAD Already authenticated")
	})
}

func TestNoSecretIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.account.SetPassword(secret.New("Zq7-secret"))
		encoded := b64("\x00ann@example.com\x00Zq7-secret")
		token := b64("user=ann@example.com\x01auth=Bearer Zq7-secret\x01\x01")
		w.talk(`
			< * OK ...
			> a LOGIN ann@example.com
			< a BAD ...
			> a LOGIN {15}
			< + Go ahead
			> ann@example.com {10+}
			> Zq7-secret x
			< a BAD ...
			> a AUTHENTICATE XOAUTH2 ` + token + `
			< + ...
			>
			< a NO ...
			> a AUTHENTICATE PLAIN
			< + ...
			> ` + encoded + `
			< a OK ...`)
		var shown strings.Builder
		for _, c := range w.server.Commands() {
			shown.WriteString(c.Name + " " + c.Line + "\n")
		}
		for _, leak := range []string{encoded, token, `{10+} x`} {
			if strings.Contains(shown.String(), leak) {
				t.Errorf("the record contains %q:\n%s", leak, shown.String())
			}
		}
		want := "LOGIN a LOGIN \"ann@example.com\" [redacted]\n"
		if !strings.HasPrefix(shown.String(), want) {
			t.Errorf("the record is\n%swant it to start with\n%s", shown.String(), want)
		}
	})
}
