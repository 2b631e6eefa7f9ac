package proxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
)

// wantFailure checks the error of a dial: an [*proxy.Error] that has the words in
// it and no secret, and that wraps io.ErrUnexpectedEOF where the proxy's answer
// broke off.
func wantFailure(t *testing.T, conn net.Conn, err error, temporary, brokeOff bool, words ...string) *proxy.Error {
	t.Helper()
	e, ok := errors.AsType[*proxy.Error](err)
	if conn != nil || !ok || e.Temporary() != temporary {
		t.Fatalf("Dial = %v, %v (%+v), want a proxy.Error, temporary %t", conn, err, e, temporary)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q, want %q in it", err, w)
		}
	}
	if brokeOff && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want io.ErrUnexpectedEOF in it", err)
	}
	wantNoSecret(t, err, e)
	return e
}

// wantNoSecret prints values in every way and finds no password.
func wantNoSecret(t *testing.T, values ...any) {
	t.Helper()
	var out bytes.Buffer
	for _, v := range values {
		fmt.Fprintf(&out, "%v\n%+v\n%#v\n%q\n", v, v, v, v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "value", v)
	}
	t.Log(out.String())
	for _, leak := range []string{password, base64.StdEncoding.EncodeToString([]byte("ann:" + password))} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the password is shown:\n%s", out.String())
		}
	}
}

// TestSilenceIsBounded: whatever a proxy does not say, the bound on dialling
// ends it to the moment, and so does a context that is cancelled.
func TestSilenceIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, url string
		play      func(*fake, net.Conn)
	}{
		{"HTTP", "http://proxy.example.net", saying()},
		{"half an answer", "http://proxy.example.net", answering("HTTP/1.1 200 OK\r\nVia: ")},
		{"a page that does not come", "http://proxy.example.net", answering("HTTP/1.1 407 No\r\nContent-Length: 10\r\n\r\nabc")},
		{"TLS", "https://proxy.example.net", saying()},
		{"SOCKS5", "socks5://proxy.example.net", saying()},
		{"SOCKS5, user and password", "socks5://proxy.example.net", saying(step{read: 4, say: "\x05\x02"})},
		{"SOCKS5, the reply", "socks5://proxy.example.net", saying(step{read: 4, say: "\x05\x00"}, step{read: 23, say: "\x05\x00\x00\x03\x09"})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &proxy.Config{URL: tt.url, User: "ann", Password: secret.New(password)}
			if strings.HasPrefix(tt.name, "a page") {
				c.Authorization = func(context.Context, *proxy.Request) (string, error) { return "Negotiate x", nil }
			}
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, tt.play)
				defer f.close()
				start := time.Now()
				_, err := wire.Dial(t.Context(), wire.Config{Address: target, Dial: c.Dialer("", f.Dial), Timeouts: wire.Timeouts{Dial: 20 * time.Second}})
				if e, ok := errors.AsType[*wire.TimeoutError](err); !ok || e.Stage != wire.StageDial || time.Since(start) != 20*time.Second {
					t.Errorf("Dial: %v after %v, want a TimeoutError while connecting after 20s", err, time.Since(start))
				}
				if e, ok := errors.AsType[*proxy.Error](err); !ok || !e.Temporary() || !strings.Contains(err.Error(), "proxy "+e.Proxy) {
					t.Errorf("Dial: %v, want the proxy named", err)
				}
				wantNoSecret(t, err)
			})
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, tt.play)
				defer f.close()
				ctx, cancel := context.WithCancel(t.Context())
				start := time.Now()
				time.AfterFunc(3*time.Second, cancel)
				_, err := c.Dialer("", f.Dial)(ctx, "tcp", target)
				e, ok := errors.AsType[*proxy.Error](err)
				if !errors.Is(err, context.Canceled) || time.Since(start) != 3*time.Second || !ok || e.Temporary() {
					t.Errorf("Dial: %v after %v, want context.Canceled after 3s, not temporary", err, time.Since(start))
				}
				if _, err := f.open[0].Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("the proxy writes after that: %v, want that the connection is closed", err)
				}
			})
		})
	}
}

// TestProxyOutOfReach: the error of the connection is kept, and an ended
// context takes nothing away that was made before.
func TestProxyOutOfReach(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	base := func(context.Context, string, string) (net.Conn, error) { return nil, refused }
	_, err := (&proxy.Config{URL: "http://proxy.example.net:3128"}).Dialer("", base)(t.Context(), "tcp", target)
	if !errors.Is(err, refused) || !strings.Contains(err.Error(), "proxy http://proxy.example.net:3128 on the way to "+target) {
		t.Errorf("error %v, want the cause and the way", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(t, answering("HTTP/1.1 200 OK\r\n\r\nhello"))
	conn, err := (&proxy.Config{URL: "http://proxy.example.net"}).Dialer("", f.Dial)(ctx, "tcp", target)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	if got := string(read(conn, 5)); got != "hello" {
		t.Errorf("read %q after the context of dialling ended, want hello", got)
	}
}

// TestTLSToTheProxy has settings of its own.
func TestTLSToTheProxy(t *testing.T) {
	t.Parallel()
	authority, err := testtls.New("proxy.example.net")
	if err != nil {
		t.Fatal(err)
	}
	ready := underTLS(authority.Server(), answering("HTTP/1.1 200 OK\r\n\r\nhello"))
	for _, tt := range []struct {
		name, url string
		tls       *tls.Config
		play      func(*fake, net.Conn)
		words     string
	}{
		{"trusted", "https://proxy.example.net:3129", authority.Client(), ready, ""},
		{"of an unknown authority", "https://proxy.example.net:3129", nil, ready, "give the proxy's certificate authority"},
		{"of another name", "https://other.example.net:3129", authority.Client(), ready, "other.example.net"},
		{"plain text", "https://proxy.example.net:3129", nil, func(_ *fake, conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}, "use http:// in its URL"},
		{"cut", "https://proxy.example.net:3129", nil, func(_ *fake, conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1)) // The client has written before the line is cut.
			_ = conn.Close()
		}, "TLS: EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, tt.play)
			conn, err := (&proxy.Config{URL: tt.url, TLS: tt.tls}).Dialer("", f.Dial)(t.Context(), "tcp", target)
			if tt.words != "" {
				if err == nil || !strings.Contains(err.Error(), tt.words) {
					t.Errorf("Dial: %v, want %q", err, tt.words)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(read(conn, 5)); got != "hello" {
				t.Errorf("behind the answer: %q, want hello", got)
			}
			if err := conn.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// TestCheck refuses what cannot work, without repeating it.
func TestCheck(t *testing.T) {
	t.Parallel()
	some := func(context.Context, *proxy.Request) (string, error) { return "", nil }
	long := strings.Repeat("x", 256)
	for _, tt := range []struct {
		config *proxy.Config
		words  string
	}{
		{nil, ""},
		{&proxy.Config{}, ""},
		{proxy.FromEnvironment(), ""},
		{&proxy.Config{URL: "http://proxy.example.net:3128/"}, ""},
		{&proxy.Config{URL: "HTTPS://[2001:db8::1]"}, ""},
		{&proxy.Config{URL: "socks5h://proxy.example.net", User: "ann", Password: secret.New("x")}, ""},
		{&proxy.Config{URL: "http://proxy.example.net", User: "ann"}, ""},
		{&proxy.Config{URL: "http://proxy.example.net", Authorization: some}, ""},
		{&proxy.Config{URL: "http://proxy.example.net", Environment: true}, "both URL and Environment"},
		{&proxy.Config{URL: "http://ann:" + "pass%20word" + "@proxy.example.net"}, "holds credentials"},
		{&proxy.Config{URL: "http://ann:pass word@proxy.example.net:x"}, "not of the form"},
		{&proxy.Config{URL: "http://:pass%20word@proxy.example.net"}, "holds credentials"},
		{&proxy.Config{URL: "proxy.example.net:3128"}, "not of the form"},
		{&proxy.Config{URL: "http://"}, "not of the form"},
		{&proxy.Config{URL: "ftp://proxy.example.net"}, `its scheme is "ftp"`},
		{&proxy.Config{URL: "http://proxy.example.net:0"}, "its port does not exist"},
		{&proxy.Config{URL: "http://proxy.example.net:65536"}, "its port does not exist"},
		{&proxy.Config{URL: "http://proxy.example.net/proxy.pac"}, "something follows the port"},
		{&proxy.Config{URL: "http://proxy.example.net", Password: secret.New("x")}, "Password without a User"},
		{&proxy.Config{URL: "http://proxy.example.net", User: "a:b", Password: secret.New("x")}, "no colon"},
		{&proxy.Config{URL: "socks5://proxy.example.net", User: "ann"}, "no user name without a password"},
		{&proxy.Config{URL: "socks5://proxy.example.net", User: long, Password: secret.New("x")}, "at most 255 bytes"},
		{&proxy.Config{URL: "socks5://proxy.example.net", User: "ann", Password: secret.New(long)}, "at most 255 bytes"},
		{&proxy.Config{URL: "socks5://proxy.example.net", Authorization: some}, "for HTTP proxies"},
	} {
		err := tt.config.Check()
		if (err == nil) != (tt.words == "") || (err != nil && !strings.Contains(err.Error(), tt.words)) {
			t.Errorf("Check(%+v) = %v, want %q", tt.config, err, tt.words)
		}
		if err != nil && (strings.Contains(err.Error(), "pass") && strings.Contains(err.Error(), "word@") || strings.Contains(err.Error(), "pass%20word")) {
			t.Errorf("the error shows the password: %v", err)
		}
		if err != nil {
			f := newFake(t, saying())
			if _, dialErr := tt.config.Dialer("", f.Dial)(t.Context(), "tcp", target); dialErr == nil || dialErr.Error() != err.Error() {
				t.Errorf("Dial with a wrong Config = %v, want %v", dialErr, err)
			}
		}
	}
}

// TestTargetsThatNoProxyIsAskedFor never reach the proxy.
func TestTargetsThatNoProxyIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://proxy.example.net", "socks5://proxy.example.net"} {
		for target, words := range map[string]string{
			"mail.example.org":       "missing port",
			":993":                   "has no host",
			"mail.example.org:imaps": `port is "imaps"`,
			"mail.example.org:0":     `port is "0"`,
			"mail.example.org:65536": `port is "65536"`,
			"bücher.example:993":     "xn-- form",
			"a b:993":                "not in ASCII",
			"x HTTP/1.1\r\n\r\n:993": "not in ASCII",
		} {
			f := newFake(t, saying())
			_, err := (&proxy.Config{URL: url}).Dialer("", f.Dial)(t.Context(), "tcp", target)
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: Dial(%q) = %v, want %q", url, target, err, words)
			}
			if len(f.dialled) != 0 {
				t.Errorf("%s: the proxy was dialled for %q", url, target)
			}
		}
	}
}

// TestConfigAsJSON: what is neither secret nor code comes back.
func TestConfigAsJSON(t *testing.T) {
	t.Parallel()
	c := proxy.Config{
		URL: "http://proxy.example.net:3128", User: "ann", Password: secret.New(password), TLS: &tls.Config{MinVersion: tls.VersionTLS13},
		Authorization: func(context.Context, *proxy.Request) (string, error) { return "", nil },
	}
	data, err := json.Marshal(c)
	if want := `{"url":"http://proxy.example.net:3128","user":"ann"}`; err != nil || string(data) != want {
		t.Errorf("Marshal = %s, %v, want %s", data, err, want)
	}
	var back proxy.Config
	if err := json.Unmarshal(data, &back); err != nil || back.URL != c.URL || back.User != c.User || back.Environment {
		t.Errorf("Unmarshal = %+v, %v", back, err)
	}
	wantNoSecret(t, c, &c)
}
