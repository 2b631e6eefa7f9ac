package ews

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
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

// TestAttachmentsTakeNoMemory: a large one comes as it is read.
func TestAttachmentsTakeNoMemory(t *testing.T) {
	near, far := pipe.New()
	serving := make(chan error, 1)
	go func() { serving <- serveAttachment(far) }()
	c, err := New(session.Server{
		Host: "localhost", Security: session.None, AllowPlainAuth: true,
		Dial: func(context.Context, string, string) (net.Conn, error) { return near, nil },
	}, session.Credentials{User: "ann@example.com", Password: secret.New("horse")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	id := c.idOf(&folder{mark: "inbox"}, "item")
	if _, err := c.serverVersion(t.Context()); err != nil { // connects
		t.Fatal(err)
	}
	var n int64
	used := allocated(func() {
		r, opening := c.OpenAttachment(t.Context(), id, Attachment{ID: "large"})
		if err = opening; err != nil {
			return
		}
		n, err = io.Copy(io.Discard, r)
		err = errors.Join(err, r.Close())
	})
	if err != nil || n != largeMessage/4*3 || used > flatBound {
		t.Errorf("%d bytes were read with %d bytes of memory, %v; want %d with at most %d", n, used, err, largeMessage/4*3, flatBound)
	}
	if err := errors.Join(c.Close(), far.Close(), <-serving); err != nil {
		t.Error(err)
	}
}

// serveAttachment answers a sign-in, and then a request for a large attachment.
func serveAttachment(line net.Conn) error {
	in := bufio.NewReader(line)
	for _, answer := range []struct {
		op, before string
		content    int64
		after      string
	}{
		{"GetFolder", `<m:Folders><t:Folder><t:FolderId Id="inbox"/></t:Folder></m:Folders>`, 0, ""},
		{"GetAttachment", `<m:Attachments><t:FileAttachment><t:Content>`, largeMessage, `</t:Content></t:FileAttachment></m:Attachments>`},
	} {
		req, err := http.ReadRequest(in)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return err
		}
		before := `<s:Envelope xmlns:s="s" xmlns:m="m" xmlns:t="t"><s:Header><t:ServerVersionInfo MajorVersion="15" MinorVersion="1" MajorBuildNumber="1"/></s:Header><s:Body><m:` +
			answer.op + `Response><m:ResponseMessages><m:` + answer.op + `ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>` + answer.before
		after := answer.after + `</m:` + answer.op + `ResponseMessage></m:ResponseMessages></m:` + answer.op + `Response></s:Body></s:Envelope>`
		size := int64(len(before)+len(after)) + answer.content
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n", size)
		content := &endless{what: strings.Repeat("QUJD", 1000), left: answer.content}
		if _, err := io.Copy(line, io.MultiReader(strings.NewReader(head+before), content, strings.NewReader(after))); err != nil {
			return err
		}
	}
	return nil
}
