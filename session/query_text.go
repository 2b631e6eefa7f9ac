package session

import (
	"slices"
	"strconv"
	"strings"
)

// ParseQuery reads a query in the words of [ParseFilter] and these:
//
//	in:sent, in:Projects/2026      Folder, by its role or its path; a path that
//	                               reads like a role is written in:path:sent
//	order:oldest, order:newest     OldestFirst
//	limit:50                       Limit
//	after:imap:...                 After, an ID; with a time it is since:
//	fields:flags,header,preview    Fields
//	server:only                    ServerOnly
//	scan:5000, scan:all            ScanLimit
//
// They stand between the terms of the filter, each at most once, outside of
// parentheses:
//
//	in:archive from:ann is:unread order:oldest limit:50
//
// What is wrong is a [*FilterError].
func ParseQuery(text string) (Query, error) {
	var q Query
	p := filterParser{text: text, query: &q, set: map[string]bool{}}
	where, err := p.filter()
	if err != nil {
		return Query{}, err
	}
	q.Where = where
	return q, nil
}

// queryKeys are the words that a query has besides those of its filter.
func queryKeys() []string {
	return []string{"in", "order", "limit", "after", "fields", "server", "scan"}
}

// setting takes a term that is not about the filter, if one is next.
func (p *filterParser) setting() (taken bool, err error) {
	start := p.pos
	key := p.key()
	if !slices.Contains(queryKeys(), key) {
		p.pos = start
		return false, nil
	}
	at := p.pos
	value, err := p.value("")
	if err != nil {
		return false, err
	}
	if _, instant := parseInstant(value); key == "after" && instant {
		p.pos = start
		return false, nil
	}
	if p.set[key] {
		return false, p.fail(start, key+": once")
	}
	p.set[key] = true
	if want := p.query.set(key, value); want != "" {
		return false, p.fail(at, want)
	}
	return true, nil
}

// set sets what a term says, and returns what the value should have been.
func (q *Query) set(key, value string) (want string) {
	switch key {
	case "in":
		if q.Folder = folderOf(value); q.Folder == rolePrefix || q.Folder == pathPrefix {
			return "a folder's role or path"
		}
	case "order":
		if q.OldestFirst = strings.EqualFold(value, "oldest"); !q.OldestFirst && !strings.EqualFold(value, "newest") {
			return "oldest or newest"
		}
	case "limit":
		n, err := strconv.Atoi(value)
		if q.Limit = n; err != nil || n <= 0 {
			return "a number of messages above zero"
		}
	case "after":
		if q.After.UnmarshalText([]byte(value)) != nil {
			return "the id of a message, or a time such as 2026-01-02T15:04:05Z"
		}
	case "fields":
		if !q.Fields.parse(value) {
			return "one or several of " + strings.Join(fieldNames(), ",")
		}
	case "server":
		if q.ServerOnly = strings.EqualFold(value, "only"); !q.ServerOnly {
			return "only"
		}
	case "scan":
		n, err := strconv.Atoi(value)
		if q.ScanLimit = n; strings.EqualFold(value, "all") {
			q.ScanLimit, err = -1, nil
		}
		if err != nil || q.ScanLimit == 0 || q.ScanLimit < -1 {
			return "a number of messages above zero, or all"
		}
	}
	return ""
}

func (f *Fields) parse(value string) (ok bool) {
	for name := range strings.SplitSeq(strings.ToLower(value), ",") {
		i := slices.Index(fieldNames(), name)
		if i < 0 {
			return false
		}
		*f |= 1 << i
	}
	return true
}

// folderOf reads a folder's name: a role, a path, or either with what it is in
// front.
func folderOf(text string) FolderRef {
	switch {
	case strings.HasPrefix(text, rolePrefix), strings.HasPrefix(text, pathPrefix):
		return FolderRef(text)
	case isRole(strings.ToLower(text)):
		return FolderFor(Role(strings.ToLower(text)))
	}
	return FolderAt(text)
}

func isRole(name string) bool {
	switch Role(name) {
	case RoleInbox, RoleSent, RoleDrafts, RoleTrash, RoleJunk, RoleArchive, RoleAll, RoleFlagged, RoleImportant:
		return true
	case RoleNone:
	}
	return false
}

// short returns the shortest text that [folderOf] reads as f.
func (f FolderRef) short() string {
	for _, prefix := range []string{rolePrefix, pathPrefix} {
		if name, ok := strings.CutPrefix(string(f), prefix); ok && folderOf(name) == f {
			return name
		}
	}
	return string(f)
}

// String returns the query in the language of [ParseQuery], which reads it back
// as an equal one where Folder names a folder by a role or a path, or none.
func (q Query) String() string {
	var w filterWriter
	if q.Folder != "" {
		w.term("in:" + quoteValue(q.Folder.short(), ""))
	}
	w.filter(q.Where)
	if q.OldestFirst {
		w.term("order:oldest")
	}
	if q.Limit != 0 {
		w.term("limit:" + strconv.Itoa(q.Limit))
	}
	if !q.After.IsZero() {
		w.term("after:" + quoteValue(q.After.String(), ""))
	}
	if q.Fields != 0 {
		w.term("fields:" + strings.Join(q.Fields.names(), ","))
	}
	if q.ServerOnly {
		w.term("server:only")
	}
	switch {
	case q.ScanLimit < 0:
		w.term("scan:all")
	case q.ScanLimit > 0:
		w.term("scan:" + strconv.Itoa(q.ScanLimit))
	}
	return w.b.String()
}
