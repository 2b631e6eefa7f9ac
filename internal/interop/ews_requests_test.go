//go:build interop

package interop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRequestsOfEWSAreValid: whatever the tests of package ews have its client say to
// the fake Exchange is valid against the schema of the protocol, where
// MAILSESSION_EWS_SCHEMA names its folder. There are no exceptions; requests of
// Autodiscover are of another protocol.
func TestRequestsOfEWSAreValid(t *testing.T) {
	t.Parallel()
	schema := os.Getenv("MAILSESSION_EWS_SCHEMA")
	if schema == "" {
		t.Log("MAILSESSION_EWS_SCHEMA is not set: nothing was checked against the schema")
		return
	}
	dir := t.TempDir()
	tests := exec.CommandContext(t.Context(), "go", "test", "-count=1", "github.com/mailsession/mailsession/ews")
	tests.Env = append(os.Environ(), "MAILSESSION_EWS_REQUESTS="+dir)
	if out, err := tests.CombinedOutput(); err != nil {
		t.Fatalf("the tests that make the requests: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	const fewest = 200 // that there are, by far
	if len(files) < fewest {
		t.Errorf("the tests made %d requests, want %d at least", len(files), fewest)
	}
	kinds := map[string]int{}
	for i, file := range files {
		files[i] = filepath.Base(file)
		kind, _, _ := strings.Cut(files[i], "-")
		kinds[kind]++
	}
	args := append([]string{"--noout", "--schema", filepath.Join(schema, "soap-ews.xsd")}, files...)
	check := exec.CommandContext(t.Context(), "xmllint", args...) //nolint:gosec // G204: files of this test.
	check.Dir = dir
	out, err := check.CombinedOutput()
	valid := strings.Count(string(out), " validates\n")
	if err != nil || valid != len(files) {
		var wrong strings.Builder
		for line := range strings.Lines(string(out)) {
			if !strings.HasSuffix(line, " validates\n") {
				wrong.WriteString(line)
			}
		}
		t.Errorf("not valid against the schema: %v\n%s", err, wrong.String())
	}
	t.Logf("%d of %d requests of %d operations are valid against the schema", valid, len(files), len(kinds))
}
