package proxy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Limits of what is taken from an HTTP proxy.
const (
	maxHead     = 64 << 10 // one answer without its body, in bytes; Negotiate's tickets are long
	maxBody     = 1 << 20  // a page that stands before the next answer
	maxInterim  = 8        // answers 1xx before the real one
	maxRequests = 4        // for one tunnel
)

// protocol is what every answer of an HTTP proxy begins with.
const protocol = "HTTP/"

// answer is what an HTTP proxy says.
type answer struct {
	status     int
	challenges []string // Proxy-Authenticate
	body       int64    // its length, -1 where only the end of the connection tells
}

// connect asks for a tunnel until the proxy makes it or means its refusal. The
// line it returns beside an error has to be dropped.
func (h *hop) connect(ctx context.Context, open func() (*line, error), target string) (*line, error) {
	var l *line
	var last *answer
	for range maxRequests {
		header, err := h.header(ctx, l != nil, target, last)
		if err != nil {
			return l, err
		}
		if last != nil && header == "" {
			break
		}
		if l == nil {
			if l, err = open(); err != nil {
				return nil, err
			}
		}
		if last, err = ask(l, target, header); err != nil {
			return l, err
		}
		if last.status/100 == 2 {
			return l, nil
		}
		if last.status != http.StatusProxyAuthRequired || h.authorization == nil {
			break
		}
		if !last.skipBody(l) {
			l.drop()
			l = nil
		}
	}
	return l, h.refused(last)
}

// header returns the Proxy-Authorization header for the next request, "" for
// none.
func (h *hop) header(ctx context.Context, same bool, target string, last *answer) (string, error) {
	if h.authorization == nil {
		if h.user == "" {
			return "", nil
		}
		pair := h.user + ":" + h.password.Reveal()
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), nil
	}
	r := &Request{Proxy: h.address, Host: h.host, Target: target, SameConnection: same}
	if last != nil {
		r.Challenges = last.challenges
	}
	header, err := h.authorization(ctx, r)
	if err != nil {
		return "", fmt.Errorf("make the Proxy-Authorization header: %w", err)
	}
	for _, c := range []byte(header) {
		if c < ' ' || c == 0x7f {
			return "", errors.New("the Proxy-Authorization header that was made holds a control character; it has to be one line, without its name")
		}
	}
	return header, nil
}

// ask sends one request and reads the answer, up to its body.
func ask(rw io.ReadWriter, target, authorization string) (*answer, error) {
	request := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if authorization != "" {
		request += "Proxy-Authorization: " + authorization + "\r\n"
	}
	if _, err := io.WriteString(rw, request+"\r\n"); err != nil {
		return nil, &Error{Err: fmt.Errorf("ask for a tunnel: %w", err), temporary: true}
	}
	for range maxInterim {
		a, err := readAnswer(rw)
		if err != nil {
			return nil, err
		}
		if a.status/100 != 1 || a.status == http.StatusSwitchingProtocols {
			return a, nil
		}
	}
	return nil, &Error{Err: errors.New("its answers do not come to an end")}
}

// readAnswer reads one answer up to the empty line behind its header, and not a
// byte further.
func readAnswer(r io.Reader) (*answer, error) {
	head, err := readHead(r)
	if err != nil {
		return nil, err
	}
	request := &http.Request{Method: http.MethodConnect}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), request)
	if err != nil {
		// What net/http says of it repeats parts of it.
		return nil, &Error{Err: errors.New("its answer is not HTTP")}
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, challenges: resp.Header.Values("Proxy-Authenticate"), body: resp.ContentLength}
	if resp.Close || len(resp.TransferEncoding) > 0 {
		a.body = -1
	}
	return a, nil
}

// readHead reads byte by byte, since the bytes behind the header are the
// server's.
func readHead(r io.Reader) ([]byte, error) {
	head := make([]byte, 0, 512)
	var start int // of the current line
	for len(head) < maxHead {
		var b [1]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil, cut(err, len(head) > 0)
		}
		n := len(head)
		if n < len(protocol) && b[0] != protocol[n] {
			return nil, &Error{
				Err:    errors.New("its answer is not HTTP"),
				Remedy: "check host and port of the proxy, and whether it is one for https:// or socks5://",
			}
		}
		head = append(head, b[0])
		if b[0] != '\n' {
			continue
		}
		if len(bytes.TrimRight(head[start:], "\r\n")) == 0 {
			return head, nil
		}
		start = len(head)
	}
	return nil, &Error{Err: fmt.Errorf("the header of its answer is longer than %d bytes", maxHead)}
}

// cut says that the proxy's answer did not come, or not to its end.
func cut(err error, begun bool) error {
	switch {
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("wait for its answer: %w", err)
	case begun:
		err = fmt.Errorf("its answer breaks off: %w", io.ErrUnexpectedEOF)
	default:
		err = fmt.Errorf("it closed the connection without an answer: %w", io.ErrUnexpectedEOF)
	}
	return &Error{Err: err, temporary: true}
}

// skipBody reads what stands before the next answer. It reports false where
// the connection cannot be used again.
func (a *answer) skipBody(r io.Reader) bool {
	if a.body < 0 || a.body > maxBody {
		return false
	}
	_, err := io.CopyN(io.Discard, r, a.body)
	return err == nil
}

// refused says what the proxy's refusal means.
func (h *hop) refused(a *answer) error {
	e := &Error{Status: a.status}
	switch a.status {
	case http.StatusProxyAuthRequired, http.StatusUnauthorized: // Tinyproxy says 401 to a wrong password
		e.Remedy = h.credentialsRemedy(a.schemes())
	case http.StatusForbidden:
		e.Remedy = "the proxy forbids this server or its port; its administrator has to allow CONNECT to it"
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		e.Remedy = "this is no proxy, or one that makes no tunnels; check its host and port"
	case http.StatusBadGateway:
		e.temporary = true
		e.Remedy = "the proxy cannot reach the server; check the server's name and port, or try again later"
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.temporary = true
		e.Remedy = "try again later"
	}
	return e
}

// schemes returns the names of the schemes that the proxy takes, as far as they
// are names.
func (a *answer) schemes() []string {
	var names []string
	for _, c := range a.challenges {
		name, _, _ := strings.Cut(strings.TrimSpace(c), " ")
		name = strings.TrimSuffix(name, ",")
		if name != "" && len(name) <= 20 && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
			names = append(names, name)
		}
	}
	return names
}

func (h *hop) credentialsRemedy(schemes []string) string {
	basic := len(schemes) == 0
	for _, s := range schemes {
		basic = basic || strings.EqualFold(s, "Basic")
	}
	wants := ""
	if len(schemes) > 0 {
		wants = " (" + strings.Join(schemes, ", ") + ")"
	}
	switch {
	case h.authorization != nil:
		return "the proxy" + wants + " does not take what the function Authorization returned"
	case !basic:
		return "the proxy does not take Basic" + wants + "; give a function Authorization for a scheme that it takes"
	case h.user == "":
		return "the proxy asks for credentials" + wants + "; give User and Password, or a function Authorization"
	}
	return "check User and Password of the proxy" + wants
}
