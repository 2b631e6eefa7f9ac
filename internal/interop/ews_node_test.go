//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
)

// TestEWSJavaScriptAPITellsItsStory has ews-javascript-api, a port of the library
// that Microsoft wrote for Exchange, go through a whole mailbox on the fake
// Exchange, which is as strict as the real one, on each release that both know. What
// both sides say is checked against the schema.
func TestEWSJavaScriptAPITellsItsStory(t *testing.T) {
	t.Parallel()
	for _, version := range []ewstest.Version{ewstest.Exchange2016, ewstest.Exchange2013SP1, ewstest.Exchange2010SP2, ewstest.Exchange2007SP1} {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			w := startExchange(t, ewstest.Options{Version: version, Strict: true})
			steps := ewsJavaScriptStory(t, w, version)
			want := []string{"folders", "list", "read", "change", "write", "sync", "pull", "stream", "people", "others", "discover"}
			if !slices.Equal(steps, want) {
				t.Errorf("steps = %q, want %q", steps, want)
			}
			checkEWSSchema(t, w.server.Requests())
		})
	}
}

// ewsJavaScriptStory runs the story and returns the steps that went well.
func ewsJavaScriptStory(t *testing.T, w *exchange, version ewstest.Version) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pythonPatience)
	defer cancel()
	task, err := json.Marshal(map[string]string{
		"url": w.server.URL(), "user": ewsAnn, "other": ewsBob, "secret": w.password.Reveal(), "version": string(version),
	})
	must(t, err)
	cmd := exec.CommandContext(ctx, "node", "ewsjs/story.mjs")
	cmd.Env = append(os.Environ(), "MAILSESSION_STORY="+string(task))
	var stdout, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &said
	if err := cmd.Run(); err != nil {
		t.Errorf("ews-javascript-api: %v\n%s\n%s", err, said.String(), w.last())
	}
	if strings.Contains(stdout.String()+said.String(), w.password.Reveal()) {
		t.Error("ews-javascript-api printed the secret")
	}
	return stepNames(t, &stdout)
}
