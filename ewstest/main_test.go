package ewstest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
)

// documentsFolder is the variable with the folder in which the tests put what was
// said, to be checked against the schema of the protocol. It is empty where there
// is no schema or no validator.
const documentsFolder = "EWSTEST_DOCUMENTS"

// TestMain checks what was said in all tests at once, since reading the schema
// takes longer than most of them.
func TestMain(m *testing.M) {
	if code := runAndValidate(m); code != 0 {
		os.Exit(code) //nolint:forbidigo // A TestMain exits.
	}
}

func runAndValidate(m *testing.M) int {
	schema := os.Getenv("MAILSESSION_EWS_SCHEMA")
	xmllint, err := exec.LookPath("xmllint")
	if schema == "" || err != nil || os.Getenv(documentsFolder) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "ewstest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Setenv(documentsFolder, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(files) == 0 {
		return code
	}
	args := append([]string{"--noout", "--schema", filepath.Join(schema, "soap-ews.xsd")}, files...)
	out, err := exec.CommandContext(context.Background(), xmllint, args...).CombinedOutput() //nolint:gosec // G204, G702: files of these tests.
	if err == nil {
		fmt.Fprintf(os.Stdout, "%d documents are valid against the schema\n", len(files))
		return code
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasSuffix(line, " validates\n") {
			fmt.Fprint(os.Stderr, line)
		}
	}
	fmt.Fprintln(os.Stderr, "not valid against the schema:", err)
	return 1
}

// keepDocuments puts all SOAP answers, and the requests that they were given to,
// where they are checked.
func (b *bed) keepDocuments() {
	b.t.Helper()
	dir := os.Getenv(documentsFolder)
	if dir == "" || b.garbled {
		return
	}
	test := strings.NewReplacer("/", "-", " ", "-").Replace(b.t.Name())
	for i, r := range b.server.Requests() {
		for side, text := range map[string]string{"request": r.Body, "reply": r.Reply} {
			if !strings.Contains(text, "soap/envelope/") || r.Operation == ewstest.Autodiscover || b.unsound && side == "request" {
				continue
			}
			end := "</s:Envelope>"
			if r.Operation == "GetStreamingEvents" && side == "reply" {
				end = "</Envelope>"
			}
			for n, document := range strings.SplitAfter(text, end) {
				if !strings.Contains(document, "Envelope") {
					continue
				}
				if r.Operation == "GetStreamingEvents" {
					// Servers put this one element into another namespace than the schema does.
					document = strings.NewReplacer("<m:Notification>", "<t:Notification>", "</m:Notification>", "</t:Notification>").Replace(document)
				}
				f, err := os.CreateTemp(dir, fmt.Sprintf("%s-%d-%s-%d-%s-*.xml", test, i, r.Operation, n, side))
				if err != nil {
					b.t.Fatal(err)
				}
				_, err = f.WriteString(document)
				if closed := f.Close(); err != nil || closed != nil {
					b.t.Fatal(err, closed)
				}
			}
		}
	}
}
