package lookup

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// String returns a table of what was tried and what was found, for people. It
// has the address in it, and no secret.
func (r *Result) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range r.Steps {
		outcome := s.Found
		if s.Err != nil {
			outcome = "no: " + s.Err.Error()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Method, s.Asked, s.Took.Round(time.Millisecond), outcome)
	}
	_ = w.Flush() // a strings.Builder takes everything
	if r.Method == "" {
		b.WriteString("nothing was found\n")
		return b.String()
	}
	fmt.Fprintf(&b, "found by %s: %s\n", r.Method, r.Provider.Name)
	for _, proto := range r.Provider.Protocols() {
		where := ""
		if server, ok := r.Provider.Server(proto); ok {
			where = server.Address(0) + " " + server.Security.String()
		}
		if service, ok := r.Provider.Service(proto); ok {
			where = service.URL
		}
		fmt.Fprintf(&b, "%s: %s as %s\n", proto, where, cmp.Or(r.Users[proto], r.Address))
	}
	if r.Confirm != "" {
		fmt.Fprintf(&b, "to be confirmed by a person: %s\n", r.Confirm)
	}
	return b.String()
}
