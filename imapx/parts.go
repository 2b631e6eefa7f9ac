package imapx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// maxOffset is the largest number that a range can have.
const maxOffset = math.MaxUint32

// OpenRange implements [session.RangeOpener] by BODY[]<offset.length>. IMAP has
// no number for what lies beyond 4 GiB.
func (c *Client) OpenRange(ctx context.Context, id session.ID, offset, limit int64) (io.ReadCloser, error) {
	if offset < 0 || limit < 0 || offset > maxOffset {
		return nil, fmt.Errorf("%s: open: a range of %d bytes from %d on: IMAP has numbers from 0 to %d for it: %w",
			c.address, limit, offset, int64(maxOffset), errors.ErrUnsupported)
	}
	if limit == 0 || limit > maxOffset {
		limit = maxOffset
	}
	return c.openSection(ctx, id, fmt.Sprintf("[]<%d.%d>", offset, limit))
}

// OpenPart implements [session.PartOpener]: the part's own header says how it
// is encoded, then its content is streamed.
func (c *Client) OpenPart(ctx context.Context, id session.ID, number string) (*session.Part, error) {
	head, err := c.partHeader(ctx, id, number)
	if err != nil {
		return nil, err
	}
	body, err := c.openSection(ctx, id, "["+number+"]")
	if err != nil {
		return nil, err
	}
	for p, err := range message.Walk(io.MultiReader(bytes.NewReader(head), body), nil) {
		if err != nil {
			return nil, errors.Join(err, body.Close())
		}
		p.Number = number
		return &session.Part{Part: p, Closer: body}, nil
	}
	return nil, errors.Join(fmt.Errorf("%s: part %s: %w", c.address, number, session.ErrNoPart), body.Close())
}

// partHeader fetches the header of a part, with the line that ends it. A
// message that is not multipart has part 1 alone, of which the header is the
// message's own; some servers have none for it.
func (c *Client) partHeader(ctx context.Context, id session.ID, number string) ([]byte, error) {
	parts, uid, err := c.own(id)
	if err != nil {
		return nil, err
	}
	sections := []string{number + ".MIME"}
	if number == "1" {
		sections = append(sections, "HEADER")
	}
	var heads [][]byte
	err = c.read(ctx, "part", func(cn *conn) error {
		if err := c.enterFor(cn, parts); err != nil {
			return err
		}
		heads, err = cn.headers(uid, sections)
		return err
	}, slog.String("folder", parts.Folder))
	if concernsItem(err) {
		return nil, &session.ItemError{ID: id, Err: err}
	}
	if err != nil {
		return nil, err
	}
	head := heads[0]
	if len(heads) > 1 && len(bytes.TrimSpace(head)) == 0 && !strings.HasPrefix(contentType(heads[1]), "multipart/") {
		head = heads[1]
	}
	if len(head) == 0 { // that of a part without fields is an empty line
		return nil, &session.ItemError{ID: id, Err: fmt.Errorf("%s: part %s: %w", c.address, number, session.ErrNoPart)}
	}
	if head = bytes.TrimRight(head, "\r\n"); len(head) == 0 {
		return []byte("\r\n"), nil
	}
	return append(head, "\r\n\r\n"...), nil
}

// headers fetches sections of which at least one has something in it where the
// message is there.
func (c *conn) headers(uid uint32, names []string) ([][]byte, error) {
	heads, err := c.sections(uid, names)
	if err == nil && !slices.ContainsFunc(heads, func(head []byte) bool { return len(head) > 0 }) {
		// A message that others removed may be answered for as one without parts.
		if err = c.refresh(); err == nil {
			heads, err = c.sections(uid, names)
		}
	}
	if err == nil && heads == nil {
		err = c.noMessage("open")
	}
	return heads, err
}

func contentType(head []byte) string {
	return strings.ToLower(strings.TrimSpace(message.ParseHeader(head).Text("Content-Type")))
}

// sections fetches several sections of one message that are short. It returns
// nil where the message is not there, and nil for a section that is not.
func (c *conn) sections(uid uint32, names []string) ([][]byte, error) {
	var items []string
	for _, name := range names {
		items = append(items, "BODY.PEEK["+name+"]")
	}
	var texts [][]byte
	err := c.run("open", fmt.Sprintf("UID FETCH %d (UID %s)", uid, strings.Join(items, " ")), func(name string, sc *scanner) error {
		if name != "FETCH" {
			return nil
		}
		found, of, err := scanSections(sc, names)
		if err == nil && (of == uid || of == 0 && slices.ContainsFunc(found, func(text []byte) bool { return text != nil })) {
			texts = found
		}
		return err
	})
	return texts, err
}

// scanSections reads a FETCH response with sections.
func scanSections(sc *scanner, names []string) (texts [][]byte, uid uint32, err error) {
	if !sc.accept('(') {
		return nil, 0, sc.malformed("a list")
	}
	texts = make([][]byte, len(names))
	for !sc.accept(')') {
		name := strings.ToUpper(string(sc.name()))
		at := slices.IndexFunc(names, func(n string) bool { return name == "BODY["+n+"]" })
		switch {
		case name == "":
			return nil, 0, sc.malformed("an item's name")
		case name == "UID":
			var n uint64
			n, err = sc.number()
			uid = uint32(min(n, 1<<32-1))
		case at >= 0:
			texts[at], err = sc.text(maxHeader)
		default:
			err = sc.skip()
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return texts, uid, nil
}
