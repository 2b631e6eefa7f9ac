package backend

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/spelling"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/session"
)

// remedy says what to do about an error at a stage, as a clause. It is never
// empty.
func (c Checked) remedy(stage session.Stage, err error) string {
	for _, ask := range []func() string{
		func() string { return deliberateRemedy(err) },
		func() string { return ownRemedy(err) },
		func() string {
			if c.Remedy == nil {
				return ""
			}
			return c.Remedy(err)
		},
		func() string { return c.networkRemedy(stage, err) },
		func() string { return c.tlsRemedy(stage, err) },
		func() string { return c.lineRemedy(stage, err) },
		func() string { return signInRemedy(err) },
		func() string { return folderRemedy(err) },
	} {
		if r := ask(); r != "" {
			return r
		}
	}
	switch {
	case session.Temporary(err):
		return "the server says that this will pass: try again later"
	case stage == session.StageTLS && c.Server.Security == session.STARTTLS:
		return "the server does not upgrade the connection: use the port for TLS, or find out who on the way removes the offer; no credentials were sent"
	case stage == session.StageGreeting:
		return "this is not how such a server answers: check host and port, and that Security fits them"
	}
	return "go by the server's words; if they do not help, ask its operator and show this report"
}

// deliberateRemedy is for what the program itself ended.
func deliberateRemedy(err error) string {
	switch {
	case errors.Is(err, session.ErrClosed):
		return "the program closed the session while it was checked: check before that"
	case errors.Is(err, context.Canceled):
		return "the program called the check off: run it again"
	}
	timeout, ok := errors.AsType[*wire.TimeoutError](err)
	if errors.Is(err, context.DeadlineExceeded) && (!ok || timeout == nil) {
		return "the time for the check was over at this stage: give its context more, and look at what took so long before"
	}
	return ""
}

// ownRemedy is that of errors which know theirs.
func ownRemedy(err error) string {
	if e, ok := errors.AsType[*session.AuthError](err); ok {
		return e.Remedy
	}
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return e.Remedy()
	}
	if errors.Is(err, oauth.ErrNoGrant) {
		return "sign in first: there is no grant"
	}
	if e, ok := errors.AsType[*proxy.Error](err); ok {
		return e.Remedy
	}
	return ""
}

// networkRemedy is for names and connections.
func (c Checked) networkRemedy(stage session.Stage, err error) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		if e.IsNotFound {
			return "the name " + e.Name + " has no address: check its spelling, and whether this machine needs a VPN or another name server to know it"
		}
		return "the name server does not answer: check this machine's network and its name server, then try again"
	}
	if stage != session.StageConnect && stage != session.StageDNS {
		return ""
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: check the port, and whether the server runs"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no way to the server from here: check this machine's network, a VPN, and whether it reaches the address in a browser"
	case errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return "nothing answers: check host and port; a firewall on the way that drops the connection looks like this, and some networks let mail through by a proxy alone"
	}
	return "check host and port, and the network"
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// tlsRemedy is for the encryption.
func (c Checked) tlsRemedy(stage session.Stage, err error) string {
	if r := CertificateRemedy(err, c.Server); r != "" {
		return r
	}
	if stage != session.StageTLS {
		return ""
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not speak TLS from the first byte on this port: use STARTTLS here, or the port for TLS"
	}
	if errors.Is(err, wire.ErrInjected) {
		return "somebody on the line may be injecting: use the port for TLS"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "the server refuses this machine's TLS: it may want a client certificate (TLS.Certificates), another server name, or an older version than the settings allow"
	}
	if _, ok := errors.AsType[*wire.TimeoutError](err); ok {
		return "the server does not answer the encryption: check that the port is the one for TLS; a firewall that inspects TLS looks like this too"
	}
	return ""
}

// certificateHost returns the name that the certificate has to have.
func (c Checked) certificateHost() string {
	if t := c.Server.TLS; t != nil && t.ServerName != "" {
		return t.ServerName
	}
	return c.Server.Host
}

// lineRemedy is for connections that break or fall silent.
func (c Checked) lineRemedy(stage session.Stage, err error) string {
	_, silent := errors.AsType[*wire.TimeoutError](err)
	_, lost := errors.AsType[*LostError](err)
	switch {
	case silent && stage == session.StageGreeting && c.Server.Security != session.TLS:
		return "the server says nothing: where its port is one for TLS it waits for us to begin, so set Security to TLS; else its load balancer or a firewall keeps the connection from it"
	case silent && stage == session.StageGreeting:
		return "the server took the connection and says nothing: it may be overloaded, or look up this machine's name first; try again later, and ask its operator"
	case silent && stage == session.StageSignIn:
		return "the server does not answer the sign-in: some delay refusals, so check the credentials; then try again later"
	case silent:
		return "the server fell silent: try again later; a firewall that forgets connections looks like this too"
	case !lost:
		return ""
	case stage == session.StageGreeting:
		return "the server hangs up without a word: it may refuse this machine's address or have too many connections from it; wait and try again, and check that Security fits the port"
	case stage == session.StageTLS:
		return "the server hangs up during the encryption: check that Security fits the port, and whether the server wants a client certificate or another TLS version"
	}
	return "the connection broke: try again; where it keeps breaking at this stage, look at what stands between (a firewall, an antivirus program), then ask the operator"
}

// signInRemedy is for what keeps us from signing in before the server is asked.
func signInRemedy(err error) string {
	switch {
	case errors.Is(err, sasl.ErrInsecure):
		return "use TLS or STARTTLS; set AllowPlainAuth only where nobody else is on the line"
	case errors.Is(err, sasl.ErrNoMechanism):
		return "the server offers no way to sign in that fits: with a password, look whether the provider has switched passwords off and sign in with OAuth; check Server.Mechanisms where it is set"
	case errors.Is(err, sasl.ErrNoCredentials):
		return "give a password or sign in with OAuth"
	}
	return ""
}

func folderRemedy(err error) string {
	if errors.Is(err, session.ErrNoFolder) {
		return "the mailbox has no such folder, or the user may not see it: check the path against those that Folders lists"
	}
	return ""
}

// roles are what a folder can be for.
func roles() []string {
	return []string{
		string(session.RoleInbox), string(session.RoleSent), string(session.RoleDrafts), string(session.RoleTrash), string(session.RoleJunk),
		string(session.RoleArchive), string(session.RoleAll), string(session.RoleFlagged), string(session.RoleImportant),
	}
}

// NoFolder returns the error about a folder that is not there. Remedy says what to do
// about it, and may be empty; what [NoReference] knows stands in its place.
func NoFolder(server string, ref session.FolderRef, remedy string) error {
	_, byPath := ref.Path()
	if remedy == "" && byPath {
		remedy = "check the path against those that Folders lists"
	}
	if remedy = cmp.Or(NoReference(ref), remedy); remedy != "" {
		remedy = "; " + remedy
	}
	return fmt.Errorf("%s: folder %q: %w%s", server, ref, session.ErrNoFolder, remedy)
}

// NoReference says what to write in the place of what can name no folder of any
// mailbox: a text such as "INBOX", which compiles as a reference, or a role that does
// not exist. It is empty for everything else.
func NoReference(ref session.FolderRef) string {
	if role, byRole := ref.Role(); byRole {
		return noRole(string(role))
	}
	if _, byPath := ref.Path(); byPath {
		return ""
	}
	return fmt.Sprintf("name it by FolderAt(%q), or by a role such as Inbox", string(ref))
}

// noRole says which role was meant, or which there are, where there is no such role.
func noRole(role string) string {
	if slices.Contains(roles(), role) {
		return ""
	}
	if near := spelling.Nearest(role, roles(), 2); near != "" {
		return fmt.Sprintf("there is no role %q; did you mean %q?", role, near)
	}
	return fmt.Sprintf("there is no role %q; the roles are %s", role, strings.Join(roles(), ", "))
}

// sentence makes a sentence of a clause.
func sentence(clause string) string {
	if clause == "" {
		return ""
	}
	r, n := utf8.DecodeRuneInString(clause)
	s := string(unicode.ToUpper(r)) + clause[n:]
	if last := s[len(s)-1]; last != '.' && last != '!' && last != '?' {
		s += "."
	}
	return s
}
