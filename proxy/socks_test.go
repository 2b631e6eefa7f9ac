package proxy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
)

// TestSOCKSRequests shows the bytes of a whole dialogue for each kind of
// address, and that none behind it is lost.
func TestSOCKSRequests(t *testing.T) {
	t.Parallel()
	const signIn = "\x01\x03ann\x0dtr0ub & horse"
	for _, tt := range []struct {
		name, url, target string
		user              string
		hello, method     string
		request, reply    string
	}{
		{"a name", "socks5h://proxy.example.net", target, "", "\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x10imap.example.org\x03\xe1", "\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38"},
		{"a name, by socks5", "socks5://proxy.example.net", target, "", "\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x10imap.example.org\x03\xe1", "\x05\x00\x00\x03\x01x\x04\x38"},
		{"IPv4", "socks5://proxy.example.net", "192.0.2.1:143", "", "\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x8f", "\x05\x00\x00\x03\x00\x00\x00"},
		{"IPv6", "socks5://proxy.example.net", "[2001:db8::1]:25", "", "\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x04\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01\x00\x19", "\x05\x00\x00\x04" + strings.Repeat("\x00", 18)},
		{"credentials", "socks5://proxy.example.net", target, "ann", "\x05\x02\x00\x02", "\x05\x02", "\x05\x01\x00\x03\x10imap.example.org\x03\xe1", "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"},
		{"credentials that are not wanted", "socks5://proxy.example.net", target, "ann", "\x05\x02\x00\x02", "\x05\x00", "\x05\x01\x00\x03\x10imap.example.org\x03\xe1", "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := []string{tt.hello, tt.request}
			steps := []step{{read: len(tt.hello), say: tt.method}, {read: len(tt.request), say: tt.reply + "* OK ready"}}
			if tt.method == "\x05\x02" {
				steps = slices.Insert(steps, 1, step{read: len(signIn), say: "\x01\x00"})
				want = slices.Insert(want, 1, signIn)
			}
			f := newFake(t, saying(steps...))
			c := &proxy.Config{URL: tt.url, User: tt.user}
			if tt.user != "" {
				c.Password = secret.New(password)
			}
			conn, err := c.Dialer("", f.Dial)(t.Context(), "tcp", tt.target)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := string(read(conn, len("* OK ready"))); got != "* OK ready" {
				t.Errorf("behind the answer: %q, want the server's greeting", got)
			}
			if got, _ := f.seen(); !slices.Equal(got, want) || f.dialled[0] != "proxy.example.net:1080" {
				t.Errorf("%s was told %q, want %q", f.dialled[0], got, want)
			}
		})
	}
}

// TestWhatASOCKSProxyRefuses tells what every refusal and every fault means.
func TestWhatASOCKSProxyRefuses(t *testing.T) {
	t.Parallel()
	const (
		bare   = 3  // bytes of the greeting without credentials
		full   = 4  // and with them
		signIn = 19 // bytes of user and password
		ask    = 23 // bytes of the request
	)
	end := func(read int, say string) step { return step{read: read, say: say, end: true} }
	accept := step{read: bare, say: "\x05\x00"}
	for _, tt := range []struct {
		name      string
		user      string
		play      []step
		reply     int
		temporary bool
		words     string
	}{
		{"wants credentials", "", []step{end(bare, "\x05\xff")}, 0, false, "it asks for credentials; give User and Password"},
		{"wants others", "ann", []step{end(full, "\x05\xff")}, 0, false, "takes neither a user name with a password nor"},
		{"refuses them", "ann", []step{{read: full, say: "\x05\x02"}, end(signIn, "\x01\x01")}, 0, false, "it refused the credentials; check User and Password"},
		{"chooses at will", "", []step{end(bare, "\x05\x02")}, 0, false, "it chose the method 2, which was not offered"},
		{"failure", "", []step{accept, end(ask, "\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00")}, 1, true, "general failure; the proxy cannot reach the server"},
		{"forbidden", "", []step{accept, end(ask, "\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00")}, 2, false, "not allowed by its rules; the proxy's rules forbid"},
		{"unreachable", "", []step{accept, end(ask, "\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00")}, 4, true, "host unreachable"},
		{"refused, in two bytes", "", []step{accept, end(ask, "\x05\x05")}, 5, true, "connection refused"},
		{"no CONNECT", "", []step{accept, end(ask, "\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00")}, 7, false, "command not supported"},
		{"no IPv6", "", []step{accept, end(ask, "\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00")}, 8, false, "kind of address not supported"},
		{"unknown", "", []step{accept, end(ask, "\x05\x63\x00\x01\x00\x00\x00\x00\x00\x00")}, 99, false, "reply 99"},
		{"SOCKS4", "", []step{end(bare, "\x00\x5a")}, 0, false, "its answer is not SOCKS5; check host and port"},
		{"HTTP", "", []step{end(bare, "HTTP/1.1 400 Bad Request\r\n\r\n")}, 0, false, "its answer is not SOCKS5"},
		{"garbage in the end", "", []step{accept, end(ask, "\x05\x00\x00\x09\x00\x00")}, 0, false, "unknown kind 9"},
		{"nothing", "", []step{end(bare, "")}, 0, true, "closed the connection without an answer"},
		{"half a method", "", []step{end(bare, "\x05")}, 0, true, "breaks off"},
		{"no status", "ann", []step{{read: full, say: "\x05\x02"}, end(signIn, "")}, 0, true, "breaks off"},
		{"no reply", "", []step{accept, end(ask, "")}, 0, true, "breaks off"},
		{"half a reply", "", []step{accept, end(ask, "\x05\x00\x00\x03\x05abc")}, 0, true, "breaks off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, saying(tt.play...))
			c := &proxy.Config{URL: "socks5://proxy.example.net", User: tt.user}
			if tt.user != "" {
				c.Password = secret.New(password)
			}
			conn, err := c.Dialer("", f.Dial)(t.Context(), "tcp", target)
			e := wantFailure(t, conn, err, tt.temporary, tt.temporary && tt.reply == 0, "socks5://proxy.example.net:1080", target, tt.words)
			if e.Reply != tt.reply {
				t.Errorf("error %+v, want reply %d", e, tt.reply)
			}
		})
	}
}

// TestAddressesThatSOCKSCannotHold are refused before the proxy is dialled.
func TestAddressesThatSOCKSCannotHold(t *testing.T) {
	t.Parallel()
	for address, words := range map[string]string{
		"[fe80::1%eth0]:993":              "reach it without a proxy",
		strings.Repeat("x", 256) + ":993": "longer than 255 bytes",
	} {
		f := newFake(t, saying())
		_, err := (&proxy.Config{URL: "socks5://proxy.example.net"}).Dialer("", f.Dial)(t.Context(), "tcp", address)
		if err == nil || !strings.Contains(err.Error(), words) || len(f.dialled) != 0 {
			t.Errorf("Dial(%s) = %v after dialling %q, want %q", address, err, f.dialled, words)
		}
	}
}
