package profile_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mailsession/mailsession/profile"
)

// everything is a file with every field of the parameters, in sets that have no
// mistakes.
func everything(tb testing.TB) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "everything.json"))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// FuzzLoad: nothing makes Parse panic; what it takes is written and read again as
// the same, and resolving, warning and migrating end.
func FuzzLoad(f *testing.F) {
	f.Add(everything(f))
	for _, s := range []string{
		"", "{}", `{"version": 1, "sets": {}}`, `{"version": 1, "sets": {"a": {}}}`, "[]", "\ufeff{}",
		`{"version": 1.0, "sets": {"a": null}}`, `{"version":1,"sets":{"~/":{"~/":1}}}`,
		string(one(person)), string(one(app)), string(one(hosts + `, "incoming": {"host": "h", "port": 1e2}`)),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := &profile.Options{Resolvers: map[string]profile.Resolver{}}
		file, err := profile.Parse(data, o)
		if err != nil {
			if !utf8.ValidString(err.Error()) {
				t.Errorf("the error is not UTF-8: %q", err)
			}
			return
		}
		written, err := file.MarshalJSON()
		if err != nil {
			t.Fatalf("what loads is not written: %v", err)
		}
		again, err := profile.Parse(written, o)
		if err != nil {
			t.Fatalf("what was written does not load: %v\n%s", err, written)
		}
		if !reflect.DeepEqual(file.Sets, again.Sets) {
			t.Errorf("read again it is\n%+v, want\n%+v", again.Sets, file.Sets)
		}
	})
}

// TestEveryFieldIsWrittenAndReadAgain: testdata has every field of every type.
func TestEveryFieldIsWrittenAndReadAgain(t *testing.T) {
	f := parse(t, everything(t), nil)
	missing := map[string]bool{}
	for _, name := range f.Names() {
		mark(missing, reflect.ValueOf(*f.Sets[name]), "")
	}
	for field, none := range missing {
		if none {
			t.Errorf("no set in testdata has %s", field)
		}
	}
	path := filepath.Join(t.TempDir(), "mail.json")
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	again, err := profile.Load(path, nil)
	if err != nil || !reflect.DeepEqual(f.Sets, again.Sets) {
		t.Errorf("read again: %v\n%+v, want\n%+v", err, again, f.Sets)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want it to be the owner's alone", info.Mode(), err)
	}
	var text map[string]any
	data, err := os.ReadFile(path) //nolint:gosec // G304: a file of the test
	if err != nil || json.Unmarshal(data, &text) != nil || !strings.HasSuffix(string(data), "}\n") {
		t.Errorf("the file holds %s, %v", data, err)
	}
}

// mark notes of each field whether no struct has it so far.
func mark(missing map[string]bool, v reflect.Value, path string) {
	for field, value := range v.Fields() {
		name := path + "." + field.Name
		if was, seen := missing[name]; !seen || was {
			missing[name] = value.IsZero()
		}
		if value.Kind() == reflect.Pointer && !value.IsNil() {
			mark(missing, value.Elem(), name)
		}
	}
}
