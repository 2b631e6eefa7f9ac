package pop3x

import (
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// Changes implements [session.Syncer] by the names that UIDL gives: a cursor
// holds those of all messages that were told, compressed, since what left can
// only be named by them. That takes a few bytes a message where the server counts,
// and about as much as the names have where they are random. Each call begins a
// session of its own and compares.
//
// Nothing is told as changed. Messages without a name cannot be known again: they
// are told as failed from the zero cursor on, and not at all after that. A server
// that has UIDL from now on, or has lost it, names all messages anew: cursors
// expire.
func (c *Client) Changes(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
	return func(yield func(session.Changes, error) bool) {
		s, err := c.syncFrom(folder, since)
		if err == nil {
			err = s.survey(ctx, opts)
		}
		if err != nil {
			yield(session.Changes{}, err)
			return
		}
		if s.expired && !yield(session.Changes{}, fmt.Errorf("%s: changes: %w", c.address, session.ErrCursorExpired)) {
			return
		}
		for more := true; more; {
			page, err := s.page(ctx)
			if !yield(page, err) || err != nil {
				return
			}
			more = page.More
		}
	}
}

// Cursor implements [session.Syncer].
func (c *Client) Cursor(ctx context.Context, folder session.FolderRef) (session.Cursor, error) {
	s, err := c.syncFrom(folder, session.Cursor{})
	if err == nil {
		err = s.survey(ctx, session.SyncOptions{Fields: session.FieldFlags})
	}
	if err != nil {
		return session.Cursor{}, err
	}
	keys := make([]string, 0, len(s.list.left))
	for _, e := range s.list.left {
		if e.key != "" {
			keys = append(keys, e.idKey())
		}
	}
	return s.cursor(packKeys(keys)), nil
}

// syncing is one comparison of a maildrop with what was told of it.
type syncing struct {
	client   *Client
	validity string   // of the cursor
	told     []string // keys by the cursor, and then of messages that are there still
	first    bool     // nothing was told
	expired  bool
	reset    bool // the next page is the first one after that
	list     *listing
	removed  []session.ID
	state    []string // what the cursor holds, in segments
}

// syncFrom takes a cursor of this maildrop apart.
func (c *Client) syncFrom(folder session.FolderRef, since session.Cursor) (*syncing, error) {
	if err := checkFolder(folder); err != nil {
		return nil, err
	}
	s := &syncing{client: c, first: since.IsZero()}
	if s.first {
		return s, nil
	}
	parts, err := since.Parts()
	switch {
	case err != nil:
		return nil, err
	case parts.Backend != backendName || parts.Mailbox != c.mailbox:
		return nil, fmt.Errorf("pop3: changes: %w", session.ErrOtherMailbox)
	case parts.Folder != inboxPath:
		return nil, fmt.Errorf("pop3: changes: %w", session.ErrOtherFolder)
	}
	s.validity = parts.Validity
	s.told, err = unpackKeys(parts.State)
	return s, err
}

// survey finds out what is there, and what came and left.
func (s *syncing) survey(ctx context.Context, opts session.SyncOptions) error {
	l, err := s.client.list(ctx, session.Query{OldestFirst: true, Fields: opts.Fields})
	if err != nil {
		return err
	}
	l.size, s.list = opts.PageSize, l
	if !s.first && l.scope.Validity != s.validity {
		s.expired, s.reset, s.told = true, true, nil
	}
	there := make(map[string]bool, len(l.left))
	for _, e := range l.left {
		there[e.idKey()] = true
	}
	known := make(map[string]bool, len(s.told))
	for _, key := range s.told {
		known[key] = true
		if !there[key] {
			s.removed = append(s.removed, withKey(l.scope, key))
		}
	}
	if s.first {
		return nil
	}
	s.told = slices.DeleteFunc(s.told, func(key string) bool { return !there[key] })
	l.left = slices.DeleteFunc(l.left, func(e entry) bool { return e.key == "" || known[e.idKey()] })
	s.state = []string{packKeys(s.told)}
	return nil
}

// page takes the next messages. A segment is added to the cursor for each page,
// so that the work does not grow with the pages there are; the last page's has
// one alone.
func (s *syncing) page(ctx context.Context) (session.Changes, error) {
	var page session.Changes
	var keys []string
	if len(s.list.left) > 0 {
		items, err := s.list.next(ctx)
		if err != nil {
			return page, err
		}
		for _, it := range items {
			if it.entry.key != "" {
				keys = append(keys, it.entry.idKey())
			}
			if bad, ok := errors.AsType[*session.ItemError](it.err); ok {
				page.Failed = append(page.Failed, bad)
			} else {
				page.Added = append(page.Added, it.message)
			}
		}
	}
	s.told = append(s.told, keys...)
	if len(keys) > 0 {
		s.state = append(s.state, packKeys(keys))
	}
	if page.More = len(s.list.left) > 0; !page.More {
		s.state = []string{packKeys(s.told)}
	}
	page.Cursor = s.cursor(strings.Join(s.state, segmentEnd))
	page.Removed, s.removed = s.removed, nil
	page.Reset, s.reset = s.reset, false
	return page, nil
}

func (s *syncing) cursor(state string) session.Cursor {
	return session.NewCursor(session.CursorParts{
		Backend: backendName, Mailbox: s.client.mailbox, Folder: inboxPath, Validity: s.list.scope.Validity, State: state,
	})
}

const (
	segmentEnd = "."  // no letter of base64
	keyEnd     = "\r" // no letter of a key
)

// packKeys writes keys into one segment of a cursor's state.
func packKeys(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err == nil {
		_, err = io.WriteString(w, strings.Join(keys, keyEnd)+keyEnd)
	}
	if err = cmp.Or(err, w.Close()); err != nil {
		return "" // a buffer takes everything, and the level is one that there is
	}
	return base64.RawURLEncoding.EncodeToString(b.Bytes())
}

// errState says that the state of a cursor is none of ours.
var errState = errors.New("pop3: the cursor cannot be read; begin with the zero cursor")

// unpackKeys reads the keys of a cursor's state.
func unpackKeys(state string) ([]string, error) {
	var keys []string
	left := int64(maxListing)
	for segment := range strings.SplitSeq(state, segmentEnd) {
		if segment == "" {
			continue
		}
		packed, err := base64.RawURLEncoding.DecodeString(segment)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errState, err)
		}
		in := bytes.NewReader(packed)
		text, err := io.ReadAll(io.LimitReader(flate.NewReader(in), left+1))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errState, err)
		}
		if left -= int64(len(text)); left < 0 || in.Len() > 0 || !bytes.HasSuffix(text, []byte(keyEnd)) {
			return nil, errState
		}
		for key := range strings.SplitSeq(strings.TrimSuffix(string(text), keyEnd), keyEnd) {
			if err := checkKey(key); err != nil {
				return nil, errState
			}
			keys = append(keys, key)
		}
	}
	return keys, nil
}
