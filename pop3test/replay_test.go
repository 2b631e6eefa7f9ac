package pop3test_test

import (
	"bufio"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/pop3test"
)

const recorded = `S: +OK Gpop ready for requests
C: USER ann
S: +OK send PASS
C: PASS *
S: +OK Welcome.
C: DELE 1
C: DELE 2
S: +OK
S: +OK
C: RETR 3
S: +OK message follows
S: Subject: hi
S: 
S: ..
S: .
`

// replay is a world whose server is a recording.
func replay(t *testing.T, exchanges ...pop3test.Exchange) (*world, *pop3test.Replay) {
	t.Helper()
	server := pop3test.NewReplay(exchanges...)
	t.Cleanup(func() { _ = server.Close() })
	c, err := server.Dial(t.Context(), "tcp", "pop.example.com:110")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &world{t: t, conn: c, r: bufio.NewReader(c)}, server
}

func TestReplayOfATranscript(t *testing.T) {
	exchanges, err := pop3test.ParseTranscript(strings.NewReader(recorded))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w, server := replay(t, exchanges...)
		w.talk(`
			< +OK Gpop ready for requests
			> user ann
			< +OK send PASS
			> PASS a battery horse
			< +OK Welcome.
			> DELE 1
			> DELE 2
			< +OK
			< +OK
			> RETR 3
			< +OK message follows`)
		if got, want := w.body(), "Subject: hi\r\n\r\n.\r\n"; got != want {
			t.Errorf("RETR gives %q, want %q", got, want)
		}
		w.ended()
		if err := server.Err(); err != nil {
			t.Errorf("Err = %v, want nil", err)
		}
	})
}

func TestReplayOfAnotherStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server := replay(t, pop3test.Exchange{Server: "+OK\n"}, pop3test.Exchange{Client: "CAPA", Server: "-ERR\n"})
		w.talk("< +OK\n> QUIT\n<EOF")
		if err := server.Err(); err == nil || !strings.Contains(err.Error(), `"QUIT"`) {
			t.Errorf("Err = %v, want the line that was not recorded", err)
		}
	})
	if _, err := pop3test.ParseTranscript(strings.NewReader("S: +OK\n+OK\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("ParseTranscript of a line without a side: %v, want its number", err)
	}
}

// TestReplayOverTCP: a client that knows nothing of the fake is given an address.
func TestReplayOverTCP(t *testing.T) {
	server := pop3test.NewReplay(pop3test.Exchange{Server: "+OK ready\n"})
	defer server.Close()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if line, err := bufio.NewReader(c).ReadString('\n'); strings.TrimSpace(line) != "+OK ready" || err != nil {
		t.Errorf("the server says %q, %v, want what was recorded", line, err)
	}
}

// TestReplayOfRealServers plays each recorded answer that the collection has.
func TestReplayOfRealServers(t *testing.T) {
	corpus := os.Getenv("MAILSESSION_CORPUS")
	if corpus == "" {
		t.Skip("MAILSESSION_CORPUS does not say where the recorded sessions are")
	}
	files := os.DirFS(filepath.Join(corpus, "mailkit-sessions", "Pop3", "Resources"))
	names, err := fs.Glob(files, "*/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d recorded answers, %v", len(names), err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			w, server := replay(t, pop3test.Exchange{Client: "ANY *", Server: string(data)})
			w.send("ANY thing\r\n")
			got := new(strings.Builder)
			if _, err := w.r.WriteTo(got); err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(string(data), "\r\n", "\n")
			if strings.ReplaceAll(got.String(), "\r\n", "\n") != want || server.Err() != nil {
				t.Errorf("%s: played %d bytes, %v, want %d", name, got.Len(), server.Err(), len(want))
			}
		})
	}
	t.Logf("%d recorded answers played", len(names))
}

// FuzzParseTranscript counts the lines that it read.
func FuzzParseTranscript(f *testing.F) {
	f.Add(recorded)
	f.Add("C: a\nS: +OK\r\nS:\n\nC:")
	f.Fuzz(func(t *testing.T, text string) {
		exchanges, err := pop3test.ParseTranscript(strings.NewReader(text))
		if err != nil {
			return
		}
		if len(exchanges) == 0 || exchanges[0].Client != "" {
			t.Fatalf("the first exchange of %q is %v, want the greeting", text, exchanges)
		}
		client, server, lines := 0, 0, 0
		for line := range strings.Lines(text) {
			switch {
			case strings.HasPrefix(line, "C:"):
				client++
			case strings.HasPrefix(line, "S:"):
				server++
			}
		}
		for _, e := range exchanges {
			lines += strings.Count(e.Server, "\n")
		}
		if len(exchanges)-1 != client || lines != server {
			t.Errorf("%d lines of the client and %d of the server from %d and %d", len(exchanges)-1, lines, client, server)
		}
	})
}
