package ews

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// endless gives the same bytes, so many of them.
type endless struct {
	what string
	left int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && e.left > 0 {
		k := copy(p[n:min(int64(len(p)), int64(n)+e.left)], e.what)
		n, e.left = n+k, e.left-int64(k)
	}
	return n, nil
}

func (e *endless) Close() error { return nil }

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

const (
	largeMessage = 64 << 20
	flatBound    = 1 << 20
)

// TestMessagesTakeNoMemory: neither one that comes nor one that goes.
func TestMessagesTakeNoMemory(t *testing.T) {
	var n int64
	var err error
	in := io.MultiReader(strings.NewReader("<m><c>"), &endless{what: strings.Repeat("QUJD", 1000), left: largeMessage}, strings.NewReader("</c></m>"))
	used := allocated(func() {
		x := newScanner(in)
		_, err = x.next(false)
		_, last := x.next(false)
		err = errors.Join(err, last)
		n, last = io.Copy(io.Discard, x.content())
		err = errors.Join(err, last)
	})
	if err != nil || n != largeMessage/4*3 || used > flatBound {
		t.Errorf("%d bytes were read with %d bytes of memory, %v; want %d with at most %d", n, used, err, largeMessage/4*3, flatBound)
	}
	mime := el("t:MimeContent")
	mime.content = &sized{Source: endlessMessage{}, size: largeMessage}
	used = allocated(func() {
		env := envelop(nil, el("m:CreateItem", mime))
		out, opening := env.open(func() {})
		if err = opening; err != nil {
			return
		}
		n, err = io.Copy(io.Discard, out)
		n -= env.length()
		err = errors.Join(err, out.Close())
	})
	if err != nil || n != 0 || used > flatBound {
		t.Errorf("a request has %d bytes more than announced, and took %d bytes of memory, %v; want none, and at most %d", n, used, err, flatBound)
	}
}

type endlessMessage struct{}

func (endlessMessage) Open() (io.ReadCloser, error) {
	return &endless{what: strings.Repeat("a line\r\n", 100), left: largeMessage}, nil
}

func (endlessMessage) Size() int64 { return largeMessage }

var _ message.Source = endlessMessage{}
