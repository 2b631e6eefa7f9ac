package ews

import (
	"cmp"
	"fmt"
	"strconv"
)

// version is what a server says it is.
type version struct{ major, minor, build int }

// What some abilities came with.
func exchange2010() version    { return version{14, 0, 0} }
func exchange2010SP1() version { return version{14, 1, 0} }
func exchange2013() version    { return version{15, 0, 0} }

// atLeast reports whether the server is of a version or a later one.
func (v version) atLeast(other version) bool {
	return cmp.Or(cmp.Compare(v.major, other.major), cmp.Compare(v.minor, other.minor), cmp.Compare(v.build, other.build)) >= 0
}

// schema returns the latest version of the published schema that the server knows.
// What is not known yet is taken for the oldest.
func (v version) schema() string {
	for _, s := range []struct {
		since version
		name  string
	}{
		{version{15, 1, 0}, "Exchange2016"},
		{version{15, 0, 847}, "Exchange2013_SP1"},
		{exchange2013(), "Exchange2013"},
		{version{14, 2, 0}, "Exchange2010_SP2"},
		{version{14, 1, 0}, "Exchange2010_SP1"},
		{exchange2010(), "Exchange2010"},
	} {
		if v.atLeast(s.since) {
			return s.name
		}
	}
	return "Exchange2007_SP1"
}

// String returns the version for people.
func (v version) String() string {
	if v == (version{}) {
		return ""
	}
	return fmt.Sprintf("Exchange %d.%d.%d", v.major, v.minor, v.build)
}

// versionOf reads the header ServerVersionInfo.
func versionOf(x *scanner) version {
	number := func(name string) int {
		n, err := strconv.Atoi(x.attr(name))
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	return version{number("MajorVersion"), number("MinorVersion"), number("MajorBuildNumber")}
}
