package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// variable is one of the environment's, by its name in upper case.
type variable struct{ name, value string }

// environment looks variables up.
type environment func(name string) string

// get returns the variable in upper case, or else the one in lower case.
func (e environment) get(name string) variable {
	return variable{name, cmp.Or(e(name), e(strings.ToLower(name)))}
}

// fromEnvironment returns the proxy for an address, nil where there is none.
func fromEnvironment(env environment, scheme, address string) (*hop, error) {
	if env == nil {
		env = os.Getenv
	}
	v := choose(scheme, env)
	if v.value == "" || exempt(env.get("NO_PROXY").value, address) {
		return nil, nil //nolint:nilnil // no proxy is a proper answer
	}
	raw := strings.TrimSpace(v.value)
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	h, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("the environment's %s: %w", v.name, err)
	}
	if h.user == "" && !h.password.IsZero() {
		return nil, fmt.Errorf("the environment's %s: %w", v.name, errors.New("it holds a password without a user"))
	}
	return h, nil
}

// choose returns the variable that counts, see [FromEnvironment].
func choose(scheme string, env environment) variable {
	all, https := env.get("ALL_PROXY"), env.get("HTTPS_PROXY")
	order := []variable{all, https}
	switch {
	case scheme == schemeHTTPS:
		order = []variable{https, all}
	case scheme == schemeHTTP && env("REQUEST_METHOD") != "": // a CGI program (RFC 3875 section 4.1.12)
		order = []variable{all}
	case scheme == schemeHTTP:
		order = []variable{env.get("HTTP_PROXY"), all}
	}
	for _, v := range order {
		if v.value != "" {
			return v
		}
	}
	return variable{}
}

// exempt reports whether NO_PROXY, or being of this machine, keeps an address
// off the proxy. httpproxy knows the rules; it is given a proxy to decide on,
// since its errors would show that of the environment.
func exempt(noProxy, address string) bool {
	rules := httpproxy.Config{HTTPSProxy: "http://proxy.invalid", NoProxy: noProxy}
	u, err := rules.ProxyFunc()(&url.URL{Scheme: "https", Host: address})
	return u == nil && err == nil
}
