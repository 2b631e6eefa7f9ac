package pop3x_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/session"
)

// recording is what a server says to each command, by its word; the greeting by
// the empty one.
type recording map[string]string

// dial returns a connection to a server that gives those answers.
func (r recording) dial(context.Context, string, string) (net.Conn, error) {
	client, server := pipe.New()
	go func() {
		defer server.Close()
		_, _ = io.WriteString(server, r[""])
		lines := bufio.NewScanner(server)
		for lines.Scan() {
			word, _, _ := strings.Cut(lines.Text(), " ")
			answer, known := r[lines.Text()]
			if !known {
				answer, known = r[word]
			}
			if !known {
				answer = "-ERR unknown command\r\n"
			}
			if _, err := io.WriteString(server, answer); err != nil || word == "QUIT" {
				return
			}
		}
	}()
	return client, nil
}

// client returns a client of the server.
func (r recording) client(t *testing.T) *pop3x.Client {
	t.Helper()
	s := session.Server{Host: "pop.example.com", Security: session.None, AllowPlainAuth: true, Mechanisms: []string{"USER"}, Dial: r.dial}
	c, err := pop3x.New(s, withPassword(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// with returns the recording with other answers.
func (r recording) with(answers recording) recording {
	all := maps.Clone(r)
	maps.Copy(all, answers)
	return all
}

// usual is a server with three messages.
func usual() recording {
	return recording{
		"": "+OK ready\r\n", "USER": "+OK\r\n", "PASS": "+OK\r\n", "QUIT": "+OK\r\n", "NOOP": "+OK\r\n",
		"STAT": "+OK 3 300\r\n", "UIDL": "+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n", "LIST": "+OK\r\n1 100\r\n2 100\r\n3 100\r\n.\r\n",
		"TOP": "+OK\r\nSubject: top\r\n\r\n.\r\n", "RETR": "+OK\r\nSubject: whole\r\n\r\nbody\r\n.\r\n", "DELE": "+OK\r\n",
	}
}

// told lists a maildrop: what it has of each message.
func told(t *testing.T, c *pop3x.Client, fields session.Fields) (items []string, end error) {
	t.Helper()
	for m, err := range c.Messages(t.Context(), session.Query{OldestFirst: true, Fields: fields}) {
		_, item := errors.AsType[*session.ItemError](err)
		switch {
		case item:
			items = append(items, "?")
		case err != nil:
			return items, err
		default:
			parts, _ := m.ID.Parts()
			items = append(items, parts.Key)
		}
	}
	return items, nil
}

// TestRecordedSessions: what real servers said, right and wrong, from a
// collection that is not part of the repository.
func TestRecordedSessions(t *testing.T) {
	dir := os.Getenv("MAILSESSION_CORPUS")
	if dir == "" {
		t.Skip("MAILSESSION_CORPUS does not say where recorded sessions are")
	}
	used := map[string]bool{}
	root := os.DirFS(filepath.Join(dir, "mailkit-sessions", "Pop3", "Resources"))
	text := func(name string) string {
		raw, err := fs.ReadFile(root, name)
		if err != nil {
			t.Fatal(err)
		}
		used[name] = true
		return mailtest.CRLF(string(raw))
	}
	gmail := usual().with(recording{
		"": text("gmail/greeting.txt"), "CAPA": text("gmail/capa2.txt"), "PASS": text("gmail/auth.txt"),
		"STAT": text("gmail/stat.txt"), "LIST": text("gmail/list.txt"), "LIST 1": text("gmail/list1.txt"), "TOP": text("gmail/top.txt"),
		"RETR": text("gmail/retr1-parse-error.txt"),
	})
	comcast := usual().with(recording{
		"": text("comcast/greeting.txt"), "LIST": text("comcast/list.txt"), "LIST 1": text("comcast/list1.txt"), "STAT": "+OK 7 1800662\r\n",
		"UIDL": "+OK\r\n1 a\r\n2 b\r\n3 c\r\n4 d\r\n5 e\r\n6 f\r\n7 g\r\n.\r\n", "RETR": text("comcast/retr1.txt"),
	})
	exchange := usual().with(recording{"": text("exchange/greeting.txt"), "PASS": text("exchange/auth.txt"), "STAT": text("exchange/stat.txt"), "LIST": comcast["LIST"], "UIDL": comcast["UIDL"]})
	language := usual().with(recording{"": text("common/ok-greeting.txt"), "CAPA": text("lang/capa1.txt"), "PASS": text("lang/auth.txt"), "UTF8": text("lang/setlang.txt")})
	for _, tt := range []struct {
		name   string
		server recording
		want   string
		bad    bool
	}{
		{"Gmail", gmail, "a b c", false},
		{"Gmail, a name missing", gmail.with(recording{"UIDL": text("gmail/uidl-error1.txt")}), "101 102 ?", false},
		{"Gmail, another number", gmail.with(recording{"UIDL": text("gmail/uidl-error2.txt")}), "101 102 ? ?", false},
		{"Comcast", comcast, "a b c d e f g", false},
		{"Comcast, another number", comcast.with(recording{"LIST": text("comcast/list-error2.txt")}), "a b c d e f ? ?", false},
		{"Comcast, a size in words", comcast.with(recording{"LIST": text("comcast/list-error3.txt")}), "a b c d e f ?", false},
		{"Comcast, a count in words", comcast.with(recording{"STAT": text("comcast/stat-error2.txt")}), "", true},
		{"Comcast, refused", comcast.with(recording{"": text("common/err-greeting.txt")}), "", true},
		{"Comcast, refused later", comcast.with(recording{"STAT": text("comcast/err.txt")}), "", true},
		{"Exchange", exchange, "a b c d e f g", false},
		{"Exchange, a challenge where there is none", exchange.with(recording{"STAT": text("exchange/plus.txt")}), "", true},
		{"languages", language, "a b c", false},
		{"an answer for one number", gmail.with(recording{"UIDL": text("gmail/uidl1-error2.txt") + ".\r\n"}), "? ? ?", false},
	} {
		items, err := told(t, tt.server.client(t), session.FieldsAll)
		if got := strings.Join(items, " "); got != tt.want || (err != nil) != tt.bad {
			t.Errorf("%s: the list has %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	gmail["TOP"] = strings.SplitAfter(text("gmail/top123.txt"), "\r\n.\r\n")[0]
	deleted := strings.SplitAfter(text("gmail/dele123.txt"), "\r\n")
	gmail["DELE"] = deleted[0]
	wholeSessions(t, gmail, comcast)
	all, err := fs.Glob(root, "*/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if !used[name] {
			t.Errorf("%s was not played", name)
		}
	}
	t.Logf("%d recorded answers were played", len(used))
}

// wholeSessions reads and deletes.
func wholeSessions(t *testing.T, servers ...recording) {
	t.Helper()
	for _, server := range servers {
		c := server.client(t)
		var ids []session.ID
		for m, err := range c.Messages(t.Context(), session.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, m.ID)
		}
		end := server[""][strings.IndexAny(server[""], "\r\n"):]
		_, want, _ := strings.Cut(strings.TrimSuffix(server["RETR"], "."+end), end)
		want = strings.ReplaceAll(want, end+"..", end+".")
		if raw, err := read(t.Context(), c, ids[0]); err != nil || raw != want {
			t.Errorf("a message has %d bytes, %v; want %d", len(raw), err, len(want))
		}
		results, err := c.Apply(t.Context(), session.Change{Delete: true}, ids...)
		if err != nil || slices.ContainsFunc(results, func(r session.Result) bool { return r.Outcome != session.Done }) {
			t.Errorf("Apply = %s, %v", outcomes(results), err)
		}
	}
}

// TestAServerThatNeverSaysCR: all its lines end in a lone LF.
func TestAServerThatNeverSaysCR(t *testing.T) {
	server := recording{}
	for command, answer := range usual() {
		server[command] = strings.ReplaceAll(answer, "\r", "")
	}
	items, err := told(t, server.client(t), session.FieldsAll)
	if got := strings.Join(items, " "); got != "a b c" || err != nil {
		t.Errorf("the list has %q, %v", got, err)
	}
	wholeSessions(t, server)
}

// FuzzSession has a server say anything: the client comes to an end, tells of as
// many messages as the server counts or ends in an error, and deletes nothing
// without the server's agreement.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"+OK 3 300\r\n+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n+OK\r\n1 1\r\n2 2\r\n3 3\r\n.\r\n+OK\r\nSubject: x\r\n\r\n.\r\n",
		"+OK 0 0\r\n+OK\r\n.\r\n+OK\r\n.\r\n",
		"-ERR [IN-USE] no\r\n", "+OK 1 1\r\n-ERR\r\n+OK\r\n1 10\r\n.\r\n+OK\r\n.x\r\n..\r\n.\r\n",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, pipelining bool) {
		capa := "+OK\r\nUIDL\r\nTOP\r\n"
		if pipelining {
			capa += "PIPELINING\r\n"
		}
		dial := func(context.Context, string, string) (net.Conn, error) {
			client, server := pipe.New()
			go func() {
				_, _ = io.WriteString(server, "+OK\r\n"+capa+".\r\n+OK\r\n+OK\r\n"+text)
				if half, ok := server.(interface{ CloseWrite() error }); ok {
					_ = half.CloseWrite()
				}
				_, _ = io.Copy(io.Discard, server)
				_ = server.Close()
			}()
			return client, nil
		}
		s := session.Server{Host: "pop.example.com", Security: session.None, AllowPlainAuth: true, Mechanisms: []string{"USER"}, Dial: dial}
		c, err := pop3x.New(s, withPassword(), &pop3x.Options{LockWait: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		items, err := told(t, c, session.FieldsAll)
		var count int
		if _, bad := fmt.Sscanf(text, "+OK %d ", &count); bad == nil && err == nil && len(items) < count {
			t.Errorf("%q: %d items of %d", text, len(items), count)
		}
		id := session.NewID(session.IDParts{Backend: "pop3", Mailbox: session.Fingerprint("pop.example.com:110", ann), Folder: "INBOX", Key: "a"})
		_, _ = read(t.Context(), c, id)
		results, _ := c.Apply(t.Context(), session.Change{Delete: true}, id)
		if r := results[0]; r.Outcome == session.Done && (r.Err != nil || strings.Count(text, "+") < 4) {
			t.Errorf("%q: %v, %v", text, r.Outcome, r.Err)
		}
	})
}
