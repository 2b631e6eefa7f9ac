package statetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/state"
)

// keyTests are about what a record may be called.
func keyTests() []storeTest {
	return []storeTest{
		{"every valid key is a record of its own", testValidKeys},
		{"an invalid key is refused", testInvalidKeys},
	}
}

// validKeys returns keys that are easily taken for each other, or for something
// else.
func validKeys() []string {
	return []string{
		"a", "A", "a/b", "A/b", "a/B", "a/b/c", "ab", "aB", "Ab", "a-b", "a_b", "a.b", "a=b", "a+b", "a@b",
		"a.", "a..", ".a", "..a", "...", "-", "_", "@", "=", "+", "a/.b", "a/b.",
		"con", "CON", "nul.txt", "com1", "lpt1.rec", "a.rec", "a.rec.tmp", "a.lock", "a.tmp",
		"grant/ann@contoso.com", "grant/Ann@Contoso.com", "grant/ann+tag@contoso.com",
		strings.Repeat("k", state.MaxKey), strings.Repeat("K", state.MaxKey),
		strings.Repeat("K", state.MaxKey-1) + "k", strings.Repeat("a/", state.MaxKey/2-1) + "bc",
	}
}

// invalidKeys returns keys that break the rules, each in its way.
func invalidKeys() []string {
	return []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "a/../b", "./a", "a/.",
		"a b", "a\\b", "a:b", "a*", "a?", "a,b", "a!b", "a~b", "a%2Fb", "a\x00", "a\n", "ä", "a\u200b",
		strings.Repeat("k", state.MaxKey+1),
	}
}

func testValidKeys(t *testing.T, s state.Store) {
	t.Helper()
	versions := map[string]state.Version{}
	for _, key := range validKeys() {
		if err := state.CheckKey(key); err != nil {
			t.Errorf("CheckKey(%q): %v", key, err)
		}
		versions[key] = put(t, s, key, "", []byte("the value of "+key))
	}
	for _, key := range validKeys() {
		wantRecord(t, s, key, versions[key], []byte("the value of "+key))
	}
	deleted := validKeys()[0]
	put(t, s, deleted, versions[deleted], nil)
	wantRecord(t, s, deleted, "", nil)
	for _, key := range validKeys()[1:] {
		wantRecord(t, s, key, versions[key], []byte("the value of "+key))
	}
	if _, ok := state.As[state.Lister](s); !ok {
		return
	}
	want := slices.DeleteFunc(validKeys()[1:], func(key string) bool { return strings.HasPrefix(key, ".") })
	slices.Sort(want)
	if got := list(t, s, ""); !slices.Equal(got, want) {
		t.Errorf("List(%q) = %q, want %q", "", got, want)
	}
}

func testInvalidKeys(t *testing.T, s state.Store) {
	t.Helper()
	locker := state.LockerFor(s)
	for _, key := range invalidKeys() {
		if _, err := s.Load(t.Context(), key); !errors.Is(err, state.ErrInvalidKey) {
			t.Errorf("Load(%q): %v, want ErrInvalidKey", key, err)
		}
		if _, err := s.CompareAndSwap(t.Context(), key, "", []byte("v")); !errors.Is(err, state.ErrInvalidKey) {
			t.Errorf("CompareAndSwap(%q): %v, want ErrInvalidKey", key, err)
		}
		if _, err := locker.Lock(t.Context(), key); !errors.Is(err, state.ErrInvalidKey) {
			t.Errorf("Lock(%q): %v, want ErrInvalidKey", key, err)
		}
	}
}
