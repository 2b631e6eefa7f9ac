package transcript

import "bytes"

const (
	// remembered is how many secrets are looked for in server lines.
	remembered = 8
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
