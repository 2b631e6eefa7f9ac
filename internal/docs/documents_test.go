package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/profile"
)

// documents returns the documents of the repository by their names.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			texts[name] = read(t, name)
		}
	}
	if len(texts) < 5 {
		t.Fatalf("%d documents", len(texts))
	}
	return texts
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name) //nolint:gosec // G304: the files are those of this repository.
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLinksBetweenDocumentsLeadSomewhere: to files, folders and headings.
func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for name, text := range documents(t) {
		text = block().ReplaceAllString(text, "")
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			target, heading, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := name
			if target != "" {
				file = filepath.Join(filepath.Dir(name), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which is not there", name, found[1])
			} else if heading != "" && !slices.Contains(headings(read(t, file)), heading) {
				t.Errorf("%s links to %s, which has no such heading", name, found[1])
			}
		}
	}
}

// headings returns the headings of a document in the form that links have.
func headings(text string) []string {
	var all []string
	drop := regexp.MustCompile(`[^a-z0-9 _-]`)
	for line := range strings.Lines(text) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			title = drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			all = append(all, strings.ReplaceAll(title, " ", "-"))
		}
	}
	return all
}

// nameWhatIsThere: `package.Name`, `make target`, and the programs and flags of commands.
func nameWhatIsThere(t *testing.T, packages map[string]*source) {
	t.Helper()
	makefile := read(t, filepath.Join(root, "Makefile"))
	name := regexp.MustCompile("`([a-z0-9]+(?:/[a-z0-9]+)*)\\.([A-Z][A-Za-z0-9]*)(?:\\.([A-Z][A-Za-z0-9]*))?")
	target := regexp.MustCompile(`(?m)(?:^ {4}|\x60)make ([a-z0-9-]+)`)
	for file, text := range documents(t) {
		for _, found := range name.FindAllStringSubmatch(text, -1) {
			top, member := found[2], found[3]
			for importPath, p := range packages {
				if importPath != module+"/"+found[1] && p.Name != found[1] {
					continue
				}
				if !has(p, "", top) || member != "" && !has(p, top, member) {
					t.Errorf("%s names %s, which is not there", file, strings.Trim(found[0], "`"))
				}
			}
		}
		for _, found := range target.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+found[1]+":") {
				t.Errorf("%s names `make %s`, and the Makefile has no such target", file, found[1])
			}
		}
		lookAtCommands(t, file, text)
	}
	programs, err := filepath.Glob(filepath.Join(root, "examples/*/*.go"))
	if err != nil || len(programs) == 0 {
		t.Fatalf("%d files of examples, %v", len(programs), err)
	}
	for _, program := range programs {
		lookAtCommands(t, program, strings.ReplaceAll(read(t, program), "\\\n//", ""))
	}
}

// lookAtCommands looks for each program that a text runs, and for its flags.
func lookAtCommands(t *testing.T, file, text string) {
	t.Helper()
	command := regexp.MustCompile(`go run \./(examples/[a-z0-9]+)([^\n\x60]*)`)
	option := regexp.MustCompile(` -([a-z][a-z-]*)`)
	for _, found := range command.FindAllStringSubmatch(text, -1) {
		sources, err := filepath.Glob(filepath.Join(root, found[1], "*.go"))
		if err != nil || len(sources) == 0 {
			t.Errorf("%s runs %s, which is not there", file, found[1])
			continue
		}
		var program strings.Builder
		for _, source := range sources {
			program.WriteString(read(t, source))
		}
		for _, flag := range option.FindAllStringSubmatch(found[2], -1) {
			if !strings.Contains(program.String(), `"`+flag[1]+`"`) {
				t.Errorf("%s runs %s with -%s, which it does not know", file, found[1], flag[1])
			}
		}
	}
}

// block is a piece of code in a document.
func block() *regexp.Regexp { return regexp.MustCompile("(?ms)^```(go|json)\n(.*?)^```$") }

// TestCodeInDocumentsIsRun: each piece of Go stands in a file that is compiled, and is
// run by a test; each profile loads.
func TestCodeInDocumentsIsRun(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if err == nil && filepath.Ext(name) == ".go" {
			code.WriteString(flat(read(t, name)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	texts := documents(t)
	programs, err := filepath.Glob(filepath.Join(root, "examples/*/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		texts[program] = profiles(read(t, program))
	}
	for name, text := range texts {
		for _, found := range block().FindAllStringSubmatch(text, -1) {
			if found[1] == "go" && !strings.Contains(code.String(), flat(found[2])) {
				t.Errorf("%s has code that stands in no file of Go:\n%s", name, found[2])
			}
			if found[1] == "json" {
				if _, err := profile.Parse([]byte(found[2]), nil); err != nil {
					t.Errorf("%s has a profile that does not load: %v", name, err)
				}
			}
		}
	}
}

// profiles returns the profiles in the comment of a program as blocks of a document.
func profiles(program string) string {
	var text strings.Builder
	for _, found := range regexp.MustCompile(`(?m)^//\t\{"version"(?:.*\n//\t)*.*$`).FindAllString(program, -1) {
		text.WriteString("```json\n" + strings.ReplaceAll(found, "//\t", "") + "\n```\n")
	}
	return text.String()
}

// flat returns code without its indentation.
func flat(code string) string {
	return regexp.MustCompile(`(?m)^[\t ]+`).ReplaceAllString(code, "")
}
