package profile_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/secret"
)

// exchange is a company's own Exchange with a mailbox.
func exchange(t *testing.T, o *ewstest.Options, address string) *ewstest.Server {
	t.Helper()
	box := mailtest.New()
	if _, err := box.Add(address, secret.New("correct horse")).Append("INBOX", mailtest.CRLF("From: x@contoso.example\nSubject: For "+address+"\n\nHello.\n"), nil); err != nil {
		t.Fatal(err)
	}
	server := ewstest.New(box, o)
	t.Cleanup(func() { _ = server.Close() })
	return server
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
