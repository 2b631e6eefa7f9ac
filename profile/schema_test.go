package profile

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestTheSchemaAgreesWithTheTypes makes the schema of the types, their words and
// their comments, and compares it with the published one.
func TestTheSchemaAgreesWithTheTypes(t *testing.T) {
	docs := comments(t)
	defs := map[string]any{
		"reference": map[string]any{
			"description": "A reference to a value: a scheme, a colon, and what its resolver is asked for, such as env:NAME or file:/path.",
			"type":        "string", "pattern": "^[A-Za-z][A-Za-z0-9+.-]*:",
		},
		"secret": map[string]any{
			"description": "A reference to a secret. Programs may allow the secret itself.", "type": "string",
		},
	}
	top := reflect.TypeFor[Parameters]()
	define(defs, docs, top)
	want := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SchemaURL,
		"title": "Mail sessions by name", "type": "object", "additionalProperties": false, "required": []string{"version", "sets"},
		"properties": map[string]any{
			"$schema": map[string]any{"description": "The address of this schema, for editors.", "type": "string"},
			"version": map[string]any{"description": "The version of the format.", "const": Version},
			"sets": map[string]any{
				"description": "The sets by their names, no two of which differ in the case of letters alone.",
				"type":        "object", "propertyNames": map[string]any{"minLength": 1, "maxLength": maxName},
				"additionalProperties": ref(top),
			},
		},
		"$defs": defs,
	}
	text := indented(t, want)
	if os.Getenv("UPDATE_SCHEMA") != "" {
		if err := os.WriteFile("schema.json", text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(text, schema) {
		t.Errorf("schema.json is not that of the types; UPDATE_SCHEMA=1 go test ./profile -run Schema writes\n%s", text)
	}
}

func indented(t *testing.T, v any) []byte {
	t.Helper()
	plain, err := plainJSON(v)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, plain, "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

// ref returns a reference to the definition of a struct.
func ref(s reflect.Type) map[string]any {
	return map[string]any{"$ref": "#/$defs/" + strings.ToLower(s.Name()[:1]) + s.Name()[1:]}
}

// define adds the definition of a struct, and of those in it.
func define(defs map[string]any, docs map[string]string, s reflect.Type) {
	properties := map[string]any{}
	for f := range s.Fields() {
		p := typeOf(defs, docs, f.Type, f.Tag)
		if doc := docs[s.Name()+"."+f.Name]; doc != "" {
			p["description"] = doc
		}
		properties[nameOf(f)] = p
	}
	name := strings.TrimPrefix(ref(s)["$ref"].(string), "#/$defs/") //nolint:forcetypeassert // ref makes it
	defs[name] = map[string]any{
		"description": docs[s.Name()], "type": "object", "additionalProperties": false, "properties": properties,
	}
}

// typeOf returns the schema of a field's type.
func typeOf(defs map[string]any, docs map[string]string, t reflect.Type, tag reflect.StructTag) map[string]any {
	text := map[string]any{"type": "string"}
	orReference := func(s map[string]any) map[string]any {
		return map[string]any{"anyOf": []any{s, map[string]any{"$ref": "#/$defs/reference"}}}
	}
	switch {
	case t.Kind() == reflect.Pointer:
		define(defs, docs, t.Elem())
		return ref(t.Elem())
	case t == reflect.TypeFor[List]():
		items := map[string]any{"type": "array", "items": map[string]any{"type": "string", "minLength": 1}}
		return map[string]any{"anyOf": []any{items, text}}
	case t.Kind() == reflect.Slice:
		item := typeOf(defs, docs, t.Elem(), "")
		return map[string]any{"anyOf": []any{map[string]any{"type": "array", "items": item}, item}}
	case t.Kind() == reflect.Map:
		return map[string]any{
			"type": "object", "propertyNames": map[string]any{"minLength": 1}, "additionalProperties": typeOf(defs, docs, t.Elem(), ""),
		}
	}
	switch what, words := kindOf(t, tag); what {
	case kindSecret:
		return map[string]any{"$ref": "#/$defs/secret"}
	case kindNumber:
		return orReference(map[string]any{"type": "number"})
	case kindFlag:
		return orReference(map[string]any{"type": "boolean"})
	case kindWord:
		return orReference(map[string]any{"enum": words})
	default:
		return text
	}
}

// comments returns the comments of all structs and their fields. A field without
// one shares that of the fields before it.
func comments(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "parameters.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range decl.Specs {
			s, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			docs[s.Name.Name] = plainText(decl.Doc.Text())
			fields, ok := s.Type.(*ast.StructType)
			if !ok {
				continue
			}
			last := ""
			for _, f := range fields.Fields.List {
				if f.Doc != nil {
					last = plainText(f.Doc.Text())
				}
				for _, name := range f.Names {
					docs[s.Name.Name+"."+name.Name] = last
				}
			}
		}
	}
	return docs
}

func plainText(doc string) string { return strings.Join(strings.Fields(doc), " ") }
