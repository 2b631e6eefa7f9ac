//go:build interop

package interop_test

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// meter counts what passes the sockets of a client.
type meter struct{ received, sent atomic.Int64 }

// dial is for [session.Server].
func (m *meter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &metered{Conn: c, meter: m}, nil
}

// metered is one of its connections.
type metered struct {
	net.Conn

	meter *meter
}

// Read counts what comes.
func (c *metered) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.meter.received.Add(int64(n))
	return n, err
}

// Write counts what goes.
func (c *metered) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.meter.sent.Add(int64(n))
	return n, err
}

// script is a transcript that can be read while it grows.
type script struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write adds to it.
func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String returns it.
func (s *script) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// count returns how often the transcript has a text.
func (s *script) count(text string) int { return strings.Count(s.String(), text) }

// await waits until the transcript has a text so many times.
func (s *script) await(ctx context.Context, t *testing.T, text string, times int) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for s.count(text) < times {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Errorf("%q was said %d times, want %d:\n%s", text, s.count(text), times, s)
			return
		}
	}
}

// TestCompressOnDovecot: Dovecot's own DEFLATE carries a listing, a large body and a
// message that is filed, the transcript shows it in the open, and the body takes a
// small part of its bytes on the way. What is sent takes few bytes more.
func TestCompressOnDovecot(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		security session.Security
		shared   bool
	}{"TLS": {session.TLS, false}, "plain, beside other plugins": {session.None, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := startServers(t, &interop.Options{Compress: true, Shared: tt.shared})
			line, shown := &meter{}, &script{}
			in, _ := pair(t, servers, tt.security)
			in.Dial, in.Transcript = line.dial, io.MultiWriter(shown, testlog.New(t))
			s, err := session.New(session.Credentials{User: ann, Password: userOf(t, servers, ann).Password},
				imapx.Backend(in, &imapx.Options{Compress: true, MaxConnections: 1}), nil, nil)
			must(t, err)
			t.Cleanup(func() { _ = s.Close() })

			text := "Message-ID: <large@x>\r\nSubject: large\r\n\r\n" + strings.Repeat("0123456789 of the same\r\n", 100_000)
			size := int64(len(text))
			id, err := s.Append(t.Context(), session.Inbox, message.Bytes([]byte(text)), nil)
			must(t, err)
			if sent := line.sent.Load(); sent < size || sent > size+size/50+20_000 {
				t.Errorf("%d bytes were sent for a message of %d", sent, size)
			}
			all := summaries(t, s, session.FieldsAll)
			if len(all) != 1 || all[0].ID != id || all[0].Header.Subject() != "large" || all[0].Size != size {
				t.Errorf("the listing is %+v, want the message with %v", all, id)
			}
			before := line.received.Load()
			body, err := s.Open(t.Context(), id)
			must(t, err)
			got, err := io.ReadAll(body)
			_ = body.Close()
			if err != nil || string(got) != text {
				t.Errorf("the body has %d bytes (%v), want the %d that were filed", len(got), err, size)
			}
			if came := line.received.Load() - before; came == 0 || came > size/20 {
				t.Errorf("%d bytes came for a body of %d, want less than a twentieth", came, size)
			} else {
				t.Logf("%d bytes came for a body of %d", came, size)
			}
			wantShown(t, shown.String())
		})
	}
}

// wantShown looks for the commands and their answers, in their order and readable.
func wantShown(t *testing.T, transcript string) {
	t.Helper()
	rest := transcript
	for _, want := range []string{
		"COMPRESS DEFLATE", " OK ", "APPEND ", "C: [literal ", "APPENDUID", "UID FETCH", " OK ", "UID FETCH", "BODY[]", "S: [literal ", " OK ",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("the transcript lacks %q after %d bytes of %d", want, len(transcript)-len(rest), len(transcript))
		}
		rest = after
	}
	if i := slices.IndexFunc([]byte(transcript), func(b byte) bool { return b < ' ' && b != '\n' && b != '\r' && b != '\t' || b > '~' }); i >= 0 {
		t.Errorf("the transcript has the byte %#x at %d", transcript[i], i)
	}
}
