package ewstest

import (
	"slices"
	"strconv"
)

// page is the part of a list that a request asks for.
type page struct {
	from, to, next, total int
	last                  bool
	indexed               bool
}

// page finds the part that the view of a request asks for, within the bound of
// the server. Both views may be nil.
func (c *call) page(indexed, fractional *node, total int) (page, error) {
	p := page{total: total, indexed: indexed != nil}
	view := indexed
	if view == nil {
		view = fractional
	}
	count := view.number("MaxEntriesReturned", c.server.options.MaxPage)
	if count <= 0 {
		return p, fail("ErrorInvalidPagingMaxRows", "MaxRows must be greater than zero.")
	}
	count = min(count, c.server.options.MaxPage)
	offset := indexed.number("Offset", 0)
	if fractional != nil && indexed == nil {
		denominator := fractional.number("Denominator", 0)
		numerator := fractional.number("Numerator", -1)
		if denominator <= 0 || numerator < 0 || numerator > denominator {
			return p, fail("ErrorInvalidFractionalPagingParameters", "The paging parameters are invalid.")
		}
		offset = total * numerator / denominator
	}
	if offset < 0 {
		return p, fail("ErrorInvalidIndexedPagingParameters", "The paging parameters are invalid.")
	}
	offset = min(offset, total)
	if indexed.attr("BasePoint") == "End" {
		p.to = total - offset
		p.from = max(0, p.to-count)
		p.next, p.last = total-p.from, p.from == 0
		return p, nil
	}
	p.from, p.to = offset, min(total, offset+count)
	p.next, p.last = p.to, p.to == total
	return p, nil
}

// seekable refuses a view by condition where that is younger than the server, or than
// the version that the client asks for.
func (c *call) seekable() error {
	switch {
	case c.req.child("SeekToConditionPageItemView") == nil:
		return nil
	case !c.server.options.Version.atLeast("Exchange2013"):
		return violation("The element 'FindItem' has invalid child element 'SeekToConditionPageItemView'.")
	case !c.version.atLeast("Exchange2013"):
		return fail("ErrorIncorrectSchemaVersion", "SeekToConditionPageItemView cannot be used with this version of the request.")
	}
	return nil
}

// itemPage finds the part of what FindItem found that its view asks for.
func (c *call) itemPage(found []*item) (page, error) {
	seek := c.req.child("SeekToConditionPageItemView")
	if seek == nil {
		return c.page(c.req.child("IndexedPageItemView"), c.req.child("FractionalPageItemView"), len(found))
	}
	p := page{total: len(found)}
	count := seek.number("MaxEntriesReturned", c.server.options.MaxPage)
	if count <= 0 {
		return p, fail("ErrorInvalidPagingMaxRows", "MaxRows must be greater than zero.")
	}
	meets, err := restriction(seek.child("Condition"))
	if err != nil {
		return p, err
	}
	count = min(count, c.server.options.MaxPage)
	met := func(it *item) bool { return meets(it.lookup()) }
	if seek.attr("BasePoint") == "End" { // and on from there towards the beginning
		p.to = len(found)
		for p.to > 0 && !met(found[p.to-1]) {
			p.to--
		}
		p.from = max(0, p.to-count)
		p.next, p.last = p.total-p.from, p.from == 0
		return p, nil
	}
	if p.from = slices.IndexFunc(found, met); p.from < 0 {
		p.from = len(found)
	}
	p.to = min(p.total, p.from+count)
	p.next, p.last = p.to, p.to == p.total
	return p, nil
}

// attrs returns what is said of the page in RootFolder.
func (p page) attrs() []string {
	return []string{
		"IndexedPagingOffset", strconv.Itoa(p.next), "TotalItemsInView", strconv.Itoa(p.total),
		"IncludesLastItemInRange", strconv.FormatBool(p.last),
	}
}
