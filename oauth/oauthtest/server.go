package oauthtest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// maxForm is the largest request body that the server reads.
const maxForm = 1 << 20

// Server is a running authorization server. All methods are safe for
// concurrent use.
type Server struct {
	opts   Options
	base   string
	key    *signer
	memory *memory // nil over TCP
	http   *http.Server
	client *http.Client
	stop   context.CancelFunc
	served chan struct{} // closed when the accept loop has ended

	mu       sync.Mutex
	closed   bool
	active   sync.WaitGroup // requests in work
	accounts []Account
	codes    map[string]*code
	tokens   map[string]*token
	devices  map[string]*device
	faults   map[string][]Fault
	log      []Request
	secrets  []secret.Text
	apps     apps
}

// New starts a server; o may be nil. Close ends it. Like
// [net/http/httptest.NewServer] it panics where it cannot listen, and where
// Options.InMemory is set it must be called inside the bubble that uses it.
func New(o *Options) *Server {
	opts := o.withDefaults()
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		opts:     opts,
		key:      newSigner(),
		stop:     stop,
		served:   make(chan struct{}),
		accounts: slices.Clone(opts.Accounts),
		codes:    make(map[string]*code),
		tokens:   make(map[string]*token),
		devices:  make(map[string]*device),
		faults:   make(map[string][]Fault),
	}
	if opts.InMemory {
		s.memory = &memory{}
	}
	listener, err := s.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("oauthtest: cannot listen on a loopback port: %v", err))
	}
	s.base = "http://" + listener.Addr().String()
	if opts.TLS != nil {
		s.base = "https://" + listener.Addr().String()
	}
	s.client = newClient(s.Dial, opts.RootCAs)
	s.serve(ctx, listener)
	return s
}

// serve starts the accept loop.
func (s *Server) serve(ctx context.Context, listener net.Listener) {
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.dispatch),
		TLSConfig:         s.opts.TLS,
		ReadHeaderTimeout: 30 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	go func() {
		defer close(s.served)
		// Both return http.ErrServerClosed after Close, and nothing else
		// that a caller could act on.
		if s.opts.TLS != nil {
			_ = s.http.ServeTLS(listener, "", "")
		} else {
			_ = s.http.Serve(listener)
		}
	}()
}

// Close ends the server and every connection, and waits for the requests in
// work. It may be called more than once.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	_ = s.http.Close() // Closes listeners that cannot fail to close.
	<-s.served
	s.active.Wait()
	s.client.CloseIdleConnections()
}

// URL returns the server's base URL, which is also its issuer identifier.
func (s *Server) URL() string { return s.base }

// Issuer returns the issuer identifier: the value of iss.
func (s *Server) Issuer() string { return s.base }

// AuthURL returns the URL of the authorization endpoint.
func (s *Server) AuthURL() string { return s.base + AuthorizePath }

// TokenURL returns the URL of the token endpoint.
func (s *Server) TokenURL() string { return s.base + TokenPath }

// IntrospectURL returns the URL of the introspection endpoint (RFC 7662).
func (s *Server) IntrospectURL() string { return s.base + IntrospectPath }

// RevokeURL returns the URL of the revocation endpoint (RFC 7009).
func (s *Server) RevokeURL() string { return s.base + RevokePath }

// DeviceURL returns the URL of the device authorization endpoint (RFC 8628).
func (s *Server) DeviceURL() string { return s.base + DevicePath }

// Client returns an HTTP client that reaches the server over TCP or in memory,
// trusts its certificates, and reaches listeners of [Server.Listen] as well.
// It uses no proxy.
func (s *Server) Client() *http.Client { return s.client }

// handler answers one request. The form holds the query and the body.
type handler func(w http.ResponseWriter, r *http.Request)

// route returns the handler of a request.
func (s *Server) route(r *http.Request) handler {
	post := r.Method == http.MethodPost
	get := r.Method == http.MethodGet
	switch {
	case r.URL.Path == AuthorizePath && (get || post):
		return s.serveAuthorize
	case r.URL.Path == TokenPath && post:
		return s.serveToken
	case r.URL.Path == DevicePath && post:
		return s.serveDevice
	case r.URL.Path == VerifyPath && (get || post):
		return s.serveVerify
	case r.URL.Path == IntrospectPath && post:
		return s.serveIntrospect
	case r.URL.Path == RevokePath && post:
		return s.serveRevoke
	case r.URL.Path == UserinfoPath && (get || post):
		return s.serveUserinfo
	case r.URL.Path == KeysPath && get:
		return s.serveKeys
	case (strings.HasSuffix(r.URL.Path, DiscoveryPath) || r.URL.Path == MetadataPath) && get:
		return s.serveMetadata
	default:
		return s.routeApps(r)
	}
}

// dispatch records the request, applies the next fault of its endpoint and
// calls the endpoint.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	if !s.begin() {
		return
	}
	defer s.active.Done()
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	recorder := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	entry := s.record(r)
	s.withFault(recorder, r)
	s.mu.Lock()
	s.log[entry].Status = recorder.status
	s.mu.Unlock()
}

// begin counts a request in, unless the server is closed.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.active.Add(1)
	}
	return !s.closed
}

// statusWriter remembers the status it wrote; 0 stands for no answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.NewResponseController] find the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // The client may be gone.
}

// Request is an entry of the server's log.
type Request struct {
	// Method and Path are those of the request.
	Method, Path string
	// Form holds the parameters of the query and the body. Values that are,
	// or might be, secret read "[redacted]".
	Form map[string]string
	// BasicAuth tells that the request had an Authorization header for Basic.
	BasicAuth bool
	// Status is the status of the answer, 0 where none was given.
	Status int
}

// record adds a request to the log and returns its index.
func (s *Server) record(r *http.Request) int {
	_, _, basic := r.BasicAuth()
	entry := Request{Method: r.Method, Path: r.URL.Path, BasicAuth: basic, Form: make(map[string]string)}
	for name, values := range r.Form {
		entry.Form[name] = secret.Redacted
		if plain(name) {
			entry.Form[name] = strings.Join(values, ",")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, entry)
	return len(s.log) - 1
}

// plain reports whether a parameter's value may be shown.
func plain(name string) bool {
	switch name {
	case "grant_type", "client_id", "scope", "redirect_uri", "response_type", "response_mode",
		"code_challenge_method", "login_hint", "prompt", "max_age", "access_type", "domain_hint", "token_type_hint",
		"client_assertion_type", "resource", "api-version", "object_id", "principal_id", "msi_res_id", "mi_res_id", "mailbox":
		return true
	}
	return false
}

// Log returns what was asked of the server, oldest first.
func (s *Server) Log() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := slices.Clone(s.log)
	for i := range log {
		log[i].Form = maps.Clone(log[i].Form)
	}
	return log
}

// Hits returns how many requests for path, such as [TokenPath], have come.
func (s *Server) Hits(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.log {
		if r.Path == path {
			n++
		}
	}
	return n
}
