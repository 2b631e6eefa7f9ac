package imapx

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

func TestParseStatus(t *testing.T) {
	for _, tt := range []struct {
		line string
		want status
		ok   bool
	}{
		{"OK done", status{typ: "OK", text: "done"}, true},
		{"no [authenticationfailed] Bad token", status{typ: "NO", code: "AUTHENTICATIONFAILED", text: "Bad token"}, true},
		{"OK [COPYUID 7 1:2 3:4] moved", status{typ: "OK", code: "COPYUID", args: "7 1:2 3:4", text: "moved"}, true},
		{"OK", status{typ: "OK"}, true},
		{"OK [UIDNEXT 4", status{typ: "OK", text: "[UIDNEXT 4"}, true},
		{"BYE\x00gone", status{}, false},
		{"BYE shutting\x01down", status{typ: "BYE", text: "shutting down"}, true},
		{"FETCH (FLAGS ())", status{}, false},
		{"", status{}, false},
	} {
		got, ok := parseStatus([]byte(tt.line))
		if got != tt.want || ok != tt.ok {
			t.Errorf("parseStatus(%q) = %+v, %t, want %+v, %t", tt.line, got, ok, tt.want, tt.ok)
		}
	}
}

func TestCutLiteral(t *testing.T) {
	for _, tt := range []struct {
		line, before string
		n            int64
		ok           bool
	}{
		{"* 1 FETCH (BODY[] {12}", "* 1 FETCH (BODY[] ", 12, true},
		{"* 1 FETCH (BODY[] {12+}", "* 1 FETCH (BODY[] ", 12, true},
		{"* 1 FETCH (BINARY[] ~{0}", "* 1 FETCH (BINARY[] ", 0, true},
		{"{}", "{}", 0, false},
		{"{+}", "{+}", 0, false},
		{"{-1}", "{-1}", 0, false},
		{"{+1}", "{+1}", 0, false},
		{"{99999999999999999999}", "{99999999999999999999}", 0, false},
		{"12}", "12}", 0, false},
		{"{12} ", "{12} ", 0, false},
	} {
		before, n, ok := cutLiteral([]byte(tt.line))
		if string(before) != tt.before || n != tt.n || ok != tt.ok {
			t.Errorf("cutLiteral(%q) = %q, %d, %t, want %q, %d, %t", tt.line, before, n, ok, tt.before, tt.n, tt.ok)
		}
	}
}

func TestSets(t *testing.T) {
	for _, tt := range []struct {
		nums []uint32
		text string
	}{
		{[]uint32{1}, "1"},
		{[]uint32{1, 2, 3}, "1:3"},
		{[]uint32{1, 2, 4, 6, 7}, "1:2,4,6:7"},
		{[]uint32{4294967294, 4294967295}, "4294967294:4294967295"},
	} {
		if got := formatSet(tt.nums); got != tt.text {
			t.Errorf("formatSet(%v) = %q, want %q", tt.nums, got, tt.text)
		}
		if got, ok := parseSet(tt.text, 10); !ok || !slices.Equal(got, tt.nums) {
			t.Errorf("parseSet(%q) = %v, %t, want %v", tt.text, got, ok, tt.nums)
		}
	}
	if got, ok := parseSet("9,3:4", 10); !ok || !slices.Equal(got, []uint32{9, 3, 4}) {
		t.Errorf(`parseSet("9,3:4") = %v, %t: the order says which copy is which`, got, ok)
	}
	for _, bad := range []string{"", "*", "1:*", "0", "1,,2", "x", "1:4294967295", "1:11", "-1", "4294967296"} {
		if got, ok := parseSet(bad, 10); ok {
			t.Errorf("parseSet(%q) = %v, want a refusal", bad, got)
		}
	}
}

func TestMailboxName(t *testing.T) {
	for name, want := range map[string]string{
		"INBOX":           `"INBOX"`,
		`a "b" \c`:        `"a \"b\" \\c"`,
		"Entwürfe":        `"Entw&APw-rfe"`,
		"R&D":             `"R&-D"`,
		"台北/日本語":          `"&U,BTFw-/&ZeVnLIqe-"`, // RFC 3501 section 5.1.3
		"\U0001F4E7 post": `"&2D3c5w- post"`,
		"a\r\nb":          `"a&AA0ACg-b"`,
	} {
		if got := (&conn{}).mailboxName(name); got != want {
			t.Errorf("mailboxName(%q) = %s, want %s", name, got, want)
		}
	}
}

func TestFoldersAndTheirRoles(t *testing.T) {
	listed := []*imap.ListData{
		{Mailbox: "inbox", Delim: '.'},
		{Mailbox: "INBOX.Sent", Delim: '.'},
		{Mailbox: "INBOX.Projects", Delim: '.', Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}},
		{Mailbox: "INBOX.Projects.A/B", Delim: '.'},
		{Mailbox: "Mülleimer", Delim: '.', Attrs: []imap.MailboxAttr{imap.MailboxAttrTrash}},
		{Mailbox: "Trash", Delim: '.'},
		{Mailbox: "Archive.Sent", Delim: '.'},
		{Mailbox: "gone", Delim: '.', Attrs: []imap.MailboxAttr{imap.MailboxAttrNonExistent}},
	}
	want := []folder{
		{name: "INBOX", delimiter: ".", Folder: session.Folder{Path: "inbox", Role: session.RoleInbox}},
		{name: "INBOX.Sent", delimiter: ".", Folder: session.Folder{Path: "INBOX/Sent", Role: session.RoleSent}},
		{name: "INBOX.Projects", delimiter: ".", Folder: session.Folder{Path: "INBOX/Projects", NoMessages: true}},
		{name: "INBOX.Projects.A/B", delimiter: ".", Folder: session.Folder{Path: `INBOX/Projects/A\/B`}},
		{name: "Mülleimer", delimiter: ".", Folder: session.Folder{Path: "Mülleimer", Role: session.RoleTrash}},
		{name: "Trash", delimiter: ".", Folder: session.Folder{Path: "Trash"}},
		{name: "Archive.Sent", delimiter: ".", Folder: session.Folder{Path: "Archive/Sent"}},
	}
	if got := foldersOf(&folderListing{folders: listed}, nil); !slices.Equal(got, want) {
		t.Errorf("foldersOf:\n got %+v\nwant %+v", got, want)
	}
}

// scan gives text to a scanner as the connection would: text is what follows
// the first line of a response.
func scan(t *testing.T, text string) *scanner {
	t.Helper()
	sc := &scanner{wire: connected(t, text).wire}
	line, err := sc.wire.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	sc.start(line)
	return sc
}

func TestFetchResponses(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		uid        uint32
		want       session.Message
		malformed  bool
	}{
		{
			name: "all that a listing asks for",
			text: "(UID 7 FLAGS (\\Seen $Work) INTERNALDATE \" 2-Jan-2026 15:04:05 +0100\" RFC822.SIZE 99 BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nSubject: x\r\n\r\n)\r\n",
			uid:  7, want: session.Message{Flags: session.Flags{session.Seen, "$Work"}, Size: 99, Header: message.ParseHeader([]byte("Subject: x\r\n\r\n"))},
		},
		{
			name: "unknown items of every shape are passed over",
			text: "(X-NAMES (\"\\\\Inbox\" {3}\r\na)( \"q\\\"uote\") X-ID (M1) PREVIEW NIL X-COUNT (12) UID 8 X {0}\r\n FLAGS ())\r\n",
			uid:  8, want: session.Message{Flags: session.Flags{}},
		},
		{
			name: "header as a quoted string, in lower case and with spaces",
			text: "( uid 9  body[header.fields (subject)] \"Subject: \\\"x\\\"\" )\r\n",
			uid:  9, want: session.Message{Header: message.ParseHeader([]byte(`Subject: "x"`))},
		},
		{name: "a date that is none", text: "(UID 10 INTERNALDATE \"yesterday\")\r\n", uid: 10},
		{name: "a number that is none", text: "(UID 11 RFC822.SIZE -1)\r\n", uid: 11, malformed: true},
		{name: "no end", text: "(UID 12 FLAGS (\\Seen\r\n", uid: 12, malformed: true},
		{name: "no value", text: "(UID 13 FLAGS)\r\n", uid: 13, malformed: true},
		{name: "no list", text: "UID 14\r\n", malformed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sc := scan(t, tt.text+"next\r\n")
			got := newFetched(0)
			err := got.scan(sc)
			if itemError(err) != tt.malformed || !tt.malformed && err != nil {
				t.Fatalf("scan error %v, want malformed %t", err, tt.malformed)
			}
			got.message.Received = tt.want.Received
			if got.uid != tt.uid || fmt.Sprint(*got.message) != fmt.Sprint(tt.want) {
				t.Errorf("scan:\n got %d %+v\nwant %d %+v", got.uid, *got.message, tt.uid, tt.want)
			}
			if err := sc.end(); err != nil {
				t.Fatalf("end: %v", err)
			}
			if line, err := sc.wire.ReadLine(); string(line) != "next" || err != nil {
				t.Errorf("the next response is %q, %v", line, err)
			}
		})
	}
}

func TestHeaderTooLarge(t *testing.T) {
	size := maxHeader + 1
	sc := scan(t, fmt.Sprintf("(UID 5 BODY[HEADER] {%d}\r\n%s)\r\nnext\r\n", size, strings.Repeat("x", size)))
	f := newFetched(0)
	if err := f.scan(sc); !errors.Is(err, errTooLarge) || f.uid != 5 {
		t.Errorf("scan error %v, uid %d, want errTooLarge for 5", err, f.uid)
	}
	if err := sc.end(); err != nil {
		t.Fatal(err)
	}
	if line, err := sc.wire.ReadLine(); string(line) != "next" || err != nil {
		t.Errorf("the next response is %q, %v", line, err)
	}
}

// FuzzFetch: whatever a response looks like, the one behind it is found, unless
// the response announces more than the connection brings.
func FuzzFetch(f *testing.F) {
	for _, seed := range []string{
		"(UID 7 FLAGS (\\Seen) BODY[HEADER.FIELDS (A B)] {3}\r\nabc)",
		"(ENVELOPE (NIL \"a\\\"\" ((NIL NIL \"x\" \"y\")) NIL) UID 1)",
		"((((((", ")", "\"", "(A \"b\\", "(A {2}\r\nxy {1}\r\nz)", "(UID 99999999999999999999)", "(X ~{1}\r\n\x00)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, response string) {
		checkNextFound(t, response, func(sc *scanner) error {
			got := newFetched(0)
			return got.scan(sc)
		})
	})
}

// FuzzStatusAndSections is the same for what STATUS and sections are answered
// with.
func FuzzStatusAndSections(f *testing.F) {
	for _, seed := range []string{
		"(MESSAGES 7 UNSEEN 1 X-A (1 (2)) X-B NIL X-C \"a\\\"\")", "(MESSAGES", "(MESSAGES 99999999999999999999)",
		"(UID 7 BODY[1.MIME] {3}\r\nabc BODY[HEADER] NIL)", "(BODY[1.MIME] \"\" X-GM-LABELS (a \"b\" {1}\r\nc))",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, response string) {
		checkNextFound(t, response, func(sc *scanner) error { return scanStatus(sc, map[string]uint64{}) })
		checkNextFound(t, response, func(sc *scanner) error {
			_, _, err := scanSections(sc, []string{"1.MIME", "HEADER"})
			return err
		})
	})
}

// checkNextFound reads a response and looks whether the one behind it is found.
func checkNextFound(t *testing.T, response string, read func(*scanner) error) {
	t.Helper()
	announced := 0
	for line := range strings.SplitSeq(response, "\n") {
		if _, n, ok := cutLiteral(bytes.TrimSuffix([]byte(line), []byte("\r"))); ok && n >= 0 {
			announced++
		}
	}
	sc := scan(t, response+"\r\nnext\r\n")
	err := read(sc)
	if err == nil || itemError(err) {
		err = sc.end()
	}
	if err != nil {
		if announced == 0 {
			t.Fatalf("scan and end of %q: %v", response, err)
		}
		return
	}
	if announced > 0 || strings.Contains(response, "\n") {
		return // the rest of the response is lines of their own
	}
	if line, err := sc.wire.ReadLine(); string(line) != "next" || err != nil {
		t.Fatalf("behind %q comes %q, %v", response, line, err)
	}
}

// FuzzParseSet: what is read is what was written, and never more than the limit.
func FuzzParseSet(f *testing.F) {
	f.Add("1:3,5", 10)
	f.Add("9,3:4", 3)
	f.Add("4:2", 3)
	f.Fuzz(func(t *testing.T, set string, limit int) {
		limit = min(limit, 1000)
		nums, ok := parseSet(set, limit)
		if !ok {
			return
		}
		if len(nums) > limit || len(nums) == 0 || slices.Contains(nums, 0) {
			t.Fatalf("parseSet(%q, %d) = %v", set, limit, nums)
		}
		slices.Sort(nums)
		nums = slices.Compact(nums)
		again, ok := parseSet(formatSet(nums), limit)
		if !ok || !slices.Equal(again, nums) {
			t.Fatalf("formatSet(%v) = %q reads as %v", nums, formatSet(nums), again)
		}
	})
}
