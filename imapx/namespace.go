package imapx

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mailsession/mailsession/session"
)

// space is one namespace of a server (RFC 2342).
type space struct {
	kind      session.Namespace
	prefix    string // of the names in it, as the server writes it, in UTF-8
	delimiter string
	root      []string // the levels of paths that stand for the prefix
}

// spaces are the namespaces of a server; the user's own are the first. None means
// that the server does not tell, and that all folders are the user's own.
type spaces []space

// maxSpaces bounds how many namespaces are kept.
const maxSpaces = 100

// namespaces returns the namespaces, for which the connection asks once: they come
// from how the server is set up. A server that refuses or says what makes no sense
// is taken for one that knows none.
func (c *conn) namespaces() (spaces, error) {
	if c.spaced || !c.caps.has("NAMESPACE") {
		return c.spaces, nil
	}
	all, err := c.askNamespaces()
	c.spaces, c.spaced = all, err == nil
	return all, err
}

func (c *conn) askNamespaces() (all spaces, err error) {
	err = c.run("namespace", "NAMESPACE", func(name string, sc *scanner) (err error) {
		if name == "NAMESPACE" {
			all, err = scanSpaces(sc, c.knownName)
		}
		return err
	})
	e, refused := errors.AsType[*Error](err)
	if itemError(err) || refused && (e.Type == "NO" || e.Type == "BAD") && !e.Temporary() {
		return nil, nil
	}
	return rooted(all), err
}

// scanSpaces reads a NAMESPACE response: three lists, of the user's own
// namespaces, those of other users and the shared ones. A list that is left out is
// an empty one.
func scanSpaces(sc *scanner, known func(raw string) string) (all spaces, err error) {
	for _, kind := range []session.Namespace{session.Personal, session.OtherUsers, session.Shared} {
		if sc.peek() == atEnd || sc.null() {
			continue
		}
		if !sc.accept('(') {
			return nil, sc.malformed("a list of namespaces")
		}
		for !sc.accept(')') {
			s, err := scanSpace(sc)
			if err != nil {
				return nil, err
			}
			if s.prefix, s.kind = known(s.prefix), kind; len(all) < maxSpaces {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

// scanSpace reads one namespace, and passes over what extensions say of it.
func scanSpace(sc *scanner) (s space, err error) {
	if !sc.accept('(') {
		return s, sc.malformed("a namespace")
	}
	prefix, err := sc.text(maxName)
	if err != nil {
		return s, err
	}
	delimiter, err := sc.text(maxName)
	if err != nil {
		return s, err
	}
	s.prefix = string(prefix)
	if utf8.RuneCount(delimiter) == 1 {
		s.delimiter = string(delimiter)
	}
	for !sc.accept(')') {
		if err := sc.skip(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// rooted gives the namespaces their place among paths: the first of the user's
// own is where paths begin, and its prefix is not seen. Others are seen by their
// prefix. Cyrus may show what is shared with no prefix at all; such a namespace
// gets a level of its own, named as Cyrus names it where it is set up otherwise.
func rooted(all spaces) spaces {
	own := slices.IndexFunc(all, func(s space) bool { return s.kind == session.Personal })
	var kept spaces
	for i, s := range all {
		switch {
		case i == own:
		case s.prefix != "":
			s.root = split(strings.TrimSuffix(shownName(s.prefix), s.delimiter), s.delimiter)
		case own < 0 || all[own].prefix == "":
			continue // it cannot be told from the user's own
		case s.kind == session.OtherUsers:
			s.root = []string{"Other Users"}
		case s.kind == session.Shared:
			s.root = []string{"Shared Folders"}
		default:
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

// of returns the namespace that a name is in: that of the longest prefix.
func (all spaces) of(name string) space {
	var best space
	found := false
	for _, s := range all {
		if s.holds(name) && (!found || len(s.prefix) > len(best.prefix)) {
			best, found = s, true
		}
	}
	return best
}

// holds reports whether a name has the namespace's prefix, or is the folder that
// holds the namespace. INBOX is the same in any case (RFC 9051 section 5.1).
func (s space) holds(name string) bool {
	name, prefix := shownName(name), shownName(s.prefix)
	if bare := strings.TrimSuffix(prefix, s.delimiter); bare != "" && equalName(name, bare) {
		return true
	}
	return len(name) >= len(prefix) && equalName(name[:len(prefix)], prefix)
}

func equalName(a, b string) bool {
	n := len("INBOX")
	if isInbox(a[:min(n, len(a))]) && isInbox(b[:min(n, len(b))]) {
		a, b = a[n:], b[n:]
	}
	return a == b
}

func isInbox(name string) bool { return strings.EqualFold(name, "INBOX") }

// pathOf returns the path of a folder, and the namespace that it is in. A name
// that would be lost behind another folder's path keeps its prefix.
func (all spaces) pathOf(name, delimiter string) (path string, in space) {
	shown := shownName(name)
	whole := session.JoinPath(split(shown, delimiter)...)
	if isInbox(name) || len(all) == 0 {
		return whole, space{}
	}
	in = all.of(name)
	prefix := shownName(in.prefix)
	if len(shown) <= len(prefix) || prefix == "" && len(in.root) == 0 {
		return whole, in
	}
	levels := slices.Concat(in.root, split(shown[len(prefix):], delimiter))
	if back := all.nameOf(levels, delimiter); back != shown && !equalName(back, shown) {
		return whole, in
	}
	return session.JoinPath(levels...), in
}

// nameOf returns the name that a path's levels have on the server. What begins
// with the inbox is taken for a whole name.
func (all spaces) nameOf(levels []string, delimiter string) string {
	if isInbox(levels[0]) {
		return strings.Join(levels, delimiter)
	}
	var in space
	found := false
	for _, s := range all {
		inside := len(s.root) <= len(levels) && slices.Equal(s.root, levels[:len(s.root)])
		if inside && (!found || len(s.root) > len(in.root)) {
			in, found = s, true
		}
	}
	if rest := levels[len(in.root):]; len(rest) > 0 {
		return in.prefix + strings.Join(rest, delimiter)
	}
	return strings.TrimSuffix(in.prefix, in.delimiter)
}

// delimiter returns what stands between the levels of the user's own folders.
func (all spaces) delimiter() string {
	if len(all) == 0 {
		return ""
	}
	return all[0].delimiter
}

// owner returns whose a folder in the namespace of other users is: the first
// level behind the prefix.
func (s space) owner(name, delimiter string) string {
	rest, inside := strings.CutPrefix(shownName(name), shownName(s.prefix))
	if s.kind != session.OtherUsers || !inside {
		return ""
	}
	return split(rest, delimiter)[0]
}

func split(name, delimiter string) []string {
	if delimiter == "" {
		return []string{name}
	}
	return strings.Split(name, delimiter)
}
