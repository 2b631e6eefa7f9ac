package sessiontest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// inbox is the path of the folder that every mailbox has.
const inbox = "INBOX"

// many is how many messages a listing has in most tests: several pages.
const many = 25

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// seed puts n samples into the inbox, without flags.
func (r *reading) seed(n int) {
	r.Helper()
	for i := range n {
		r.put(inbox, Stored{Raw: mailtest.Sample(i + 1), Received: arrival(i + 1)})
	}
}

// arrival is when sample n came.
func arrival(n int) time.Time {
	return time.Date(2024, time.March, 1, 9, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Hour)
}

func (r *reading) put(folder string, m Stored) {
	r.Helper()
	if r.NoArrival && !m.Received.IsZero() {
		m.Raw = stamped(m.Received) + m.Raw
	}
	if err := r.Mailbox.Append(folder, m); err != nil {
		r.Fatalf("seed %s: %v", folder, err)
	}
}

// trace begins the field that says when a message came, where the protocol does
// not.
const trace = "Received: by sessiontest; "

func stamped(at time.Time) string { return trace + at.Format(time.RFC1123Z) + "\r\n" }

// unstamped returns a message as it was before it came.
func unstamped(raw []byte) []byte {
	if !bytes.HasPrefix(raw, []byte(trace)) {
		return raw
	}
	_, rest, _ := bytes.Cut(raw, []byte("\r\n"))
	return rest
}

// kept returns what the mailbox itself has in a folder.
func (r *reading) kept(folder string) []Stored {
	r.Helper()
	kept, err := r.Mailbox.Messages(folder)
	if err != nil {
		r.Fatalf("look into %s: %v", folder, err)
	}
	for i := range kept {
		kept[i].Raw = string(unstamped([]byte(kept[i].Raw)))
	}
	return kept
}

// facts returns what the backend says of itself.
func (r *reading) facts(ctx context.Context) session.Facts {
	r.Helper()
	facts, err := r.in.Facts(ctx)
	if err != nil {
		r.Fatalf("Facts: %v", err)
	}
	return facts
}

// list returns the messages that a query finds, all of which can be read.
func (r *reading) list(ctx context.Context, q session.Query) []*session.Message {
	r.Helper()
	messages, err := collect(ctx, r.in, q)
	if err != nil {
		r.Fatalf("Messages(%+v) after %d messages: %v", q, len(messages), err)
	}
	return messages
}

// collect iterates to the first error.
func collect(ctx context.Context, in session.Incoming, q session.Query) ([]*session.Message, error) {
	var messages []*session.Message
	for m, err := range in.Messages(ctx, q) {
		if err != nil {
			return messages, err
		}
		messages = append(messages, m)
	}
	return messages, nil
}

// oldest lists the inbox in the order of arrival.
func (r *reading) oldest(ctx context.Context) []*session.Message {
	r.Helper()
	messages := r.list(ctx, session.Query{OldestFirst: true})
	if n := len(r.kept(inbox)); len(messages) < n {
		r.Fatalf("Messages gives %d of the %d messages in the inbox", len(messages), n)
	}
	return messages
}

// first returns the first message that a query finds.
func (r *reading) first(ctx context.Context, q session.Query) *session.Message {
	r.Helper()
	messages := r.list(ctx, q)
	if len(messages) == 0 {
		r.Fatalf("Messages(%+v) gives nothing, want what is in the folder", q)
	}
	return messages[0]
}

// idsOf returns the ids of messages.
func idsOf(messages []*session.Message) []session.ID {
	ids := make([]session.ID, 0, len(messages))
	for _, m := range messages {
		ids = append(ids, m.ID)
	}
	return ids
}

// number returns which sample a message is.
func number(m *session.Message) string {
	return strings.TrimSuffix(strings.TrimPrefix(m.Header.MessageID(), "sample-"), "@example.org")
}

// numbers names the samples in a list.
func numbers(messages []*session.Message) string {
	words := make([]string, 0, len(messages))
	for _, m := range messages {
		words = append(words, number(m))
	}
	return strings.Join(words, " ")
}

// sequence writes the numbers from one to another, either way.
func sequence(from, to int) string {
	var words []string
	for n := from; ; {
		words = append(words, strconv.Itoa(n))
		if n == to {
			return strings.Join(words, " ")
		}
		if n < to {
			n++
		} else {
			n--
		}
	}
}

// storedNumbers names the samples that a folder of the mailbox holds.
func (r *reading) storedNumbers(folder string) string {
	r.Helper()
	var words []string
	for _, m := range r.kept(folder) {
		words = append(words, numberOf(m.Raw))
	}
	return strings.Join(words, " ")
}

// numberOf returns which sample the bytes are of.
func numberOf(raw string) string {
	_, rest, _ := strings.Cut(raw, "<sample-")
	name, _, _ := strings.Cut(rest, "@")
	return name
}

// read returns the bytes of a message as it was put into the mailbox.
func read(ctx context.Context, in session.Incoming, id session.ID) ([]byte, error) {
	body, err := in.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(body)
	return unstamped(raw), errors.Join(err, body.Close())
}

// wantBytes reads a message and compares it.
func (r *reading) wantBytes(ctx context.Context, id session.ID, want string) {
	r.Helper()
	raw, err := read(ctx, r.in, id)
	if err != nil {
		r.Errorf("Open(%v): %v", id, err)
		return
	}
	if i := difference(raw, []byte(want)); i >= 0 {
		r.Errorf("Open(%v) = %d bytes, want %d; they differ from byte %d on: %q, want %q", id,
			len(raw), len(want), i, excerpt(raw, i), excerpt([]byte(want), i))
	}
}

// difference returns where two texts begin to differ, -1 where they do not.
func difference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return i
}

func excerpt(p []byte, i int) []byte { return p[min(i, len(p)):min(i+40, len(p))] }

// apply makes a change to messages.
func (r *reading) apply(ctx context.Context, c session.Change, ids ...session.ID) []session.Result {
	r.Helper()
	results, err := r.in.Apply(ctx, c, ids...)
	if err != nil {
		r.Fatalf("Apply(%+v): %v", c, err)
	}
	if len(results) != len(ids) {
		r.Fatalf("Apply(%+v) to %d ids gives %d results", c, len(ids), len(results))
	}
	for i, res := range results {
		if res.ID != ids[i] {
			r.Errorf("Apply(%+v): result %d is of %v, want %v", c, i, res.ID, ids[i])
		}
	}
	return results
}

// done makes a change that is carried out for all messages.
func (r *reading) done(ctx context.Context, c session.Change, ids ...session.ID) []session.Result {
	r.Helper()
	results := r.apply(ctx, c, ids...)
	for _, res := range results {
		if res.Outcome != session.Done || res.Err != nil {
			r.Fatalf("Apply(%+v) to %v: %v, %v; want done", c, res.ID, res.Outcome, res.Err)
		}
	}
	return results
}

// refused makes a change that the backend lacks what it takes for, and checks
// that nothing happened.
func (r *reading) refused(ctx context.Context, c session.Change, id session.ID, names ...string) {
	r.Helper()
	before := r.snapshot()
	results, err := r.in.Apply(ctx, c, id)
	if len(results) != 1 || results[0].Outcome != session.NotDone || results[0].ID != id {
		r.Errorf("Apply(%+v) = %+v, %v; want one result, not done", c, results, err)
		return
	}
	wantUnsupported(r, fmt.Sprintf("Apply(%+v)", c), results[0].Err, names...)
	if after := r.snapshot(); after != before {
		r.Errorf("Apply(%+v) was refused and changed\n%s to\n%s", c, before, after)
	}
}

// snapshot tells which samples are in the inbox with which flags.
func (r *reading) snapshot() string {
	r.Helper()
	var b strings.Builder
	for _, m := range r.kept(inbox) {
		fmt.Fprintf(&b, "%s%v ", numberOf(m.Raw), sorted(m.Flags))
	}
	return b.String()
}

func sorted(flags session.Flags) session.Flags { return slices.Sorted(slices.Values(flags)) }

// archive returns the path of the archive.
func (r *reading) archive(ctx context.Context) string {
	r.Helper()
	for f, err := range r.in.Folders(ctx) {
		if err != nil {
			r.Fatalf("Folders: %v", err)
		}
		if f.Role == session.RoleArchive {
			return f.Path
		}
	}
	r.Fatalf("no folder has the role of the archive")
	return ""
}

// wantWorking checks that the backend lists its n samples after whatever
// happened to it.
func (r *reading) wantWorking(ctx context.Context, n int) {
	r.Helper()
	messages, err := collect(ctx, r.in, session.Query{})
	if got, want := numbers(messages), sequence(n, 1); err != nil || got != want {
		r.Errorf("afterwards, Messages = %s, %v; want %s", got, err, want)
	}
}
