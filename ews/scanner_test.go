package ews

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// flat writes all that a scanner tells of an input.
func flat(r io.Reader) (string, error) {
	x := newScanner(r)
	var b strings.Builder
	for {
		t, err := x.next(true)
		switch {
		case err != nil:
			return b.String(), err
		case t == endOfInput:
			return b.String(), nil
		case t == startTag:
			b.WriteString("<" + x.name + ">")
		case t == endTag:
			b.WriteString("</" + x.name + ">")
		case t == textRun:
			b.Write(x.appendText(nil))
		}
	}
}

func TestScanner(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`<a/>`, `<a></a>`},
		{`<a b="1>2" c='"'>x</a >`, `<a>x</a>`},
		{`<s:a><t:b>x</u:b></t:a>`, `<a><b>x</b></a>`},
		{"\ufeff<?xml version=\"1.0\"?>\n<p:a xmlns:p='u'><p:b>1 &lt; 2 &amp;&#38; &quot;&apos;&gt;</p:b></p:a>", `<a><b>1 < 2 && "'></b></a>`},
		{`<a><!-- <b> --><![CDATA[<&amp;]]></a>`, `<a><&amp;</a>`},
		{"<a>\x0b&#x1F;&#0;\xff&#xFFFF;&#xD83D;&#99999999;</a>", "<a>" + strings.Repeat("\ufffd", 7) + "</a>"},
		{"<a>one\r\ntwo\rthree&nbsp;&</a>", "<a>one\ntwo\nthree&nbsp;&</a>"},
		{"<?xml version='1.0'?><a>1</a>\n<?xml version='1.0'?><a>2</a>", "<a>1</a><a>2</a>"},
	} {
		for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
			if got, err := flat(r); got != tt.want || err != nil {
				t.Errorf("scanning %q = %q, %v; want %q", tt.in, got, err, tt.want)
			}
		}
	}
}

func TestScannerRefuses(t *testing.T) {
	for in, cut := range map[string]bool{
		`<a>`: true, `<a`: true, `<a b="`: true, `<a>x`: true, `<a><![CDATA[x`: true, `<`: true,
		`</a>`: false, `<a></b>`: false, `<p:a></p:ab></p:a>`: false, `<>`: false, `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`: false,
		strings.Repeat("<a>", maxDepth+1):                      false,
		`<a b="` + strings.Repeat("x", maxMarkup+1) + `"></a>`: false,
		`<a>` + strings.Repeat("x", maxText+1) + `</a>`:        false,
	} {
		_, err := flat(strings.NewReader(in))
		_, malformed := errors.AsType[*syntaxError](err)
		if cut != errors.Is(err, io.ErrUnexpectedEOF) || malformed == cut {
			t.Errorf("scanning %.40q: error %v; want that it was cut: %t", in, err, cut)
		}
	}
}

func TestAttributes(t *testing.T) {
	for _, tt := range []struct{ tag, want string }{
		{`<a b="1"/>`, "1"},
		{`<a c="2" p:b = '"&amp;>'>`, `"&>`},
		{"<a\n\tc='b=\"3\"'\r\nb='4'/>", "4"},
		{`<a ab="1" b="" c="2">`, ""},
		{`<a c="b">`, ""},
		{`<a b>`, ""},
		{`<a b=1>`, ""},
		{`<a>`, ""},
	} {
		x := newScanner(strings.NewReader(tt.tag + "</a>"))
		if kind, err := x.next(false); kind != startTag || err != nil || x.name != "a" {
			t.Errorf("%s reads as %v %s, %v; want the start of a", tt.tag, kind, x.name, err)
		}
		if got := x.attr("b"); got != tt.want {
			t.Errorf("the attribute b of %s is %q, want %q", tt.tag, got, tt.want)
		}
	}
}

// TestRepaired: whatever byte stands wherever, it alone is repaired.
func TestRepaired(t *testing.T) {
	for c := range 256 {
		for place := range 20 {
			text := bytes.Repeat([]byte("a"), 20)
			text[place] = byte(c)
			want := string(text)
			switch {
			case c == '\r':
				want = strings.ReplaceAll(want, "\r", "\n")
			case c < ' ' && c != '\t' && c != '\n', c >= 0x80:
				want = strings.ReplaceAll(want, string(text[place:place+1]), "\ufffd")
			}
			if got := repaired(text); got != want {
				t.Errorf("%q is repaired to %q, want %q", text, got, want)
			}
		}
	}
}

// FuzzValues: whatever text a server escapes comes as it was, without what XML
// forbids, and the client escapes it alike.
func FuzzValues(f *testing.F) {
	f.Add("a <b> & \"c\"\r\n\x0b\xff")
	f.Add("Grüße: 漢字 \U0001F600 &amp;")
	f.Fuzz(func(t *testing.T, value string) {
		want := strings.Map(func(r rune) rune {
			if !legal(r) {
				return '\ufffd'
			}
			return r
		}, value)
		var theirs bytes.Buffer
		if err := xml.EscapeText(&theirs, []byte(value)); err != nil {
			t.Fatal(err)
		}
		var ours writer
		ours.escape(value)
		for _, escaped := range []string{theirs.String(), ours.String()} {
			x := newScanner(iotest.OneByteReader(strings.NewReader(`<a x='1' b="` + escaped + `">` + escaped + `</a>`)))
			if _, err := x.next(false); err != nil {
				t.Fatal(err)
			}
			attr := x.attr("b")
			text, err := x.string()
			if attr != want || text != want || err != nil {
				t.Errorf("%q, as %q, comes as %q and %q, %v; want %q", value, escaped, attr, text, err, want)
			}
		}
	})
}

func TestContent(t *testing.T) {
	const start = `<m><c Id="7">`
	for _, tt := range []struct {
		in, want string
		err      error
	}{
		{`SGVsbG8=</c></m>`, "Hello", nil},
		{"SGVs\r\n bG8&#xD;\n=\t</c></m>", "Hello", nil},
		{`</c></m>`, "", nil},
		{`SGVsbG8=`, "Hello", io.ErrUnexpectedEOF},
		{`SGVsbG8=</c`, "Hello", io.ErrUnexpectedEOF},
		{`SGVs`, "Hel", io.ErrUnexpectedEOF},
		{`SGVsbG8=</d></m>`, "Hello", &syntaxError{}},
		{`SGVs!G8=</c></m>`, "Hel", &itemFaultError{}},
		{`SGVsbG8</c></m>`, "Hel", &itemFaultError{}},
		{`SGVs<b/></c></m>`, "Hel", &itemFaultError{}},
		{`SGVs<![CDATA[bG8=]]></c></m>`, "Hel", &itemFaultError{}},
		{`SGVs&#65;bG8=</c></m>`, "Hel", &itemFaultError{}},
		{`SGVs&#xD;&#10;bG8=</c></m>`, "Hello", nil},
		{`SGVs<!-- so far -->bG8=</c></m>`, "Hel", &itemFaultError{}},
	} {
		x := newScanner(iotest.OneByteReader(strings.NewReader(start + tt.in)))
		_, _ = x.next(false)
		if _, err := x.next(false); err != nil || x.attr("Id") != "7" {
			t.Fatalf("the start: %v, Id %q", err, x.attr("Id"))
		}
		got, err := io.ReadAll(x.content())
		_, malformed := errors.AsType[*syntaxError](err)
		_, want := errors.AsType[*syntaxError](tt.err)
		_, fault := asItemFault(err)
		_, wantFault := asItemFault(tt.err)
		if string(got) != tt.want || malformed != want || fault != wantFault || !want && !wantFault && !errors.Is(err, tt.err) {
			t.Errorf("content of %q = %q, %v; want %q, %v", tt.in, got, err, tt.want, tt.err)
		}
		if wantFault {
			if err := x.surface(1); err != nil || x.free {
				t.Errorf("behind the content of %q: %v, and nothing counts: %t", tt.in, err, x.free)
			}
		}
		if tt.err == nil || wantFault {
			if kind, err := x.next(false); kind != endTag || err != nil || x.name != "m" {
				t.Errorf("behind the content of %q comes %v %s, %v; want the end of m", tt.in, kind, x.name, err)
			}
		}
	}
}

// FuzzScanner holds the scanner against the standard library's, which reads less.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{`<a b="c">d<e/>&lt;</a>`, "<a>\x0b</a>", `<a><![CDATA[x]]></a>`, `<s:a xmlns:s="u"><s:b>SGVsbG8=</s:b></s:a>`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := flat(bytes.NewReader(in))
		slow, slowErr := flat(iotest.OneByteReader(bytes.NewReader(in)))
		if got != slow || (err == nil) != (slowErr == nil) {
			t.Fatalf("%q reads as %q, %v at once and as %q, %v byte by byte", in, got, err, slow, slowErr)
		}
		want, ok := standard(in)
		if ok && (got != want || err != nil) {
			t.Errorf("%q reads as %q, %v; encoding/xml reads %q", in, got, err, want)
		}
	})
}

// standard reads with the standard library; ok is false where it refuses, and
// where it is more lenient than XML.
func standard(in []byte) (string, bool) {
	d := xml.NewDecoder(bytes.NewReader(in))
	var b strings.Builder
	var open []string
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return b.String(), len(open) == 0
		}
		if err != nil {
			return "", false
		}
		switch v := token.(type) {
		case xml.StartElement:
			open = append(open, v.Name.Local)
			if strings.ContainsAny(v.Name.Local+v.Name.Space, ":<>&'\"/=") {
				return "", false
			}
			b.WriteString("<" + v.Name.Local + ">")
		case xml.EndElement:
			last := len(open) - 1
			if last < 0 || open[last] != v.Name.Local {
				return "", false
			}
			open = open[:last]
			b.WriteString("</" + v.Name.Local + ">")
		case xml.CharData:
			if len(open) > 0 {
				b.Write(v)
			} else if len(v) == 0 || len(bytes.TrimSpace(v)) > 0 {
				return "", false
			}
		case xml.Directive:
			return "", false
		}
	}
}

// FuzzContent: base64 comes as the standard library decodes it, in whatever pieces.
func FuzzContent(f *testing.F) {
	f.Add([]byte("SGVsbG8="), 1)
	f.Add([]byte("SGVs\nbG8=SGVs"), 5)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		if bytes.ContainsAny(text, "<&") || size < 1 || size > 1<<16 {
			return
		}
		plain := strings.NewReplacer(" ", "", "\t", "", "\n", "", "\r", "").Replace(string(text))
		want, wrong := base64.StdEncoding.DecodeString(plain)
		x := newScanner(io.MultiReader(strings.NewReader("<c>"), bytes.NewReader(text), strings.NewReader("</c>")))
		_, _ = x.next(false)
		var got []byte
		var err error
		content := x.content()
		for err == nil {
			p := make([]byte, size)
			var n int
			n, err = content.Read(p)
			got = append(got, p[:n]...)
		}
		if done := errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF); done != (wrong == nil) || done && !bytes.Equal(got, want) {
			t.Errorf("%q comes as %q, %v; want %q, %v", text, got, err, want, wrong)
		}
	})
}
