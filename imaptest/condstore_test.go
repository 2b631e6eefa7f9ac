package imaptest_test

import (
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
)

func TestCondstore(t *testing.T) {
	dialogues(t, nil, map[string]string{
		"change counters are told to those who ask": `
			> a STORE 1 +FLAGS (\Seen)
			< * 1 FETCH (FLAGS (\Seen \Recent))
			< a OK STORE completed
			> a FETCH 1:2 (MODSEQ)
			< * OK [HIGHESTMODSEQ 5] Highest
			< * 1 FETCH (MODSEQ (5))
			< * 2 FETCH (MODSEQ (3))
			< a OK FETCH completed
			> a STORE 2 +FLAGS.SILENT (\Seen)
			< * 2 FETCH (UID 2 MODSEQ (6))
			< a OK STORE completed
			> a FETCH 3 BODY[TEXT]<0.4>
			< * 3 FETCH (FLAGS (\Seen \Recent) MODSEQ (7) BODY[TEXT]<0> {4}
			< This)
			< a OK FETCH completed`,
		"what changed since": `
			> a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 3)
			< * OK [HIGHESTMODSEQ 4] Highest
			< * 3 FETCH (MODSEQ (4) UID 3 FLAGS (\Recent))
			< a OK UID FETCH completed`,
		"conditional store": `
			> a STORE 1:3 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\Flagged)
			< * OK [HIGHESTMODSEQ 4] Highest
			< * 1 FETCH (UID 1 MODSEQ (5))
			< * 2 FETCH (UID 2 MODSEQ (6))
			< a OK [MODIFIED 3] STORE completed
			> a UID STORE 1:3 (UNCHANGEDSINCE 0) -FLAGS (\Flagged)
			< a OK [MODIFIED 1:3] UID STORE completed
			> a STORE 1 (UNCHANGED 0) -FLAGS (x)
			< a BAD expected UNCHANGEDSINCE at byte 13 of the arguments`,
		"search": `
			> a SEARCH MODSEQ 4
			< * OK [HIGHESTMODSEQ 4] Highest
			< * SEARCH 3 (MODSEQ 4)
			< a OK SEARCH completed
			> a UID SEARCH MODSEQ "/flags/\\seen" all 3 NOT UID 3
			< * SEARCH 2 (MODSEQ 3)
			< a OK UID SEARCH completed
			> a SEARCH MODSEQ 99
			< * SEARCH
			< a OK SEARCH completed`,
		"status and enable": `
			> a STATUS Archive (HIGHESTMODSEQ)
			< * OK [HIGHESTMODSEQ 4] Highest
			< * STATUS Archive (HIGHESTMODSEQ 1)
			< a OK STATUS completed
			> a ENABLE CONDSTORE X-MORE
			< * ENABLED CONDSTORE
			< a OK ENABLE completed`,
		"VANISHED and QRESYNC have to be enabled": `
			> a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)
			< a BAD unknown fetch modifier VANISHED
			> a SELECT INBOX (QRESYNC (7001 1))
			< a BAD unknown or not enabled parameter QRESYNC`,
	})
}

func TestConditionalStoreSeesOtherSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		w.talk(`
			> a FETCH 1 MODSEQ
			< * OK [HIGHESTMODSEQ 4] Highest
			< * 1 FETCH (MODSEQ (2))
			< a OK ...`)
		if err := w.account.AddFlags("INBOX", []string{mailtest.Seen}, 1); err != nil {
			t.Fatalf("AddFlags: %v", err)
		}
		w.talk(`
			> a UID STORE 1 (UNCHANGEDSINCE 2) FLAGS ()
			< * 1 FETCH (UID 1 FLAGS (\Seen \Recent) MODSEQ (5))
			< a OK [MODIFIED 1] UID STORE completed`)
	})
}

func TestResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.signIn()
		w.talk(`
			> a ENABLE QRESYNC
			< * ENABLED QRESYNC
			< a OK ENABLE completed`)
		if _, err := w.account.Expunge("INBOX", 2); err != nil {
			t.Fatalf("Expunge: %v", err)
		}
		head := `
			< * FLAGS ...
			< * 2 EXISTS
			< * ... RECENT
			< * OK [UNSEEN 1] ...
			< * OK [PERMANENTFLAGS ...
			< * OK [UIDVALIDITY 7001] ...
			< * OK [UIDNEXT 4] ...
			< * OK [HIGHESTMODSEQ 5] Highest
			< * OK [MAILBOXID (F1)] Mailbox`
		w.talk(`
			> a SELECT INBOX (QRESYNC (7001 3 1:9 (1,2 1,2)))` + head + `
			< * VANISHED (EARLIER) 2
			< * 2 FETCH (UID 3 FLAGS (\Recent) MODSEQ (4))
			< a OK [READ-WRITE] SELECT completed
			> a SELECT INBOX (QRESYNC (7000 3))
			< * OK [CLOSED] Previous mailbox closed` + head + `
			< a OK [READ-WRITE] SELECT completed
			> a SELECT INBOX (QRESYNC (7001 3 3:9))
			< * OK [CLOSED] Previous mailbox closed` + head + `
			< * 2 FETCH (UID 3 FLAGS () MODSEQ (4))
			< a OK [READ-WRITE] SELECT completed
			> a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 4 VANISHED)
			< * VANISHED (EARLIER) 2
			< a OK UID FETCH completed
			> a STORE 1 +FLAGS (\Deleted)
			< * 1 FETCH (UID 1 FLAGS (\Deleted) MODSEQ (6))
			< a OK STORE completed
			> a EXPUNGE
			< * VANISHED 1
			< a OK [HIGHESTMODSEQ 7] EXPUNGE completed`)
	})
}

func TestWithoutCondstore(t *testing.T) {
	o := &imaptest.Options{Capabilities: imaptest.Without("CONDSTORE", "QRESYNC", "ESEARCH", "PARTIAL")}
	dialogues(t, o, map[string]string{
		"nothing of it is known": `
			> a FETCH 1 MODSEQ
			< a BAD unknown fetch item MODSEQ
			> a FETCH 1 FLAGS (CHANGEDSINCE 1)
			< a BAD expected the end ...
			> a STORE 1 (UNCHANGEDSINCE 1) FLAGS ()
			< a BAD ...
			> a SEARCH MODSEQ 1
			< a BAD unknown search key MODSEQ
			> a SEARCH RETURN (ALL) ALL
			< a BAD unknown search key RETURN
			> a STATUS INBOX (HIGHESTMODSEQ)
			< a BAD unknown status item HIGHESTMODSEQ
			> a ENABLE CONDSTORE QRESYNC
			< * ENABLED
			< a OK ENABLE completed
			> a SELECT INBOX (CONDSTORE)
			< a BAD expected the end ...`,
	})
}

func TestExtendedSearch(t *testing.T) {
	dialogues(t, nil, map[string]string{
		"return options": `
			> a SEARCH RETURN (MIN MAX COUNT) ALL
			< * ESEARCH (TAG "a") MIN 1 MAX 3 COUNT 3
			< a OK SEARCH completed
			> b UID SEARCH RETURN () NOT UID 2
			< * ESEARCH (TAG "b") UID ALL 1,3
			< b OK UID SEARCH completed
			> b UID SEARCH RETURN (MIN ALL COUNT) SEEN
			< * ESEARCH (TAG "b") UID COUNT 0
			< b OK UID SEARCH completed
			> b SEARCH RETURN (BEST) ALL
			< b BAD unknown search return option BEST`,
		"change counters": `
			> a SEARCH RETURN (MIN) MODSEQ 1
			< * OK [HIGHESTMODSEQ 4] Highest
			< * ESEARCH (TAG "a") MIN 1 MODSEQ 2
			< a OK SEARCH completed
			> a SEARCH RETURN (MIN MAX) MODSEQ 1
			< * ESEARCH (TAG "a") MIN 1 MAX 3 MODSEQ 4
			< a OK SEARCH completed`,
		"pages": `
			> a SEARCH RETURN (PARTIAL 2:9) ALL
			< * ESEARCH (TAG "a") PARTIAL (2:9 2:3)
			< a OK SEARCH completed
			> a UID SEARCH RETURN (PARTIAL -1:-2) ALL
			< * ESEARCH (TAG "a") UID PARTIAL (-1:-2 2:3)
			< a OK UID SEARCH completed
			> a SEARCH RETURN (PARTIAL 4:5) ALL
			< * ESEARCH (TAG "a") PARTIAL (4:5 NIL)
			< a OK SEARCH completed
			> a SEARCH RETURN (PARTIAL 1:*) ALL
			< a BAD expected a number ...
			> a SEARCH RETURN (PARTIAL -1:2) ALL
			< a BAD a partial range has two ends of one sign`,
	})
}
