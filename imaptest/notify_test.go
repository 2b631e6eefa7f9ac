package imaptest_test

import (
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/mailtest"
)

func TestNotify(t *testing.T) {
	dialogues(t, nil, map[string]string{
		"where folders stand, and what is not known": `
			> a NOTIFY SET STATUS (MAILBOXES (INBOX Archive) (MessageNew MessageExpunge FlagChange))
			< * STATUS Archive (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7006 HIGHESTMODSEQ 1)
			< a OK NOTIFY completed
			> a NOTIFY SET (PERSONAL (MessageNew MessageExpunge MailboxName))
			< a NO [BADEVENT (MessageNew MessageExpunge FlagChange)] These events are not known: MAILBOXNAME
			> a NOTIFY SET (PERSONAL (MessageNew))
			< a BAD MessageNew and MessageExpunge go together, FlagChange with both
			> a NOTIFY SET
			< a BAD expected a group of events at byte 4 of the arguments
			> a NOTIFY NONE
			< a OK NOTIFY completed`,
	})
}

// TestNotifyOfOtherFolders: within IDLE the client is told of the folders it
// named, and of the selected one where it wants that.
func TestNotifyOfOtherFolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		w.talk(`
			> a NOTIFY SET (SELECTED NONE) (SUBTREE Archive (MessageNew MessageExpunge FlagChange)) (MAILBOXES (Sent) (MessageNew MessageExpunge))
			< a OK NOTIFY completed
			> b IDLE
			< + idling`)
		w.append("INBOX", "not told")
		w.append("Drafts", "neither")
		w.append("Archive", "told")
		w.talk("< * STATUS Archive (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7006 HIGHESTMODSEQ 2)")
		w.append("Sent", "told")
		w.talk("< * STATUS Sent (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7002)")
		for _, folder := range []string{"Sent", "Archive"} { // of the first, flags are not wanted
			if err := w.account.AddFlags(folder, []string{mailtest.Seen}, 1); err != nil {
				t.Fatal(err)
			}
		}
		w.talk("< * STATUS Archive (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7006 HIGHESTMODSEQ 3)")
		if _, err := w.account.Expunge("Sent", 1); err != nil {
			t.Fatal(err)
		}
		w.talk(`
			< * STATUS Sent (MESSAGES 0 UIDNEXT 2 UIDVALIDITY 7002)
			> DONE
			< b OK IDLE completed`)
	})
}
