package ewstest

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // G501: what NTLM is made of.
	"crypto/rand"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// The types of NTLM messages ([MS-NLMP], section 2.2.1).
const (
	ntlmNegotiate    = 1
	ntlmAuthenticate = 3
)

// Negotiate flags ([MS-NLMP], section 2.2.2.5). Key exchange is not among them:
// some clients refuse it, and nothing is signed here.
const (
	ntlmUnicode         = 0x00000001
	ntlmRequestTarget   = 0x00000004
	ntlmNTLM            = 0x00000200
	ntlmAlwaysSign      = 0x00008000
	ntlmTargetDomain    = 0x00010000
	ntlmExtendedSession = 0x00080000
	ntlmTargetInfo      = 0x00800000
	ntlm128             = 0x20000000
)

func ntlmSignature() []byte { return []byte("NTLMSSP\x00") }

// ntlmType returns the type of a message, 0 where it is none.
func ntlmType(message []byte) uint32 {
	if len(message) < 12 || !bytes.HasPrefix(message, ntlmSignature()) {
		return 0
	}
	return binary.LittleEndian.Uint32(message[8:])
}

func newChallenge() []byte {
	challenge := make([]byte, 8)
	_, _ = rand.Read(challenge)
	return challenge
}

// ntlmChallenge returns the server's message, with the names that Windows gives.
func ntlmChallenge(challenge []byte) []byte {
	const header = 48
	target := wide("EXAMPLE")
	var info []byte
	for _, pair := range []struct {
		id   uint16
		text string
	}{{2, "EXAMPLE"}, {1, "MAIL"}, {4, "example.com"}, {3, "mail.example.com"}, {5, "example.com"}} {
		info = attribute(info, pair.id, wide(pair.text))
	}
	info = attribute(info, 0, nil)

	m := append([]byte{}, ntlmSignature()...)
	m = binary.LittleEndian.AppendUint32(m, 2)
	m = located(m, len(target), header)
	m = binary.LittleEndian.AppendUint32(m, ntlmUnicode|ntlmRequestTarget|ntlmNTLM|ntlmAlwaysSign|
		ntlmTargetDomain|ntlmExtendedSession|ntlmTargetInfo|ntlm128)
	m = append(m, challenge...)
	m = append(m, make([]byte, 8)...)
	m = located(m, len(info), header+len(target))
	m = append(m, target...)
	return append(m, info...)
}

// attribute appends one name of the target information.
func attribute(info []byte, id uint16, value []byte) []byte {
	info = binary.LittleEndian.AppendUint16(info, id)
	info = binary.LittleEndian.AppendUint16(info, uint16(len(value))) //nolint:gosec // G115: short names.
	return append(info, value...)
}

// located appends the length, twice, and the place of a payload.
func located(m []byte, length, offset int) []byte {
	m = binary.LittleEndian.AppendUint16(m, uint16(length))    //nolint:gosec // G115: short names.
	m = binary.LittleEndian.AppendUint16(m, uint16(length))    //nolint:gosec // G115: short names.
	return binary.LittleEndian.AppendUint32(m, uint32(offset)) //nolint:gosec // G115: short names.
}

// ntlmProof is what the client's last message says.
type ntlmProof struct {
	user, domain string
	response     []byte
}

// parseAuthenticate reads the client's last message.
func parseAuthenticate(m []byte) (proof ntlmProof, ok bool) {
	if len(m) < 64 {
		return ntlmProof{}, false
	}
	var fields [3][]byte // the NT response, the domain and the user
	for i, at := range []int{20, 28, 36} {
		length := int(binary.LittleEndian.Uint16(m[at:]))
		offset := int64(binary.LittleEndian.Uint32(m[at+4:]))
		if offset+int64(length) > int64(len(m)) {
			return ntlmProof{}, false
		}
		fields[i] = m[offset : offset+int64(length)]
	}
	return ntlmProof{response: fields[0], domain: narrow(fields[1]), user: narrow(fields[2])}, true
}

// holds checks an NTLMv2 answer against a password ([MS-NLMP], section 3.3.2).
// Older forms of answers are refused.
func (p ntlmProof) holds(challenge []byte, password string) bool {
	const proofSize, leastBlob = 16, 28
	if len(p.response) < proofSize+leastBlob {
		return false
	}
	key := md4(wide(password))
	owner := sum(key[:], wide(strings.ToUpper(p.user)+p.domain))
	want := sum(owner, append(bytes.Clone(challenge), p.response[proofSize:]...))
	return hmac.Equal(want, p.response[:proofSize])
}

func sum(key, data []byte) []byte {
	h := hmac.New(md5.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// wide returns text in UTF-16, little endian.
func wide(s string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}

func narrow(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, binary.LittleEndian.Uint16(b))
	}
	return string(utf16.Decode(units))
}
