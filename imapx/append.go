package imapx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// maxUnasked is the largest message that is sent along with its announcement
// where the server allows that (LITERAL+). A larger one is announced first, so
// that a server without room for it says so before it comes.
const maxUnasked = 64 << 10

// Append implements [session.Appender]. Where the answer is lost after the
// last byte, and where the server has no APPENDUID (RFC 4315), the message is
// looked for by its Message-ID among those that are new.
func (c *Client) Append(ctx context.Context, folder session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error) {
	if opts == nil {
		opts = &session.AppendOptions{}
	}
	a := &appending{client: c, source: m, opts: *opts}
	id, err := a.run(ctx, cmp.Or(folder, session.Inbox))
	if err == nil {
		return id, nil
	}
	outcome := session.NotDone
	if _, lost := errors.AsType[*backend.LostError](err); lost && a.uncertain {
		outcome = session.DoneUnknown
	}
	return session.ID{}, &session.AppendError{Folder: cmp.Or(folder, session.Inbox), Outcome: outcome, MessageID: a.messageID, Err: err}
}

// appending is one message on its way into a folder.
type appending struct {
	client *Client
	source message.Source
	opts   session.AppendOptions

	name      string // the server's name of the folder
	size      int64
	messageID string
	next      numbers // what the folder was like before
	broken    error   // why the source cannot be read
	told      codes

	// uncertain is set when the last byte leaves.
	uncertain bool
}

// numbers are a folder's UIDVALIDITY and the number that its next message gets;
// zero is what the server does not tell.
type numbers struct{ validity, next uint32 }

func (a *appending) run(ctx context.Context, folder session.FolderRef) (session.ID, error) {
	if err := errors.Join(checkFlags(a.opts.Flags), a.measure()); err != nil {
		return session.ID{}, err
	}
	err := a.bring(ctx, folder)
	if errors.Is(err, session.ErrNoFolder) && !a.uncertain && a.client.forget() {
		err = a.bring(ctx, folder) // the folder may have got another name
	}
	_, lost := errors.AsType[*backend.LostError](err)
	switch {
	case a.broken != nil:
		return session.ID{}, a.broken
	case err == nil:
		if id, ok := a.newID(); ok {
			return id, nil
		}
		id, _ := a.locate(ctx) // it is there, whether it can be found or not
		return id, nil
	case lost && a.uncertain:
		if id, ok := a.locate(ctx); ok {
			return id, nil
		}
	}
	return session.ID{}, err
}

// bring sends the message, once more where the line breaks before its end.
func (a *appending) bring(ctx context.Context, folder session.FolderRef) (err error) {
	if a.name, err = a.client.resolve(ctx, folder); err != nil {
		return err
	}
	return a.client.do(ctx, "append", a.send, func() bool { return !a.uncertain && a.broken == nil },
		slog.String("folder", a.name), slog.Int64("bytes", a.size))
}

// measure finds the size of the message, which has to be announced, and its
// Message-ID.
func (a *appending) measure() error {
	if a.source == nil {
		return fmt.Errorf("imap: append: %w", session.ErrEmptyMessage)
	}
	r, err := a.source.Open()
	if err != nil {
		return fmt.Errorf("imap: append: open the message: %w", err)
	}
	defer r.Close()
	head, err := io.ReadAll(io.LimitReader(r, maxHeader))
	if err != nil {
		return fmt.Errorf("imap: append: read the message: %w", err)
	}
	if len(head) == 0 {
		return fmt.Errorf("imap: append: %w", session.ErrEmptyMessage)
	}
	a.messageID = message.ParseHeader(head).MessageID()
	if a.size = a.source.Size(); a.size < 0 {
		n, err := io.Copy(io.Discard, r)
		if err != nil {
			return fmt.Errorf("imap: append: read the message: %w", err)
		}
		a.size = int64(len(head)) + n
	}
	return nil
}

// send is one try.
func (a *appending) send(cn *conn) error {
	var err error
	if a.next, err = cn.numbers(a.name); err != nil {
		return noFolder(err)
	}
	words := "APPEND " + cn.mailboxName(a.name) + " "
	if flags := a.opts.Flags; len(flags) > 0 {
		words += strings.TrimPrefix(storeItem("", flags), "FLAGS.SILENT ") + " "
	}
	if t := a.opts.Received; !t.IsZero() {
		words += t.Format(`"02-Jan-2006 15:04:05 -0700" `)
	}
	m, err := a.begin(cn, words)
	if err != nil {
		return err
	}
	err = m.finish(nil)
	a.told = m.codes
	return err
}

// begin sends the command with the message in it.
func (a *appending) begin(cn *conn, words string) (*command, error) {
	write := func() error { return a.body(cn) }
	asked := cn.pieces(fmt.Sprintf("%s{%d}", words, a.size))
	if cn.caps.has("LITERAL+") && a.size <= maxUnasked || cn.caps.has("LITERAL-") && a.size <= maxSmallLiteral {
		last := len(asked) - 1
		announced := strings.TrimSuffix(asked[last], "}") + "+}"
		asked, write = asked[:last], func() error {
			if err := cn.line(announced); err != nil {
				return err
			}
			return a.body(cn)
		}
	}
	if len(asked) == 0 {
		return cn.start("append", write)
	}
	m, err := cn.begin("append", asked[0], asked[1:]...)
	if err != nil {
		return nil, err
	}
	if err := m.goOn(write); err != nil {
		return nil, m.finish(err)
	}
	return m, nil
}

// body writes the message and the end of the command. Where the source does
// not have as many bytes as were announced, the connection is cut before the
// end: a server does nothing about half a command.
func (a *appending) body(cn *conn) error {
	r, err := a.source.Open()
	if err != nil {
		return a.fail(cn, fmt.Errorf("open the message: %w", err))
	}
	defer r.Close()
	source := &noting{r: r}
	n, err := io.Copy(cn.wire, io.LimitReader(source, a.size))
	switch {
	case source.err != nil:
		return a.fail(cn, fmt.Errorf("read the message: %w", source.err))
	case err != nil:
		return err
	case n < a.size:
		return a.fail(cn, fmt.Errorf("the message has %d bytes, %d were announced", n, a.size))
	}
	if extra, _ := io.ReadFull(source, make([]byte, 1)); extra > 0 {
		return a.fail(cn, fmt.Errorf("the message has more bytes than the %d that were announced", a.size))
	}
	a.uncertain = true
	return cn.line("")
}

// fail gives up a command that cannot be completed.
func (a *appending) fail(cn *conn, err error) error {
	a.broken = fmt.Errorf("%s: append: %w", cn.address, err)
	cn.wire.Kill(a.broken)
	return a.broken
}

// noting tells the errors of a reader from those of the writer it is copied to.
type noting struct {
	r   io.Reader
	err error
}

func (n *noting) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return k, err //nolint:wrapcheck // io.Reader's contract
}

// newID reads the arguments of APPENDUID.
func (a *appending) newID() (session.ID, bool) {
	validity, rest, _ := strings.Cut(a.told.appended, " ")
	v, ok1 := parseUID(validity)
	uid, ok2 := parseUID(rest)
	if !ok1 || !ok2 {
		return session.ID{}, false
	}
	return withKey(a.client.scope(&selected{name: a.name, validity: v}), uid), true
}

// locate looks for the message among those that came since the command was
// begun.
func (a *appending) locate(ctx context.Context) (session.ID, bool) {
	if a.messageID == "" || !quotable(a.messageID) || a.next.next == 0 {
		return session.ID{}, false
	}
	var id session.ID
	err := a.client.read(ctx, "append", func(cn *conn) error {
		s, err := a.client.enterAfresh(cn, a.name, false)
		if err != nil || s.validity != a.next.validity {
			return err
		}
		uids, err := cn.searchUIDs(fmt.Sprintf("UID SEARCH UID %d:* HEADER Message-ID %s", a.next.next, quote(a.messageID)))
		if len(uids) == 1 && uids[0] >= a.next.next { // n:* has the last message, whatever its number
			id = withKey(a.client.scope(s), uids[0])
		}
		return err
	}, slog.String("folder", a.name))
	return id, err == nil && !id.IsZero()
}
