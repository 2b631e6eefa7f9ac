package ewstest

import (
	"net/http"
	"slices"
	"strings"
)

// Request is one HTTP request as the server saw it, and its answer. Secrets are
// taken out.
type Request struct {
	// Conn is the number of the connection, counted from 1 as clients connect.
	Conn int
	// Encrypted tells whether the request came over TLS.
	Encrypted bool
	// Method, Host and Path are those of the request, the path with its query.
	Method, Host, Path string
	// Header is the request's. What follows the name of the scheme in
	// Authorization is written as "[redacted]".
	Header http.Header
	// Operation is the name of the element in the SOAP body, such as "GetItem";
	// the way of discovery where it is one, and "HTTP" otherwise.
	Operation string
	// User is the address of the account that signed in, empty where nobody did,
	// and Mailbox that of the account that the request acts for.
	User, Mailbox string
	// Version is the version in the header RequestServerVersion.
	Version string
	// Body is the request's body, and Reply that of the answer; of a stream of
	// notifications, its whole text so far. Both are empty where they are very
	// large, or where many more requests came since.
	Body, Reply string
	// Status is the answer's status; 0 where there was no answer.
	Status int
}

const (
	keptRequests = 10_000
	keptBytes    = 64 << 20
	keptBody     = 4 << 20
)

// Requests returns what clients asked and were answered so far, in the order of
// arrival. Of very many only the newest are kept.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, 0, len(s.requests))
	for _, r := range s.requests {
		all = append(all, *r)
	}
	return all
}

// note begins to keep a request.
func (s *Server) note(r *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	s.kept += len(r.Body)
	s.forget()
}

// answered keeps the answer of a request that was noted.
func (s *Server) answered(r *Request, status int, reply []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Status = status
	if len(r.Reply)+len(reply) <= keptBody {
		r.Reply += string(reply)
		s.kept += len(reply)
	}
	s.forget()
}

// forget drops what is over the limits, the oldest first.
func (s *Server) forget() {
	if len(s.requests) > 2*keptRequests {
		for _, r := range s.requests[:keptRequests] {
			s.kept -= len(r.Body) + len(r.Reply)
		}
		s.requests = slices.Delete(s.requests, 0, keptRequests)
	}
	for i := 0; s.kept > keptBytes && i < len(s.requests); i++ {
		r := s.requests[i]
		s.kept -= len(r.Body) + len(r.Reply)
		r.Body, r.Reply = "", ""
	}
}

// masked returns a header without what signs in.
func masked(h http.Header) http.Header {
	out := h.Clone()
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		for i, value := range out[name] {
			scheme, _, _ := strings.Cut(value, " ")
			out[name][i] = scheme + " [redacted]"
		}
	}
	for i := range out["Cookie"] {
		out["Cookie"][i] = "[redacted]"
	}
	return out
}

// summary describes a request in one line: the names of elements with their
// attributes and short texts, without the content of messages.
func summary(n *node) string {
	var b strings.Builder
	summarise(&b, n)
	return strings.TrimSpace(b.String())
}

func summarise(b *strings.Builder, n *node) {
	const shortest, longest = 200, 4000
	if b.Len() > longest {
		return
	}
	for _, a := range n.attrs {
		if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
			b.WriteString(" " + n.name.Local + "/" + a.Name.Local + "=" + a.Value)
		}
	}
	switch n.name.Local {
	case "MimeContent", "Content", "Body", "NewBodyContent":
		return
	}
	if text := tidy(n.text); text != "" && len(text) <= shortest {
		b.WriteString(" " + n.name.Local + "=" + text)
	}
	for _, c := range n.children {
		summarise(b, c)
	}
}
