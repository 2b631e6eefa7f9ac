package oauthtest

import (
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Fault is something that goes wrong with one request. Without Status, Error,
// Body, ReplyLost or Silent the request is served as usual after the Delay.
type Fault struct {
	// Delay is waited first, in virtual time inside a bubble.
	Delay time.Duration
	// Status is the answer's HTTP status. 0 means 400 with an Error and 503
	// otherwise.
	Status int
	// Error, Suberror and Description make an OAuth error (RFC 6749 section
	// 5.2). At AuthorizePath, without a Status, they are sent to the redirect URI.
	Error, Suberror, Description string
	// Body replaces the JSON of the answer, ContentType its type.
	Body, ContentType string
	// Header is added to the answer, such as Retry-After.
	Header http.Header
	// ReplyLost does what was asked and then closes the connection without
	// an answer.
	ReplyLost bool
	// Silent does nothing and never answers.
	Silent bool
}

// Inject queues faults for the next requests to path, such as [TokenPath];
// each is used for one request.
func (s *Server) Inject(path string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[path] = append(s.faults[path], faults...)
}

// Pending returns how many faults are queued.
func (s *Server) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, queue := range s.faults {
		n += len(queue)
	}
	return n
}

// Heal removes the faults that are queued.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
}

// nextFault takes a fault from the queue.
func (s *Server) nextFault(path string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.faults[path]
	if len(queue) == 0 {
		return Fault{}
	}
	s.faults[path] = queue[1:]
	return queue[0]
}

// withFault serves a request with the next fault of its endpoint.
func (s *Server) withFault(w *statusWriter, r *http.Request) {
	f := s.nextFault(r.URL.Path)
	if !pause(r, f.Delay) {
		return
	}
	switch {
	case f.Silent:
		<-r.Context().Done()
		hangUp(w)
	case f.ReplyLost:
		s.route(r)(&discard{header: make(http.Header)}, r)
		hangUp(w)
	case f.Error != "" && f.Status == 0 && r.URL.Path == AuthorizePath:
		s.refuseAuthorize(w, r, f)
	case f.Status != 0 || f.Error != "" || f.Body != "":
		f.write(w)
	default:
		s.route(r)(w, r)
	}
}

// pause waits for d. It reports false where the request ended first.
func pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// hangUp closes the connection without an answer.
func hangUp(w *statusWriter) {
	w.status = 0
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// write answers with the fault.
func (f Fault) write(w http.ResponseWriter) {
	status := f.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
		if f.Error != "" {
			status = http.StatusBadRequest
		}
	}
	maps.Copy(w.Header(), f.Header)
	if f.Body == "" && f.Error != "" {
		writeJSON(w, status, errorBody(f.Error, f.Suberror, f.Description))
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	if f.ContentType != "" {
		w.Header().Set("Content-Type", f.ContentType)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(f.Body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, f.Body) // The client may be gone.
}

// errorBody is an OAuth error as JSON has it.
func errorBody(code, suberror, description string) map[string]string {
	body := map[string]string{"error": code}
	if suberror != "" {
		body["suberror"] = suberror
	}
	if description != "" {
		body["error_description"] = description
	}
	return body
}

// discard is a ResponseWriter whose answer nobody gets.
type discard struct{ header http.Header }

// Header implements [http.ResponseWriter].
func (d *discard) Header() http.Header { return d.header }

// Write implements [http.ResponseWriter].
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements [http.ResponseWriter].
func (d *discard) WriteHeader(int) {}
