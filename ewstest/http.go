package ewstest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/internal/fakenet"
)

// exchange is one request on a connection while it is answered.
type exchange struct {
	server *Server
	conn   *fakenet.Conn
	auth   *connAuth
	req    *http.Request
	body   []byte
	record *Request
	// failing is an error for every response message, which a fault asks for.
	failing *failure
}

// answer is what goes back.
type answer struct {
	status int
	header []string // names and values in turn
	body   []byte
	// stream, if not nil, writes the body bit by bit, behind which the connection
	// ends.
	stream func(ctx context.Context, send func([]byte) error) error
	close  bool
}

// serve answers the requests of one connection (RFC 9112).
func (s *Server) serve(ctx context.Context, c *fakenet.Conn) {
	r := bufio.NewReader(c)
	auth := &connAuth{}
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, fakenet.ErrStopped) {
				_, _ = c.WriteString("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				_ = c.Flush()
			}
			return
		}
		if !s.turn(ctx, c, auth, req) {
			return
		}
	}
}

// turn answers one request and reports whether the connection goes on.
func (s *Server) turn(ctx context.Context, c *fakenet.Conn, auth *connAuth, req *http.Request) bool {
	if strings.EqualFold(req.Header.Get("Expect"), "100-continue") {
		if _, err := c.WriteString("HTTP/1.1 100 Continue\r\n\r\n"); err != nil || c.Flush() != nil {
			return false
		}
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, int64(s.options.MaxRequest)+1))
	if err != nil {
		return false
	}
	x := &exchange{server: s, conn: c, auth: auth, req: req, body: body}
	x.record = &Request{
		Conn: c.Number(), Encrypted: c.Encrypted(), Method: req.Method, Host: req.Host, Path: req.URL.RequestURI(),
		Header: masked(req.Header), Operation: "HTTP",
	}
	if len(body) <= keptBody {
		x.record.Body = string(body)
	}
	var a *answer
	if len(body) > s.options.MaxRequest {
		a = &answer{status: http.StatusRequestEntityTooLarge, close: true}
		a, err = x.perform("HTTP", req.Method, func() *answer { return a })
	} else {
		a, err = x.route(ctx)
	}
	if err != nil {
		return false
	}
	if a != nil && x.send(ctx, a) != nil {
		return false
	}
	return c.End() == nil && (a == nil || !a.close) && !req.Close
}

// perform brackets the answer to a request with the faults of its name. It
// returns nil where there is to be no answer.
func (x *exchange) perform(name, line string, run func() *answer) (*answer, error) {
	x.record.Operation = name
	x.server.note(x.record)
	if x.auth.who.account != nil || x.auth.who.app {
		x.conn.SignedIn(x.auth.who.token)
	}
	verdict, err := x.conn.Begin(name, strings.TrimSpace(name+" "+line))
	switch {
	case err != nil:
		return nil, err
	case verdict.Expire:
		return x.server.refuseToken(), nil
	case verdict.Refuse:
		return x.server.unauthorized(), nil
	case verdict.Ignore:
		return nil, nil
	case verdict.Reply != "":
		return x.faulty(verdict.Reply, run), nil
	}
	return run(), nil
}

// send writes an answer to the connection.
func (x *exchange) send(ctx context.Context, a *answer) error {
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	for i := 0; i+1 < len(a.header); i += 2 {
		fmt.Fprintf(&head, "%s: %s\r\n", a.header[i], a.header[i+1])
	}
	head.WriteString("Server: Microsoft-IIS/10.0\r\nX-Powered-By: ASP.NET\r\n" + x.affinity())
	if a.close || a.stream != nil {
		a.close = true
		head.WriteString("Connection: close\r\n")
	}
	chunked := a.stream != nil || len(a.body) > chunkFrom
	if chunked {
		head.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	} else {
		head.WriteString("Content-Length: " + strconv.Itoa(x.conn.AnnouncedSize(len(a.body))) + "\r\n\r\n")
	}
	x.server.answered(x.record, a.status, a.body)
	if _, err := x.conn.Write(head.Bytes()); err != nil || x.req.Method == http.MethodHead {
		return err
	}
	if a.stream != nil {
		return x.stream(ctx, a)
	}
	if !chunked {
		_, err := x.conn.Write(a.body)
		return err
	}
	for part := range bytesIn(a.body, chunkSize) {
		if err := x.chunk(part); err != nil {
			return err
		}
	}
	_, err := x.conn.WriteString("0\r\n\r\n")
	return err
}

// affinity returns the fields that tie a client to a server and an answer to its
// request, where the client asked for them.
func (x *exchange) affinity() string {
	fields := ""
	if x.req.Header.Get("X-PreferServerAffinity") == "true" {
		if _, err := x.req.Cookie(affinityCookie); err != nil {
			fields += "Set-Cookie: " + affinityCookie + "=mail.example.com~1; path=/; HttpOnly\r\n"
		}
	}
	if x.req.Header.Get("Return-Client-Request-Id") == "true" {
		fields += "client-request-id: " + x.req.Header.Get("Client-Request-Id") + "\r\n"
	}
	return fields
}

// affinityCookie is what Exchange ties the requests of a subscription to one
// server with.
const affinityCookie = "X-BackEndOverrideCookie"

const (
	// chunkFrom is the size from which an answer is sent in chunks, as Exchange
	// sends all of them.
	chunkFrom = 64 << 10
	chunkSize = 16 << 10
)

// bytesIn yields the data in parts.
func bytesIn(data []byte, size int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			n := min(size, len(data))
			if !yield(data[:n]) {
				return
			}
			data = data[n:]
		}
	}
}

func (x *exchange) chunk(data []byte) error {
	if _, err := x.conn.WriteString(strconv.FormatInt(int64(len(data)), 16) + "\r\n"); err != nil {
		return err
	}
	if _, err := x.conn.Write(data); err != nil {
		return err
	}
	_, err := x.conn.WriteString("\r\n")
	return err
}

// stream writes a body whose parts come one by one, until it ends or the client
// is gone.
func (x *exchange) stream(ctx context.Context, a *answer) error {
	ctx, cancel := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer cancel()
		_, _ = x.conn.Read(make([]byte, 1))
	}()
	defer func() {
		x.conn.StopReading()
		<-gone
	}()
	err := a.stream(ctx, func(data []byte) error {
		x.server.answered(x.record, a.status, data)
		if err := x.chunk(data); err != nil {
			return err
		}
		return x.conn.Flush()
	})
	if err != nil {
		return err
	}
	if _, err = x.conn.WriteString("0\r\n\r\n"); err != nil {
		return err
	}
	return x.conn.Flush()
}
