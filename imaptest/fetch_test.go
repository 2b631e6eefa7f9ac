package imaptest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
)

// letter is a message with most of what BODY[...] can name: two texts, an
// attachment and a message within, which has parts of its own.
const letter = `From: "Ann O'Neil (x)" <ann@example.com>, group: bob@example.org, "C, D" <cd@example.org>;, lone
Sender: <@relay.example,@other.example:s@example.com>
To: =?utf-8?q?J=C3=BCrgen?= <j@example.com>,
 second@example.com (The Second)
Subject: a "quoted"
	subject
Date: Tue, 5 Mar 2024 23:30:00 -0800
Message-ID: <1@example.com>
In-Reply-To: <0@example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

preamble
--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe
--inner
Content-Type: text/html; charset=utf-8
Content-Language: de, en

<p>Hi</p>
--inner--
--outer
Content-Type: application/pdf; name="a\"b.pdf"
Content-Disposition: attachment; filename="a\"b.pdf"
Content-Transfer-Encoding: base64
Content-ID: <part2@example.com>
Content-Description: A file

JVBERi0=

--outer
Content-Type: message/rfc822

Subject: within
From: eve@example.com
Content-Type: multipart/mixed; boundary=deep

--deep

no header fields
--deep
Content-Type: text/plain

two
--deep--

--outer--
epilogue
`

func TestFetchItems(t *testing.T) {
	dialogues(t, nil, map[string]string{
		"metadata": `
			> a FETCH 2 (UID FLAGS INTERNALDATE RFC822.SIZE)
			< * 2 FETCH (UID 2 FLAGS (\Recent) INTERNALDATE " 5-Mar-2024 06:07:08 +0200" RFC822.SIZE 254)
			< a OK FETCH completed`,
		"fast": `
			> a fetch 1 fast
			< * 1 FETCH (FLAGS (\Recent) INTERNALDATE " 5-Mar-2024 06:07:08 +0200" RFC822.SIZE 254)
			< a OK FETCH completed`,
		"all": `
			> a FETCH 1 ALL
			< * 1 FETCH (FLAGS (\Recent) INTERNALDATE "..." RFC822.SIZE 254 ENVELOPE ("Mon, 01 Jan 2024 09:01:00 +0000" "Sample 1" (("Bob Example" NIL "bob" "example.org")) (("Bob Example" NIL "bob" "example.org")) (("Bob Example" NIL "bob" "example.org")) (("Ann Example" NIL "ann" "example.com")) NIL NIL NIL "<sample-1@example.org>"))
			< a OK FETCH completed`,
		"full": `
			> a FETCH 1 FULL
			< * 1 FETCH (FLAGS (\Recent) INTERNALDATE "..." RFC822.SIZE 254 ENVELOPE (...) BODY ("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 26 1))
			< a OK FETCH completed`,
		"by UID": `
			> a UID FETCH 3,1:2 FLAGS
			< * 1 FETCH (UID 1 FLAGS (\Recent))
			< * 2 FETCH (UID 2 FLAGS (\Recent))
			< * 3 FETCH (UID 3 FLAGS (\Recent))
			< a OK UID FETCH completed`,
		"by UID with UID": `
			> a UID FETCH 2 (FLAGS UID)
			< * 2 FETCH (FLAGS (\Recent) UID 2)
			< a OK UID FETCH completed`,
		"star is the last": `
			> a UID FETCH 90:* UID
			< * 3 FETCH (UID 3)
			< a OK UID FETCH completed`,
		"unknown UID": `
			> a UID FETCH 90 UID
			< a OK UID FETCH completed`,
		"header fields": `
			> a FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject "Message-ID" {4+}
			> Date)]
			< * 1 FETCH (BODY[HEADER.FIELDS ("SUBJECT" "MESSAGE-ID" "DATE")] {96}
			< Subject: Sample 1
			< Date: Mon, 01 Jan 2024 09:01:00 +0000
			< Message-ID: <sample-1@example.org>
			<
			< )
			< a OK FETCH completed`,
		"header fields as asked": `
			> a FETCH 1 body.peek[header.fields (subject)]
			< * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {21}
			< Subject: Sample 1
			<
			< )
			< a OK FETCH completed`,
		"other header fields": `
			> a FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (from to date message-id mime-version content-type)]
			< * 1 FETCH (BODY[HEADER.FIELDS.NOT (FROM TO DATE MESSAGE-ID MIME-VERSION CONTENT-TYPE)] {21}
			< Subject: Sample 1
			<
			< )
			< a OK FETCH completed`,
		"partial": `
			> a FETCH 1 (BODY.PEEK[TEXT]<5.2> BODY.PEEK[TEXT]<24.100> BODY.PEEK[TEXT]<100.5>)
			< * 1 FETCH (BODY[TEXT]<5> {2}
			< is BODY[TEXT]<24> {2}
			<
			<  BODY[TEXT]<100> {0}
			< )
			< a OK FETCH completed`,
		"no such part": `
			> a FETCH 1 (BODY.PEEK[2] BODY.PEEK[1.1] BODY.PEEK[1.HEADER])
			< * 1 FETCH (BODY[2] NIL BODY[1.1] NIL BODY[1.HEADER] NIL)
			< a OK FETCH completed`,
		"body and its header": `
			> a FETCH 1 (BODY.PEEK[1] RFC822.HEADER)
			< * 1 FETCH (BODY[1] {26}
			< This is sample number 1.
			<  RFC822.HEADER {228}
			< From: ...
			< To: ...
			< Subject: ...
			< Date: ...
			< Message-ID: ...
			< MIME-Version: ...
			< Content-Type: ...
			<
			< )
			< a OK FETCH completed`,
	})
}

func TestFetchSyntax(t *testing.T) {
	dialogues(t, nil, map[string]string{
		"number out of range":  "> a FETCH 4 FLAGS\n< a BAD no message has that number",
		"number zero":          "> a FETCH 0 FLAGS\n< a BAD 0 is no message number",
		"number too large":     "> a FETCH 4294967296 FLAGS\n< a BAD number 4294967296 too large",
		"no items":             "> a FETCH 1 ()\n< a BAD expected fetch items at byte 5 of the arguments",
		"unknown item":         "> a FETCH 1 COLOUR\n< a BAD unknown fetch item COLOUR",
		"macro in a list":      "> a FETCH 1 (FAST)\n< a BAD unknown fetch item FAST",
		"MIME without a part":  "> a FETCH 1 BODY[MIME]\n< a BAD MIME needs a part number",
		"unknown section":      "> a FETCH 1 BODY[1.FOOT]\n< a BAD unknown section FOOT",
		"part zero":            "> a FETCH 1 BODY[0]\n< a BAD 0 is no part number",
		"part with a dot":      "> a FETCH 1 BODY[1.]\n< a BAD expected a section at byte 10 of the arguments",
		"no fields":            "> a FETCH 1 BODY[HEADER.FIELDS ()]\n< a BAD expected field names at byte 24 of the arguments",
		"empty partial":        "> a FETCH 1 BODY[]<0.0>\n< a BAD a partial fetch of 0 bytes",
		"partial without size": "> a FETCH 1 BODY[]<0>\n< a BAD expected \".\" at byte 11 of the arguments",
		"unended list":         "> a FETCH 1 (FLAGS\n< a BAD expected a space at byte 9 of the arguments",
		"peek without section": "> a FETCH 1 BODY.PEEK\n< a BAD unknown fetch item BODY.PEEK",
	})
}

func TestFetchInAnEmptyFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.signIn()
		w.choose("SELECT Sent")
		w.talk(`
			> a FETCH 1:* FLAGS
			< a BAD no message has that number
			> a UID FETCH 1:* FLAGS
			< a OK UID FETCH completed
			> a SEARCH ALL
			< * SEARCH
			< a OK SEARCH completed`)
	})
}

func TestSeenIsSetByReadingOnly(t *testing.T) {
	tests := []struct {
		items, open string
		seen        bool
	}{
		{"BODY.PEEK[]", "SELECT", false},
		{"RFC822.HEADER", "SELECT", false},
		{"BODYSTRUCTURE", "SELECT", false},
		{"BODY[HEADER]", "SELECT", true},
		{"BODY[9]", "SELECT", true},
		{"RFC822", "SELECT", true},
		{"RFC822.TEXT", "SELECT", true},
		{"BODY[]", "EXAMINE", false},
	}
	for _, tt := range tests {
		t.Run(tt.items+" "+tt.open, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				w.signIn()
				w.choose(tt.open + " INBOX")
				w.send("a FETCH 1 " + tt.items + "\r\n")
				var answer strings.Builder
				for !strings.HasPrefix(answer.String(), "a OK") && !strings.Contains(answer.String(), "\na OK") {
					line, err := w.r.ReadString('\n')
					if err != nil {
						t.Fatalf("read: %v", err)
					}
					answer.WriteString(line)
				}
				if got := flags(t, w.account, "INBOX", 1) == mailtest.Seen; got != tt.seen {
					t.Errorf("seen = %t, want %t", got, tt.seen)
				}
				if got := strings.Contains(answer.String(), `FLAGS (\Seen \Recent)`); got != tt.seen {
					t.Errorf("the answer tells of \\Seen: %t, want %t:\n%s", got, tt.seen, answer.String())
				}
			})
		})
	}
}

func TestStructureOfAMessage(t *testing.T) {
	const (
		alternative = `(("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "QUOTED-PRINTABLE" 15 0...)` +
			`("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "7BIT" 9 0...) "ALTERNATIVE"...)`
		enclosed = `(NIL "within" ((NIL NIL "eve" "example.com")) ((NIL NIL "eve" "example.com")) ((NIL NIL "eve" "example.com")) NIL NIL NIL NIL NIL)`
	)
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.append("Drafts", mailtest.CRLF(letter))
		w.signIn()
		w.choose("SELECT Drafts")
		w.talk(`
			> a FETCH 1 ENVELOPE
			< * 1 FETCH (ENVELOPE ("Tue, 5 Mar 2024 23:30:00 -0800" {18}
			< a "quoted"	subject (("Ann O'Neil (x)" NIL "ann" "example.com")(NIL NIL "group" NIL)(NIL NIL "bob" "example.org")("C, D" NIL "cd" "example.org")(NIL NIL NIL NIL)(NIL NIL "lone" "MISSING_DOMAIN")) ((NIL "@relay.example,@other.example" "s" "example.com")) (("Ann O'Neil (x)" ...(("=?utf-8?q?J=C3=BCrgen?=" NIL "j" "example.com")("The Second" NIL "second" "example.com")) NIL NIL "<0@example.com>" "<1@example.com>"))
			< a OK FETCH completed
			> a FETCH 1 BODY
			< * 1 FETCH (BODY (` + alternative + `("APPLICATION" "PDF" ("NAME" "a\"b.pdf") "<part2@example.com>" "A file" "BASE64" 10)("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 167 ` + enclosed + ` (("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 16 0)("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 3 0) "MIXED") 12) "MIXED"))
			< a OK FETCH completed
			> a FETCH 1 BODYSTRUCTURE
			< * 1 FETCH (BODYSTRUCTURE ((...NIL NIL NIL NIL)("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "7BIT" 9 0 NIL NIL ("de" "en") NIL) "ALTERNATIVE" ("BOUNDARY" "inner") NIL NIL NIL)("APPLICATION" "PDF" ("NAME" "a\"b.pdf") "<part2@example.com>" "A file" "BASE64" 10 NIL ("ATTACHMENT" ("FILENAME" "a\"b.pdf")) NIL NIL)... "MIXED" ("BOUNDARY" "outer") NIL NIL NIL))
			< a OK FETCH completed`)
	})
}

func TestPartsOfAMessage(t *testing.T) {
	tests := map[string]string{ // section to content, with LF line ends
		"1.1":                             "Gr=C3=BC=C3=9Fe",
		"1.2":                             "<p>Hi</p>",
		"1.2.MIME":                        "Content-Type: text/html; charset=utf-8\nContent-Language: de, en\n\n",
		"2":                               "JVBERi0=\n",
		"3.HEADER":                        "Subject: within\nFrom: eve@example.com\nContent-Type: multipart/mixed; boundary=deep\n\n",
		"3.MIME":                          "Content-Type: message/rfc822\n\n",
		"3.TEXT":                          "--deep\n\nno header fields\n--deep\nContent-Type: text/plain\n\ntwo\n--deep--\n",
		"3.1":                             "no header fields",
		"3.1.MIME":                        "\n",
		"3.2":                             "two",
		"1.1<3.6>":                        "C3=BC=",
		"HEADER.FIELDS (In-Reply-To)":     "In-Reply-To: <0@example.com>\n\n",
		"3.HEADER.FIELDS (from)":          "From: eve@example.com\n\n",
		"3.HEADER.FIELDS.NOT (from date)": "Subject: within\nContent-Type: multipart/mixed; boundary=deep\n\n",
	}
	for section, want := range tests {
		t.Run(section, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				w.append("Drafts", mailtest.CRLF(letter))
				w.signIn()
				w.choose("EXAMINE Drafts")
				name, partial, _ := strings.Cut(section, "<")
				request := "BODY.PEEK[" + name + "]"
				if partial != "" {
					request += "<" + partial
				}
				w.send("a FETCH 1 " + request + "\r\n")
				want := mailtest.CRLF(want)
				w.expect("* 1 FETCH (BODY[" + "...{" + itoa(len(want)) + "}")
				got := make([]byte, len(want))
				if _, err := readFull(w, got); err != nil || string(got) != want {
					t.Fatalf("%s = %q, %v, want %q", section, got, err, want)
				}
				w.talk("< )\n< a OK FETCH completed")
			})
		})
	}
}

func TestOddMessages(t *testing.T) {
	var deep strings.Builder
	for n := range 200 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d.\n\n--b%d.\n", n, n)
	}
	tests := map[string]struct{ raw, items, want string }{
		"empty header":     {"\nbody\n", "(BODY.PEEK[HEADER] BODY)", "* 1 FETCH (BODY[HEADER] {2}"},
		"header only":      {"Subject: x", "BODY.PEEK[TEXT]", `* 1 FETCH (BODY[TEXT] {0}`},
		"no boundary":      {"Content-Type: multipart/mixed\n\nbody\n", "BODY", `* 1 FETCH (BODY ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 6 1))`},
		"never closed":     {deep.String(), "BODY", "* 1 FETCH (BODY " + strings.Repeat("(", 51) + `"TEXT" "PLAIN" ...`},
		"bad content type": {"Content-Type: nonsense\n\nbody\n", "BODY", `* 1 FETCH (BODY ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 6 1))`},
		"eight bits":       {"Subject: gr\xfc\xdf\n\n", "ENVELOPE", `* 1 FETCH (ENVELOPE (NIL {4}`},
		"long subject":     {"Subject: " + strings.Repeat("x", 600) + "\n\n", "ENVELOPE", `* 1 FETCH (ENVELOPE (NIL {600}`},
		"two of a field":   {"To: a@x\nSubject: s\nTo: b@x\n\n", "ENVELOPE", `* 1 FETCH (ENVELOPE (NIL "s" NIL NIL NIL ((NIL NIL "a" "x")(NIL NIL "b" "x")) NIL NIL NIL NIL))`},
		"no addresses":     {"To: Nobody at all\nCc: a@b and more\nBcc: <>, @\n\n", "ENVELOPE", `* 1 FETCH (ENVELOPE (NIL NIL NIL NIL NIL (("Nobody at all" NIL "MISSING_MAILBOX" "MISSING_DOMAIN")) ((NIL NIL "a" "b")) ((NIL NIL "MISSING_MAILBOX" "MISSING_DOMAIN")(NIL NIL "MISSING_MAILBOX" "MISSING_DOMAIN")) NIL NIL))`},
		"digest":           {"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\nx\n--b--\n", "BODY", `* 1 FETCH (BODY (("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 17 (NIL "one" NIL...) ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 1 0) 2) "DIGEST"))`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				w.append("Drafts", mailtest.CRLF(tt.raw))
				w.signIn()
				w.choose("EXAMINE Drafts")
				w.talk("> a FETCH 1 " + tt.items + "\n< " + tt.want)
			})
		})
	}
}

func TestNULIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.append("Drafts", "a\x00b\r\n\r\n")
		w.signIn()
		w.choose("EXAMINE Drafts")
		w.talk("> a FETCH 1 BODY[HEADER]\n< * 1 FETCH (BODY[HEADER] {7}\n< a\x80b\n<\n< )\n< a OK FETCH completed")
	})
}

func TestMessageNumbersNeedNoUIDs(t *testing.T) {
	dialogues(t, &imaptest.Options{Capabilities: []string{}}, map[string]string{
		"bare IMAP4rev1": `
			> a UID FETCH 2 RFC822.SIZE
			< * 2 FETCH (UID 2 RFC822.SIZE 254)
			< a OK UID FETCH completed
			> a UID EXPUNGE 2
			< a BAD Unknown command
			> a UNSELECT
			< a BAD Unknown command
			> a IDLE
			< a BAD Unknown command
			> a LIST "" (INBOX)
			< a BAD expected a mailbox pattern at byte 4 of the arguments
			> a LIST "" Sent
			< * LIST () "/" Sent
			< a OK LIST completed`,
	})
}
