package ewstest

import (
	"testing"

	"github.com/mailsession/mailsession/mailtest"
)

// TestProtection: who gets in with what a sign-in is bound to, as Windows decides it.
func TestProtection(t *testing.T) {
	server := func(wanted ExtendedProtection) *Server {
		s := New(mailtest.New(), &Options{ExtendedProtection: wanted, Hosts: []string{"mail.example.com"}})
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	const none, cleared, wrong, right = "", "zeroes", "wrong", "right"
	for _, in := range []struct {
		binding, name              string
		encrypted                  bool
		byNone, byAllow, byRequire bool
	}{
		{right, "HTTP/mail.example.com", true, true, true, true},
		{right, "", true, true, true, true},
		{wrong, "HTTP/mail.example.com", true, true, false, false},
		{cleared, "HTTP/mail.example.com", true, true, false, false},
		{none, "HTTP/mail.example.com", true, true, false, false},
		{none, "", true, true, true, false},
		{cleared, "HTTP/mail.example.com", false, true, true, true},
		{wrong, "http/LOCALHOST", false, true, true, true},
		{cleared, "HTTP/other.example.com", false, true, false, false},
		{cleared, "", false, true, false, false},
		{none, "", false, true, true, false},
	} {
		for wanted, want := range map[ExtendedProtection]bool{ProtectionNone: in.byNone, ProtectionAllow: in.byAllow, ProtectionRequire: in.byRequire} {
			s := server(wanted)
			pairs := map[uint16][]byte{}
			if in.name != "" {
				pairs[ntlmServiceName] = wide(in.name)
			}
			switch in.binding {
			case cleared:
				pairs[ntlmChannelBindings] = make([]byte, 16)
			case wrong:
				pairs[ntlmChannelBindings] = []byte("sixteen bytes...")
			case right:
				pairs[ntlmChannelBindings] = channelBinding(s.net.Certificate())
			}
			if got := s.protects(pairs, in.encrypted); got != want {
				t.Errorf("%q: protects with the binding %q and the name %q, encrypted %t = %t, want %t", wanted, in.binding, in.name, in.encrypted, got, want)
			}
		}
	}
}

// TestPairsOfProofs: what makes no sense is bound to nothing.
func TestPairsOfProofs(t *testing.T) {
	before := string(make([]byte, 44))
	for info, want := range map[string]int{
		"":                                     -1,
		"\x00\x00\x00\x00":                     0,
		"\x09\x00\x01\x00x\x00\x00\x00\x00":    1,
		"\x09\x00\x01\x00x":                    -1,
		"\x09\x00\x09\x00x\x00\x00\x00\x00":    -1,
		"\x0a\x00\x00\x00\x0a\x00\x00\x00\x00": -1,
	} {
		pairs := ntlmProof{response: []byte(before + info)}.pairs()
		if (pairs == nil) != (want < 0) || want >= 0 && len(pairs) != want {
			t.Errorf("pairs of %q = %v, want %d", info, pairs, want)
		}
	}
	if pairs := (ntlmProof{response: make([]byte, 43)}).pairs(); pairs != nil {
		t.Errorf("pairs of a short proof = %v", pairs)
	}
}
