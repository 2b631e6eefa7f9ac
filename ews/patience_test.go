package ews_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestBusy: all three ways in which a server asks for a pause are obeyed to the
// second, by what reads and by what changes, and nothing is done twice.
func TestBusy(t *testing.T) {
	const pause = 40 * time.Second
	for name, busy := range map[string]func(string, time.Duration) mailtest.Fault{
		"fault": ewstest.Busy, "items": ewstest.BusyItems, "503": ewstest.Unavailable,
	} {
		for operation, act := range map[string]func(ctx context.Context, b *bed, id session.ID) error{
			"FindItem": func(ctx context.Context, b *bed, _ session.ID) error {
				_, _, err := b.list(ctx, session.Query{})
				return err
			},
			"GetItem": func(ctx context.Context, b *bed, _ session.ID) error {
				_, _, err := b.list(ctx, session.Query{})
				return err
			},
			"UpdateItem": func(ctx context.Context, b *bed, id session.ID) error {
				return b.one(ctx, session.Change{Set: session.Flags{session.Seen}}, id)
			},
			"MoveItem": func(ctx context.Context, b *bed, id session.ID) error {
				return b.one(ctx, session.Change{MoveTo: session.Archive}, id)
			},
			"DeleteItem": func(ctx context.Context, b *bed, id session.ID) error {
				return b.one(ctx, session.Change{Delete: true}, id)
			},
			"CreateItem": func(ctx context.Context, b *bed, _ session.ID) error {
				_, err := b.Append(ctx, session.Inbox, message.Bytes([]byte(mailtest.Sample(9))), nil)
				return err
			},
			"SyncFolderItems": func(ctx context.Context, b *bed, _ session.ID) error {
				_, err := b.Cursor(ctx, session.Inbox)
				return err
			},
		} {
			t.Run(name+" "+operation, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBed(t, settings{})
					b.fill(t, 2)
					_, ids, err := b.list(t.Context(), session.Query{})
					if err != nil {
						t.Fatal(err)
					}
					b.server.Inject(busy(operation, pause))
					began := time.Now()
					err = act(t.Context(), b, ids[0])
					took := time.Since(began)
					if err != nil || took < pause || took > pause+20*time.Second {
						t.Errorf("after a pause of %v: %v after %v", pause, err, took)
					}
					b.server.Inject(busy(operation, pause))
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					began = time.Now()
					err = act(ctx, b, ids[1])
					if took := time.Since(began); err == nil || took != 0 || !session.Temporary(err) || session.RetryAfter(err) < pause-time.Second {
						t.Errorf("with a second to go: %v after %v (temporary %t, wait %v); want the server's wish at once", err, took, session.Temporary(err), session.RetryAfter(err))
					}
				})
			})
		}
	}
}

// one makes a change to one message.
func (b *bed) one(ctx context.Context, c session.Change, id session.ID) error {
	results, err := b.Apply(ctx, c, id)
	if err == nil && len(results) == 1 {
		err = results[0].Err
	}
	return err
}

// TestRefusals: a 403 of Exchange Online says what it means and what to do, and no
// credentials follow where a server sends elsewhere.
func TestRefusals(t *testing.T) {
	online := func(s *session.Server) { s.Host = "outlook.office365.com" }
	for name, tt := range map[string]struct {
		fault  mailtest.Fault
		change func(s *session.Server)
		words  []string
	}{
		"switched off": {ewstest.Forbidden("GetFolder"), online, []string{"1 October 2026", "1 April 2027", "Graph"}},
		"scope": {
			mailtest.Reply("GetFolder", "HTTP/1.1 403 Forbidden\r\nx-ms-diagnostics: 2000008;reason=\"The token has not enough scope\"\r\n\r\n"), online,
			[]string{"EWS.AccessAsUser.All", "2000008"},
		},
		"on premises": {ewstest.Forbidden("GetFolder"), nil, []string{"EwsEnabled"}},
		"elsewhere":   {mailtest.Reply("GetFolder", "HTTP/1.1 302 Found\r\nLocation: https://evil.example.net/EWS\r\n\r\n"), nil, []string{"evil.example.net", "set it as the server"}},
		"no EWS":      {mailtest.Reply("GetFolder", "404 Not Found"), nil, []string{"Options.Path"}},
		"a page":      {mailtest.Reply("GetFolder", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Sign in"), nil, []string{"not EWS"}},
		"a fault":     {ewstest.FailingWhole("GetFolder", "ErrorNonExistentMailbox"), nil, []string{"ErrorNonExistentMailbox", "primary"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{change: tt.change})
				b.server.Inject(tt.fault)
				_, _, err := b.list(t.Context(), session.Query{})
				e, ok := errors.AsType[*ews.Error](err)
				if !ok || session.Temporary(err) || session.NeedsSignIn(err) {
					t.Fatalf("Messages: %v; want an Error that neither passes nor is about the sign-in", err)
				}
				for _, w := range tt.words {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("the error is %q, want %q in it (%+v)", err, w, e)
					}
				}
			})
		})
	}
}

// TestExpiredState: the history that is gone is told, and then the folder anew.
func TestExpiredState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		b.fill(t, 3)
		cursor, err := b.Cursor(t.Context(), session.Inbox)
		if err != nil {
			t.Fatal(err)
		}
		b.server.ExpireSyncStates()
		n := 0
		for page, err := range b.Changes(t.Context(), session.Inbox, cursor, session.SyncOptions{PageSize: 2}) {
			switch n++; {
			case n == 1 && !errors.Is(err, session.ErrCursorExpired):
				t.Fatalf("the first item is %v, want ErrCursorExpired", err)
			case n > 1 && (err != nil || page.Reset != (n == 2)):
				t.Errorf("item %d: Reset %t, %v; want it on the first page alone", n, page.Reset, err)
			}
		}
		if n != 3 {
			t.Errorf("%d items, want the error and two pages", n)
		}
	})
}

// TestFlags: every flag but \Draft, which Exchange fixes when a message is made.
func TestFlags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		b.fill(t, 1)
		_, ids, err := b.list(t.Context(), session.Query{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []session.Flag{session.Seen, session.Answered, session.Flagged, session.Deleted, "$Work"} {
			for _, on := range []bool{true, true, false, false} {
				change := session.Change{Clear: session.Flags{f}}
				if on {
					change = session.Change{Set: session.Flags{f}}
				}
				if err := b.one(t.Context(), change, ids[0]); err != nil {
					t.Errorf("%s %t: %v", f, on, err)
				}
				for m, err := range b.Messages(t.Context(), session.Query{}) {
					if err != nil || m.Flags.Has(f) != on || len(m.Flags) > 1 {
						t.Errorf("after %s %t the flags are %v, %v", f, on, m, err)
					}
				}
			}
		}
		if err := b.one(t.Context(), session.Change{Set: session.Flags{session.Draft}}, ids[0]); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("setting \\Draft: %v, want ErrUnsupported", err)
		}
		if err := b.one(t.Context(), session.Change{Clear: session.Flags{session.Draft}, Set: session.Flags{session.Seen}}, ids[0]); err != nil {
			t.Errorf("clearing \\Draft where it is not set: %v", err)
		}
	})
}

// TestServersThatRepeatSecrets: neither a fault nor a header that repeats how the
// client signs in comes through.
func TestServersThatRepeatSecrets(t *testing.T) {
	plain := base64.StdEncoding.EncodeToString([]byte(ann + ":" + password().Reveal()))
	for name, fault := range map[string]mailtest.Fault{
		"fault":  ewstest.FailingWhole("FindItem", "ErrorInternalServerError: no "+password().Reveal()+" nor "+plain),
		"item":   ewstest.Failing("FindItem", "ErrorAccessDenied: no "+password().Reveal()+" nor "+plain),
		"header": mailtest.Reply("FindItem", "HTTP/1.1 403 Forbidden\r\nx-ms-diagnostics: "+plain+" "+password().Reveal()+"\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{})
				b.server.Inject(fault)
				_, _, err := b.list(t.Context(), session.Query{})
				if err == nil || strings.Contains(err.Error(), "horse") || strings.Contains(err.Error(), plain) || strings.Count(err.Error(), secret.Redacted) != 2 {
					t.Errorf("the error is %v; want that both are masked", err)
				}
			})
		})
	}
}

// TestBusyWithoutWords: a web server that says that it packs its answers may say so
// where it has none.
func TestBusyWithoutWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		b.fill(t, 1)
		b.server.Inject(mailtest.Reply("FindItem", "HTTP/1.1 503 Service Unavailable\r\nContent-Encoding: gzip\r\nRetry-After: 7\r\n\r\n"))
		since := time.Now()
		subjects, _, err := b.list(t.Context(), session.Query{})
		if len(subjects) != 1 || err != nil || time.Since(since) < 7*time.Second {
			t.Errorf("Messages = %q, %v after %v; want one message after 7 s", subjects, err, time.Since(since))
		}
	})
}
