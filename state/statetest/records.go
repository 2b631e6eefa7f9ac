package statetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/state"
)

// bigValue is the size of the suite's big value: some megabytes, more than any
// buffer on the way.
const bigValue = 5<<20 + 17

// recordTests are about one record.
func recordTests() []storeTest {
	return []storeTest{
		{"a key without a record is the zero Record", func(t *testing.T, s state.Store) {
			t.Helper()
			wantRecord(t, s, "none", "", nil)
		}},
		{"what was written is read, with the version that was returned", testRoundTrip},
		{"an empty value is a record, a nil value is none", testEmptyAndNil},
		{"values belong to the caller", testOwnValues},
		{"a version that is not the record's is refused and changes nothing", testConflicts},
		{"versions never repeat", testVersions},
		{"a big value is kept", testBigValue},
		{"a context that has ended changes nothing", testEndedContext},
		{"an update sees the newest value and keeps what it made of it", testUpdate},
	}
}

func testRoundTrip(t *testing.T, s state.Store) {
	t.Helper()
	var version state.Version
	for _, value := range []string{"one", "two\n\nlines\n", "\x00\xff\r\n", strings.Repeat("long ", 1000), "one"} {
		version = put(t, s, "a", version, []byte(value))
		wantRecord(t, s, "a", version, []byte(value))
		wantRecord(t, s, "a", version, []byte(value))
	}
	wantRecord(t, s, "b", "", nil)
}

func testEmptyAndNil(t *testing.T, s state.Store) {
	t.Helper()
	v := put(t, s, "a", "", []byte{})
	wantRecord(t, s, "a", v, []byte{})
	wantConflict(t, s, "a", "", nil)
	put(t, s, "a", v, nil)
	wantRecord(t, s, "a", "", nil)
	put(t, s, "a", "", nil)
	wantRecord(t, s, "a", "", nil)
}

func testOwnValues(t *testing.T, s state.Store) {
	t.Helper()
	value := []byte("written")
	v := put(t, s, "a", "", value)
	copy(value, "changed")
	wantRecord(t, s, "a", v, []byte("written"))
	copy(load(t, s, "a").Value, "changed")
	wantRecord(t, s, "a", v, []byte("written"))
}

func testConflicts(t *testing.T, s state.Store) {
	t.Helper()
	first := put(t, s, "a", "", []byte("first"))
	wantConflict(t, s, "a", "", []byte("made again"))
	second := put(t, s, "a", first, []byte("second"))
	wantConflict(t, s, "a", first, []byte("late"))
	wantConflict(t, s, "a", first, nil)
	wantConflict(t, s, "b", second, []byte("of another key"))
	wantConflict(t, s, "b", second, nil)
	wantRecord(t, s, "a", second, []byte("second"))
	wantRecord(t, s, "b", "", nil)
	put(t, s, "a", second, nil)
	wantConflict(t, s, "a", second, []byte("deleted meanwhile"))
	wantRecord(t, s, "a", "", nil)
}

func testVersions(t *testing.T, s state.Store) {
	t.Helper()
	seen := map[state.Version]bool{"": true}
	var version state.Version
	for i := range 40 {
		version = put(t, s, "a", version, []byte("the same"))
		if seen[version] {
			t.Fatalf("version %q of write %d was used before", version, i)
		}
		seen[version] = true
		if i%4 == 3 {
			version = put(t, s, "a", version, nil)
		}
	}
}

func testBigValue(t *testing.T, s state.Store) {
	t.Helper()
	value := make([]byte, bigValue)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(value) // It never fails.
	v := put(t, s, "big", "", value)
	wantRecord(t, s, "big", v, value)
	v = put(t, s, "big", v, value[:10])
	wantRecord(t, s, "big", v, value[:10])
}

func testEndedContext(t *testing.T, s state.Store) {
	t.Helper()
	v := put(t, s, "a", "", []byte("kept"))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Load(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Load with an ended context: %v, want context.Canceled", err)
	}
	if _, err := s.CompareAndSwap(ended, "a", v, []byte("changed")); !errors.Is(err, context.Canceled) {
		t.Errorf("CompareAndSwap with an ended context: %v, want context.Canceled", err)
	}
	wantRecord(t, s, "a", v, []byte("kept"))
}

func testUpdate(t *testing.T, s state.Store) {
	t.Helper()
	var saw []string
	interfere := put(t, s, "a", "", []byte("old"))
	r, err := state.Update(t.Context(), s, "a", func(value []byte) ([]byte, error) {
		saw = append(saw, string(value))
		if len(saw) == 1 {
			put(t, s, "a", interfere, []byte("newer"))
		}
		return append(value, " and mine"...), nil
	})
	if got, want := fmt.Sprint(saw), "[old newer]"; err != nil || got != want {
		t.Errorf("Update saw %s, error %v; want %s", got, err, want)
	}
	wantRecord(t, s, "a", r.Version, []byte("newer and mine"))

	refused := errors.New("not like this")
	if _, err := state.Update(t.Context(), s, "a", func([]byte) ([]byte, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Errorf("Update whose change fails: %v, want that error", err)
	}
	wantRecord(t, s, "a", r.Version, []byte("newer and mine"))
}
