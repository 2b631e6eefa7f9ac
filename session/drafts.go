package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mailsession/mailsession/message"
)

// Drafter keeps drafts where the protocol has words of its own for that. It is a
// further interface of an [Incoming]; see [Session.SaveDraft] and the methods
// behind it, which work over any Incoming that is an [Appender] as well.
type Drafter interface {
	SaveDraft(ctx context.Context, m message.Source, opts *DraftOptions) (ID, error)
	UpdateDraft(ctx context.Context, old ID, m message.Source, opts *DraftOptions) (ID, error)
}

// DraftOptions are the settings of saving a draft. The zero value works.
type DraftOptions struct {
	// Folder is where the draft is kept: [Drafts] where it is not set.
	Folder FolderRef
	// IfUnchanged, unless it is empty, has [Session.UpdateDraft] remove the earlier
	// draft only if it still has that version; see [Message.Version].
	IfUnchanged Version
}

// SendSavedDraftOptions are the settings of [Session.SendSavedDraft]. The zero value
// works.
type SendSavedDraftOptions struct {
	// SendOptions are those of the envelope.
	SendOptions
	// MoveTo is where the draft goes when it was sent, as [Sent]: it is then kept
	// with its Bcc. Where it is not set, that is Sent where the Session keeps copies of
	// what it sends, see [Options.SaveSent]; else the draft is removed, as it has to be
	// at servers that keep what is sent by themselves, Gmail and Exchange among them.
	MoveTo FolderRef
}

// DraftError says that a draft was not updated or sent, or not wholly. Nothing is
// lost: what was there before is there still, unless the new one is.
type DraftError struct {
	// Op is "save", "update" or "send".
	Op string
	// Stored is the new draft, where it is in the mailbox for certain.
	Stored ID
	// Left is the earlier draft, where it is in the mailbox or may be.
	Left ID
	// Outcome is, of sending, what became of the message.
	Outcome SendOutcome
	// Remedy says what to do, where that can be said.
	Remedy string
	// Err is the cause.
	Err error
}

// Error returns what is in the mailbox now, why, and what to do.
func (e *DraftError) Error() string {
	s := e.Op + " a draft: " + e.Err.Error()
	if !e.Stored.IsZero() {
		s += fmt.Sprintf("; the new one is stored as %v", e.Stored)
	}
	switch {
	case e.Left.IsZero():
	case e.Op == "send":
		s += fmt.Sprintf("; the draft %v is or may be there still", e.Left)
	default:
		s += fmt.Sprintf("; the one before, %v, is or may be there still", e.Left)
	}
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Unwrap returns the cause.
func (e *DraftError) Unwrap() error { return e.Err }

// SaveDraft puts a draft into the mailbox, marked as [Draft] and [Seen], with its
// Bcc, so that this and other mail programs can go on with it. It returns its id,
// as [Session.Append] does.
//
// The error is a [*DraftError] that wraps that of Append. It is [ErrNoFolder] in a
// mailbox without a folder for drafts. Where the backend cannot append, the error
// wraps [errors.ErrUnsupported].
func (s *Session) SaveDraft(ctx context.Context, d *message.Draft, opts *DraftOptions) (ID, error) {
	k, m, err := s.draft(d, "save a draft")
	if err != nil {
		return ID{}, err
	}
	return k.SaveDraft(ctx, m, opts)
}

// UpdateDraft puts a draft into the mailbox in place of an earlier one, and returns
// the new id. The new one is stored first, and the old one removed when the server
// shows the new one: a program that dies between leaves both, with the same
// Message-ID, never none.
//
// If the earlier draft is gone, or is another version than [DraftOptions] name,
// another program has it: the [*DraftError] wraps [ErrNoMessage] or [ErrChanged],
// and says whether the new one is stored. Where the server cannot delete a single
// message safely, or keeps no versions and one is named, the error wraps
// [errors.ErrUnsupported], and nothing is stored.
func (s *Session) UpdateDraft(ctx context.Context, old ID, d *message.Draft, opts *DraftOptions) (ID, error) {
	k, m, err := s.draft(d, "update a draft")
	if err != nil {
		return ID{}, err
	}
	return k.UpdateDraft(ctx, old, m, opts)
}

// draft returns what keeps drafts, and the bytes of one.
func (s *Session) draft(d *message.Draft, op string) (Drafter, message.Source, error) {
	k, err := s.drafter(op)
	if err != nil {
		return nil, nil, err
	}
	m, err := d.StoredSource()
	if err != nil {
		return nil, nil, fmt.Errorf("session: %s: %w", op, err)
	}
	return k, m, nil
}

// drafter returns what keeps drafts: the backend, or what this package makes of
// its further abilities.
func (s *Session) drafter(op string) (Drafter, error) {
	if k, err := changingAs[Drafter](s, op); err == nil {
		return k, nil
	}
	a, err := changingAs[Appender](s, op)
	if err != nil {
		return nil, err
	}
	return keptDrafts{Session: s, Appender: a}, nil
}

// keptDrafts keeps drafts as messages in a folder.
type keptDrafts struct {
	*Session
	Appender
}

// SaveDraft implements [Drafter].
func (k keptDrafts) SaveDraft(ctx context.Context, m message.Source, opts *DraftOptions) (ID, error) {
	id, err := k.store(ctx, m, opts)
	if err != nil {
		return ID{}, &DraftError{Op: "save", Remedy: remedyForSaving(err), Err: err}
	}
	return id, nil
}

// store appends a draft.
func (k keptDrafts) store(ctx context.Context, m message.Source, opts *DraftOptions) (ID, error) {
	if opts == nil {
		opts = &DraftOptions{}
	}
	facts, err := k.Facts(ctx)
	if err != nil {
		return ID{}, err
	}
	flags := Flags{Draft, Seen}
	if facts.NoFlags {
		flags = nil
	}
	return k.Appender.Append(ctx, cmp.Or(opts.Folder, Drafts), m, &AppendOptions{Flags: flags})
}

// remedyForSaving says what to do about a draft that could not be stored.
func remedyForSaving(err error) string {
	if errors.Is(err, ErrNoFolder) {
		return "make a folder with CreateFolder and name it in DraftOptions.Folder"
	}
	if e, ok := errors.AsType[*AppendError](err); ok && e.Outcome == DoneUnknown {
		return "look for its Message-ID before saving it again"
	}
	return ""
}

// UpdateDraft implements [Drafter].
func (k keptDrafts) UpdateDraft(ctx context.Context, old ID, m message.Source, opts *DraftOptions) (ID, error) {
	if opts == nil {
		opts = &DraftOptions{}
	}
	if err := k.replaceable(ctx, old, opts); err != nil {
		e := &DraftError{Op: "update", Left: old, Err: err}
		if errors.Is(err, ErrNoMessage) {
			e.Left, e.Remedy = ID{}, "another program sent or changed it; SaveDraft stores the new one beside what there is"
		}
		return ID{}, e
	}
	id, err := k.store(ctx, m, opts)
	if err != nil {
		return ID{}, &DraftError{Op: "update", Left: old, Remedy: remedyForSaving(err), Err: err}
	}
	if err := k.verify(ctx, id); err != nil {
		return id, &DraftError{Op: "update", Stored: id, Left: old, Remedy: "remove the one before when the new one shows", Err: err}
	}
	if err := k.remove(ctx, old, opts.IfUnchanged); err != nil {
		e := &DraftError{Op: "update", Stored: id, Left: old, Remedy: "remove one of them", Err: err}
		if errors.Is(err, ErrNoMessage) {
			e.Left, e.Remedy = ID{}, "another program sent or changed it meanwhile; see whether there is another draft"
		}
		return id, e
	}
	return id, nil
}

// replaceable reports why the earlier draft cannot be replaced.
func (k keptDrafts) replaceable(ctx context.Context, old ID, opts *DraftOptions) error {
	facts, err := k.Facts(ctx)
	switch {
	case err != nil:
		return err
	case !facts.SafeDelete:
		return fmt.Errorf("session: the server cannot delete a message safely: %w", errors.ErrUnsupported)
	case opts.IfUnchanged != "" && !facts.Versions:
		return fmt.Errorf("session: the server keeps no versions: %w", errors.ErrUnsupported)
	}
	return k.look(ctx, old)
}

// look reads the first byte of a message, which is there then.
func (k keptDrafts) look(ctx context.Context, id ID) error {
	r, err := k.OpenRange(ctx, id, 0, 1)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// verify finds that a draft that was appended is there.
func (k keptDrafts) verify(ctx context.Context, id ID) error {
	if id.IsZero() {
		return errors.New("session: the server does not name the new draft, and it cannot be found by its Message-ID")
	}
	if err := k.look(ctx, id); err != nil {
		return fmt.Errorf("session: the new draft cannot be read: %w", err)
	}
	return nil
}

// remove removes a draft that is not needed any more.
func (k keptDrafts) remove(ctx context.Context, id ID, version Version) error {
	c := Change{Delete: true}
	if version != "" {
		c.IfUnchanged = map[ID]Version{id: version}
	}
	_, err := k.applyOne(ctx, c, id)
	return err
}

// applyOne changes one message, and returns its new id, or why it was not done for
// certain.
func (s *Session) applyOne(ctx context.Context, c Change, id ID) (ID, error) {
	results, err := s.Apply(ctx, c, id)
	if len(results) != 1 {
		return ID{}, cmp.Or(err, errors.New("session: the backend does not tell what became of a change"))
	}
	if r := results[0]; r.Outcome == Done {
		return r.NewID, nil
	} else if r.Err != nil {
		return ID{}, r.Err
	}
	return ID{}, cmp.Or(err, errors.New("session: it is not known whether the message was changed"))
}

// SendSavedDraft sends a draft that is in the mailbox, whoever put it there: to
// those whom To, Cc and Bcc name, without its Bcc. When it was accepted for all of
// them, the draft is removed, or moved. In all other cases it stays as it is, and
// the [*DraftError] tells what became of the message and wraps the [*SendError]:
//
//   - [NotSent]: it may be sent again;
//   - [Partial]: those who got it are in the receipt, and a second try would reach
//     them twice: UpdateDraft with the others first;
//   - [SentUnknown]: look for the Message-ID, in the folder of sent mail or at a
//     recipient's, before sending it again;
//   - [Accepted], of which the error is that the draft could not be removed: it is
//     not to be sent again.
//
// The message is read from the server as it is sent, and memory does not grow
// with it.
func (s *Session) SendSavedDraft(ctx context.Context, id ID, opts *SendSavedDraftOptions) (Receipt, error) {
	if opts == nil {
		opts = &SendSavedDraftOptions{}
	}
	none := Receipt{Outcome: NotSent}
	if s.mode == ReadOnly {
		return none, &ModeError{Mode: s.mode, Op: "send"}
	}
	in, err := s.reader("send a draft")
	if err == nil && s.out == nil {
		err = fmt.Errorf("session: send a draft: no outgoing backend was given: %w", errors.ErrUnsupported)
	}
	if err != nil {
		return none, err
	}
	failed := func(r Receipt, remedy string, err error) (Receipt, error) {
		return r, &DraftError{Op: "send", Left: id, Outcome: r.Outcome, Remedy: remedy, Err: err}
	}
	m, err := message.Submit(storedMessage(func() (io.ReadCloser, error) { return in.Open(ctx, id) }))
	if err != nil {
		return failed(none, "", err)
	}
	e := opts.envelope(m.From, m.To)
	receipt, err := s.out.Send(ctx, e, m.Source)
	if err != nil || receipt.Outcome != Accepted {
		return failed(receipt, remedyForSending(receipt), cmp.Or(err, errors.New("session: the message was not accepted for everybody")))
	}
	if receipt.Copy, err = s.putAway(ctx, id, e, opts.MoveTo); err != nil {
		return failed(receipt, "it was sent; move or remove the draft, and do not send it again", err)
	}
	return receipt, nil
}

// putAway moves a draft that was sent, or removes it.
func (s *Session) putAway(ctx context.Context, id ID, e Envelope, moveTo FolderRef) (SentCopy, error) {
	var kept SentCopy
	switch {
	case moveTo != "":
	case s.SavesSent(e):
		moveTo, kept.State = Sent, CopyFiled
	default:
		if s.sentPolicy(e) != SentNever {
			kept.State = CopyByServer
		}
		_, err := s.applyOne(ctx, Change{Delete: true}, id)
		if errors.Is(err, ErrNoMessage) {
			err = nil // as it should be
		}
		return kept, err
	}
	moved, err := s.applyOne(ctx, Change{Set: Flags{Seen}, Clear: Flags{Draft}, MoveTo: moveTo}, id)
	switch {
	case kept.State != CopyFiled:
	case err != nil:
		kept = SentCopy{State: CopyFailed, Err: err}
	default:
		kept.ID = moved
	}
	return kept, err
}

// remedyForSending says what to do about a draft that was not sent to everybody.
func remedyForSending(r Receipt) string {
	switch r.Outcome {
	case NotSent:
		return "nobody got it"
	case Partial:
		return "some got it; take them off the draft before sending it again"
	case SentUnknown:
		return "it may have been sent; look for its Message-ID before sending it again"
	case Accepted:
	}
	return ""
}

// storedMessage is a message of the mailbox as a [message.Source].
type storedMessage func() (io.ReadCloser, error)

// Open implements [message.Source].
func (m storedMessage) Open() (io.ReadCloser, error) { return m() }

// Size implements [message.Source]: what servers tell is often an estimate.
func (storedMessage) Size() int64 { return -1 }

// ReadDraft reads a draft of the mailbox, whoever wrote it, as a [message.Draft] to
// go on with; see [message.DraftFrom]. [Session.UpdateDraft] puts it back.
func (s *Session) ReadDraft(ctx context.Context, id ID) (*message.Draft, error) {
	m, err := s.Read(ctx, id)
	if err != nil {
		return nil, err
	}
	return message.DraftFrom(m), nil
}
