package imapx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/session"
)

const (
	// maxSet bounds the set of numbers of one command in bytes. Servers take
	// lines of 8000 (RFC 9051 section 4).
	maxSet = 4000
	// maxNestedIDs is how many ids are put to the server where they cannot be
	// divided between several commands.
	maxNestedIDs = 200
	// maxSmallLiteral is the largest literal of LITERAL- (RFC 7888 section 5).
	maxSmallLiteral = 4096
)

// plan is how a query is carried out on a connection.
type plan struct {
	only []session.ID // of which the messages have one, where there are any
	match.Division
	local *match.Matcher // nil where nothing is compared here
	reads session.Reads
	wide  bool // the server's part has text beyond ASCII
	page  page
}

// page is the part of a folder that a listing goes on in.
type page struct {
	after  uint32 // the number of a message, or 0
	oldest bool   // those with higher numbers come behind it
}

// behind reports whether a message comes behind the page's place.
func (p page) behind(uid uint32) bool {
	return p.after == 0 || p.oldest == (uid > p.after) && uid != p.after
}

// keys writes the page as a search key.
func (p page) keys() []string {
	switch {
	case p.after == 0:
		return nil
	case p.oldest && p.after < 1<<32-1:
		return []string{fmt.Sprintf("UID %d:*", p.after+1)}
	case !p.oldest && p.after > 1:
		return []string{fmt.Sprintf("UID 1:%d", p.after-1)}
	}
	return []string{uidKey(nil)}
}

// keys writes the server's part without the ids.
func (p *plan) keys(scope session.IDParts) []string {
	return append(p.page.keys(), keys(p.Server, scope)...)
}

// plan divides a query between the server and this side. Without wide the
// server is asked for nothing beyond ASCII.
func (c *conn) plan(q session.Query, wide bool) (*plan, error) {
	where := q.Where
	p := &plan{only: where.IDs, page: page{oldest: q.OldestFirst}}
	if parts, err := q.After.Parts(); err == nil {
		p.page.after, _ = parseUID(parts.Key)
	}
	where.IDs = nil // they become sets of numbers, one command each
	p.Division = match.Divide(where, func(f session.Filter) (session.Filter, match.Ability, string) {
		return c.ask(f, wide)
	})
	p.wide = !isASCII(strings.Join(keys(p.Server, session.IDParts{}), " "))
	var err error
	if p.local, err = p.Matcher(); err != nil {
		return nil, fmt.Errorf("%s: search: %w", c.address, err)
	}
	p.reads = p.local.Reads()
	return p, nil
}

// ask tells what an IMAP server can do about one condition.
func (c *conn) ask(f session.Filter, wide bool) (session.Filter, match.Ability, string) {
	g := f
	if f.Not != nil {
		g = *f.Not
	}
	switch {
	case g.HasAttachment != session.Any:
		return f, match.Nothing, "has:attachment: IMAP cannot search for it"
	case !g.Since.IsZero() || !g.Before.IsZero():
		return widen(g)
	case g.Label != "" || g.Native != "":
		if !c.caps.has(gmail) {
			return f, match.Nothing, "label: and native: the server has no X-GM-EXT-1"
		}
	case len(g.IDs) > maxNestedIDs:
		return f, match.Nothing, fmt.Sprintf("id: more than %d within another condition", maxNestedIDs)
	case strings.HasPrefix(string(g.Keyword), `\`) && systemKey(g.Keyword) == "":
		return f, match.Nothing, "keyword: IMAP cannot search for " + string(g.Keyword)
	}
	if !wide && !isASCII(strings.Join(keys(g, session.IDParts{}), " ")) {
		return f, match.Nothing, "the server takes no text beyond ASCII"
	}
	return f, match.Decides, ""
}

// widen makes days of an instant. A server compares the day that its clock, in
// a zone nobody tells, showed when the message came: that may be the day before
// or after the one in UTC.
func widen(f session.Filter) (session.Filter, match.Ability, string) {
	const why = "since: and before: IMAP servers compare days in a zone of their own"
	w := session.Filter{}
	day := &w.Since
	if f.Before.IsZero() {
		w.Since = match.Day(f.Since, -1)
	} else {
		w.Before = match.Day(f.Before, 2)
		day = &w.Before
	}
	if y := day.Year(); y < 1 || y > 9999 || day.IsZero() {
		return f, match.Nothing, why
	}
	return w, match.Narrows, why
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}

// systemKey returns the search key for one of the named flags.
func systemKey(f session.Flag) string {
	for _, named := range []session.Flag{session.Seen, session.Answered, session.Flagged, session.Deleted, session.Draft} {
		if strings.EqualFold(string(named), string(f)) {
			return strings.ToUpper(string(named[1:]))
		}
	}
	return ""
}

// keys writes a filter as search keys (RFC 9051 section 6.4.4). A text beyond
// ASCII stands between NULs, of which [pieces] makes literals. Scope is what the
// ids of the folder's messages share.
func keys(f session.Filter, scope session.IDParts) []string {
	all := slices.Concat(textKeys(f), flagKeys(f), measureKeys(f))
	if len(f.IDs) > 0 {
		all = append(all, uidKey(uidsOf(f.IDs, scope)))
	}
	for _, g := range f.All {
		all = append(all, key(g, scope))
	}
	if len(f.AnyOf) > 0 {
		all = append(all, either(f.AnyOf, scope))
	}
	if f.Not != nil {
		all = append(all, "NOT "+key(*f.Not, scope))
	}
	return all
}

func flagKeys(f session.Filter) []string {
	var all []string
	for _, k := range []struct {
		condition session.Condition
		yes, no   string
	}{
		{f.Unread, "UNSEEN", "SEEN"},
		{f.Flagged, "FLAGGED", "UNFLAGGED"},
		{f.Answered, "ANSWERED", "UNANSWERED"},
		{f.Draft, "DRAFT", "UNDRAFT"},
		{f.Deleted, "DELETED", "UNDELETED"},
	} {
		switch k.condition {
		case session.Yes:
			all = append(all, k.yes)
		case session.No:
			all = append(all, k.no)
		case session.Any:
		}
	}
	if key := systemKey(f.Keyword); key != "" {
		all = append(all, key)
	} else if f.Keyword != "" {
		all = append(all, "KEYWORD "+string(f.Keyword))
	}
	return all
}

func textKeys(f session.Filter) []string {
	var all []string
	for _, k := range []struct{ name, text string }{
		{"FROM", f.From},
		{"TO", f.To},
		{"CC", f.Cc},
		{"BCC", f.Bcc},
		{"SUBJECT", f.Subject},
		{"BODY", f.Body},
		{"TEXT", f.Text},
		{"X-GM-LABELS", encodeUTF7(f.Label)},
		{"X-GM-RAW", f.Native},
	} {
		if k.text != "" {
			all = append(all, k.name+" "+searchText(k.text))
		}
	}
	if f.Header.Name != "" {
		all = append(all, "HEADER "+quote(f.Header.Name)+" "+searchText(f.Header.Value))
	}
	return all
}

func measureKeys(f session.Filter) []string {
	var all []string
	const day = "2-Jan-2006"
	if !f.Since.IsZero() {
		all = append(all, "SINCE "+f.Since.UTC().Format(day))
	}
	if !f.Before.IsZero() {
		all = append(all, "BEFORE "+f.Before.UTC().Format(day))
	}
	if f.Larger > 0 {
		all = append(all, "LARGER "+strconv.FormatInt(f.Larger, 10))
	}
	if f.Smaller > 0 {
		all = append(all, "SMALLER "+strconv.FormatInt(f.Smaller, 10))
	}
	return all
}

func searchText(s string) string {
	if isASCII(s) {
		return quote(s)
	}
	return "\x00" + s + "\x00"
}

// key writes a filter as one search key.
func key(f session.Filter, scope session.IDParts) string {
	switch all := keys(f, scope); len(all) {
	case 0:
		return "ALL"
	case 1:
		return all[0]
	default:
		return "(" + strings.Join(all, " ") + ")"
	}
}

// either writes alternatives, of which OR takes two. Halving keeps the nesting
// low, which servers bound.
func either(filters []session.Filter, scope session.IDParts) string {
	if len(filters) == 1 {
		return key(filters[0], scope)
	}
	half := len(filters) / 2
	return "OR " + either(filters[:half], scope) + " " + either(filters[half:], scope)
}

// uidKey asks for messages by their numbers, which may be none.
func uidKey(uids []uint32) string {
	if len(uids) == 0 {
		return "NOT ALL"
	}
	return "UID " + formatSet(uids)
}

// uidsOf returns the numbers of those ids that are of the scope, ascending.
func uidsOf(ids []session.ID, scope session.IDParts) []uint32 {
	var uids []uint32
	for _, id := range ids {
		parts, err := id.Parts()
		if err != nil {
			continue
		}
		uid, ok := parseUID(parts.Key)
		if parts.Key = ""; ok && parts == scope {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return slices.Compact(uids)
}

// sets divides ascending numbers so that each part is a set of at most maxSet
// bytes.
func sets(uids []uint32) [][]uint32 {
	const longest = len("4294967295,")
	var parts [][]uint32
	for len(uids) > 0 {
		n := min(len(uids), maxSet/longest)
		for n < len(uids) && len(formatSet(uids[:min(2*n, len(uids))])) <= maxSet {
			n = min(2*n, len(uids)) // runs of numbers are short
		}
		parts, uids = append(parts, uids[:n]), uids[n:]
	}
	return parts
}

// searchCommand writes a search. Keys beyond ASCII need the charset.
func searchCommand(words string) string {
	if isASCII(words) {
		return "UID SEARCH " + words
	}
	return "UID SEARCH CHARSET UTF-8 " + words
}

// pieces makes literals of the texts between NULs. Where the server does not
// take them unasked (RFC 7888), the command is in pieces, and the server is
// waited for before each but the first.
func (c *conn) pieces(words string) []string {
	parts := strings.Split(words, "\x00")
	all := []string{parts[0]}
	for i := 1; i+1 < len(parts); i += 2 {
		text, rest := parts[i], parts[i+1]
		last := &all[len(all)-1]
		if c.caps.has("LITERAL+") || c.caps.has("LITERAL-") && len(text) <= maxSmallLiteral {
			*last += fmt.Sprintf("{%d+}\r\n%s%s", len(text), text, rest)
			continue
		}
		*last += fmt.Sprintf("{%d}", len(text))
		all = append(all, text+rest)
	}
	return all
}

// search asks the server for its part of the plan.
func (c *conn) search(p *plan, scope session.IDParts) ([]uint32, error) {
	words := p.keys(scope)
	if len(p.only) == 0 {
		if len(words) == 0 {
			words = []string{"ALL"}
		}
		return c.searchUIDs(searchCommand(strings.Join(words, " ")))
	}
	var found []uint32
	for _, part := range sets(uidsOf(p.only, scope)) {
		uids, err := c.searchUIDs(searchCommand(strings.Join(append([]string{uidKey(part)}, words...), " ")))
		if err != nil {
			return nil, err
		}
		found = append(found, uids...)
	}
	return found, nil
}

// planned searches by a plan. A server that refuses a search beyond ASCII, with
// BADCHARSET or with less suitable words, is asked again without: then that part
// is compared here, from then on without asking. Servers end connections that
// ask again and again.
func (c *Client) planned(cn *conn, q session.Query, scope session.IDParts) (*plan, []uint32, error) {
	p, err := cn.permitted(q, !c.narrow.Load())
	if err != nil {
		return nil, nil, err
	}
	uids, err := cn.search(p, scope)
	e, refused := errors.AsType[*Error](err)
	if !refused || !p.wide || e.Temporary() {
		return p, uids, err
	}
	p, narrowed := cn.permitted(q, false)
	if narrowed != nil {
		return nil, nil, errors.Join(narrowed, err)
	}
	if uids, err = cn.search(p, scope); err == nil {
		c.narrow.Store(true)
	}
	return p, uids, err
}

// permitted is plan for a query that is to be carried out, and may have to leave
// all of it to the server.
func (c *conn) permitted(q session.Query, wide bool) (*plan, error) {
	p, err := c.plan(q, wide)
	if err != nil {
		return nil, err
	}
	if err := p.Permits(q); err != nil {
		return nil, fmt.Errorf("%s: search: %w", c.address, err)
	}
	return p, nil
}

var _ session.Explainer = (*Client)(nil)

// Explain implements [session.Explainer]. It signs in to see what the server
// can do, and does not search: that a server refuses text beyond ASCII is known
// only after a search with such text.
func (c *Client) Explain(ctx context.Context, q session.Query) (session.Plan, error) {
	if err := checkQuery(q); err != nil {
		return session.Plan{}, err
	}
	var p *plan
	var offered capabilities
	err := c.read(ctx, "capability", func(cn *conn) (err error) {
		offered = cn.caps
		p, err = cn.plan(q, !c.narrow.Load())
		return err
	})
	if err != nil {
		return session.Plan{}, err
	}
	told := session.Plan{Backend: "imap", Server: p.Server, Local: p.Local, Why: p.Why}
	words := p.keys(session.IDParts{})
	if len(p.only) > 0 {
		told.Server.IDs = p.only
		words = append([]string{fmt.Sprintf("UID <%d ids>", len(p.only))}, words...)
	}
	if len(words) == 0 {
		words = []string{"ALL"}
	}
	reads := session.Reads{Fields: cmp.Or(q.Fields, session.FieldsAll) | p.reads.Fields, WholeHeader: p.reads.WholeHeader}
	told.Commands = []string{shown(searchCommand(strings.Join(words, " "))), "UID FETCH <page> " + offered.fetchItems(reads)}
	if p.local != nil {
		told.Reads = p.reads
		told.ScanLimit = max(0, match.ScanLimit(q))
	}
	return told, nil
}

// shown writes the texts between NULs as quoted strings.
func shown(words string) string {
	parts := strings.Split(words, "\x00")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = quote(parts[i])
	}
	return strings.Join(parts, "")
}
