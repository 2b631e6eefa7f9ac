//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/mailsession/mailsession/profile"
)

// TestTheSchemaByAForeignValidator: the schema is one of draft 2020-12, takes a
// file with every field, and finds what the loader finds, as far as one field
// tells.
func TestTheSchemaByAForeignValidator(t *testing.T) {
	t.Parallel()
	everything, err := os.ReadFile("../../profile/testdata/everything.json")
	must(t, err)
	type document struct {
		text string
		path string // of the mistake, "-" where there is none
	}
	documents := []document{
		{string(everything), "-"},
		{`{"version": 1, "sets": {}}`, "-"},
		{`{"version": 1, "sets": {"a": {"password": "env:P", "account": "a@b.c", "incoming": {"host": "h", "port": "env:PORT"}}}}`, "-"},
		{`{"sets": {}}`, ""},
		{`{"version": 2, "sets": {}}`, "version"},
		{`{"version": 1, "sets": {"": {}}}`, "sets"},
		{`{"version": 1, "sets": {"a": {"clientid": "c"}}}`, "sets/a"},
		{`{"version": 1, "sets": {"a": {"incoming": {"prot": 1}}}}`, "sets/a/incoming"},
		{`{"version": 1, "sets": {"a": {"mode": "readonly"}}}`, "sets/a/mode"},
		{`{"version": 1, "sets": {"a": {"incoming": {"protocol": "SMTP"}}}}`, "sets/a/incoming/protocol"},
		{`{"version": 1, "sets": {"a": {"incoming": {"port": "993"}}}}`, "sets/a/incoming/port"},
		{`{"version": 1, "sets": {"a": {"tenant": null}}}`, "sets/a/tenant"},
		{`{"version": 1, "sets": {"a": {"scopes": [""]}}}`, "sets/a/scopes/0"},
		{`{"version": 1, "sets": {"a": {"store": {"noAccessTokens": "yes"}}}}`, "sets/a/store/noAccessTokens"},
	}
	question := struct {
		Schema    json.RawMessage   `json:"schema"`
		Documents []json.RawMessage `json:"documents"`
	}{Schema: profile.Schema()}
	for _, d := range documents {
		question.Documents = append(question.Documents, json.RawMessage(d.text))
	}
	answers := validate(t, question)
	for i, d := range documents {
		got := "-"
		if answers[i] != nil {
			got = *answers[i]
		}
		if got != d.path {
			t.Errorf("%.80s: the validator finds %q, want %q", d.text, got, d.path)
		}
		if _, err := profile.Parse([]byte(d.text), nil); (err == nil) != (d.path == "-") {
			t.Errorf("%.80s: the loader says %v", d.text, err)
		}
	}
}

// validate asks Python's validator.
func validate(t *testing.T, question any) []*string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	input, err := json.Marshal(question)
	must(t, err)
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", "-B", "testdata/validate_schema.py") // Debian's, which has its packages
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &said
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("validate_schema.py: %v\n%s", err, said.String())
	}
	var answers []*string
	must(t, json.Unmarshal(output, &answers))
	return answers
}
