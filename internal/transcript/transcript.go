// Package transcript writes down what a client and a server say to each
// other, without what must not be written down.
//
// A [Recorder] is fed the plaintext byte stream of both directions in whatever
// pieces it passes, and writes one line of text for each protocol line:
//
//	S: * OK ready
//	C: a1 LOGIN [redacted]
//	S: a1 OK logged in
//	C: a2 UID FETCH 7 (BODY.PEEK[])
//	S: * 1 FETCH (UID 7 BODY[] {1234}
//	S: [literal 1234 bytes])
//	S: a2 OK done
//
// Passwords, tokens and every other answer of an authentication exchange
// become "[redacted]"; message bodies become a note of their size. What is a
// secret is decided by a [Masker], one for each protocol: [IMAP], [SMTP] and
// [POP3].
//
// # What the masking rests on
//
// A client line is shown only if it is recognised as a command that holds no
// secret; everything else is masked. So a server that sends what it should
// not, or nothing, can make a transcript darker, but cannot bring a secret into
// it. Server lines are shown, except for message bodies, and except for places
// where a server repeats a secret that the client has sent before: the last
// few secrets of at least four bytes are looked for in every server line.
//
// Memory is bounded: of a line only the first kilobyte is kept and shown.
package transcript

import (
	"encoding/base64"
	"io"
	"strconv"
	"sync"
)

// maxShown is how many bytes of a line are kept and shown.
const maxShown = 1024

// maxTail is how many bytes from the end of a longer line are kept to find an
// announced literal there; the longest announcement is "~{" with 20 digits,
// "+}" and the line end.
const maxTail = 32

// Recorder writes the transcript of one connection. [Recorder.Sent] and
// [Recorder.Received] may be called from different goroutines.
//
// Sent has to be called before the bytes are written to the connection, and
// Received before the bytes are handed to whoever reacts to them. Otherwise an
// answer may be recorded before its question: secrets stay masked all the same,
// but lines of a message may be taken for commands and shown.
type Recorder struct {
	mu     sync.Mutex
	w      io.Writer
	m      Masker
	err    error
	client stream
	server stream
	echo   memory
	out    []byte
}

// New returns a Recorder that masks with m and writes to w: one call of Write
// for each line, which ends in a line feed. Calls of w.Write are serialised,
// and hold up both directions of the connection while they last. m belongs to
// the Recorder from then on. What the client sends to sign in is masked in the
// server's lines behind it; secrets that are known beforehand, in all of them.
func New(w io.Writer, m Masker, secrets ...string) *Recorder {
	r := &Recorder{
		w:      w,
		m:      m,
		client: stream{prefix: "C: ", ask: m.client},
		server: stream{prefix: "S: ", ask: m.server},
	}
	for _, s := range secrets {
		r.echo.add([]byte(s))
		r.echo.add([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
	}
	return r
}

// Sent records bytes of the client. It does not keep p.
func (r *Recorder) Sent(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.feed(&r.client, p)
}

// Received records bytes of the server. It does not keep p.
func (r *Recorder) Received(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.feed(&r.server, p)
}

// Close writes down, masked like all the rest, the lines and bodies of both
// directions that the end of the connection cut short. It returns the first
// error of the writer; nothing is written after such an error. It does not
// close the writer.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut(&r.client)
	r.cut(&r.server)
	return r.err
}

// feed takes the bytes of one direction apart into bodies and lines.
func (r *Recorder) feed(s *stream, p []byte) {
	for len(p) > 0 {
		if s.skip > 0 {
			p = p[s.pass(p):]
			if s.skip == 0 {
				r.bodyDone(s)
			}
			continue
		}
		n, whole := s.add(p)
		p = p[n:]
		if whole {
			r.lineDone(s)
		}
	}
}

// lineDone has the masker judge the line that s holds, and writes it.
func (r *Recorder) lineDone(s *stream) {
	l := s.line()
	v := s.ask(l)
	for _, t := range v.learn {
		r.echo.learn(t)
	}
	if v.cancel && s != &r.client {
		r.client.cancel()
	}
	switch {
	case v.hide:
		s.hidden += s.size
	case v.end:
		r.print(s.prefix, s.note, bodyNote(s.hidden, ""), "")
		s.hidden = 0
	default:
		r.printLine(s, l, v)
	}
	s.reset()
	s.expect(v.body)
	if v.body.size == 0 && v.body.kind != noBody {
		r.bodyDone(s)
	}
}

// printLine writes a line that is no part of a hidden body.
func (r *Recorder) printLine(s *stream, l line, v verdict) {
	text, more := v.text, ""
	if v.show {
		text = l.head
		if s == &r.server {
			text = r.echo.mask(text)
		}
		if n := l.size - int64(len(l.head)); n > 0 {
			more = " [" + strconv.FormatInt(n, 10) + " bytes more]"
		}
	}
	r.out = appendPrintable(r.out[:0], text)
	r.print(s.prefix, s.note, string(r.out), more)
}

// bodyDone notes the end of a body whose size was announced.
func (r *Recorder) bodyDone(s *stream) {
	switch s.body.kind {
	case literal:
		s.note = "[literal " + strconv.FormatInt(s.body.size, 10) + " bytes]"
	case secretLiteral:
		s.note = redacted
		if s.body.learn {
			r.echo.learn(s.kept)
		}
	case content:
		r.print(s.prefix, "", bodyNote(s.body.size, ""), "")
	case noBody:
	}
	s.kept = s.kept[:0]
	s.body = body{}
}

// cut writes what s holds of an unfinished line or body.
func (r *Recorder) cut(s *stream) {
	switch {
	case s.skip > 0 && s.body.kind == secretLiteral:
		r.print(s.prefix, "", redacted, cutShort)
	case s.skip > 0:
		r.print(s.prefix, "", bodyNote(s.body.size-s.skip, " of "+strconv.FormatInt(s.body.size, 10)), cutShort)
	case s.size > 0 || s.note != "":
		l := s.line()
		v := s.ask(l)
		if v.hide || v.end {
			s.hidden += s.size
			break
		}
		r.printLine(s, l, v)
	}
	if s.hidden > 0 {
		r.print(s.prefix, "", bodyNote(s.hidden, ""), cutShort)
	}
	s.skip, s.hidden = 0, 0
	s.reset()
}

// cutShort marks a body that the end of the connection cut short.
const cutShort = " [connection ended]"

// bodyNote stands for n bytes of a message.
func bodyNote(n int64, of string) string {
	return "[" + strconv.FormatInt(n, 10) + of + " bytes of message]"
}

// print writes one line of the transcript.
func (r *Recorder) print(prefix, note, text, more string) {
	if r.err != nil {
		return
	}
	if note != "" && text != "" && text[0] != ')' {
		note += " "
	}
	_, r.err = io.WriteString(r.w, prefix+note+text+more+"\n")
}
