package imaptest_test

import (
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
)

func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		for _, name := range []string{"Work/2024/Q1", "Entwürfe & Ähnliches", "日本語", "a b"} {
			if err := w.account.CreateFolder(name, ""); err != nil {
				t.Fatalf("CreateFolder(%q): %v", name, err)
			}
		}
		if err := w.account.DeleteFolder("Work/2024"); err != nil {
			t.Fatalf("DeleteFolder: %v", err)
		}
		if err := w.account.Subscribe("Junk", false); err != nil {
			t.Fatalf("Subscribe: %v", err)
		}
		w.signIn()
		w.talk(`
			> a LIST "" ""
			< * LIST (\Noselect) "/" ""
			< a OK LIST completed
			> a LIST "" %
			< * LIST (\HasNoChildren) "/" INBOX
			< * LIST (\HasNoChildren \Archive) "/" Archive
			< * LIST (\HasNoChildren \Drafts) "/" Drafts
			< * LIST (\HasNoChildren) "/" "Entw&APw-rfe &- &AMQ-hnliches"
			< * LIST (\HasNoChildren \Junk) "/" Junk
			< * LIST (\HasNoChildren \Sent) "/" Sent
			< * LIST (\HasNoChildren \Trash) "/" Trash
			< * LIST (\HasChildren) "/" Work
			< * LIST (\HasNoChildren) "/" "a b"
			< * LIST (\HasNoChildren) "/" &ZeVnLIqe-
			< a OK LIST completed
			> a LIST "Work/" *
			< * LIST (\Noselect \HasChildren) "/" Work/2024
			< * LIST (\HasNoChildren) "/" Work/2024/Q1
			< a OK LIST completed
			> a LIST "" inbox
			< * LIST (\HasNoChildren) "/" INBOX
			< a OK LIST completed
			> a LIST "" "&ZeVnLIqe-"
			< * LIST (\HasNoChildren) "/" &ZeVnLIqe-
			< a OK LIST completed
			> a LIST "" %/%
			< * LIST (\Noselect \HasChildren) "/" Work/2024
			< a OK LIST completed
			> a LIST "" J*k
			< * LIST (\HasNoChildren \Junk) "/" Junk
			< a OK LIST completed
			> a LIST (SUBSCRIBED) "" (J% Sent) RETURN (CHILDREN)
			< * LIST (\HasNoChildren \Sent \Subscribed) "/" Sent
			< a OK LIST completed
			> a LIST (SPECIAL-USE) "" * RETURN (SUBSCRIBED)
			< * LIST (\HasNoChildren \Archive \Subscribed) "/" Archive
			< * LIST (\HasNoChildren \Drafts \Subscribed) "/" Drafts
			< * LIST (\HasNoChildren \Junk) "/" Junk
			< * LIST (\HasNoChildren \Sent \Subscribed) "/" Sent
			< * LIST (\HasNoChildren \Trash \Subscribed) "/" Trash
			< a OK LIST completed
			> a LIST "" INBOX RETURN (STATUS (MESSAGES UIDNEXT SIZE))
			< * LIST (\HasNoChildren) "/" INBOX
			< * STATUS INBOX (MESSAGES 3 UIDNEXT 4 SIZE 762)
			< a OK LIST completed
			> a LIST (FANCY) "" *
			< a BAD unknown selection option FANCY
			> a LIST "" * RETURN (FANCY)
			< a BAD unknown return option FANCY
			> a LIST "" "&bad"
			< a OK LIST completed
			> a SELECT "&bad"
			< a NO [CANNOT] Mailbox name is not modified UTF-7
			> a LSUB "" J%
			< a OK LSUB completed
			> a LSUB "" Wor*1
			< * LSUB () "/" Work/2024/Q1
			< a OK LSUB completed`)
	})
}

func TestListWithoutExtensions(t *testing.T) {
	dialogues(t, &imaptest.Options{Capabilities: imaptest.Without("LIST-EXTENDED", "SPECIAL-USE", "CHILDREN")}, map[string]string{
		"attributes": "> a LIST \"\" Sent\n< * LIST () \"/\" Sent\n< a OK LIST completed",
		"selection":  "> a LIST (SUBSCRIBED) \"\" Sent\n< a BAD ...",
		"return":     "> a LIST \"\" Sent RETURN (CHILDREN)\n< a BAD ...",
	})
}

func TestFolderCommands(t *testing.T) {
	dialogues(t, nil, map[string]string{
		"create": `
			> a CREATE Work/2024/
			< a OK [MAILBOXID (...)] CREATE completed
			> a CREATE Work
			< a NO Mailbox exists already
			> a CREATE inbox
			< a NO Mailbox exists already
			> a CREATE ""
			< a NO Mailbox name not allowed
			> a LIST "" Work*
			< * LIST (\HasChildren) "/" Work
			< * LIST (\HasNoChildren) "/" Work/2024
			< a OK LIST completed`,
		"delete": `
			> a DELETE Junk
			< a OK DELETE completed
			> a DELETE Junk
			< a NO Mailbox does not exist
			> a DELETE INBOX
			< a NO Mailbox name not allowed`,
		"delete the selected folder": `
			> a SELECT Junk
			< * FLAGS ...
			< * 0 EXISTS
			< * 0 RECENT
			< * OK ...
			< * OK ...
			< * OK ...
			< * OK [HIGHESTMODSEQ 1] Highest
			< * OK [MAILBOXID (F5)] Mailbox
			< a OK ...
			> a DELETE Junk
			< a OK DELETE completed
			> a EXPUNGE
			< a BAD No mailbox selected`,
		"rename": `
			> a RENAME Junk "Spam &- more"
			< a OK RENAME completed
			> a LIST "" Spam*
			< * LIST (\HasNoChildren \Junk) "/" "Spam &- more"
			< a OK LIST completed
			> a RENAME Junk X
			< a NO Mailbox does not exist
			> a RENAME Sent Trash
			< a NO Mailbox exists already`,
		"rename inbox": `
			> a RENAME INBOX Old
			< * 1 EXPUNGE
			< * 1 EXPUNGE
			< * 1 EXPUNGE
			< a OK RENAME completed
			> a STATUS Old (MESSAGES)
			< * STATUS Old (MESSAGES 3)
			< a OK STATUS completed`,
		"subscribe": `
			> a UNSUBSCRIBE Junk
			< a OK UNSUBSCRIBE completed
			> a LSUB "" Junk
			< a OK LSUB completed
			> a SUBSCRIBE Junk
			< a OK SUBSCRIBE completed
			> a LSUB "" Junk
			< * LSUB () "/" Junk
			< a OK LSUB completed
			> a SUBSCRIBE Nowhere
			< a NO Mailbox does not exist`,
		"status": `
			> a STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)
			< * STATUS INBOX (MESSAGES 3 RECENT 0 UIDNEXT 4 UIDVALIDITY 7001 UNSEEN 3)
			< a OK STATUS completed
			> a STATUS Nowhere (MESSAGES)
			< a NO Mailbox does not exist
			> a STATUS INBOX ()
			< a BAD ...
			> a STATUS INBOX (COLOUR)
			< a BAD unknown status item COLOUR`,
		"namespace, id and enable": `
			> a NAMESPACE
			< * NAMESPACE (("" "/")) NIL NIL
			< a OK NAMESPACE completed
			> a ID ("name" "test" "version" NIL)
			< * ID ("name" "imaptest")
			< a OK ID completed
			> a ID NIL
			< * ID ("name" "imaptest")
			< a OK ID completed
			> a ID name
			< a BAD expected a list or NIL at byte 5 of the arguments
			> a ENABLE X-MORE
			< * ENABLED
			< a OK ENABLE completed
			> a ENABLE
			< a BAD ...`,
	})
}

func TestSelect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.append("Archive", "x", mailtest.Seen, "$Work", mailtest.Flagged)
		w.append("Archive", "y", "$work")
		w.signIn()
		w.talk(`
			> a SELECT Archive
			< * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work $work)
			< * 2 EXISTS
			< * 2 RECENT
			< * OK [UNSEEN 2] First unseen message
			< * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work $work \*)] Flags that can be changed
			< * OK [UIDVALIDITY 7006] UIDs valid
			< * OK [UIDNEXT 3] Predicted next UID
			< * OK [HIGHESTMODSEQ 3] Highest
			< * OK [MAILBOXID (F6)] Mailbox
			< a OK [READ-WRITE] SELECT completed
			> a EXAMINE Archive
			< * FLAGS (...)
			< * 2 EXISTS
			< * 0 RECENT
			< * OK [UNSEEN 2] First unseen message
			< * OK [PERMANENTFLAGS ()] Flags that can be changed
			< * OK [UIDVALIDITY 7006] UIDs valid
			< * OK [UIDNEXT 3] Predicted next UID
			< * OK [HIGHESTMODSEQ 3] Highest
			< * OK [MAILBOXID (F6)] Mailbox
			< a OK [READ-ONLY] EXAMINE completed
			> a STORE 1 +FLAGS (\Seen)
			< a NO Mailbox is read-only
			> a EXPUNGE
			< a NO Mailbox is read-only
			> a UID EXPUNGE 1
			< a NO Mailbox is read-only
			> a MOVE 1 Trash
			< a NO Mailbox is read-only
			> a CLOSE
			< a OK CLOSE completed
			> a CHECK
			< a BAD No mailbox selected
			> a SELECT Archive
			< * FLAGS ...
			< * 2 EXISTS
			< * 0 RECENT
			< * OK ...
			< * OK ...
			< * OK ...
			< * OK ...
			< * OK [HIGHESTMODSEQ 3] Highest
			< * OK [MAILBOXID (F6)] Mailbox
			< a OK ...
			> a CHECK
			< a OK CHECK completed
			> a SELECT Nowhere
			< a NO Mailbox does not exist
			> a FETCH 1 FLAGS
			< a BAD No mailbox selected`)
	})
}

func TestRecentIsForOneSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		other := w.another()
		other.open()
		other.talk(`
			> a SEARCH RECENT
			< * SEARCH
			< a OK SEARCH completed
			> a SEARCH OLD
			< * SEARCH 1 2 3
			< a OK SEARCH completed`)
		w.append("INBOX", "new")
		other.talk(`
			> a NOOP
			< * 4 EXISTS
			< * 1 RECENT
			< a OK NOOP completed
			> a SEARCH NEW
			< * SEARCH 4
			< a OK SEARCH completed`)
		w.talk(`
			> a NOOP
			< * 4 EXISTS
			< * 3 RECENT
			< a OK NOOP completed`)
		w.append("INBOX", "newer")
		w.talk(`
			> a STATUS INBOX (RECENT)
			< * STATUS INBOX (RECENT 1)
			< * 5 EXISTS
			< * 4 RECENT
			< a OK STATUS completed
			> a FETCH 4:5 FLAGS
			< * 4 FETCH (FLAGS ())
			< * 5 FETCH (FLAGS (\Recent))
			< a OK FETCH completed`)
	})
}

func TestUIDNextAfterExpunge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		if _, err := w.account.Expunge("INBOX", 3); err != nil {
			t.Fatalf("Expunge: %v", err)
		}
		w.signIn()
		w.talk("> a SELECT INBOX\n< * FLAGS ...\n< * 2 EXISTS\n< * 2 RECENT\n< * OK [UNSEEN 1] ...\n< * OK ...\n< * OK ...\n< * OK [UIDNEXT 4] Predicted next UID")
	})
}

// TestListExtended: folders that are gone stay subscribed to, and a folder is
// named for the sake of those below it.
func TestListExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		for _, name := range []string{"Work/2024/Q1", "Work/2025", "Old"} {
			if err := w.account.CreateFolder(name, ""); err != nil {
				t.Fatalf("CreateFolder(%q): %v", name, err)
			}
		}
		for _, name := range []string{"Work", "Work/2024", "Work/2025"} {
			if err := w.account.Subscribe(name, false); err != nil {
				t.Fatalf("Subscribe(%q): %v", name, err)
			}
		}
		if err := w.account.DeleteFolder("Old"); err != nil {
			t.Fatalf("DeleteFolder: %v", err)
		}
		w.signIn()
		w.talk(`
			> a CREATE New/Sub
			< a OK [MAILBOXID (F16)] CREATE completed
			> a LIST (SUBSCRIBED) "" (W* O* N*)
			< * LIST (\NonExistent \HasNoChildren \Subscribed) "/" Old
			< * LIST (\HasNoChildren \Subscribed) "/" Work/2024/Q1
			< a OK LIST completed
			> a LIST (SUBSCRIBED RECURSIVEMATCH) "" (W% N%)
			< * LIST (\HasChildren) "/" Work ("CHILDINFO" ("SUBSCRIBED"))
			< a OK LIST completed
			> a LIST (SUBSCRIBED RECURSIVEMATCH) "" Work*
			< * LIST (\HasNoChildren \Subscribed) "/" Work/2024/Q1
			< a OK LIST completed
			> a LIST (RECURSIVEMATCH REMOTE) "" *
			< a BAD RECURSIVEMATCH by itself
			> a LIST "" (O% W%)
			< * LIST (\HasChildren) "/" Work
			< a OK LIST completed
			> a LSUB "" W%
			< * LSUB (\Noselect) "/" Work
			< a OK LSUB completed
			> a UNSUBSCRIBE Old
			< a OK UNSUBSCRIBE completed
			> a LSUB "" O*
			< a OK LSUB completed
			> a UNSUBSCRIBE Old
			< a NO Mailbox does not exist
		`)
	})
}

// TestPrefix: what a server wants before the names of all folders is told, and
// names without it are refused.
func TestPrefix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{Prefix: "INBOX/"})
		w.signIn()
		w.talk(`
			> a NAMESPACE
			< * NAMESPACE (("INBOX/" "/")) NIL NIL
			< a OK NAMESPACE completed
			> a CREATE Work
			< a NO Mailbox name not allowed
			> a CREATE INBOX/Work
			< a OK [MAILBOXID (F10)] CREATE completed
			> a RENAME INBOX/Work Play
			< a NO Mailbox name not allowed
			> a RENAME INBOX/Work INBOX/Play
			< a OK RENAME completed
			> a SUBSCRIBE INBOX/Play
			< a OK SUBSCRIBE completed
			> a LIST (SUBSCRIBED) "" INBOX/P*
			< * LIST (\HasNoChildren \Subscribed) "/" INBOX/Play
			< a OK LIST completed
			> a LIST "" %
			< * LIST (\HasChildren) "/" INBOX
			< a OK LIST completed
			> a STATUS INBOX/Play (MESSAGES)
			< * STATUS INBOX/Play (MESSAGES 0)
			< a OK STATUS completed
			> a STATUS Play (MESSAGES)
			< a NO Mailbox name not allowed
			> a DELETE INBOX/Play
			< a OK DELETE completed
		`)
	})
}

// TestNoModSeq: a folder that keeps no change counters says so, and takes
// questions about them for errors.
func TestNoModSeq(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{NoModSeq: []string{"Sent"}})
		w.signIn()
		if _, err := w.account.Append("Sent", mailtest.Sample(1), nil); err != nil {
			t.Fatal(err)
		}
		w.talk(`
			> a STATUS Sent (HIGHESTMODSEQ)
			< * STATUS Sent (HIGHESTMODSEQ 0)
			< a OK STATUS completed
			> a SELECT Sent
			< * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
			< * 1 EXISTS
			< * 1 RECENT
			< * OK [UNSEEN 1] First unseen message
			< * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags that can be changed
			< ...
			< * OK [UIDNEXT 2] Predicted next UID
			< * OK [NOMODSEQ] No change counters here
			< ...
			< a OK [READ-WRITE] SELECT completed
			> a UID FETCH 1 (MODSEQ)
			< a BAD no change counters in this folder
			> a UID STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\Seen)
			< a BAD no change counters in this folder
			> a UID SEARCH MODSEQ 1
			< a BAD no change counters in this folder
			> a UID STORE 1 +FLAGS (\Seen)
			< * 1 FETCH (UID 1 FLAGS (\Seen \Recent))
			< a OK UID STORE completed
		`)
	})
}
