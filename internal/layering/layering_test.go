package layering_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/layering"
)

const (
	module = "github.com/mailsession/mailsession"
	root   = "../.."
)

// TestPackagesLinkOnlyWhatTheTableAllows is the guard of the layers. Where it
// fails, the import is wrong more often than the table.
func TestPackagesLinkOnlyWhatTheTableAllows(t *testing.T) {
	t.Parallel()
	for _, difference := range layering.Check(module, list(t), table()) {
		t.Error(difference)
	}
}

// TestProgramsLinkNothingTheyDoNotUse looks at what is linked together by a
// program that imports a few packages.
func TestProgramsLinkNothingTheyDoNotUse(t *testing.T) {
	t.Parallel()
	packages := list(t)
	for _, program := range programs() {
		t.Run(program.name, func(t *testing.T) {
			t.Parallel()
			links := layering.Links(module, packages, program.imports...)
			for _, name := range program.imports {
				if !links[name] {
					t.Errorf("the program imports %s, and there is no such package", name)
				}
			}
			for _, path := range slices.Sorted(maps.Keys(links)) {
				if refused(path, program.never) {
					t.Errorf("a program that imports %s links %s", strings.Join(program.imports, " and "), path)
				}
			}
		})
	}
}

// refused reports whether a path is one of the list or below one of it.
func refused(path string, list []string) bool {
	return slices.ContainsFunc(list, func(never string) bool {
		return path == never || strings.HasPrefix(path, never+"/")
	})
}

// TestCheckFindsPlantedViolations plants one fault at a time in a small module.
func TestCheckFindsPlantedViolations(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		plant func(packages map[string]*layering.Package, table map[string]layering.Rule)
		want  []string
	}{{
		name:  "nothing",
		plant: func(map[string]*layering.Package, map[string]layering.Rule) {},
	}, {
		name: "a package of the module",
		plant: func(p map[string]*layering.Package, _ map[string]layering.Rule) {
			imports(p, "m/core", "m/other")
		},
		want: []string{"core may not link other (m/core imports m/other)"},
	}, {
		name: "a package of the module through an allowed one",
		plant: func(p map[string]*layering.Package, r map[string]layering.Rule) {
			imports(p, "m/internal/wire", "m/other")
			imports(p, "m/core", "m/other")
			p["m/core"].Imports = []string{"fmt", "m/internal/wire"}
			r["internal/wire"] = layering.Rule{Packages: []string{"other"}}
		},
		want: []string{"core may not link other (m/core imports m/internal/wire imports m/other)"},
	}, {
		name: "a third-party module",
		plant: func(p map[string]*layering.Package, r map[string]layering.Rule) {
			imports(p, "m/core", "third.party/imap/client")
			r["other"] = layering.Rule{Modules: []string{"third.party/imap"}}
		},
		want: []string{"core may not link the module third.party/imap (m/core imports third.party/imap/client)"},
	}, {
		name: "testing",
		plant: func(p map[string]*layering.Package, r map[string]layering.Rule) {
			imports(p, "m/core", "testing")
			imports(p, "m/other", "testing")
			r["other"] = layering.Rule{Testing: true}
		},
		want: []string{"core may not link testing (m/core imports testing)"},
	}, {
		name: "log",
		plant: func(p map[string]*layering.Package, r map[string]layering.Rule) {
			imports(p, "m/core", "log")
			imports(p, "m/other", "log")
			r["other"] = layering.Rule{Log: true}
		},
		want: []string{"core may not import log; a library uses the *slog.Logger it is given"},
	}, {
		name: "a package without a row",
		plant: func(p map[string]*layering.Package, _ map[string]layering.Rule) {
			p["m/new"] = &layering.Package{ImportPath: "m/new"}
		},
		want: []string{"new has no row in the table; add one that says what it may link"},
	}, {
		name: "a row without a package",
		plant: func(_ map[string]*layering.Package, r map[string]layering.Rule) {
			r["old"] = layering.Rule{}
		},
		want: []string{"old has a row in the table, but there is no such package"},
	}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			packages, table := smallModule()
			tc.plant(packages, table)
			var graph []layering.Package
			for _, p := range packages {
				graph = append(graph, *p)
			}
			if got := layering.Check("m", graph, table); !slices.Equal(got, tc.want) {
				t.Errorf("Check found %q, want %q", got, tc.want)
			}
		})
	}
}

// smallModule returns a module m without a fault, and its table.
func smallModule() (map[string]*layering.Package, map[string]layering.Rule) {
	packages := map[string]*layering.Package{}
	for _, p := range []layering.Package{
		{ImportPath: "fmt", Standard: true},
		{ImportPath: "log", Standard: true},
		{ImportPath: "testing", Standard: true},
		{ImportPath: "third.party/imap/client", Module: &layering.Module{Path: "third.party/imap"}},
		{ImportPath: "m/internal/wire", Imports: []string{"fmt"}, Deps: []string{"fmt"}},
		{ImportPath: "m/core", Imports: []string{"fmt", "m/internal/wire"}, Deps: []string{"fmt", "m/internal/wire"}},
		{ImportPath: "m/other"},
	} {
		packages[p.ImportPath] = &p
	}
	return packages, map[string]layering.Rule{
		"internal/wire": {},
		"core":          {Packages: []string{"internal/*"}},
		"other":         {},
	}
}

// imports makes one package of a graph import another.
func imports(packages map[string]*layering.Package, from, to string) {
	p := packages[from]
	p.Imports = append(slices.Clone(p.Imports), to)
	p.Deps = append(slices.Clone(p.Deps), to)
}

// list returns the packages of the module and all they depend on.
func list(t *testing.T) []layering.Package {
	t.Helper()
	touchSources(t)
	out := goCommand(t, "list", "-deps", "-json=ImportPath,Standard,Imports,Deps,Module", "./...")
	var packages []layering.Package
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p layering.Package
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("read the output of go list: %v", err)
		}
		packages = append(packages, p)
	}
}

// touchSources looks at every source file, because go test takes what a test
// looks at into the key of its cache, and not what the go command reads for
// the test. Without it, a violation in another package would hide behind a
// cached result.
func touchSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
		if err == nil && (filepath.Ext(name) == ".go" || filepath.Base(name) == "go.mod") {
			_, err = os.Stat(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goCommand runs the go command at the root of the repository and returns what
// it prints.
func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...) //nolint:gosec // G204: the arguments are those of this file.
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}
