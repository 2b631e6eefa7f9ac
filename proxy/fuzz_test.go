package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
)

// canned is a connection on which everything was said beforehand. It counts
// what is read of it.
type canned struct {
	net.Conn

	said *bytes.Reader
}

func (c canned) Read(p []byte) (int, error)       { return c.said.Read(p) }
func (c canned) Write(p []byte) (int, error)      { return len(p), nil }
func (c canned) Close() error                     { return nil }
func (c canned) SetDeadline(time.Time) error      { return nil }
func (c canned) SetReadDeadline(time.Time) error  { return nil }
func (c canned) SetWriteDeadline(time.Time) error { return nil }

// dialCanned goes through a proxy that says data, and returns what was read of
// it.
func dialCanned(t *testing.T, c *proxy.Config, data []byte) (taken []byte, err error) {
	t.Helper()
	said := bytes.NewReader(data)
	dial := func(context.Context, string, string) (net.Conn, error) { return canned{said: said}, nil }
	conn, err := c.Dialer("", dial)(t.Context(), "tcp", target)
	if (conn == nil) != (err != nil) {
		t.Fatalf("Dial = %v, %v, want one of them", conn, err)
	}
	if _, ok := errors.AsType[*proxy.Error](err); err != nil && !ok {
		t.Fatalf("Dial: %v (%T), want an *Error", err, err)
	}
	return data[:len(data)-said.Len()], err
}

// FuzzConnectAnswer: a tunnel is one only behind whole headers of which the
// last is of a status 2xx, and nothing behind them is read.
func FuzzConnectAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n* OK ready\r\n",
		"HTTP/1.0 200\n\n220 ready\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx",
		"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"220 mail ESMTP\r\n",
		"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
		"",
	} {
		f.Add([]byte(s))
	}
	whole := regexp.MustCompile(`(?s)^(HTTP/[^\n]*\n([^\n]*[^\r\n][^\n]*\n)*\r*\n)*HTTP/\S+ +2\d\d[^\n]*\n([^\n]*[^\r\n][^\n]*\n)*\r*\n$`)
	f.Fuzz(func(t *testing.T, data []byte) {
		taken, err := dialCanned(t, &proxy.Config{URL: "http://proxy.example.net"}, data)
		if err == nil && !whole.Match(taken) {
			t.Errorf("a tunnel after %q", taken)
		}
		if err != nil && bytes.HasPrefix(data, []byte("HTTP/1.1 200 OK\r\n\r\n")) {
			t.Errorf("no tunnel after %q: %v", taken, err)
		}
		if len(taken) > 9*64<<10 {
			t.Errorf("%d bytes were read", len(taken))
		}
	})
}

// FuzzSOCKSAnswer: a tunnel is one only after answers of the lengths that they
// state, and nothing behind them is read.
func FuzzSOCKSAnswer(f *testing.F) {
	for _, s := range []string{
		"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38* OK ready",
		"\x05\x02\x01\x00\x05\x00\x00\x03\x03abc\x04\x38220",
		"\x05\x02\x01\x01",
		"\x05\x00\x05\x00\x00\x04" + strings.Repeat("\x00", 18) + "x",
		"\x05\xff",
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		taken, err := dialCanned(t, &proxy.Config{URL: "socks5://proxy.example.net", User: "ann", Password: secret.New("x")}, data)
		if err == nil && len(taken) != socksLength(data) {
			t.Errorf("a tunnel after %q, want %d bytes of %q to be read", taken, socksLength(data), data)
		}
		if most := 2 + 2 + 4 + 1 + 255 + 2; len(taken) > most {
			t.Errorf("%d bytes were read, want at most %d", len(taken), most)
		}
		if err != nil && socksLength(data) > 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("no tunnel after %q: %v", data, err)
		}
	})
}

// socksLength returns how long the answers are by which a proxy makes a tunnel,
// 0 where they are not such.
func socksLength(data []byte) int {
	at := 2
	if !bytes.HasPrefix(data, []byte{5, 0}) {
		if !bytes.HasPrefix(data, []byte{5, 2}) || len(data) < 4 || data[3] != 0 {
			return 0
		}
		at = 4
	}
	if len(data) < at+5 || data[at] != 5 || data[at+1] != 0 {
		return 0
	}
	switch data[at+3] {
	case 1:
		return at + 4 + 4 + 2
	case 3:
		return at + 4 + 1 + int(data[at+4]) + 2
	case 4:
		return at + 4 + 16 + 2
	}
	return 0
}
