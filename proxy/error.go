package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mailsession/mailsession/internal/retry"
)

// Error says that no connection came about through a proxy. It holds neither
// credentials nor the proxy's own words, which may repeat them.
type Error struct {
	// Proxy is the proxy's URL, without credentials. It is empty where the
	// settings do not lead to one.
	Proxy string
	// Target is the server's "host:port".
	Target string
	// Status is the status by which an HTTP proxy refused, 0 where it did not.
	Status int
	// Reply is the reply by which a SOCKS5 proxy refused (RFC 1928 section 6),
	// 0 where it did not.
	Reply int
	// Remedy says what to do. It may be empty.
	Remedy string
	// Err is the cause where it is not the proxy's refusal.
	Err error

	temporary bool
}

// Error returns what happened, where, and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("proxy")
	if e.Proxy != "" {
		fmt.Fprintf(&b, " %s on the way to %s", e.Proxy, e.Target)
	}
	switch {
	case e.Err != nil:
		fmt.Fprintf(&b, ": %v", e.Err)
	case e.Status != 0:
		fmt.Fprintf(&b, ": it refuses the tunnel: %s", strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))))
	case e.Reply != 0:
		fmt.Fprintf(&b, ": it refuses the tunnel: %s", replyText(e.Reply))
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether the same call may succeed later: the proxy was out
// of reach or could not reach the server, or time ran out. A refusal of
// credentials or of the server does not pass by itself.
func (e *Error) Temporary() bool {
	if errors.Is(e.Err, context.Canceled) {
		return false
	}
	return e.temporary || retry.IsTemporary(e.Err)
}
