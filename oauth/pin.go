package oauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mailsession/mailsession/internal/userfile"
	"github.com/mailsession/mailsession/secret"
)

// maxPin is the largest pin that is read, in bytes.
const maxPin = 64 << 10

// Pin is where a refresh token comes from that somebody else looks after: an
// administrator, a secret store, a deployment. It is read and never written.
//
// The text that is found there is the refresh token itself, with white space
// around it or not, or a JSON object with the field refresh_token, such as the
// answer of a token endpoint. The object's access_token and expires_in are not
// used, as nothing says when their time began.
//
// A Pin prints as the kind of its place, and shows neither that nor the token.
type Pin struct {
	kind string
	read func(ctx context.Context) ([]byte, error)
}

// PinValue returns a Pin that is the value itself.
func PinValue(value secret.Text) Pin {
	return Pin{kind: "a value", read: func(context.Context) ([]byte, error) { return []byte(value.Reveal()), nil }}
}

// PinEnv returns a Pin in an environment variable.
func PinEnv(name string) Pin {
	return Pin{kind: "an environment variable", read: func(context.Context) ([]byte, error) {
		value, ok := os.LookupEnv(name)
		if !ok {
			return nil, errors.New("it is not set")
		}
		return []byte(value), nil
	}}
}

// PinFile returns a Pin in a regular file of at most 64 KiB, such as a mounted
// secret. The path may be a symbolic link.
func PinFile(path string) Pin {
	return Pin{kind: "a file", read: func(context.Context) ([]byte, error) { return userfile.Read(path, maxPin) }}
}

// PinCredential returns a Pin in a credential of the systemd service that the
// program is: the file of that name in $CREDENTIALS_DIRECTORY.
func PinCredential(name string) Pin {
	return Pin{kind: "a systemd credential", read: func(context.Context) ([]byte, error) {
		path, err := userfile.Credential(name)
		if err != nil {
			return nil, err
		}
		return userfile.Read(path, maxPin)
	}}
}

// PinFunc returns a Pin that a function reads, from a vault for example. It is
// called while the grant is locked and must return when its context ends. Its
// error is shown.
func PinFunc(read func(ctx context.Context) (secret.Text, error)) Pin {
	return Pin{kind: "a function", read: func(ctx context.Context) ([]byte, error) {
		value, err := read(ctx)
		return []byte(value.Reveal()), err
	}}
}

// String returns the kind of the pin's place.
func (p Pin) String() string { return "pinned refresh token from " + p.kind }

// Format implements [fmt.Formatter]: every verb prints String.
func (p Pin) Format(s fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = io.WriteString(s, p.String())
}

// token returns the refresh token. Its errors show neither it nor its place.
func (p Pin) token(ctx context.Context) (secret.Text, error) {
	if p.read == nil {
		return secret.Text{}, errors.New("there is no pin: PinFile and its like make one")
	}
	text, err := p.read(ctx)
	if err == nil {
		var tok secret.Text
		if tok, err = parsePin(text); err == nil {
			return tok, nil
		}
	}
	return secret.Text{}, fmt.Errorf("the %v cannot be read: %w", p, err)
}

// parsePin returns the refresh token in a pin's text. Its errors quote nothing
// of it.
func parsePin(text []byte) (secret.Text, error) {
	if len(text) > maxPin {
		return secret.Text{}, errors.New("it is larger than 64 KiB")
	}
	text = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(text), []byte("\ufeff")))
	if bytes.HasPrefix(text, []byte("{")) {
		var object struct {
			RefreshToken string `json:"refresh_token"`
		}
		// The cause may quote a value.
		if json.Unmarshal(text, &object) != nil {
			return secret.Text{}, errors.New("it begins like JSON and is not an object with a text as its refresh_token")
		}
		text = []byte(object.RefreshToken)
	}
	if len(text) == 0 {
		return secret.Text{}, errors.New("there is no refresh token in it")
	}
	// RFC 6749 appendix A.17 allows printable ASCII and the space, which no
	// server uses and a file of something else has.
	for _, c := range text {
		if c <= ' ' || c > '~' {
			return secret.Text{}, errors.New("it holds more than a refresh token: only printable ASCII without spaces is one")
		}
	}
	return secret.New(string(text)), nil
}

// pinSum is how a pin is remembered: a digest, from which the token does not
// come back.
func pinSum(token secret.Text) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return "sha256:" + hex.EncodeToString(sum[:])
}
