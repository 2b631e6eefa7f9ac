package statetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/state"
)

// listTests are about the further ability to list keys. Where a Store has none
// they pass.
func listTests() []storeTest {
	return []storeTest{
		{"a listing has the keys with its prefix in order", testList},
		{"a listing can be left, and ends with its context", testListEnds},
	}
}

// list returns the keys of a listing.
func list(t *testing.T, s state.Store, prefix string) []string {
	t.Helper()
	lister, ok := state.As[state.Lister](s)
	if !ok {
		t.Fatal("the Store has no listings")
	}
	var keys []string
	for key, err := range lister.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("List(%q): %v", prefix, err)
		}
		keys = append(keys, key)
	}
	return keys
}

func testList(t *testing.T, s state.Store) {
	t.Helper()
	if _, ok := state.As[state.Lister](s); !ok {
		return
	}
	if got := list(t, s, ""); len(got) != 0 {
		t.Errorf("List of an empty Store = %q, want none", got)
	}
	versions := map[string]state.Version{}
	for _, key := range []string{"b/2", "a", "b/10", "B/1", "b", "b-1", "bb", ".house/1", "b/1/x", "b/1"} {
		versions[key] = put(t, s, key, "", []byte(key))
	}
	put(t, s, "bb", versions["bb"], nil)
	for _, tc := range []struct {
		prefix string
		want   []string
	}{
		{"", []string{"B/1", "a", "b", "b-1", "b/1", "b/1/x", "b/10", "b/2"}},
		{"b", []string{"b", "b-1", "b/1", "b/1/x", "b/10", "b/2"}},
		{"b/", []string{"b/1", "b/1/x", "b/10", "b/2"}},
		{"b/1", []string{"b/1", "b/1/x", "b/10"}},
		{"B", []string{"B/1"}},
		{"c", nil},
		{"b*", nil},
		{"b%", nil},
		{"b_", nil},
		{".h", []string{".house/1"}},
		{".house/", []string{".house/1"}},
	} {
		if got := list(t, s, tc.prefix); !slices.Equal(got, tc.want) {
			t.Errorf("List(%q) = %q, want %q", tc.prefix, got, tc.want)
		}
	}
}

func testListEnds(t *testing.T, s state.Store) {
	t.Helper()
	lister, ok := state.As[state.Lister](s)
	if !ok {
		return
	}
	for _, key := range []string{"a", "b", "c"} {
		put(t, s, key, "", []byte(key))
	}
	for key, err := range lister.List(t.Context(), "") {
		if key != "a" || err != nil {
			t.Errorf("the first item = %q, %v; want a", key, err)
		}
		break
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	items := 0
	for key, err := range lister.List(ended, "") {
		if items++; !errors.Is(err, context.Canceled) {
			t.Errorf("List with an ended context = %q, %v; want context.Canceled", key, err)
		}
	}
	if items != 1 {
		t.Errorf("List with an ended context has %d items, want the error alone", items)
	}
}
