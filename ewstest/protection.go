package ewstest

import (
	"bytes"
	"crypto"
	"crypto/md5" //nolint:gosec // G501: what the binding is made of.
	"crypto/x509"
	"encoding/binary"
	"slices"
	"strings"
)

// ExtendedProtection is what a server wants NTLM to be bound to, as the setting
// ExtendedProtectionTokenChecking of Exchange's virtual directories says: over TLS to
// the certificate of the server (RFC 5929 section 4), the first one of [Options.TLS],
// and without TLS to a name of the server, one of [Options.Hosts] or localhost. Basic
// and tokens go without.
type ExtendedProtection string

// The settings.
const (
	// ProtectionNone does not look at what a sign-in is bound to.
	ProtectionNone ExtendedProtection = ""
	// ProtectionAllow refuses what is bound to something else, and clients that know
	// of bindings and leave them out; it lets those in that know none.
	ProtectionAllow ExtendedProtection = "Allow"
	// ProtectionRequire refuses those as well.
	ProtectionRequire ExtendedProtection = "Require"
)

// What a proof of NTLM says that it is for ([MS-NLMP], section 2.2.2.1).
const (
	ntlmServiceName     = 9
	ntlmChannelBindings = 10
)

// pairs returns the target information that the client proves, nil where it makes no
// sense.
func (p ntlmProof) pairs() map[uint16][]byte {
	const before = 16 + 28 // the proof, and what stands before the pairs
	if len(p.response) < before {
		return nil
	}
	all := map[uint16][]byte{}
	for info := p.response[before:]; len(info) >= 4; {
		id, size := binary.LittleEndian.Uint16(info), int(binary.LittleEndian.Uint16(info[2:]))
		if id == 0 {
			return all
		}
		if _, twice := all[id]; twice || size > len(info)-4 {
			return nil
		}
		all[id], info = info[4:4+size], info[4+size:]
	}
	return nil
}

// protects reports whether a sign-in is bound as the server wants it.
func (s *Server) protects(pairs map[uint16][]byte, encrypted bool) bool {
	wanted := s.options.ExtendedProtection
	if wanted == ProtectionNone {
		return true
	}
	name, named := pairs[ntlmServiceName]
	binding, knows := pairs[ntlmChannelBindings]
	if wanted == ProtectionAllow && !named && !knows {
		return true
	}
	if !encrypted {
		return s.isNamed(narrow(name))
	}
	want := channelBinding(s.net.Certificate())
	return want != nil && bytes.Equal(binding, want)
}

// isNamed reports whether a service is the server's.
func (s *Server) isNamed(service string) bool {
	names := append([]string{"localhost", "127.0.0.1", "::1"}, s.options.Hosts...)
	return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(service, "HTTP/"+name) })
}

// channelBinding returns what a client has to say of a connection to whom the
// certificate belongs, nil where nothing can be said.
func channelBinding(certificate *x509.Certificate) []byte {
	if certificate == nil {
		return nil
	}
	hash := crypto.SHA256 // also in place of those that are too weak
	switch name := certificate.SignatureAlgorithm.String(); {
	case strings.Contains(name, "384"):
		hash = crypto.SHA384
	case strings.Contains(name, "512"):
		hash = crypto.SHA512
	case strings.HasPrefix(name, "Ed"):
		return nil
	}
	h := hash.New()
	h.Write(certificate.Raw)
	data := h.Sum([]byte("tls-server-end-point:"))
	b := append(make([]byte, 16), binary.LittleEndian.AppendUint32(nil, uint32(len(data)))...) //nolint:gosec // G115: a prefix and a hash.
	sum := md5.Sum(append(b, data...))                                                         //nolint:gosec // G401: as it is defined.
	return sum[:]
}
