package lookup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	// maxDocument is the largest document that is read, in bytes.
	maxDocument = 256 << 10
	// maxRedirects is how many redirects are followed.
	maxRedirects = 5
)

// web asks web servers for documents, and tells them nothing but what is in the
// address asked for.
type web struct {
	client http.Client
}

// newWeb returns a web over a copy of a client, which may be nil.
func newWeb(client *http.Client, plain bool) *web {
	w := &web{}
	if client != nil {
		w.client = *client
	}
	// Cookies are credentials.
	w.client.Jar = nil
	w.client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return fmt.Errorf("more than %d redirects", maxRedirects)
		case req.URL.User != nil:
			return errors.New("a redirect with credentials in it")
		case req.URL.Scheme == "https":
		case req.URL.Scheme != "http" || !plain || via[len(via)-1].URL.Scheme != "http":
			return fmt.Errorf("a redirect to %s by %s; only https is followed", req.URL.Host, req.URL.Scheme)
		}
		// It has the mail address in it, which is not for the next server.
		req.Header.Del("Referer")
		return nil
	}
	return w
}

// get returns a document.
func (w *web) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, errors.New("the address cannot be asked")
	}
	req.Header.Set("Accept", "application/xml, text/xml")
	resp, err := w.client.Do(req)
	if err != nil {
		// The error of the client repeats the address asked, with the user's in it.
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		if strings.HasPrefix(err.Error(), "failed to parse Location") { // and quotes all of it
			return nil, errors.New("the server redirects to what is no address")
		}
		return nil, fmt.Errorf("the server cannot be asked: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server has no document: %s (%d)", http.StatusText(resp.StatusCode), resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the document breaks off: %w", err)
	case len(body) > maxDocument:
		return nil, fmt.Errorf("the document is larger than %d bytes", maxDocument)
	}
	return body, nil
}
