package layering_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goWork is what `go work edit -json` prints.
type goWork struct {
	Go  string
	Use []struct{ DiskPath string }
}

// goMod is what `go mod edit -json` prints.
type goMod struct {
	Module  struct{ Path string }
	Go      string
	Replace []struct {
		Old struct{ Path string }
		New struct{ Path string }
	}
}

// TestModulesAreListedOnce compares the go.mod files of the tree with the file
// that the Makefile loops over and with go.work: a module that is missing from
// one of them is never checked.
func TestModulesAreListedOnce(t *testing.T) {
	t.Parallel()
	found := modulesInTree(t)
	listed, err := os.ReadFile(filepath.Join(root, "modules"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(listed)); !slices.Equal(got, found) {
		t.Errorf("the file modules lists %q, want %q, the folders with a go.mod", got, found)
	}
	var work goWork
	decode(t, goCommand(t, "work", "edit", "-json"), &work)
	var used []string
	for _, use := range work.Use {
		used = append(used, path.Clean(use.DiskPath))
	}
	if !slices.Equal(used, found) {
		t.Errorf("go.work uses %q, want %q, the folders with a go.mod", used, found)
	}
}

// TestModulesAgree checks that every module is named by its folder, asks for
// one Go version, the one of go.work, and takes the module at the root, and other
// modules of the tree, from the tree.
func TestModulesAgree(t *testing.T) {
	t.Parallel()
	var work goWork
	decode(t, goCommand(t, "work", "edit", "-json"), &work)
	for _, dir := range modulesInTree(t) {
		var mod goMod
		decode(t, goCommand(t, "mod", "edit", "-json", path.Join(dir, "go.mod")), &mod)
		if want := path.Join(module, dir); mod.Module.Path != want {
			t.Errorf("%s/go.mod is of the module %s, want %s", dir, mod.Module.Path, want)
		}
		if mod.Go != work.Go {
			t.Errorf("%s/go.mod asks for Go %s and go.work for %s, want one version", dir, mod.Go, work.Go)
		}
		if dir == "." {
			continue
		}
		replaced := map[string]bool{}
		for _, r := range mod.Replace {
			replaced[r.Old.Path] = path.Join(module, dir, r.New.Path) == r.Old.Path
			if !replaced[r.Old.Path] {
				t.Errorf("%s/go.mod replaces %s by %s, want modules of the tree alone, by their folders", dir, r.Old.Path, r.New.Path)
			}
		}
		if !replaced[module] {
			t.Errorf("%s/go.mod replaces %v, want the root module among it", dir, mod.Replace)
		}
	}
}

// modulesInTree returns the folders that hold a go.mod, by their path from the
// root, sorted.
func modulesInTree(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && name != "."
		if entry.IsDir() && (hidden || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if entry.Name() == "go.mod" {
			dirs = append(dirs, path.Dir(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(dirs)
	return dirs
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
