package imapx

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// connected returns a connection to a server that says text and nothing
// more, whatever it is asked.
func connected(t *testing.T, text string) *conn {
	t.Helper()
	client, server := pipe.New()
	w, err := wire.Dial(t.Context(), wire.Config{
		Address: "imap.example.org:143",
		Dial:    func(context.Context, string, string) (net.Conn, error) { return client, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Kill(net.ErrClosed) })
	go func() {
		_, _ = io.WriteString(server, text)
		if half, ok := server.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	return &conn{wire: w, address: "imap.example.org:143", edits: new(atomic.Int64)}
}

// ask has the connection ask one of the questions that servers answer at length,
// and checks that what comes of it is bounded by what was said.
func ask(t *testing.T, c *conn, question uint8, said int) error {
	t.Helper()
	switch question % 7 {
	case 0:
		l, err := c.list(session.FolderOptions{})
		if len(l.folders) > said/len("* LIST") {
			t.Errorf("%d folders of %d bytes", len(l.folders), said)
		}
		for _, f := range l.folders {
			if len(f.Mailbox) > said+len(asItCame) || !utf8.ValidString(shownName(f.Mailbox)) {
				t.Errorf("a folder named %q", f.Mailbox)
			}
		}
		return err
	case 1:
		uids, err := c.searchUIDs("UID SEARCH ALL")
		if len(uids) > maxFound || !slices.IsSorted(uids) || slices.Contains(uids, 0) {
			t.Errorf("%d numbers were found, not in order, or 0 among them", len(uids))
		}
		return err
	case 2:
		got, _, err := c.fetch([]uint32{1, 2, 3}, session.Reads{Fields: session.FieldsAll})
		if len(got) > 3 {
			t.Errorf("%d messages, want at most 3", len(got))
		}
		return err
	case 3:
		quotas, err := c.quotas("INBOX")
		for _, q := range quotas {
			for _, u := range []session.Usage{q.Bytes, q.Messages} {
				if left, ok := u.Left(); left < 0 || u.Used < -1 || u.Limit < -1 || u.Limit == 0 || ok && u.Limit < 0 {
					t.Errorf("a usage of %+v, with %d left", u, left)
				}
			}
		}
		return err
	case 4:
		c.caps = capabilities{"NAMESPACE": true}
		all, err := c.namespaces()
		for _, name := range []string{"INBOX", "Sent", "INBOX.Sent", "Other Users/bob/Sent"} {
			for _, delimiter := range []string{".", "/"} {
				path, _ := all.pathOf(name, delimiter)
				whole := session.JoinPath(split(name, delimiter)...)
				if back := all.nameOf(session.SplitPath(path), delimiter); back != name && path != whole {
					t.Errorf("%s has the path %q, which leads to %q, among %+v", name, path, back, all)
				}
			}
		}
		return err
	case 5:
		err := c.identify(libraryID())
		if words := c.serverWords(); len(c.serverID) > maxIDFields || strings.ContainsAny(words, "\r\n\x00") {
			t.Errorf("the server calls itself %q", words)
		}
		return err
	}
	_, err := c.enter("INBOX", false)
	return err
}

// FuzzResponses: whatever a server says ahead of a command's end, the client
// neither panics nor takes more memory than it was sent for, and it finds the
// end of that command and of the next. Only a literal may stretch over them.
func FuzzResponses(f *testing.F) {
	for _, seed := range []string{
		`* LIST (\HasNoChildren) "/" "a ""b" ("OLDNAME" ("c"))`, "* LIST () NIL {3}\r\nabc", "* list ((", `* LIST () "`, "* LIST () / \tx\t",
		`* NAMESPACE (("INBOX." ".")) (("Other Users/" "/" "X-A" ("b"))) NIL`, `* NAMESPACE (("" NIL)("#mh/" "/")) NIL (("" "."))`, "* NAMESPACE ((NIL NIL)", "* namespace",
		"* QUOTAROOT INBOX \"\"\r\n* QUOTA \"\" (STORAGE 10 512 MESSAGE 3 0)", "* QUOTAROOT {5}\r\nINBOX a b\r\n* QUOTA a (STORAGE 9223372036854775807 18446744073709551615)", "* QUOTA (", "* LSUB () NIL a",
		"* SEARCH 1 2 3 (MODSEQ 4)", `* ESEARCH (TAG "M1") UID ALL 1:3,7`, "* ESEARCH UID ALL 1:4294967295", "* esearch ( uid",
		`* 1 FETCH (UID 1 (FLAGS (\Seen)) RFC822.SIZE 9e3)`, "* 2 FETCH (UID 2 BODY[HEADER] {2}\r\nab)", "*  3  fetch((((", "* 1 FETCH",
		"* OK [UIDVALIDITY 7] ok", "* OK [UIDVALIDITY", "[COPYUID 1 2 3]", "+ idling", "", "* ", "* 1", "* BYE", "*\x00",
		`* ID ("name" "x" "version" NIL NIL "y" "os")`, "* ID NIL", "* ID ((", `* ID ("name" ("x"))`, "* ID",
	} {
		for question := range uint8(7) {
			f.Add(question, seed)
		}
	}
	f.Fuzz(func(t *testing.T, question uint8, said string) {
		c := connected(t, said+"\r\nM1 OK done\r\nM2 OK done\r\n")
		if strings.ContainsAny(said, "{") || strings.Contains(said, "\nM") || strings.HasPrefix(said, "M") {
			_ = ask(t, c, question, len(said)) // what was announced need not come
			return
		}
		err := ask(t, c, question, len(said))
		if lost := c.wire.Err(); lost != nil {
			t.Fatalf("%q ends the connection: %v, %v", said, lost, err)
		}
		if err := c.refresh(); err != nil {
			t.Fatalf("behind %q the next command comes to %v", said, err)
		}
	})
}

// FuzzLines: what is read of single lines is part of them, and fit for an error.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"* OK [ALERT] a\x01b", "* 12 FETCH (X", "* NO größer {12}", "OK [", "* OK [A B", "[COPYUID 1 2 3]", "{}", "* {9+}", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		kept := bytes.Clone(line)
		if name, args := ours(line); name != "" && !bytes.HasSuffix(line, args) || name == "" && args != nil {
			t.Errorf("ours(%q) = %q, %q", line, name, args)
		}
		if before, n, ok := cutLiteral(line); n < 0 || !bytes.HasPrefix(line, before) || !ok && len(before) != len(line) {
			t.Errorf("cutLiteral(%q) = %q, %d, %t", line, before, n, ok)
		}
		for _, parse := range []func([]byte) (status, bool){parseStatus, parseRemark, parseUntagged} {
			s, ok := parse(line)
			if !ok {
				continue
			}
			if len(s.text) > 3*maxText+3 || !utf8.ValidString(s.text) || strings.ContainsFunc(s.text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("the text of %q is %q", line, s.text)
			}
		}
		if name := repairName(line); len(name) > len(line) {
			t.Errorf("repairName(%q) = %q", line, name)
		}
		if !bytes.Equal(line, kept) {
			t.Errorf("%q was changed to %q", kept, line)
		}
	})
}

// FuzzFolderNames: a folder's name is sent back as it came, whatever it is, and
// one in quotes is read as what it stands for.
func FuzzFolderNames(f *testing.F) {
	for _, seed := range []string{"INBOX", "Entw&APw-rfe", "R&D", "&AGE-", "Entwürfe", "a\tb ", `a"b\c`, "\xfc", "&", "&-", "&AAA-", "a\r\nb", "&2D0-"} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, raw string, rev2 bool) {
		raw = strings.ReplaceAll(raw, "\x00", "")
		c := &conn{caps: capabilities{"IMAP4REV1": !rev2, "IMAP4REV2": true}}
		name := c.knownName(raw)
		if !utf8.ValidString(shownName(name)) {
			t.Errorf("%q is shown as %q", raw, shownName(name))
		}
		sent := c.mailboxName(name)
		back, literal := strings.CutPrefix(sent, "\x00")
		if back = strings.TrimSuffix(back, "\x00"); !literal {
			back = string(repairName([]byte(sent + ` ("OLDNAME" ("x"))`)))
		}
		if back != raw {
			t.Errorf("%q is known as %q and sent as %q", raw, name, sent)
		}
		if other := c.knownName(back); other != name {
			t.Errorf("%q is known as %q, and then as %q", raw, name, other)
		}
	})
}
