package message_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/mailsession/mailsession/message"
)

func TestHTMLIsReadAsPeopleSeeIt(t *testing.T) {
	for _, test := range []struct{ name, html, want string }{
		{"nothing", "", ""},
		{"white space", "  a \n\t b  ", "a b\n"},
		{"text without tags", "1 < 2 &amp; 3 &gt; 2 &euml;&#8364;", "1 < 2 & 3 > 2 ë€\n"},
		{"paragraphs", "<p>one</p><p>two<p>three", "one\n\ntwo\n\nthree\n"},
		{"Gmail's lines", "<div>one</div><div><br></div><div>two<br>three</div>", "one\n\ntwo\nthree\n"},
		{"breaks", "<div>one<br></div><div>two</div>x<br><br><br><br>y", "one\ntwo\nx\n\ny\n"},
		{
			"Outlook's paragraphs",
			"<p class=MsoNormal>one<o:p></o:p></p><p class=MsoNormal>two</p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>three</p>",
			"one\ntwo\n\nthree\n",
		},
		{"headings", "<h1>Title</h1>text<h2>Part</h2>more", "Title\n\ntext\n\nPart\n\nmore\n"},
		{"a list", "<ul><li>one<li>two<br>lines<ol start=9><li>x</li><li>y</li></ol></ul>end", "- one\n- two\n  lines\n  9. x\n  10. y\n\nend\n"},
		{"a list with paragraphs", "<ol><li><p>one</p></li><li><p>two</p></li></ol>", "1. one\n\n2. two\n"},
		{"definitions", "<dl><dt>term<dd>meaning<dt>other<dd>one</dl>", "term\n  meaning\nother\n  one\n"},
		{
			"a table",
			"<table><tr><th>Item<th>Price</tr><tr><td>Tea<td>3</tr><tr><td><p class=x>Milk</p></td><td>\n<div>1</div></td></tr></table>after",
			"Item\tPrice\nTea\t3\nMilk\t1\nafter\n",
		},
		{"an empty cell", "<table><tr><td>a<td><td>c</tr><tr><td>d<td>e<td></table>x", "a\t\tc\nd\te\nx\n"},
		{
			"a table for layout",
			"<table><tr><td width=20>&nbsp;</td><td><table><tr><td><h1>News</h1><p>Hello</p></td></tr></table></td><td>&nbsp;</td></tr><tr><td>Foot</td></tr></table>",
			"News\n\nHello\n\nFoot\n",
		},
		{"a link", `See <a href="https://example.com/x?a=1&amp;b=2">this page</a>.`, "See this page <https://example.com/x?a=1&b=2>.\n"},
		{"a link that shows its address", `<a href="https://example.com/">example.com</a> <a href="mailto:a@b.c">a@b.c</a>`, "example.com a@b.c\n"},
		{"links that go nowhere", `<a href="javascript:x()">a</a> <a href="#top">b</a> <a name=x>c</a> <a href="cid:1">d</a>`, "a b c d\n"},
		{"a link around a block", `<a href="https://example.com/x"><div>Read</div></a>on`, "Read <https://example.com/x>\non\n"},
		{"a picture", `<img src=x alt=" Our logo "><a href="https://example.com/x"><img src=y></a><a href="http://e.com/"><img alt=Go></a>`, "[Our logo][Go] <http://e.com/>\n"},
		{"preformatted", "<pre>\n  a\n\n\n\tb  \n</pre>x", "  a\n\n\n\tb\n\nx\n"},
		{"quotes", "<blockquote>a<blockquote><p>b</p><p>c</p></blockquote>d</blockquote>e", "> a\n>\n>> b\n>>\n>> c\n>\n> d\n\ne\n"},
		{"an indentation", `a<blockquote style="margin:0 0 0 40px;border:none;padding:0px"><div>b</div></blockquote>`, "a\n\nb\n"},
		{"what is not shown", "<title>t</title><style>s{}</style><script>if (a<b) x()</script><!-- c --><![if !mso]>a<![endif]><noscript><b>n</b></noscript><svg><text>v</text></svg>", "an\n"},
		{
			"a hidden preview",
			`<div style="DISPLAY: none !important; max-height:0">Preview<span>x</span></div><p hidden>y<p>Text<span style="visibility:hidden">z</span></p>`,
			"Text\n",
		},
		{"fillers", "a&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;&#65279;&#8203;&shy;<br>b", "a\nb\n"},
		{"joiners in words", "می\u200cخواهم 👩\u200d💻", "می\u200cخواهم 👩\u200d💻\n"},
		{"overrides and control characters", "a\u202eb\x00c\x1b[1m\u2066d", "abc[1md\n"},
		{"not UTF-8", "a\xffb", "a\ufffdb\n"},
		{"an address that was not escaped", "From: Ann <ann@example.com><br>x", "From: Ann <ann@example.com>\nx\n"},
		{"a head that does not end", "<html><head><meta charset=x><title>t</title><body>text", "text\n"},
		{"a head without a body", "<head><title>t</title><div>text</div>", "text\n"},
		{"a signature", "text<div>-- <br>Ann</div>", "text\n-- \nAnn\n"},
		{"a rule", "a<hr>b", "a\n---\nb\n"},
		{"end tags that do not belong", "</td></p>a</table></div>b</li><td>c", "abc\n"},
		{"an end tag in a table of what is around it", "<blockquote>a<table></blockquote><tr><td>b</td></tr></table>c</blockquote>d", "> a\n> b\n> c\n\nd\n"},
		{"a cell closed through what is in it", "<table><tr><td><span style='display:none'>x</td><td>y</td></tr></table>z", "y\nz\n"},
	} {
		if got := message.HTMLText(test.html); got != test.want {
			t.Errorf("%s: HTMLText(%q) = %q, want %q", test.name, test.html, got, test.want)
		}
	}
}

// isPersonText finds what holds of every text made from HTML.
func isPersonText(text string) error {
	if !utf8.ValidString(text) {
		return errors.New("the text is not UTF-8")
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		return errors.New("the last line does not end")
	}
	for _, r := range text {
		if r != '\n' && r != '\t' && unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' {
			return fmt.Errorf("the text holds %U", r)
		}
	}
	return nil
}

// tag finds what looks like one of the tags that mail is full of.
var tag = regexp.MustCompile(`(?i)</?(?:p|div|span|br|td|tr|table|body|html|a|b|i|font|li|ul|img|style|head|meta)(?:\s[^<>]*=[^<>]*)?/?>`)

func TestHTMLOfCorpusIsReadable(t *testing.T) {
	pages := 0
	check := func(name string, data []byte) {
		m, err := message.Parse(bytes.NewReader(data), nil)
		if err != nil || m.HTML == "" {
			return
		}
		pages++
		text := message.HTMLText(m.HTML)
		if err := isPersonText(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if found := tag.FindString(text); found != "" && !strings.Contains(m.HTML, "&lt;") {
			t.Errorf("%s: the tag %q is left", name, found)
		}
		if len(text) > 2*len(m.HTML)+100 {
			t.Errorf("%s: %d bytes of text from %d of HTML", name, len(text), len(m.HTML))
		}
		if err := wholePassages(message.HTMLPassages(m.HTML), text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	eachFile(t, "testdata", check)
	eachFile(t, corpus(t), check)
	t.Logf("%d pages read", pages)
}

// hostilePages are pages that cost some parsers much time or their stack.
func hostilePages(n int) map[string]string {
	return map[string]string{
		"nested blocks":       strings.Repeat("<div>", n) + "x",
		"nested quotes":       strings.Repeat("<blockquote>", n) + "x" + strings.Repeat("<br>y", n),
		"nested lists":        strings.Repeat("<ol><li>", n) + "x" + strings.Repeat("<br>y", n),
		"nested tables":       strings.Repeat("<table><tr><td>", n) + "x",
		"nested links":        strings.Repeat("<a href=http://x/>", n) + "x",
		"unclosed formatting": strings.Repeat("<b><p>x", n),
		"stray end tags":      strings.Repeat("<div>", 300) + strings.Repeat("</p>", n),
		"stray cells":         strings.Repeat("<td>", n) + strings.Repeat("</p></tr>", n),
		"links in one line":   strings.Repeat("<a href=http://x/y>z</a>", n),
		"breaks in quotes":    strings.Repeat("<blockquote>", 300) + strings.Repeat("<br>x", n),
		"unclosed comment":    strings.Repeat("<!--", n),
		"unclosed tags":       strings.Repeat("<a href='", n),
		"ampersands":          strings.Repeat("&", n),
		"attributes":          "<div " + strings.Repeat("a=b ", n) + ">x",
		"empty cells":         "<table><tr><td>x" + strings.Repeat("<td>", n) + "y",
		"preformatted breaks": "<pre>x" + strings.Repeat("\n", n) + "y",
	}
}

// TestHostileHTMLGivesBoundedText reads pages that other parsers hang on;
// BenchmarkHostileHTML shows that their time grows with their length.
func TestHostileHTMLGivesBoundedText(t *testing.T) {
	for name, page := range hostilePages(2000) {
		t.Run(name, func(t *testing.T) {
			text := message.HTMLText(page)
			if err := isPersonText(text); err != nil {
				t.Error(err)
			}
			if limit := 20*len(page) + 1000; len(text) > limit {
				t.Errorf("%d bytes of text from %d of HTML, want at most %d", len(text), len(page), limit)
			}
		})
	}
}

func TestTextComesFromThePartThatSaysIt(t *testing.T) {
	half := strings.Repeat("The whole message is here. ", 10)
	long := "<p>" + strings.Repeat("The whole message is here. ", 20) + "</p>"
	for _, test := range []struct{ name, text, html, want string }{
		{"plain text alone", "a\n", "", "a\n"},
		{"HTML alone", " \n", "<b>a</b>", "a\n"},
		{"both", "a\n", "<b>a</b><br>b", "a\n"},
		{"neither", "", "", ""},
		{"a footer of a list", "To leave, write to list-leave@example.com.\n", long, message.HTMLText(long) + "\nTo leave, write to list-leave@example.com.\n"},
		{"HTML with more around it", half, long, half},
		{"a beginning", "The whole message\n", long, message.HTMLText(long)},
	} {
		m := &message.Message{Text: test.text, HTML: test.html}
		if got := m.ReadableText(); got != test.want {
			t.Errorf("%s: ReadableText() = %q, want %q", test.name, got, test.want)
		}
		if err := wholePassages(m.Passages(), test.want); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// FuzzHTMLText finds that whatever is given becomes text, of which the passages
// are pieces.
func FuzzHTMLText(f *testing.F) {
	for _, page := range hostilePages(5) {
		f.Add(page)
	}
	f.Add("<table><tr><td>a<td><p>b<ul><li>c<pre>\n d</pre><a href=http://x>e</a>&nbsp;</table><div id=divRplyFwdMsg>f")
	f.Fuzz(func(t *testing.T, page string) {
		text := message.HTMLText(page)
		if err := isPersonText(text); err != nil {
			t.Errorf("HTMLText(%q) = %q: %v", page, text, err)
		}
		if limit := 30*len(page) + 100; len(text) > limit {
			t.Errorf("%d bytes of text from %d of HTML", len(text), len(page))
		}
		if err := wholePassages(message.HTMLPassages(page), text); err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkHTMLText reads a newsletter of nested tables.
func BenchmarkHTMLText(b *testing.B) {
	row := `<tr><td style="padding:0 10px;font-size:14px"><table><tr><td><a href="https://example.com/articles/1?utm=x"><b>Headline</b></a>` +
		`<p style="margin:0;color:#333">Some words &amp; more words about it.</p><img src="x.png" width="1"></td></tr></table></td></tr>`
	page := "<html><head><style>td{}</style></head><body><table>" + strings.Repeat(row, 500) + "</table></body></html>"
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		if message.HTMLText(page) == "" {
			b.Fatal("no text")
		}
	}
}

// BenchmarkHostileHTML reads pages that cost other parsers much, at two
// lengths: the throughput is the same.
func BenchmarkHostileHTML(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		for name, page := range hostilePages(n) {
			b.Run(fmt.Sprintf("%s-%d", strings.ReplaceAll(name, " ", "-"), n), func(b *testing.B) {
				b.SetBytes(int64(len(page)))
				for b.Loop() {
					message.HTMLText(page)
				}
			})
		}
	}
}
