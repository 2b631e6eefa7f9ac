package backend_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/session"
)

// TestWhatIsWrongWithAServer: the settings are refused with what to write in their
// place, and a password in an address is not shown.
func TestWhatIsWrongWithAServer(t *testing.T) {
	for _, tt := range []struct {
		server session.Server
		want   string
	}{
		{session.Server{Host: "mail.example.com"}, ""},
		{session.Server{Host: "192.0.2.7", Port: 993}, ""},
		{session.Server{Host: "2001:db8::7", Security: session.STARTTLS}, ""},
		{session.Server{Host: "fe80::7%eth0"}, ""},
		{session.Server{}, "set Server.Host"},
		{session.Server{Host: "mail.example.com:993"}, "the port in Server.Port"},
		{session.Server{Host: "[2001:db8::7]:993"}, "the port in Server.Port"},
		{session.Server{Host: "ann:horse@mail.example.com"}, "give the name alone"},
		{session.Server{Host: "https://mail.example.com"}, "give the name alone"},
		{session.Server{Host: " mail.example.com"}, "give the name alone"},
		{session.Server{Host: "h", Port: 65536}, "port 65536 does not exist"},
		{session.Server{Host: "h", Port: -1}, "port -1 does not exist"},
		{session.Server{Host: "h", Security: 7}, "Server.Security: security 7 does not exist; use TLS, STARTTLS or None"},
	} {
		err := backend.Check(tt.server)
		testlog.Error(t, err)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Check(%q, port %d) = %v, want %q", tt.server.Host, tt.server.Port, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "horse") {
			t.Errorf("Check(%q) shows a password: %v", tt.server.Host, err)
		}
	}
}

// TestARefusedCertificate: whoever signs in is told what to do about the server's
// certificate, and nothing of it where it is a proxy's.
func TestARefusedCertificate(t *testing.T) {
	refused := &tls.CertificateVerificationError{
		Err:                    x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"mail.example.com"}}, Host: "example.com"},
		UnverifiedCertificates: []*x509.Certificate{{DNSNames: []string{"mail.example.com"}}},
	}
	for _, tt := range []struct {
		cause error
		want  bool
	}{
		{refused, true},
		{&proxy.Error{Err: refused}, false},
		{errors.New("connection refused"), false},
	} {
		login := backend.Login[int]{
			Attempt: func(context.Context, sasl.Credentials) (int, error) { return 0, tt.cause },
			Refused: func(error) bool { return false },
		}
		_, err := login.Connect(t.Context(), session.Credentials{User: "ann@example.com"}, session.Server{Host: "example.com"}, "example.com:993")
		told := err != nil && strings.Contains(err.Error(), "not for example.com but for mail.example.com: use a name of the certificate as the host")
		if told != tt.want || !errors.Is(err, tt.cause) {
			t.Errorf("a sign-in that ends in %v: %v; want what to do: %v", tt.cause, err, tt.want)
		}
	}
}

// TestAFolderThatIsNotThere: a bare name compiles as a FolderRef, and the error says
// what to write.
func TestAFolderThatIsNotThere(t *testing.T) {
	for _, tt := range []struct {
		ref          session.FolderRef
		remedy, want string
	}{
		{session.FolderAt("Old"), "", `h:993: folder "path:Old": no such folder; check the path against those that Folders lists`},
		{session.Archive, "make one", `h:993: folder "role:archive": no such folder; make one`},
		{"role:nosuch", "make one", `h:993: folder "role:nosuch": no such folder; there is no role "nosuch"; the roles are inbox, sent, drafts, trash, junk, archive, all, flagged, important`},
		{"role:Trahs", "", `h:993: folder "role:Trahs": no such folder; there is no role "Trahs"; did you mean "trash"?`},
		{"role:INBOX", "", `h:993: folder "role:INBOX": no such folder; there is no role "INBOX"; did you mean "inbox"?`},
		{session.FolderFor(session.RoleAll), "", `h:993: folder "role:all": no such folder`},
		{"INBOX", "", `h:993: folder "INBOX": no such folder; name it by FolderAt("INBOX"), or by a role such as Inbox`},
	} {
		err := backend.NoFolder("h:993", tt.ref, tt.remedy)
		if err.Error() != tt.want || !errors.Is(err, session.ErrNoFolder) {
			t.Errorf("NoFolder(%q) = %v, want %s", tt.ref, err, tt.want)
		}
	}
}
