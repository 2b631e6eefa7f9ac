// Package layering checks what each package of the module links: which other
// packages of the module and which third-party modules, directly or through
// others. The table of its test is the list of what is allowed; docs/design.md
// says why the layers are the way they are.
//
// A linter sees the imports of one file. This looks at the whole graph, so a
// dependency that comes in through a third package is seen too.
package layering

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Package is what `go list -deps -json` says of one package; the field names
// are those of its output.
type Package struct {
	ImportPath string
	Standard   bool
	Imports    []string // direct
	Deps       []string // direct and indirect
	Module     *Module  // nil for the standard library
}

// A Module is the module that a package belongs to.
type Module struct {
	Path string
}

// A Rule says what one package may link, directly or through others.
type Rule struct {
	// Packages are packages of the same module, named by their path in it. A
	// name that ends in "/*" stands for all packages below.
	Packages []string
	// Modules are third-party modules.
	Modules []string
	// Testing allows the package testing, which is for conformance suites, and
	// for nothing else: linked into a program it brings flags and weight.
	Testing bool
	// Log allows a direct import of the package log, which is for programs:
	// a library logs to the *slog.Logger it is given.
	Log bool
}

// Check compares the packages of a module with the table of what each may link
// and returns one sentence for each difference, in a stable order. Packages is
// the whole graph: the module's packages and all they depend on. A package
// without a rule is a difference, and so is a rule without a package.
func Check(module string, packages []Package, table map[string]Rule) []string {
	g := graph{module: module, byPath: map[string]Package{}}
	for _, p := range packages {
		g.byPath[p.ImportPath] = p
	}
	var found []string
	seen := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(g.byPath)) {
		name, ours := g.name(path)
		if !ours {
			continue
		}
		seen[name] = true
		rule, ok := table[name]
		if !ok {
			found = append(found, name+" has no row in the table; add one that says what it may link")
			continue
		}
		found = append(found, g.check(path, rule)...)
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if !seen[name] {
			found = append(found, name+" has a row in the table, but there is no such package")
		}
	}
	return found
}

// Links returns what the named packages of a module link together: packages of
// the module by their path in it, all others by their import path.
func Links(module string, packages []Package, names ...string) map[string]bool {
	g := graph{module: module}
	links := map[string]bool{}
	for _, p := range packages {
		if name, ours := g.name(p.ImportPath); !ours || !slices.Contains(names, name) {
			continue
		}
		for _, path := range append([]string{p.ImportPath}, p.Deps...) {
			if name, ours := g.name(path); ours {
				path = name
			}
			links[path] = true
		}
	}
	return links
}

// A graph is a module's packages with all they depend on.
type graph struct {
	module string
	byPath map[string]Package
}

// name returns the path of a package inside of the module, "." for its root,
// and whether it is a package of the module at all.
func (g graph) name(path string) (string, bool) {
	if path == g.module {
		return ".", true
	}
	return strings.CutPrefix(path, g.module+"/")
}

// check returns what one package links against its rule.
func (g graph) check(path string, rule Rule) []string {
	var found []string
	p := g.byPath[path]
	name, _ := g.name(path)
	for _, dep := range slices.Sorted(slices.Values(p.Deps)) {
		if reason := g.refuse(dep, rule); reason != "" {
			found = append(found, fmt.Sprintf("%s may not link %s (%s)", name, reason, g.chain(path, dep)))
		}
	}
	if !rule.Log && slices.Contains(p.Imports, "log") {
		found = append(found, name+" may not import log; a library uses the *slog.Logger it is given")
	}
	return found
}

// refuse returns what a dependency is called where a rule does not allow it,
// and the empty string where it does.
func (g graph) refuse(dep string, rule Rule) string {
	d := g.byPath[dep]
	name, ours := g.name(dep)
	switch {
	case ours && !allows(rule.Packages, name):
		return name
	case ours, d.Standard && (rule.Testing || dep != "testing"):
		return ""
	case d.Standard:
		return dep
	case d.Module == nil:
		return dep + ", which is in no module"
	case !slices.Contains(rule.Modules, d.Module.Path):
		return "the module " + d.Module.Path
	default:
		return ""
	}
}

// allows reports whether a list of names and "name/*" patterns has a name.
func allows(list []string, name string) bool {
	return slices.ContainsFunc(list, func(allowed string) bool {
		if below, ok := strings.CutSuffix(allowed, "*"); ok {
			return strings.HasPrefix(name, below)
		}
		return allowed == name
	})
}

// chain returns one shortest way from a package to its dependency, so that the
// import to take out is found at once.
func (g graph) chain(from, to string) string {
	cameFrom := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to {
			break
		}
		for _, next := range g.byPath[queue[0]].Imports {
			if _, known := cameFrom[next]; !known {
				cameFrom[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	way := []string{to}
	for at := cameFrom[to]; at != ""; at = cameFrom[at] {
		way = append(way, at)
	}
	slices.Reverse(way)
	return strings.Join(way, " imports ")
}
