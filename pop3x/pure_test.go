package pop3x

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// feed is bytes that come in pieces.
type feed struct {
	pieces []string
	buf    []byte
}

func (f *feed) Ahead(n int) ([]byte, error) {
	for len(f.buf) < n {
		if len(f.pieces) == 0 {
			if len(f.buf) > 0 {
				return nil, io.ErrUnexpectedEOF
			}
			return nil, io.EOF
		}
		f.buf = append(bytes.Clone(f.buf), f.pieces[0]...)
		f.pieces = f.pieces[1:]
	}
	return f.buf, nil
}

func (f *feed) Skip(n int) { f.buf = f.buf[n:] }

// pieces cuts s into pieces of n bytes.
func pieces(s string, n int) *feed {
	f := &feed{}
	for c := range slices.Chunk([]byte(s), n) {
		f.pieces = append(f.pieces, string(c))
	}
	return f
}

// stuffed is what a server sends for a message.
func stuffed(content, end string) string {
	if !strings.HasSuffix(content, end) {
		content += end
	}
	lines := strings.SplitAfter(content, end)
	for i, l := range lines {
		if strings.HasPrefix(l, ".") {
			lines[i] = "." + l
		}
	}
	return strings.Join(lines, "") + "." + end
}

// TestDotsAreExact: dots come off and nothing else changes, however the bytes
// are cut up.
func TestDotsAreExact(t *testing.T) {
	for _, content := range []string{
		"", "\r\n", ".\r\n", "..\r\n", ".line\r\n", "\r\n.\r\n..\r\n", "a\r\n.\r\n.\r\nb\r\n",
		"\xef\xbb\xbfFrom: ann\r\n\r\nBOM\r\n",
		"bare\nline\n.\n..\nfeeds\r\n", "a\n.\r\n", "cr\r.\r\r\n", "\r\r\n.\r\r\n", "nul\x00\r\n.\x00\r\n", "\n.\n\r\n", ".\n\r\n", ".\r.\r\n",
		strings.Repeat("x", 70_000) + "\r\n." + strings.Repeat("y", 70_000) + "\r\n",
	} {
		for _, size := range []int{1, 2, 3, 5, 16_384} {
			f := pieces(stuffed(content, "\r\n")+"+OK next\r\n", size)
			got, err := io.ReadAll(&dots{src: f})
			if err != nil || string(got) != content && string(got) != content+"\r\n" {
				t.Errorf("in pieces of %d: %.40q becomes %.40q, %v", size, content, got, err)
			}
			if rest := string(f.buf) + strings.Join(f.pieces, ""); rest != "+OK next\r\n" {
				t.Errorf("in pieces of %d: %.40q leaves %.40q for the next answer", size, content, rest)
			}
			var copied bytes.Buffer
			if n, err := (&dots{src: pieces(stuffed(content, "\r\n"), size)}).WriteTo(&copied); err != nil || n != int64(copied.Len()) || !bytes.Equal(copied.Bytes(), got) {
				t.Errorf("in pieces of %d: WriteTo gives %d bytes, %v; Read %d", size, n, err, len(got))
			}
		}
	}
}

// TestLinesOfAServerWithoutCR: where the status ended in a lone LF, lines do.
func TestLinesOfAServerWithoutCR(t *testing.T) {
	content := "one\n.two\n\n..\nthree\n"
	got, err := io.ReadAll(iotest.OneByteReader(&dots{src: pieces(stuffed(content, "\n"), 4), bare: true}))
	if err != nil || string(got) != content {
		t.Errorf("%q, %v, want %q", got, err, content)
	}
}

func TestAMessageWithoutItsFinalDotIsCut(t *testing.T) {
	for _, sent := range []string{"", "a", "a\r\n", "a\r\n.", "a\r\n.\r", "..", "a\r\n.\n"} {
		got, err := io.ReadAll(&dots{src: pieces(sent, 2)})
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q gives %q, %v, want io.ErrUnexpectedEOF", sent, got, err)
		}
	}
}

func TestParseReply(t *testing.T) {
	for _, tt := range []struct {
		line string
		want reply
		bad  bool
	}{
		{line: "+OK", want: reply{status: ok}},
		{line: "+OK 2 320", want: reply{status: ok, text: "2 320"}},
		{line: "+ok lower", want: reply{status: ok, text: "lower"}},
		{line: "-ERR", want: reply{}},
		{line: "-ERR [IN-USE] busy", want: reply{code: "IN-USE", text: "busy"}},
		{line: "-ERR [sys/temp]", want: reply{code: "SYS/TEMP"}},
		{line: "-ERR [two words] no code", want: reply{text: "[two words] no code"}},
		{line: "-ERR []", want: reply{text: "[]"}},
		{line: "-ERR [open", want: reply{text: "[open"}},
		{line: "+", want: reply{status: continued}},
		{line: "+ eyJ9", want: reply{status: continued, text: "eyJ9"}},
		{line: "", bad: true},
		{line: "+OKAY", bad: true},
		{line: "* OK IMAP", bad: true},
		{line: "220 SMTP", bad: true},
		{line: " +OK", bad: true},
	} {
		got, err := parseReply([]byte(tt.line))
		if (err != nil) != tt.bad || got != tt.want {
			t.Errorf("parseReply(%q) = %+v, %v, want %+v", tt.line, got, err, tt.want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	c := capabilities{}
	for _, line := range []string{"top", "SASL PLAIN", "SASL XOAUTH2", "LOGIN-DELAY 300 USER", "EXPIRE 60", "", "   ", "UIDL"} {
		c.add([]byte(line))
	}
	if !c.has("TOP") || c.has("PIPELINING") || strings.Join(c["SASL"], " ") != "PLAIN XOAUTH2" {
		t.Errorf("capabilities %v", c)
	}
	if c.loginDelay() != 5*time.Minute || !c.perUser() {
		t.Errorf("the delay is %v, may differ from user to user: %t", c.loginDelay(), c.perUser())
	}
	if c = nil; !c.may("USER") || c.has("USER") || c.perUser() || c.loginDelay() != 0 {
		t.Error("a server without CAPA may have what was there before CAPA, and offers nothing")
	}
}

func TestTimestamp(t *testing.T) {
	for greeting, want := range map[string]string{
		"POP3 ready <1896.697170952@dbc.mtview.ca.us>": "<1896.697170952@dbc.mtview.ca.us>",
		"ready":                 "",
		"<not closed@x":         "",
		"<no at sign>":          "",
		"<a\x80b@x>":            "", // RFC 6151: made to find out the password
		"<a b@x>":               "",
		"first <1@x> and <2@x>": "<1@x>",
	} {
		if got := timestamp(greeting); got != want {
			t.Errorf("timestamp(%q) = %q, want %q", greeting, got, want)
		}
	}
}

// rolls reads listings.
func rolls(names, sizes string) (n, s *roll) {
	n, s = &roll{}, &roll{}
	for _, r := range []struct {
		to   *roll
		text string
	}{{n, names}, {s, sizes}} {
		for line := range strings.Lines(r.text) {
			_ = r.to.add([]byte(strings.TrimRight(line, "\n")))
		}
	}
	return n, s
}

// TestALineThatIsLikeAnAnswerIsSeen however the bytes come.
func TestALineThatIsLikeAnAnswerIsSeen(t *testing.T) {
	for text, want := range map[string]bool{
		"a\r\n+OK 12 octets\r\n": true,
		"a\n+OK":                 true,
		"a\r\n+O K\r\n":          false,
		"a+OK\r\n-+OK\r\n":       false,
		"+OK":                    false, // an answer of its own, see window.inStep
		"\n\n+\n+O\n+OK":         true,
	} {
		for n := range len(text) {
			b := &behind{}
			for c := range slices.Chunk([]byte(text), n+1) {
				b.took(c)
			}
			if b.like != want || b.read != int64(len(text)) {
				t.Errorf("%q, %d bytes at a time: %t after %d bytes, want %t", text, n+1, b.like, b.read, want)
			}
		}
	}
}

// TestNoListIsShorterThanTheMaildrop: what a listing does not tell shows as a
// message without a name or without a size, and never as no message.
func TestNoListIsShorterThanTheMaildrop(t *testing.T) {
	for _, tt := range []struct {
		what         string
		count        int
		names, sizes string
		want         string
	}{
		{"all", 2, "1 a\n2 b\n", "1 10\n2 20\n", "a:10 b:20"},
		{"a blank line", 3, "1 a\n\n3 c\n", "1 10\n2 20\n3 30\n", "a:10 -:20 c:30"},
		{"an empty name", 2, "1 a\n2\n", "1 10\n2 20\n", "a:10 -:20"},
		{"cut short", 3, "1 a\n", "1 10\n2 20\n", "a:10 -:20 -:?"},
		{"more than STAT counts", 1, "1 a\n2 b\n", "1 10\n", "a:10 b:?"},
		{"a size that is none", 2, "1 a\n2 b\n", "1 ten\n2 -5\n", "a:? b:?"},
		{"more behind the size", 1, "1 a\n", "1 10 octets\n", "a:10"},
		{"in another order", 2, "2 b\n1 a\n", "2 20\n1 10\n", "a:10 b:20"},
		{"numbers that are none", 1, "0 z\n-1 y\n+1 x\n1 a\n99999999999999999999 w\n", "1 10\n", "a:10"},
		{"a name with a space", 1, "1 a b\n", "1 10\n", "a b:10"},
		{"without names", 2, "", "1 10\n2 20\n", "-:10 -:20"},
	} {
		n, s := rolls(tt.names, tt.sizes)
		entries, err := merge(tt.count, n, s)
		var words []string
		for i, e := range entries {
			name, size := e.key, strconv.FormatInt(e.size, 10)
			if name == "" {
				name = "-"
			}
			if !e.sized {
				size = "?"
			}
			words = append(words, name+":"+size)
			if e.number != i+1 {
				t.Errorf("%s: message %d has the number %d", tt.what, i+1, e.number)
			}
		}
		if got := strings.Join(words, " "); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.what, got, err, tt.want)
		}
	}
	n, s := rolls("1 a\n", "1 10\n")
	if _, err := merge(2_000_000_000, n, s); err == nil {
		t.Error("two thousand million messages of which one is listed: no error")
	}
}

// TestAListHasABound: a server that never ends one does not fill the memory.
func TestAListHasABound(t *testing.T) {
	var names roll
	names.bytes = maxListing - 10
	if err := names.add([]byte("1 a")); err != nil {
		t.Error(err)
	}
	if err := names.add([]byte("2 " + strings.Repeat("b", maxLine))); err == nil {
		t.Errorf("a list of %d bytes: no error", names.bytes)
	}
}

func TestMessagesThatShareANameAreMarked(t *testing.T) {
	n, s := rolls("1 a\n2 b\n3 a\n4 a\n5 c\n5 d\n", "")
	entries, err := merge(5, n, s)
	if err != nil {
		t.Fatal(err)
	}
	drop := &maildrop{entries: entries}
	drop.index()
	for key, want := range map[string]struct {
		number int
		shared bool
	}{"a": {1, true}, "b": {2, false}, "a\n2": {3, true}, "a\n3": {4, true}, "c": {5, true}} {
		if e, there := drop.find(key); !there || e.number != want.number || e.shared != want.shared {
			t.Errorf("find(%q) = %+v, %t, want number %d, shared %t", key, e, there, want.number, want.shared)
		}
	}
}

func FuzzDots(f *testing.F) {
	f.Add("a\r\n.b\r\n", uint8(3))
	f.Add(".\n\r\n.\r\r\n", uint8(1))
	f.Fuzz(func(t *testing.T, content string, size uint8) {
		sent := stuffed(content, "\r\n")
		want := content
		if !strings.HasSuffix(content, "\r\n") {
			want += "\r\n"
		}
		src := pieces(sent+"+OK\r\n", int(size)+1)
		got, err := io.ReadAll(&dots{src: src})
		if err != nil || string(got) != want {
			t.Errorf("%q comes as %q, %v", want, got, err)
		}
		if rest := string(src.buf) + strings.Join(src.pieces, ""); rest != "+OK\r\n" {
			t.Errorf("%q leaves %q", want, rest)
		}
	})
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"+OK", "-ERR [IN-USE] no", "+ abc", "-err []", "+OK [a]b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, err := parseReply([]byte(line))
		if err != nil {
			if !errors.Is(err, errSyntax) {
				t.Errorf("parseReply(%q): %v", line, err)
			}
			return
		}
		if r.status != continued && r.code != "" && !strings.Contains(strings.ToUpper(line), "["+r.code+"]") {
			t.Errorf("parseReply(%q) has the code %q", line, r.code)
		}
		if !strings.HasSuffix(line, r.text) {
			t.Errorf("parseReply(%q) has the text %q", line, r.text)
		}
	})
}

// FuzzListings: whatever a server lists, every message that it counts or names is
// in the list once, by ascending numbers.
func FuzzListings(f *testing.F) {
	f.Add(3, "1 a\n\n3 c\n", "1 10\n2 20\n3 30\n")
	f.Add(0, "", "")
	f.Fuzz(func(t *testing.T, count int, names, sizes string) {
		if count < 0 || count > 100_000 {
			return
		}
		n, s := rolls(names, sizes)
		entries, err := merge(count, n, s)
		if err != nil {
			return
		}
		if len(entries) < count {
			t.Errorf("%d messages of %d", len(entries), count)
		}
		drop := &maildrop{entries: entries}
		drop.index()
		found := 0
		for i, e := range drop.entries {
			if e.number != i+1 {
				t.Errorf("message %d has the number %d", i+1, e.number)
			}
			if e.key == "" {
				continue
			}
			found++
			if got, there := drop.find(e.key); !there || got.number != e.number {
				t.Errorf("find(%q) = %+v, want %+v", e.key, got, e)
			}
		}
		if found != len(drop.place) {
			t.Errorf("%d keys for %d messages", len(drop.place), found)
		}
	})
}
