package sasl

import (
	"bytes"
	"encoding/base64"
)

// maxChallenges bounds an exchange. None of the mechanisms here takes more
// than three.
const maxChallenges = 16

// Dialogue carries an exchange over a connection, in the framing of one
// protocol. All bytes are decoded; [Encode] and [Decode] are the base64 that
// the protocols share.
type Dialogue interface {
	// Begin sends the command that starts the exchange. A non-nil initial is
	// the mechanism's initial response; Begin reports whether it sent that
	// along. Where it did not, because it is nil, because the server does not
	// take it on the line or because it is too long, the server's first
	// challenge asks for it.
	Begin(mechanism string, initial []byte) (sent bool, err error)

	// Challenge reads the server's next step. Done says that the server
	// accepted the client. An error is the server's refusal or the end of the
	// connection, and ends the exchange in either case.
	Challenge() (challenge []byte, done bool, err error)

	// Answer sends the response to a challenge; an empty one is an empty line.
	Answer(response []byte) error

	// Cancel sends the line that ends an exchange, "*" in all protocols here.
	// The server answers it with a refusal.
	Cancel() error
}

// Exchange signs in with m over d. Every error is an [*Error]; where the
// server refused, its Err is what Dialogue.Challenge returned. After an error
// the connection can be used further if d says that it is alive: the exchange
// was answered to its end.
func Exchange(m Mechanism, d Dialogue) error {
	if err := exchange(m, d); err != nil {
		e := &Error{Mechanism: m.Name(), Err: err}
		if x, ok := m.(explainer); ok {
			e.Challenge = x.explanation()
		}
		return e
	}
	return nil
}

func exchange(m Mechanism, d Dialogue) error {
	name, initial, err := m.Start()
	if err != nil {
		return err
	}
	sent, err := d.Begin(name, initial)
	if err != nil {
		return err
	}
	owed := initial != nil && !sent
	for range maxChallenges {
		challenge, done, err := d.Challenge()
		switch {
		case err != nil:
			return err
		case done && owed:
			return ErrEarlySuccess
		case done:
			return nil
		}
		response := initial
		if !owed {
			if response, err = m.Next(challenge); err != nil {
				return cancel(d, err)
			}
		}
		owed = false
		if err := d.Answer(response); err != nil {
			return err
		}
	}
	return cancel(d, ErrTooManyChallenges)
}

// cancel ends an exchange for a reason of the client's own and takes the
// server's answer to that, so that the connection is left between commands.
func cancel(d Dialogue, reason error) error {
	if err := d.Cancel(); err != nil {
		return reason
	}
	// The refusal is expected; whatever else comes, the reason stays the same.
	_, _, _ = d.Challenge()
	return reason
}

// Encode returns response in base64, as it stands on a line of its own: an
// empty response is an empty line.
func Encode(response []byte) []byte {
	return base64.StdEncoding.AppendEncode(nil, response)
}

// EncodeInitial returns response in base64, as it stands behind the command
// that starts an exchange: an empty response is "=" there (RFC 4954 section 4,
// RFC 4959 section 3).
func EncodeInitial(response []byte) []byte {
	if len(response) == 0 {
		return []byte("=")
	}
	return Encode(response)
}

// Decode returns the content of a challenge. Some servers prompt in plain
// words where base64 belongs; what is not base64 is returned as it is.
func Decode(line []byte) []byte {
	line = bytes.TrimSpace(line)
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
		if b, err := enc.AppendDecode(nil, line); err == nil {
			return b
		}
	}
	return bytes.Clone(line)
}
