package imaptest

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

func TestUTF7(t *testing.T) {
	tests := []struct{ name, encoded string }{
		{"INBOX", "INBOX"},
		{"", ""},
		{"&", "&-"},
		{"A & B", "A &- B"},
		{"Entwürfe", "Entw&APw-rfe"},
		{"~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
		{"😀", "&2D3eAA-"},
		{"tab\there", "tab&AAk-here"},
	}
	for _, tt := range tests {
		if got := encodeUTF7(tt.name); got != tt.encoded {
			t.Errorf("encodeUTF7(%q) = %q, want %q", tt.name, got, tt.encoded)
		}
		if got, ok := decodeUTF7(tt.encoded); !ok || got != tt.name {
			t.Errorf("decodeUTF7(%q) = %q, %t, want %q", tt.encoded, got, ok, tt.name)
		}
	}
	for _, wrong := range []string{"&", "&AGE-", "&U,BTFw", "&!!-", "&AA-", "&2D0-", "ü", "&AOQ-&AOQ-", "&AOQ", "a\x01"} {
		if got, ok := decodeUTF7(wrong); ok {
			t.Errorf("decodeUTF7(%q) = %q, want none", wrong, got)
		}
	}
}

func TestMatches(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a/b", true},
		{"%", "a/b", false},
		{"%/%", "a/b", true},
		{"a*b", "a/x/b", true},
		{"a%b", "a/b", false},
		{"a%b", "axxb", true},
		{"", "", true},
		{"a", "", false},
		{"inbox", "INBOX", true},
		{"inbox/*", "INBOX/x", true},
		{"inboxes", "inboxes", true},
		{"sent", "Sent", false},
		{strings.Repeat("*a", 50), strings.Repeat("a", 5000) + "b", false},
	}
	for _, tt := range tests {
		if got := matches(tt.pattern, tt.name); got != tt.want {
			t.Errorf("matches(%q, %q) = %t, want %t", tt.pattern, tt.name, got, tt.want)
		}
	}
}

func TestUIDSet(t *testing.T) {
	tests := []struct {
		uids []mailtest.UID
		want string
	}{
		{nil, ""},
		{[]mailtest.UID{4}, "4"},
		{[]mailtest.UID{1, 2, 3, 5, 7, 8}, "1:3,5,7:8"},
		{[]mailtest.UID{3, 2, 1}, "3,2,1"},
	}
	for _, tt := range tests {
		if got := uidSet(tt.uids); got != tt.want {
			t.Errorf("uidSet(%v) = %q, want %q", tt.uids, got, tt.want)
		}
	}
}

func TestLiteralAt(t *testing.T) {
	tests := []struct {
		line         string
		n            int
		eager, found bool
	}{
		{"a LOGIN {5}", 5, false, true},
		{"a LOGIN {5+}", 5, true, true},
		{"{0}", 0, false, true},
		{"x{}", 0, false, false},
		{"x{+}", 0, false, false},
		{"x{-1}", 0, false, false},
		{"x{5} ", 0, false, false},
		{"x5}", 0, false, false},
		{`"a{5}"`, 0, false, false},
	}
	for _, tt := range tests {
		n, eager, found := literalAt([]byte(tt.line))
		if n != tt.n && tt.found || eager != tt.eager && tt.found || found != tt.found {
			t.Errorf("literalAt(%q) = %d, %t, %t, want %d, %t, %t", tt.line, n, eager, found, tt.n, tt.eager, tt.found)
		}
	}
}

func FuzzUTF7(f *testing.F) {
	for _, s := range []string{"INBOX", "&-", "Entw&APw-rfe", "&2D3eAA-", "&AOQ-&AOQ-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, ok := decodeUTF7(s); ok && encodeUTF7(name) != s {
			t.Errorf("%q decodes to %q, which encodes to %q", s, name, encodeUTF7(name))
		}
		s = strings.ToValidUTF8(s, "?")
		encoded := encodeUTF7(s)
		if name, ok := decodeUTF7(encoded); !ok || name != s {
			t.Errorf("%q encodes to %q, which decodes to %q, %t", s, encoded, name, ok)
		}
	})
}

// FuzzEntity takes messages apart and checks that all pieces are pieces of the
// message, and that header and body are all of it.
func FuzzEntity(f *testing.F) {
	f.Add(mailtest.Sample(1))
	f.Add("Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\n--a b\r\n\r\nx\r\n--a b\r\nContent-Type: message/rfc822\r\n\r\nTo: a\r\n\r\n--a b--\r\n")
	f.Add("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x (y\n\n--b\n\n--b--")
	f.Add("From: a <b@c>, (x) d@e, g: h@i;, \"q\\\"\" <@r:s@t>\n")
	f.Fuzz(func(t *testing.T, raw string) {
		e := parseEntity(raw)
		if e.header+e.body != raw {
			t.Errorf("header %q and body %q are not all of %q", e.header, e.body, raw)
		}
		checkPieces(t, e, raw)
		for _, f := range e.fields {
			for _, a := range parseAddresses(f.value) {
				if a.host != "" && a.mailbox == "" {
					t.Errorf("address %+v of %q has a host and no mailbox", a, f.value)
				}
			}
		}
	})
}

func checkPieces(t *testing.T, e *entity, raw string) {
	t.Helper()
	if !strings.Contains(raw, e.header) || !strings.Contains(raw, e.body) {
		t.Errorf("part %q %q is no piece of %q", e.header, e.body, raw)
	}
	for i, p := range e.parts {
		checkPieces(t, p, e.body)
		if got := e.find([]uint32{uint32(i) + 1}); got != p {
			t.Errorf("part %d is not found by its number", i+1)
		}
	}
	if e.enclosed != nil {
		checkPieces(t, e.enclosed, e.body)
	}
	e.find([]uint32{1, 1, 2, 1})
	e.hasText("x", true)
}

// FuzzCommands sends commands to a server and checks that what it answers is
// made of whole lines and literals, and that every tagged line is a result.
func FuzzCommands(f *testing.F) {
	for _, line := range []string{
		"FETCH 1:* (FLAGS UID BODY.PEEK[HEADER.FIELDS (a \"b\")]<0.5> ENVELOPE BODYSTRUCTURE)",
		"SEARCH OR (FROM x NOT 1,2:*) UID 1:5 SINCE 1-Feb-2024", "UID STORE 1 +FLAGS.SILENT (\\Seen x)",
		"LIST (SUBSCRIBED) \"\" (a% *) RETURN (STATUS (MESSAGES))", "APPEND INBOX (\\Seen) \" 1-Feb-2024 10:20:30 +0000\" {3+}\r\nabc",
		"COPY 1 Sent", "UID MOVE 1:2 Trash", "RENAME Sent \"&AOQ-\"", "STATUS INBOX (MESSAGES)", "IDLE\r\nDONE", "LOGIN {3}\r\nabc x",
		"SELECT Sent\r\nb EXPUNGE\r\nc CLOSE", "ID (\"a\" NIL)", "AUTHENTICATE PLAIN AGEAYg==", "UID EXPUNGE 1:*", "ENABLE X", "LSUB \"\" *",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		box := mailtest.New()
		ann := box.Add("ann", secret.New("pw"))
		for n := range 3 {
			_, _ = ann.Append("INBOX", mailtest.Sample(n), nil)
		}
		server := New(box, nil)
		defer func() { _ = server.Close() }()
		conn, err := server.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatalf("Dial: %v", err)
		}
		go func() {
			_, _ = io.WriteString(conn, "l LOGIN ann pw\r\ns SELECT INBOX\r\na "+line+"\r\nz LOGOUT\r\n")
			if c, ok := conn.(interface{ CloseWrite() error }); ok {
				_ = c.CloseWrite()
			}
		}()
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		checkAnswer(t, string(answer))
	})
}

func checkAnswer(t *testing.T, answer string) {
	t.Helper()
	tagged := 0
	for rest := answer; rest != ""; {
		line := ""
		for more := true; more; {
			head, tail, found := strings.Cut(rest, "\r\n")
			if !found || strings.ContainsAny(head, "\r\n") {
				t.Fatalf("no whole line at %q in %q", rest, answer)
			}
			line, rest = line+head, tail
			var n int
			if n, _, more = literalAt([]byte(head)); more {
				if n > len(rest) {
					t.Fatalf("literal of %d bytes has %d in %q", n, len(rest), answer)
				}
				rest = rest[n:]
			}
		}
		tag, _, _ := strings.Cut(line, " ")
		if tag == "*" || tag == "+" {
			continue
		}
		tagged++
		if status := strings.Fields(line); len(status) < 3 || !slices.Contains([]string{"OK", "NO", "BAD"}, status[1]) {
			t.Errorf("line %q is no answer", line)
		}
	}
	if tagged < 2 {
		t.Errorf("LOGIN and SELECT are not both answered in %q", answer)
	}
}

// FuzzGmailQuery looks for a message with a query and with its opposite, one of
// which fits.
func FuzzGmailQuery(f *testing.F) {
	f.Add(`from:bob OR {subject:"a b" -is:unread}`)
	f.Add(`larger:1k after:2024/1/2 older_than:3d has:attachment ((("`)
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsAny(query, `"(){}`) || len(query) > 1000 {
			gmailQuery(query) // ends
			return
		}
		box := mailtest.New()
		a := box.Add("ann@example.com", secret.New("pw"))
		if _, err := a.Append("INBOX", mailtest.Sample(1), nil); err != nil {
			t.Fatal(err)
		}
		s := &session{account: a, view: &view{account: a, name: "INBOX", validity: 7001, entries: []entry{{uid: 1}}}}
		l := s.load(0)
		if yes, no := gmailQuery(query)(l), gmailQuery("-("+query+")")(l); yes == no {
			t.Errorf("%q and its opposite are both %v", query, yes)
		}
	})
}
