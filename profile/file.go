package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/mailsession/mailsession/internal/userfile"
	"github.com/mailsession/mailsession/state"
)

// Version is that of the files that this package reads and writes.
const Version = 1

// maxName is the longest name of a set, in bytes.
const maxName = 100

// File is a file of sets. It is made by [Load], [Parse] or [New], and safe for
// concurrent use as long as nobody changes its Sets.
type File struct {
	// Sets are the parameters by the names of the sets. A program that changes
	// them calls Check.
	Sets map[string]*Parameters

	opts   Options
	schema string

	memory sync.Once
	store  *state.Memory
}

// New returns a File without sets; o may be nil.
func New(o *Options) *File {
	f := &File{Sets: map[string]*Parameters{}}
	if o != nil {
		f.opts = *o
	}
	return f
}

// Load reads the file at path. What is wrong in it is an [*InvalidError] with
// every mistake. The options may be nil.
func Load(path string, o *Options) (*File, error) {
	data, err := userfile.Read(path, MaxSize)
	if err != nil {
		return nil, fmt.Errorf("profile: load %s: %w", path, err)
	}
	f, err := Parse(data, o)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	return f, nil
}

// Parse is like [Load], with the content of a file.
func Parse(data []byte, o *Options) (*File, error) {
	f := New(o)
	m := &mistakes{}
	tree, err := parseTree(data, m)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	f.decode(tree, m)
	if err := f.checkInto(m); err != nil {
		return nil, err
	}
	return f, nil
}

// decode puts a tree into the file.
func (f *File) decode(tree any, m *mistakes) {
	root, ok := tree.(*object)
	if !ok {
		m.add("", "the file is "+whatIs(tree), `write an object with "version" and "sets"`)
		return
	}
	names := []string{"$schema", "version", "sets"}
	for _, member := range root.members {
		at := below("", member.name)
		switch member.name {
		case "$schema":
			if f.schema, ok = member.value.(string); !ok {
				m.add(at, "it is "+whatIs(member.value), "write the address of the schema, or leave it out")
			}
		case "version":
			if member.value != json.Number("1") {
				m.add(at, "it is not 1, the only version that this program knows", "use a newer program, or write 1")
			}
		case "sets":
			f.decodeSets(member.value, at, m)
		default:
			m.add(at, fmt.Sprintf("the name %q is not known", cut(member.name)), nearOf(member.name, names))
		}
	}
	if !root.has("version") {
		m.add("/version", "it is missing", `write "version": 1`)
	}
	if !root.has("sets") {
		m.add("/sets", "it is missing", `write "sets": {"name": {…}}`)
	}
}

func (f *File) decodeSets(node any, path string, m *mistakes) {
	sets, ok := node.(*object)
	if !ok {
		m.add(path, "it is "+whatIs(node), "write an object of sets by their names")
		return
	}
	d := decoder{m: m, schemes: f.opts.schemes()}
	for _, member := range sets.members {
		p := &Parameters{}
		if !isObject(member.value) {
			m.add(below(path, member.name), "it is "+whatIs(member.value), "write an object: {…}")
			continue
		}
		d.object(reflect.ValueOf(p).Elem(), member.value, below(path, member.name))
		f.Sets[member.name] = p
	}
}

func isObject(node any) bool {
	_, ok := node.(*object)
	return ok
}

// Names returns the names of the sets, in alphabetical order.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.Sets)) }

// Check returns what is wrong with the sets, every mistake at once, as an
// [*InvalidError]. What references give is looked at by Open.
func (f *File) Check() error { return f.checkInto(&mistakes{}) }

func (f *File) checkInto(m *mistakes) error {
	folded := map[string]string{}
	for _, name := range f.Names() {
		path := setPath(name)
		if reason := checkName(name); reason != "" {
			m.add(path, reason, "rename it")
		}
		if other, twice := folded[strings.ToLower(name)]; twice {
			m.add(path, fmt.Sprintf("the name differs from %q in the case of letters alone", cut(other)), "rename one of the two")
		}
		folded[strings.ToLower(name)] = name
		if f.Sets[name] == nil {
			m.add(path, "there are no parameters", "remove the name")
			continue
		}
		f.checker(m).set(f.Sets[name], path)
	}
	return m.err()
}

// setPath returns where a set is.
func setPath(name string) string { return below("/sets", name) }

// checkName returns what is wrong with the name of a set.
func checkName(name string) string {
	switch {
	case name == "":
		return "the name is empty"
	case len(name) > maxName:
		return fmt.Sprintf("the name is longer than %d bytes", maxName)
	case strings.TrimSpace(name) != name:
		return "the name begins or ends with a space"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }):
		return "the name holds a control character"
	}
	return ""
}

// set returns the parameters of a name.
func (f *File) set(name string) (*Parameters, error) {
	if p := f.Sets[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("profile: there is no set %q; %s", cut(name), nearOf(name, f.Names()))
}

// MarshalJSON implements [json.Marshaler]. It writes references; where a set
// holds a secret itself, the error wraps [ErrLiteralSecret].
func (f *File) MarshalJSON() ([]byte, error) {
	return plainJSON(struct {
		Schema  string                 `json:"$schema,omitempty"`
		Version int                    `json:"version"`
		Sets    map[string]*Parameters `json:"sets"`
	}{f.schema, Version, f.Sets})
}

// text returns the file as it is written.
func (f *File) text() ([]byte, error) {
	plain, err := f.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("profile: write: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, plain, "", "  "); err != nil {
		return nil, fmt.Errorf("profile: write: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// Save writes the file to path: to a new file in the same folder, readable by
// the owner alone, that then takes the place of what was there. A file with
// mistakes, or with secrets themselves, is not written.
func (f *File) Save(path string) error {
	if err := f.Check(); err != nil {
		return err
	}
	data, err := f.text()
	if err != nil {
		return err
	}
	if err := replaceFile(path, data); err != nil {
		return fmt.Errorf("profile: save %s: %w", path, err)
	}
	return nil
}

// replaceFile puts a new file in the place of the one at path.
func replaceFile(path string, data []byte) (err error) {
	t, err := os.CreateTemp(filepath.Dir(path), ".profile-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(t.Name()) // What went wrong before is the news.
		}
	}()
	_, err = t.Write(data)
	if err == nil {
		err = t.Sync()
	}
	if err = errors.Join(err, t.Close()); err != nil {
		return err
	}
	return os.Rename(t.Name(), path)
}

// String returns the names of the sets, and nothing of what is in them.
func (f *File) String() string { return fmt.Sprintf("profile of %d sets", len(f.Sets)) }

// Format implements [fmt.Formatter]: every verb prints String.
func (f *File) Format(s fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = s.Write([]byte(f.String()))
}
