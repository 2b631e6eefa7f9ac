package wire_test

import (
	"bufio"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/mailsession/mailsession/internal/wire"
)

// recorded keeps what a recorder is shown.
type recorded struct{ sent, received strings.Builder }

func (r *recorded) Sent(p []byte)     { r.sent.Write(p) }
func (r *recorded) Received(p []byte) { r.received.Write(p) }

// TestCompress: both sides understand each other, also where the server compresses
// at once, and the recorder sees words.
func TestCompress(t *testing.T) {
	var rec recorded
	c, server := dialPipe(t, wire.Config{Recorder: &rec})
	out, err := flate.NewWriter(server, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("again and ", 20_000)
	say := func(text string) {
		_, err := io.WriteString(out, text)
		if err := errors.Join(err, out.Flush()); err != nil {
			t.Error(err)
		}
	}
	if _, err := io.WriteString(server, "* agreed\r\n"); err != nil {
		t.Fatal(err)
	}
	say("* at once\r\n")
	if _, err := c.ReadLine(); err != nil {
		t.Fatal(err)
	}
	c.Compress()
	for _, want := range []string{"* at once", "* later", "* " + long} {
		var saying sync.WaitGroup
		if want != "* at once" {
			saying.Go(func() { say(want + "\r\n") })
		}
		if got, err := c.ReadLine(); err != nil || string(got) != want {
			t.Fatalf("ReadLine() = %d bytes, %v, want %.12q of %d", len(got), err, want, len(want))
		}
		saying.Wait()
	}
	if received, _ := c.Counters(); received > int64(len(long))/10 {
		t.Errorf("%d bytes passed the socket, want less than a tenth of %d", received, len(long))
	}
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		_, err := c.WriteString(long + "\r\n")
		if err := errors.Join(err, c.Flush()); err != nil {
			t.Error(err)
		}
	})
	in := bufio.NewReader(flate.NewReader(server))
	if got, err := in.ReadString('\n'); err != nil || got != long+"\r\n" {
		t.Errorf("%d bytes arrived, %v, want %d", len(got), err, len(long)+2)
	}
	if !strings.Contains(rec.received.String(), "* later\r\n") || !strings.Contains(rec.sent.String(), "again and again") {
		t.Error("the recorder does not see what was said")
	}
}

// TestCompressedNonsense: what is not DEFLATE ends the connection.
func TestCompressedNonsense(t *testing.T) {
	c, server := dialPipe(t, wire.Config{})
	c.Compress()
	if _, err := io.WriteString(server, "\x07 is no kind of block\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := c.ReadLine(); err == nil || c.Err() == nil {
		t.Errorf("ReadLine() = %q, %v, want an error", line, err)
	}
}
