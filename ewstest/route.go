package ewstest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// The names of requests that carry no operation, for faults.
const (
	// SignIn is a request that is answered with 401, be it for want of
	// credentials, for wrong ones, or as a step of NTLM.
	SignIn = "SIGN-IN"
	// Autodiscover is a request for any of the documents of Autodiscover.
	Autodiscover = "AUTODISCOVER"
)

// route answers a request by its path.
func (x *exchange) route(ctx context.Context) (*answer, error) {
	path := strings.ToLower(x.req.URL.Path)
	switch {
	case strings.HasPrefix(path, "/autodiscover/"):
		return x.discover(ctx, path)
	case path != strings.ToLower(Path):
		return x.perform("HTTP", x.req.Method+" "+path, func() *answer { return plain(http.StatusNotFound) })
	}
	if refused, err := x.admit(ctx); refused != nil || err != nil {
		return refused, err
	}
	if x.req.Method != http.MethodPost {
		return x.perform("HTTP", x.req.Method+" "+path, func() *answer {
			return &answer{
				status: http.StatusOK, header: []string{"Content-Type", "text/html; charset=utf-8"},
				body: []byte("<html><body>Exchange Web Services are here.</body></html>"),
			}
		})
	}
	return x.soap(ctx)
}

// admit lets a request pass that is signed in, and otherwise returns the answer.
func (x *exchange) admit(ctx context.Context) (*answer, error) {
	refused := x.auth.check(ctx, x.server, x.req, x.conn.Encrypted())
	if account := x.auth.who.account; account != nil {
		x.record.User, x.record.Mailbox = account.Address(), account.Address()
	}
	if refused == nil {
		return nil, nil
	}
	a, err := x.perform(SignIn, x.req.Method, func() *answer { return refused })
	if a == nil && err == nil {
		err = errIgnored
	}
	return a, err
}

// errIgnored ends a connection whose sign-in is passed over.
var errIgnored = errors.New("ewstest: request ignored by a fault")

// plain is an answer without a word.
func plain(status int, header ...string) *answer {
	return &answer{status: status, header: header}
}

// who is behind a request.
type who struct {
	account *mailtest.Account // nil for an application
	token   secret.Text       // zero for a password
	app     bool
}
