package faulttable

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
)

// Unused returns the exported functions of the Go file vocabulary that return a
// value of the named type, and that none of the Go files users calls as a member
// of the package: the faults that a test leaves out. It fails where a file cannot
// be parsed.
func Unused(vocabulary, typeName, packageName string, users ...string) ([]string, error) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, vocabulary, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("the vocabulary: %w", err)
	}
	names := map[string]bool{}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.IsExported() && returns(fn, typeName) {
			names[fn.Name.Name] = true
		}
	}
	for _, user := range users {
		f, err := parser.ParseFile(files, user, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("a user of the vocabulary: %w", err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && isNamed(sel.X, packageName) {
				delete(names, sel.Sel.Name)
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(names)), nil
}

func returns(fn *ast.FuncDecl, typeName string) bool {
	r := fn.Type.Results
	return r != nil && len(r.List) == 1 && isNamed(r.List[0].Type, typeName)
}

func isNamed(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
