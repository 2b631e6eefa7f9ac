package imaptest_test

import (
	"bufio"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
)

const recorded = `S: * OK Gimap ready
C: a1 CAPABILITY
S: * CAPABILITY IMAP4rev1 IDLE
S: a1 OK Thats all she wrote!
C: a2 IDLE
S: + idling
S: * 3 EXISTS
C: DONE
S: a2 OK IDLE terminated
C: a3 LOGIN ann {2+}
C: pw
S: a3 NO [ALERT] no
`

// replay is a world whose server is a recording.
func replay(t *testing.T, exchanges ...imaptest.Exchange) (*world, *imaptest.Replay) {
	t.Helper()
	server := imaptest.NewReplay(exchanges...)
	t.Cleanup(func() { _ = server.Close() })
	c, err := server.Dial(t.Context(), "tcp", "imap.example.com:143")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &world{t: t, conn: c, r: bufio.NewReader(c)}, server
}

func TestReplayOfATranscript(t *testing.T) {
	exchanges, err := imaptest.ParseTranscript(strings.NewReader(recorded))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w, server := replay(t, exchanges...)
		w.talk(`
			< * OK Gimap ready
			> x7 capability
			< * CAPABILITY IMAP4rev1 IDLE
			< x7 OK Thats all she wrote!
			> x8 IDLE
			< + idling
			< * 3 EXISTS
			> DONE
			< x8 OK IDLE terminated
			> x9 LOGIN ann {2+}
			> pw
			< x9 NO [ALERT] no`)
		w.ended()
		if err := server.Err(); err != nil {
			t.Errorf("Err = %v, want nil", err)
		}
	})
}

func TestReplayOfAnotherStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server := replay(t, imaptest.Exchange{Server: "* OK\n"}, imaptest.Exchange{Client: "LOGIN *", Server: imaptest.ReplayTag + " OK\n"}, imaptest.Exchange{Client: "NOOP"})
		w.talk("< * OK\n> a LOGIN ann pw\n< a OK\n> b SELECT INBOX")
		w.ended()
		if err := server.Err(); err == nil || !strings.Contains(err.Error(), "SELECT INBOX") {
			t.Errorf("Err = %v, want the line that was not recorded", err)
		}
	})
	if _, err := imaptest.ParseTranscript(strings.NewReader("S: * OK\n* BYE\n")); err == nil {
		t.Error("ParseTranscript of a line without a side succeeds")
	}
}

// TestReplayOverTCP: a client that knows nothing of the fake is given an address.
func TestReplayOverTCP(t *testing.T) {
	server := imaptest.NewReplay(imaptest.Exchange{Server: "* OK ready\n"})
	defer server.Close()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if line, err := bufio.NewReader(c).ReadString('\n'); strings.TrimSpace(line) != "* OK ready" || err != nil {
		t.Errorf("the server says %q, %v, want what was recorded", line, err)
	}
}

// TestReplayOfRealServers plays each recorded answer that the collection has.
func TestReplayOfRealServers(t *testing.T) {
	corpus := os.Getenv("MAILSESSION_CORPUS")
	if corpus == "" {
		t.Skip("MAILSESSION_CORPUS does not say where the recorded sessions are")
	}
	files := os.DirFS(filepath.Join(corpus, "mailkit-sessions", "Imap", "Resources"))
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
			w, server := replay(t, imaptest.Exchange{Client: "ANY *", Server: string(data)})
			w.send("q1 ANY thing\r\n")
			want := strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), imaptest.ReplayTag, "q1")
			got := new(strings.Builder)
			if _, err := w.r.WriteTo(got); err != nil {
				t.Fatal(err)
			}
			if strings.ReplaceAll(got.String(), "\r\n", "\n") != want || server.Err() != nil {
				t.Errorf("%s: played %d bytes, %v, want %d", name, got.Len(), server.Err(), len(want))
			}
		})
	}
	t.Logf("%d recorded answers played", len(names))
}
