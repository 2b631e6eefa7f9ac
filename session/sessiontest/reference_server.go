package sessiontest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"unicode"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// isFlag reports whether text can be kept as a flag, of which a free one may hold
// blanks and letters of any language.
func isFlag(text string, free bool) bool {
	text = strings.TrimPrefix(text, `\`)
	if free {
		return strings.TrimSpace(text) != "" && !strings.ContainsFunc(text, unicode.IsControl)
	}
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// serve answers the question of one connection.
func (r *Reference) serve(conn net.Conn) {
	defer conn.Close()
	t := newTalk(conn)
	err := r.answerTo(t)
	if err == nil {
		err = t.w.Flush()
	}
	if err != nil {
		return // the client is gone, and knows it
	}
	_, _ = io.Copy(io.Discard, t.r) // until the client leaves
}

func (r *Reference) answerTo(t *talk) error {
	var q question
	line, err := t.line()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return t.write(refusalOf(err))
	}
	a, err := r.Box.CheckPassword(q.User, secret.New(q.Password))
	if err != nil {
		return t.write(answer{Kind: kindAuth, Name: q.User, Error: err.Error()})
	}
	visit := visitor{Reference: r, account: a, talk: t, q: q}
	switch q.Op {
	case "facts":
		return t.write(answer{End: true})
	case "folders":
		return visit.folders()
	case "search":
		return visit.search()
	case "fetch":
		return visit.fetch()
	case "open":
		return visit.open()
	case "apply":
		return visit.apply()
	case "quota":
		return visit.quota()
	case "send":
		return visit.send()
	}
	return visit.further()
}

// visitor is a user who asks a question.
type visitor struct {
	*Reference
	*talk

	account *mailtest.Account
	q       question
}

func (v visitor) folders() error {
	for _, f := range v.account.Folders() {
		if v.Facts.OneFolder && f.Role != mailtest.RoleInbox {
			continue
		}
		if err := v.write(answer{place: place{Folder: f.Name}, Role: string(f.Role)}); err != nil {
			return err
		}
	}
	return v.write(answer{End: true})
}

// lacking is the error about what the server was told to lack.
func lacking(what string) error {
	return fmt.Errorf("there is no %s here: %w", what, errors.ErrUnsupported)
}

// find returns the folder that a reference names.
func (v visitor) find(ref session.FolderRef) (mailtest.Folder, error) {
	role, byRole := ref.Role()
	path, byPath := ref.Path()
	for _, f := range v.account.Folders() {
		if byRole && string(f.Role) == string(role) || byPath && f.Name == path {
			if v.Facts.OneFolder && f.Role != mailtest.RoleInbox {
				break
			}
			return f, nil
		}
	}
	if v.Facts.OneFolder {
		return mailtest.Folder{}, lacking("folder but the inbox")
	}
	return mailtest.Folder{}, fmt.Errorf("%s: %w", ref, session.ErrNoFolder)
}

// search writes where the messages are that a query asks for.
func (v visitor) search() error {
	f, err := v.find(session.FolderRef(v.q.Folder))
	if err != nil {
		return v.write(refusalOf(err))
	}
	all, err := v.account.Messages(f.Name)
	if err != nil {
		return v.write(refusalOf(err))
	}
	if err := v.checkAfter(f); err != nil {
		return v.write(refusalOf(err))
	}
	all = slices.DeleteFunc(all, func(m mailtest.Message) bool { return !v.behind(uint32(m.UID)) })
	if !v.q.Query.OldestFirst {
		slices.Reverse(all)
	}
	n := 0
	for _, m := range all {
		ok, err := v.matches(v.q.Query.Where, m)
		if err != nil {
			return v.write(refusalOf(err))
		}
		if !ok {
			continue
		}
		if n++; v.q.Query.Limit > 0 && n > v.q.Query.Limit {
			break
		}
		if err := v.write(answer{place: placeOf(m)}); err != nil {
			return err
		}
	}
	return v.write(answer{End: true})
}

// checkAfter reports why a listing of a folder cannot go on where it is to.
func (v visitor) checkAfter(f mailtest.Folder) error {
	switch after := v.q.After; {
	case after == place{}:
	case after.Folder != f.Name:
		return fmt.Errorf("go on in %s: %w", f.Name, session.ErrOtherFolder)
	case after.Validity != f.UIDValidity:
		return session.ErrStaleID
	case !v.Facts.AfterGone:
		_, err := v.at(after)
		return err
	}
	return nil
}

// behind reports whether a message comes behind the place where the listing goes
// on.
func (v visitor) behind(key uint32) bool {
	after := v.q.After.Key
	return after == 0 || v.q.Query.OldestFirst && key > after || !v.q.Query.OldestFirst && key < after
}

func placeOf(m mailtest.Message) place {
	return place{Folder: m.Folder, Validity: m.UIDValidity, Key: uint32(m.UID)}
}

// fetch writes the summaries of a page.
func (v visitor) fetch() error {
	folder, _ := session.FolderRef(v.q.Folder).Path()
	for _, key := range v.q.Keys {
		m, err := v.account.Message(folder, mailtest.UID(key))
		if err != nil {
			continue // it is gone
		}
		if err := v.writeSummary(m); err != nil {
			return err
		}
	}
	return v.write(answer{End: true})
}

// writeSummary writes what the question asks for of a message.
func (v visitor) writeSummary(m mailtest.Message) error {
	a := answer{place: placeOf(m)}
	fields := v.q.Query.Fields
	if fields&session.FieldFlags != 0 && !v.Facts.NoFlags {
		a.Flags = m.Flags
	}
	if fields&session.FieldReceived != 0 {
		a.Received = m.Received
	}
	if fields&session.FieldSize != 0 {
		a.Size = int64(len(m.Raw))
	}
	if fields&session.FieldHeader != 0 {
		head, _, _ := strings.Cut(m.Raw, "\r\n\r\n")
		a.Header = []byte(head + "\r\n\r\n")
	}
	if err := a.look(m.Raw, fields); err != nil {
		return err
	}
	v.addExtra(&a, m)
	return v.write(a)
}

// look tells what a message has in it. One that is cut off has the parts up to
// there.
func (a *answer) look(raw string, fields session.Fields) error {
	if fields&session.FieldStructure != 0 {
		s, err := message.ReadStructure(strings.NewReader(raw))
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		a.Structure = s
	}
	if fields&session.FieldPreview != 0 {
		m, err := message.Parse(strings.NewReader(raw), nil)
		if err != nil {
			return err
		}
		a.Preview = m.Preview()
	}
	return nil
}

// at returns the message at a place.
func (v visitor) at(p place) (mailtest.Message, error) {
	f, err := v.account.Folder(p.Folder)
	if err != nil {
		return mailtest.Message{}, fmt.Errorf("%s: %w", p.Folder, session.ErrNoFolder)
	}
	if f.UIDValidity != p.Validity {
		return mailtest.Message{}, session.ErrStaleID
	}
	m, err := v.account.Message(p.Folder, mailtest.UID(p.Key))
	if err != nil {
		return m, session.ErrNoMessage
	}
	return m, nil
}

func (v visitor) open() error {
	m, err := v.at(v.q.Places[0])
	if err != nil {
		return v.write(refusalOf(err))
	}
	if err := v.write(answer{Size: int64(len(m.Raw))}); err != nil {
		return err
	}
	raw := m.Raw[min(v.q.Offset, int64(len(m.Raw))):]
	if v.q.Limit > 0 {
		raw = raw[:min(v.q.Limit, int64(len(raw)))]
	}
	for chunk := range slices.Chunk([]byte(raw), chunkSize) {
		if err := v.writeChunk(chunk); err != nil {
			return err
		}
	}
	return v.writeChunk(nil)
}

// able reports what is lacking for a change.
func (v visitor) able(c session.Change) error {
	flags := slices.Concat(c.Set, c.Clear)
	named := session.Flags{session.Seen, session.Answered, session.Flagged, session.Deleted, session.Draft}
	switch {
	case v.Facts.NoFlags && len(flags) > 0:
		return lacking("flag")
	case !v.Facts.Keywords && slices.ContainsFunc(flags, func(f session.Flag) bool { return !named.Has(f) }):
		return lacking("keyword")
	case !v.Facts.Labels && len(c.AddLabels)+len(c.RemoveLabels) > 0:
		return lacking("label")
	case !v.Facts.Versions && c.IfUnchanged != nil:
		return lacking("version that a change could depend on")
	case v.Facts.OneFolder && (c.MoveTo != "" || c.CopyTo != ""):
		return lacking("folder to move or copy to")
	case !v.Facts.SafeMove && c.MoveTo != "":
		return lacking("way to move safely")
	case !v.Facts.SafeDelete && c.Delete:
		return lacking("way to delete safely")
	}
	return nil
}

// apply changes one message after the other and answers for each.
func (v visitor) apply() error {
	c := v.q.Change
	err := v.able(c)
	to := ""
	if ref := c.MoveTo + c.CopyTo; err == nil && ref != "" {
		var f mailtest.Folder
		f, err = v.find(ref)
		to = f.Name
	}
	done := map[place]answer{}
	for _, p := range v.q.Places {
		a, again := done[p]
		switch {
		case err != nil:
			a = refusalOf(err)
		case !again:
			a = v.change(c, to, p)
			done[p] = a
		}
		if err := v.write(a); err != nil {
			return err
		}
	}
	return nil
}

func (v visitor) change(c session.Change, to string, p place) answer {
	m, err := v.at(p)
	if err != nil {
		return refusalOf(err)
	}
	err = v.changeFlags(c, m)
	if err == nil && len(c.AddLabels)+len(c.RemoveLabels) > 0 {
		err = v.changeLabels(c, m)
	}
	var there []mailtest.Transferred
	switch {
	case err != nil:
	case c.MoveTo != "":
		there, err = v.account.Move(p.Folder, to, m.UID)
	case c.CopyTo != "":
		there, err = v.account.Copy(p.Folder, to, m.UID)
	case c.Delete:
		_, err = v.account.Expunge(p.Folder, m.UID)
	}
	if err != nil {
		return refusalOf(err)
	}
	a := answer{Name: "done"}
	if len(there) == 1 {
		if moved, err := v.account.Message(to, there[0].To); err == nil {
			a.place = placeOf(moved)
		}
	}
	return a
}

func wordsOf(flags session.Flags) []string {
	words := make([]string, 0, len(flags))
	for _, f := range flags {
		words = append(words, string(f))
	}
	return words
}

// send takes a message: an answer for each recipient, then one to the message.
func (v visitor) send() error {
	limit := v.limit()
	if v.q.Size > limit {
		return v.put(refusalOf(errors.New("the message is too large")))
	}
	var known []string
	for _, to := range v.q.Envelope.To {
		a := answer{Name: to}
		if _, ok := v.Box.Account(to); ok {
			known = append(known, to)
		} else {
			a = refusalOf(errors.New("no such recipient"))
		}
		if err := v.write(a); err != nil {
			return err
		}
	}
	if err := v.w.Flush(); err != nil || len(known) == 0 {
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(&chunks{talk: v.talk}, limit+1))
	if err != nil {
		return err
	}
	if int64(len(raw)) > limit {
		return v.put(refusalOf(errors.New("the message is too large")))
	}
	text := string(raw)
	if !strings.HasSuffix(text, "\r\n") {
		text += "\r\n"
	}
	slices.Sort(known)
	if err := v.Box.Deliver(text, slices.Compact(known)...); err != nil {
		return v.put(refusalOf(err))
	}
	return v.put(answer{Name: "accepted", End: true})
}

// limit is the size in bytes of the largest message that is taken.
func (r *Reference) limit() int64 { return cmp.Or(r.MaxMessage, 1<<20) }

// chunks reads a message.
type chunks struct {
	*talk

	left int64
}

func (c *chunks) Read(p []byte) (int, error) { return c.chunk(p, &c.left) }
