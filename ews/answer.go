package ews

import (
	"cmp"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// answer is the answer to a request, within the element of the operation.
type answer struct {
	*scanner

	conn    *conn
	request *request
	resp    *http.Response
}

// enter reads up to the first child of the operation's element.
func (a *answer) enter(c *Client) error {
	e := &Error{
		Server: c.address, Op: a.request.op, Status: a.resp.StatusCode, size: a.resp.Request.ContentLength,
		Diagnostics: a.conn.said(a.resp.Header.Get("X-Ms-Diagnostics")),
		schemes:     a.conn.each(schemesOf(a.resp.Header)), wait: retry.FromHeader(a.resp.Header, time.Now()),
	}
	soap := strings.Contains(a.resp.Header.Get("Content-Type"), "xml")
	if !soap || e.Status != http.StatusOK && e.Status != http.StatusInternalServerError {
		if page, err := unpacked(a.resp); err == nil {
			e.judge(page)
		}
		e.Remedy = e.ofAnswer(c, a.conn, a.resp.Header)
		if strings.Contains(a.resp.Header.Get("Location"), "genericerrorpage") {
			e.Status = http.StatusServiceUnavailable // that is how Exchange Online says it
		}
		return e
	}
	body, err := unpacked(a.resp)
	if err != nil {
		return err
	}
	a.scanner = a.conn.reading(body)
	if err := a.envelope(); err != nil {
		return err
	}
	if a.name == "Fault" {
		return a.fault(e)
	}
	return nil
}

// unpacked returns what an answer has. It ends only where what was packed ends.
func unpacked(resp *http.Response) (io.Reader, error) {
	if !strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return resp.Body, nil
	}
	r, err := gzip.NewReader(resp.Body)
	switch {
	case errors.Is(err, gzip.ErrHeader):
		err = &syntaxError{"it is not packed as it says"}
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF // something should have been packed
	}
	return &packed{r}, err
}

// packed tells damage from a line that breaks.
type packed struct{ src io.Reader }

// Read implements [io.Reader].
func (p *packed) Read(b []byte) (int, error) {
	n, err := p.src.Read(b)
	if _, corrupt := errors.AsType[flate.CorruptInputError](err); corrupt || errors.Is(err, gzip.ErrChecksum) {
		err = &syntaxError{"it was damaged on its way"}
	}
	return n, err //nolint:wrapcheck // io.Reader's contract
}

// envelope reads up to the element within the body.
func (a *answer) envelope() error {
	for {
		t, err := a.next(false)
		switch {
		case err != nil:
			return err
		case t == endOfInput, t == endTag:
			return a.malformed("there is nothing in its body")
		case t == textRun:
			continue
		}
		switch {
		case a.depth() == 1 && a.name == "Envelope", a.depth() == 2 && a.name == "Body":
		case a.depth() == 2 && a.name == "Header":
			if err := a.children(func(name string) error {
				if name == "ServerVersionInfo" {
					a.conn.version = versionOf(a.scanner)
				}
				return nil
			}); err != nil {
				return err
			}
		case a.depth() == 3:
			return nil
		default:
			return a.malformed("it is not SOAP but " + a.conn.said(a.name))
		}
	}
}

// fault reads a SOAP fault.
func (a *answer) fault(e *Error) error {
	err := a.children(func(name string) (err error) {
		switch name {
		case "faultcode":
			var code string
			code, err = a.word()
			if _, local, ok := strings.Cut(code, ":"); ok {
				code = local
			}
			if strings.HasPrefix(code, "Error") && e.Code == "" {
				e.Code = a.conn.code(code)
			}
		case "faultstring":
			e.Text, err = a.word()
			e.Text = a.conn.said(e.Text)
		case "detail":
			err = a.children(func(name string) error { return a.detail(e, name) })
		}
		return err
	})
	if err != nil {
		return err
	}
	if e.Code == "" && e.Status == http.StatusOK {
		e.Status = http.StatusInternalServerError
	}
	if e.Code == "" && saysTooLong(e.Text) {
		e.turnedAway = true
	}
	e.Remedy = cmp.Or(remedy(e), e.ofSize())
	return e
}

// detail reads what stands beside an error.
func (a *answer) detail(e *Error, name string) (err error) {
	switch name {
	case "ResponseCode":
		e.Code, err = a.word()
		e.Code = a.conn.code(e.Code)
	case "MessageText", "Message":
		e.Text, err = a.word()
		e.Text = a.conn.said(e.Text)
	case "MessageXml":
		err = a.children(func(name string) error {
			what := a.attr("Name")
			text, err := a.word()
			if ms, bad := strconv.ParseInt(text, 10, 32); name == "Value" && what == "BackOffMilliseconds" && bad == nil && ms > 0 {
				e.wait = time.Duration(ms) * time.Millisecond
			}
			return err
		})
	}
	return err
}

// finish ends the reading of an answer: what is left of it is read, or the connection
// given up.
func (a *answer) finish(err error) error {
	if _, malformed := errors.AsType[*syntaxError](err); malformed {
		a.conn.wire.Kill(err)
		return err
	}
	if closing := a.resp.Body.Close(); err == nil && closing != nil && a.conn.wire.Err() == nil {
		err = closing
	}
	return err
}

// replies reads the response messages of an answer, one for each thing that was asked
// for. Read is called at each element of one that holds no error, end behind it, with
// the error where it has one.
func (a *answer) replies(read func(i int, name string) error, end func(i int, err error) error) error {
	i := 0
	return a.children(func(name string) error {
		if name != "ResponseMessages" {
			return nil
		}
		return a.children(func(string) error {
			e := Error{Server: a.conn.address, Op: a.request.op, Status: http.StatusOK}
			failed := a.attr("ResponseClass") == "Error"
			depth := a.depth()
			err := a.children(func(name string) error {
				switch name {
				case "MessageText", "ResponseCode", "MessageXml":
					return a.detail(&e, name)
				}
				return read(i, name)
			})
			item, bad := errors.AsType[*itemFaultError](err)
			if bad {
				err = a.surface(depth - 1)
			}
			if err != nil {
				return err
			}
			switch {
			case failed || e.Code == "ErrorBatchProcessingStopped":
				refusal := advised(e)
				if refusal.class() == throttled && !a.request.single {
					return refusal
				}
				err = end(i, refusal)
			case bad:
				err = end(i, a.conn.censored(item))
			default:
				err = end(i, nil)
			}
			i++
			return err
		})
	})
}

// advised returns a refusal of an item with what to do about it.
func advised(e Error) *Error {
	e.Remedy = remedy(&e)
	return &e
}

// only is replies for a request about one thing.
func (a *answer) only(read func(name string) error) error {
	some := false
	err := a.replies(func(_ int, name string) error { return read(name) }, func(_ int, err error) error {
		some = true
		return err
	})
	if err == nil && !some {
		err = a.malformed("it has no response message")
	}
	return err
}

// rest reads what is left of an answer, so that one which breaks off there counts as
// lost.
func (a *answer) rest() error {
	for {
		switch t, err := a.next(false); {
		case err != nil:
			return err
		case t == endOfInput:
			return nil
		}
	}
}

// itemFaultError says that what an answer tells of one item cannot be understood; others
// can.
type itemFaultError struct{ what string }

// Error returns what is wrong.
func (e *itemFaultError) Error() string {
	return "what the server tells of it cannot be read: " + e.what
}
