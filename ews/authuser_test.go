package ews_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestAuthUser: the mailbox is the User's, whoever signs in: the same person under a
// name of the domain, or somebody who has the right to. Options that name a mailbox come
// before that, and tokens tell themselves who signs in.
func TestAuthUser(t *testing.T) {
	const clerk = "clerk@example.com"
	for name, tt := range map[string]struct {
		authUser string
		client   ews.Options
		tokens   oauth.Sources
		signs    string // the account
		subject  string
	}{
		"the same by the domain's name": {authUser: `EXAMPLE\ann`, signs: ann, subject: "Sample 1"},
		"the same by its address":       {authUser: ann, signs: ann, subject: "Sample 1"},
		"a delegate":                    {authUser: `EXAMPLE\clerk`, signs: clerk, subject: "Sample 1"},
		"a delegate by his address":     {authUser: clerk, signs: clerk, subject: "Sample 1"},
		"for a mailbox of the options":  {authUser: clerk, client: ews.Options{Mailbox: clerk}, signs: clerk, subject: "Sample 2"},
		"in somebody's name": {
			authUser: clerk, client: ews.Options{Impersonate: &ews.ConnectingID{PrincipalName: ann}}, signs: ann, subject: "Sample 1",
		},
		"with a token": {
			authUser: clerk, tokens: oauth.AnyResource(oauth.StaticToken(secret.New("token horse"))), signs: ann, subject: "Sample 1",
		},
	} {
		for _, scheme := range []string{ewstest.Basic, ewstest.NTLM} {
			t.Run(name+" by "+scheme, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBed(t, settings{
						server: ewstest.Options{
							Schemes: []string{scheme, ewstest.Bearer}, Impersonate: func(user, target string) bool { return user == clerk && target == ann },
						},
						client: tt.client,
						creds:  session.Credentials{User: ann, AuthUser: tt.authUser, Password: password(), Tokens: tt.tokens},
					})
					b.account.AcceptTokens(mailtest.Tokens(secret.New("token horse")))
					other := b.box.Add(clerk, password())
					if tt.signs == ann && tt.client.Impersonate == nil {
						other.SetPassword(secret.New("other horse"))
					}
					if err := b.account.Share("INBOX", clerk); err != nil {
						t.Fatal(err)
					}
					b.fill(t, 1)
					if _, err := other.Append("INBOX", mailtest.Sample(2), nil); err != nil {
						t.Fatal(err)
					}
					subjects, _, err := b.list(t.Context(), session.Query{})
					if err != nil || !slices.Equal(subjects, []string{tt.subject}) {
						t.Fatalf("Messages = %q, %v; want %q", subjects, err, tt.subject)
					}
					all := b.server.Requests()
					if last := all[len(all)-1]; last.User != tt.signs && tt.client.Impersonate == nil {
						t.Errorf("%s signed in, want %s", last.User, tt.signs)
					}
				})
			})
		}
	}
}

// TestAuthUserIsRefused: the password is that of AuthUser, and the error names him.
func TestAuthUserIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{
			server: ewstest.Options{Schemes: []string{ewstest.Basic}},
			creds:  session.Credentials{User: ann, AuthUser: `EXAMPLE\nobody`, Password: password()},
		})
		_, err := b.Count(t.Context(), session.Inbox)
		if !session.NeedsSignIn(err) || !strings.Contains(err.Error(), `the password of EXAMPLE\nobody`) {
			t.Errorf("Count = %v, want a refusal that names who signs in", err)
		}
	})
}

// TestAuthUserWantsAnAddress: Exchange is asked for a mailbox by its address.
func TestAuthUserWantsAnAddress(t *testing.T) {
	creds := session.Credentials{User: `EXAMPLE\ann`, AuthUser: `EXAMPLE\clerk`, Password: password()}
	at := session.Server{Host: "mail.example.com"}
	if _, err := ews.New(at, creds, nil); err == nil || !strings.Contains(err.Error(), "no mail address") {
		t.Errorf("New for the mailbox of %s = %v, want an error", creds.User, err)
	}
	if _, err := ews.NewSender(at, creds, nil); err == nil {
		t.Error("NewSender = nil error, want one")
	}
	c, err := ews.New(at, creds, &ews.Options{Mailbox: ann})
	if err != nil {
		t.Fatalf("New with the address as an option: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestAuthUserSends: what is sent goes out of the User's mailbox.
func TestAuthUserSends(t *testing.T) {
	b, _ := newSender(t)
	at := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: b.server.Dial}
	s, err := ews.NewSender(at, session.Credentials{User: ann, AuthUser: `EXAMPLE\ann`, Password: password()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	receipt, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{bob}}, message.Bytes([]byte(invoice)))
	if err != nil || receipt.Outcome != session.Accepted || b.inbox(t, ann, "Sent") != 1 {
		t.Errorf("Send = %+v, %v, with %d copies; want accepted, and one copy", receipt, err, b.inbox(t, ann, "Sent"))
	}
}

// TestAuthUserIsDiscovered: Autodiscover takes the same name.
func TestAuthUserIsDiscovered(t *testing.T) {
	for _, scheme := range []string{ewstest.Basic, ewstest.NTLM} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWeb(t)
				w.exchange(auto, ewstest.Options{Schemes: []string{scheme}, NoAutodiscover: only(ewstest.DiscoverPOX), ExternalURL: atMail})
				o := w.options()
				o.Hosts, o.Credentials = []string{mail}, session.Credentials{User: "nobody@contoso.example", AuthUser: `CONTOSO\ann`, Password: password()}
				if found, err := ews.Discover(t.Context(), mailbox, o); err != nil || found.URL != atMail {
					t.Errorf("Discover = %+v, %v; want %s", found, err, atMail)
				}
			})
		})
	}
}
