package transcript

import (
	"bytes"
	"encoding/base64"
)

const (
	// remembered is how many secrets are looked for in server lines.
	remembered = 16
	// maxSecret is how many bytes of each are kept.
	maxSecret = 1024
	// minSecret is the length below which masking a secret in ordinary text
	// would tell more than it hides.
	minSecret = 4
	// minEcho is how much of the beginning of a longer secret is enough to know
	// it again: servers repeat what they did not understand, and cut it.
	minEcho = 8
)

// A memory holds the last secrets of a connection.
type memory struct {
	secrets [remembered][]byte
	next    int
}

// learn remembers what a client sent as a secret, and where that is the base64
// of a sign-in the secret in it: servers repeat either.
func (m *memory) learn(b []byte) {
	m.add(b)
	m.add(inBase64(b))
}

// inBase64 returns the password or the token in the base64 of a SASL response:
// what follows the names in PLAIN (RFC 4616), the token of OAUTHBEARER and
// XOAUTH2, and the whole of anything else, such as an answer of LOGIN.
func inBase64(b []byte) []byte {
	b = bytes.TrimSpace(b)
	b = b[:len(b)/4*4] // of a long line only the beginning is known
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Decode(decoded, b)
	if err != nil {
		return nil
	}
	decoded = decoded[:n]
	if _, token, ok := bytes.Cut(decoded, []byte("\x01auth=Bearer ")); ok {
		token, _, _ = bytes.Cut(token, []byte{1})
		return token
	}
	return decoded[bytes.LastIndexByte(decoded, 0)+1:]
}

// add remembers a copy of b, if it is worth it and not known yet.
func (m *memory) add(b []byte) {
	b = b[:min(len(b), maxSecret)]
	if len(b) < minSecret {
		return
	}
	for _, s := range m.secrets {
		if bytes.Equal(s, b) {
			return
		}
	}
	m.secrets[m.next] = append(m.secrets[m.next][:0], b...)
	m.next = (m.next + 1) % remembered
}

// mask returns b, or a copy of it in which no remembered secret is left.
func (m *memory) mask(b []byte) []byte {
	for _, s := range m.secrets {
		if len(s) == 0 {
			continue
		}
		key := s[:min(len(s), minEcho)]
		for from := 0; ; {
			i := bytes.Index(b[from:], key)
			if i < 0 {
				break
			}
			i += from
			end := echoEnd(b, i, s)
			b = bytes.Join([][]byte{b[:i], b[end:]}, []byte(redacted))
			from = i + len(redacted)
		}
	}
	return b
}

// echoEnd returns where the repetition of s that begins at b[i] ends. Behind a
// whole secret it goes on to the next space: only the beginning of a long one
// is remembered.
func echoEnd(b []byte, i int, s []byte) int {
	n := 0
	for n < len(s) && i+n < len(b) && s[n] == b[i+n] {
		n++
	}
	end := i + n
	if n == len(s) {
		for end < len(b) && b[end] > ' ' {
			end++
		}
	}
	return end
}
