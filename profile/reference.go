package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/mailsession/mailsession/secret"
)

// The schemes of references. Options.Resolvers may add others.
const (
	// SchemeEnv names a variable of the environment: "env:MAIL_TOKEN".
	SchemeEnv = "env"
	// SchemeFile names a file: "file:/run/secrets/mail".
	SchemeFile = "file"
	// SchemeCmd is a program with its arguments: "cmd:pass show mail/ann".
	SchemeCmd = "cmd"
	// SchemeSystemd names a credential of a systemd service: "systemd:mail".
	SchemeSystemd = "systemd"
	// SchemeKeyring names an entry of a keyring, as the program's resolver
	// reads it.
	SchemeKeyring = "keyring"
	// SchemeSealed is a value that is encrypted for somebody; see Export and
	// package profile/sealed.
	SchemeSealed = "sealed"
	// SchemeLiteral is the text behind the colon itself, for one that looks like
	// a reference. A secret in it is a literal one.
	SchemeLiteral = "literal"
)

// Resolver gives what a reference stands for, which is behind the scheme in
// what. It must return when ctx ends, and its errors must not hold the value;
// they are shown. White space at the end of a value is cut off by the caller.
type Resolver func(ctx context.Context, what string) (secret.Text, error)

// DefaultResolvers returns those that stand in where Options.Resolvers is nil:
// [Env], [Files] and [Systemd]. They read; [Commands] runs programs, which whoever
// can write the file then chooses, and is for the program to allow.
func DefaultResolvers() map[string]Resolver {
	return map[string]Resolver{SchemeEnv: Env, SchemeFile: Files, SchemeSystemd: Systemd}
}

// schemes are what a text has to begin with to be a reference.
type schemes map[string]bool

func schemesOf(resolvers map[string]Resolver) schemes {
	known := schemes{}
	for _, s := range []string{SchemeEnv, SchemeFile, SchemeCmd, SchemeSystemd, SchemeKeyring, SchemeSealed, SchemeLiteral} {
		known[s] = true
	}
	for s := range maps.Keys(resolvers) {
		known[s] = true
	}
	return known
}

// has reports whether a text is a reference.
func (s schemes) has(text string) bool {
	scheme, _, ok := strings.Cut(text, ":")
	return ok && s[scheme]
}

// examples returns how references to secrets look.
func (s schemes) examples() []string { return []string{"env:NAME", "file:/path", "systemd:name"} }

// ReferenceError says that a reference leads to nothing.
type ReferenceError struct {
	// Path is that of the field, as in [Mistake].
	Path string
	// Reference is the reference.
	Reference string
	// Err is why it cannot be resolved.
	Err error
}

// Error returns where, what and why.
func (e *ReferenceError) Error() string {
	return fmt.Sprintf("%s: %s cannot be resolved: %v", e.Path, shown(e.Reference), e.Err)
}

// Unwrap returns the cause.
func (e *ReferenceError) Unwrap() error { return e.Err }

// lookup resolves one reference. What stands behind the last "#" is a property of
// what it gives.
func (o *Options) lookup(ctx context.Context, path, reference string) (secret.Text, error) {
	scheme, what, _ := strings.Cut(reference, ":")
	if scheme == SchemeLiteral {
		return secret.New(what), nil
	}
	value, err := o.call(ctx, scheme, what)
	if err != nil {
		return secret.Text{}, &ReferenceError{Path: path, Reference: reference, Err: err}
	}
	return value, nil
}

func (o *Options) call(ctx context.Context, scheme, what string) (secret.Text, error) {
	resolve := o.resolvers()[scheme]
	if resolve == nil {
		return secret.Text{}, fmt.Errorf("the program has no resolver for %q: %w; pass one in Options.Resolvers", scheme, errors.ErrUnsupported)
	}
	name := ""
	if i := strings.LastIndexByte(what, '#'); i >= 0 && scheme != SchemeSealed {
		what, name = what[:i], what[i+1:]
	}
	value, err := resolve(ctx, what)
	if err != nil {
		return secret.Text{}, err
	}
	text := value.Reveal()
	if utf8.ValidString(text) && !strings.Contains(text, "\x00") { // and no PFX file
		text = strings.TrimRight(text, "\r\n\t ")
	}
	if name == "" {
		return secret.New(text), nil
	}
	return property(text, name)
}

// property returns the value of a name in a JSON object of texts, or in lines of
// the form name=value or name: value. The case of a name does not matter, nor do
// "-", "_" and "." in it. Its errors quote nothing but the name.
func property(text, name string) (secret.Text, error) {
	values := map[string]string{}
	if trimmed := strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")); strings.HasPrefix(trimmed, "{") {
		var fields map[string]any
		if json.Unmarshal([]byte(trimmed), &fields) != nil {
			return secret.Text{}, errors.New("it begins like JSON and is not an object")
		}
		for key, value := range fields {
			if s, ok := value.(string); ok {
				values[plainName(key)] = s
			}
		}
	} else {
		for line := range strings.Lines(text) {
			key, value := propertyLine(line)
			if key != "" {
				values[plainName(key)] = value
			}
		}
	}
	value, ok := values[plainName(name)]
	if !ok {
		return secret.Text{}, fmt.Errorf("there is no property %q in it", name)
	}
	return secret.New(value), nil
}

// propertyLine divides a line of a properties file, "" for one that holds none.
func propertyLine(line string) (key, value string) {
	line = strings.TrimSpace(line)
	i := strings.IndexAny(line, "=:")
	if i <= 0 || line[0] == '#' || line[0] == '!' || line[0] == ';' {
		return "", ""
	}
	value = strings.TrimSpace(line[i+1:])
	if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	return strings.TrimSpace(line[:i]), value
}

// plainName is a name without what writers of files differ in.
func plainName(name string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// resolve returns p with every reference replaced by what it stands for.
func (o *Options) resolve(ctx context.Context, p *Parameters, path string) (*Parameters, error) {
	p = p.clone()
	known, done := o.schemes(), map[string]secret.Text{}
	var errs []error
	walk(reflect.ValueOf(p).Elem(), path, func(l *leaf) {
		reference := l.reference()
		if !known.has(reference) || o.late(l.path) {
			return
		}
		value, was := done[reference]
		if !was {
			var err error
			if value, err = o.lookup(ctx, l.path, reference); err != nil {
				errs = append(errs, err)
				return
			}
			done[reference] = value
		}
		if value.IsZero() && (l.path == path+"/password" || l.path == path+"/tokenFile") {
			errs = append(errs, &ReferenceError{Path: l.path, Reference: reference, Err: errors.New("it gives an empty text")})
		}
		switch l.kind {
		case kindSecret:
			l.secret = Literal(value)
		case kindItem:
			l.items = split(value.Reveal())
		default:
			l.text = value.Reveal()
		}
	})
	if len(errs) > 0 {
		return nil, fmt.Errorf("profile: %w", errors.Join(errs...))
	}
	return p, nil
}

// late reports whether a reference is resolved when it is used, and not before.
func (o *Options) late(path string) bool {
	return strings.HasSuffix(path, "/external/token") || strings.HasSuffix(path, "/refreshToken")
}
