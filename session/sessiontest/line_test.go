package sessiontest

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/pipe"
)

// echo is a line to a server that sends back what it gets, in capitals.
func echo(t *testing.T) (*line, net.Conn) {
	t.Helper()
	l := newLine(func(context.Context, string, string) (net.Conn, error) {
		client, server := pipe.New()
		go func() {
			defer server.Close()
			buf := make([]byte, 100)
			for {
				n, err := server.Read(buf)
				if err != nil {
					return
				}
				for i := range buf[:n] {
					buf[i] -= 'a' - 'A'
				}
				if _, err := server.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
		return client, nil
	})
	t.Cleanup(l.end)
	conn, err := l.Dial(t.Context(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return l, conn
}

// say sends a text and reads the answer, as much of it as comes.
func say(t *testing.T, conn net.Conn, text string) (answer string, err error) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	buf := make([]byte, len(text))
	n, err := io.ReadFull(conn, buf)
	return string(buf[:n]), err
}

// meddling is a connection on which something happens in the middle of a write.
type meddling struct {
	net.Conn

	meddle func()
}

func (m *meddling) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	if m.meddle != nil {
		m.meddle()
		m.meddle = nil
	}
	return n, err
}

// TestAFaultThatIsTakenBack while bytes are on their way to it, or that strikes
// another connection then, loses none of them.
func TestAFaultThatIsTakenBack(t *testing.T) {
	for name, meddle := range map[string]func(l *line){
		"taken back": func(l *line) { l.arm(nil) },
		"elsewhere":  func(l *line) { l.strike(sending) },
	} {
		synctest.Test(t, func(t *testing.T) {
			l, conn := echo(t)
			under, _ := conn.(*lineConn)
			under.Conn = &meddling{Conn: under.Conn, meddle: func() { meddle(l) }}
			l.arm(&fault{dir: sending, after: 3})
			if got, err := say(t, conn, "abcdef"); got != "ABCDEF" || err != nil {
				t.Errorf("%s: read %q, %v; want the answer to all that was sent", name, got, err)
			}
			if l.believed() != 6 && name == "elsewhere" {
				t.Errorf("%s: %d bytes are believed to be sent, want 6", name, l.believed())
			}
		})
	}
}

// TestLineIsCut: after so many bytes in one of the directions, and once.
func TestLineIsCut(t *testing.T) {
	for _, tt := range []struct {
		fault fault
		want  string // of the answer to "abcdef"
	}{
		{fault{dir: sending, after: 0}, ""},
		{fault{dir: sending, after: 3}, ""},
		{fault{dir: sending, after: 6}, ""},
		{fault{dir: receiving, after: 0}, ""},
		{fault{dir: receiving, after: 4}, "ABCD"},
	} {
		synctest.Test(t, func(t *testing.T) {
			l, conn := echo(t)
			struck := l.arm(&tt.fault)
			got, err := say(t, conn, "abcdef")
			if got != tt.want || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%+v: read %q, %v; want %q and the end", tt.fault, got, err, tt.want)
			}
			if !hasStruck(struck) {
				t.Errorf("%+v: not told that it struck", tt.fault)
			}
			if _, err := conn.Write([]byte("more")); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("%+v: Write afterwards: %v, want EPIPE", tt.fault, err)
			}
			next, err := l.Dial(t.Context(), "tcp", "")
			if err != nil {
				t.Fatal(err)
			}
			defer next.Close()
			if got, err := say(t, next, "again"); got != "AGAIN" {
				t.Errorf("%+v: the next connection says %q, %v; want AGAIN", tt.fault, got, err)
			}
			if l.dialled() != 2 || l.open() != 2 {
				t.Errorf("%+v: %d connections made and %d open, want 2 and 2", tt.fault, l.dialled(), l.open())
			}
		})
	}
}

// TestLineIsSilent: the connection stays open, and a deadline still ends a
// read.
func TestLineIsSilent(t *testing.T) {
	for _, tt := range []struct {
		fault fault
		want  string
	}{
		{fault{dir: receiving, after: 3, stall: true}, "ABC"},
		{fault{dir: sending, after: 3, stall: true}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			l, conn := echo(t)
			l.arm(&tt.fault)
			if err := conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			got, err := say(t, conn, "abcdef")
			var timeout net.Error
			if got != tt.want || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%+v: read %q, %v; want %q and a timeout", tt.fault, got, err, tt.want)
			}
			if n, err := conn.Write([]byte("more")); n != 4 || err != nil {
				t.Errorf("%+v: Write afterwards = %d, %v; want that it seems to be sent", tt.fault, n, err)
			}
		})
	}
}

// TestLineKnowsItsSteps: the places to cut are the ends of what went in one
// direction, and one byte before.
func TestLineKnowsItsSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, conn := echo(t)
		l.arm(nil)
		for _, text := range []string{"abc", "defg"} {
			if _, err := say(t, conn, text); err != nil {
				t.Fatal(err)
			}
		}
		var sent, received []int64
		for _, f := range l.steps() {
			if f.dir == sending {
				sent = append(sent, f.after)
			} else {
				received = append(received, f.after)
			}
		}
		if want := []int64{0, 2, 3, 6, 7}; !slices.Equal(sent, want) || !slices.Equal(received, want) {
			t.Errorf("steps after %v bytes sent and %v received, want %v of each", sent, received, want)
		}
		l.corrupt("BCD", "XYZ")
		if got, err := say(t, conn, "abcd"); got != "AXYZ" || err != nil || l.hits() != 1 {
			t.Errorf("a spoiled answer is %q, %v, spoiled %d times; want AXYZ, once", got, err, l.hits())
		}
	})
}
