// Package calls keeps the requests that a client of EWS makes, so that they can be
// made again.
package calls

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"sync"
)

// Call is a request.
type Call struct {
	Path   string
	Header http.Header
	Body   []byte
}

// Read reads what Write wrote. That takes next to nothing: it counts for who makes the
// requests again.
func Read(name string) (all []Call, err error) {
	data, err := os.ReadFile(name) //nolint:gosec // G304: the benchmark names it.
	if err != nil {
		return nil, err
	}
	return all, gob.NewDecoder(bytes.NewReader(data)).Decode(&all)
}

// Recorder passes requests on to a server and keeps them.
type Recorder struct {
	listener net.Listener
	server   *http.Server

	mu   sync.Mutex
	all  []Call
	lost error
}

// Record listens without TLS on an address of its own.
func Record(to *url.URL, transport http.RoundTripper) (*Recorder, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it takes no time
	if err != nil {
		return nil, err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: transport,
	}
	r := &Recorder{listener: l}
	r.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { //nolint:gosec // G112: a client of ours.
		body, err := io.ReadAll(req.Body)
		r.keep(Call{Path: req.URL.Path, Header: req.Header.Clone(), Body: body}, err)
		req.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, req)
	})}
	go func() { _ = r.server.Serve(l) }() // it ends when it is closed
	return r, nil
}

func (r *Recorder) keep(c Call, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, c)
	r.lost = errors.Join(r.lost, err)
}

// Address returns where the recorder listens.
func (r *Recorder) Address() string { return r.listener.Addr().String() }

// Close ends the recorder.
func (r *Recorder) Close() error { return r.server.Close() }

// Write writes what came, in its order.
func (r *Recorder) Write(name string) error {
	r.mu.Lock()
	all, err := slices.Clone(r.all), r.lost
	r.mu.Unlock()
	if err != nil {
		return err
	}
	var data bytes.Buffer
	if err := gob.NewEncoder(&data).Encode(all); err != nil {
		return err
	}
	return os.WriteFile(name, data.Bytes(), 0o600)
}
