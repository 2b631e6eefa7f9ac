package session

import (
	"fmt"
	"strings"
)

// Plan is how a backend carries out a query: what the server is asked and what
// is left to compare here.
type Plan struct {
	// Backend is the protocol, such as "imap".
	Backend string
	// Server is the part that the server decides, or narrows down.
	Server Filter
	// Commands are what the server is asked for, in the words of its protocol
	// and without what only becomes known on the way.
	Commands []string
	// Local is the remainder that is compared here for every message that the
	// server's part leaves. It is zero where the server decides alone.
	Local Filter
	// Reads is what is fetched of these messages to compare them, besides the
	// query's own Fields.
	Reads Reads
	// Why tells for each part of Local why the server does not decide it, in the
	// order in which they are met.
	Why []string
	// ScanLimit bounds how many messages are looked at here in vain; zero means
	// that there is no bound, or nothing to look at.
	ScanLimit int
}

// Reads is what comparing here needs of a message.
type Reads struct {
	// Fields are the parts of a summary.
	Fields Fields
	// WholeHeader says that the header fields of a summary are not enough.
	WholeHeader bool
	// Body says that the message is read as a whole, unless the rest has decided
	// already.
	Body bool
}

// String returns the parts by name, such as "received and body".
func (r Reads) String() string {
	names := r.Fields.names()
	if r.WholeHeader {
		names = append(names, "whole header")
	}
	if r.Body {
		names = append(names, "body")
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// String returns the plan in a few lines for people.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s server: %s\n", p.Backend, orEverything(p.Server))
	for _, c := range p.Commands {
		fmt.Fprintf(&b, "  command: %s\n", c)
	}
	if p.Local.IsZero() {
		b.WriteString("here: nothing\n")
		return b.String()
	}
	fmt.Fprintf(&b, "here: %v\n  reads: %v\n", p.Local, p.Reads)
	for _, w := range p.Why {
		fmt.Fprintf(&b, "  because %s\n", w)
	}
	if p.ScanLimit > 0 {
		fmt.Fprintf(&b, "  at most %d messages in vain\n", p.ScanLimit)
	}
	return b.String()
}

// shownIDs is how many ids are printed one by one.
const shownIDs = 10

func orEverything(f Filter) string {
	if n := len(f.IDs); n > shownIDs {
		f.IDs = nil
		return strings.TrimSpace(fmt.Sprintf("one of %d ids %v", n, f))
	}
	if f.IsZero() {
		return "every message"
	}
	return f.String()
}
