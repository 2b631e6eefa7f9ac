package imapx

import "strings"

// numbers asks for a folder's UIDVALIDITY and for the number that its next
// message gets.
func (c *conn) numbers(name string) (n numbers, err error) {
	items, err := c.folderStatus(name, "UIDVALIDITY", "UIDNEXT")
	n.validity, n.next = uint32(min(items["UIDVALIDITY"], 1<<32-1)), uint32(min(items["UIDNEXT"], 1<<32-1))
	return n, err
}

// folderStatus asks for numbers about a folder (RFC 9051 section 6.3.11).
func (c *conn) folderStatus(name string, items ...string) (map[string]uint64, error) {
	told := map[string]uint64{}
	err := c.run("status", "STATUS "+c.mailboxName(name)+" ("+strings.Join(items, " ")+")", func(response string, sc *scanner) error {
		if response != "STATUS" {
			return nil
		}
		if _, err := sc.text(maxHeader); err != nil {
			return err
		}
		return scanStatus(sc, told)
	})
	return told, err
}

// scanStatus reads the list of a STATUS response. What is not a number is
// passed over.
func scanStatus(sc *scanner, told map[string]uint64) error {
	if !sc.accept('(') {
		return sc.malformed("a list")
	}
	for !sc.accept(')') {
		name := strings.ToUpper(string(sc.name()))
		if name == "" {
			return sc.malformed("an item's name")
		}
		if n, err := sc.number(); err == nil {
			told[name] = n
		} else if err := sc.skip(); err != nil {
			return err
		}
	}
	return nil
}
