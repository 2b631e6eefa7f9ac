package smtpx_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
)

// A domain that is not ASCII has a form that is, which the server is told; what is
// before it has none, and needs SMTPUTF8 on all of the way.
func TestInternationalDomains(t *testing.T) {
	for _, tt := range []struct {
		extensions []string
		to, rcpt   string // "" where it is refused
	}{
		{smtptest.Without("SMTPUTF8"), "bob@bücher.example", "RCPT TO:<bob@xn--bcher-kva.example> NOTIFY=FAILURE ORCPT=rfc822;bob@xn--bcher-kva.example"},
		{smtptest.Without("SMTPUTF8"), `"b@b"@BÜCHER.example`, `RCPT TO:<"b@b"@xn--bcher-kva.example> NOTIFY=FAILURE ORCPT=rfc822;"b@b"@xn--bcher-kva.example`},
		{smtptest.Without("SMTPUTF8"), "bøb@bücher.example", ""},
		{smtptest.Without("SMTPUTF8"), "bøb", ""},
		{smtptest.Without("SMTPUTF8"), "bob@bü cher.example", ""},
		{nil, "bob@bücher.example", "RCPT TO:<bob@xn--bcher-kva.example> NOTIFY=FAILURE ORCPT=rfc822;bob@xn--bcher-kva.example"},
		{nil, "bøb@bücher.example", "RCPT TO:<bøb@bücher.example> NOTIFY=FAILURE"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, &smtptest.Options{Extensions: tt.extensions})
			c := newClient(t, inMemory(s), withPassword(), nil)
			e := session.Envelope{From: "ann@bücher.example", To: []string{tt.to}, Reports: &session.DeliveryReports{Failure: true}}
			rec, err := c.Send(t.Context(), e, source(letter))
			if tt.rcpt == "" {
				checkOutcome(t, rec, err, session.NotSent)
				return
			}
			if err != nil || rec.Recipients[0].Address != tt.to {
				t.Fatalf("%s: Send = %+v, %v", tt.to, rec, err)
			}
			if !strings.Contains(said(s), "\n"+tt.rcpt+"\n") {
				t.Errorf("the server heard\n%s\nwant %s", said(s), tt.rcpt)
			}
			if !strings.Contains(said(s), "MAIL FROM:<ann@xn--bcher-kva.example>") || strings.Contains(said(s), " SMTPUTF8") != strings.Contains(tt.rcpt, "ø") {
				t.Errorf("the server heard\n%s", said(s))
			}
		})
	}
}

// Addresses of every form go into the envelope as they are, and the sender of the
// envelope has nothing to do with that of the message.
func TestAddressForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		to := []string{"ann@[192.0.2.1]", "ann@[IPv6:2001:db8::1]", `"ann b\"> "@else.example`, "ann+tag=x@else.example", "postmaster", bob}
		for _, from := range []string{"", "bounces+42=else.example@lists.example", "shared@example.com"} {
			if _, err := c.Send(t.Context(), session.Envelope{From: from, To: to}, source(letter)); err != nil {
				t.Fatal(err)
			}
			all := s.Messages()
			if m := all[len(all)-1]; m.From != from || strings.Join(m.To, " ") != strings.Join(to, " ") || m.Raw != letter {
				t.Errorf("the server has it from %q to %q, want %q and %q", m.From, m.To, from, to)
			}
		}
	})
}

// Lines that are longer than RFC 5321 section 4.5.3.1.6 has them stay as they are:
// breaking them would break what is in them. A server that does not take them says so.
func TestLongLines(t *testing.T) {
	text := "Subject: long\r\n\r\n" + strings.Repeat("x", 5000) + "\r\n." + strings.Repeat("y", 200_000) + "\r\n"
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				c := newClient(t, inMemory(s), withPassword(), nil)
				if all, err := sendAll(t, c, copies(3, source(text)), nil); err != nil || count(all)[session.Accepted] != 3 {
					t.Errorf("SendAll = %v, %v", count(all), err)
				}
				for _, m := range s.Messages() {
					if m.Raw != text {
						t.Errorf("a message came with %d bytes, and not as it was", len(m.Raw))
					}
				}
				strict := newServer(t, &smtptest.Options{Extensions: extensions, MaxTextLine: 998})
				c = newClient(t, inMemory(strict), withPassword(), nil)
				rec, err := c.Send(t.Context(), toBob(), source(text))
				checkOutcome(t, rec, err, session.NotSent)
				if session.Temporary(err) {
					t.Errorf("Send = %v, want a refusal that lasts", err)
				}
			})
		})
	}
}
