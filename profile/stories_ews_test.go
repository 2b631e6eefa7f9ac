package profile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// exchange is a company's own Exchange with a mailbox.
func exchange(t *testing.T, o *ewstest.Options, address string) *ewstest.Server {
	t.Helper()
	server, _ := exchangeWith(t, o, address)
	return server
}

// exchangeWith is like exchange, and returns what is behind it too: the mailbox
// of the address, and Bob's.
func exchangeWith(t *testing.T, o *ewstest.Options, address string) (*ewstest.Server, *mailtest.Box) {
	t.Helper()
	box := mailtest.New()
	box.Add(bob, secret.New("battery horse"))
	if _, err := box.Add(address, secret.New("correct horse")).Append("INBOX", mailtest.CRLF("From: x@contoso.example\nSubject: For "+address+"\n\nHello.\n"), nil); err != nil {
		t.Fatal(err)
	}
	server := ewstest.New(box, o)
	t.Cleanup(func() { _ = server.Close() })
	return server, box
}

// TestEWSByASet reads a mailbox on a company's own Exchange: with a password, by
// the host of the set alone, and by an address of its own.
func TestEWSByASet(t *testing.T) {
	server := exchange(t, &ewstest.Options{Security: mailtest.TLS, Hosts: []string{"mail.contoso.example"}, Strict: true}, ann)
	o := &profile.Options{AllowLiteralSecrets: true, Configure: func(_ string, p *profile.Plan) {
		p.Incoming.Server.Dial, p.Incoming.Server.TLS = server.Dial, server.ClientTLS()
	}}
	for _, side := range []string{
		`"host": "mail.contoso.example"`, `"url": "https://mail.contoso.example/EWS/Exchange.asmx"`,
		`"host": "mail.contoso.example", "mechanisms": ["NTLM"]`,
	} {
		set := `"account": "` + ann + `", "password": "literal:correct horse", "mode": "read-only", "incoming": {"protocol": "EWS", ` + side + `}`
		for _, provider := range []string{"", `"provider": "exchange", `} {
			wantInbox(t, open(t, parse(t, one(provider+set), o)), ann)
		}
	}
}

// TestEWSOfAProgramNamesTheMailbox: a program in its own name impersonates the
// mailbox of the set.
func TestEWSOfAProgramNamesTheMailbox(t *testing.T) {
	b := newBed(t, nil)
	server := exchange(t, &ewstest.Options{
		Security: mailtest.TLS, Hosts: []string{"mail.contoso.example"},
		CheckToken:  func(context.Context, string, secret.Text) error { return nil },
		Application: func(secret.Text) bool { return true },
	}, info)
	t.Setenv("APP_SECRET", b.AppSecret().Reveal())
	b.opts.Configure = func(_ string, p *profile.Plan) {
		p.Incoming.Server.Dial, p.Incoming.Server.TLS = server.Dial, server.ClientTLS()
	}
	s := open(t, b.load(t, `"provider": "contoso", "flow": "client-credentials", "clientId": "test-app", "clientSecret": "env:APP_SECRET", "mailbox": "`+info+`",
		"scopes": "https://mail.contoso.example/.default", "mode": "read-only", "incoming": {"protocol": "EWS", "host": "mail.contoso.example"}`))
	wantInbox(t, s, info)
	var named bool
	for _, r := range server.Requests() {
		named = named || strings.Contains(r.Body, "ExchangeImpersonation")
	}
	if !named {
		t.Error("no request names the mailbox")
	}
}

// received returns the subjects in Bob's inbox, with commas.
func received(t *testing.T, box *mailtest.Box) string {
	t.Helper()
	var list []string
	account, ok := box.Account(bob)
	if !ok {
		t.Fatal("Bob has no mailbox")
	}
	messages, err := account.Messages("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		_, rest, _ := strings.Cut(m.Raw, "Subject: ")
		subject, _, _ := strings.Cut(rest, "\r\n")
		list = append(list, subject)
	}
	return strings.Join(list, ",")
}

// TestEWSSendsByASet sends through a company's own Exchange, alone and beside the
// way in: with a password, by the host of the set, by an address of its own and by
// that of the provider's host.
func TestEWSSendsByASet(t *testing.T) {
	for _, side := range []string{
		`"host": "mail.contoso.example"`, `"url": "https://mail.contoso.example/EWS/Exchange.asmx"`,
		`"host": "mail.contoso.example", "mechanisms": ["NTLM"]`,
	} {
		for _, sides := range []string{
			`"mode": "send-only", "outgoing": {"protocol": "EWS", ` + side + `}`,
			`"incoming": {"protocol": "EWS", ` + side + `}, "outgoing": {"protocol": "EWS", ` + side + `}`,
		} {
			server, box := exchangeWith(t, &ewstest.Options{Security: mailtest.TLS, Hosts: []string{"mail.contoso.example"}, Strict: true}, ann)
			o := &profile.Options{AllowLiteralSecrets: true, Configure: func(_ string, p *profile.Plan) {
				for _, s := range []*profile.Side{p.Incoming, p.Outgoing} {
					if s != nil {
						s.Server.Dial, s.Server.TLS = server.Dial, server.ClientTLS()
					}
				}
			}}
			s := open(t, parse(t, one(`"provider": "exchange", "account": "`+ann+`", "password": "literal:correct horse", `+sides), o))
			if _, err := s.SendDraft(t.Context(), note(), nil); err != nil {
				t.Errorf("%s: %v", sides, err)
			}
			if got := received(t, box); got != "Note" {
				t.Errorf("%s: Bob got %q, want the note", sides, got)
			}
		}
	}
}

// TestEWSSendsForAProgramInTheNameOfTheMailbox: a program in its own name
// impersonates the mailbox of the set to send from it, and its test message goes
// to the recipient of the set.
func TestEWSSendsForAProgramInTheNameOfTheMailbox(t *testing.T) {
	b := newBed(t, nil)
	server, box := exchangeWith(t, &ewstest.Options{
		Security: mailtest.TLS, Hosts: []string{"mail.contoso.example"},
		CheckToken:  func(context.Context, string, secret.Text) error { return nil },
		Application: func(secret.Text) bool { return true },
	}, info)
	t.Setenv("APP_SECRET", b.AppSecret().Reveal())
	b.opts.Configure = func(_ string, p *profile.Plan) {
		p.Outgoing.Server.Dial, p.Outgoing.Server.TLS = server.Dial, server.ClientTLS()
	}
	f := b.load(t, `"provider": "contoso", "flow": "client-credentials", "clientId": "test-app", "clientSecret": "env:APP_SECRET", "mailbox": "`+info+`",
		"scopes": "https://mail.contoso.example/.default", "mode": "send-only",
		"outgoing": {"protocol": "EWS", "host": "mail.contoso.example", "testRecipient": "`+bob+`"}`)
	if _, err := f.SendTest(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	if got := received(t, box); got != "Test message" {
		t.Errorf("Bob got %q, want the test message", got)
	}
	for _, r := range server.Requests() {
		if !strings.Contains(r.Body, "ExchangeImpersonation") || !strings.Contains(r.Body, info) {
			t.Errorf("a request does not name the mailbox:\n%s", r.Body)
		}
	}
}

// TestEWSHasNoLimitOfMessages: a limit that the way out cannot keep is a mistake,
// and not passed over.
func TestEWSHasNoLimitOfMessages(t *testing.T) {
	const set = `"account": "` + ann + `", "password": "env:P", "limits": {"messagesPerMinute": 30}, "outgoing": {"protocol": "EWS", "host": "mail.contoso.example"}`
	if got := mistakesOf(t, one(set), nil); !strings.HasPrefix(got, "/sets/ann/limits/messagesPerMinute: ") || strings.Contains(got, "\n") {
		t.Errorf("the mistakes are\n%s\nwant one of messagesPerMinute", got)
	}
	own := &profile.Options{Outgoing: map[profile.Protocol]profile.OutgoingMaker{profile.EWS: func(string, profile.Side) (session.OutgoingBackend, error) {
		return nil, errors.ErrUnsupported
	}}}
	parse(t, one(set), own) // which is told of the limit by its Side
}

// TestEWSTriesAgainAsTheSetSays: the settings for trying again reach both sides of
// Exchange.
func TestEWSTriesAgainAsTheSetSays(t *testing.T) {
	for _, tt := range []struct {
		retry          string
		reading, sends int // requests at a server that is always busy
	}{
		{`{"on": "none"}`, 1, 1},
		{`{"on": "any", "count": 2, "wait": "1s"}`, 3, 3},
		{`{"on": "status", "statuses": [503], "count": 3, "wait": "1s", "factor": 1}`, 4, 4},
		{`{"on": "status", "statuses": [502], "count": 3}`, 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, _ := exchangeWith(t, &ewstest.Options{Hosts: []string{"mail.contoso.example"}, Strict: true}, ann)
			o := &profile.Options{AllowLiteralSecrets: true, Configure: func(_ string, p *profile.Plan) {
				for _, side := range []*profile.Side{p.Incoming, p.Outgoing} {
					side.Server.Dial, side.Server.Security, side.Server.AllowPlainAuth = server.Dial, session.None, true
				}
			}}
			s := open(t, parse(t, one(`"account": "`+ann+`", "password": "literal:correct horse", "retry": `+tt.retry+`,
				"incoming": {"protocol": "EWS", "host": "mail.contoso.example"}, "outgoing": {"protocol": "EWS", "host": "mail.contoso.example"}`), o))
			server.Inject(ewstest.Unavailable("FindItem", 0).Repeating(-1), ewstest.Busy("CreateItem", 0).Repeating(-1))
			var err error
			for _, err = range s.Messages(t.Context(), session.Query{}) {
				break
			}
			_, sending := s.SendDraft(t.Context(), note(), nil)
			reading, sends := 0, 0
			for _, r := range server.Requests() {
				switch r.Operation {
				case "FindItem":
					reading++
				case "CreateItem":
					sends++
				}
			}
			if reading != tt.reading || sends != tt.sends || !session.Temporary(err) || !session.Temporary(sending) {
				t.Errorf("%s: %d and %d requests, %v, %v; want %d and %d, and temporary errors", tt.retry, reading, sends, err, sending, tt.reading, tt.sends)
			}
		})
	}
}

// TestEWSUnderAnotherName: the name that goes with the password is the set's authUser,
// by all ways to sign in, and the mailbox that of its account, or its mailbox where that
// is somebody else's. What the set leaves out of NTLM goes to both sides.
func TestEWSUnderAnotherName(t *testing.T) {
	t.Setenv("WHO", `CONTOSO\ann`)
	for _, tt := range []struct{ scheme, set, signs, sees string }{
		{ewstest.Basic, `"account": "` + ann + `", "authUser": "CONTOSO\\ann", "password": "literal:correct horse"`, ann, ann},
		{ewstest.NTLM, `"account": "` + ann + `", "authUser": "env:WHO", "password": "literal:correct horse", "tls": {"noChannelBinding": true}`, ann, ann},
		{ewstest.NTLM, `"account": "` + bob + `", "mailbox": "` + ann + `", "authUser": "CONTOSO\\bob", "password": "literal:battery horse"`, bob, ann},
	} {
		o := &ewstest.Options{Security: mailtest.TLS, Hosts: []string{"mail.contoso.example"}, Strict: true, Schemes: []string{tt.scheme}}
		unbound := strings.Contains(tt.set, "noChannelBinding")
		if o.ExtendedProtection = ewstest.ProtectionRequire; unbound {
			o.ExtendedProtection = ewstest.ProtectionAllow
		}
		server, box := exchangeWith(t, o, ann)
		account, _ := box.Account(ann)
		if err := account.Share("INBOX", bob); err != nil {
			t.Fatal(err)
		}
		opts := &profile.Options{AllowLiteralSecrets: true, Configure: func(_ string, p *profile.Plan) {
			for _, s := range []*profile.Side{p.Incoming, p.Outgoing} {
				s.Server.Dial, s.Server.TLS = server.Dial, server.ClientTLS()
				if s.NoChannelBinding != unbound {
					t.Errorf("%s: NoChannelBinding is %t", tt.set, s.NoChannelBinding)
				}
			}
		}}
		const side = `{"protocol": "EWS", "host": "mail.contoso.example"}`
		s := open(t, parse(t, one(tt.set+`, "incoming": `+side+`, "outgoing": `+side), opts))
		wantInbox(t, s, tt.sees)
		all := server.Requests()
		if got := all[len(all)-1].User; got != tt.signs {
			t.Errorf("%s: %s signed in, want %s", tt.set, got, tt.signs)
		}
		if _, err := s.SendDraft(t.Context(), note(), nil); tt.signs == ann && (err != nil || received(t, box) != "Note") {
			t.Errorf("%s: SendDraft = %v, and Bob got %q", tt.set, err, received(t, box))
		}
	}
}
