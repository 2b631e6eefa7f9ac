package pop3test

import (
	"context"
	"strings"
)

// utf8Mode does UTF8 (RFC 6856, section 2.1).
func utf8Mode(_ context.Context, c *conn, args string) error {
	if args != "" {
		return c.fail("", "UTF8 has no argument")
	}
	c.utf8 = true
	return c.ok("UTF8 enabled")
}

// lang does LANG (RFC 6856, section 3): it lists the languages, or changes to
// one of them.
func lang(_ context.Context, c *conn, args string) error {
	switch strings.ToLower(args) {
	case "":
		return c.rows("Languages follow", []string{"en English", "de Deutsch", "i-default Default language"})
	case "*", "i-default", "en":
		c.german = false
		tag := strings.ToLower(args)
		if tag == "*" {
			tag = "i-default"
		}
		return c.ok(tag + " Language changed")
	case "de":
		c.german = true
		return c.ok("de Sprache geändert")
	}
	return c.fail("", "No such language")
}

// translate returns a text in the session's language. What has no translation
// stays English, as i-default is (RFC 2277, section 4.5).
func (c *conn) translate(text string) string {
	if !c.german {
		return text
	}
	german := map[string]string{
		"Authentication failed":                "Anmeldung zurückgewiesen",
		"Bye":                                  "Tschüss",
		"Capabilities follow":                  "Fähigkeiten folgen",
		"Another session has the mailbox open": "Eine andere Sitzung hat das Postfach geöffnet",
		"Marked to be deleted":                 "Zum Löschen vorgemerkt",
		"Message is deleted":                   "Die Nachricht ist gelöscht",
		"No such message":                      "Diese Nachricht gibt es nicht",
		"Sign in first":                        "Zuerst anmelden",
		"Signed in":                            "Angemeldet",
		"Unknown command":                      "Unbekannter Befehl",
	}
	if t, ok := german[text]; ok {
		return t
	}
	return text
}
