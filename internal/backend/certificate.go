package backend

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/session"
)

// certificateWarning is how long before the end of a certificate a check speaks
// of it. Of a short life only the last third is near its end.
const certificateWarning = 14 * 24 * time.Hour

// secured tells how the connection is encrypted.
func (s *Stages) secured(state tls.ConnectionState) {
	s.detail(session.StageTLS, "version", tls.VersionName(state.Version))
	s.detail(session.StageTLS, "cipher suite", tls.CipherSuiteName(state.CipherSuite))
	if state.Version < tls.VersionTLS12 {
		s.warn(session.StageTLS, tls.VersionName(state.Version)+" is broken: have the server's operator allow TLS 1.2 or later.")
	}
	s.certificate(state.PeerCertificates)
	if c := s.checked.Server.TLS; c != nil && c.InsecureSkipVerify && c.VerifyConnection == nil && c.VerifyPeerCertificate == nil {
		s.warn(session.StageTLS, "The settings do not verify the certificate: anybody on the line can read along. Unset TLS.InsecureSkipVerify, and give the server's authority in TLS.RootCAs where it has one of its own.")
	}
}

// certificate tells of the server's certificate, the first of the chain.
func (s *Stages) certificate(chain []*x509.Certificate) {
	if len(chain) == 0 {
		return
	}
	leaf := chain[0]
	s.detail(session.StageTLS, "certificate for", listed(names(leaf)))
	s.detail(session.StageTLS, "issuer", issuer(leaf))
	s.detail(session.StageTLS, "expires", leaf.NotAfter.UTC().Format(time.RFC3339))
	left := leaf.NotAfter.Sub(s.checked.now())
	if left > 0 && left < min(certificateWarning, leaf.NotAfter.Sub(leaf.NotBefore)/3) {
		s.warn(session.StageTLS, fmt.Sprintf("The certificate expires in %s, on %s: have the server's operator renew it.",
			days(left), leaf.NotAfter.UTC().Format("2006-01-02 15:04 UTC")))
	}
}

// now is the time by which certificates are judged.
func (c Checked) now() time.Time {
	if t := c.Server.TLS; t != nil && t.Time != nil {
		return t.Time()
	}
	return time.Now()
}

// days says how long something lasts, roughly.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 2*day {
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/day)
}

// names returns what hosts a certificate is for. The common name counts for
// people alone.
func names(c *x509.Certificate) []string {
	var all []string
	for _, name := range c.DNSNames {
		all = append(all, oneLine(name))
	}
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		all = append(all, "no host; its common name is "+oneLine(c.Subject.CommonName))
	}
	return all
}

func issuer(c *x509.Certificate) string {
	if selfSigned(c) {
		return "itself"
	}
	return oneLine(c.Issuer.String())
}

func selfSigned(c *x509.Certificate) bool { return c.Issuer.String() == c.Subject.String() }

// CertificateRemedy says what to do about the certificate of s that is refused, ""
// where err is about something else, such as the certificate of a proxy.
func CertificateRemedy(err error, s session.Server) string {
	e, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if _, onTheWay := errors.AsType[*proxy.Error](err); !ok || onTheWay {
		return ""
	}
	c := Checked{Server: s}
	return certificateRemedy(e, c.certificateHost(), c.now())
}

// certificateRemedy says what to do about a certificate that is refused.
func certificateRemedy(err *tls.CertificateVerificationError, host string, now time.Time) string {
	var leaf *x509.Certificate
	if len(err.UnverifiedCertificates) > 0 {
		leaf = err.UnverifiedCertificates[0]
	}
	switch e := err.Err.(type) { //nolint:errorlint // the error holds what crypto/x509 returned, unwrapped
	case x509.HostnameError:
		return fmt.Sprintf("the certificate is not for %s but for %s: use a name of the certificate as the host; where you know the server under another name, set TLS.ServerName",
			host, listed(names(e.Certificate)))
	case x509.CertificateInvalidError:
		if e.Reason != x509.Expired {
			return "the server's certificate chain is not valid: its operator has to put it right"
		}
		if leaf != nil && now.Before(leaf.NotBefore) {
			return "the certificate is not valid yet: check this machine's clock"
		}
		return "the certificate has expired: the server's operator has to renew it; check this machine's clock too"
	case x509.UnknownAuthorityError:
		const trust = ": if that is meant to be so, add it to TLS.RootCAs; if not, somebody may be on the line (an antivirus program, a firewall)"
		if leaf != nil && selfSigned(leaf) {
			return "the server signed its certificate itself" + trust
		}
		return "this machine does not trust the authority that signed the certificate, or the server does not send the certificates between" + trust
	}
	return "the certificate cannot be verified; its operator has to put it right"
}

// maxListed is how many names a detail lists.
const maxListed = 10

// listed returns names for people.
func listed(names []string) string {
	more := ""
	if len(names) > maxListed {
		more = fmt.Sprintf(" and %d more", len(names)-maxListed)
		names = names[:maxListed]
	}
	return strings.Join(names, ", ") + more
}
