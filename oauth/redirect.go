package oauth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// defaultRedirect is the redirect of a Config that names none.
const defaultRedirect = "http://localhost"

// maxPorts limits the search for a port that is free for both address
// families.
const maxPorts = 20

// redirect is a redirect as a Config describes it.
type redirect struct {
	raw string
	// remote tells that it is not on loopback; the other fields are empty.
	remote bool
	host   string // localhost, 127.0.0.1 or ::1
	port   string // "0" for any
	path   string // as registered, possibly empty
}

// parseRedirect reads Config.RedirectURL. Where the user can paste, it may lead
// anywhere but in plain text through a network.
func parseRedirect(raw string, paste bool) (redirect, error) {
	if raw == "" {
		raw = defaultRedirect
	}
	u, err := url.Parse(raw)
	if err != nil {
		return redirect{}, configError(fmt.Errorf("its RedirectURL cannot be parsed: %w", err))
	}
	plain := u.Fragment == "" && u.User == nil && u.RawQuery == "" && !u.ForceQuery
	if paste && plain && u.Scheme != "" && u.Scheme != "http" {
		return redirect{raw: raw, remote: true}, nil
	}
	r := redirect{raw: raw, host: u.Hostname(), port: u.Port(), path: u.Path}
	if r.port == "" {
		r.port = "0"
	}
	bad := ""
	switch {
	case u.Scheme != "http":
		bad = "a loopback redirect uses http, and for another one the options need Paste"
	case r.host != "localhost" && r.host != "127.0.0.1" && r.host != "::1":
		bad = "the host must be localhost, 127.0.0.1 or [::1]"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		bad = "only a host, a port and a path are allowed"
	case u.EscapedPath() != r.path:
		bad = "the path must not need escapes"
	}
	if bad != "" {
		return redirect{}, configError(fmt.Errorf("its RedirectURL is %q: %s", raw, bad))
	}
	return r, nil
}

// uri returns the redirect URI with the port that is listened on.
func (r redirect) uri(port string) string {
	return "http://" + net.JoinHostPort(r.host, port) + r.path
}

// requestPath returns the path that a browser asks for.
func (r redirect) requestPath() string {
	if r.path == "" {
		return "/"
	}
	return r.path
}

// listenFunc opens a listener as [net.ListenConfig.Listen] does.
type listenFunc func(ctx context.Context, network, address string) (net.Listener, error)

// listen opens the loopback listeners: 127.0.0.1 and, on a machine that has
// it, ::1 on the same port, since a browser may take localhost for either. With
// one of the two in other hands the code might go there, so that both are
// taken or none.
func (r redirect) listen(ctx context.Context, listen listenFunc) (listeners []net.Listener, port string, err error) {
	six := hasIPv6(ctx, listen)
	if r.host == "::1" && !six {
		return nil, "", errors.New("the redirect is on [::1], which this machine does not have")
	}
	for range maxPorts {
		var four net.Listener
		four, err = listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", r.port))
		if err != nil {
			break
		}
		if port, err = portOf(four); err == nil && !six {
			return []net.Listener{four}, port, nil
		}
		if err == nil {
			var other net.Listener
			if other, err = listen(ctx, "tcp", net.JoinHostPort("::1", port)); err == nil {
				return []net.Listener{four, other}, port, nil
			}
		}
		_ = four.Close() // Nobody has used it.
		if r.port != "0" || ctx.Err() != nil {
			break
		}
	}
	return nil, "", fmt.Errorf("no port of 127.0.0.1 and [::1] to listen on: %w", err)
}

// hasIPv6 reports whether the machine has ::1.
func hasIPv6(ctx context.Context, listen listenFunc) bool {
	l, err := listen(ctx, "tcp", "[::1]:0")
	if err != nil {
		return false
	}
	_ = l.Close() // Nobody has used it.
	return true
}

// portOf returns the port of a listener.
func portOf(l net.Listener) (string, error) {
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", fmt.Errorf("the listener's address has no port: %w", err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("the listener's port is %q", port)
	}
	return port, nil
}

// allowsHost reports whether a request's Host header names this listener. A
// name that only resolves to loopback is another site's (DNS rebinding).
func allowsHost(hostHeader, port string) bool {
	host, p, err := net.SplitHostPort(hostHeader)
	if err != nil {
		host, p = strings.Trim(hostHeader, "[]"), "80"
	}
	return p == port && (strings.EqualFold(host, "localhost") || host == "127.0.0.1" || host == "::1")
}
