package pop3test_test

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
)

func TestSession(t *testing.T) {
	play(t, []dialogue{
		{"a whole session", nil, signIn + `
			> STAT
			< +OK 3 762
			> LIST
			< +OK 3 messages (762 octets)
			< 1 254
			< 2 254
			< 3 254
			< .
			> list 2
			< +OK 2 254
			> UIDL
			< +OK Unique-ids follow
			< 1 0000000100001b59
			< 2 0000000200001b59
			< 3 0000000300001b59
			< .
			> UIDL 3
			< +OK 3 0000000300001b59
			> DELE 2
			< +OK Marked to be deleted
			> STAT
			< +OK 2 508
			> LIST
			< +OK 2 messages (508 octets)
			< 1 254
			< 3 254
			< .
			> RSET
			< +OK
			> STAT
			< +OK 3 762
			> NOOP
			< +OK
			> QUIT
			< +OK Bye
			<EOF`},
		{"leaving at once", nil, greeting + "> QUIT\n< +OK Bye\n<EOF"},
		{"LAST", &pop3test.Options{Last: true}, signIn + `
			> LAST
			< +OK 0
			> DELE 2
			< +OK Marked to be deleted
			> LAST
			< +OK 2
			> RSET
			< +OK
			> LAST
			< +OK 0`},
	})
}

func TestStates(t *testing.T) {
	play(t, []dialogue{
		{"what needs a sign-in", nil, greeting + strings.Repeat("> NOOP\n< -ERR Sign in first\n", 2) + `
			> STAT
			< -ERR Sign in first
			> LIST
			< -ERR Sign in first
			> UIDL
			< -ERR Sign in first
			> RETR 1
			< -ERR Sign in first
			> TOP 1 0
			< -ERR Sign in first
			> DELE 1
			< -ERR Sign in first
			> RSET
			< -ERR Sign in first
			> PASS ` + password + `
			< -ERR PASS comes after USER`},
		{"what comes before it", nil, signIn + `
			> USER x
			< -ERR Signed in already
			> AUTH PLAIN
			< -ERR Signed in already
			> UTF8
			< -ERR Signed in already`},
		{"arguments", nil, signIn + `
			> STAT 1
			< -ERR STAT has no argument
			> NOOP 1
			< -ERR NOOP has no argument
			> RSET 1
			< -ERR RSET has no argument
			> QUIT now
			< -ERR QUIT has no argument
			> CAPA all
			< -ERR CAPA has no argument
			> LIST x
			< -ERR A message number is expected
			> LIST 0
			< -ERR No such message
			> RETR
			< -ERR A message number is expected
			> RETR -1
			< -ERR A message number is expected
			> RETR 4
			< -ERR No such message
			> DELE 1
			< +OK Marked to be deleted
			> DELE 1
			< -ERR Message is deleted
			> RETR 1
			< -ERR Message is deleted
			> LIST 1
			< -ERR Message is deleted
			> UIDL 1
			< -ERR Message is deleted
			> TOP 2
			< -ERR TOP needs a message number and a number of lines
			> TOP 1 1
			< -ERR Message is deleted`},
		{"what is no command", nil, greeting + `
			>
			< -ERR No command
			> QUIT` + " " + `
			< -ERR No command
			> LAST
			< -ERR Unknown command
			> XTND XLST
			< -ERR Unknown command
			> NOOP ` + strings.Repeat("x", 300) + `
			< -ERR Line too long`},
	})
}

func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk(greeting)
		w.send("CAPA\nQUIT\n")
		w.talk("< -ERR A line ends in LF without CR\n<EOF")
		w.dial()
		w.talk(greeting)
		// The server reads 4 KiB at a time, and finds the line too long with the last of
		// these bytes: there is nothing left to write when it hangs up.
		w.send(strings.Repeat("x", 68<<10))
		w.talk("< -ERR Line too long\n<EOF")
		w.dial()
		w.talk(greeting)
		w.send(strings.Repeat("NO\r\n", 200))
		all, err := io.ReadAll(w.r)
		if n := strings.Count(string(all), "-ERR No command\r\n"); err != nil || n != 100 || !strings.HasSuffix(string(all), "-ERR Too many errors\r\n") {
			t.Errorf("%d commands were refused one by one, %v, want 100 and a last word", n, err)
		}
	})
}

func TestCapabilities(t *testing.T) {
	play(t, []dialogue{
		{"all", nil, greeting + `
			> CAPA
			< +OK Capabilities follow
			< TOP
			< UIDL
			< RESP-CODES
			< AUTH-RESP-CODE
			< PIPELINING
			< EXPIRE NEVER
			< UTF8 USER
			< LANG
			< USER
			< SASL PLAIN LOGIN XOAUTH2 OAUTHBEARER
			< IMPLEMENTATION pop3test
			< .`},
		{"few", &pop3test.Options{Capabilities: []string{"USER", "X-GOOGLE-RICO", "LOGIN-DELAY"}, LoginDelay: time.Minute}, signIn + `
			> CAPA
			< +OK Capabilities follow
			< USER
			< X-GOOGLE-RICO
			< LOGIN-DELAY 60
			< .
			> TOP 1 0
			< -ERR Unknown command
			> UIDL
			< -ERR Unknown command
			> LANG
			< -ERR Unknown command`},
		{"a server that does not say", &pop3test.Options{NoCAPA: true}, signIn + "> CAPA\n< -ERR Unknown command\n> UIDL 1\n< +OK 1 ..."},
	})
}

func TestCommandsSentAhead(t *testing.T) {
	for name, o := range map[string]*pop3test.Options{
		"offered": nil, "not offered": {Capabilities: pop3test.Without("PIPELINING")}, "not told": {NoCAPA: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, o)
				w.talk(signIn)
				w.send("DELE 1\r\nDELE 2\r\nSTAT\r\nQUIT\r\n")
				left := 1
				if name != "not offered" {
					w.talk("< +OK ...\n< +OK ...\n< +OK 1 254\n< +OK Bye\n<EOF")
				} else {
					left = 3
					w.talk("< -ERR A command was sent ahead of this answer, and PIPELINING is not offered\n<EOF")
				}
				w.wantMessages(left)
			})
		})
	}
}

// wantMessages compares how many messages INBOX has.
func (w *world) wantMessages(want int) {
	w.t.Helper()
	synctest.Wait()
	all, err := w.account.Messages("INBOX")
	if err != nil || len(all) != want {
		w.t.Errorf("INBOX has %d messages, %v, want %d", len(all), err, want)
	}
}

func TestMessagesAreRemovedByQUITAlone(t *testing.T) {
	const deletes = signIn + "> DELE 1\n< +OK ...\n> DELE 3\n< +OK ...\n"
	for _, tt := range []struct {
		name string
		o    *pop3test.Options
		end  func(w *world)
		left int
	}{
		{"QUIT", nil, func(w *world) { w.talk("> QUIT\n< +OK Bye\n<EOF") }, 1},
		{"RSET and QUIT", nil, func(w *world) { w.talk("> RSET\n< +OK\n> QUIT\n< +OK Bye\n<EOF") }, 3},
		{"the client goes away", nil, func(w *world) { w.conn.Close() }, 3},
		{"the server restarts", nil, func(w *world) { w.server.Disconnect() }, 3},
		{"the client says nothing", nil, func(w *world) {
			pass(10*time.Minute + time.Second)
			w.ended()
		}, 3},
		{"a message is stuck", &pop3test.Options{Stuck: func(m mailtest.Message) bool { return m.UID == 3 }}, func(w *world) {
			w.talk("> QUIT\n< -ERR [SYS/TEMP] Some deleted messages were not removed: 1\n<EOF")
		}, 2},
		{"QUIT is refused", nil, func(w *world) {
			w.server.Inject(mailtest.Refuse("QUIT"))
			w.talk("> QUIT\n< -ERR [SYS/TEMP] No message was removed\n<EOF")
		}, 3},
		{"the answer to QUIT is lost", nil, func(w *world) {
			w.server.Inject(mailtest.Drop("QUIT", 0))
			w.talk("> QUIT\n<EOF")
		}, 1},
		{"QUIT itself is lost", nil, func(w *world) {
			w.server.Inject(mailtest.Fault{Command: "QUIT", Ignore: true, Stop: mailtest.StopClose})
			w.talk("> QUIT\n<EOF")
		}, 3},
		{"somebody else removed one", nil, func(w *world) {
			if _, err := w.account.Expunge("INBOX", 3); err != nil {
				w.t.Fatal(err)
			}
			w.talk("> QUIT\n< +OK Bye\n<EOF")
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, tt.o)
				w.talk(deletes)
				tt.end(w)
				w.wantMessages(tt.left)
				if w.server.Occupied(w.account) || w.server.Pending() != 0 {
					t.Errorf("the maildrop is occupied: %v, faults are left: %d", w.server.Occupied(w.account), w.server.Pending())
				}
				w.dial()
				w.talk(signIn + "> STAT\n< +OK " + strconv.Itoa(tt.left) + " ...")
			})
		})
	}
}

func TestIdleTimeStartsAnewWithEachCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &pop3test.Options{Idle: time.Minute})
		w.talk(signIn)
		for range 5 {
			pass(50 * time.Second)
			w.talk("> NOOP\n< +OK")
		}
		pass(50 * time.Second)
		w.talk("> AUTH\n< -ERR Signed in already")
		pass(61 * time.Second)
		w.ended()
	})
}

func TestMaildropIsLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk(signIn)
		other := w.another()
		other.talk(greeting + `
			> USER ` + ann + `
			< +OK Say the password
			> PASS ` + password + `
			< -ERR [IN-USE] Another session has the mailbox open
			> AUTH XOAUTH2 ` + xoauth2(ann, token) + `
			< -ERR [IN-USE] Another session has the mailbox open`)
		w.talk("> QUIT\n< +OK Bye\n<EOF")
		other.talk("> AUTH XOAUTH2 " + xoauth2(ann, token) + "\n< +OK Signed in\n> QUIT\n< +OK Bye\n<EOF")

		release := w.server.Occupy(w.account)
		w.dial()
		w.talk(greeting + "> AUTH XOAUTH2 " + xoauth2(ann, token) + "\n< -ERR [IN-USE] ...")
		release()
		release()
		w.talk("> AUTH XOAUTH2 " + xoauth2(ann, token) + "\n< +OK Signed in")
		if !w.server.Occupied(w.account) {
			t.Error("Occupied = false within a session")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &pop3test.Options{Shared: true})
		w.talk(signIn)
		w.another().talk(signIn)
	})
}

func TestAdmission(t *testing.T) {
	refusal := "[SYS/TEMP] Too many connections"
	o := &pop3test.Options{Admit: func(user string) string {
		if user != ann {
			return "Who?"
		}
		return refusal
	}}
	synctest.Test(t, func(t *testing.T) {
		w := start(t, o)
		w.talk(greeting + "> AUTH XOAUTH2\n< +...\n> " + xoauth2("ANN@example.com", token) + "\n< -ERR [SYS/TEMP] Too many connections")
		if w.server.Occupied(w.account) {
			t.Error("the maildrop is occupied by who was not admitted")
		}
		refusal = ""
		w.talk("> AUTH XOAUTH2\n< +...\n> " + xoauth2(ann, token) + "\n< +OK Signed in")
	})
}

// TestMessagesFromFiles: what mailtest reads from files is there by POP3.
func TestMessagesFromFiles(t *testing.T) {
	files := fstest.MapFS{
		"1.eml":  {Data: []byte("Subject: one\n\n.\nbody\n")},
		"2.mbox": {Data: []byte("From bob@example.org Mon Jan  1 09:00:00 2024\nSubject: two\n\n>From here\n\nFrom bob@example.org Mon Jan  1 09:00:00 2024\nSubject: three\n\nbody\n")},
	}
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		if n, err := w.account.SeedTree(files); n != 3 || err != nil {
			t.Fatalf("SeedTree = %d, %v, want 3 messages", n, err)
		}
		w.talk(signIn)
		for number, want := range map[int]string{
			4: "Subject: one\r\n\r\n.\r\nbody\r\n", 5: "Subject: two\r\n\r\nFrom here\r\n", 6: "Subject: three\r\n\r\nbody\r\n",
		} {
			w.talk("> RETR " + strconv.Itoa(number) + "\n< +OK ...")
			if got := w.body(); got != want {
				t.Errorf("message %d is %q, want %q", number, got, want)
			}
		}
	})
}

func TestLoginDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &pop3test.Options{LoginDelay: 5 * time.Minute})
		again := "> USER " + ann + "\n< +OK ...\n> PASS " + password
		w.talk(signIn + "> QUIT\n< +OK Bye\n<EOF")
		w.dial()
		pass(4 * time.Minute)
		w.talk(greeting + again + "\n< -ERR [LOGIN-DELAY] Too soon after the last sign-in")
		pass(time.Minute)
		w.talk(again + "\n< +OK Signed in")
	})
}

func TestSessionSeesWhatWasThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk(signIn)
		w.append(mailtest.Sample(4))
		if _, err := w.account.Expunge("INBOX", 2); err != nil {
			t.Fatal(err)
		}
		if _, err := w.account.Move("INBOX", "Archive", 3); err != nil {
			t.Fatal(err)
		}
		w.talk(`
			> STAT
			< +OK 3 762
			> RETR 4
			< -ERR No such message
			> RETR 2
			< -ERR Message is no longer there
			> TOP 3 0
			< -ERR Message is no longer there
			> RETR 1
			< +OK 254 octets`)
	})
}

// TestRenumberedMailbox: what a session names is the message, and not the UID,
// which means another message by then.
func TestRenumberedMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.append(mailtest.Sample(4))
		w.talk(signIn + "> DELE 1\n< +OK ...\n> DELE 3\n< +OK ...")
		if _, err := w.account.Expunge("INBOX", 1); err != nil {
			t.Fatal(err)
		}
		if err := w.account.BumpUIDValidity("INBOX"); err != nil {
			t.Fatal(err)
		}
		w.talk("> QUIT\n< +OK Bye")
		left, err := w.account.Messages("INBOX")
		if err != nil || len(left) != 2 || left[0].Raw != mailtest.Sample(2) || left[1].Raw != mailtest.Sample(4) {
			t.Errorf("INBOX has %d messages, %v, want the second and the fourth", len(left), err)
		}
	})
}

func TestServerThatIsClosed(t *testing.T) {
	w := start(t, nil)
	w.talk(signIn + "> DELE 1\n< +OK ...")
	for range 2 {
		if err := w.server.Close(); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
	}
	w.ended()
	if _, err := w.server.Dial(t.Context(), "", ""); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial after Close = %v, want it refused", err)
	}
	if got := w.server.Addr(); got != "" {
		t.Errorf("Addr after Close = %q, want nothing", got)
	}
	if left, err := w.account.Messages("INBOX"); err != nil || len(left) != 3 {
		t.Errorf("INBOX has %d messages, %v, want all", len(left), err)
	}
}

func TestUIDs(t *testing.T) {
	names := map[string]string{}
	calls := 0
	for name, uid := range map[string]func(mailtest.Message) string{
		"the same":  func(mailtest.Message) string { return "same" },
		"none":      func(mailtest.Message) string { return "" },
		"different": func(mailtest.Message) string { calls++; return strconv.Itoa(calls) },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, &pop3test.Options{UID: uid})
			w.talk(signIn + "> UIDL 1\n< +OK 1...\n> UIDL\n< +OK ...")
			names[name] = w.body()
		})
	}
	want := map[string]string{"the same": "1 same\r\n2 same\r\n3 same\r\n", "none": "1\r\n2\r\n3\r\n", "different": "1 2\r\n2 3\r\n3 4\r\n"}
	for name := range want {
		if names[name] != want[name] {
			t.Errorf("%s: UIDL gives %q, want %q", name, names[name], want[name])
		}
	}
}

func TestDefaultUIDsAreUniqueAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk(signIn + "> UIDL\n< +OK ...")
		before := strings.Fields(w.body())
		w.talk("> DELE 1\n< +OK ...\n> QUIT\n< +OK Bye")
		w.append(mailtest.Sample(4))
		w.dial()
		w.talk(signIn + "> UIDL\n< +OK ...")
		after := strings.Fields(w.body())
		if len(after) != 6 || after[1] != before[3] || after[3] != before[5] || slices.Contains(before, after[5]) {
			t.Errorf("UIDL gives %q and then %q, want the same names and a new one", before, after)
		}
	})
}
