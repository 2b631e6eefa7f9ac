package imaptest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

// searched starts a world whose folder Archive holds six messages to look for.
func searched(t *testing.T) *world {
	t.Helper()
	w := start(t, nil)
	add := func(received time.Time, raw string, flags ...string) {
		if _, err := w.account.Append("Archive", mailtest.CRLF(raw), &mailtest.AppendOptions{Flags: flags, Received: received}); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
	day := func(d, hour, zone int) time.Time {
		return time.Date(2024, time.February, d, hour, 0, 0, 0, time.FixedZone("", zone*60*60))
	}
	add(day(1, 12, 0), "From: bob@example.org\nTo: ann@example.com\nSubject: Hello World\nDate: Thu, 1 Feb 2024 12:00:00 +0000\n\nplain text\n", mailtest.Seen)
	add(day(2, 23, -8), "From: carol@example.org\nCc: dave@example.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nDate: Fri, 2 Feb 2024 23:30:00 -0800\n\nx\n", mailtest.Flagged, "$Work")
	add(day(3, 1, 9), "Subject: base64\nContent-Transfer-Encoding: base64\nContent-Type: text/plain; charset=utf-8\n\nw5xiZXI=\n", mailtest.Answered, mailtest.Deleted)
	add(day(4, 0, 0), "Subject: quoted\nContent-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset=iso-8859-1\n\nM=FCll und l=\nang\n", mailtest.Draft)
	add(day(5, 0, 0), "Subject: nested\nX-Tag:\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/pdf\n\nneedle\n--b\nContent-Type: message/rfc822\n\nSubject: inner\n\nhay\n--b--\n")
	add(day(6, 0, 0), "Bcc: eve@example.org\nSubject: "+strings.Repeat("long ", 200)+"\nDate: nonsense\n\n")
	w.signIn()
	w.choose("SELECT Archive")
	return w
}

func TestSearch(t *testing.T) {
	tests := map[string]string{
		"ALL":                                 " 1 2 3 4 5 6",
		"SEEN":                                " 1",
		"UNSEEN":                              " 2 3 4 5 6",
		"FLAGGED":                             " 2",
		"UNFLAGGED ANSWERED":                  " 3",
		"UNANSWERED DRAFT":                    " 4",
		"DELETED":                             " 3",
		"UNDELETED UNDRAFT":                   " 1 2 5 6",
		"KEYWORD $work":                       " 2",
		"UNKEYWORD $Work":                     " 1 3 4 5 6",
		"NEW":                                 " 2 3 4 5 6",
		"OLD":                                 "",
		"FROM BOB":                            " 1",
		"TO ann@":                             " 1",
		"CC dave":                             " 2",
		"BCC eve":                             " 6",
		`SUBJECT "hello world"`:               " 1",
		"HEADER subject nested":               " 5",
		`HEADER X-Tag ""`:                     " 5",
		`HEADER X-None ""`:                    "",
		"BODY needle":                         "",
		"BODY inner":                          "",
		"TEXT inner":                          " 5",
		"BODY nested":                         "",
		"TEXT nested":                         " 5",
		"TEXT hay":                            " 5",
		"BODY plain":                          " 1",
		`BODY "und lang"`:                     " 4",
		"LARGER 900":                          " 6",
		"SMALLER 100 LARGER 50":               "",
		"SINCE 3-Feb-2024":                    " 3 4 5 6",
		"BEFORE 2-Feb-2024":                   " 1",
		`ON "2-Feb-2024"`:                     " 2",
		"SENTON 2-Feb-2024":                   " 2",
		"SENTSINCE 2-feb-2024":                " 2",
		"SENTBEFORE 2-Feb-2024":               " 1",
		"2:3,6":                               " 2 3 6",
		"*":                                   " 6",
		"4:*":                                 " 4 5 6",
		"UID 5:90":                            " 5 6",
		"UID 90:*":                            " 6",
		"NOT 2:6":                             " 1",
		"OR SEEN FLAGGED":                     " 1 2",
		"OR (SEEN FROM bob) NOT (OR 1:5 ALL)": " 1",
		"(SEEN (FROM bob))":                   " 1",
		"CHARSET UTF-8 ALL":                   " 1 2 3 4 5 6",
		"charset us-ascii SEEN":               " 1",
	}
	synctest.Test(t, func(t *testing.T) {
		w := searched(t)
		for keys, want := range tests {
			w.talk("> a SEARCH " + keys + "\n< * SEARCH" + want + "\n< a OK SEARCH completed")
			w.talk("> a UID SEARCH " + keys + "\n< * SEARCH" + want + "\n< a OK UID SEARCH completed")
		}
	})
}

func TestSearchDecodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := searched(t)
		for text, want := range map[string]string{"SUBJECT grüße": " 2", "BODY ÜBER": " 3", "BODY müll": " 4", "TEXT GRÜSSE": ""} {
			key, value, _ := strings.Cut(text, " ")
			w.send("a SEARCH CHARSET UTF-8 " + key + " {" + itoa(len(value)) + "+}\r\n" + value + "\r\n")
			w.talk("< * SEARCH" + want + "\n< a OK SEARCH completed")
		}
	})
}

func TestSearchSyntax(t *testing.T) {
	dialogues(t, nil, map[string]string{
		"nothing":        "> a SEARCH\n< a BAD expected a space at byte 0 of the arguments",
		"charset":        "> a SEARCH CHARSET KOI8-R ALL\n< a NO [BADCHARSET (US-ASCII UTF-8)] Charset not supported",
		"unknown key":    "> a SEARCH COLOUR\n< a BAD unknown search key COLOUR",
		"eight bits":     "> a SEARCH SUBJECT \"\xfc\"\n< a BAD byte 0xfc not allowed in a quoted string",
		"date":           "> a SEARCH SINCE 2024-02-01\n< a BAD a date looks like 1-Feb-2024",
		"number":         "> a SEARCH 4\n< a BAD no message has that number",
		"size":           "> a SEARCH LARGER x\n< a BAD expected a number at byte 8 of the arguments",
		"one side of or": "> a SEARCH OR SEEN\n< a BAD expected a space at byte 8 of the arguments",
		"unclosed":       "> a SEARCH (SEEN\n< a BAD expected \")\" at byte 6 of the arguments",
		"nested":         "> a SEARCH " + strings.Repeat("(", 60) + "ALL" + strings.Repeat(")", 60) + "\n< a BAD search keys nested too deep",
		"many not":       "> a SEARCH " + strings.Repeat("NOT ", 60) + "ALL\n< a BAD search keys nested too deep",
		"trailing space": "> a SEARCH ALL \n< a BAD expected an atom at byte 5 of the arguments",
	})
}

func TestSearchPassesOverWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		if _, err := w.account.Expunge("INBOX", 2); err != nil {
			t.Fatalf("Expunge: %v", err)
		}
		w.talk(`
			> a SEARCH ALL
			< * SEARCH 1 3
			< a OK SEARCH completed
			> a UID SEARCH ALL
			< * SEARCH 1 3
			< * 2 EXPUNGE
			< a OK UID SEARCH completed`)
	})
}
