package imapx

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

const (
	// maxPreview bounds a preview that a server made. It has 256 characters at
	// most (RFC 8970 section 3.1).
	maxPreview = 16 << 10
	// plainBeginning and htmlBeginning are how many bytes of a text are fetched
	// for a preview. Pages of HTML begin with what nobody sees.
	plainBeginning = 2 << 10
	htmlBeginning  = 16 << 10
)

// scanStructure reads the value of BODYSTRUCTURE. The error is about the rest of
// the answer.
func (f *fetched) scanStructure(sc *scanner) error {
	tree, err := sc.tree()
	if err != nil && !errors.Is(err, errTooDeep) {
		return err
	}
	if err == nil {
		f.message.Structure, err = structureOf(tree)
	}
	if err != nil {
		f.problem = err
	}
	return nil
}

// scanPreview reads the value of PREVIEW. With NIL the server has none yet.
func (f *fetched) scanPreview(sc *scanner) error {
	text, err := sc.text(maxPreview)
	if err != nil || text == nil {
		return err
	}
	f.message.Preview, f.previewed = message.Preview(string(text)), true
	return nil
}

// missing returns why there is no structure although it was asked for.
func (f *fetched) missing(server string, asked bool) error {
	switch {
	case f.problem != nil:
		return &structureError{server: server, err: f.problem}
	case asked && f.message.Structure == nil:
		return &structureError{server: server, err: errNoStructure}
	}
	return nil
}

// preview finds the previews that did not come with the page.
func (l *listing) preview(ctx context.Context, items []item) error {
	if l.query.Fields&session.FieldPreview == 0 {
		return nil
	}
	wanted := make(map[uint32]*session.Message, len(items))
	for _, it := range items {
		if it.message != nil && !it.previewed {
			wanted[it.uid] = it.message
			if l.query.Fields&session.FieldStructure == 0 {
				it.message.Incomplete = nil // there are previews without a structure
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return l.client.read(ctx, "preview", func(cn *conn) error {
		if err := l.enter(cn); err != nil {
			return err
		}
		if cn.caps.has("PREVIEW") {
			return cn.madePreviews(wanted)
		}
		return cn.readPreviews(wanted)
	}, slog.String("folder", l.folder), slog.Int("messages", len(wanted)))
}

// madePreviews has the server make the previews that it did not have at hand.
// Where it can make none, there is none.
func (c *conn) madePreviews(wanted map[uint32]*session.Message) error {
	return c.beginnings(beginning{items: "PREVIEW", uids: sortedUIDs(wanted)}, wanted, func(m *session.Message, text []byte) error {
		m.Preview = message.Preview(string(text))
		return nil
	})
}

// beginning is what a preview is made of, the same of several messages.
type beginning struct {
	items string // of FETCH
	uids  []uint32
}

// readPreviews fetches the beginnings of texts, one command for each number that
// a text has among the messages, and for each length.
func (c *conn) readPreviews(wanted map[uint32]*session.Message) error {
	var groups []beginning
	for _, uid := range sortedUIDs(wanted) {
		items := beginningOf(wanted[uid])
		if items == "" {
			continue // there is no text
		}
		i := slices.IndexFunc(groups, func(b beginning) bool { return b.items == items })
		if i < 0 {
			i, groups = len(groups), append(groups, beginning{items: items})
		}
		groups[i].uids = append(groups[i].uids, uid)
	}
	for _, g := range groups {
		if err := c.beginnings(g, wanted, readPreview); err != nil {
			return err
		}
	}
	return nil
}

func sortedUIDs(wanted map[uint32]*session.Message) []uint32 {
	uids := make([]uint32, 0, len(wanted))
	for uid := range wanted {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	return uids
}

// beginningOf returns what to fetch of a message: of one whose structure is not
// known, of all of it.
func beginningOf(m *session.Message) string {
	if m.Structure == nil {
		return fmt.Sprintf("BODY.PEEK[]<0.%d>", htmlBeginning)
	}
	p, ok := m.Structure.TextPart()
	if !ok {
		return ""
	}
	length := plainBeginning
	if p.ContentType == "text/html" {
		length = htmlBeginning
	}
	return fmt.Sprintf("BODY.PEEK[%s]<0.%d>", p.Number, length)
}

// readPreview makes a preview of the beginning of a text, or of a message.
func readPreview(m *session.Message, text []byte) (err error) {
	head := ""
	if p, ok := m.Structure.TextPart(); ok {
		head = headOf(p)
	}
	m.Preview, err = message.ReadPreview(io.MultiReader(strings.NewReader(head), bytes.NewReader(text)))
	return err
}

// headOf writes the header of a part as its structure tells it.
func headOf(p message.StructurePart) string {
	head := "Content-Type: " + p.ContentType
	if charset := p.Params["charset"]; charset != "" {
		head += `; charset="` + strings.NewReplacer(`\`, "", `"`, "").Replace(line(charset)) + `"`
	}
	return head + "\r\nContent-Transfer-Encoding: " + line(p.Encoding) + "\r\n\r\n"
}

// beginnings fetches something short of several messages, a second time of those
// that do not come; see [conn.fetchAll]. Of which there is none is told why.
func (c *conn) beginnings(b beginning, wanted map[uint32]*session.Message, take func(*session.Message, []byte) error) error {
	told := map[uint32]bool{}
	missing := func(uid uint32) bool { return !told[uid] }
	broken, err := c.begun(b, wanted, told, take)
	if err == nil && broken == nil && slices.ContainsFunc(b.uids, missing) {
		if err := c.refresh(); err != nil {
			return err
		}
		b.uids = slices.DeleteFunc(b.uids, func(uid uint32) bool { return told[uid] })
		broken, err = c.begun(b, wanted, told, take)
	}
	if err != nil {
		return err
	}
	for _, uid := range b.uids {
		if m := wanted[uid]; !told[uid] {
			m.Incomplete = cmp.Or(m.Incomplete, broken, c.noMessage("preview"))
		}
	}
	return nil
}

// begun is one command of beginnings. Broken is what is wrong with the answer
// alone.
func (c *conn) begun(b beginning, wanted map[uint32]*session.Message, told map[uint32]bool, take func(*session.Message, []byte) error) (broken, err error) {
	err = c.run("preview", "UID FETCH "+formatSet(b.uids)+" (UID "+b.items+")", func(name string, sc *scanner) error {
		if name != "FETCH" {
			return nil
		}
		uid, text, found, err := scanBeginning(sc)
		if itemError(err) {
			broken = fmt.Errorf("%s: preview: %w", c.address, err)
			return nil
		}
		m := wanted[uid]
		if err != nil || m == nil || !found {
			return err
		}
		told[uid] = true
		if err := take(m, text); err != nil {
			m.Incomplete = cmp.Or(m.Incomplete, fmt.Errorf("%s: preview: %w", c.address, err))
		}
		return nil
	})
	if e, refused := errors.AsType[*Error](err); refused && e.Type == "NO" && !e.Temporary() {
		broken, err = e, nil
	}
	return broken, err
}

// scanBeginning reads a FETCH response with one text in it, or NIL. Others may
// tell of flags alone.
func scanBeginning(sc *scanner) (uid uint32, text []byte, found bool, err error) {
	if !sc.open() {
		return 0, nil, false, sc.malformed("a list")
	}
	for sc.more() {
		switch name := strings.ToUpper(string(sc.name())); {
		case name == "":
			return 0, nil, false, sc.malformed("an item's name")
		case name == "UID":
			var n uint64
			n, err = sc.number()
			uid = uint32(min(n, 1<<32-1))
		case strings.HasPrefix(name, "BODY["), name == "PREVIEW":
			text, err = sc.text(maxHeader)
			found = true
		default:
			err = sc.skip()
		}
		if err != nil {
			return 0, nil, false, err
		}
	}
	return uid, text, found, nil
}
