package imaptest_test

import (
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

func TestObjectIDs(t *testing.T) {
	dialogues(t, nil, map[string]string{
		"a copy is the same email": `
			> a COPY 2 Archive
			< a OK ...
			> a FETCH 2 (EMAILID THREADID)
			< * 2 FETCH (EMAILID (M8) THREADID (T8))
			< a OK FETCH completed
			> a STATUS Archive (MAILBOXID)
			< * STATUS Archive (MAILBOXID (F6))
			< a OK STATUS completed
			> a EXAMINE Archive
			< * FLAGS ...
			< * 1 EXISTS
			< * 1 RECENT
			< * OK [UNSEEN 1] ...
			< * OK [PERMANENTFLAGS ...
			< * OK [UIDVALIDITY ...
			< * OK [UIDNEXT ...
			< * OK [HIGHESTMODSEQ ...
			< * OK [MAILBOXID (F6)] Mailbox
			< a OK ...
			> a UID SEARCH EMAILID M8 THREADID T8
			< * SEARCH 1
			< a OK UID SEARCH completed
			> a UID SEARCH EMAILID M7
			< * SEARCH
			< a OK UID SEARCH completed`,
	})
	dialogues(t, &imaptest.Options{Capabilities: imaptest.Without("OBJECTID")}, map[string]string{
		"without the capability": `
			> a FETCH 1 EMAILID
			< a BAD unknown fetch item EMAILID
			> a SEARCH THREADID T1
			< a BAD unknown search key THREADID
			> a STATUS INBOX (MAILBOXID)
			< a BAD unknown status item MAILBOXID
			> a CREATE New
			< a OK CREATE completed
			> a FETCH 1 X-GM-LABELS
			< a BAD unknown fetch item X-GM-LABELS
			> a STORE 1 X-GM-LABELS (x)
			< a BAD unknown store item X-GM-LABELS`,
	})
}

// gmailWorld has an account whose folders are labels, and INBOX selected.
func gmailWorld(t *testing.T) *world {
	t.Helper()
	w := start(t, &imaptest.Options{Capabilities: imaptest.GmailCapabilities()})
	w.account.UseLabels()
	w.open()
	return w
}

func TestGmailLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := gmailWorld(t)
		w.talk(`
			> a FETCH 1 (X-GM-MSGID X-GM-THRID X-GM-LABELS)
			< * 1 FETCH (X-GM-MSGID 1700000000000000008 X-GM-THRID 1700000000000000008 X-GM-LABELS ())
			< a OK FETCH completed
			> a STORE 1 +X-GM-LABELS (Work "Gr&APYA3w-e" \Sent \Starred)
			< * 1 FETCH (X-GM-LABELS (Gr&APYA3w-e Work "\\Sent" "\\Starred"))
			< * 1 FETCH (FLAGS (\Flagged \Recent))
			< a OK STORE completed`)
		wantCount(t, w, "Work", 1)
		w.talk(`
			> a UID STORE 1 -X-GM-LABELS (Work \Starred)
			< * 1 FETCH (UID 1 X-GM-LABELS (Gr&APYA3w-e "\\Sent"))
			< * 1 FETCH (UID 1 FLAGS (\Recent))
			< a OK UID STORE completed
			> a STORE 1:2 X-GM-LABELS.SILENT (\Inbox)
			< a OK STORE completed
			> a UID STORE 1 -X-GM-LABELS.SILENT \Inbox
			< * 1 EXPUNGE
			< a OK UID STORE completed
			> a SEARCH X-GM-LABELS \Inbox
			< * SEARCH 1 2
			< a OK SEARCH completed
			> a UID SEARCH X-GM-MSGID 1700000000000000009
			< * SEARCH 2
			< a OK UID SEARCH completed`)
		wantCount(t, w, "Work", 0)
		wantCount(t, w, "All Mail", 3)
	})
}

func wantCount(t *testing.T, w *world, folder string, want int) {
	t.Helper()
	if got := count(t, w.account, folder); got != want {
		t.Errorf("%s holds %d messages, want %d", folder, got, want)
	}
}

func TestGmailQueries(t *testing.T) {
	for query, want := range map[string]string{
		`sample`:                         " 1 2 3",
		`number sample-2`:                " 2",
		`\"number 2\"`:                   " 2",
		`subject:(2 sample)`:             " 2",
		`subject:(nothing) `:             "",
		`from:bob -subject:\"sample 1\"`: " 2 3",
		`subject:\"sample 1\" OR subject:\"sample 3\"`:                          " 1 3",
		`{rfc822msgid:sample-1@example.org rfc822msgid:<sample-2@example.org>}`: " 1 2",
		`is:unread in:inbox`:               " 2 3",
		`is:read`:                          " 1",
		`is:starred`:                       " 3",
		`label:my-work`:                    " 2",
		`has:attachment`:                   "",
		`larger:1k`:                        "",
		`smaller:1M -(is:read is:unread)`:  " 1 2 3",
		`after:2024/3/5 before:2024/03/06`: " 1 2 3",
		`before:2024/3/5`:                  "",
		`newer_than:1d`:                    " 1 2 3",
		`older_than:1y`:                    "",
		`colour:red`:                       "",
	} {
		t.Run(query, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := gmailWorld(t)
				for _, err := range []error{
					w.account.AddFlags("INBOX", []string{mailtest.Seen}, 1),
					w.account.AddFlags("INBOX", []string{mailtest.Flagged}, 3),
					w.account.ChangeLabels("INBOX", []mailtest.UID{2}, func([]string) []string { return []string{"My Work"} }),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				w.talk(`
					> a NOOP
					< * 1 FETCH (FLAGS (\Seen \Recent))
					< * 2 FETCH ...
					< * 3 FETCH (FLAGS (\Flagged \Recent))
					< a OK ...
					> a UID SEARCH X-GM-RAW "` + query + `"
					< * SEARCH` + want + `
					< a OK UID SEARCH completed`)
			})
		})
	}
}

func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		w.talk(`
			> a GETQUOTAROOT INBOX
			< * QUOTAROOT INBOX
			< a OK GETQUOTAROOT completed
			> a GETQUOTA ""
			< a NO [NONEXISTENT] No such quota root`)
		w.account.SetQuota(mailtest.Quota{Bytes: 1000, Messages: 4})
		w.talk(`
			> a GETQUOTAROOT inbox
			< * QUOTAROOT INBOX ""
			< * QUOTA "" (STORAGE 1 1 MESSAGE 3 4)
			< a OK GETQUOTAROOT completed
			> a GETQUOTA ""
			< * QUOTA "" (STORAGE 1 1 MESSAGE 3 4)
			< a OK GETQUOTA completed
			> a APPEND Sent {1+}
			> x
			< a OK [APPENDUID 7002 1] APPEND completed
			> a APPEND Sent {1+}
			> x
			< a NO [OVERQUOTA] Quota exceeded
			> a COPY 1 Sent
			< a NO [OVERQUOTA] Quota exceeded
			> a MOVE 1 Sent
			< * OK [COPYUID 7002 1 2] Moved
			< * 1 EXPUNGE
			< a OK MOVE completed
			> a SETQUOTA "" (STORAGE 9)
			< a NO [NOPERM] Only the administrator sets quotas
			> a GETQUOTAROOT None
			< a NO Mailbox does not exist`)
	})
}

func TestFoldersOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		bob := w.box.Add("bob@example.com", secret.New("pw"))
		w.signIn()
		w.talk(`
			> a NAMESPACE
			< * NAMESPACE (("" "/")) NIL NIL
			< a OK NAMESPACE completed`)
		if err := bob.Share("Archive", ann); err != nil {
			t.Fatal(err)
		}
		if err := bob.Share("Drafts", mailtest.Everyone); err != nil {
			t.Fatal(err)
		}
		if _, err := bob.Append("Archive", mailtest.Sample(1), nil); err != nil {
			t.Fatal(err)
		}
		w.talk(`
			> a NAMESPACE
			< * NAMESPACE (("" "/")) (("Other Users/" "/")) (("Shared/" "/"))
			< a OK NAMESPACE completed
			> a LIST "" "*s/*"
			< * LIST (\Noselect \HasChildren) "/" "Other Users/bob@example.com"
			< * LIST (\HasNoChildren) "/" "Other Users/bob@example.com/Archive"
			< a OK LIST completed
			> a LIST "" "Shared/%" RETURN (STATUS (MESSAGES))
			< * LIST (\HasNoChildren) "/" Shared/Drafts
			< * STATUS Shared/Drafts (MESSAGES 0)
			< a OK LIST completed`)
		w.choose(`SELECT "Other Users/bob@example.com/Archive"`)
		w.talk(`
			> a STORE 1 +FLAGS (\Flagged)
			< * 1 FETCH (FLAGS (\Flagged \Recent))
			< a OK STORE completed
			> a COPY 1 INBOX
			< a OK [COPYUID 7001 1 4] COPY completed
			> a MOVE 1 Shared/Drafts
			< * OK [COPYUID ... 1 1] Moved
			< * 1 EXPUNGE
			< a OK MOVE completed
			> a APPEND Shared/Drafts {1+}
			> x
			< a OK [APPENDUID ... 2] APPEND completed
			> a STATUS Shared/Drafts (MESSAGES)
			< * STATUS Shared/Drafts (MESSAGES 2)
			< a OK STATUS completed
			> a CREATE Shared/New
			< a NO [NOPERM] Not permitted in the folders of others
			> a DELETE Shared/Drafts
			< a NO [NOPERM] Not permitted in the folders of others
			> a RENAME Sent Shared/Sent
			< a NO [NOPERM] Not permitted in the folders of others`)
		if got := count(t, bob, "Drafts"); got != 2 {
			t.Errorf("bob has %d drafts, want 2", got)
		}
	})
}

func TestCreateSpecialUse(t *testing.T) {
	dialogues(t, nil, map[string]string{
		"create": `
			> a CREATE Everything (USE (\All))
			< a OK [MAILBOXID (...)] CREATE completed
			> a LIST "" Everything
			< * LIST (\HasNoChildren \All) "/" Everything
			< a OK LIST completed
			> a CREATE Other (USE (\Strange))
			< a BAD unknown special use \Strange`,
	})
}
