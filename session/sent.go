package session

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/message"
)

// SentPolicy says whether a copy of what is sent is kept in the folder of sent
// mail. It is set for a Session in [Options.SaveSent], and for one message in
// [Envelope.SaveSent].
type SentPolicy int

// The policies.
const (
	// SentDefault is, in an Envelope, what the Session's Options say, and there
	// SentNever.
	SentDefault SentPolicy = iota
	// SentNever keeps no copy. A server that files what is sent does so all the
	// same.
	SentNever
	// SentAuto keeps a copy unless the server is known to file one by itself; see
	// [SentFiler].
	SentAuto
	// SentAlways keeps a copy whatever is known of the server, unless one is there
	// already. A server that files its own a while later makes it two.
	SentAlways
)

// String returns "default", "never", "auto" or "always".
func (p SentPolicy) String() string {
	names := []string{"default", "never", "auto", "always"}
	if p < 0 || int(p) >= len(names) {
		return fmt.Sprintf("policy %d", int(p))
	}
	return names[p]
}

// SentFiler tells whether the server itself files what is sent in the folder of
// sent mail. It is a further interface of an [Outgoing].
type SentFiler interface {
	FilesSent() bool
}

// CopyState is what became of the sender's own copy of a message.
type CopyState int

// The states of a copy.
const (
	// CopyNone: no copy was to be kept, or the message was not accepted.
	CopyNone CopyState = iota
	// CopyByServer: the server files it by itself; nobody looked.
	CopyByServer
	// CopyFound: a message with this Message-ID was there already.
	CopyFound
	// CopyFiled: the copy was appended, and seen in the folder.
	CopyFiled
	// CopyFailed: there is no copy; SentCopy.Err says why. Session.SaveSent may be
	// called for it.
	CopyFailed
	// CopyUnknown: the copy may be there or not; SentCopy.Err says why that is not
	// known. [Session.SaveSent] looks first, so that it may be called all the same.
	CopyUnknown
)

// String returns "none", "by the server", "found", "filed", "failed" or
// "unknown".
func (c CopyState) String() string {
	names := []string{"none", "by the server", "found", "filed", "failed", "unknown"}
	if c < 0 || int(c) >= len(names) {
		return fmt.Sprintf("copy %d", int(c))
	}
	return names[c]
}

// SentCopy is the sender's own copy of a message in the folder of sent mail.
type SentCopy struct {
	// State is what became of it.
	State CopyState
	// ID is the copy, where it is known.
	ID ID
	// Err is why the copy is CopyFailed or CopyUnknown. It says nothing of the
	// message that was sent.
	Err error
}

// SaveSent files a copy of a message that was accepted in the folder of sent
// mail, marked as [Seen], by the policy of the envelope or else of the Session.
// [Session.Send] does so by itself; SaveSent is for what it could not file, and
// for programs that keep their own account of what was sent.
//
// A message with the same Message-ID that is in the folder already is the copy.
// Else one is appended and looked for. Where the server has filed one of its own
// meanwhile, the later one of the two is removed. With [Options.KeepBcc] the copy
// has a Bcc field with the recipients that the header does not name.
//
// The error is that of the SentCopy.
func (s *Session) SaveSent(ctx context.Context, e Envelope, m message.Source) (SentCopy, error) {
	switch policy := s.sentPolicy(e); {
	case policy == SentNever:
		return SentCopy{}, nil
	case policy == SentAuto && s.filesSent():
		return SentCopy{State: CopyByServer}, nil
	}
	c := s.file(ctx, e, m)
	if c.Err != nil {
		c.Err = fmt.Errorf("session: save a sent message: %w", c.Err)
	}
	return c, c.Err
}

// SavesSent reports whether a copy of what is sent under the envelope is filed by
// Send, or SaveSent, and neither by nobody nor by the server.
func (s *Session) SavesSent(e Envelope) bool {
	policy := s.sentPolicy(e)
	return policy == SentAlways || policy == SentAuto && !s.filesSent()
}

// filesSent reports whether the server is known to file what is sent.
func (s *Session) filesSent() bool {
	f, ok := As[SentFiler](s.out)
	return ok && f.FilesSent()
}

// sentPolicy returns what holds for an envelope.
func (s *Session) sentPolicy(e Envelope) SentPolicy {
	return cmp.Or(e.SaveSent, s.saveSent, SentNever)
}

// keepCopy files what was sent, where the server took it for anybody. Of a message
// of which that is not known no copy is kept: the folder of sent mail is where one
// looks whether it was sent.
func (s *Session) keepCopy(ctx context.Context, e Envelope, m message.Source, rec Receipt) SentCopy {
	if rec.Outcome != Accepted && rec.Outcome != Partial {
		return SentCopy{}
	}
	c, err := s.SaveSent(ctx, e, m)
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "session: a sent message was not filed",
			slog.String("message_id", rec.MessageID), slog.String("copy", c.State.String()), slog.Any("error", err))
	}
	return c
}

// file looks for a copy and appends one where there is none.
func (s *Session) file(ctx context.Context, e Envelope, m message.Source) SentCopy {
	head, err := readHeader(m)
	if err != nil {
		return SentCopy{State: CopyFailed, Err: err}
	}
	there, err := s.sentCopies(ctx, head.MessageID())
	switch {
	case err != nil:
		return SentCopy{State: CopyFailed, Err: err}
	case len(there) > 0:
		return SentCopy{State: CopyFound, ID: there[0].ID}
	}
	if s.keepBcc {
		if m, err = withBcc(head, e.To, m); err != nil {
			return SentCopy{State: CopyFailed, Err: err}
		}
	}
	facts, err := s.Facts(ctx)
	if err != nil {
		return SentCopy{State: CopyFailed, Err: err}
	}
	o := &AppendOptions{Flags: Flags{Seen}}
	if facts.NoFlags {
		o.Flags = nil
	}
	id, err := s.Append(ctx, Sent, m, o)
	if err != nil {
		c := SentCopy{State: CopyFailed, Err: err}
		if a, ok := errors.AsType[*AppendError](err); ok && a.Outcome == DoneUnknown {
			c.State = CopyUnknown
		}
		return c
	}
	return s.verifyCopy(ctx, head.MessageID(), id)
}

// verifyCopy looks for a copy that was appended, and takes it away where there is
// an earlier one.
func (s *Session) verifyCopy(ctx context.Context, messageID string, appended ID) SentCopy {
	if messageID == "" { // there is nothing to look for it by
		return SentCopy{State: CopyFiled, ID: appended}
	}
	var ids []ID
	if !appended.IsZero() {
		ids = []ID{appended}
	}
	there, err := s.sentCopies(ctx, messageID, ids...)
	switch {
	case err != nil:
		return SentCopy{State: CopyUnknown, ID: appended, Err: fmt.Errorf("it was appended, and cannot be looked for: %w", err)}
	case len(there) == 0:
		return SentCopy{State: CopyUnknown, ID: appended, Err: errors.New("it was appended, and is not in the folder")}
	}
	first := there[0].ID
	if len(there) > 1 && first != appended && slices.ContainsFunc(there, func(m *Message) bool { return m.ID == appended }) {
		if _, err := s.Apply(ctx, Change{Delete: true}, appended); err == nil {
			return SentCopy{State: CopyFound, ID: first}
		}
	}
	return SentCopy{State: CopyFiled, ID: cmp.Or(appended, first)}
}

// sentCopies returns the messages in the folder of sent mail with a Message-ID, the
// oldest first. Servers whose search lags behind find those among ids by their id.
func (s *Session) sentCopies(ctx context.Context, messageID string, ids ...ID) ([]*Message, error) {
	if messageID == "" {
		return nil, nil
	}
	where := withMessageID(messageID)
	if len(ids) > 0 {
		where = Filter{AnyOf: []Filter{where, {IDs: ids}}}
	}
	return s.having(ctx, Query{Folder: Sent, Where: where, OldestFirst: true}, messageID)
}

// withMessageID asks for messages with a Message-ID, which is without angle
// brackets. It asks for no more than a header field contains, so that what is found
// has to be compared.
func withMessageID(id string) Filter {
	return Filter{Header: HeaderMatch{Name: "Message-ID", Value: id}}
}

// having returns what q finds of messages with a Message-ID.
func (s *Session) having(ctx context.Context, q Query, messageID string) ([]*Message, error) {
	q.Fields = FieldHeader | FieldReceived | FieldFlags
	var list []*Message
	for m, err := range readable(s.Messages(ctx, q)) { // what cannot be read cannot be recognised
		if err != nil {
			return nil, err
		}
		if m.Header.MessageID() == messageID {
			list = append(list, m)
		}
	}
	return list, nil
}

// FindSent looks for a message that was sent, by its Message-ID, with or without
// angle brackets: in the folder of sent mail, and in that of all mail where there
// is one, as at Gmail. Drafts do not count. A message that is in neither is
// [ErrNoMessage]; that it was never sent is not proven by it, since servers file
// what was sent after a while, or not at all.
func (s *Session) FindSent(ctx context.Context, messageID string) (*Message, error) {
	messageID = strings.Trim(messageID, "<> ")
	if messageID == "" {
		return nil, errors.New("session: find a sent message: no Message-ID is given")
	}
	for _, folder := range []FolderRef{Sent, FolderFor(RoleAll)} {
		list, err := s.having(ctx, Query{Folder: folder, Where: withMessageID(messageID)}, messageID)
		if err != nil && !errors.Is(err, ErrNoFolder) {
			return nil, fmt.Errorf("session: find a sent message: %w", err)
		}
		for _, m := range list {
			if !m.Flags.Has(Draft) {
				return m, nil
			}
		}
	}
	return nil, fmt.Errorf("session: find a sent message: %s is in no folder of sent mail: %w", messageID, ErrNoMessage)
}

// readHeader reads the header that a message begins with.
func readHeader(m message.Source) (message.Header, error) {
	if m == nil {
		return message.Header{}, ErrEmptyMessage
	}
	r, err := m.Open()
	if err != nil {
		return message.Header{}, fmt.Errorf("open the message: %w", err)
	}
	defer r.Close()
	head, err := io.ReadAll(io.LimitReader(r, message.DefaultMaxHeaderBytes))
	if err != nil {
		return message.Header{}, fmt.Errorf("read the message: %w", err)
	}
	return message.ParseHeader(head), nil
}

// withBcc returns the message with those recipients in a Bcc field whom its header
// does not name.
func withBcc(head message.Header, to []string, m message.Source) (message.Source, error) {
	if head.Has("Bcc") {
		return m, nil
	}
	named := map[string]bool{}
	for _, field := range []string{"To", "Cc", "Resent-To", "Resent-Cc"} {
		for _, a := range head.Addresses(field) {
			named[strings.ToLower(a.Address)] = true
		}
	}
	var unnamed []string
	for _, address := range to {
		if strings.ContainsFunc(address, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, errors.New("a recipient is not an address")
		}
		key := strings.ToLower(address)
		if a, err := mail.ParseAddress(address); err == nil {
			key = strings.ToLower(a.Address)
		}
		if named[key] {
			continue
		}
		named[key] = true
		unnamed = append(unnamed, "<"+address+">")
	}
	if len(unnamed) == 0 {
		return m, nil
	}
	return &prefixed{prefix: []byte("Bcc: " + strings.Join(unnamed, ",\r\n ") + "\r\n"), rest: m}, nil
}

// prefixed is a Source with bytes before it.
type prefixed struct {
	prefix []byte
	rest   message.Source
}

// Open implements [message.Source].
func (p *prefixed) Open() (io.ReadCloser, error) {
	r, err := p.rest.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(p.prefix), r), r}, nil
}

// Size implements [message.Source].
func (p *prefixed) Size() int64 {
	if n := p.rest.Size(); n >= 0 {
		return n + int64(len(p.prefix))
	}
	return -1
}
