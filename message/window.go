package message

import (
	"bytes"
	"io"
)

// A window is the part of a stream that is held in memory: from the first byte
// that was not taken yet to the last that was read.
type window struct {
	buf   []byte // what was read and not taken
	off   int64  // position of buf in the stream
	prev  byte   // the byte before buf; a stream begins as a line does
	err   error  // why nothing more comes; io.EOF at the end of the stream
	r     io.Reader
	store []byte // what buf is a part of, or nil if buf is all there is
	start int    // of buf in store
}

// windowSize is how much of a stream is held, unless a header is longer. It is
// more than any delimiter.
const windowSize = 64 << 10

// wholeWindow returns a window of all of raw. What is taken of it is a part of
// raw.
func wholeWindow(raw []byte) *window {
	return &window{buf: raw, prev: '\n', err: io.EOF}
}

// streamWindow returns a window that moves over r. What is taken of it is valid
// until the next call.
func streamWindow(r io.Reader) *window {
	return &window{r: r, prev: '\n', store: make([]byte, windowSize)}
}

// fill reads more behind buf, and reports whether there was more.
func (w *window) fill() bool {
	if w.err != nil {
		return false
	}
	end := w.start + len(w.buf)
	if end == len(w.store) {
		store := w.store
		if len(w.buf) > len(store)/2 {
			store = make([]byte, 2*len(store))
		}
		w.start, end, w.store = 0, copy(store, w.buf), store
	}
	n := 0
	for range 100 {
		n, w.err = w.r.Read(w.store[end:])
		if n > 0 || w.err != nil {
			break
		}
	}
	if n == 0 && w.err == nil {
		w.err = io.ErrNoProgress
	}
	w.buf = w.store[w.start : end+n]
	return n > 0
}

// take moves the window over the next n bytes and returns them.
func (w *window) take(n int) []byte {
	taken := w.buf[:n:n]
	if n > 0 {
		w.prev = taken[n-1]
	}
	w.buf, w.off = w.buf[n:], w.off+int64(n)
	if w.store != nil {
		w.start += n
	}
	return taken
}

// lineEnd returns the position in buf behind the line at pos. It reads on until
// the line ends, or buf is longer than limit; then it returns -1.
func (w *window) lineEnd(pos, limit int) int {
	from := pos
	for {
		if i := bytes.IndexByte(w.buf[from:], '\n'); i >= 0 {
			return from + i + 1
		}
		from = len(w.buf)
		if from > limit {
			return -1
		}
		if !w.fill() {
			return from
		}
	}
}

// line returns the first limit bytes of the line at pos without its end, and
// whether so much of it is in buf.
func (w *window) line(pos, limit int) ([]byte, bool) {
	b := w.buf[pos:min(len(w.buf), pos+limit)]
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return trimLineEnd(b[:i+1]), true
	}
	if len(b) == limit {
		return b, true
	}
	return trimLineEnd(b), w.err != nil
}

// skipLine takes the rest of a line, however long it is.
func (w *window) skipLine() {
	for {
		if i := bytes.IndexByte(w.buf, '\n'); i >= 0 {
			w.take(i + 1)
			return
		}
		w.take(len(w.buf))
		if !w.fill() {
			return
		}
	}
}
