package proxy_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
)

const (
	target   = "imap.example.org:993"
	password = "tr0ub & horse" //nolint:gosec // G101: of nobody.
)

// TestProxyIsToldTheNameAndReadNoFurther: what the server says follows the
// proxy's answer in the same segment, and none of it is lost.
func TestProxyIsToldTheNameAndReadNoFurther(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"HTTP/1.1":           "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n",
		"HTTP/1.0":           "HTTP/1.0 200 OK\r\n\r\n",
		"any 2xx":            "HTTP/1.1 204 No Content\r\n\r\n",
		"bare line feeds":    "HTTP/1.1 200 OK\nA: b\n\n",
		"a length of no use": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
		"interim answers":    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, answering(head+"* OK ready\r\n"))
			c := &proxy.Config{URL: "http://proxy.example.net:3128", User: "ann", Password: secret.New(password)}
			conn, err := c.Dialer("", f.Dial)(t.Context(), "tcp", target)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if line, err := bufio.NewReader(conn).ReadString('\n'); line != "* OK ready\r\n" || err != nil {
				t.Errorf("behind the answer: %q, %v, want the server's greeting", line, err)
			}
			credentials := base64.StdEncoding.EncodeToString([]byte("ann:" + password))
			want := []string{"CONNECT " + target + " Basic " + credentials}
			if got, _ := f.seen(); !slices.Equal(got, want) {
				t.Errorf("the proxy was asked %q, want %q", got, want)
			}
			if want := []string{"proxy.example.net:3128"}; !slices.Equal(f.dialled, want) {
				t.Errorf("dialled %q, want %q", f.dialled, want)
			}
		})
	}
}

// TestRequestHasNothingElse shows the bytes as they are.
func TestRequestHasNothingElse(t *testing.T) {
	t.Parallel()
	want := "CONNECT imap.example.org:993 HTTP/1.1\r\nHost: imap.example.org:993\r\n\r\n"
	f := newFake(t, saying(step{read: len(want), say: "HTTP/1.1 200 OK\r\n\r\n"}))
	conn, err := (&proxy.Config{URL: "http://proxy.example.net"}).Dialer("", f.Dial)(t.Context(), "tcp", target)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if got, _ := f.seen(); got[0] != want || f.dialled[0] != "proxy.example.net:80" {
		t.Errorf("%s was sent %q, want %q", f.dialled[0], got, want)
	}
}

// TestWhatAnHTTPProxyRefuses tells what every refusal and every fault means.
func TestWhatAnHTTPProxyRefuses(t *testing.T) {
	t.Parallel()
	const challenge = "HTTP/1.1 407 Who?\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: Basic realm=\"" + password + "\"\r\n\r\n"
	for _, tt := range []struct {
		name      string
		play      string
		user      string
		status    int
		temporary bool
		words     string
	}{
		{"407 without credentials", challenge, "", 407, false, "asks for credentials (Negotiate, Basic); give User and Password"},
		{"407 with credentials", challenge, "ann", 407, false, "check User and Password of the proxy (Negotiate, Basic)"},
		{"407 without Basic", "HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\n\r\n", "ann", 407, false, "does not take Basic (NTLM); give a function Authorization"},
		{"407 without a word", "HTTP/1.1 407 No\r\n\r\n", "ann", 407, false, "check User and Password"},
		{"401 with credentials", "HTTP/1.0 401 Unauthorized\r\nConnection: close\r\n\r\n", "ann", 401, false, "check User and Password of the proxy"},
		{"403", "HTTP/1.1 403 " + password + "\r\n\r\n", "", 403, false, "403 Forbidden; the proxy forbids this server or its port"},
		{"405", "HTTP/1.1 405 No\r\n\r\n", "", 405, false, "makes no tunnels"},
		{"502", "HTTP/1.1 502 No\r\n\r\n", "", 502, true, "502 Bad Gateway; the proxy cannot reach the server"},
		{"503", "HTTP/1.1 503 No\r\n\r\n", "", 503, true, "try again later"},
		{"a redirect", "HTTP/1.1 302 Found\r\nLocation: http://portal.example.net/\r\n\r\n", "", 302, false, "302 Found"},
		{"a status of its own", "HTTP/1.1 299 Fine\r\n\r\n", "", 0, false, ""},
		{"101", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "", 101, false, "101"},
		{"garbage", "220 mail.example.org ESMTP\r\n", "", 0, false, "its answer is not HTTP; check host and port"},
		{"an alert of TLS", "\x15\x03\x01\x00\x02\x02\x16", "", 0, false, "its answer is not HTTP"},
		{"no status", "HTTP/1.1 what?\r\n\r\n", "", 0, false, "its answer is not HTTP"},
		{"a header without a colon", "HTTP/1.1 200 OK\r\n" + password + "\r\n\r\n", "", 0, false, "its answer is not HTTP"},
		{"an endless header", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 70), "", 0, false, "longer than 65536 bytes"},
		{"an endless line", "HTTP/1.1 200 " + strings.Repeat("b", 70000), "", 0, false, "longer than 65536 bytes"},
		{"endless interim answers", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20), "", 0, false, "do not come to an end"},
		{"nothing", "", "", 0, true, "closed the connection without an answer"},
		{"half an answer", "HTTP/1.1 200 O", "", 0, true, "its answer breaks off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, once(tt.play))
			c := &proxy.Config{URL: "http://proxy.example.net:3128", User: tt.user, Password: secret.New(password)}
			if tt.user == "" {
				c.Password = secret.Text{}
			}
			conn, err := c.Dialer("", f.Dial)(t.Context(), "tcp", target)
			if tt.status == 0 && tt.words == "" {
				if err != nil {
					t.Errorf("Dial: %v", err)
				}
				return
			}
			e := wantFailure(t, conn, err, tt.temporary, tt.temporary && tt.status == 0, "http://proxy.example.net:3128", target, tt.words)
			if e.Status != tt.status {
				t.Errorf("error %+v, want status %d", e, tt.status)
			}
		})
	}
}

// TestAuthorizationHasItsSteps plays a scheme of three steps, as NTLM is one.
func TestAuthorizationHasItsSteps(t *testing.T) {
	t.Parallel()
	refuse := func(challenge, more string) string {
		return "HTTP/1.1 407 No\r\nProxy-Authenticate: " + challenge + "\r\n" + more
	}
	for _, tt := range []struct {
		name    string
		answers []string
		same    bool
		dials   int
	}{
		{"on one connection", []string{
			refuse("NTLM", "Content-Length: 4\r\n\r\npage"), refuse("NTLM two", "Content-Length: 0\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\n",
		}, true, 1},
		{"on new ones", []string{
			refuse("NTLM", "Connection: close\r\n\r\npage"), refuse("NTLM two", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\n",
		}, false, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			play := answering(tt.answers...)
			if tt.dials > 1 {
				play = oneEach(tt.answers...)
			}
			f := newFake(t, play)
			var asked []proxy.Request
			c := &proxy.Config{
				URL: "http://proxy.example.net:3128",
				Authorization: func(_ context.Context, r *proxy.Request) (string, error) {
					asked = append(asked, *r)
					return []string{"", "NTLM one", "NTLM three"}[len(asked)-1], nil
				},
			}
			conn, err := c.Dialer("", f.Dial)(t.Context(), "tcp", target)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			got, dials := f.seen()
			want := []string{"CONNECT " + target + " ", "CONNECT " + target + " NTLM one", "CONNECT " + target + " NTLM three"}
			if !slices.Equal(got, want) || dials != tt.dials {
				t.Errorf("asked %q on %d connections, want %q on %d", got, dials, want, tt.dials)
			}
			last := asked[2]
			if !slices.Equal(last.Challenges, []string{"NTLM two"}) || last.SameConnection != tt.same ||
				last.Proxy != "proxy.example.net:3128" || last.Host != "proxy.example.net" || last.Target != target {
				t.Errorf("the last step was asked for with %+v, want the challenge of step two, same connection %t", last, tt.same)
			}
		})
	}
}

// TestAuthorizationThatGivesUp ends in the proxy's refusal, or in its own error.
func TestAuthorizationThatGivesUp(t *testing.T) {
	t.Parallel()
	refusal := "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n"
	noTicket := errors.New("no ticket")
	for _, tt := range []struct {
		name   string
		header func(r *proxy.Request) (string, error)
		asked  int
		words  string
	}{
		{"at once", func(*proxy.Request) (string, error) { return "", noTicket }, 0, "make the Proxy-Authorization header: no ticket"},
		{"after the refusal", func(*proxy.Request) (string, error) { return "", nil }, 1, "(Negotiate) does not take what the function Authorization returned"},
		{"never", func(*proxy.Request) (string, error) { return "Negotiate abc", nil }, 4, "(Negotiate) does not take"},
		{"with two lines", func(*proxy.Request) (string, error) { return "Negotiate abc\r\nX-Evil: 1", nil }, 0, "control character"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, answering(slices.Repeat([]string{refusal}, 9)...))
			c := &proxy.Config{
				URL:           "http://proxy.example.net:3128",
				Authorization: func(_ context.Context, r *proxy.Request) (string, error) { return tt.header(r) },
			}
			_, err := c.Dialer("", f.Dial)(t.Context(), "tcp", target)
			if err == nil || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("error %v, want %q", err, tt.words)
			}
			if got, _ := f.seen(); len(got) != tt.asked {
				t.Errorf("asked %q, want %d requests", got, tt.asked)
			}
			if strings.Contains(err.Error(), "abc") {
				t.Errorf("error %q shows the header", err)
			}
			if tt.asked == 0 && tt.name == "at once" && !errors.Is(err, noTicket) {
				t.Errorf("error %v, want the function's", err)
			}
		})
	}
}
