package pop3test_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/secret"
)

func TestMessagesComeByteForByte(t *testing.T) {
	for name, raw := range map[string]string{
		"plain":              "Subject: hi\r\n\r\nbody\r\n",
		"dots":               "Subject: hi\r\n\r\n.\r\n..\r\n...\r\n.x\r\n\r\n.\r\n",
		"a dot at the start": ".Subject: hi\r\n\r\n",
		"bare LFs":           "Subject: hi\n\n.\n..\nbody\n.\n\r\n",
		"bare CRs":           "Subject: hi\r\n\r\n\r.\r.\r\r\nbody\r\r\n",
		"a byte order mark":  "\ufeffSubject: hi\r\n\r\nbody\r\n",
		"NUL and 8-bit":      "Subject: \xe4\r\n\r\na\x00b\xff\xfe\r\n",
		"no final newline":   "Subject: hi\r\n\r\nbody",
		"a final CR":         "Subject: hi\r\n\r\nbody\r",
		"a final LF":         "Subject: hi\r\n\r\nbody\n",
		"a final dot":        "Subject: hi\r\n\r\nbody\r\n.",
		"nothing":            "",
		"an empty line":      "\r\n",
		"a long line":        "X: y\r\n\r\n" + strings.Repeat("0123456789", 20_000) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				w.append(raw)
				want := raw
				if raw != "" && !strings.HasSuffix(raw, "\r\n") {
					want += "\r\n" // the dot has to stand on a line of its own
				}
				w.talk(fmt.Sprintf("%s> LIST 4\n< +OK 4 %d\n> RETR 4\n< +OK %d octets", signIn, len(want), len(want)))
				if got := w.body(); got != want {
					t.Errorf("RETR gives %.200q, want %.200q", got, want)
				}
				w.talk("> TOP 4 1000000\n< +OK ...")
				if got := w.body(); got != want {
					t.Errorf("TOP of all gives %.200q, want %.200q", got, want)
				}
			})
		})
	}
}

func TestTop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.append("Subject: hi\r\nX: y\r\n\r\none\r\n.two\r\nthree\r\n")
		w.talk(signIn)
		for lines, want := range []string{"Subject: hi\r\nX: y\r\n\r\n", "Subject: hi\r\nX: y\r\n\r\none\r\n", "Subject: hi\r\nX: y\r\n\r\none\r\n.two\r\n"} {
			w.talk(fmt.Sprintf("> TOP 4 %d\n< +OK ...", lines))
			if got := w.body(); got != want {
				t.Errorf("TOP 4 %d gives %q, want %q", lines, got, want)
			}
		}
	})
}

func TestUTF8(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &pop3test.Options{StrictUTF8: true})
		w.append("Subject: grün\r\n\r\nbody\r\n")
		w.append("Subject: hi\r\n\r\ngrün\r\n")
		w.talk(signIn + `
			> RETR 4
			< -ERR [UTF8] The message needs UTF8
			> TOP 4 0
			< -ERR [UTF8] The message needs UTF8
			> RETR 5
			< +OK 22 octets`)
		w.body()
		w.talk("> QUIT\n< +OK Bye\n<EOF")
		w.dial()
		w.talk(greeting + "> UTF8 now\n< -ERR UTF8 has no argument\n> UTF8\n< +OK UTF8 enabled\n" + strings.TrimPrefix(signIn, greeting) + "> RETR 4\n< +OK 24 octets")
		if got := w.body(); got != "Subject: grün\r\n\r\nbody\r\n" {
			t.Errorf("RETR gives %q", got)
		}
	})
}

func TestLanguages(t *testing.T) {
	play(t, []dialogue{{"two of them", nil, greeting + `
		> LANG
		< +OK Languages follow
		< en English
		< de Deutsch
		< i-default Default language
		< .
		> LANG fr
		< -ERR No such language
		> LANG DE
		< +OK de Sprache geändert
		> STAT
		< -ERR Zuerst anmelden
		> LANG *
		< +OK i-default Language changed
		> STAT
		< -ERR Sign in first
		> LANG de
		< +OK de Sprache geändert
		> QUIT
		< +OK Tschüss`}})
}

func TestSTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &pop3test.Options{Security: mailtest.STARTTLS, Hosts: []string{"pop.example.com"}, Capabilities: []string{"UIDL", "USER", "UTF8", "LANG", "SASL PLAIN"}})
		w.talk(greeting + `
			> CAPA
			< +OK Capabilities follow
			< UIDL
			< UTF8
			< LANG
			< STLS
			< .
			> USER ` + ann + `
			< -ERR Start TLS first
			> AUTH PLAIN
			< -ERR Start TLS first
			> STLS now
			< -ERR STLS has no argument
			> LANG de
			< +OK de ...
			> STAT
			< -ERR Zuerst anmelden
			> STLS
			< +OK Begin TLS negotiation`)
		config := w.server.ClientTLS()
		config.ServerName = "pop.example.com"
		w.over(tls.Client(w.conn, config))
		w.talk(`
			> STAT
			< -ERR Sign in first
			> CAPA
			< +OK Capabilities follow
			< UIDL
			< USER
			< UTF8
			< LANG
			< SASL PLAIN
			< .
			> STLS
			< -ERR TLS is active already
			> USER ` + ann + `
			< +OK ...
			> PASS ` + password + `
			< +OK Signed in
			> STLS
			< -ERR Signed in already`)
		for i, c := range w.server.Commands() {
			if c.Encrypted != (i > 6) {
				t.Errorf("command %d, %s: Encrypted = %v", i, c.Line, c.Encrypted)
			}
		}
		w.dial()
		w.talk(greeting + "> UTF8\n< +OK ...\n> STLS\n< -ERR STLS comes before UTF8\n> QUIT\n< +OK Bye")
	})
}

func TestSTLSWithCommandsBehindIt(t *testing.T) {
	for _, capabilities := range [][]string{nil, pop3test.Without("PIPELINING")} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, &pop3test.Options{Security: mailtest.STARTTLS, Capabilities: capabilities})
			w.talk(greeting)
			w.send("STLS\r\nUSER mallory\r\n")
			if capabilities == nil {
				w.talk("< +OK Begin TLS negotiation\n< -ERR Plain text before the TLS handshake\n<EOF")
			} else {
				w.talk("< -ERR A command was sent ahead of this answer, and PIPELINING is not offered\n<EOF")
			}
		})
	}
	play(t, []dialogue{{"not offered", nil, greeting + "> STLS\n< -ERR Unknown command"}})
}

func TestTLSOverTCP(t *testing.T) {
	box := mailtest.New()
	box.Add(ann, secret.New(password))
	server := pop3test.New(box, &pop3test.Options{Security: mailtest.TLS})
	t.Cleanup(func() { _ = server.Close() })
	config := server.ClientTLS()
	config.ServerName = "localhost"
	c, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, server: server, conn: c, r: bufio.NewReader(c)}
	w.talk(signIn + "> STAT\n< +OK 0 0\n> LIST\n< +OK 0 messages (0 octets)\n< .\n> QUIT\n< +OK Bye\n<EOF")
	if made, open := server.Connections(); made != 1 || open > 1 {
		t.Errorf("Connections = %d, %d, want one", made, open)
	}
}
