package sessiontest_test

import (
	"testing"

	"github.com/mailsession/mailsession/internal/racing"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
)

const (
	ann      = "ann@example.com"
	password = "correct horse battery"
)

func creds() session.Credentials {
	return session.Credentials{User: ann, Password: secret.New(password)}
}

// way returns the way in of a reference server with these facts.
func way(facts session.Facts) func(tb testing.TB) *sessiontest.Incoming {
	return func(testing.TB) *sessiontest.Incoming {
		server := &sessiontest.Reference{Box: mailtest.New(), Facts: facts}
		return &sessiontest.Incoming{
			Credentials: creds(),
			Mailbox:     sessiontest.Account(server.Box.Add(ann, secret.New(password))),
			Dial:        server.Dial,
			Backend:     server.Incoming,
			Spoil:       sessiontest.SpoilReference,
			TooLarge:    1 << 20,
		}
	}
}

// bare is a way in without any further ability.
type bare struct{ session.Incoming }

// TestReferenceInAlone: what a Session does in the place of further abilities keeps
// the rules too, and what it cannot do is told.
func TestReferenceInAlone(t *testing.T) {
	sessiontest.TestIncoming(t, func(tb testing.TB) *sessiontest.Incoming {
		tb.Helper()
		bed := way(sessiontest.ReferenceFacts())(tb)
		able := bed.Backend
		bed.Backend = func(dial sessiontest.Dial) session.IncomingBackend {
			return func(s session.Setup) (session.Incoming, error) {
				in, err := able(dial)(s)
				return bare{in}, err
			}
		}
		return bed
	}, nil)
}

// TestReferenceIn: the reference backend keeps the rules, whatever it lacks. Under
// the race detector the one that lacks nothing and the one that lacks most do.
func TestReferenceIn(t *testing.T) {
	all := sessiontest.ReferenceFacts
	lacking := func(change func(*session.Facts)) session.Facts {
		facts := all()
		change(&facts)
		return facts
	}
	for name, facts := range map[string]session.Facts{
		"everything": all(),
		"one folder": lacking(func(f *session.Facts) { f.OneFolder = true }),
		"no flags":   lacking(func(f *session.Facts) { f.NoFlags, f.Keywords, f.FreeKeywords = true, false, false }),
		"one folder and no flags": lacking(func(f *session.Facts) {
			f.OneFolder, f.NoFlags, f.Keywords, f.FreeKeywords, f.SafeMove, f.NewIDs = true, true, false, false, false, false
		}),
		"a quota":                      lacking(func(f *session.Facts) { f.Quota = true }),
		"no keywords, no new ids":      lacking(func(f *session.Facts) { f.Keywords, f.FreeKeywords, f.NewIDs = false, false, false }),
		"keywords without blanks":      lacking(func(f *session.Facts) { f.FreeKeywords = false }),
		"no place of what is gone":     lacking(func(f *session.Facts) { f.AfterGone = false }),
		"no versions, names or labels": lacking(func(f *session.Facts) { f.Versions, f.ObjectIDs, f.Labels, f.Native = false, false, false, "" }),
		"nothing that removes safely":  lacking(func(f *session.Facts) { f.SafeMove, f.SafeDelete = false, false }),
	} {
		if racing.Enabled && name != "everything" && name != "one folder and no flags" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			sessiontest.TestIncoming(t, way(facts), &sessiontest.Options{Brief: name != "everything"})
		})
	}
}

// post returns the way out of a reference server.
func post(testing.TB) *sessiontest.Outgoing {
	server := &sessiontest.Reference{Box: mailtest.New(), Facts: sessiontest.ReferenceFacts()}
	to := []string{ann, "bob@example.com", "carol@example.com"}
	for _, address := range to {
		server.Box.Add(address, secret.New(password))
	}
	return &sessiontest.Outgoing{
		Credentials: creds(),
		Dial:        server.Dial,
		Backend:     server.Outgoing,
		From:        ann,
		To:          to,
		Refused:     "nobody@example.com",
		TooLarge:    2 << 20,
		Arrived:     sessiontest.Inboxes(server.Box),
	}
}

// TestReferenceOut: so does its way out.
func TestReferenceOut(t *testing.T) { sessiontest.TestOutgoing(t, post, nil) }

// TestReferenceInRealTime: the suites do without virtual time too.
func TestReferenceInRealTime(t *testing.T) {
	realTime := &sessiontest.Options{RealTime: true}
	t.Run("in", func(t *testing.T) { sessiontest.TestIncoming(t, way(sessiontest.ReferenceFacts()), realTime) })
	t.Run("out", func(t *testing.T) { sessiontest.TestOutgoing(t, post, realTime) })
}
