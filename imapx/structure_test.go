package imapx

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// structured reads a value as the answer to BODYSTRUCTURE, and writes the parts.
func structured(text string) (parts string, rest string, err error) {
	sc := &scanner{line: []byte(text)}
	n, err := sc.tree()
	if err != nil {
		return "", string(sc.line), err
	}
	s, err := structureOf(n)
	var all []string
	for _, p := range s {
		words := []string{p.Number, p.ContentType}
		if !p.Multipart {
			words = append(words, p.Encoding, strconv.FormatInt(p.Size, 10))
		}
		for _, w := range []string{p.Name, p.Disposition, p.ContentID, p.Params["charset"]} {
			if w != "" {
				words = append(words, w)
			}
		}
		all = append(all, strings.TrimSpace(strings.Join(words, " ")))
	}
	return strings.Join(all, "; "), string(sc.line), err
}

// TestStructureOf what servers write, the right things first.
func TestStructureOf(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"one part", `("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 12 1 NIL NIL NIL NIL)`, "1 text/plain 7bit 12 utf-8"},
		{"without extension data", `("image" "png" NIL "<a@b>" "a picture" "base64" 12)`, "1 image/png base64 12 a@b"},
		{
			"a multipart with a file",
			`(("TEXT" "PLAIN" NIL NIL NIL "8BIT" 3 1)("APPLICATION" "PDF" ("NAME" "a.pdf") NIL NIL "BASE64" 8 NIL ("ATTACHMENT" ("FILENAME" "b.pdf")) NIL NIL) "MIXED" ("BOUNDARY" "x") NIL NIL NIL)`,
			"multipart/mixed; 1 text/plain 8bit 3; 2 application/pdf base64 8 b.pdf attachment",
		},
		{
			"multiparts within each other",
			`((("text" "plain" NIL NIL NIL "7bit" 1 1)("text" "html" NIL NIL NIL "7bit" 2 1) "alternative")("image" "png" NIL "<i>" NIL "base64" 4) "related")`,
			"multipart/related; 1 multipart/alternative; 1.1 text/plain 7bit 1; 1.2 text/html 7bit 2; 2 image/png base64 4 i",
		},
		{
			"a message as a part",
			`(("message" "rfc822" NIL NIL NIL "7bit" 99 ("date" "inner" ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL NIL "<m>") (("text" "plain" NIL NIL NIL "7bit" 1 1)("text" "csv" ("name" "t.csv") NIL NIL "7bit" 2 1) "mixed") 5 NIL ("attachment" NIL)) "mixed")`,
			"multipart/mixed; 1 message/rfc822 7bit 99 attachment; 1 multipart/mixed; 1.1 text/plain 7bit 1; 1.2 text/csv 7bit 2 t.csv",
		},
		{"a message of one part as a part", `("message" "rfc822" NIL NIL NIL "7bit" 99 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" NIL NIL NIL "7bit" 1 1) 5)`, "1 message/rfc822 7bit 99; 1.1 text/plain 7bit 1"},
		{"names in RFC 2231 and RFC 2047", `(("a" "b" ("NAME" "=?utf-8?q?=E2=82=AC?=") NIL NIL "7bit" 1)("a" "b" NIL NIL NIL "7bit" 1 NIL ("attachment" ("filename*0*" "utf-8''%E2%82" "filename*1*" "%AC.pdf"))) "mixed")`, "multipart/mixed; 1 a/b 7bit 1 €; 2 a/b 7bit 1 €.pdf attachment"},
		{"a name with quotes", `("a" "b" ("NAME" "say \"hi\" \\o/") NIL NIL "7bit" 1)`, `1 a/b 7bit 1 say "hi" \o/`},

		{"everything missing", `(NIL NIL NIL NIL NIL NIL NIL)`, "1 text/plain 7bit -1"},
		{"a type that is NIL", `(NIL "PLAIN" NIL NIL NIL "7BIT" 5 1)`, "1 text/plain 7bit 5"},
		{"a subtype that is NIL", `("TEXT" NIL NIL NIL NIL "base64" 5 1)`, "1 text/plain base64 5"},
		{"a subtype that is missing", `(("TEXT" ("CHARSET" "windows-1251") NIL NIL "base64" 356 5)("APPLICATION" NIL NIL NIL "base64" 356)("MESSAGE" NIL NIL NIL "base64" 3) "MIXED" ("BOUNDARY" "c") NIL NIL)`, "multipart/mixed; 1 text/plain base64 356 windows-1251; 2 application/octet-stream base64 356; 3 application/octet-stream base64 3"},
		{"no parameters, not even NIL", `("text" "plain" NIL NIL "7bit" 5 1)`, "1 text/plain 7bit 5"},
		{"empty lists", `(("text" "plain" () NIL NIL "7bit" 5 1 NIL () () NIL) "mixed" () () ())`, "multipart/mixed; 1 text/plain 7bit 5"},
		{"words without quotes", `((text plain (charset utf-8) NIL NIL 7bit 28 2)(application pdf (name a.pdf) NIL NIL base64 9) mixed)`, "multipart/mixed; 1 text/plain 7bit 28 utf-8; 2 application/pdf base64 9 a.pdf"},
		{"no space between", `(("text""plain"("charset""utf-8")NIL NIL"7bit"28 2)"mixed")`, "multipart/mixed; 1 text/plain 7bit 28 utf-8"},
		{"spaces everywhere", `(  ( "text"  "plain" ( "charset"   "utf-8" ) NIL  NIL "7bit" 28  2 )  "mixed"  )`, "multipart/mixed; 1 text/plain 7bit 28 utf-8"},
		{"sizes that are none", `(("text" "plain" NIL NIL NIL "7bit" -1 -1)("a" "b" NIL NIL NIL "base64" 99999999999999999999999)("a" "b" NIL NIL NIL "base64" 9.3736e+06) "mixed")`, "multipart/mixed; 1 text/plain 7bit -1; 2 a/b base64 -1; 3 a/b base64 9373600"},
		{"a size that is NIL", `("text" "plain" ("charset" "utf-8") NIL NIL "8bit" NIL NIL)`, "1 text/plain 8bit -1 utf-8"},
		{"a multipart of nothing", `("MIXED" ("BOUNDARY" "x") NIL NIL)`, "multipart/mixed"},
		{"a multipart whose parts are NIL", `(NIL "ALTERNATIVE" ("BOUNDARY" "x"))`, "multipart/alternative"},
		{"a multipart described as a part", `(("multipart" "related" ("boundary" "x") NIL NIL "7BIT" 400 ("boundary" "x") NIL NIL NIL)("TEXT" "html" NIL NIL NIL "7BIT" 1115 70) "mixed")`, "multipart/mixed; 1 multipart/related; 2 text/html 7bit 1115"},
		{"a message around a multipart of nothing", `(("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 2942 ("d" "s" (("n" NIL "a" "b")) NIL NIL NIL NIL NIL NIL NIL) ("ALTERNATIVE") 51) "REPORT")`, "multipart/report; 1 message/rfc822 7bit 2942; 1 multipart/alternative"},
		{"a message without an envelope", `("message" "rfc822" NIL NIL NIL "7bit" 99 ("text" "plain" NIL NIL NIL "7bit" 1 1) 5)`, "1 message/rfc822 7bit 99; 1.1 text/plain 7bit 1"},
		{"a message whose envelope is NIL", `("message" "rfc822" NIL NIL NIL "7bit" 99 NIL ("text" "plain" NIL NIL NIL "7bit" 1 1) 5)`, "1 message/rfc822 7bit 99; 1.1 text/plain 7bit 1"},
		{"a message without any of it", `("message" "rfc822" ("name" "m.eml") NIL NIL "7bit" 99 NIL ("attachment" ("filename" "n.eml")) NIL)`, "1 message/rfc822 7bit 99 n.eml attachment"},
		{"a disposition that is a word", `("a" "b" NIL NIL NIL "base64" 9 NIL "attachment" ("filename" "x.bin"))`, "1 a/b base64 9 x.bin attachment"},
		{"a disposition that is NIL and has a name", `("a" "b" NIL NIL NIL "base64" 9 NIL (NIL ("filename" "x.bin")))`, "1 a/b base64 9 x.bin"},
		{"disposition and language exchanged", `("image" "jpeg" NIL "<c>" NIL "base64" 9 NIL NIL ("inline" NIL) NIL)`, "1 image/jpeg base64 9 inline c"},
		{"parameters in one more list", `("text" "plain" (("charset" "utf-8")) NIL NIL "7bit" 9 1)`, "1 text/plain 7bit 9 utf-8"},
		{"a parameter without a value", `("text" "plain" ("charset" NIL "format") NIL NIL "7bit" 9 1)`, "1 text/plain 7bit 9"},
		{"quotes within quotes", `(("MOUNDARY="_006_KOS_"" "OCTET-STREAM" ("name" "test.dat") NIL NIL "quoted-printable" 383 NIL ("attachment" ("filename" "test.dat"))) "MIXED" ("boundary" "x"))`, "multipart/mixed; 1 application/octet-stream quoted-printable 383 test.dat attachment"},
		{"a quote too many", `((="_006_AB_"" "OCTET-STREAM" ("name" "a.dat") NIL NIL "base64" 12 NIL NIL) "MIXED")`, "multipart/mixed; 1 application/octet-stream base64 12 a.dat"},
		{"a name with quotes that are not escaped", `("a" "b" ("name" "the "big" one.pdf") NIL NIL "base64" 9)`, `1 a/b base64 9 the "big" one.pdf`},
	} {
		got, rest, err := structured(tt.text + " UID 7)")
		if err != nil || got != tt.want || strings.TrimSpace(rest) != "UID 7)" {
			t.Errorf("%s: %s is\n%s, %v, with %q behind it, want\n%s", tt.name, tt.text, got, err, rest, tt.want)
		}
	}
}

// TestNoStructure: what cannot be one is said to be none, and what is behind it is
// found where that can be.
func TestNoStructure(t *testing.T) {
	deep := strings.Repeat("(", 300) + `"text" "plain"` + strings.Repeat(")", 300)
	for _, tt := range []struct {
		text string
		want error
		rest string
	}{
		{"NIL UID 7)", errNoStructure, "UID 7)"},
		{"() UID 7)", errNoStructure, "UID 7)"},
		{`"none" UID 7)`, errNoStructure, "UID 7)"},
		{deep + " UID 7)", errTooDeep, "UID 7)"},
		{"(" + strings.Repeat("(a b)", maxParts+1) + "mixed) UID 7)", errTooDeep, "UID 7)"},
		{"(" + strings.Repeat("a ", maxNodes+1) + ") UID 7)", errTooDeep, "UID 7)"},
		{"((a b) " + strings.Repeat(`"`+strings.Repeat("x", maxTreeText/4)+`" `, 5) + ") UID 7)", errTooDeep, "UID 7)"},
	} {
		if parts, rest, err := structured(tt.text); !errors.Is(err, tt.want) || strings.TrimSpace(rest) != tt.rest {
			t.Errorf("%.40s has the parts %.40s, %v, with %q behind it, want %v and %q", tt.text, parts, err, rest, tt.want, tt.rest)
		}
	}
	for _, cut := range []string{"", `(`, `("text" "plain"`, `("text" "pl`} {
		if parts, _, err := structured(cut); !itemError(err) {
			t.Errorf("%s has the parts %s, %v, want a malformed answer", cut, parts, err)
		}
	}
}

// FuzzStructure: whatever is said, the structure is no larger than that, its
// numbers lead from the outside in, and it can be used.
func FuzzStructure(f *testing.F) {
	for _, seed := range []string{
		`("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 12 1 NIL ("inline" ("filename" "x")) "en" NIL)`,
		`((("a" "b" NIL NIL NIL "7bit" 1)("message" "rfc822" NIL NIL NIL "7bit" 9 (NIL) ("ALTERNATIVE") -1) "related")(NIL) "mixed" ("boundary" "x"))`,
		`(("M="_0_"" "O" ("name" "t\"x") NIL NIL "q" 3) "MIXED")`, `(NIL "mixed")`, `("multipart")`, `((()))`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sc := &scanner{line: []byte(text)}
		n, err := sc.tree()
		if err != nil {
			return
		}
		s, err := structureOf(n)
		if err == nil && len(s) == 0 || len(s) > len(text) {
			t.Fatalf("%q has %d parts, %v", text, len(s), err)
		}
		for _, p := range s {
			if !utf8.ValidString(p.Name) || strings.ContainsAny(p.Name+p.ContentType, "\r\n") || p.Multipart != strings.HasPrefix(p.ContentType, "multipart/") || p.Multipart && p.Size != -1 {
				t.Errorf("%q has the part %+v", text, p)
			}
			if !p.Multipart && p.Number == "" {
				t.Errorf("%q has the part %+v without a number", text, p)
			}
		}
		if len(s.Attachments()) > len(s) {
			t.Errorf("%q has more attachments than parts", text)
		}
		if p, ok := s.TextPart(); ok && strings.ContainsAny(headOf(p), "\x00") {
			t.Errorf("%q makes the header %q", text, headOf(p))
		}
	})
}
