package preset

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// RedirectRules say which redirects a provider takes. The zero value says that
// nothing is known.
type RedirectRules struct {
	// Loopback are the hosts of redirects to this machine over http, best
	// first; empty where there may be none.
	Loopback []string
	// AnyPort tells that the port of a loopback redirect is not compared with
	// the registered one.
	AnyPort bool
	// HTTPS tells that redirects may have https, Custom that they may have a
	// scheme of their own.
	HTTPS, Custom bool
	// NoQuery tells that redirects may have no query.
	NoQuery bool
	// Note is what a person has to know.
	Note string
	// Source is where this is from.
	Source string
}

// known reports whether anything is.
func (r RedirectRules) known() bool { return len(r.Loopback) > 0 || r.HTTPS || r.Custom }

// Check returns nil for a redirect that the provider takes, as far as is known.
// The path matters at all providers and has to be the registered one, which
// nobody but the provider can check.
func (r RedirectRules) Check(redirect string) error {
	u, err := url.Parse(redirect)
	switch {
	case err != nil:
		return fmt.Errorf("preset: the redirect cannot be parsed: %w", err)
	case u.Scheme == "" || u.Fragment != "" || u.User != nil:
		return fmt.Errorf("preset: the redirect %q has to be an absolute address without user and fragment", redirect)
	case !r.known():
		return nil
	case r.NoQuery && u.RawQuery != "":
		return fmt.Errorf("preset: the redirect %q has a query, which the provider does not take", redirect)
	}
	switch u.Scheme {
	case "http":
		if !slices.Contains(r.Loopback, u.Hostname()) {
			return fmt.Errorf("preset: the redirect %q uses http, which the provider takes %s", redirect, r.loopback())
		}
	case "https":
		if !r.HTTPS {
			return fmt.Errorf("preset: the redirect %q uses https, which the provider does not take for programs", redirect)
		}
	default:
		if !r.Custom {
			return fmt.Errorf("preset: the redirect %q has a scheme of its own, which the provider does not take", redirect)
		}
	}
	return nil
}

// loopback says where http is taken.
func (r RedirectRules) loopback() string {
	if len(r.Loopback) == 0 {
		return "nowhere; use https"
	}
	return "for " + strings.Join(r.Loopback, ", ") + " alone"
}
