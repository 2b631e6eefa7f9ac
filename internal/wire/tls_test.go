package wire_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/internal/wire"
)

func TestStartTLS(t *testing.T) {
	authority, err := testtls.New("mail.example.org")
	if err != nil {
		t.Fatal(err)
	}
	c, server := dialPipe(t, wire.Config{TLS: authority.Client()})
	go func() {
		_, _ = bufio.NewReader(server).ReadString('\n')
		write(t, server, "OK\r\n")
		secured := tls.Server(server, authority.Server())
		write(t, secured, "under TLS\r\n")
	}()
	_, _ = c.WriteString("STARTTLS\r\n")
	_ = c.Flush()
	if _, err := c.ReadLine(); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.TLS(); ok {
		t.Error("TLS() reports encryption before the handshake")
	}
	if err := c.StartTLS(t.Context()); err != nil {
		t.Fatalf("StartTLS: %v", err)
	}
	if state, ok := c.TLS(); !ok || state.Version < tls.VersionTLS12 {
		t.Errorf("TLS() = %x, %t", state.Version, ok)
	}
	if line, err := c.ReadLine(); string(line) != "under TLS" || err != nil {
		t.Errorf("ReadLine() = %q, %v", line, err)
	}
}

func TestStartTLSRefusesInjectedBytes(t *testing.T) {
	c, server := dialPipe(t, wire.Config{})
	go write(t, server, "OK begin TLS\r\nA1 OK you are signed in\r\n")
	if _, err := c.ReadLine(); err != nil {
		t.Fatal(err)
	}
	err := c.StartTLS(t.Context())
	if !errors.Is(err, wire.ErrInjected) {
		t.Fatalf("StartTLS error %v, want ErrInjected", err)
	}
	if _, err := c.ReadLine(); !errors.Is(err, wire.ErrInjected) {
		t.Errorf("ReadLine after the refusal: %v, want ErrInjected", err)
	}
}

func TestHandshakeFailures(t *testing.T) {
	authority, err := testtls.New("mail.example.org")
	if err != nil {
		t.Fatal(err)
	}
	other, err := testtls.New("other.example.org")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		server func(net.Conn)
		check  func(error) bool
	}{
		{"another authority", serveTLS(other.Server()), func(err error) bool {
			_, ok := errors.AsType[*tls.CertificateVerificationError](err)
			return ok
		}},
		{"plain text", func(nc net.Conn) { _, _ = io.WriteString(nc, "* OK ready\r\n") }, func(err error) bool {
			return strings.Contains(err.Error(), "does not speak TLS on this port")
		}},
		{"silence", func(net.Conn) {}, func(err error) bool {
			e, ok := errors.AsType[*wire.TimeoutError](err)
			return ok && e.Stage == wire.StageHandshake
		}},
		{"closed", func(nc net.Conn) {
			_, _ = nc.Read(make([]byte, 4096))
			nc.Close()
		}, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, server := pipe.New()
			defer server.Close()
			go tt.server(server)
			_, err := wire.Dial(t.Context(), wire.Config{
				Address: "mail.example.org:993", ImplicitTLS: true, TLS: authority.Client(),
				Dial: func(context.Context, string, string) (net.Conn, error) { return client, nil },
			})
			if err == nil || !tt.check(err) {
				t.Errorf("%s: error %v", tt.name, err)
			}
		})
	}
}

func serveTLS(cfg *tls.Config) func(net.Conn) {
	return func(nc net.Conn) { _, _ = tls.Server(nc, cfg).Write(nil) }
}
