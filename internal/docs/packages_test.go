// Package docs_test holds what is written about the library to what is there: package
// comments, Examples, and the documents beside the code.
package docs_test

import (
	"go/ast"
	"go/build"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/mailsession/mailsession"
)

// source is a package with its files.
type source struct {
	*doc.Package

	fset  *token.FileSet
	files []*ast.File // what they export, without those of tests
}

// load reads the package in a folder, nil where there is none.
func load(t *testing.T, dir, importPath string) *source {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	s := &source{fset: token.NewFileSet()}
	all := make([]*ast.File, 0, len(names))
	for _, name := range names {
		if match, err := build.Default.MatchFile(dir, filepath.Base(name)); !match || err != nil {
			continue
		}
		f, err := parser.ParseFile(s.fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
		if !strings.HasSuffix(name, "_test.go") {
			s.files = append(s.files, f)
		}
	}
	if len(s.files) == 0 {
		return nil
	}
	if s.Package, err = doc.NewFromFiles(s.fset, all, importPath, doc.PreserveAST); err != nil {
		t.Fatal(err)
	}
	for _, f := range s.files {
		ast.FileExports(f)
		f.Decls = slices.DeleteFunc(f.Decls, func(d ast.Decl) bool {
			method, ok := d.(*ast.FuncDecl)
			return ok && method.Recv != nil && !ast.IsExported(receiver(method))
		})
	}
	return s
}

// public returns the packages that programs import, by their import paths.
func public(t *testing.T) map[string]*source {
	t.Helper()
	packages := map[string]*source{}
	hidden := regexp.MustCompile(`^(\..+|internal|testdata|bench|examples|node_modules)$`)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if hidden.MatchString(d.Name()) && d.Name() != ".." {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		importPath := path.Join(module, filepath.ToSlash(rel))
		if p := load(t, name, importPath); p != nil {
			packages[importPath] = p
		}
		return nil
	})
	if err != nil || len(packages) < 20 {
		t.Fatalf("%d public packages, %v", len(packages), err)
	}
	return packages
}

// TestPublicPackages: each shows its use, links lead somewhere, and documents name what
// is there.
func TestPublicPackages(t *testing.T) {
	t.Parallel()
	packages := public(t)
	showTheirUse(t, packages)
	for name, p := range packages {
		for _, what := range p.undocumented() {
			t.Errorf("%s.%s has no comment", name, what)
		}
	}
	linkSomewhere(t, packages)
	nameWhatIsThere(t, packages)
}

// showTheirUse: by a comment, and by an Example that is run.
func showTheirUse(t *testing.T, packages map[string]*source) {
	t.Helper()
	for name, p := range packages {
		if len(p.Doc) < 100 {
			t.Errorf("package %s says no more of itself than %q", name, p.Doc)
		}
		examples := p.Examples
		for _, f := range p.Funcs {
			examples = append(examples, f.Examples...)
		}
		for _, ty := range p.Types {
			examples = append(examples, ty.Examples...)
			for _, f := range append(ty.Funcs, ty.Methods...) {
				examples = append(examples, f.Examples...)
			}
		}
		runs := false
		for _, e := range examples {
			runs = runs || e.Output != ""
		}
		if !runs {
			t.Errorf("package %s has %d Examples, and none that is run", name, len(examples))
		}
	}
}

// undocumented returns the names that have no comment, of their own or of their group:
// functions, types and their methods, constants and variables.
func (s *source) undocumented() []string {
	var bare []string
	values := func(all []*doc.Value) {
		for _, v := range all {
			for _, spec := range v.Decl.Specs {
				if of, ok := spec.(*ast.ValueSpec); ok && v.Doc == "" && of.Doc == nil && of.Comment == nil {
					bare = append(bare, of.Names[0].Name)
				}
			}
		}
	}
	functions := func(all []*doc.Func, of string) {
		for _, f := range all {
			if f.Doc == "" {
				bare = append(bare, of+f.Name)
			}
		}
	}
	values(s.Consts)
	values(s.Vars)
	functions(s.Funcs, "")
	for _, ty := range s.Types {
		if ty.Doc == "" {
			bare = append(bare, ty.Name)
		}
		values(ty.Consts)
		values(ty.Vars)
		functions(ty.Funcs, "")
		functions(ty.Methods, ty.Name+".")
	}
	return bare
}

// unresolved is what looks like a link to a name of Go, and is text.
func unresolved() *regexp.Regexp {
	return regexp.MustCompile(`\[\*?(?:[a-z][a-z0-9/]*\.)?[A-Z]+[a-z][A-Za-z0-9]*(?:\.[A-Z][A-Za-z0-9]*)?\]`)
}

// linkSomewhere looks at all comments on what is exported, those of fields included.
func linkSomewhere(t *testing.T, packages map[string]*source) {
	t.Helper()
	l := &links{t: t, text: unresolved(), public: packages, others: map[string]*source{}}
	for _, p := range packages {
		reader := p.Parser()
		for _, f := range p.files {
			ast.Inspect(f, func(n ast.Node) bool {
				if group, ok := n.(*ast.CommentGroup); ok {
					for _, dead := range l.dead(reader.Parse(group.Text())) {
						t.Errorf("%s: %s leads nowhere", p.fset.Position(group.Pos()), dead)
					}
				}
				return true
			})
		}
	}
}

// links looks where the links of comments lead.
type links struct {
	t      *testing.T
	text   *regexp.Regexp     // what looks like a link
	public map[string]*source // by import paths
	others map[string]*source // what links led to besides
}

// dead returns the links of a comment that lead nowhere, and the names in its code that
// are not there.
func (l *links) dead(d *comment.Doc) []string {
	var dead []string
	for _, block := range d.Content {
		switch block := block.(type) {
		case *comment.Code:
			dead = append(dead, l.unknown(block.Text)...)
		case *comment.Paragraph:
			dead = append(dead, l.deadIn(block.Text)...)
		case *comment.Heading:
			dead = append(dead, l.deadIn(block.Text)...)
		case *comment.List:
			for _, item := range block.Items {
				for _, b := range item.Content {
					if p, ok := b.(*comment.Paragraph); ok {
						dead = append(dead, l.deadIn(p.Text)...)
					}
				}
			}
		}
	}
	return dead
}

// deadIn returns the links of a text that lead nowhere.
func (l *links) deadIn(text []comment.Text) []string {
	var dead []string
	for _, piece := range text {
		switch piece := piece.(type) {
		case comment.Plain:
			dead = append(dead, l.text.FindAllString(string(piece), -1)...)
		case *comment.DocLink:
			if piece.ImportPath != "" && !l.has(piece.ImportPath, piece.Recv, piece.Name) {
				dead = append(dead, "["+piece.ImportPath+"."+strings.TrimPrefix(piece.Recv+"."+piece.Name, ".")+"]")
			}
		}
	}
	return dead
}

// unknown returns the names of public packages that code uses and that are not there.
func (l *links) unknown(code string) []string {
	var dead []string
	for _, found := range regexp.MustCompile(`\b([a-z0-9]+)\.([A-Z][A-Za-z0-9]*)`).FindAllStringSubmatch(code, -1) {
		for _, p := range l.public {
			if p.Name == found[1] && !has(p, "", found[2]) {
				dead = append(dead, found[0])
			}
		}
	}
	return dead
}

// has reports whether a package has a name, or a type of it has that method or field.
// Third-party packages are taken at their word.
func (l *links) has(importPath, recv, name string) bool {
	p, ok := l.public[importPath]
	if !ok {
		p, ok = l.others[importPath]
	}
	if !ok {
		inside, ours := strings.CutPrefix(importPath, module)
		dir := filepath.Join(root, filepath.FromSlash(inside))
		if !ours {
			dir = filepath.Join(build.Default.GOROOT, "src", filepath.FromSlash(importPath))
		}
		if _, err := os.Stat(dir); err != nil {
			return !ours
		}
		p = load(l.t, dir, importPath)
		l.others[importPath] = p
	}
	return p != nil && (name == "" || has(p, recv, name))
}

// has reports whether a package declares a name, at its top or in a type.
func has(p *source, recv, name string) bool {
	for _, f := range p.files {
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == name && receiver(d) == recv {
					return true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if declares(spec, recv, name) {
						return true
					}
				}
			}
		}
	}
	return false
}

// receiver returns the name of a method's type, "" of a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	if id, ok := of.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// declares reports whether a declaration has a name, or its type recv has a field or
// method of that name.
func declares(spec ast.Spec, recv, name string) bool {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		for _, id := range s.Names {
			if recv == "" && id.Name == name {
				return true
			}
		}
	case *ast.TypeSpec:
		if recv == "" {
			return s.Name.Name == name
		}
		if s.Name.Name != recv {
			return false
		}
		var members *ast.FieldList
		switch of := s.Type.(type) {
		case *ast.StructType:
			members = of.Fields
		case *ast.InterfaceType:
			members = of.Methods
		default:
			return false
		}
		for _, field := range members.List {
			for _, id := range field.Names {
				if id.Name == name {
					return true
				}
			}
		}
	}
	return false
}
