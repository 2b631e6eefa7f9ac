package message_test

import (
	"net/mail"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/mailsession/mailsession/message"
)

// quotedPage returns the page of an answer to a message with that page, without
// what is around the quote.
func quotedPage(t *testing.T, page string) string {
	t.Helper()
	m := parse(t, "From: a@x\nContent-Type: text/html; charset=utf-8\n\n"+page)
	d, err := message.Reply(m, message.ReplyOptions{From: addr("", "me@x"), HTML: "<p>Yes.</p>", Quote: true})
	if err != nil {
		t.Fatal(err)
	}
	const before = "<p>Yes.</p><br>\n<div class=\"moz-cite-prefix\">a@x wrote:</div>\n<blockquote type=\"cite\">"
	rest, ok := strings.CutPrefix(d.HTML, before)
	inside, closed := strings.CutSuffix(rest, "</blockquote>\n")
	if !ok || !closed {
		if d.HTML != "<p>Yes.</p>" { // nothing to quote
			t.Fatalf("the answer is\n%s", d.HTML)
		}
		return ""
	}
	return strings.TrimSuffix(inside, "\n")
}

func TestQuotedPage(t *testing.T) {
	tests := []struct{ name, page, want string }{
		{"text", "Hello & <b>you</b>", "Hello &amp; <b>you</b>"},
		{"document", "<!DOCTYPE html><html><head><title>x</title><style>p{}</style></head><body bgcolor=red><p>Hi</p></body></html>", "<p>Hi</p>"},
		{"head without an end", "<head><meta charset=utf-8><p>Hi", "<p>Hi</p>"},
		{"breaking out", "a</blockquote></div></body></html>b", "ab"},
		{"left open", "<div><b>a<table><tr><td>b", "<div><b>a<table><tr><td>b</td></tr></table></b></div>"},
		{"crossed", "<b><i>a</b>b</i>", "<b><i>a</i></b>b"},
		{"script", "a<script>alert(1)</script>b<img src=x onerror=alert(1)>", "ab<img>"},
		{"addresses", `<a href="javascript:alert(1)">a</a><a href=" https://x/?a&b">b</a><a href="data:text/html,x">c</a>`, `<a>a</a><a href=" https://x/?a&amp;b">b</a><a>c</a>`},
		{"comment", "a<!-- --!><script>x</script>-->b<!", "a--&gt;b"},
		{"drawing", "a<svg><style><img src=x onerror=alert(1)></style></svg>b<svg/>c", "abc"},
		{"forms", `<form action=x><input name=y><button>Send</button></form>`, "Send"},
		{"plaintext", "a<plaintext>b</plaintext></blockquote>", "ab&lt;/plaintext&gt;&lt;/blockquote&gt;"},
		{"textarea", "a<textarea></blockquote></textarea>b", "ab"},
		{"style", `<p style="color:red; position:fixed;top:0; background:url(http://x/)">a</p><p style="po\73ition:fixed">b</p>`, `<p style="color:red">a</p><p>b</p>`},
		{"attribute", `<p title='"><script>x</script>'>a`, `<p title="&#34;&gt;&lt;script&gt;x&lt;/script&gt;">a</p>`},
		{"pictures", `<img src="cid:gone@x"><img src="https://x/y.png" width=1><img src="data:x">`, `<img><img src="https://x/y.png" width="1"><img>`},
		{"quotes in it", "<blockquote>a<blockquote type=cite>b</blockquote>", `<blockquote>a<blockquote type="cite">b</blockquote></blockquote>`},
	}
	for _, tt := range tests {
		if got := quotedPage(t, tt.page); got != tt.want {
			t.Errorf("%s: quoted as\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// checkQuoted finds that a quote is tags that match, without a way out.
func checkQuoted(t *testing.T, page string) {
	t.Helper()
	quoted := quotedPage(t, page)
	z := html.NewTokenizer(strings.NewReader(quoted))
	var open []string
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		token := z.Token()
		switch kind {
		case html.StartTagToken:
			switch token.Data {
			case "script", "style", "iframe", "object", "embed", "form", "base", "meta", "link", "svg", "math", "template", "body", "html", "plaintext":
				t.Errorf("%q has the element %s", quoted, token.Data)
			case "br", "img", "hr", "col", "wbr":
				continue
			}
			for _, a := range token.Attr {
				if strings.HasPrefix(a.Key, "on") || strings.Contains(strings.ToLower(a.Val), "javascript:") && a.Key == "href" {
					t.Errorf("%q has the attribute %s", quoted, a.Key)
				}
			}
			open = append(open, token.Data)
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("%q closes %s where %q are open", quoted, token.Data, open)
			}
			open = open[:len(open)-1]
		case html.CommentToken, html.DoctypeToken, html.SelfClosingTagToken:
			t.Errorf("%q has a comment, or a tag that closes itself", quoted)
		case html.TextToken, html.ErrorToken:
		}
	}
	if len(open) > 0 {
		t.Errorf("%q leaves %q open", quoted, open)
	}
}

func FuzzQuotedPage(f *testing.F) {
	for _, page := range []string{"<p>a<b>", "</blockquote><script>", "<svg><a/></svg>", "<!--><x-->", "<a href='x'", "<plaintext>", "<IMG SRC=cid:x onX=y>"} {
		f.Add(page)
	}
	f.Fuzz(func(t *testing.T, page string) { checkQuoted(t, page) })
}

// withPicture is a message with a page that shows one of two pictures, and a
// file.
const withPicture = "From: Ann <a@x>\nDate: Tue, 3 Nov 2026 10:11:12 +0100\nTo: me@x\nSubject: AW: Re: Pictures\nMessage-ID: <m@x>\n" +
	"Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/related; boundary=b\n\n" +
	"--b\nContent-Type: text/html\n\n<body><p>See <img src=\"cid:one@x\"><img src=\"cid:none@x\"></body>\n" +
	"--b\nContent-Type: image/png; name=one.png\nContent-ID: <one@x>\n\n1\n" +
	"--b\nContent-Type: image/png; name=two.png\nContent-ID: <two@x>\n\n2\n--b--\n" +
	"--o\nContent-Type: text/csv; charset=iso-8859-1\nContent-Disposition: attachment; filename=table.csv\n\na,b\n--o--\n"

// TestCarriedTwice finds that of two pictures of one identifier the first is
// shown, and the other is only a file.
func TestCarriedTwice(t *testing.T) {
	m := parse(t, strings.ReplaceAll(withPicture, "two@x", "one@x"))
	d, err := message.Forward(m, message.ForwardOptions{From: addr("", "me@x")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := filesOf(parse(t, write(t, d))), "1.2 one.png one@x, 2 two.png , 3 table.csv "; got != want {
		t.Errorf("the files are %q, want %q", got, want)
	}
}

// TestCarriedOddities finds that files with names and types that cannot be written
// are sent on all the same.
func TestCarriedOddities(t *testing.T) {
	m := parse(t, "From: a@x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b/c\nContent-Disposition: attachment; filename=\""+
		strings.Repeat("x", 1500)+".pdf\"\n\n1\n--b\nContent-Type: text/csv; charset=\"x;\\\"y\"\nContent-Disposition: attachment; filename=\"a\tb\"\n\n2\n--b--\n")
	d, err := message.Forward(m, message.ForwardOptions{From: addr("", "me@x")})
	if err != nil {
		t.Fatal(err)
	}
	got := parse(t, write(t, d)).Attachments
	if len(got) != 2 || len(got[0].Name) != 1000 || !strings.HasSuffix(got[0].Name, "x.pdf") || got[0].ContentType != "text/plain" ||
		got[1].Name != "a b" || got[1].ContentType != "text/csv" || string(got[1].Content) != "2" {
		t.Errorf("%d files: %d %s, %q %s %q", len(got), len(got[0].Name), got[0].ContentType, got[1].Name, got[1].ContentType, got[1].Content)
	}
}

// filesOf lists the files of a message, with the parts they are in.
func filesOf(m *message.Message) string {
	var all []string
	for _, a := range m.Attachments {
		all = append(all, a.Part+" "+a.Name+" "+a.ContentID)
	}
	return strings.Join(all, ", ")
}

// TestCarriedFiles finds the pictures that a quoted page shows in the answer, and
// files by choice.
func TestCarriedFiles(t *testing.T) {
	orig := parse(t, withPicture)
	me, to := addr("", "me@x"), []mail.Address{addr("", "c@x")}
	reply := func(o message.ReplyOptions) func() (*message.Draft, error) {
		o.From = me
		return func() (*message.Draft, error) { return message.Reply(orig, o) }
	}
	forward := func(o message.ForwardOptions) func() (*message.Draft, error) {
		o.From, o.To = me, to
		return func() (*message.Draft, error) { return message.Forward(orig, o) }
	}
	for name, tt := range map[string]struct {
		make func() (*message.Draft, error)
		want string
	}{
		"text":              {reply(message.ReplyOptions{Text: "x", Quote: true}), ""},
		"page, not quoted":  {reply(message.ReplyOptions{HTML: "x"}), ""},
		"page":              {reply(message.ReplyOptions{HTML: "x", Quote: true}), "2 one.png one@x"},
		"page and files":    {reply(message.ReplyOptions{HTML: "x", Quote: true, Files: true}), "1.2 one.png one@x, 2 two.png , 3 table.csv "},
		"text and files":    {reply(message.ReplyOptions{Text: "x", Files: true}), "2 one.png , 3 two.png , 4 table.csv "},
		"forward":           {forward(message.ForwardOptions{Text: "x"}), "1.2 one.png one@x, 2 two.png , 3 table.csv "},
		"forward, no files": {forward(message.ForwardOptions{Text: "x", WithoutFiles: true}), "2 one.png one@x"},
		"forward as a file": {forward(message.ForwardOptions{Text: "x", AsAttachment: true}), "2 Pictures.eml "},
	} {
		d, err := tt.make()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m := parse(t, write(t, d))
		if got := filesOf(m); got != tt.want {
			t.Errorf("%s: the files are %q, want %q", name, got, tt.want)
		}
		for _, a := range m.Attachments {
			if a.Name == "table.csv" && (a.ContentType != "text/csv" || a.Params["charset"] != "iso-8859-1" || string(a.Content) != "a,b") {
				t.Errorf("%s: the table is %+v", name, a)
			}
			if a.Kind() == message.KindMessage && string(a.Content) != strings.ReplaceAll(withPicture, "\n", "\r\n") {
				t.Errorf("%s: the message is %q", name, a.Content)
			}
		}
	}
}
