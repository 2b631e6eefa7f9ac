package ews_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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

// TestWaysToSignIn: the password goes by Basic at once, by NTLM where the server
// wants that, or as the settings say; the mailbox opens.
func TestWaysToSignIn(t *testing.T) {
	for name, tt := range map[string]struct {
		offered, wanted []string
		user            string
		uses            string // the scheme of the last request, empty for none
	}{
		"Basic":                     {[]string{ewstest.Basic}, nil, ann, "Basic"},
		"Basic ahead of NTLM":       {[]string{ewstest.NTLM, ewstest.Basic}, nil, ann, "Basic"},
		"NTLM alone":                {[]string{ewstest.NTLM}, nil, ann, ""},
		"NTLM as asked for":         {[]string{ewstest.NTLM, ewstest.Basic}, []string{ews.NTLM}, ann, ""},
		"NTLM for a domain's user":  {[]string{ewstest.NTLM}, nil, `EXAMPLE\ann`, ""},
		"Basic for a domain's user": {[]string{ewstest.Basic}, nil, `EXAMPLE\ann`, "Basic"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{
					server: ewstest.Options{Schemes: tt.offered},
					creds:  session.Credentials{User: tt.user},
					change: func(s *session.Server) { s.Mechanisms = tt.wanted },
				})
				b.fill(t, 2)
				subjects, _, err := b.list(t.Context(), session.Query{OldestFirst: true})
				if err != nil || !slices.Equal(subjects, []string{"Sample 1", "Sample 2"}) {
					t.Fatalf("Messages = %q, %v; want two", subjects, err)
				}
				all := b.server.Requests()
				scheme, _, _ := strings.Cut(all[len(all)-1].Header.Get("Authorization"), " ")
				if scheme != tt.uses || all[len(all)-1].User != ann {
					t.Errorf("the last request was signed in by %q as %q, want %q as %q", scheme, all[len(all)-1].User, tt.uses, ann)
				}
				if made, _ := b.server.Connections(); made != 1 {
					t.Errorf("%d connections were made, want 1", made)
				}
			})
		})
	}
}

// TestPasswordsAreNotSentInTheOpen: neither by Basic nor by NTLM.
func TestPasswordsAreNotSentInTheOpen(t *testing.T) {
	b := newBed(t, settings{change: func(s *session.Server) { s.AllowPlainAuth = false }})
	_, _, err := b.list(t.Context(), session.Query{})
	if err == nil || !strings.Contains(err.Error(), "not encrypted") || len(b.server.Requests()) != 0 {
		t.Errorf("Messages over plain HTTP = %v after %d requests; want that nothing was sent", err, len(b.server.Requests()))
	}
}

// TestTokens: a token that the server refuses is replaced once, also in the midst of
// things, and a second one that is refused is an AuthError.
func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := "horse-2"
		tokens := &renewing{}
		b := newBed(t, settings{
			server: ewstest.Options{CheckToken: func(_ context.Context, _ string, token secret.Text) error {
				if token.Reveal() != good {
					return mailtest.ErrSignIn
				}
				return nil
			}},
			creds: session.Credentials{User: ann, Tokens: oauth.AnyResource(tokens)},
		})
		b.fill(t, 1)
		_, ids, err := b.list(t.Context(), session.Query{})
		if err != nil || len(ids) != 1 || tokens.n != 1 {
			t.Fatalf("Messages with a stale token = %v, %v after %d renewals; want one message after one", ids, err, tokens.n)
		}
		good = "horse-3"
		results, err := b.Apply(t.Context(), session.Change{MoveTo: session.Archive}, ids[0])
		if err != nil || results[0].Outcome != session.Done || tokens.n != 2 {
			t.Fatalf("Apply when the token has ended = %+v, %v after %d renewals; want done after two", results, err, tokens.n)
		}
		good = "none"
		_, _, err = b.list(t.Context(), session.Query{})
		if e, ok := errors.AsType[*session.AuthError](err); !ok || e.Mechanism != ews.Bearer || e.Remedy == "" || !session.NeedsSignIn(err) || strings.Contains(err.Error(), "horse") {
			t.Errorf("Messages with tokens that are refused: %v; want an AuthError", err)
		}
	})
}

// TestOtherMailboxes: by impersonation and as a shared one, whose folders and ids are
// its own.
func TestOtherMailboxes(t *testing.T) {
	const support = "support@example.com"
	for name, o := range map[string]struct {
		client  ews.Options
		mailbox string
	}{
		"shared":       {ews.Options{Mailbox: support}, ann},
		"impersonated": {ews.Options{Impersonate: &ews.ConnectingID{PrimarySMTPAddress: support}}, support},
		"by SMTP":      {ews.Options{Impersonate: &ews.ConnectingID{SMTPAddress: support}}, support},
		"by name":      {ews.Options{Impersonate: &ews.ConnectingID{PrincipalName: support}}, support},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{
					server: ewstest.Options{Impersonate: func(user, target string) bool { return user == ann && target == support }},
					client: o.client,
				})
				other := b.box.Add(support, secret.New("another horse"))
				if err := other.Share("INBOX", ann); err != nil {
					t.Fatal(err)
				}
				if _, err := other.Append("INBOX", mailtest.Sample(7), nil); err != nil {
					t.Fatal(err)
				}
				b.fill(t, 1)
				subjects, ids, err := b.list(t.Context(), session.Query{})
				if err != nil || !slices.Equal(subjects, []string{"Sample 7"}) {
					t.Fatalf("Messages = %q, %v; want those of the other mailbox", subjects, err)
				}
				last := b.server.Requests()[len(b.server.Requests())-1]
				if last.Header.Get("X-Anchormailbox") != support {
					t.Errorf("X-AnchorMailbox is %q, want the mailbox", last.Header.Get("X-Anchormailbox"))
				}
				own := newBed(t, settings{})
				if _, err := own.Open(t.Context(), ids[0]); !errors.Is(err, session.ErrOtherMailbox) {
					t.Errorf("Open with an id of the other mailbox: %v, want ErrOtherMailbox", err)
				}
			})
		})
	}
}

// TestImpersonationHasOneName: what the settings say has to be unambiguous.
func TestImpersonationHasOneName(t *testing.T) {
	for _, id := range []*ews.ConnectingID{{}, {SID: "S-1-5-21", PrincipalName: ann}} {
		_, err := ews.New(session.Server{Host: "mail.example.com"}, session.Credentials{User: ann}, &ews.Options{Impersonate: id})
		if err == nil {
			t.Errorf("New with %+v: no error", id)
		}
	}
}

// TestRetriesThatDoNotExist: a number in the place of a setting is refused by its name.
func TestRetriesThatDoNotExist(t *testing.T) {
	for _, on := range []oauth.RetryOn{-1, 17} {
		_, err := ews.New(session.Server{Host: "mail.example.com"}, session.Credentials{User: ann}, &ews.Options{Retry: oauth.Retry{On: on}})
		if want := fmt.Sprintf("Retry.On is %d", on); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %q", err, want)
		}
	}
}

// TestPrograms: a program that signs in by itself acts for a mailbox, also where
// nobody says so.
func TestPrograms(t *testing.T) {
	app, err := oauth.External(nil, oauth.FromFunc(func(context.Context, string) (*oauth.Token, error) {
		return &oauth.Token{AccessToken: secret.New("app horse")}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	b := newBed(t, settings{
		server: ewstest.Options{
			Application: func(token secret.Text) bool { return token.Reveal() == "app horse" },
			CheckToken:  func(context.Context, string, secret.Text) error { return nil },
		},
		creds: session.Credentials{User: ann, Tokens: app},
	})
	b.fill(t, 1)
	subjects, _, err := b.list(t.Context(), session.Query{})
	all := b.server.Requests()
	if err != nil || len(subjects) != 1 || all[len(all)-1].Mailbox != ann {
		t.Errorf("Messages = %q, %v, for %q; want those of %s", subjects, err, all[len(all)-1].Mailbox, ann)
	}
}

// wearing puts a field of its own into requests, as what signs in by Kerberos does.
type wearing struct{ base http.RoundTripper }

func (w wearing) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.SetBasicAuth(ann, password().Reveal())
	return w.base.RoundTrip(req)
}

// TestWhatSignsInIsTheProgramsOwn: Options.Authenticate takes the place of the
// credentials, also for a message that is sent in pieces.
func TestWhatSignsInIsTheProgramsOwn(t *testing.T) {
	b := newBed(t, settings{
		client: ews.Options{Authenticate: func(base http.RoundTripper) http.RoundTripper { return wearing{base} }},
		creds:  session.Credentials{User: ann, Password: secret.New("no horse")},
	})
	id, err := b.Append(t.Context(), session.Inbox, message.Bytes([]byte(mailtest.Sample(1))), nil)
	if err != nil || id.IsZero() {
		t.Fatalf("Append = %v, %v", id, err)
	}
	if subjects, _, err := b.list(t.Context(), session.Query{}); err != nil || len(subjects) != 1 {
		t.Errorf("Messages = %q, %v; want what was appended", subjects, err)
	}
}

// TestUploadsByNTLM: a message that is sent by NTLM is not kept in memory, and comes
// whole where the server wants every request to be signed in.
func TestUploadsByNTLM(t *testing.T) {
	b := newBed(t, settings{server: ewstest.Options{Schemes: []string{ewstest.NTLM}}})
	raw := mailtest.Sample(1) + strings.Repeat("the same line\r\n", 20_000)
	opened := 0
	id, err := b.Append(t.Context(), session.Inbox, counted{message.Bytes([]byte(raw)), &opened}, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := b.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil || string(got) != raw {
		t.Errorf("the message has %d bytes, %v; want %d", len(got), err, len(raw))
	}
	if opened > 3 {
		t.Errorf("the message was opened %d times", opened)
	}
}

// counted counts how often a message is opened.
type counted struct {
	message.Source

	opened *int
}

func (c counted) Open() (io.ReadCloser, error) {
	*c.opened++
	return c.Source.Open()
}
