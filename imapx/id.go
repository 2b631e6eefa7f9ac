package imapx

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/session"
)

// The limits of RFC 2971 section 3.3, in bytes.
const (
	maxIDFields = 30
	maxIDName   = 30
	maxIDValue  = 1024
)

// libraryID is what a server that demands it is told of a program that says
// nothing of itself.
func libraryID() map[string]string {
	return map[string]string{"name": "mailsession", "version": "1"}
}

// checkID returns what is wrong with what a program says of itself.
func checkID(id map[string]string) error {
	if len(id) > maxIDFields {
		return fmt.Errorf("the ID has %d fields, RFC 2971 allows %d", len(id), maxIDFields)
	}
	seen := map[string]bool{}
	for name, value := range id {
		switch lower := strings.ToLower(name); {
		case name == "" || len(name) > maxIDName || !quotable(name):
			return fmt.Errorf("%q cannot be the name of a field of the ID: it has 1 to %d bytes of printable ASCII", name, maxIDName)
		case len(value) > maxIDValue || !quotable(value):
			return fmt.Errorf("the value of the ID's field %s has to be printable ASCII of at most %d bytes", name, maxIDValue)
		case seen[lower]:
			return fmt.Errorf("the ID has the field %s twice; letters' case does not count", lower)
		default:
			seen[lower] = true
		}
	}
	return nil
}

// idCommand writes the ID command. The name comes first, as in every example,
// and the others in the order of the alphabet.
func idCommand(id map[string]string) string {
	fields := slices.SortedFunc(maps.Keys(id), func(a, b string) int {
		rank := func(name string) string {
			if strings.EqualFold(name, "name") {
				return ""
			}
			return strings.ToLower(name)
		}
		return strings.Compare(rank(a), rank(b))
	})
	words := make([]string, 0, 2*len(fields))
	for _, f := range fields {
		words = append(words, quote(f), quote(id[f]))
	}
	return "ID (" + strings.Join(words, " ") + ")"
}

// identify tells the server what the program is, and takes note of what the
// server says of itself (RFC 2971). A refusal changes nothing: the standard knows
// none.
func (c *conn) identify(id map[string]string) error {
	err := c.run("id", idCommand(id), func(name string, sc *scanner) error {
		if name != "ID" {
			return nil
		}
		told, err := scanID(sc)
		if err == nil {
			c.serverID = told
		}
		if itemError(err) {
			return nil
		}
		return err
	})
	if _, refused := errors.AsType[*Error](err); refused && c.Usable() {
		return nil
	}
	return err
}

// scanID reads the list of an ID response: names and values in turns, either of
// which may be NIL.
func scanID(sc *scanner) (map[string]string, error) {
	told := map[string]string{}
	if !sc.accept('(') {
		return told, sc.skip()
	}
	for !sc.accept(')') {
		name, err := sc.text(maxIDValue)
		if err != nil {
			return nil, err
		}
		if sc.accept(')') {
			return told, nil // a name without a value
		}
		value, err := sc.text(maxIDValue)
		if err != nil {
			return nil, err
		}
		if len(name) > 0 && len(value) > 0 && len(told) < maxIDFields {
			told[strings.ToLower(printable(string(name)))] = printable(string(value))
		}
	}
	return told, nil
}

// serverName returns how the server names itself: in its answer to ID, else in
// its greeting.
func (c *conn) serverName() string {
	if name := c.serverID["name"]; name != "" {
		return strings.TrimSpace(name + " " + c.serverID["version"])
	}
	return c.greeting
}

// unsafeLogin recognizes how NetEase's servers refuse to open a folder for a
// program that has not told its name.
func unsafeLogin(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Type == "NO" && strings.Contains(strings.ToLower(e.Text), "unsafe login")
}

// named runs f, which opens a folder or asks about one. A server that wants the
// program's name first is told it, and f runs once more.
func (c *conn) named(f func() error) error {
	err := f()
	if !unsafeLogin(err) || c.introduced {
		return err
	}
	c.introduced = true
	if err := c.identify(libraryID()); err != nil {
		return err
	}
	return f()
}

// introduce tells the server what the program is, where the settings say so and
// the server knows the command. It runs once for each connection, after the
// sign-in.
func (c *conn) introduce(id map[string]string, stages *backend.Stages) error {
	if len(id) == 0 || !c.caps.has("ID") {
		return nil
	}
	c.introduced = true
	if err := c.identify(id); err != nil {
		return err
	}
	stages.Detail(session.StageGreeting, "server", c.serverWords())
	return nil
}

// serverWords returns all that the server said in its answer to ID.
func (c *conn) serverWords() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(c.serverID)) {
		words = append(words, name+"="+c.serverID[name])
	}
	return strings.Join(words, ", ")
}
