package oauth

import (
	"slices"
	"strings"
)

// protocolScope reports whether a scope belongs to no resource but to OpenID
// Connect itself.
func protocolScope(scope string) bool {
	switch scope {
	case "openid", "profile", "email", "address", "phone", "offline_access":
		return true
	}
	return false
}

// belongs reports whether a scope begins with a resource and goes on with
// another part of a path.
func belongs(scope, resource string) bool {
	rest, ok := strings.CutPrefix(scope, strings.TrimSuffix(resource, "/"))
	return ok && (rest == "" || strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, ":"))
}

// scopesFor returns the scopes to ask for to get a token for a resource: those
// of the resource and those of the protocol, in their order. For the resource
// "", and where no scope belongs to the resource, they are those of the first
// resource.
func scopesFor(scopes []string, resource string) []string {
	mine := func(scope string) bool { return belongs(scope, resource) }
	if resource == "" || !slices.ContainsFunc(scopes, mine) {
		first, _ := firstScopes(scopes)
		return first
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool {
		return !protocolScope(scope) && !mine(scope)
	})
}

// resourceOf returns the resource of a scope: scheme and host where it is a
// URL, else "".
func resourceOf(scope string) string {
	scheme, rest, ok := strings.Cut(scope, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// firstScopes returns the scopes of the first resource that is named and those
// of the protocol, and whether there are other resources. Servers that bind an
// access token to one resource refuse to redeem a code for several.
func firstScopes(scopes []string) (first []string, several bool) {
	i := slices.IndexFunc(scopes, func(scope string) bool { return !protocolScope(scope) })
	if i < 0 {
		return scopes, false
	}
	resource := resourceOf(scopes[i])
	first = slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool {
		return !protocolScope(scope) && resourceOf(scope) != resource
	})
	return first, len(first) < len(scopes)
}

// missingScopes returns the scopes that were asked for and are not among those
// granted. Those of the protocol are left aside: servers leave them out of
// answers or give them other names. Names are compared without regard to case
// and a last slash, and a granted "Mail.Read" stands for that of any resource,
// as in Microsoft's answers about its Graph.
func missingScopes(asked, granted []string) []string {
	var missing []string
	for _, scope := range asked {
		short := scope[strings.LastIndex(scope, "/")+1:]
		same := func(g string) bool {
			return strings.EqualFold(strings.TrimSuffix(g, "/"), strings.TrimSuffix(scope, "/")) ||
				(short != "" && strings.EqualFold(g, short))
		}
		if !protocolScope(scope) && short != ".default" && !slices.ContainsFunc(granted, same) {
			missing = append(missing, scope)
		}
	}
	return missing
}
