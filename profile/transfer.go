package profile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/secret"
)

// Sealer encrypts a secret for somebody, as text; see package profile/sealed. The
// resolver of "sealed:" reads it again.
type Sealer func(value secret.Text) (string, error)

// ExportOptions change what is exported. The zero value is all sets, with their
// references.
type ExportOptions struct {
	// Names are the sets; nil means all.
	Names []string
	// Seal has the sets open elsewhere: every reference is resolved here and now,
	// secrets are sealed, and all else stands in the file. The reference of
	// FlowExternal's token stays, since such a token ends soon; so does the
	// store, which the other computer has to have.
	Seal Sealer
}

// Export returns a file of sets for another computer or program. It never holds
// a secret that is not sealed: without Seal, a set with a secret itself is an
// error that wraps [ErrLiteralSecret]. The options may be nil.
func (f *File) Export(ctx context.Context, o *ExportOptions) ([]byte, error) {
	if o == nil {
		o = &ExportOptions{}
	}
	if err := f.Check(); err != nil {
		return nil, err
	}
	names := o.Names
	if names == nil {
		names = f.Names()
	}
	out := New(nil)
	out.schema = f.schema
	for _, name := range names {
		p, err := f.set(name)
		if err != nil {
			return nil, err
		}
		if o.Seal != nil {
			if p, err = f.opts.seal(ctx, p, setPath(name), o.Seal); err != nil {
				return nil, err
			}
		}
		out.Sets[name] = p
	}
	return out.text()
}

// seal returns parameters that need nothing of this computer's.
func (o *Options) seal(ctx context.Context, p *Parameters, path string, seal Sealer) (*Parameters, error) {
	p = p.clone()
	known := o.schemes()
	var errs []error
	walk(reflect.ValueOf(p).Elem(), path, func(l *leaf) {
		reference := l.reference()
		if strings.HasSuffix(l.path, "/external/token") && known.has(reference) {
			return
		}
		value := l.secret.literal
		if known.has(reference) {
			var err error
			if value, err = o.lookup(ctx, l.path, reference); err != nil {
				errs = append(errs, err)
				return
			}
		} else if l.kind != kindSecret {
			return
		}
		errs = append(errs, l.moved(value, seal, known))
	})
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("profile: export: %w", err)
	}
	return p, nil
}

// moved puts a value into a leaf, sealed where it is a secret.
func (l *leaf) moved(value secret.Text, seal Sealer, known schemes) error {
	itself := func(text string) string {
		if known.has(text) {
			return SchemeLiteral + ":" + text
		}
		return text
	}
	switch l.kind {
	case kindSecret:
		text, err := seal(value)
		if err != nil {
			return fmt.Errorf("%s: seal: %w", l.path, err)
		}
		l.secret = Ref(SchemeSealed + ":" + text)
	case kindItem:
		l.items = []string{}
		for _, item := range split(value.Reveal()) {
			l.items = append(l.items, itself(item))
		}
	default:
		l.text = itself(value.Reveal())
	}
	return nil
}

// ImportOptions change what is imported. The zero value is all sets, under their
// names, none of which may be there already.
type ImportOptions struct {
	// Names are the sets, by the names in the imported file; nil means all.
	Names []string
	// Rename gives sets other names.
	Rename map[string]string
	// Overwrite replaces sets of the same name.
	Overwrite bool
}

// ExistsError says that sets of the same names are there already.
type ExistsError struct {
	// Names are those sets, in alphabetical order.
	Names []string
}

// Error returns the names and what to do.
func (e *ExistsError) Error() string {
	return fmt.Sprintf("profile: there are already sets with the names %q; rename those that come, or allow to overwrite them", e.Names)
}

// Import takes the sets of another file, as Export writes it, into this one, and
// returns their names here. It does so with all of them or with none: where a
// name is there already, the error is an [*ExistsError], where the other file has
// mistakes, an [*InvalidError]. The file on the disk is not written; see Save.
// The options may be nil.
func (f *File) Import(data []byte, o *ImportOptions) ([]string, error) {
	if o == nil {
		o = &ImportOptions{}
	}
	other, err := Parse(data, &f.opts)
	if err != nil {
		return nil, err
	}
	names := o.Names
	if names == nil {
		names = other.Names()
	}
	coming := map[string]*Parameters{}
	for _, name := range names {
		p, err := other.set(name)
		if err != nil {
			return nil, err
		}
		if to := o.Rename[name]; to != "" {
			name = to
		}
		if coming[name] != nil {
			return nil, fmt.Errorf("profile: import: two sets would have the name %q; rename one of them", name)
		}
		coming[name] = p
	}
	if err := f.merge(coming, o.Overwrite); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(coming)), nil
}

// merge adds sets, or changes nothing.
func (f *File) merge(coming map[string]*Parameters, overwrite bool) error {
	exists := &ExistsError{}
	for _, name := range slices.Sorted(maps.Keys(coming)) {
		if _, there := f.Sets[name]; there && !overwrite {
			exists.Names = append(exists.Names, name)
		}
	}
	if len(exists.Names) > 0 {
		return exists
	}
	next := &File{Sets: maps.Clone(f.Sets), opts: f.opts}
	if next.Sets == nil {
		next.Sets = map[string]*Parameters{}
	}
	maps.Copy(next.Sets, coming)
	if err := next.Check(); err != nil {
		return err
	}
	f.Sets = next.Sets
	return nil
}
