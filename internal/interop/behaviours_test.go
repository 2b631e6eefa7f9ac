//go:build interop

package interop_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
)

// behaviour is something that a program does, and what it comes to in words of no
// server.
type behaviour struct {
	name string
	run  func(b *behaving) string
}

// behaving is a session at one of the servers. Every behaviour finds what those
// before it left.
type behaving struct {
	testing.TB

	s *session.Session
}

// specimens are messages whose text no server has to decode.
func specimens() []string {
	bodies := []string{"pizza or pasta", "grüße aus köln", "the zebra", "pasta, with basil"}
	all := make([]string, 0, len(bodies)+1)
	for i, text := range bodies {
		all = append(all, mailtest.CRLF(fmt.Sprintf("From: Ann %d <ann%d@example.com>\nTo: bob@example.org\nCc: carol%d@example.net\nSubject: Lunch %d\n"+
			"Message-ID: <specimen-%d@example.org>\nX-Number: n%d\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n%s\n", i+1, i+1, i+1, i+1, i+1, i+1, text)))
	}
	return append(all, mailtest.CRLF("From: dave@example.com\nTo: ann@example.com\nSubject: contract\nMessage-ID: <specimen-5@example.org>\nMIME-Version: 1.0\n"+
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nsee the enclosed\n--b\nContent-Type: application/pdf\n"+
		"Content-Disposition: attachment; filename=contract.pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0xLjQK\n--b--\n"))
}

func (b *behaving) list(q session.Query) []*session.Message {
	b.Helper()
	all, err := b.listed(q)
	if err != nil {
		b.Fatalf("Messages(%v): %v", q.Where, err)
	}
	return all
}

func (b *behaving) listed(q session.Query) (all []*session.Message, err error) {
	b.Helper()
	q.OldestFirst = true
	for m, err := range b.s.Messages(b.Context(), q) {
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (b *behaving) id(n int) session.ID {
	b.Helper()
	for _, m := range b.list(session.Query{}) {
		if m.Header.MessageID() == fmt.Sprintf("specimen-%d@example.org", n) {
			return m.ID
		}
	}
	b.Fatalf("message %d is not in the inbox", n)
	return session.ID{}
}

// shown names the messages of a folder with their flags.
func (b *behaving) shown(folder session.FolderRef, where session.Filter) string {
	b.Helper()
	all, err := b.listed(session.Query{Folder: folder, Where: where})
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, m := range all {
		flags := slices.DeleteFunc(slices.Sorted(slices.Values(m.Flags)), func(f session.Flag) bool { return f == `\Recent` })
		words = append(words, fmt.Sprint(strings.TrimSuffix(strings.TrimPrefix(m.Header.MessageID(), "specimen-"), "@example.org"), flags))
	}
	return strings.Join(words, " ")
}

func (b *behaving) apply(c session.Change, numbers ...int) string {
	b.Helper()
	var ids []session.ID
	for _, n := range numbers {
		ids = append(ids, b.id(n))
	}
	results, err := b.s.Apply(b.Context(), c, ids...)
	told := fmt.Sprintf("%v new %t", outcomes(results), len(results) > 0 && !results[0].NewID.IsZero())
	return fmt.Sprintf("%s, %v; inbox %s; archive %s", told, err, b.shown(session.Inbox, session.Filter{}), b.shown(session.Archive, session.Filter{}))
}

func content(r io.Reader, err error) string {
	if err != nil {
		return fmt.Sprintf("no part: %t", errors.Is(err, session.ErrNoPart))
	}
	text, err := io.ReadAll(r)
	return fmt.Sprintf("%q, %v", text, err)
}

// behaviours are compared between servers.
func behaviours() []behaviour {
	return slices.Concat([]behaviour{
		{"append", func(b *behaving) string {
			zone := time.FixedZone("", 5*3600+1800)
			var told []string
			for i, raw := range specimens() {
				flags := []session.Flags{nil, {session.Seen}, {session.Flagged, "$Work"}, {session.Answered}, {session.Draft}}[i]
				id, err := b.s.Append(b.Context(), "", message.Bytes([]byte(raw)), &session.AppendOptions{Flags: flags, Received: time.Date(2024, 3, i+1, 12, 0, 0, 0, zone)})
				told = append(told, fmt.Sprintf("%t %v", id.IsZero(), err))
			}
			return strings.Join(told, ", ")
		}},
		{"list", func(b *behaving) string {
			var told []string
			for _, m := range b.list(session.Query{}) {
				told = append(told, fmt.Sprint(m.Header.Subject(), m.Header.Text("From"), m.Size, m.Received.Unix(), m.Unread()))
			}
			return strings.Join(told, "; ")
		}},
	}, searching(), []behaviour{
		{"set and clear flags", func(b *behaving) string {
			return b.apply(session.Change{Set: session.Flags{session.Seen, "Later"}, Clear: session.Flags{session.Flagged}}, 1, 3)
		}},
		{"copy", func(b *behaving) string { return b.apply(session.Change{CopyTo: session.Archive}, 2, 4) }},
		{"move", func(b *behaving) string { return b.apply(session.Change{MoveTo: session.Archive}, 1) }},
		{"bodies", func(b *behaving) string {
			var told []string
			for body, err := range b.s.Bodies(b.Context(), b.id(2), b.id(3), b.id(5)) {
				told = append(told, content(body, err))
			}
			return strings.Join(slices.Sorted(slices.Values(told)), "; ")
		}},
		{"parts", func(b *behaving) string {
			var told []string
			for _, number := range []string{"1", "2"} {
				p, err := b.s.OpenPart(b.Context(), b.id(5), number)
				told = append(told, content(p, err))
				if err == nil {
					told = append(told, p.ContentType+" "+p.Name)
					_ = p.Close()
				}
			}
			return strings.Join(told, "; ")
		}},
		{"ranges", func(b *behaving) string {
			r, err := b.s.OpenRange(b.Context(), b.id(2), 20, 100)
			if err == nil {
				defer r.Close()
			}
			return content(r, err)
		}},
		{"count", func(b *behaving) string {
			c, err := b.s.Count(b.Context(), session.Inbox)
			return fmt.Sprint(c.Messages, c.Unread, err)
		}},
		{"delete", func(b *behaving) string { return b.apply(session.Change{Delete: true}, 4) }},
		{"purge", func(b *behaving) string {
			told := b.apply(session.Change{Set: session.Flags{session.Deleted}}, 2)
			results, err := b.s.PurgeMarked(b.Context(), session.Inbox)
			return fmt.Sprintf("%s; %v, %v; %s", told, outcomes(results), err, b.shown(session.Inbox, session.Filter{}))
		}},
		{"folders", func(b *behaving) string {
			return fmt.Sprint(b.s.CreateFolder(b.Context(), "Grüße/Köln"), b.shown(session.FolderAt("Grüße/Köln"), session.Filter{}),
				b.s.RenameFolder(b.Context(), session.FolderAt("Grüße/Köln"), "注意"), b.shown(session.FolderAt("注意"), session.Filter{}),
				b.s.DeleteFolder(b.Context(), session.FolderAt("注意")))
		}},
	})
}

// searching asks for each word of a filter.
func searching() []behaviour {
	var all []behaviour
	for _, text := range []string{
		"from:ann2", "from:ANN", "to:bob", "cc:carol3", "subject:lunch", `subject:"lunch 4"`, "body:pasta", "body:grüße", "body:KÖLN", "body:zebra", "text:n3", "text:köln",
		"header:X-Number", "header:x-number=N2", "is:unread", "is:read", "is:flagged", "-is:flagged", "is:answered", "is:draft", "is:deleted", "keyword:$Work", "-keyword:$Work",
		"since:2024-03-02T06:30:00Z", "since:2024-03-02T06:30:01Z", "before:2024-03-02T06:30:00Z", "larger:250", "smaller:250", "has:attachment", "-has:attachment",
		"from:ann1 OR from:ann3", "-from:ann", "subject:lunch body:pasta", "from:nobody",
	} {
		all = append(all, behaviour{text, func(b *behaving) string {
			f, err := session.ParseFilter(text)
			if err != nil {
				b.Fatal(err)
			}
			return b.shown("", f)
		}})
	}
	return all
}

// TestSameOnEveryServer: a program sees the same at the fake server, at Dovecot and
// at hoodiecrow, whatever each of them leaves to be done here.
func TestSameOnEveryServer(t *testing.T) {
	t.Parallel()
	dovecot := startServers(t, nil)
	hoodiecrow := startHoodiecrow(t, 1)
	box := mailtest.New()
	user := interop.User{Address: ann, Password: userOf(t, dovecot, ann).Password}
	box.Add(user.Address, user.Password)
	fake := imaptest.New(box, nil)
	t.Cleanup(func() { _ = fake.Close() })
	servers := map[string]*sessiontest.Incoming{
		"imaptest":   conformingAt(t, fake.Addr(), user),
		"Dovecot":    conformingAt(t, dovecot.IMAP, userOf(t, dovecot, ann)),
		"hoodiecrow": conformingAt(t, hoodiecrow.Addresses[0], hoodiecrow.User),
	}
	compare(t, servers, behaviours(), map[string]string{
		"hoodiecrow: body:KÖLN": "it folds the case of ASCII letters alone, which RFC 9051 section 6.4.4 leaves to it",
	})
}

// gmailBehaviours are about labels and names of messages.
func gmailBehaviours() []behaviour {
	labels := func(b *behaving) string {
		var told []string
		for _, m := range b.list(session.Query{Fields: session.FieldLabels}) {
			own := slices.DeleteFunc(m.Labels, func(l string) bool { return strings.HasPrefix(l, `\`) }) // hoodiecrow joins these with no folder and no flag
			told = append(told, fmt.Sprintf("%q", slices.Sorted(slices.Values(own))))
		}
		return strings.Join(told, " ")
	}
	change := func(c session.Change, numbers ...int) func(b *behaving) string {
		return func(b *behaving) string {
			told := b.apply(c, numbers...)
			return told + "; " + labels(b)
		}
	}
	return []behaviour{
		behaviours()[0], // append
		{"facts", func(b *behaving) string {
			f, err := b.s.Facts(b.Context())
			return fmt.Sprint(f.Labels, f.Native, f.ObjectIDs, err)
		}},
		{"no labels", labels},
		{"add labels", change(session.Change{AddLabels: []string{"Work", "Grüße & Küsse", "two words"}}, 1, 2)},
		{"add and remove labels", change(session.Change{AddLabels: []string{"注意"}, RemoveLabels: []string{"Work", "nothing"}}, 2, 3)},
		{"labels and flags", change(session.Change{Set: session.Flags{session.Seen}, RemoveLabels: []string{"two words"}}, 1)},
		{"names of messages", func(b *behaving) string {
			names := map[string]bool{}
			q := session.Query{Fields: session.FieldIDs}
			first := b.list(q)
			for i, m := range b.list(q) {
				n, err := strconv.ParseUint(m.EmailID, 10, 64)
				_, err2 := strconv.ParseUint(m.ThreadID, 10, 64)
				names[m.EmailID] = n > 1<<53 && err == nil && err2 == nil && m.EmailID == first[i].EmailID
			}
			return fmt.Sprint(len(names), slices.Collect(maps.Values(names)))
		}},
	}
}

// TestSameLabelsOnEveryServer: labels and names of messages are the same at the fake
// server and at hoodiecrow.
func TestSameLabelsOnEveryServer(t *testing.T) {
	t.Parallel()
	hoodiecrow := startHoodiecrow(t, 1)
	box := mailtest.New()
	box.Add(hoodiecrow.User.Address, hoodiecrow.User.Password).UseLabels()
	fake := imaptest.New(box, &imaptest.Options{Capabilities: imaptest.GmailCapabilities()})
	t.Cleanup(func() { _ = fake.Close() })
	compare(t, map[string]*sessiontest.Incoming{
		"imaptest":   conformingAt(t, fake.Addr(), hoodiecrow.User),
		"hoodiecrow": conformingAt(t, hoodiecrow.Addresses[0], hoodiecrow.User),
	}, gmailBehaviours(), nil)
}

// compare does everything at each server, and compares what it comes to with the
// fake. What differs by a server's own doing is named with the reason, and has to.
func compare(t *testing.T, servers map[string]*sessiontest.Incoming, all []behaviour, differ map[string]string) {
	t.Helper()
	told := map[string]map[string]string{}
	for name, server := range servers {
		s, err := session.New(server.Credentials, server.Backend(nil), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		told[name] = map[string]string{}
		for _, doing := range all {
			told[name][doing.name] = doing.run(&behaving{TB: t, s: s})
		}
	}
	for _, doing := range all {
		want := told["imaptest"][doing.name]
		t.Logf("%-28s %s", doing.name, strings.ReplaceAll(want, "\r\n", " "))
		for name := range servers {
			why := differ[name+": "+doing.name]
			if why != "" {
				t.Logf("%s differs: %s", name, why)
			}
			if got := told[name][doing.name]; (got != want) != (why != "") {
				t.Errorf("%s: %s comes to\n%s\nand at the fake to\n%s", doing.name, name, got, want)
			}
		}
	}
}
