package imapx_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// abilities are servers that keep more or less of a folder's history.
func abilities() map[string]*imaptest.Options {
	return map[string]*imaptest.Options{
		"QRESYNC":                     nil,
		"QRESYNC without ESEARCH":     {Capabilities: imaptest.Without("ESEARCH")},
		"CONDSTORE":                   {Capabilities: imaptest.Without("QRESYNC")},
		"QRESYNC that is not enabled": {Capabilities: imaptest.Without("ENABLE")},
		"neither":                     {Capabilities: imaptest.Without("QRESYNC", "CONDSTORE")},
		"NOMODSEQ":                    {NoModSeq: []string{"INBOX"}},
	}
}

// copyOf is what a program knows of a folder that was told of nothing but
// changes.
type copyOf struct {
	*testing.T

	messages map[session.ID]string // flags
	cursor   session.Cursor
	resets   int
}

func newCopy(t *testing.T) *copyOf {
	t.Helper()
	return &copyOf{T: t, messages: map[session.ID]string{}}
}

func flagWords(flags session.Flags) string {
	words := make([]string, 0, len(flags))
	for _, f := range flags {
		words = append(words, string(f))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// take applies a page. Nothing may come twice.
func (c *copyOf) take(page session.Changes) {
	c.Helper()
	if page.Reset {
		c.resets++
		clear(c.messages)
	}
	for _, m := range page.Added {
		if _, known := c.messages[m.ID]; known {
			c.Errorf("%v was added twice", m.ID)
		}
		c.messages[m.ID] = flagWords(m.Flags)
	}
	for _, m := range page.Changed {
		if _, known := c.messages[m.ID]; !known {
			c.Errorf("%v changed, which was not added", m.ID)
		}
		c.messages[m.ID] = flagWords(m.Flags)
	}
	for _, id := range page.Removed {
		if _, known := c.messages[id]; !known {
			c.Errorf("%v was removed, which was not there", id)
		}
		delete(c.messages, id)
	}
	c.cursor = page.Cursor
}

// pull takes pages of a size until there is none left, or as many as it may.
func (c *copyOf) pull(client session.Syncer, size, pages int) {
	c.Helper()
	var text session.Cursor // which survives a restart
	if err := text.UnmarshalText([]byte(c.cursor.String())); err != nil {
		c.Fatal(err)
	}
	for page, err := range client.Changes(c.Context(), session.Inbox, text, session.SyncOptions{PageSize: size}) {
		if errors.Is(err, session.ErrCursorExpired) {
			continue
		}
		if err != nil {
			c.Fatalf("Changes: %v", err)
		}
		if n := len(page.Added) + len(page.Changed) + len(page.Removed) + len(page.Failed); n > size {
			c.Errorf("a page of %d, want at most %d", n, size)
		}
		c.take(page)
		if pages--; pages == 0 {
			return
		}
	}
}

// compare holds the copy against the folder.
func (c *copyOf) compare(account *mailtest.Account, scope session.ID) {
	c.Helper()
	messages, err := account.Messages("INBOX")
	if err != nil {
		c.Fatal(err)
	}
	want := map[session.ID]string{}
	for i := range messages {
		m := &messages[i]
		flags := make(session.Flags, 0, len(m.Flags))
		for _, f := range m.Flags {
			flags = append(flags, session.Flag(f))
		}
		want[withUID(c.T, scope, uint32(m.UID))] = flagWords(flags)
	}
	if !maps.Equal(c.messages, want) {
		c.Errorf("the copy is\n%v\nand the folder\n%v", c.messages, want)
	}
}

// withUID returns the id of another message of the same folder.
func withUID(t *testing.T, scope session.ID, uid uint32) session.ID {
	t.Helper()
	parts, err := scope.Parts()
	if err != nil {
		t.Fatal(err)
	}
	parts.Key = strconv.FormatUint(uint64(uid), 10)
	return session.NewID(parts)
}

// TestChangesFollowAFolder: whatever happens to a folder, and wherever a program
// stops between pages and begins again, what it was told comes to what the folder
// is like, with nothing told twice.
func TestChangesFollowAFolder(t *testing.T) {
	for name, options := range abilities() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 30, options)
			c := newCopy(t)
			c.pull(w.client, 7, 0)
			if len(c.messages) != 30 {
				t.Fatalf("%d messages after the first time, want 30", len(c.messages))
			}
			scope := slices.Collect(maps.Keys(c.messages))[0]
			chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
			for round := range 60 {
				for range chance.IntN(6) {
					disturb(t, w.account, chance)
				}
				c.pull(w.client, 1+chance.IntN(4), chance.IntN(3)) // 0 is to the end
				if round%5 == 0 {
					c.pull(w.client, 3, 0)
					c.compare(w.account, scope)
				}
			}
			c.pull(w.client, 100, 0)
			c.compare(w.account, scope)
			if c.resets > 0 {
				t.Errorf("the folder was read anew %d times", c.resets)
			}
		})
	}
}

// disturb does to the inbox what others do.
func disturb(t *testing.T, a *mailtest.Account, chance *rand.Rand) {
	t.Helper()
	messages, err := a.Messages("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	what := chance.IntN(4)
	if len(messages) == 0 {
		what = 0
	}
	switch what {
	case 0:
		_, err = a.Append("INBOX", mailtest.Sample(chance.IntN(100)), nil)
	case 1:
		_, err = a.Expunge("INBOX", messages[chance.IntN(len(messages))].UID)
	case 2:
		err = a.AddFlags("INBOX", []string{[]string{mailtest.Seen, "$Work"}[chance.IntN(2)]}, messages[chance.IntN(len(messages))].UID)
	case 3:
		err = a.RemoveFlags("INBOX", []string{mailtest.Seen}, messages[chance.IntN(len(messages))].UID)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestChangesOfNothing: where nothing happened, one question is enough, unless
// the server counts no changes.
func TestChangesOfNothing(t *testing.T) {
	for name, want := range map[string]string{
		"QRESYNC": "SELECT", "CONDSTORE": "SELECT", "neither": "SELECT UID FETCH", "NOMODSEQ": "SELECT UID FETCH",
	} {
		w := newWorld(t, 5, abilities()[name])
		c := newCopy(t)
		c.pull(w.client, 10, 0)
		before := len(w.server.Commands())
		c.pull(w.client, 10, 0)
		if got := strings.Join(w.names(before), " "); got != want {
			t.Errorf("%s: the commands are %s, want %s", name, got, want)
		}
	}
}

// TestServersThatTellOfEveryMessage, whatever they are asked for, are not believed
// about those that their own counters show to be as they were.
func TestServersThatTellOfEveryMessage(t *testing.T) {
	for _, name := range []string{"QRESYNC", "CONDSTORE"} {
		w := newWorld(t, 5, abilities()[name])
		c := newCopy(t)
		c.pull(w.client, 10, 0)
		if err := w.account.AddFlags("INBOX", []string{mailtest.Flagged}, 2); err != nil {
			t.Fatal(err)
		}
		w.server.Inject(mailtest.Before("UID FETCH", "* 1 FETCH (UID 1 FLAGS () MODSEQ (1))\r\n* 4 FETCH (UID 4 FLAGS () MODSEQ (4))\r\n"))
		for page, err := range w.client.Changes(t.Context(), session.Inbox, c.cursor, session.SyncOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Changed) != 1 || !page.Changed[0].Flags.Has(session.Flagged) {
				t.Errorf("%s: %d messages changed, want the second alone", name, len(page.Changed))
			}
		}
		if w.server.Pending() > 0 {
			t.Errorf("%s: the server was not asked", name)
		}
	}
}

func TestCursorSkipsWhatIsThere(t *testing.T) {
	for name, options := range abilities() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 5, options)
			now, err := w.client.Cursor(t.Context(), session.Inbox)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.account.Append("INBOX", mailtest.Sample(6), nil); err != nil {
				t.Fatal(err)
			}
			if err := w.account.AddFlags("INBOX", []string{mailtest.Flagged}, 2); err != nil {
				t.Fatal(err)
			}
			if _, err := w.account.Expunge("INBOX", 3); err != nil {
				t.Fatal(err)
			}
			n := 0
			for page, err := range w.client.Changes(t.Context(), session.Inbox, now, session.SyncOptions{}) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; len(page.Added) != 1 || page.Added[0].Header.Subject() != "Sample 6" || page.More || page.Reset {
					t.Errorf("a page with %+v added, want the new message alone", page.Added)
				}
				if len(page.Changed) != 1 || !page.Changed[0].Flags.Has(session.Flagged) || len(page.Removed) != 1 {
					t.Errorf("%d changed and %d removed, want one each", len(page.Changed), len(page.Removed))
				}
			}
			if n != 1 {
				t.Errorf("%d pages, want 1", n)
			}
		})
	}
}

// TestARenumberedFolder: the cursor has expired, and a loop that goes on gets the
// folder anew.
func TestARenumberedFolder(t *testing.T) {
	for name, options := range abilities() {
		w := newWorld(t, 12, options)
		c := newCopy(t)
		c.pull(w.client, 10, 0)
		if err := w.account.BumpUIDValidity("INBOX"); err != nil {
			t.Fatal(err)
		}
		var told []string
		for page, err := range w.client.Changes(t.Context(), session.Inbox, c.cursor, session.SyncOptions{PageSize: 10}) {
			switch {
			case errors.Is(err, session.ErrCursorExpired):
				told = append(told, "expired")
			case err != nil:
				t.Fatal(err)
			default:
				told = append(told, fmt.Sprintf("%d reset=%t", len(page.Added), page.Reset))
			}
		}
		if want := []string{"expired", "10 reset=true", "2 reset=false"}; !slices.Equal(told, want) {
			t.Errorf("%s: told %q, want %q", name, told, want)
		}
	}
}

func TestCursorsOfOthers(t *testing.T) {
	w := newWorld(t, 1, nil)
	now, err := w.client.Cursor(t.Context(), session.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := now.Parts()
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, damaged := parts, parts
	elsewhere.Mailbox, damaged.State = "x", "!"
	for _, tt := range []struct {
		name   string
		folder session.FolderRef
		cursor session.Cursor
		want   error
	}{
		{"another folder", session.Sent, now, session.ErrOtherFolder},
		{"another mailbox", session.Inbox, session.NewCursor(elsewhere), session.ErrOtherMailbox},
		{"damaged", session.Inbox, session.NewCursor(damaged), nil},
		{"no folder", session.FolderAt("Nowhere"), session.Cursor{}, session.ErrNoFolder},
	} {
		n := 0
		for page, err := range w.client.Changes(t.Context(), tt.folder, tt.cursor, session.SyncOptions{}) {
			if n++; err == nil || tt.want != nil && !errors.Is(err, tt.want) || n > 1 {
				t.Errorf("%s: %+v, error %v, want %v alone", tt.name, page, err, tt.want)
			}
		}
	}
}

// TestChangesBetweenSelectAndFetch: what happens while the server is asked is told
// the next time at the latest.
func TestChangesBetweenSelectAndFetch(t *testing.T) {
	for name, options := range abilities() {
		for _, command := range []string{"SELECT", "UID SEARCH", "UID FETCH"} {
			for _, what := range []string{"flag", "expunge", "append", "expunge the new one"} {
				t.Run(name+", "+what+" after "+command, func(t *testing.T) {
					w := newWorld(t, 6, options)
					c := newCopy(t)
					c.pull(w.client, 2, 0)
					scope := slices.Collect(maps.Keys(c.messages))[0]
					meddle := func(what string, uid mailtest.UID) {
						var err error
						switch what {
						case "flag":
							err = w.account.AddFlags("INBOX", []string{mailtest.Seen}, uid)
						case "expunge":
							_, err = w.account.Expunge("INBOX", uid)
						case "expunge the new one":
							_, err = w.account.Expunge("INBOX", 7)
						case "append":
							_, err = w.account.Append("INBOX", mailtest.Sample(9), nil)
						}
						if err != nil {
							t.Error(err)
						}
					}
					meddle("append", 0)
					meddle("flag", 2)
					meddle("expunge", 3)
					w.server.Inject(mailtest.CallAfter(command, 1, func() { meddle(what, 4) }))
					c.pull(w.client, 2, 0)
					c.pull(w.client, 2, 0)
					c.pull(w.client, 2, 0)
					c.compare(w.account, scope)
					if c.resets > 0 {
						t.Error("the folder was read anew")
					}
				})
			}
		}
	}
}

// TestChangesMarkNothing: reading changes leaves the mailbox as it is, and a
// session for reading says so.
func TestChangesMarkNothing(t *testing.T) {
	w := newWorld(t, 3, nil)
	incoming, err := imapx.Backend(session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: w.server.Dial}, nil)(
		session.Setup{Credentials: session.Credentials{User: ann, Password: password()}, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer incoming.Close()
	syncer, ok := session.As[session.Syncer](incoming)
	if !ok {
		t.Fatal("the client tells no changes")
	}
	newCopy(t).pull(syncer, 10, 0)
	for _, name := range w.names(0) {
		if name == "SELECT" || strings.HasSuffix(name, "STORE") {
			t.Errorf("a session for reading says %s", name)
		}
	}
	messages, err := w.account.Messages("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		if len(messages[i].Flags) > 0 {
			t.Errorf("a message has the flags %v", messages[i].Flags)
		}
	}
}

// TestServersThatForget: a mailbox that was restored from an older copy has the
// same UIDVALIDITY, and its change counter stands lower, or has come back to where
// it was without the messages. Nothing that such a server says is right.
func TestServersThatForget(t *testing.T) {
	for _, name := range []string{"QRESYNC", "CONDSTORE"} {
		original := newWorld(t, 9, abilities()[name])
		c := newCopy(t)
		c.pull(original.client, 10, 0)
		for _, tt := range []struct {
			name             string
			messages, stores int
			expired          bool
		}{
			{"the counter went back", 5, 0, true},
			{"the counter came back, messages are missing", 5, 30, name == "QRESYNC"},
		} {
			restored := newWorld(t, tt.messages, abilities()[name])
			for range tt.stores {
				if err := errors.Join(restored.account.AddFlags("INBOX", []string{"$A"}, 1), restored.account.RemoveFlags("INBOX", []string{"$A"}, 1)); err != nil {
					t.Fatal(err)
				}
			}
			for _, err := range restored.client.Changes(t.Context(), session.Inbox, c.cursor, session.SyncOptions{}) {
				if got := errors.Is(err, session.ErrCursorExpired); got != tt.expired {
					t.Errorf("%s, %s: error %v, want expired: %t", name, tt.name, err, tt.expired)
				}
				break
			}
		}
	}
}
