//go:build interop

package interop_test

import (
	"testing"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/secret"
)

// deliverQuestions delivers what bob wrote to ann, and returns it.
func deliverQuestions(t *testing.T, deliver func(raw []byte) error) []pythonMessage {
	t.Helper()
	questions := []pythonMessage{
		{MessageID: "<lunch@example.test>", From: bob, To: ann, Subject: "Lunch?", Text: "At noon?\n"},
		{MessageID: "<party@example.test>", From: bob, To: ann, Subject: "Überraschung", Text: "Größe 42\n"},
	}
	for _, raw := range []string{
		"From: bob@example.test\r\nTo: ann@example.test\r\nSubject: Lunch?\r\nMessage-ID: <lunch@example.test>\r\n\r\nAt noon?\r\n",
		"From: bob@example.test\r\nTo: ann@example.test\r\nSubject: =?utf-8?q?=C3=9Cberraschung?=\r\n" +
			"Message-ID: <party@example.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
			"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=B6=C3=9Fe 42\r\n",
	} {
		if err := deliver([]byte(raw)); err != nil {
			t.Fatal(err)
		}
	}
	return questions
}

// pythonWaysOf returns how Python signs in to real servers.
func pythonWaysOf(servers *interop.Servers, security, auth string) pythonWays {
	ways := pythonWays{secrets: map[string]secret.Text{ann: secret.New(annsToken), bob: secret.New(bobsToken)}}
	if auth == "password" {
		for _, user := range servers.Users {
			ways.secrets[user.Address] = user.Password
		}
	}
	ports := map[string]struct{ imap, smtp string }{
		"none":     {servers.IMAP, servers.SMTP},
		"tls":      {servers.IMAPS, servers.Submissions},
		"starttls": {servers.IMAP, servers.Submission},
	}[security]
	ways.imap = ways.as(pythonLogin{address: ports.imap, security: security, ca: servers.CAFile, auth: auth}, ann)
	ways.smtp = ways.as(pythonLogin{address: ports.smtp, security: security, ca: servers.CAFile, auth: auth}, ann)
	return ways
}

// TestPythonStoryOnServers proves the Python scripts, which drive the fakes
// too, against servers that nobody here wrote.
func TestPythonStoryOnServers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ security, auth string }{
		{"tls", "password"},
		{"tls", "xoauth2"},
		{"starttls", "oauthbearer"},
		{"none", "password"},
	} {
		t.Run(tc.security+" "+tc.auth, func(t *testing.T) {
			t.Parallel()
			servers := startServers(t, &interop.Options{Tokens: introspection(t)})
			questions := deliverQuestions(t, func(raw []byte) error { return servers.Deliver(t.Context(), raw, ann) })
			tellPythonStory(t, pythonWaysOf(servers, tc.security, tc.auth), questions)
		})
	}
}

// TestPythonIsRefusedByServers looks at what the scripts make of a bad token
// and a wrong password.
func TestPythonIsRefusedByServers(t *testing.T) {
	t.Parallel()
	servers := startServers(t, &interop.Options{Tokens: introspection(t)})
	wantPythonRefused(t, `{"status":"invalid_token"}`, func(auth string) pythonWays { return pythonWaysOf(servers, "tls", auth) })
}

// wantPythonRefused signs in with what no server accepts and compares the
// challenges, of which servers word that of OAUTHBEARER differently.
func wantPythonRefused(t *testing.T, oauthbearer string, waysFor func(auth string) pythonWays) {
	t.Helper()
	for _, tc := range []struct{ auth, secret, challenge string }{
		{"xoauth2", expiredToken, `{"status":"401","schemes":"bearer","scope":"mail"}`},
		{"oauthbearer", expiredToken, oauthbearer},
		{"password", "wrong", ""},
	} {
		t.Run(tc.auth, func(t *testing.T) {
			t.Parallel()
			ways := waysFor(tc.auth)
			ways.secrets[ann] = secret.New(tc.secret)
			if got := pythonRefused(t, "imap_story.py", ways.as(ways.imap, ann), "folders"); got != tc.challenge {
				t.Errorf("IMAP challenge = %q, want %q", got, tc.challenge)
			}
			got := pythonRefused(t, "smtp_story.py", ways.as(ways.smtp, ann),
				"--from", ann, "--to", bob, "--subject", "x", "--text", "x", "--message-id", "<x@example.test>")
			if got != tc.challenge {
				t.Errorf("SMTP challenge = %q, want %q", got, tc.challenge)
			}
		})
	}
}

// TestPythonSeesRefusedRecipients sends to one recipient that exists and one
// that does not.
func TestPythonSeesRefusedRecipients(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	ways := pythonWaysOf(servers, "tls", "password")
	steps := pythonStory(t, "smtp_story.py", ways.smtp,
		"--from", ann, "--to", bob, "--to", "nobody@example.test",
		"--subject", "x", "--text", "x", "--message-id", "<x@example.test>")
	sent := steps[len(steps)-1]
	if len(sent.Accepted) != 1 || sent.Accepted[0] != bob {
		t.Errorf("accepted = %q, want %q", sent.Accepted, bob)
	}
	if got := sent.Refused["nobody@example.test"]; len(got) != 2 || got[0] != 550.0 {
		t.Errorf("refused = %v, want nobody@example.test with 550", sent.Refused)
	}
}
