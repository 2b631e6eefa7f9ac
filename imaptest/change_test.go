package imaptest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
)

func TestStore(t *testing.T) {
	dialogues(t, nil, map[string]string{
		"add, replace, remove": `
			> a STORE 1:2 +FLAGS (\seen $Work)
			< * 1 FETCH (FLAGS ($Work \Seen \Recent))
			< * 2 FETCH (FLAGS ($Work \Seen \Recent))
			< a OK STORE completed
			> a STORE 1 FLAGS (\Deleted)
			< * 1 FETCH (FLAGS (\Deleted \Recent))
			< a OK STORE completed
			> a STORE 2 -FLAGS ($WORK \Seen)
			< * 2 FETCH (FLAGS (\Recent))
			< a OK STORE completed
			> a STORE 1 FLAGS ()
			< * 1 FETCH (FLAGS (\Recent))
			< a OK STORE completed`,
		"by UID": `
			> a UID STORE 3,99 +FLAGS \Flagged \Draft
			< * 3 FETCH (UID 3 FLAGS (\Draft \Flagged \Recent))
			< a OK UID STORE completed`,
		"silent": `
			> a STORE 1 +FLAGS.SILENT (\Answered)
			< a OK STORE completed
			> a NOOP
			< a OK NOOP completed
			> a FETCH 1 FLAGS
			< * 1 FETCH (FLAGS (\Answered \Recent))
			< a OK FETCH completed`,
		"recent cannot be set":   `> a STORE 1 +FLAGS (\Recent)` + "\n" + `< a BAD flag \Recent cannot be set`,
		"unknown flag":           `> a STORE 1 +FLAGS (\Fancy)` + "\n" + `< a BAD flag \Fancy cannot be set`,
		"unknown item":           "> a STORE 1 COLOUR (x)\n< a BAD unknown store item COLOUR",
		"message that is no one": "> a STORE 7 +FLAGS (x)\n< a BAD no message has that number",
	})
}

func TestStoreOfExpungedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		if _, err := w.account.Expunge("INBOX", 2); err != nil {
			t.Fatalf("Expunge: %v", err)
		}
		w.talk(`
			> a STORE 1:3 +FLAGS (x)
			< * 1 FETCH (FLAGS (x \Recent))
			< * 3 FETCH (FLAGS (x \Recent))
			< a NO [EXPUNGEISSUED] Some messages were expunged already
			> a FETCH 1:3 FLAGS
			< * 1 FETCH (FLAGS (x \Recent))
			< * 3 FETCH (FLAGS (x \Recent))
			< a OK [EXPUNGEISSUED] Some messages were expunged already
			> a NOOP
			< * 2 EXPUNGE
			< a OK NOOP completed`)
	})
}

func TestCopyAndMove(t *testing.T) {
	dialogues(t, nil, map[string]string{
		"copy": `
			> a COPY 1,3 Archive
			< a OK [COPYUID 7006 1,3 1:2] COPY completed
			> a UID COPY 2,99 Archive
			< a OK [COPYUID 7006 2 3] UID COPY completed
			> a UID COPY 99 Archive
			< a OK UID COPY completed
			> a COPY 1 Nowhere
			< a NO [TRYCREATE] Mailbox does not exist
			> a STATUS Archive (MESSAGES)
			< * STATUS Archive (MESSAGES 3)
			< a OK STATUS completed`,
		"move": `
			> a MOVE 1:2 Archive
			< * OK [COPYUID 7006 1:2 1:2] Moved
			< * 1 EXPUNGE
			< * 1 EXPUNGE
			< a OK MOVE completed
			> a UID MOVE 3 Trash
			< * OK [COPYUID 7004 3 1] Moved
			< * 1 EXPUNGE
			< a OK UID MOVE completed
			> a UID MOVE 3 Trash
			< a OK UID MOVE completed`,
		"copy to the selected folder": `
			> a COPY 1 INBOX
			< * 4 EXISTS
			< * 4 RECENT
			< a OK [COPYUID 7001 1 4] COPY completed`,
	})
}

func TestWithoutUIDPLUS(t *testing.T) {
	dialogues(t, &imaptest.Options{Capabilities: imaptest.Without("UIDPLUS")}, map[string]string{
		"no codes": `
			> a COPY 1 Archive
			< a OK COPY completed
			> a MOVE 1 Archive
			< * 1 EXPUNGE
			< a OK MOVE completed
			> a UID EXPUNGE 1
			< a BAD Unknown command
			> a APPEND Archive {1+}
			> x
			< a OK APPEND completed`,
	})
}

func TestExpunge(t *testing.T) {
	deleted := `
		> d STORE 1,3 +FLAGS.SILENT (\Deleted)
		< d OK ...`
	dialogues(t, nil, map[string]string{
		"all": deleted + `
			> a EXPUNGE
			< * 1 EXPUNGE
			< * 2 EXPUNGE
			< a OK EXPUNGE completed
			> a FETCH 1 UID
			< * 1 FETCH (UID 2)
			< a OK FETCH completed`,
		"by UID": deleted + `
			> a UID EXPUNGE 2:3
			< * 3 EXPUNGE
			< a OK UID EXPUNGE completed
			> a UID SEARCH ALL
			< * SEARCH 1 2
			< a OK UID SEARCH completed`,
		"close": deleted + `
			> a CLOSE
			< a OK CLOSE completed
			> a STATUS INBOX (MESSAGES)
			< * STATUS INBOX (MESSAGES 1)
			< a OK STATUS completed`,
		"unselect": deleted + `
			> a UNSELECT
			< a OK UNSELECT completed
			> a STATUS INBOX (MESSAGES)
			< * STATUS INBOX (MESSAGES 3)
			< a OK STATUS completed`,
	})
}

func TestAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		w.talk(`
			> a APPEND Drafts {3}
			< + Go ahead
			> abcdef
			< a BAD expected the end of the command at byte 16 of the arguments
			> a NOOP
			< a OK NOOP completed`)
		if got := count(t, w.account, "Drafts"); got != 0 {
			t.Errorf("%d messages after a literal that was longer than announced", got)
		}
		w.send("b APPEND Drafts (\\Seen $Draft) \" 5-Mar-2024 06:07:08 +0200\" {14}\r\n")
		w.expect("+ Go ahead")
		w.send("Subject: x\r\n\r\n\r\n")
		w.expect("b OK [APPENDUID 7003 1] APPEND completed")
		m, err := w.account.Message("Drafts", 1)
		if err != nil || m.Raw != "Subject: x\r\n\r\n" || strings.Join(m.Flags, " ") != `$Draft \Seen` {
			t.Errorf("message = %+v, %v", m, err)
		}
		if want := time.Date(2024, time.March, 5, 4, 7, 8, 0, time.UTC); !m.Received.Equal(want) {
			t.Errorf("Received = %v, want %v", m.Received, want)
		}
		w.talk(`
			> c APPEND INBOX {3+}
			> abc
			< * 4 EXISTS
			< * 4 RECENT
			< c OK [APPENDUID 7001 4] APPEND completed
			> c APPEND Nowhere {3+}
			> abc
			< c NO [TRYCREATE] Mailbox does not exist
			> c APPEND INBOX (\Recent) {3+}
			> abc
			< c BAD flag \Recent cannot be set
			> c APPEND INBOX "5-Mar-2024 06:07:08 +0200" {3+}
			> abc
			< c BAD a date-time looks like " 1-Feb-2024 10:20:30 +0000"
			> c APPEND INBOX abc
			< c BAD expected a literal at byte 7 of the arguments
			> c APPEND INBOX {0+}
			>
			< c NO Message is empty`)
	})
}

func TestLiteralLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{MaxMessage: 10, Capabilities: []string{"LITERAL-"}})
		w.open()
		w.talk(`
			> a APPEND INBOX {11}
			< a NO [TOOBIG] Message too large
			> a APPEND INBOX {11+}
			> 12345678901
			< a NO [TOOBIG] Message too large
			> a APPEND INBOX {11+}
			> 12345678901 {3+}
			> abc
			< a NO [TOOBIG] Message too large
			> a SEARCH SUBJECT {70000}
			< a BAD Command too long
			> a SEARCH SUBJECT {99999999999999999999}
			< a BAD Command too long
			> a SEARCH SUBJECT {5000+}
			< a BAD expected a literal at byte 9 of the arguments
			> a NOOP
			< a OK NOOP completed`)
		if got := count(t, w.account, "INBOX"); got != 3 {
			t.Errorf("%d messages in INBOX, want 3", got)
		}
	})
}

func TestEagerLiteralsHaveToBeOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{Capabilities: []string{}})
		w.open()
		w.talk(`
			> a APPEND INBOX {3+}
			< a BAD expected a literal at byte 7 of the arguments
			> abc
			< abc BAD Command expected`)
	})
}

func TestChangesByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		if err := w.account.AddFlags("INBOX", []string{mailtest.Seen}, 3); err != nil {
			t.Fatalf("AddFlags: %v", err)
		}
		if _, err := w.account.Expunge("INBOX", 1); err != nil {
			t.Fatalf("Expunge: %v", err)
		}
		w.append("INBOX", "new")
		w.talk(`
			> a FETCH 2 RFC822.SIZE
			< * 2 FETCH (RFC822.SIZE 254)
			< * 4 EXISTS
			< * 4 RECENT
			< * 3 FETCH (FLAGS (\Seen \Recent))
			< a OK FETCH completed
			> a UID FETCH 4 UID
			< * 4 FETCH (UID 4)
			< * 1 EXPUNGE
			< a OK UID FETCH completed
			> a NOOP
			< a OK NOOP completed`)
		if err := w.account.RemoveFlags("INBOX", []string{mailtest.Seen}, 3); err != nil {
			t.Fatalf("RemoveFlags: %v", err)
		}
		w.talk(`
			> a UID SEARCH 1
			< * SEARCH 2
			< * 2 FETCH (UID 3 FLAGS (\Recent))
			< a OK UID SEARCH completed`)
	})
}

func TestSelectedFolderVanishes(t *testing.T) {
	tests := map[string]struct {
		do   func(a *mailtest.Account) error
		want string
	}{
		"deleted": {
			func(a *mailtest.Account) error { return a.DeleteFolder("Archive") },
			"< * BYE Selected mailbox was deleted",
		},
		"made anew": {
			func(a *mailtest.Account) error {
				if err := a.DeleteFolder("Archive"); err != nil {
					return err
				}
				return a.CreateFolder("Archive", "")
			},
			"< * BYE Selected mailbox was deleted",
		},
		"validity": {
			func(a *mailtest.Account) error { return a.BumpUIDValidity("Archive") },
			"< * BYE UIDVALIDITY of the selected mailbox changed",
		},
		"renamed": {
			func(a *mailtest.Account) error { return a.RenameFolder("Archive", "Elsewhere") },
			"< a OK NOOP completed\n> b FETCH 1 UID\n< * 1 FETCH (UID 1)\n< b OK FETCH completed",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				w.append("Archive", "x")
				w.signIn()
				w.choose("SELECT Archive")
				if err := tt.do(w.account); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				w.talk("> a NOOP\n" + tt.want)
				if name != "renamed" {
					w.ended()
				}
			})
		})
	}
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		w.append("INBOX", "before")
		w.talk(`
			> a IDLE
			< + idling
			< * 4 EXISTS
			< * 4 RECENT`)
		w.quiet()
		if err := w.box.Deliver("x", ann); err != nil {
			t.Fatalf("Deliver: %v", err)
		}
		w.talk("< * 5 EXISTS\n< * 5 RECENT")
		if err := w.account.AddFlags("INBOX", []string{mailtest.Flagged}, 2); err != nil {
			t.Fatalf("AddFlags: %v", err)
		}
		w.talk(`< * 2 FETCH (FLAGS (\Flagged \Recent))`)
		if _, err := w.account.Move("INBOX", "Trash", 1, 4); err != nil {
			t.Fatalf("Move: %v", err)
		}
		w.talk("< * 1 EXPUNGE\n< * 3 EXPUNGE")
		w.append("Trash", "elsewhere")
		w.quiet()
		w.talk(`
			> DONE
			< a OK IDLE completed
			> b IDLE
			< + idling
			> b NOOP
			< b BAD Expected DONE
			> c NOOP
			< c OK NOOP completed
			> c UNSELECT
			< c OK UNSELECT completed
			> c IDLE
			< + idling
			> DONE
			< c OK IDLE completed`)
		said := w.server.Commands()
		if last := said[len(said)-1]; last.Name != "DONE" || last.Line != "DONE" {
			t.Errorf("the last command recorded is %+v, want DONE", last)
		}
	})
}

func TestIdleEndsWithTheFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{Security: mailtest.TLS})
		w.secure()
		w.open()
		w.talk("> a IDLE\n< + idling")
		if err := w.account.BumpUIDValidity("INBOX"); err != nil {
			t.Fatalf("BumpUIDValidity: %v", err)
		}
		w.talk("< * BYE UIDVALIDITY of the selected mailbox changed")
		w.ended()
	})
}

func TestClientLeavesDuringIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		w.talk("> a IDLE\n< + idling")
		_ = w.conn.Close()
		synctest.Wait()
		if _, open := w.server.Connections(); open != 0 {
			t.Errorf("%d connections open after the client left", open)
		}
	})
}

func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk(`
			< * OK ...
			> 
			< * BAD Command expected
			> tag
			< tag BAD Command expected
			> + NOOP
			< * BAD Command expected
			> a FROB
			< a BAD Unknown command
			> a UID FROB 1
			< a BAD Unknown command
			> a NOOP x
			< a BAD expected the end of the command at byte 0 of the arguments`)
		w.send("a NOOP\n")
		w.talk("< * BAD Line ends in LF without CR\n> a NOOP\n< a OK NOOP completed")
		// The server reads 4 KiB at a time, and finds the line too long with the last of
		// these bytes: there is nothing left to write when it hangs up.
		w.send("a NOOP" + strings.Repeat("x", 68<<10-len("a NOOP")))
		w.talk("< * BYE Line too long")
	})
}
