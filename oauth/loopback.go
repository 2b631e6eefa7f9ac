package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailsession/mailsession/secret"
)

const (
	// maxCallback is the largest form_post body that is read.
	maxCallback = 64 << 10
	// maxHeader is the largest request header: browsers send every cookie
	// that any program ever set for localhost.
	maxHeader = 128 << 10
	// headerTimeout and bodyTimeout limit how slow a client may be.
	headerTimeout = 10 * time.Second
	bodyTimeout   = 20 * time.Second
	// showTimeout is how long the result waits for the browser to fetch it.
	showTimeout = 3 * time.Second
)

// loopback is the server behind the redirect URI for one sign-in. It waits for
// the one callback with the right state, holds that request until the outcome
// is known, and sends the browser on to a page about it. The redirect in
// between takes the code out of the address bar and the history.
type loopback struct {
	path    string      // of the redirect URI
	port    string      // that is listened on
	state   secret.Text // of the authorization request
	result  string      // path of the page about the outcome
	claimed atomic.Bool // a callback with the right state has come
	answers chan callback
	server  *http.Server
	serving sync.WaitGroup

	// done is closed once outcome is set.
	done    chan struct{}
	outcome error
	mu      sync.Mutex
	fresh   map[net.Conn]bool // connections that have sent nothing yet
	owed    int               // browsers that wait for the page about the outcome
	// shown is closed when the last of them has got it.
	shown chan struct{}
}

// serveLoopback starts the server on listeners.
func serveLoopback(ctx context.Context, listeners []net.Listener, path, port string, state secret.Text, log *slog.Logger) *loopback {
	l := &loopback{
		path: path, port: port, state: state,
		result:  "/signed-in/" + rand.Text(),
		answers: make(chan callback, 1),
		done:    make(chan struct{}),
		shown:   make(chan struct{}),
		fresh:   make(map[net.Conn]bool),
	}
	close(l.shown)
	base := context.WithoutCancel(ctx)
	l.server = &http.Server{
		Handler:           l,
		ReadHeaderTimeout: headerTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         l.connState,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	for _, listener := range listeners {
		// Serve ends with http.ErrServerClosed when close is called.
		l.serving.Go(func() { _ = l.server.Serve(listener) })
	}
	return l
}

// callbacks returns where the answer arrives, nil where nobody listens.
func (l *loopback) callbacks() <-chan callback {
	if l == nil {
		return nil
	}
	return l.answers
}

// ServeHTTP implements [http.Handler]. Whatever is not the callback is answered
// and changes nothing: browsers ask for icons, scanners for anything.
func (l *loopback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	switch {
	case !allowsHost(r.Host, l.port):
		http.Error(w, "this address is for one sign-in only", http.StatusForbidden)
	case r.URL.Path == l.result && r.Method == http.MethodGet:
		l.serveResult(w)
	case r.URL.Path == l.path && (r.Method == http.MethodGet || r.Method == http.MethodPost):
		l.serveCallback(w, r)
	default:
		http.NotFound(w, r)
	}
}

// serveCallback takes the callback, or tells the browser why it is none.
func (l *loopback) serveCallback(w http.ResponseWriter, r *http.Request) {
	values, err := callbackValues(w, r)
	if err != nil {
		http.Error(w, "the request cannot be read", http.StatusBadRequest)
		return
	}
	c, err := parseCallback(values)
	switch {
	case errors.Is(err, errNoCallback):
		http.NotFound(w, r)
		return
	case err != nil:
		page{"This is not an answer to a sign-in", []string{clean(err.Error())}}.write(w, http.StatusBadRequest)
		return
	case !c.state.Equal(l.state):
		page{"This answer belongs to another sign-in", []string{
			"The program still waits for the one it started. Go back to the page it opened, or start again.",
		}}.write(w, http.StatusBadRequest)
		return
	}
	l.owe(1)
	// A second tab with the same answer is told how the first one ended.
	if l.claimed.CompareAndSwap(false, true) {
		l.answers <- c
	}
	select {
	case <-l.done:
		// The answer's code is in this request's URL: leave it.
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, l.result, http.StatusSeeOther)
	case <-r.Context().Done():
		l.owe(-1)
	}
}

// owe changes the number of browsers that wait for the page.
func (l *loopback) owe(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owed == 0 && n < 0 {
		return // somebody looks at the page once more
	}
	if l.owed += n; l.owed == 0 {
		close(l.shown)
	} else if l.owed == n {
		l.shown = make(chan struct{})
	}
}

// pages returns a channel that is closed once no browser waits for the page.
func (l *loopback) pages() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown
}

// callbackValues returns the parameters of a request to the redirect URI.
func callbackValues(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method == http.MethodGet {
		return url.ParseQuery(r.URL.RawQuery)
	}
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(mediaType), "application/x-www-form-urlencoded") {
		return nil, errors.New("the body is not a form")
	}
	// A read timeout of the whole server would also end the wait for the
	// outcome.
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(bodyTimeout)); err != nil {
		return nil, err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxCallback)
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	return r.PostForm, control.SetReadDeadline(time.Time{})
}

// serveResult shows how the sign-in ended.
func (l *loopback) serveResult(w http.ResponseWriter) {
	select {
	case <-l.done:
	default:
		page{"The sign-in is not finished", nil}.write(w, http.StatusNotFound)
		return
	}
	status := http.StatusOK
	if l.outcome != nil {
		status = http.StatusBadRequest
	}
	resultPage(l.outcome).write(w, status)
	l.owe(-1)
}

// finish sets the outcome and lets the browsers that wait for it fetch the page
// before the server ends, also where ctx has ended. It is called once. Where
// nobody listens it does nothing.
func (l *loopback) finish(ctx context.Context, outcome error) {
	if l == nil {
		return
	}
	l.outcome = outcome
	close(l.done)
	timer := time.NewTimer(showTimeout)
	defer timer.Stop()
	select {
	case <-l.pages():
	case <-timer.C:
	}
	l.closeFresh()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), showTimeout)
	defer cancel()
	if l.server.Shutdown(ctx) != nil {
		_ = l.server.Close() // The listeners are closed already.
	}
	l.serving.Wait()
}

// connState keeps account of the connections that have sent nothing yet.
func (l *loopback) connState(c net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if state == http.StateNew {
		l.fresh[c] = true
	} else {
		delete(l.fresh, c)
	}
}

// closeFresh closes the connections that a browser opened in advance and never
// used: Shutdown would wait for them.
func (l *loopback) closeFresh() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.fresh {
		_ = c.Close()
	}
}
