package profile_test

import (
	"context"
	"errors"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/session"
)

// approve is Ann at another device.
func approve(b *bed) func(context.Context, oauth.DeviceCode) error {
	return func(_ context.Context, d oauth.DeviceCode) error { return b.OAuth.Approve(d.UserCode, ann) }
}

// byPassword is a set of Ann's at the fake provider.
const byPassword = `"provider": "contoso", "account": "` + ann + `", "password": "literal:correct horse"`

// note is a message from Ann to Bob.
func note() *message.Draft {
	return &message.Draft{From: mail.Address{Address: ann}, To: []mail.Address{{Address: bob}}, Subject: "Note", Text: "Hello.\n"}
}

// TestThreeModesAndWhatEachForbids: reading alone opens folders by EXAMINE and
// sends nothing, sending alone reads nothing, and both do both.
func TestThreeModesAndWhatEachForbids(t *testing.T) {
	for _, tt := range []struct {
		mode        string
		reads, acts bool // acts: sends
		command     string
	}{{"read-write", true, true, "SELECT"}, {"read-only", true, false, "EXAMINE"}, {"send-only", false, true, ""}} {
		b := newBed(t, nil)
		b.opts.AllowLiteralSecrets = true
		s := open(t, b.load(t, byPassword+`, "mode": "`+tt.mode+`"`))
		_, err := subjects(t, s)
		if e, forbidden := errors.AsType[*session.ModeError](err); tt.reads != (err == nil) || forbidden && e.Mode.String() != tt.mode {
			t.Errorf("%s: reading: %v, want it allowed: %t", tt.mode, err, tt.reads)
		}
		_, err = s.SendDraft(t.Context(), note(), nil)
		if _, forbidden := errors.AsType[*session.ModeError](err); tt.acts != (err == nil) || tt.acts == forbidden {
			t.Errorf("%s: sending: %v, want it allowed: %t", tt.mode, err, tt.acts)
		}
		var said strings.Builder
		for _, c := range b.IMAP.Commands() {
			said.WriteString(c.Line + "\n")
		}
		if !strings.Contains(said.String(), tt.command) || tt.command == "EXAMINE" && strings.Contains(said.String(), "SELECT") {
			t.Errorf("%s: IMAP was told\n%s\nwant %s", tt.mode, said.String(), tt.command)
		}
	}
}

// TestNoneTLSAndSTARTTLS: a set names the encryption, and a server that has
// another one is not spoken to.
func TestNoneTLSAndSTARTTLS(t *testing.T) {
	words := map[session.Security]string{session.TLS: "TLS", session.STARTTLS: "STARTTLS", session.None: "None"}
	for security, word := range words {
		b := newBed(t, &presettest.Options{Security: security})
		b.opts.AllowLiteralSecrets = true
		plain := ""
		if security == session.None {
			plain = `, "allowPlainAuth": true`
		}
		s := open(t, b.load(t, byPassword+`, "incoming": {"security": "`+word+`"`+plain+`}, "outgoing": {"security": "`+word+`"`+plain+`}`))
		wantInbox(t, s, ann)
		if _, err := s.SendDraft(t.Context(), note(), nil); err != nil {
			t.Errorf("%s: send: %v", word, err)
		}
		if m := b.SMTP.Messages(); len(m) != 1 || m[0].Encrypted != (security != session.None) {
			t.Errorf("%s: the server got %d messages, want one, encrypted unless the word is None", word, len(m))
		}
	}
	b := newBed(t, &presettest.Options{Security: session.None})
	b.opts.AllowLiteralSecrets = true
	known := b.Preset()
	f := b.load(t, byPassword+`, "incoming": {"security": "STARTTLS", "host": "`+known.IMAP.Host+`", "port": `+profileNumber(known.IMAP.Port)+`}`)
	if _, err := subjects(t, open(t, f)); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("STARTTLS with a server that has none: %v, want a refusal", err)
	}
}

// TestDefaultPorts: without a port it is the protocol's, by the encryption.
func TestDefaultPorts(t *testing.T) {
	for _, tt := range []struct{ incoming, outgoing, in, out string }{
		{`"protocol": "IMAP"`, "", "mail.example.com:993", ""},
		{`"protocol": "IMAP", "security": "STARTTLS"`, "", "mail.example.com:143", ""},
		{`"security": "None", "allowPlainAuth": true`, "", "mail.example.com:143", ""},
		{`"protocol": "POP3"`, "", "mail.example.com:995", ""},
		{`"protocol": "POP3", "security": "STARTTLS"`, "", "mail.example.com:110", ""},
		{`"protocol": "POP3", "security": "None", "allowPlainAuth": true`, "", "mail.example.com:110", ""},
		{"", `"security": "TLS"`, "", "mail.example.com:465"},
		{"", `"security": "STARTTLS"`, "", "mail.example.com:587"},
		{"", `"security": "None", "allowPlainAuth": true`, "", "mail.example.com:25"},
		{`"port": 1993`, `"port": 1465`, "mail.example.com:1993", "mail.example.com:1465"},
	} {
		set := `"account": "ann@example.com", "password": "literal:correct horse"`
		if tt.incoming != "" {
			set += `, "incoming": {"host": "mail.example.com", ` + tt.incoming + `}`
		}
		if tt.outgoing != "" {
			set += `, "outgoing": {"host": "mail.example.com", ` + tt.outgoing + `}`
		}
		var dialled []string
		o := &profile.Options{AllowLiteralSecrets: true, Configure: func(_ string, p *profile.Plan) {
			for _, s := range []*profile.Side{p.Incoming, p.Outgoing} {
				if s != nil {
					s.Server.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
						dialled = append(dialled, address)
						return nil, errors.New("nobody is there")
					}
				}
			}
		}}
		s := open(t, parse(t, one(set), o))
		if tt.in != "" {
			_, _ = s.Facts(t.Context()) // Nobody is there.
		}
		if tt.out != "" {
			_, _ = s.SendDraft(t.Context(), note(), nil) // Nobody is there.
		}
		if got, want := strings.Join(dialled, " "), strings.TrimSpace(tt.in+" "+tt.out); got != want {
			t.Errorf("incoming {%s} outgoing {%s} dials %q, want %q", tt.incoming, tt.outgoing, got, want)
		}
	}
}

// TestAnotherEncryptionThanTheProviders has the port of that encryption.
func TestAnotherEncryptionThanTheProviders(t *testing.T) {
	const set = `"provider": "google", "account": "ann@gmail.com", "password": "env:P", "mode": "read-only", "incoming": {"security": `
	t.Setenv("P", "correct horse")
	for security, want := range map[string]string{`"TLS"`: "imap.gmail.com:993", `"STARTTLS"`: "imap.gmail.com:143", `"STARTTLS", "port": 1143`: "imap.gmail.com:1143"} {
		p, err := parse(t, one(set+security+`}`), nil).Plan(t.Context(), "ann")
		if err != nil {
			t.Error(err)
			continue
		}
		if got := p.Incoming.Server.Address(143); got != want {
			t.Errorf("%s: the server is %s, want %s", security, got, want)
		}
	}
}

// TestTestMail goes to the test recipient, or to oneself.
func TestTestMail(t *testing.T) {
	for recipient, want := range map[string]string{`, "incoming": {}, "outgoing": {"testRecipient": "` + bob + `"}`: bob, "": ann} {
		b := newBed(t, nil)
		b.opts.AllowLiteralSecrets = true
		receipt, err := b.load(t, byPassword+recipient).SendTest(t.Context(), "ann")
		if err != nil || receipt.Outcome != session.Accepted {
			t.Errorf("SendTest = %v, %v", receipt.Outcome, err)
		}
		account, _ := b.Box.Account(want)
		if messages, err := account.Messages("INBOX"); err != nil || len(messages) != 2 {
			t.Errorf("%s has %d messages, %v; want the test message beside the one that was there", want, len(messages), err)
		}
	}
}

// TestOverridesOfEachSide: host, port and user are overridden for each side apart.
func TestOverridesOfEachSide(t *testing.T) {
	f := parse(t, one(`"provider": "google", "account": "ann@gmail.com", "password": "env:P", "incoming": {"user": "recent:ann", "protocol": "POP3"}, "outgoing": {}`), nil)
	t.Setenv("P", "correct horse")
	plan, err := f.Plan(t.Context(), "ann",
		profile.Override{Incoming: profile.SideOverride{Host: "pop.test", Port: 1995}, Outgoing: profile.SideOverride{User: "env:P"}},
		profile.Override{Incoming: profile.SideOverride{Port: 2995}})
	if err != nil {
		t.Fatal(err)
	}
	in, out := plan.Incoming, plan.Outgoing
	if in.Server.Host != "pop.test" || in.Server.Port != 2995 || in.User != "recent:ann" {
		t.Errorf("the way in is %s:%d as %s, want pop.test:2995 as recent:ann", in.Server.Host, in.Server.Port, in.User)
	}
	if out.Server.Host != "smtp.gmail.com" || out.User != "env:P" {
		t.Errorf("the way out is %s as %s, want smtp.gmail.com as env:P, which is no reference here", out.Server.Host, out.User)
	}
	implied := parse(t, one(`"provider": "google", "account": "ann@gmail.com", "password": "env:P"`), nil)
	if plan, err = implied.Plan(t.Context(), "ann", profile.Override{Outgoing: profile.SideOverride{Host: "relay.test"}}); err != nil || plan.Outgoing.Server.Host != "relay.test" || plan.Incoming.Server.Host != "imap.gmail.com" {
		t.Errorf("the plan is %+v, %v; want another way out and the provider's way in", plan, err)
	}
	lonely := parse(t, one(`"provider": "google", "account": "ann@gmail.com", "password": "env:P", "incoming": {}`), nil)
	if _, err = lonely.Plan(t.Context(), "ann", profile.Override{Outgoing: profile.SideOverride{Port: 1}}); err == nil || !strings.Contains(err.Error(), "no outgoing side") {
		t.Errorf("an override of a side that is not there: %v", err)
	}
}

// TestOneSessionNameUsedByManyActions: all parts of a program get one session,
// which signs in once and ends with the Set.
func TestOneSessionNameUsedByManyActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, &presettest.Options{InMemory: true})
		t.Setenv("MAIL_PIN", b.pin(t, ann))
		f := parse(t, one(`"provider": "contoso", "account": "`+ann+`", "clientId": "test-client", "refreshToken": "env:MAIL_PIN"`), b.opts)
		set := f.NewSet()
		var group sync.WaitGroup
		sessions := make([]*session.Session, 20)
		for i := range sessions {
			group.Go(func() {
				s, err := set.Session(t.Context(), "ann")
				if err != nil {
					t.Error(err)
					return
				}
				sessions[i] = s
				if i%2 == 0 {
					_, err = s.Facts(t.Context())
				} else {
					_, err = s.SendDraft(t.Context(), note(), nil)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		for _, s := range sessions {
			if s != sessions[0] {
				t.Fatal("two parts of the program have two sessions")
			}
		}
		if got := b.OAuth.Hits(oauthtest.TokenPath); got != 1 {
			t.Errorf("%d token requests, want one for all", got)
		}
		private := open(t, f)
		if private == sessions[0] {
			t.Error("Open gives the shared session")
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
		if _, err := sessions[0].Facts(t.Context()); !errors.Is(err, session.ErrClosed) {
			t.Errorf("after Close the shared session says %v, want ErrClosed", err)
		}
		if _, err := set.Session(t.Context(), "ann"); !errors.Is(err, session.ErrClosed) {
			t.Errorf("after Close the Set says %v, want ErrClosed", err)
		}
		wantInbox(t, private, ann)
		if err := private.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestASetTriesAgain: who comes after a failure tries for themselves, and nobody
// waits longer than their context.
func TestASetTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		o := &profile.Options{Resolvers: map[string]profile.Resolver{"vault": func(ctx context.Context, _ string) (secretText, error) {
			if asked++; asked == 1 {
				<-ctx.Done()
				return secretText{}, context.Cause(ctx)
			}
			return newSecret("correct horse"), nil
		}}}
		f := parse(t, one(`"password": "vault:ann", "account": "a@b.c", "incoming": {"host": "h"}`), o)
		set := f.NewSet()
		var group sync.WaitGroup
		for _, wait := range []time.Duration{time.Minute, time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			group.Go(func() {
				if wait == time.Second {
					<-time.After(time.Millisecond) // behind the other
				}
				if _, err := set.Session(ctx, "ann"); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Session within %v: %v, want the context's error", wait, err)
				}
			})
		}
		group.Wait()
		if _, err := set.Session(t.Context(), "ann"); err != nil || asked != 2 {
			t.Errorf("Session after a failure: %v after %d questions, want it open after 2", err, asked)
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestClosingASetEndsWhatIsBeingOpened: whoever opens a session, and whoever waits
// for that, is not held up by a reference that hangs when the Set is closed.
func TestClosingASetEndsWhatIsBeingOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		o := &profile.Options{Resolvers: map[string]profile.Resolver{"vault": func(ctx context.Context, _ string) (secretText, error) {
			asked++
			<-ctx.Done()
			return secretText{}, context.Cause(ctx)
		}}}
		set := parse(t, one(`"password": "vault:ann", "account": "a@b.c", "incoming": {"host": "h"}`), o).NewSet()
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if _, err := set.Session(t.Context(), "ann"); !errors.Is(err, session.ErrClosed) {
					t.Errorf("Session while the Set is closed: %v, want ErrClosed", err)
				}
			})
		}
		synctest.Wait()
		if err := set.Close(); err != nil {
			t.Error(err)
		}
		group.Wait()
		if asked != 1 {
			t.Errorf("the reference was resolved %d times, want once", asked)
		}
	})
}
