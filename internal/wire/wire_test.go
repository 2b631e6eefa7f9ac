package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/internal/wire"
)

const address = "mail.example.org:143"

// dialPipe returns a connection over a pipe and the server's end of it.
func dialPipe(t *testing.T, cfg wire.Config) (*wire.Conn, net.Conn) {
	t.Helper()
	client, server := pipe.New()
	cfg.Address = address
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return client, nil }
	c, err := wire.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() {
		c.Kill(net.ErrClosed)
		server.Close()
	})
	return c, server
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

func write(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Errorf("server writes %q: %v", s, err)
	}
}

// TestSilenceEndsAtTheStagesDeadline shows that each stage has its own bound
// and that the error names it.
func TestSilenceEndsAtTheStagesDeadline(t *testing.T) {
	timeouts := wire.Timeouts{Greeting: 7 * time.Second, Auth: 20 * time.Second, Command: 40 * time.Second}
	for _, tt := range []struct {
		stage wire.Stage
		want  time.Duration
		words string
	}{
		{wire.StageGreeting, 7 * time.Second, "waiting for the greeting"},
		{wire.StageAuth, 20 * time.Second, "signing in"},
		{wire.StageCommand, 40 * time.Second, "waiting for an answer"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := dialPipe(t, wire.Config{Timeouts: timeouts})
			c.SetStage(tt.stage)
			start := time.Now()
			_, err := c.ReadLine()
			if got := time.Since(start); got != tt.want {
				t.Errorf("%v: ended after %v, want %v", tt.stage, got, tt.want)
			}
			if e, ok := errors.AsType[*wire.TimeoutError](err); !ok || e.Stage != tt.stage || e.Address != address {
				t.Errorf("%v: error %v, want a TimeoutError of that stage and %s", tt.stage, err, address)
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("%v: error %q, want os.ErrDeadlineExceeded and %q", tt.stage, err, tt.words)
			}
			if _, again := c.ReadLine(); !errors.Is(again, err) {
				t.Errorf("%v: the next read returns %v, want the first cause %v", tt.stage, again, err)
			}
		})
	}
}

func TestIdleHasNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, server := dialPipe(t, wire.Config{})
		c.SetStage(wire.StageIdle)
		time.AfterFunc(28*time.Minute, func() { write(t, server, "* 1 EXISTS\r\n") })
		line, err := c.ReadLine()
		if string(line) != "* 1 EXISTS" || err != nil {
			t.Errorf("ReadLine() = %q, %v", line, err)
		}
	})
}

// TestStageChangesForABlockedRead: a pump reads before anybody knows what the
// next command will be.
func TestStageChangesForABlockedRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := dialPipe(t, wire.Config{Timeouts: wire.Timeouts{Command: 30 * time.Second}})
		c.SetStage(wire.StageIdle)
		start := time.Now()
		ended := make(chan error, 1)
		go func() {
			_, err := c.ReadLine()
			ended <- err
		}()
		time.AfterFunc(time.Hour, func() { c.SetStage(wire.StageCommand) })
		err := <-ended
		if got, want := time.Since(start), time.Hour+30*time.Second; got != want || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("ended after %v with %v, want %v", got, err, want)
		}
	})
}

// TestSlowButAliveSurvives: the deadline is for standing still, not for the
// whole.
func TestSlowButAliveSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, server := dialPipe(t, wire.Config{Timeouts: wire.Timeouts{Command: 10 * time.Second}})
		c.SetStage(wire.StageCommand)
		const size = 100
		go func() {
			for range size {
				pass(9 * time.Second)
				write(t, server, "x")
			}
		}()
		start := time.Now()
		n, err := io.Copy(io.Discard, c.Literal(size))
		if n != size || err != nil {
			t.Errorf("read %d bytes, %v, want %d", n, err, size)
		}
		if got, want := time.Since(start), 900*time.Second; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
	})
}

// TestUploadCountsAsProgress: while a long literal is being sent, the answer
// cannot come and its time has not begun.
func TestUploadCountsAsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, server := dialPipe(t, wire.Config{Timeouts: wire.Timeouts{Command: 10 * time.Second}})
		c.SetStage(wire.StageCommand)
		answer := make(chan error, 1)
		go func() {
			_, err := c.ReadLine()
			answer <- err
		}()
		go func() { // a slow reader, 32 KiB every 4 seconds
			buf := make([]byte, 32<<10)
			for range 32 {
				pass(4 * time.Second)
				if _, err := io.ReadFull(server, buf); err != nil {
					t.Errorf("server reads: %v", err)
				}
			}
			write(t, server, "OK\r\n")
		}()
		if _, err := c.Write(make([]byte, 1<<20)); err != nil {
			t.Errorf("Write: %v", err)
		}
		if err := c.Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		if err := <-answer; err != nil {
			t.Errorf("ReadLine: %v", err)
		}
	})
}

func TestStuckWriteEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := dialPipe(t, wire.Config{Timeouts: wire.Timeouts{Command: 10 * time.Second}})
		c.SetStage(wire.StageCommand)
		start := time.Now()
		_, err := c.Write(make([]byte, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("Write ended after %v with %v, want a timeout after 10s", time.Since(start), err)
		}
	})
}

func TestCancelFreesTheReaderAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := dialPipe(t, wire.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		release := c.Bind(ctx)
		defer release()
		time.AfterFunc(3*time.Second, cancel)
		start := time.Now()
		_, err := c.ReadLine()
		if got := time.Since(start); got != 3*time.Second || !errors.Is(err, context.Canceled) {
			t.Errorf("ended after %v with %v, want context.Canceled after 3s", got, err)
		}
	})
}

func TestCancelTellsItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := dialPipe(t, wire.Config{})
		cause := errors.New("the user closed the window")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer c.Bind(ctx)()
		cancel(cause)
		if _, err := c.ReadLine(); !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
			t.Errorf("ReadLine error %v, want context.Canceled and %v", err, cause)
		}
	})
}

// TestReleaseAfterTheEndLeavesADeadConnection: nobody else may be hit by the
// context of the last user.
func TestReleaseAfterTheEndLeavesADeadConnection(t *testing.T) {
	c, _ := dialPipe(t, wire.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	release := c.Bind(ctx)
	cancel()
	release()
	if err := c.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("Err() = %v, want context.Canceled", err)
	}

	c, _ = dialPipe(t, wire.Config{})
	ctx, cancel = context.WithCancel(t.Context())
	c.Bind(ctx)()
	cancel()
	if err := c.Err(); err != nil {
		t.Errorf("Err() = %v after a release in time, want nil", err)
	}
}

func TestReadLine(t *testing.T) {
	for _, tt := range []struct {
		name, sent string
		want       []string
		err        error
	}{
		{"CRLF and bare LF", "one\r\ntwo\nthree\r\n", []string{"one", "two", "three"}, io.EOF},
		{"empty lines", "\r\n\n", []string{"", ""}, io.EOF},
		{"a CR that ends no line", "a\rb\r\n", []string{"a\rb"}, io.EOF},
		{"longer than the buffer", strings.Repeat("x", 40_000) + "\r\nend\r\n", []string{strings.Repeat("x", 40_000), "end"}, io.EOF},
		{"cut inside", "one\r\ntw", []string{"one"}, io.ErrUnexpectedEOF},
		{"cut inside a long one", strings.Repeat("x", 40_000), nil, io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, server := dialPipe(t, wire.Config{})
			go func() {
				write(t, server, tt.sent)
				server.Close()
			}()
			for _, want := range tt.want {
				line, err := c.ReadLine()
				if string(line) != want || err != nil {
					t.Fatalf("ReadLine() = %.20q, %v, want %.20q", line, err, want)
				}
			}
			if line, err := c.ReadLine(); !errors.Is(err, tt.err) {
				t.Errorf("ReadLine() = %.20q, %v at the end, want %v", line, err, tt.err)
			}
		})
	}
}

func TestBareLF(t *testing.T) {
	c, server := dialPipe(t, wire.Config{})
	go write(t, server, "one\r\ntwo\n"+strings.Repeat("x", 40_000)+"\n\r\n")
	for i, want := range []bool{false, true, true, false} {
		if _, err := c.ReadLine(); err != nil || c.BareLF() != want {
			t.Errorf("line %d: BareLF() = %t, %v, want %t", i+1, c.BareLF(), err, want)
		}
	}
}

func TestAheadShowsWhatSkipReads(t *testing.T) {
	c, server := dialPipe(t, wire.Config{})
	go func() {
		write(t, server, "+OK\r\nab")
		write(t, server, "cd")
		server.Close()
	}()
	if _, err := c.ReadLine(); err != nil {
		t.Fatal(err)
	}
	p, err := c.Ahead(4)
	if string(p) != "abcd" || err != nil {
		t.Fatalf("Ahead(4) = %q, %v, want abcd", p, err)
	}
	c.Skip(3)
	if p, err = c.Ahead(1); string(p) != "d" || err != nil {
		t.Errorf("Ahead(1) after Skip(3) = %q, %v, want d", p, err)
	}
	if _, err = c.Ahead(2); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Ahead(2) with one byte left: %v, want io.ErrUnexpectedEOF", err)
	}
}

func TestAheadAtTheEnd(t *testing.T) {
	c, server := dialPipe(t, wire.Config{})
	server.Close()
	if p, err := c.Ahead(1); !errors.Is(err, io.EOF) {
		t.Errorf("Ahead(1) = %q, %v, want io.EOF", p, err)
	}
}

// TestNarrow: a connection with small buffers reads what came before, lines longer
// than they are, and literals; and writes what does not fit into them.
func TestNarrow(t *testing.T) {
	c, server := dialPipe(t, wire.Config{})
	long := strings.Repeat("x", 5000)
	if _, err := io.WriteString(server, "first\r\nsecond\r\n"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first", "second", long, long} {
		if want == long {
			if _, err := io.WriteString(server, long+"\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		got, err := c.ReadLine()
		if err != nil || string(got) != want {
			t.Fatalf("ReadLine() = %d bytes, %v, want %.10s of %d", len(got), err, want, len(want))
		}
		c.Narrow() // of no effect before the second line is read
	}
	if _, err := c.WriteString(long); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(long))
	if _, err := io.ReadFull(server, got); err != nil || string(got) != long {
		t.Errorf("%d bytes arrived, %v, want %d", len(got), err, len(long))
	}
}

func TestLineLimit(t *testing.T) {
	c, server := dialPipe(t, wire.Config{MaxLine: 20_000})
	go func() {
		_, _ = io.WriteString(server, strings.Repeat("x", 20_000)+"\r\n"+strings.Repeat("y", 20_001)+"\r\n")
	}()
	if line, err := c.ReadLine(); len(line) != 20_000 || err != nil {
		t.Fatalf("ReadLine() = %d bytes, %v, want 20000", len(line), err)
	}
	_, err := c.ReadLine()
	if e, ok := errors.AsType[*wire.LineError](err); !ok || e.Limit != 20_000 {
		t.Errorf("ReadLine error %v, want a LineError with 20000", err)
	}
}

func TestLiteralTellsACutFromAnEnd(t *testing.T) {
	c, server := dialPipe(t, wire.Config{})
	go func() {
		write(t, server, "hello world)\r\n12345")
		server.Close()
	}()
	l := c.Literal(11)
	if got, err := io.ReadAll(l); string(got) != "hello world" || err != nil {
		t.Errorf("ReadAll() = %q, %v", got, err)
	}
	if line, err := c.ReadLine(); string(line) != ")" || err != nil {
		t.Errorf("ReadLine() = %q, %v, want the rest of the line", line, err)
	}
	got, err := io.ReadAll(c.Literal(6))
	if string(got) != "12345" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ReadAll() = %q, %v, want io.ErrUnexpectedEOF", got, err)
	}
}

// TestLiteralWritten as a whole, as far as it came, and to a writer that takes no
// more, after which the rest can be read.
func TestLiteralWritten(t *testing.T) {
	c, server := dialPipe(t, wire.Config{})
	long := strings.Repeat("0123456789", 20_000)
	go func() {
		write(t, server, "hello world)\r\n"+long+"end\r\n12345")
		server.Close()
	}()
	var whole bytes.Buffer
	if n, err := c.Literal(11).WriteTo(&whole); whole.String() != "hello world" || n != 11 || err != nil {
		t.Errorf("WriteTo() wrote %q, returned %d, %v", &whole, n, err)
	}
	if line, err := c.ReadLine(); string(line) != ")" || err != nil {
		t.Errorf("ReadLine() = %q, %v, want the rest of the line", line, err)
	}
	l := c.Literal(int64(len(long)))
	full := &bounded{room: 12_345}
	n, err := l.WriteTo(full)
	if n != 12_345 || !errors.Is(err, errFull) || l.Left() != int64(len(long))-n {
		t.Errorf("WriteTo() = %d, %v, want 12345 and the writer's error; %d are left", n, err, l.Left())
	}
	rest, err := io.ReadAll(l)
	if got := full.String() + string(rest); got != long || err != nil {
		t.Errorf("%d bytes and then %d (%v), want %d that are those sent", full.Len(), len(rest), err, len(long))
	}
	if line, err := c.ReadLine(); string(line) != "end" || err != nil {
		t.Errorf("ReadLine() = %q, %v, want end", line, err)
	}
	var cut bytes.Buffer
	if n, err := c.Literal(6).WriteTo(&cut); cut.String() != "12345" || n != 5 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("WriteTo() wrote %q, returned %d, %v, want io.ErrUnexpectedEOF", &cut, n, err)
	}
}

var errFull = errors.New("full")

// bounded takes so many bytes.
type bounded struct {
	bytes.Buffer

	room int
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.room)
	b.room -= n
	_, _ = b.Buffer.Write(p[:n]) // it never fails
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestDialErrors(t *testing.T) {
	refused := errors.New("connection refused")
	synctest.Test(t, func(t *testing.T) {
		_, err := wire.Dial(t.Context(), wire.Config{Address: address, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, refused
		}})
		if !errors.Is(err, refused) || !strings.Contains(err.Error(), address) {
			t.Errorf("Dial error %v, want %v and %s", err, refused, address)
		}
		never := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		start := time.Now()
		_, err = wire.Dial(t.Context(), wire.Config{Address: address, Dial: never, Timeouts: wire.Timeouts{Dial: 5 * time.Second}})
		if e, ok := errors.AsType[*wire.TimeoutError](err); !ok || e.Stage != wire.StageDial || time.Since(start) != 5*time.Second {
			t.Errorf("Dial error %v after %v, want a TimeoutError after 5s", err, time.Since(start))
		}
		telling := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("half the way: %w", context.Cause(ctx))
		}
		_, err = wire.Dial(t.Context(), wire.Config{Address: address, Dial: telling, Timeouts: wire.Timeouts{Dial: 5 * time.Second}})
		if e, ok := errors.AsType[*wire.TimeoutError](err); !ok || e.Stage != wire.StageDial || !strings.Contains(err.Error(), "half the way") {
			t.Errorf("Dial error %v, want a TimeoutError and what was waited for", err)
		}
		slow := func(ctx context.Context, _, _ string) (net.Conn, error) {
			pass(time.Hour)
			client, _ := pipe.New()
			return client, ctx.Err()
		}
		if _, err = wire.Dial(t.Context(), wire.Config{Address: address, Dial: slow, Timeouts: wire.Timeouts{Dial: -1}}); err != nil {
			t.Errorf("Dial error %v without a bound, want none", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := wire.Dial(ctx, wire.Config{Address: address, Dial: never}); !errors.Is(err, context.Canceled) {
			t.Errorf("Dial error %v, want context.Canceled", err)
		}
	})
}

// TestHandOver shows what a client made by others cannot do.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, server := dialPipe(t, wire.Config{Timeouts: wire.Timeouts{Command: time.Minute}})
		c.SetStage(wire.StageCommand)
		nc := c.HandOver(io.MultiReader(strings.NewReader("* PREAUTH\r\n"), c))
		if err := nc.SetDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		go func() {
			line, err := bufio.NewReader(server).ReadString('\n')
			if line != "NOOP\r\n" || err != nil {
				t.Errorf("server got %q, %v", line, err)
			}
			pass(30 * time.Second)
			write(t, server, "OK\r\n")
		}()
		r := bufio.NewReader(nc)
		if _, err := io.WriteString(nc, "NOOP\r\n"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"* PREAUTH\r\n", "OK\r\n"} {
			if line, err := r.ReadString('\n'); line != want || err != nil {
				t.Errorf("ReadString() = %q, %v, want %q", line, err, want)
			}
		}
		_ = nc.Close()
		if err := c.Err(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Err() = %v after the client closed, want net.ErrClosed", err)
		}
	})
}

func TestRecorderAndCounters(t *testing.T) {
	rec := &recorder{}
	c, server := dialPipe(t, wire.Config{Recorder: rec})
	go func() {
		line, _ := bufio.NewReader(server).ReadString('\n')
		write(t, server, strings.ToLower(line))
	}()
	_, _ = c.WriteString("HELLO\r\n")
	_ = c.Flush()
	if _, err := c.ReadLine(); err != nil {
		t.Fatal(err)
	}
	if rec.sent.String() != "HELLO\r\n" || rec.received.String() != "hello\r\n" {
		t.Errorf("recorded %q and %q", rec.sent.String(), rec.received.String())
	}
	if in, out := c.Counters(); in != 7 || out != 7 {
		t.Errorf("Counters() = %d, %d, want 7, 7", in, out)
	}
}

type recorder struct{ sent, received bytes.Buffer }

func (r *recorder) Sent(p []byte)     { r.sent.Write(p) }
func (r *recorder) Received(p []byte) { r.received.Write(p) }

// TestOverTCP goes through TLS on real sockets: the same rules, no virtual
// time.
func TestOverTCP(t *testing.T) {
	authority, err := testtls.New()
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", authority.Server())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				_, _ = io.WriteString(nc, "hello\r\n")
				_, _ = io.Copy(io.Discard, nc)
			}()
		}
	}()
	c, err := wire.Dial(t.Context(), wire.Config{Address: l.Addr().String(), ImplicitTLS: true, TLS: authority.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if line, err := c.ReadLine(); string(line) != "hello" || err != nil {
		t.Errorf("ReadLine() = %q, %v", line, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	release := c.Bind(ctx)
	blocked := make(chan error, 1)
	go func() {
		_, err := c.ReadLine()
		blocked <- err
	}()
	cancel()
	if err := <-blocked; !errors.Is(err, context.Canceled) {
		t.Errorf("ReadLine error %v, want context.Canceled", err)
	}
	release()

	c, err = wire.Dial(t.Context(), wire.Config{Address: l.Addr().String(), ImplicitTLS: true, TLS: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}})
	if err == nil {
		c.Kill(net.ErrClosed)
		t.Error("Dial accepts a certificate of an authority that is not trusted")
	}
}

// Whoever sends several things at once learns which of them the server cannot
// have, also where it read but a part.
func TestSendTellsHowMuchLeft(t *testing.T) {
	c, server := dialPipe(t, wire.Config{})
	if _, err := c.WriteString("before "); err != nil {
		t.Fatal(err)
	}
	got := make(chan []byte)
	go func() {
		head := make([]byte, 1000)
		n, _ := io.ReadFull(server, head)
		server.Close()
		got <- head[:n]
	}()
	p := bytes.Repeat([]byte("x"), 1<<20)
	n, err := c.Send(p)
	if err == nil || n < 1000-len("before ") || n >= len(p) {
		t.Errorf("Send of %d bytes, of which the server took less than 1000, = %d, %v", len(p), n, err)
	}
	if head := <-got; !bytes.HasPrefix(head, []byte("before xxx")) {
		t.Errorf("the server read %.20q, want what was written before first", head)
	}
	if n, err := c.Send(p); n != 0 || err == nil {
		t.Errorf("Send to a server that is gone = %d, %v", n, err)
	}
}

// What a server said before it left is heard, whatever could not be sent to it.
func TestSendLeavesTheLastWordsToBeRead(t *testing.T) {
	c, server := dialPipe(t, wire.Config{})
	write(t, server, "421 too many messages\r\n")
	server.Close()
	if _, err := c.Send([]byte("one more\r\n")); err == nil {
		t.Error("Send to a server that is gone has no error")
	}
	if line, err := c.ReadLine(); string(line) != "421 too many messages" || err != nil {
		t.Errorf("ReadLine = %q, %v, want the server's last words", line, err)
	}
	if _, err := c.ReadLine(); !errors.Is(err, io.EOF) {
		t.Errorf("ReadLine = %v, want %v", err, io.EOF)
	}
}

// A server that speaks is alive, also while it does not listen.
func TestASpeakingServerIsWrittenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, server := dialPipe(t, wire.Config{Timeouts: wire.Timeouts{Command: 10 * time.Second}})
		c.SetStage(wire.StageCommand)
		go func() {
			for range 10 {
				pass(9 * time.Second)
				write(t, server, "slow\r\n")
			}
			_, _ = io.Copy(io.Discard, server)
		}()
		go func() {
			for {
				if _, err := c.ReadLine(); err != nil {
					return
				}
			}
		}()
		if n, err := c.Send(make([]byte, 1<<20)); err != nil {
			t.Errorf("Send = %d, %v", n, err)
		}
	})
}
