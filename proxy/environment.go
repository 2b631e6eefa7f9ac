package proxy

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// variable is one of the environment's, by its name in upper case.
type variable struct{ name, value string }

// fromEnvironment returns the proxy for an address, nil where there is none.
func fromEnvironment(scheme, address string) (*hop, error) {
	env := httpproxy.FromEnvironment()
	v := choose(scheme, env)
	if v.value == "" || exempt(env.NoProxy, address) {
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
func choose(scheme string, env *httpproxy.Config) variable {
	all := variable{"ALL_PROXY", os.Getenv("ALL_PROXY")}
	if all.value == "" {
		all.value = os.Getenv("all_proxy")
	}
	order := []variable{all, {"HTTPS_PROXY", env.HTTPSProxy}}
	switch {
	case scheme == schemeHTTPS:
		order = []variable{{"HTTPS_PROXY", env.HTTPSProxy}, all}
	case scheme == schemeHTTP && env.CGI:
		order = []variable{all}
	case scheme == schemeHTTP:
		order = []variable{{"HTTP_PROXY", env.HTTPProxy}, all}
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
