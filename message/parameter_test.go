package message_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// onlyPart returns the first part of a message with that header.
func onlyPart(t *testing.T, header string) *message.Part {
	t.Helper()
	for p, err := range message.Walk(strings.NewReader(header+"\r\n\r\n"), nil) {
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Fatal("no part")
	return nil
}

func TestContentType(t *testing.T) {
	tests := []struct{ in, want string }{
		{"text/plain", "text/plain"},
		{"Text/HTML; Charset=UTF-8", "text/html charset=UTF-8"},
		{"text/plain; charset=\"utf-8\"; format=flowed", "text/plain charset=utf-8 format=flowed"},
		{"text/plain ; charset = utf-8 ;", "text/plain charset=utf-8"},
		// Comments, and what looks like them.
		{"text/plain; charset=us-ascii (Plain text)", "text/plain charset=us-ascii"},
		{"text/plain (x); charset=\"us-ascii\" (y)", "text/plain charset=us-ascii"},
		{"application/pdf; name=report (1).pdf", "application/pdf name=report (1).pdf"},
		// Quotes and semicolons that are missing or too many.
		{"text/plain; charset=\"utf-8; format=flowed", "text/plain charset=utf-8 format=flowed"},
		{"image/png; name=\"a \"b\" c.png\"", "image/png name=a \"b\" c.png"},
		{"image/png; name=\"a; b.png\"", "image/png name=a; b.png"},
		{"image/png; name=\"a \\\" \\\\ b.png\"", "image/png name=a \" \\ b.png"},
		{"image/png; name=\"C:\\pictures\\a.png\"", "image/png name=C:\\pictures\\a.png"},
		{"image/png; name=a b.png", "image/png name=a b.png"},
		{"text/html charset=utf-8", "text/html charset=utf-8"},
		{"text/html;;charset=utf-8;", "text/html charset=utf-8"},
		{"text/html; charset=utf-8; charset=koi8-r", "text/html charset=utf-8"},
		{"text/html; charset", "text/html"},
		{"text/html; =utf-8; charset=utf-8", "text/html charset=utf-8"},
		{"application/x; boundary==_a=b_", "application/x boundary==_a=b_"},
		{"application/x; boundary=a b", "application/x boundary=a b"},
		// RFC 2231.
		{"image/png; name*=utf-8'de'%C3%A9.png", "image/png name=é.png"},
		{"image/png; name*0=a; name*1=b.png", "image/png name=ab.png"},
		{"image/png; name*1=b.png; name*0=a", "image/png name=ab.png"},
		{"image/png; name*0*=koi8-r''%C1; name*1=b; name*2*=%C2", "image/png name=аbб"},
		{"image/png; name=old.png; name*=utf-8''%C3%A9.png", "image/png name=é.png"},
		{"image/png; name*=%C3%A9.png", "image/png name=é.png"},
		{"image/png; name*=x-own''%E9.png", "image/png name=é.png"},
		{"image/png; name*x=a; name*1=b; name=c.png", "image/png name=c.png"},
		{"image/png; name*0=a; name*2=c", "image/png name=a"},
		// What is no media type.
		{"text", "text/plain malformed-content-type"},
		{"TEXT; charset=utf-8", "text/plain charset=utf-8 malformed-content-type"},
		{"html", "text/plain malformed-content-type"},
		{"/plain", "text/plain malformed-content-type"},
		{"text/", "text/plain malformed-content-type"},
		{";charset=utf-8", "text/plain malformed-content-type"},
		{"image/png; name=" + strings.Repeat("x", 5000), "image/png name=" + strings.Repeat("x", 4096-16) + " malformed-content-type"},
	}
	for _, tt := range tests {
		p := onlyPart(t, "Content-Type: "+tt.in)
		words := []string{p.ContentType}
		for _, name := range slices.Sorted(maps.Keys(p.Params)) {
			words = append(words, name+"="+p.Params[name])
		}
		for _, d := range p.Defects() {
			words = append(words, string(d.Kind))
		}
		if got := strings.Join(words, " "); got != tt.want {
			t.Errorf("Content-Type %q is read as %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestDispositionAndName(t *testing.T) {
	tests := []struct{ in, want string }{
		{"inline", "inline \"\""},
		{"INLINE; filename=a.txt", "inline \"a.txt\""},
		{"attachment; filename=\"=?utf-8?q?=C3=A9.txt?=\"", "attachment \"é.txt\""},
		{"attachment; filename==?utf-8?q?=C3=A9?= =?utf-8?q?.txt?=", "attachment \"é.txt\""},
		{"attachment; filename*=iso-8859-1''%E9.txt; filename=e.txt", "attachment \"é.txt\""},
		{"attachment; filename=\"\xe9.txt\"", "attachment \"é.txt\""},
		{"attachment; filename=\"a\x01b.txt\"", "attachment \"a b.txt\""},
		{"attachment filename=a.txt", "attachment \"a.txt\""},
		{"filename=a.txt", " \"a.txt\""},
		{"x-own", "attachment \"\""},
		{"attachment; filename=\"\"", "attachment \"b.txt\""},
		{"", " \"b.txt\""},
	}
	for _, tt := range tests {
		p := onlyPart(t, "Content-Disposition: "+tt.in+"\r\nContent-Type: text/plain"+map[bool]string{true: "; name=b.txt"}[strings.Contains(tt.want, "b.txt")])
		if got := fmt.Sprintf("%s %q", p.Disposition, p.Name); got != tt.want {
			t.Errorf("Content-Disposition %q is read as %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestContentID(t *testing.T) {
	for in, want := range map[string]string{
		"<a@b>": "a@b", "a@b": "a@b", " <a@b> (x)": "a@b", "<a": "a", "": "", "<>": "",
		"image 1": "image 1", "a =?utf-8?q?=C3=A9?=": "a é",
	} {
		if got := onlyPart(t, "Content-ID: "+in).ContentID; got != want {
			t.Errorf("Content-ID %q is read as %q, want %q", in, got, want)
		}
	}
}
