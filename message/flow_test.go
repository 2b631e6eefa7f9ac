package message_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/mailsession/mailsession/message"
)

// unflow reads format=flowed as RFC 3676 section 4 says it.
func unflow(text string, delSp bool) string {
	var b strings.Builder
	depth := -1 // of the paragraph that goes on
	for line := range strings.SplitAfterSeq(text, "\n") {
		line, ended := strings.CutSuffix(line, "\n")
		content := strings.TrimLeft(line, ">")
		quotes := len(line) - len(content)
		content = strings.TrimPrefix(content, " ")
		if depth >= 0 && depth != quotes || content == "-- " && depth >= 0 {
			b.WriteByte('\n') // a paragraph that was not ended
			depth = -1
		}
		if depth < 0 {
			b.WriteString(strings.Repeat(">", quotes))
			if quotes > 0 && content != "" {
				b.WriteByte(' ')
			}
		}
		if strings.HasSuffix(content, " ") && content != "-- " && ended {
			if delSp {
				content = content[:len(content)-1]
			}
			b.WriteString(content)
			depth = quotes
			continue
		}
		b.WriteString(content)
		if ended {
			b.WriteByte('\n')
		}
		depth = -1
	}
	return b.String()
}

// unflowed is what is left of text after format=flowed: white space at the ends
// of lines is lost, and behind the marks of a quote is one space.
func unflowed(text string) string {
	lines := strings.Split(textOf(text), "\n")
	for i, line := range lines {
		content := strings.TrimLeft(line, ">")
		quotes := line[:len(line)-len(content)]
		if quotes != "" {
			content = strings.TrimPrefix(content, " ")
		}
		if content != "-- " {
			content = strings.TrimRight(content, " ")
		}
		if quotes != "" && content != "" {
			content = " " + content
		}
		lines[i] = quotes + content
	}
	return strings.Join(lines, "\n")
}

// fixed returns a message with the lines that it travels in, whatever they mean.
func fixed(written string) string {
	return strings.Replace(written, "format=flowed", "format=fixed", 1)
}

// checkFlow finds that text written as format=flowed is what it was, and in lines
// that fit in a window.
func checkFlow(t *testing.T, text string) {
	t.Helper()
	d := letter()
	d.Text, d.Flowed = text, true
	for p, err := range message.Walk(strings.NewReader(write(t, d)), nil) {
		if err != nil || p.Params["format"] != "flowed" {
			t.Fatalf("part %v, error %v", p, err)
		}
		written := write(t, d)
		m := parse(t, fixed(written))
		want := unflowed(text)
		if got := unflow(m.Text, p.Params["delsp"] == "yes"); got != want {
			t.Errorf("text is %q, want %q, written as %q", got, want, m.Text)
		}
		if got := parse(t, written).Text; got != want {
			t.Errorf("text is read as %q, want %q", got, want)
		}
		if got, err := io.ReadAll(iotest.OneByteReader(p.Text())); err != nil || string(got) != want {
			t.Errorf("text is read from its part as %q, %v, want %q", got, err, want)
		}
		for line := range strings.SplitSeq(m.Text, "\n") {
			longest := 0
			for word := range strings.FieldsSeq(line) {
				longest = max(longest, utf8.RuneCountInString(word))
			}
			if n := utf8.RuneCountInString(line); n > 78 && longest < 36 && !strings.Contains(line, " >") {
				t.Errorf("a line has %d characters: %q", n, line)
			}
		}
	}
}

// flowedTexts are what format=flowed could go wrong on.
func flowedTexts() []string {
	return []string{
		"", "short\n", "trailing   \n", "-- \nAnn\n", strings.Repeat("words ", 40), strings.Repeat("two  spaces  ", 20), " indented\n>quoted\nFrom x\n",
		"> " + strings.Repeat("quoted words ", 20) + "\n>> deeper\n> back\n", strings.Repeat("x", 200) + " " + strings.Repeat("y", 200),
		"https://example.com/" + strings.Repeat("path/", 40) + " and more\n", strings.Repeat("这是一个没有空格的段落。", 20) + "\n",
		"mixed " + strings.Repeat("日本語", 40) + " https://example.com/" + strings.Repeat("x", 90) + " end\n",
		strings.Repeat("👩\u200d👩\u200d👧\u200d👦", 30), strings.Repeat("🇩🇪", 60), strings.Repeat("e\u0301", 100), strings.Repeat("x", 2000),
		"-- " + strings.Repeat("x", 100) + " y", strings.Repeat(">", 100) + " deep words " + strings.Repeat("word ", 30), strings.Repeat(" ", 100) + "x",
		strings.Repeat("a ", 35) + "b > c > d", strings.Repeat("> ", 100), strings.Repeat("a ", 36) + "> b " + strings.Repeat("From c ", 10), "שלום " + strings.Repeat("עולם ", 40), "tab\tand\r\nlines\rend",
	}
}

func TestFlowed(t *testing.T) {
	for _, text := range flowedTexts() {
		checkFlow(t, text)
	}
}

// TestFlowedKeepsCharacters finds that no line begins with what belongs to the
// character before it.
func TestFlowedKeepsCharacters(t *testing.T) {
	for _, character := range []string{"👩\u200d👩\u200d👧\u200d👦", "🇩🇪", "e\u0301", "👍🏽", "❤\ufe0f", "कि"} {
		d := letter()
		d.Text, d.Flowed = "ж"+strings.Repeat(character, 100), true
		m := parse(t, fixed(write(t, d)))
		if lines := strings.Split(strings.TrimSpace(m.Text), "\n"); len(lines) < 2 {
			t.Errorf("%q is not broken", character)
		}
		for line := range strings.SplitSeq(m.Text, "\n") {
			if rest := strings.ReplaceAll(strings.Trim(line, " ж"), character, ""); rest != "" {
				t.Errorf("%q is broken within: %q", character, rest)
			}
		}
	}
}

// TestReadFlowed reads what other programs write, right and wrong.
func TestReadFlowed(t *testing.T) {
	for name, tt := range map[string]struct{ params, text, want string }{
		"paragraphs":       {"format=flowed", "One \ntwo \nthree.\n\nFour.\n", "One two three.\n\nFour.\n"},
		"in capitals":      {"Format=Flowed", "One \ntwo\n", "One two\n"},
		"no flow":          {"format=fixed", "One \ntwo\n", "One \ntwo\n"},
		"quotes":           {"format=flowed", "> One \n> two\n>> Three \n>four \nFive\n", "> One two\n>> Three \n> four \nFive\n"},
		"old quotes":       {"format=flowed", "> > One \n> > two\n", "> > One > two\n"},
		"signature":        {"format=flowed", "One \n-- \nAnn \nExample\n", "One \n-- \nAnn Example\n"},
		"signature quoted": {"format=flowed", "> -- \n> Ann\n", "> -- \n> Ann\n"},
		"stuffed":          {"format=flowed", " From\n  two spaces\n >no quote\n", "From\n two spaces\n>no quote\n"},
		"delsp":            {"format=flowed; delsp=yes", "这是 \n一个 \n> 段落 \n", "这是一个\n> 段落\n"},
		"spaces":           {"format=flowed", "One \n \nTwo\n", "One \nTwo\n"},
		"no end":           {"format=flowed", "One \ntwo ", "One two "},
		"end of flow":      {"format=flowed", "One \n", "One \n"},
		"only marks":       {"format=flowed", ">\n>> \n>", ">\n>>\n>"},
		"too long":         {"format=flowed", "One \n" + strings.Repeat("x", 1<<14) + " \ntwo\n", "One \n" + strings.Repeat("x", 1<<14) + " \ntwo\n"},
	} {
		raw := "Content-Type: text/plain; " + tt.params + "; charset=utf-8\n\n" + tt.text
		if got := parse(t, raw).Text; got != tt.want {
			t.Errorf("%s: Text = %q, want %q", name, got, tt.want)
		}
		file := "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment\n" + raw + "\n--b--\n"
		if got := parse(t, file).Attachments[0].Text(); got != tt.want {
			t.Errorf("%s: Attachment.Text() = %q, want %q", name, got, tt.want)
		}
		for p, err := range message.Walk(strings.NewReader(raw), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(p.Text()); err != nil || string(got) != tt.want {
				t.Errorf("%s: Part.Text() = %q, %v, want %q", name, got, err, tt.want)
			}
		}
	}
	m := parse(t, "Content-Type: text/html; format=flowed\n\n<p>One \ntwo\n")
	if want := "<p>One \ntwo\n"; m.HTML != want {
		t.Errorf("HTML = %q, want %q", m.HTML, want)
	}
}

func FuzzFlowed(f *testing.F) {
	for _, text := range flowedTexts() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkFlow(t, text) })
}
