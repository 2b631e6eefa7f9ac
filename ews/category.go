package ews

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/session"
)

// maxCategory is how many characters a category has at most, as UTF-16 counts them.
const maxCategory = 255

// checkSet refuses what a message cannot be given as a flag. A keyword is a category,
// of which Outlook writes several with commas or semicolons in between, and trims each.
func checkSet(flags session.Flags) error {
	for _, f := range flags {
		if err := cmp.Or(checkName(f), checkSystem(f)); err != nil {
			return err
		}
		switch name := string(f); {
		case strings.ContainsAny(name, ",;"):
			return fmt.Errorf("ews: %q cannot be a flag: commas and semicolons stand between the categories of Exchange", f)
		case strings.TrimSpace(name) != name:
			return fmt.Errorf("ews: %q cannot be a flag: a category of Exchange has no blanks around it", f)
		}
	}
	return nil
}

// checkClear refuses what no message has as a flag. What another program has set is
// taken away whatever it looks like.
func checkClear(flags session.Flags) error {
	for _, f := range flags {
		if f == "" {
			return checkName(f)
		}
		if err := checkSystem(f); err != nil {
			return err
		}
	}
	return nil
}

// checkQuery refuses what could not be asked.
func checkQuery(q session.Query) error {
	return cmp.Or(q.Check(), backend.CheckKeywords(q.Where, checkName))
}

// checkName refuses what XML, or a category, cannot say.
func checkName(f session.Flag) error {
	name := string(f)
	if strings.Trim(name, `\`) == "" || !utf8.ValidString(name) || len(utf16.Encode([]rune(name))) > maxCategory ||
		strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || !legal(r) }) {
		return fmt.Errorf("ews: %q cannot be a flag: a category of Exchange is one line of 1 to %d characters of Unicode", f, maxCategory)
	}
	return nil
}

// checkSystem refuses flags with a backslash in front that Exchange does not know.
func checkSystem(f session.Flag) error {
	known := session.Flags{session.Seen, session.Answered, session.Flagged, session.Deleted, session.Draft}
	if strings.HasPrefix(string(f), `\`) && !known.Has(f) {
		return fmt.Errorf("ews: the flag %q does not exist here: %w", f, errors.ErrUnsupported)
	}
	return nil
}
