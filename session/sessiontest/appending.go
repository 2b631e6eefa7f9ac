package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// The rules of this file and of those about other further abilities go through
// a Session: it finds the ability, or does in its place what it can.

// appendRules are about messages that are put into folders.
func appendRules() []incomingRule {
	return []incomingRule{
		{"an appended message has its bytes, flags, date and id", appended},
		{"appending sets no flag that was not asked for", appendedPlain},
		{"what cannot be appended is an AppendError, and nothing is there", notAppended},
		{"a source that fails half way appends nothing", brokenSource},
		{"an append that was cut tells the truth", cutAppends},
	}
}

// appender returns a session that can append, or nil after it has checked that
// the lack of it is told.
func (r *reading) appender(ctx context.Context) *session.Session {
	r.Helper()
	s := r.session(session.ReadWrite)
	if _, ok := session.As[session.Appender](r.in); ok {
		return s
	}
	before := r.snapshot()
	_, err := s.Append(ctx, session.Inbox, message.Bytes([]byte(sample(1))), nil)
	wantUnsupported(r, "Append", err, "append")
	if after := r.snapshot(); after != before {
		r.Errorf("Append was refused and changed %s to %s", before, after)
	}
	return nil
}

// append puts a message into a folder.
func (r *reading) append(ctx context.Context, s *session.Session, folder session.FolderRef, raw string, opts *session.AppendOptions) session.ID {
	r.Helper()
	id, err := s.Append(ctx, folder, message.Bytes([]byte(raw)), opts)
	if err != nil {
		r.Fatalf("Append to %q: %v", folder, err)
	}
	return id
}

func appended(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	s := r.appender(ctx)
	if s == nil {
		return
	}
	zone := time.FixedZone("", -7*3600)
	opts := &session.AppendOptions{Received: time.Date(2024, time.February, 29, 22, 30, 7, 0, zone)}
	if !facts.NoFlags {
		opts.Flags = session.Flags{session.Seen, session.Flagged, session.Draft}
	}
	if facts.Keywords {
		opts.Flags = append(opts.Flags, "$Work")
	}
	folder, path := session.Inbox, inbox
	if !facts.OneFolder {
		path = r.archive(ctx)
		folder = session.Archive
	}
	odd := oddMessages()
	delete(odd, "a NUL") // which another rule is about
	for name, raw := range odd {
		id := r.append(ctx, s, folder, raw, opts)
		kept := r.kept(path)
		if len(kept) == 0 || kept[len(kept)-1].Raw != raw {
			r.Errorf("%s: the folder does not hold the bytes that were appended", name)
			continue
		}
		if got, want := sorted(kept[len(kept)-1].Flags), sorted(opts.Flags); !slices.Equal(got, want) {
			r.Errorf("%s: the message has the flags %v, want %v", name, got, want)
		}
		m := r.first(ctx, session.Query{Folder: folder})
		if !m.Received.Equal(opts.Received) {
			r.Errorf("%s: the message came at %v, want %v", name, m.Received, opts.Received)
		}
		if id != m.ID && (facts.NewIDs || !id.IsZero()) {
			r.Errorf("%s: Append gives the id %q, the listing %q; Facts say NewIDs: %t", name, id, m.ID, facts.NewIDs)
		}
	}
}

func appendedPlain(ctx context.Context, r *reading) {
	r.seed(2)
	s := r.appender(ctx)
	if s == nil {
		return
	}
	before := time.Now().Truncate(time.Second)
	r.append(ctx, s, "", sample(3), nil)
	r.append(ctx, s, session.Inbox, big(200_000), &session.AppendOptions{})
	if got, want := r.snapshot(), "1[] 2[] 3[] 1[] "; got != want {
		r.Errorf("the inbox holds %q, want %q", got, want)
	}
	for _, m := range r.list(ctx, session.Query{Limit: 2}) {
		if len(m.Flags) > 0 || m.Received.IsZero() || !r.realTime && !m.Received.Equal(before) {
			r.Errorf("a message that was appended at %v has the flags %v and came at %v", before, m.Flags, m.Received)
		}
	}
}

// wantNotAppended checks the error about a message that was not appended.
func (r *reading) wantNotAppended(what string, id session.ID, err, cause error) {
	r.Helper()
	e, ok := errors.AsType[*session.AppendError](err)
	if !ok || !id.IsZero() || e.Outcome != session.NotDone || e.Err == nil || cause != nil && !errors.Is(err, cause) {
		r.Errorf("%s: Append = %q, %v; want an AppendError, not done, with %v", what, id, err, cause)
		return
	}
	if e.MessageID != "sample-9@example.org" {
		r.Errorf("%s: the AppendError has the Message-ID %q, want that of the message", what, e.MessageID)
	}
}

func notAppended(ctx context.Context, r *reading) {
	r.seed(1)
	facts := r.facts(ctx)
	s := r.appender(ctx)
	if s == nil {
		return
	}
	before := r.snapshot()
	m := message.Bytes([]byte(sample(9)))
	nowhere := session.ErrNoFolder
	if facts.OneFolder {
		nowhere = errors.ErrUnsupported
	}
	for _, ref := range []session.FolderRef{session.FolderAt("Nowhere"), session.FolderAt("Nowhere/注意"), session.FolderFor("nothing"), "nonsense"} {
		id, err := s.Append(ctx, ref, m, nil)
		r.wantNotAppended("to "+string(ref), id, err, nowhere)
	}
	wrong := session.Flags{"line\r\nbreak", ""}
	if !facts.FreeKeywords {
		wrong = append(wrong, "two words")
	}
	for _, flag := range wrong {
		id, err := s.Append(ctx, session.Inbox, m, &session.AppendOptions{Flags: session.Flags{flag}})
		if err == nil || !id.IsZero() {
			r.Errorf("Append with the flag %q = %q, %v; want an error", flag, id, err)
		}
	}
	if facts.NoFlags {
		id, err := s.Append(ctx, session.Inbox, m, &session.AppendOptions{Flags: session.Flags{session.Seen}})
		r.wantNotAppended("with a flag", id, err, errors.ErrUnsupported)
	}
	if r.TooLarge > 0 {
		raw := sample(9) + strings.Repeat(strings.Repeat("x", 76)+"\r\n", int(r.TooLarge)/78)
		id, err := s.Append(ctx, session.Inbox, message.Bytes([]byte(raw)), nil)
		r.wantNotAppended(fmt.Sprintf("%d bytes", len(raw)), id, err, nil)
	}
	if after := r.snapshot(); after != before {
		r.Errorf("what was refused changed %s to %s", before, after)
	}
	r.wantWorking(ctx, 1)
}

func brokenSource(ctx context.Context, r *reading) {
	r.seed(2)
	s := r.appender(ctx)
	if s == nil {
		return
	}
	raw := sample(9) + strings.Repeat("the same line\r\n", 20_000)
	size := int64(len(raw))
	for name, l := range map[string]*letter{
		"fails at once":           {raw: raw, size: size, fail: 1},
		"fails in the header":     {raw: raw, size: size, fail: 40},
		"fails half way":          {raw: raw, size: size, fail: len(raw) / 2},
		"fails of unknown size":   {raw: raw, size: -1, fail: len(raw) / 2},
		"fails before its end":    {raw: raw, size: size, fail: len(raw) - 1},
		"is shorter than it says": {raw: raw, size: size + 10},
		"is empty":                {},
		"is empty, unknowingly":   {size: -1},
	} {
		id, err := s.Append(ctx, session.Inbox, l, nil)
		e, ok := errors.AsType[*session.AppendError](err)
		if !ok || e.Outcome != session.NotDone || !id.IsZero() || !l.explains(err) {
			r.Errorf("a source that %s: Append = %q, %v; want an AppendError, not done, with the source's error", name, id, err)
		}
		r.line.settle()
		if got := r.storedNumbers(inbox); got != "1 2" {
			r.Errorf("a source that %s: the inbox holds %q, want what was there", name, got)
		}
	}
	r.wantWorking(ctx, 2)
	if r.append(ctx, s, session.Inbox, sample(3), nil); r.storedNumbers(inbox) != "1 2 3" {
		r.Errorf("afterwards the inbox holds %q, want one more message", r.storedNumbers(inbox))
	}
}

func cutAppends(ctx context.Context, r *reading) {
	s := r.appender(ctx)
	if s == nil {
		return
	}
	r.append(ctx, s, session.Inbox, sample(1), nil) // signs in
	r.line.arm(nil)
	r.append(ctx, s, session.Inbox, big(3000), nil)
	sent, received, _, _ := r.line.counts()
	for _, f := range slices.Concat(places(receiving, received, cuts), places(sending, sent, cuts), []fault{{dir: sending, after: sent}}) {
		r.clear()
		r.list(ctx, session.Query{})
		r.line.arm(&f)
		id, err := s.Append(ctx, session.Inbox, message.Bytes([]byte(big(3000))), nil)
		r.line.settle()
		n := len(r.kept(inbox))
		switch e, ok := errors.AsType[*session.AppendError](err); {
		case err == nil && n == 1:
			if !id.IsZero() {
				r.wantBytes(ctx, id, big(3000))
			}
		case err != nil && !ok, n > 1:
			r.Errorf("cut after %d bytes %v: %d messages are there, %v; want one at most, and an AppendError", f.after, f.dir, n, err)
		case err == nil, e.Outcome == session.Done, e.Outcome == session.NotDone && n > 0:
			r.Errorf("cut after %d bytes %v: %d messages are there, the backend says %v", f.after, f.dir, n, err)
		}
		wantNoSecret(r, err, r.Credentials.Password)
		r.line.arm(nil)
	}
}
