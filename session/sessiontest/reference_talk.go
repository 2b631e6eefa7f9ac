package sessiontest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// question is what the reference backend asks its server.
type question struct {
	Op             string
	User, Password string
	Folder         string
	Query          session.Query
	Keys           []uint32
	Places         []place
	After          place
	Change         session.Change
	Envelope       session.Envelope
	Size           int64
	Path           string
	On             bool
	Flags          []string
	Received       time.Time
	Offset, Limit  int64
	Since          string
	Folders        []string
}

// place is where a message lies.
type place struct {
	Folder   string
	Validity uint32
	Key      uint32
}

// answer is one line of the server's answer.
type answer struct {
	place

	Role     string          `json:",omitempty"`
	Flags    []string        `json:",omitempty"`
	Received time.Time       `json:",omitzero"`
	Size     int64           `json:",omitempty"`
	Header   []byte          `json:",omitempty"`
	Preview  string          `json:",omitempty"`
	Name     string          `json:",omitempty"`
	Version  string          `json:",omitempty"`
	Email    string          `json:",omitempty"`
	Thread   string          `json:",omitempty"`
	Labels   []string        `json:",omitzero"`
	Counts   *session.Counts `json:",omitempty"`
	State    string          `json:",omitempty"`
	More     bool            `json:",omitempty"`
	End      bool            `json:",omitempty"`
	Kind     string          `json:",omitempty"` // which error
	Error    string          `json:",omitempty"`

	Structure message.Structure `json:",omitempty"`

	Quota *session.Quota `json:",omitempty"`

	bad error // the line could not be read
}

// kindAuth is the kind of a refusal to sign in.
const kindAuth = "auth"

// kinds are the errors that have a name on the wire.
func kinds() map[string]error {
	return map[string]error{
		"folder": session.ErrNoFolder, "message": session.ErrNoMessage, "stale": session.ErrStaleID,
		"other folder": session.ErrOtherFolder, "expired": session.ErrCursorExpired,
		"unsupported": errors.ErrUnsupported, "changed": session.ErrChanged,
	}
}

// refusalOf is what the server answers in the place of err.
func refusalOf(err error) answer {
	a := answer{Kind: "other", Error: err.Error()}
	for kind, target := range kinds() {
		if errors.Is(err, target) {
			a.Kind = kind
		}
	}
	return a
}

// failure returns the error that an answer stands for.
func (a answer) failure(op string) error {
	if a.Kind == "" {
		return nil
	}
	if a.Kind == kindAuth {
		return &session.AuthError{
			Server: referenceName, Mechanism: "PASSWORD", User: a.Name, Remedy: "correct the password",
			Err: fmt.Errorf("%s: %s", op, a.Error),
		}
	}
	err := kinds()[a.Kind]
	if err == nil {
		return fmt.Errorf("%s: %s: %s", referenceName, op, a.Error)
	}
	return fmt.Errorf("%s: %s: %s: %w", referenceName, op, strings.TrimSuffix(a.Error, ": "+err.Error()), err)
}

// talk is either end of a connection of the reference protocol.
type talk struct {
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
}

func newTalk(conn net.Conn) *talk {
	return &talk{conn: conn, r: bufio.NewReader(conn), w: bufio.NewWriter(conn)}
}

// put sends one value as a line.
func (t *talk) put(v any) error {
	if err := t.write(v); err != nil {
		return err
	}
	return t.w.Flush()
}

func (t *talk) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = t.w.Write(append(line, '\n'))
	return err
}

// line reads one line. A line without an end was cut.
func (t *talk) line() ([]byte, error) {
	line, err := t.r.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return line, err
}

// take reads one line of an answer. One that cannot be read is an answer by
// itself: the lines after it can.
func (t *talk) take() (answer, error) {
	var a answer
	line, err := t.line()
	if err == nil {
		if bad := json.Unmarshal(line, &a); bad != nil {
			a = answer{bad: bad}
		}
	}
	return a, err
}

// chunk reads from a message in chunks, left bytes of the present one being
// there. It ends in io.EOF after the empty chunk.
func (t *talk) chunk(p []byte, left *int64) (int, error) {
	for *left == 0 {
		line, err := t.line()
		if err != nil {
			return 0, err
		}
		if err := json.Unmarshal(line, left); err != nil {
			return 0, err
		}
		if *left == 0 {
			return 0, io.EOF
		}
		if *left < 0 {
			return 0, errors.New("a chunk of less than nothing")
		}
	}
	n, err := t.r.Read(p[:min(int64(len(p)), *left)])
	*left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// chunkSize is how much of a message goes out at once.
const chunkSize = 16 << 10

// writeChunk writes the next chunk of a message, the empty one at its end.
func (t *talk) writeChunk(p []byte) error {
	if err := t.write(len(p)); err != nil {
		return err
	}
	_, err := t.w.Write(p)
	return err
}
