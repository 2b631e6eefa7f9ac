package message

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// A ThreadEntry is what [Threads] has to know of a message.
type ThreadEntry struct {
	// ID is the message's identifier without angle brackets, or "".
	ID string
	// References are the identifiers of the messages that it answers, the oldest
	// first.
	References []string
	// Subject is the decoded subject.
	Subject string
	// Date is when the message was sent, or the zero time if that is not known.
	Date time.Time
}

// ThreadEntry returns what [Threads] has to know of the message. Where there are
// no References, the first identifier in In-Reply-To counts, as RFC 5256 section
// 3 says.
func (h Header) ThreadEntry() ThreadEntry {
	e := ThreadEntry{ID: h.MessageID(), References: h.References(), Subject: h.Subject()}
	if len(e.References) == 0 {
		e.References = parseIDs(h.Get("In-Reply-To"), 1)
	}
	if date, ok := h.Date(); ok {
		e.Date = date
	}
	return e
}

// A Thread is a message of a conversation and the answers to it.
type Thread struct {
	// Entry is the index of the message among those given to [Threads], or -1
	// where messages belong together whose common origin is not among them.
	Entry int
	// Children are the answers, by date.
	Children []*Thread
}

// ThreadOptions say how messages are put together. The zero value is the
// algorithm of RFC 5256.
type ThreadOptions struct {
	// ReferencesOnly leaves apart what only has the same [BaseSubject]. Else all
	// messages with the subject "Invoice" that answer nothing are one thread, as
	// the RFC wants it.
	ReferencesOnly bool
}

// Threads puts messages together into conversations, by the algorithm REFERENCES
// of RFC 5256 section 3, which goes back to Jamie Zawinski. Each message is in
// one thread. Threads are by the date of their first message, answers by theirs;
// messages of one date are in the order given, and so are those without a date,
// before all others.
//
// It makes the best of what is there: messages without an identifier, several
// with the same, references that go round in circles and chains of any length.
// What a message says of itself counts more than what others say of it, whichever
// comes first, so that the result does not depend on the order but for ties. The
// time grows with n log n.
func Threads(entries []ThreadEntry, opts *ThreadOptions) []*Thread {
	t := threader{entries: entries, nodes: make([]threadNode, 0, len(entries)), ids: make(map[string]int32, len(entries))}
	t.addAll()
	t.link()
	roots := t.trees()
	if opts == nil || !opts.ReferencesOnly {
		roots = t.gather(roots)
	}
	t.sort(roots)
	return roots
}

// A threader puts messages together.
type threader struct {
	entries []ThreadEntry
	nodes   []threadNode // those of the entries first, in their order
	ids     map[string]int32
}

// A threadNode is a message, or one that is only referred to.
type threadNode struct {
	parent int32 // or noNode
	set    int32 // of the union-find structure: towards the representative
}

const noNode = -1

// addAll makes the nodes of the messages.
func (t *threader) addAll() {
	for _, e := range t.entries {
		n := t.add()
		if _, taken := t.ids[e.ID]; e.ID != "" && !taken {
			t.ids[e.ID] = n
		}
	}
}

// add makes a node.
func (t *threader) add() int32 {
	n := int32(len(t.nodes)) //nolint:gosec // G115: as many messages do not fit into memory
	t.nodes = append(t.nodes, threadNode{parent: noNode, set: n})
	return n
}

// node returns the node of an identifier.
func (t *threader) node(id string) int32 {
	n, ok := t.ids[id]
	if !ok {
		n = t.add()
		t.ids[id] = n
	}
	return n
}

// find returns the representative of the tree that n is in.
func (t *threader) find(n int32) int32 {
	for t.nodes[n].set != n {
		t.nodes[n].set = t.nodes[t.nodes[n].set].set
		n = t.nodes[n].set
	}
	return n
}

// adopt makes child a child of parent, unless it has a parent or that would make
// a circle. A child without a parent is the root of its tree, so that there is a
// circle only if both are in one tree.
func (t *threader) adopt(parent, child int32) {
	if t.nodes[child].parent != noNode {
		return
	}
	p, c := t.find(parent), t.find(child)
	if p == c {
		return
	}
	t.nodes[child].parent = parent
	t.nodes[c].set = p
}

// link makes parents of what is referred to: first of what each message names
// last, then of what they say about each other. Where they differ, the oldest
// counts: the list of references is cut as it grows.
func (t *threader) link() {
	order := make([]int32, len(t.entries))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(t.entries[a].Date.Compare(t.entries[b].Date), cmp.Compare(a, b))
	})
	for _, i := range order {
		if refs := t.entries[i].References; len(refs) > 0 {
			t.adopt(t.node(refs[len(refs)-1]), i)
		}
	}
	for _, i := range order {
		last := int32(noNode)
		for _, id := range t.entries[i].References {
			n := t.node(id)
			if last != noNode {
				t.adopt(last, n)
			}
			last = n
		}
	}
}

// trees returns the trees of the messages. Those that are only referred to are
// left out, but for one that holds several threads together.
func (t *threader) trees() []*Thread {
	threads := make([]Thread, len(t.nodes))
	above := t.above()
	var roots []*Thread
	for i := range t.entries {
		threads[i].Entry = i
	}
	for i := len(t.entries); i < len(threads); i++ {
		threads[i].Entry = noNode
	}
	for i := range t.entries {
		if a := above[i]; a != noNode {
			threads[a].Children = append(threads[a].Children, &threads[i])
		} else {
			roots = append(roots, &threads[i])
		}
	}
	for i := len(t.entries); i < len(threads); i++ {
		switch children := threads[i].Children; {
		case len(children) == 1:
			roots = append(roots, children[0])
		case len(children) > 1:
			roots = append(roots, &threads[i])
		}
	}
	return roots
}

// above returns for each node the nearest message above it, or if there is none
// the top of its tree.
func (t *threader) above() []int32 {
	above := make([]int32, len(t.nodes))
	known := make([]bool, len(t.nodes))
	var way []int32
	for i := range t.nodes {
		n := int32(i)
		for !known[n] {
			known[n] = true
			way = append(way, n)
			if t.nodes[n].parent == noNode {
				above[n] = noNode
				way = way[:len(way)-1]
				break
			}
			n = t.nodes[n].parent
		}
		for len(way) > 0 {
			n := way[len(way)-1]
			way = way[:len(way)-1]
			parent := t.nodes[n].parent
			above[n] = parent
			if int(parent) >= len(t.entries) && above[parent] != noNode {
				above[n] = above[parent]
			}
		}
	}
	return above
}

// first returns the message that a thread begins with.
func (t *threader) first(th *Thread) *Thread {
	if th.Entry != noNode {
		return th
	}
	return slices.MinFunc(th.Children, t.compare)
}

// compare orders messages by date, and then as they were given.
func (t *threader) compare(a, b *Thread) int {
	return cmp.Or(t.entries[a.Entry].Date.Compare(t.entries[b.Entry].Date), cmp.Compare(a.Entry, b.Entry))
}

// A subjectThread is the thread that others of its subject are put to.
type subjectThread struct {
	index   int // among the roots
	derived bool
}

// gather puts threads of the same subject together (RFC 5256 section 3, step 5).
func (t *threader) gather(roots []*Thread) []*Thread {
	t.sortRoots(roots)
	table := make(map[string]subjectThread, len(roots))
	subjects := make([]string, len(roots))
	derived := make([]bool, len(roots))
	for i, root := range roots {
		subject, isDerived := baseSubject(t.entries[t.first(root).Entry].Subject)
		subjects[i], derived[i] = strings.ToLower(subject), isDerived
		if subject == "" {
			continue
		}
		old, ok := table[subjects[i]]
		isDummy := root.Entry == noNode
		if !ok || isDummy && roots[old.index].Entry != noNode || roots[old.index].Entry != noNode && old.derived && !isDerived {
			table[subjects[i]] = subjectThread{i, isDerived}
		}
	}
	for i, root := range roots {
		s, ok := table[subjects[i]]
		if !ok || s.index == i {
			continue
		}
		roots[i] = nil
		roots[s.index] = join(roots[s.index], root, derived[i] && !s.derived)
	}
	return slices.DeleteFunc(roots, func(th *Thread) bool { return th == nil })
}

// join puts thread b to a, both of one subject. If b is an answer and a is not,
// it goes below a's message.
func join(a, b *Thread, answers bool) *Thread {
	switch {
	case a.Entry == noNode && b.Entry == noNode:
		a.Children = append(a.Children, b.Children...)
		return a
	case a.Entry == noNode || answers:
		a.Children = append(a.Children, b)
		return a
	}
	return &Thread{Entry: noNode, Children: []*Thread{a, b}}
}

// sort orders threads by their first message, and children by date.
func (t *threader) sort(roots []*Thread) {
	todo := slices.Clone(roots)
	for len(todo) > 0 {
		th := todo[len(todo)-1]
		todo = append(todo[:len(todo)-1], th.Children...)
		slices.SortFunc(th.Children, t.compare)
	}
	t.sortRoots(roots)
}

// sortRoots orders threads by their first message.
func (t *threader) sortRoots(roots []*Thread) {
	type keyed struct{ first, thread *Thread }
	list := make([]keyed, len(roots))
	for i, th := range roots {
		list[i] = keyed{t.first(th), th}
	}
	slices.SortFunc(list, func(a, b keyed) int { return t.compare(a.first, b.first) })
	for i, k := range list {
		roots[i] = k.thread
	}
}
