package ews

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"
)

// recorded returns the answers of testdata, and those of the folder that
// MAILSESSION_EWS_FIXTURES names, by their names.
func recorded(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	roots := []string{"testdata/answers"}
	if more := os.Getenv("MAILSESSION_EWS_FIXTURES"); more != "" {
		roots = append(roots, more)
	}
	for _, root := range roots {
		files := os.DirFS(root)
		err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "xml") {
				return err
			}
			all[path], err = fs.ReadFile(files, path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestRecordedAnswersAreRead: what servers said is read to its end, and as the
// standard library reads it where that can.
func TestRecordedAnswersAreRead(t *testing.T) {
	var agreed, alone int
	for name, text := range recorded(t) {
		got, err := flat(bytes.NewReader(text))
		want, ok := standard(text)
		switch {
		case ok && (err != nil || got != want):
			t.Errorf("%s reads as %.200q, %v; encoding/xml reads %.200q", name, got, err, want)
		case ok:
			agreed++
		case err == nil:
			alone++
		}
	}
	t.Logf("%d documents are read as encoding/xml reads them, %d more that it does not read", agreed, alone)
}

// TestRecordedRepliesLoseNothing: each response message is told, and each item and
// folder in it.
func TestRecordedRepliesLoseNothing(t *testing.T) {
	var files, replies, items, folders, refused int
	for name, text := range recorded(t) {
		if !bytes.Contains(text, []byte("ResponseMessages>")) || !bytes.Contains(text, []byte("Envelope")) {
			continue
		}
		a := &answer{scanner: newScanner(bytes.NewReader(text)), conn: &conn{}, request: &request{op: "Recorded", single: true}}
		if err := a.envelope(); err != nil {
			continue // a fragment, which the other test has read
		}
		said := tally{}
		if err := said.read(a); err != nil {
			if _, ok := standard(text); ok {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		_, plain, _ := strings.Cut(string(text), "ResponseMessages>")
		_, ok := standard(text)
		if want := strings.Count(plain, "ResponseClass="); ok && want > 0 && said.replies != want && path.Ext(name) == ".xml" {
			t.Errorf("%s: %d response messages are told, it has %d", name, said.replies, want)
		}
		files, replies, items, folders, refused = files+1, replies+said.replies, items+said.items, folders+said.folders, refused+said.refused
	}
	t.Logf("%d answers with %d response messages, %d of which are refusals: %d items and %d folders", files, replies, refused, items, folders)
	if files == 0 {
		t.Error("no answer was read")
	}
}

// tally counts what an answer has.
type tally struct{ replies, items, folders, refused int }

func (n *tally) read(a *answer) error {
	var read func(_ int, name string) error
	read = func(_ int, name string) error {
		switch name {
		case "RootFolder":
			return a.children(func(name string) error { return read(0, name) })
		case "Items":
			return a.children(func(string) error {
				it := &itemInfo{}
				err := a.children(func(name string) error {
					if name == "MimeContent" {
						_, err := io.Copy(io.Discard, a.content())
						return err
					}
					return a.property(it, name)
				})
				if err == nil && it.id != "" {
					n.items++
				}
				return err
			})
		case "Folders":
			return a.children(func(string) error {
				f, err := a.folder()
				if err == nil && f.id != "" {
					n.folders++
				}
				return err
			})
		}
		return nil
	}
	return a.replies(read, func(_ int, err error) error {
		n.replies++
		if _, refusal := errors.AsType[*Error](err); refusal {
			n.refused++
			return nil
		}
		return err
	})
}

// TestRecordedFaults: a fault tells its code, and how long to wait.
func TestRecordedFaults(t *testing.T) {
	codes := map[string]int{}
	for name, text := range recorded(t) {
		a := &answer{scanner: newScanner(bytes.NewReader(text)), conn: &conn{}, request: &request{op: "Recorded"}}
		if err := a.envelope(); err != nil || a.name != "Fault" {
			continue
		}
		e, ok := errors.AsType[*Error](a.fault(&Error{Status: http.StatusInternalServerError}))
		if !ok {
			t.Errorf("%s: the fault is told as %v", name, e)
			continue
		}
		codes[e.Code]++
		if e.Code == "ErrorServerBusy" && bytes.Contains(text, []byte("BackOffMilliseconds")) && e.RetryAfter() == 0 {
			t.Errorf("%s: the wait is not told", name)
		}
	}
	t.Logf("faults by code: %v", codes)
	if codes["ErrorServerBusy"] == 0 {
		t.Error("no fault of a busy server was read")
	}
}
