package mailtest_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

const twoMessages = `From ann@example.com Fri Feb  2 10:20:30 2024
Subject: one
Status: RO
X-Status: AF

Dear Bob,

>From here on
>>From there on
From the middle of a paragraph

From MAILER-DAEMON Sat Feb  3 01:02:03 +0100 2024
Subject: two
Date: Sun, 4 Feb 2024 00:00:00 +0000

`

func TestSeedMbox(t *testing.T) {
	for name, test := range map[string]struct {
		form mailtest.Mbox
		want string
	}{
		"mboxrd": {mailtest.Mboxrd, "From here on\n>From there on\nFrom the middle of a paragraph\n"},
		"mboxo":  {mailtest.Mboxo, "From here on\n>>From there on\nFrom the middle of a paragraph\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, a := newAccount(t)
			files := fstest.MapFS{"all": {Data: []byte(twoMessages)}}
			uids, err := a.SeedMbox("Archive", files, "all", test.form)
			if err != nil || len(uids) != 2 {
				t.Fatalf("SeedMbox = %v, %v, want two messages", uids, err)
			}
			messages, _ := a.Messages("Archive")
			one, two := messages[0], messages[1]
			want := mailtest.CRLF("Subject: one\nStatus: RO\nX-Status: AF\n\nDear Bob,\n\n" + test.want)
			if one.Raw != want {
				t.Errorf("first message is %q, want %q", one.Raw, want)
			}
			if got := strings.Join(one.Flags, " "); got != `\Answered \Flagged \Seen` {
				t.Errorf("first message has %s, want it answered, flagged and seen", got)
			}
			if want := time.Date(2024, 2, 2, 10, 20, 30, 0, time.UTC); !one.Received.Equal(want) {
				t.Errorf("first message came %v, want %v", one.Received, want)
			}
			if want := "Subject: two\r\nDate: Sun, 4 Feb 2024 00:00:00 +0000\r\n"; two.Raw != want {
				t.Errorf("second message is %q, want %q", two.Raw, want)
			}
		})
	}
}

func TestSeedMboxThatIsNone(t *testing.T) {
	_, a := newAccount(t)
	files := fstest.MapFS{"all": {Data: []byte("Subject: x\n\nFrom y\n")}}
	if uids, err := a.SeedMbox("INBOX", files, "all", mailtest.Mboxrd); err == nil {
		t.Errorf("SeedMbox of a message = %v, want an error", uids)
	}
	if _, err := a.SeedMbox("INBOX", files, "none", mailtest.Mboxrd); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("SeedMbox of no file = %v, want %v", err, fs.ErrNotExist)
	}
	if _, err := a.SeedMbox("None", fstest.MapFS{"a": {Data: []byte(twoMessages)}}, "a", mailtest.Mboxrd); !errors.Is(err, mailtest.ErrNoFolder) {
		t.Errorf("SeedMbox into no folder = %v, want %v", err, mailtest.ErrNoFolder)
	}
}

func TestSeedTree(t *testing.T) {
	_, a := newAccount(t)
	n, err := a.SeedTree(fstest.MapFS{
		"hello.eml":            {Data: []byte("Subject: hello\n\n")},
		"README":               {Data: []byte("not mail")},
		"Work/2024/plan.eml":   {Data: []byte("Subject: plan\n\n")},
		"Work/2024/older.mbox": {Data: []byte(twoMessages)},
		"Archive/a.eml":        {Data: []byte("Subject: a\n\n")},
	})
	if err != nil || n != 5 {
		t.Fatalf("SeedTree = %d, %v, want 5 messages", n, err)
	}
	for folder, want := range map[string]int{"INBOX": 1, "Archive": 1, "Work": 0, "Work/2024": 3} {
		if got := len(lies(t, a, folder)); got != want {
			t.Errorf("%s holds %d messages, want %d", folder, got, want)
		}
	}
}

// FuzzSeedMbox writes a text as mboxrd and reads it back.
func FuzzSeedMbox(f *testing.F) {
	f.Add("Subject: x\n\n>From a\nFrom b\n\nFrom c\n")
	f.Add(">>>From \r\n\n\nFrom ")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\r") || text == "" {
			return
		}
		var quoted strings.Builder
		for line := range strings.SplitSeq(text, "\n") {
			if strings.HasPrefix(strings.TrimLeft(line, ">"), "From ") {
				line = ">" + line
			}
			quoted.WriteString(line + "\n")
		}
		box := "From x Fri Feb  2 10:20:30 2024\n" + quoted.String() + "\n"
		_, a := newAccount(t)
		uids, err := a.SeedMbox("INBOX", fstest.MapFS{"m": {Data: []byte(box + box)}}, "m", mailtest.Mboxrd)
		if err != nil || len(uids) != 2 {
			t.Fatalf("SeedMbox = %v, %v, want two messages", uids, err)
		}
		for _, uid := range uids {
			if m, _ := a.Message("INBOX", uid); m.Raw != mailtest.CRLF(text+"\n") {
				t.Errorf("message %d is %q, want %q", uid, m.Raw, text)
			}
		}
	})
}
