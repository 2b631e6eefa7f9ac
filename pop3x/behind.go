package pop3x

import (
	"bytes"
	"errors"
)

// errSwallowed says that the final dot of a message may be that of the next one.
var errSwallowed = errors.New("a message is longer than it is listed, and a line in it is like the beginning of the next answer")

// behind watches over the end of a message where more was asked for: without its
// final dot, a message would go on with the next answer and end with that, and
// each one behind it would be taken for the one before. It is nil where the
// answer is the last one, without whose end there is nothing but silence.
type behind struct {
	size int64 // of the message, by LIST
	read int64
	tail []byte // the last bytes, too few to be an answer
	like bool   // a line is like an answer
}

// nextAnswer is what an answer begins with, behind the line before it.
const nextAnswer = "\n+OK"

// took notes what was read.
func (b *behind) took(p []byte) {
	if b == nil {
		return
	}
	b.read += int64(len(p))
	if b.like {
		return
	}
	const short = len(nextAnswer) - 1
	b.tail = append(b.tail, p[:min(len(p), short)]...)
	b.like = bytes.Contains(b.tail, []byte(nextAnswer)) || bytes.Contains(p, []byte(nextAnswer))
	if len(p) > short {
		b.tail = append(b.tail[:0], p[len(p)-short:]...)
	} else if more := len(b.tail) - short; more > 0 {
		b.tail = append(b.tail[:0], b.tail[more:]...)
	}
}

// doubtful reports whether what was read may be more than one message.
func (b *behind) doubtful() bool { return b != nil && b.like && b.read > b.size }
