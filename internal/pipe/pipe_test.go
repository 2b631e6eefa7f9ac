package pipe_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/pipe"
)

func TestBothSidesWriteAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe.New()
		big := bytes.Repeat([]byte("0123456789"), pipe.Size/20) // half a buffer
		for _, c := range []net.Conn{client, server} {
			if n, err := c.Write(big); n != len(big) || err != nil {
				t.Fatalf("Write = %d, %v, want %d, nil", n, err, len(big))
			}
		}
		for _, c := range []net.Conn{client, server} {
			got := make([]byte, len(big))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, big) {
				t.Fatalf("ReadFull: %v, equal %t", err, bytes.Equal(got, big))
			}
		}
	})
}

func TestBytesSurviveManyLaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe.New()
		sent := make([]byte, 5*pipe.Size+123)
		for i := range sent {
			sent[i] = byte(i * 7 / 3)
		}
		go func() {
			for rest := sent; len(rest) > 0; {
				n, err := client.Write(rest[:min(len(rest), 10_007)])
				if err != nil {
					t.Errorf("Write: %v", err)
				}
				rest = rest[n:]
			}
			_ = client.Close()
		}()
		got, err := io.ReadAll(server)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("ReadAll: %v, equal %t", err, bytes.Equal(got, sent))
		}
	})
}

func TestWriteWaitsWhileFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe.New()
		var written int
		done := make(chan struct{})
		go func() {
			defer close(done)
			written, _ = client.Write(make([]byte, pipe.Size+1))
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("Write returned although the buffer was full")
		default:
		}
		if _, err := server.Read(make([]byte, 1)); err != nil {
			t.Fatalf("Read: %v", err)
		}
		<-done
		if written != pipe.Size+1 {
			t.Errorf("written = %d, want %d", written, pipe.Size+1)
		}
	})
}

func TestWritesDoNotMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe.New()
		var writers sync.WaitGroup
		for _, b := range []byte("ab") {
			writers.Go(func() {
				if _, err := client.Write(bytes.Repeat([]byte{b}, 2*pipe.Size)); err != nil {
					t.Errorf("Write: %v", err)
				}
			})
		}
		go func() {
			writers.Wait()
			_ = client.Close()
		}()
		got, err := io.ReadAll(server)
		if err != nil || len(got) != 4*pipe.Size {
			t.Fatalf("ReadAll = %d bytes, %v", len(got), err)
		}
		for half := range 2 {
			part := got[half*2*pipe.Size : (half+1)*2*pipe.Size]
			if !bytes.Equal(part, bytes.Repeat(part[:1], len(part))) {
				t.Errorf("half %d mixes the bytes of both writers", half)
			}
		}
	})
}

func TestCloseLetsTheRestBeRead(t *testing.T) {
	client, server := pipe.New()
	if _, err := client.Write([]byte("rest")); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if err := client.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	got, err := io.ReadAll(server)
	if string(got) != "rest" || err != nil {
		t.Errorf("ReadAll = %q, %v, want %q, nil", got, err, "rest")
	}
	if _, err := server.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write to a closed peer: %v, want %v", err, io.ErrClosedPipe)
	}
	if _, err := client.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v, want %v", err, net.ErrClosed)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v, want %v", err, net.ErrClosed)
	}
	if err := client.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SetDeadline after Close: %v, want %v", err, net.ErrClosed)
	}
}

func TestCloseWriteEndsOneDirection(t *testing.T) {
	client, server := pipe.New()
	half, ok := client.(interface{ CloseWrite() error })
	if !ok {
		t.Fatal("client has no CloseWrite")
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatalf("CloseWrite: %v", err)
	}
	if n, err := server.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("Read = %d, %v, want 0, EOF", n, err)
	}
	if _, err := server.Write([]byte("still")); err != nil {
		t.Fatalf("Write: %v", err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "still" {
		t.Errorf("ReadFull = %q, %v", got, err)
	}
	if _, err := client.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write after CloseWrite: %v, want %v", err, io.ErrClosedPipe)
	}
}

func TestCloseWakesBlockedCalls(t *testing.T) {
	tests := []struct {
		name  string
		local bool // the blocked side closes itself
		read  error
		write error
	}{
		{"own end", true, net.ErrClosed, net.ErrClosed},
		{"other end", false, io.EOF, io.ErrClosedPipe},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := pipe.New()
				var calls sync.WaitGroup
				calls.Go(func() {
					if _, err := client.Read(make([]byte, 1)); !errors.Is(err, tt.read) {
						t.Errorf("Read: %v, want %v", err, tt.read)
					}
				})
				calls.Go(func() {
					n, err := client.Write(make([]byte, 2*pipe.Size))
					if n != pipe.Size || !errors.Is(err, tt.write) {
						t.Errorf("Write = %d, %v, want %d, %v", n, err, pipe.Size, tt.write)
					}
				})
				synctest.Wait()
				if tt.local {
					_ = client.Close()
				} else {
					_ = server.Close()
				}
				calls.Wait()
			})
		})
	}
}

func TestDeadlinesFollowTheVirtualClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe.New()
		defer func() { _ = client.Close() }()
		start := time.Now()
		if err := client.SetReadDeadline(start.Add(time.Hour)); err != nil {
			t.Fatalf("SetReadDeadline: %v", err)
		}
		_, err := client.Read(make([]byte, 1))
		var timeout net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatalf("Read: %v, want a deadline error", err)
		}
		if got := time.Since(start); got != time.Hour {
			t.Errorf("Read failed after %v, want 1h", got)
		}
		if _, err := server.Write([]byte("x")); err != nil {
			t.Fatalf("Write: %v", err)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read past the deadline with bytes there: %v", err)
		}
		if err := client.SetReadDeadline(time.Time{}); err != nil {
			t.Fatalf("SetReadDeadline: %v", err)
		}
		if n, err := client.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("Read without a deadline = %d, %v, want 1, nil", n, err)
		}
	})
}

func TestWriteDeadlineReportsWhatWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := pipe.New()
		if err := client.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatalf("SetDeadline: %v", err)
		}
		n, err := client.Write(make([]byte, pipe.Size+10))
		if n != pipe.Size || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %d, %v, want %d and a deadline error", n, err, pipe.Size)
		}
	})
}

func TestMovedDeadlineWakesNobodyEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe.New()
		if err := client.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatalf("SetReadDeadline: %v", err)
		}
		failed := make(chan time.Duration)
		start := time.Now()
		go func() {
			_, _ = client.Read(make([]byte, 1))
			failed <- time.Since(start)
		}()
		synctest.Wait()
		if err := client.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatalf("SetReadDeadline: %v", err)
		}
		if got := <-failed; got != time.Minute {
			t.Errorf("Read failed after %v, want 1m", got)
		}
		_ = server.Close()
		if err := client.SetReadDeadline(time.Now().Add(-1)); err != nil {
			t.Fatalf("SetReadDeadline: %v", err)
		}
		if _, err := client.Read(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read with a deadline in the past: %v", err)
		}
	})
}

func TestListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipe.NewListener()
		first, err := l.Dial(t.Context())
		if err != nil {
			t.Fatalf("Dial: %v", err)
		}
		accepted, err := l.Accept()
		if err != nil {
			t.Fatalf("Accept: %v", err)
		}
		if _, err := first.Write([]byte("hello")); err != nil {
			t.Fatalf("Write: %v", err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(accepted, got); err != nil || string(got) != "hello" {
			t.Errorf("ReadFull = %q, %v", got, err)
		}
		if got := accepted.RemoteAddr().Network(); got != "pipe" {
			t.Errorf("Network = %q, want pipe", got)
		}
		ended := make(chan error)
		go func() {
			_, err := l.Accept()
			ended <- err
		}()
		synctest.Wait()
		_ = l.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v, want %v", err, net.ErrClosed)
		}
		if _, err := l.Dial(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial after Close: %v, want %v", err, syscall.ECONNREFUSED)
		}
	})
}

func TestListenerLimits(t *testing.T) {
	l := pipe.NewListener()
	ctx, cancel := context.WithCancel(t.Context())
	var last net.Conn
	for range 128 {
		var err error
		if last, err = l.Dial(ctx); err != nil {
			t.Fatalf("Dial: %v", err)
		}
	}
	if _, err := l.Dial(ctx); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial with a full backlog: %v, want %v", err, syscall.ECONNREFUSED)
	}
	cancel()
	if _, err := l.Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial with an ended context: %v, want %v", err, context.Canceled)
	}
	_ = l.Close()
	if _, err := last.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("Read on a connection nobody accepted: %v, want EOF", err)
	}
}
