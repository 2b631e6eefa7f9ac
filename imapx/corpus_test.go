package imapx_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// recorded is what a server said: untagged responses, and as the last line the
// end of the command without its tag.
type recorded struct{ name, answer string }

// ended gives the responses of a command their end, without the tag, where it is
// among them.
func ended(lines string) string {
	lines = strings.TrimRight(mailtest.CRLF(lines), "\r\n")
	at := max(strings.LastIndex(lines, "\n")+1, 0)
	if last, ok := strings.CutPrefix(lines[at:], "A######## "); ok {
		return lines[:at] + last
	}
	return lines + "\r\nOK done"
}

// files calls f for every file below a folder of the corpus.
func files(t *testing.T, dir, below string, f func(name, text string)) {
	t.Helper()
	root := os.DirFS(dir)
	err := fs.WalkDir(root, below, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, name)
		f(name, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// transcripts are the recorded answers of real servers.
func transcripts(t *testing.T, dir string) (all []recorded) {
	t.Helper()
	files(t, dir, "mailkit-sessions/Imap", func(name, text string) {
		if strings.HasSuffix(name, ".txt") {
			all = append(all, recorded{name, ended(text)})
		}
	})
	return all
}

// malformed are single values that real servers sent, each in the response it
// belongs to.
func malformed(t *testing.T, dir string) (all []recorded) {
	t.Helper()
	text, err := fs.ReadFile(os.DirFS(dir), "mailkit-quirks/imap-quirks.json")
	if err != nil {
		t.Fatal(err)
	}
	var quirks []struct{ Test, Kind, Text string }
	if err := json.Unmarshal(text, &quirks); err != nil {
		t.Fatal(err)
	}
	frames := map[string][2]string{
		"body": {"* 1 FETCH (UID 1 BODYSTRUCTURE ", ")"}, "envelope": {"* 1 FETCH (UID 1 ENVELOPE ", ")"},
		"labels": {"* 1 FETCH (UID 1 X-GM-LABELS ", ")"}, "flags": {"* 1 FETCH (UID 1 FLAGS ", ")"},
		"list": {"* LIST", ""}, "thread": {"* THREAD ", ""}, "other": {"* ", ""},
	}
	for _, q := range quirks {
		frame, ok := frames[q.Kind]
		if !ok {
			t.Fatalf("%s: unknown kind %q", q.Test, q.Kind)
		}
		// The lines inside literals stand as they were sent.
		value := strings.TrimSuffix(q.Text, "\r\n")
		all = append(all, recorded{q.Test, frame[0] + value + frame[1] + "\r\nOK done"})
	}
	return all
}

// scripts are the responses that scripted exchanges expect, those of each script
// as one answer.
func scripts(t *testing.T, dir string) (all []recorded) {
	t.Helper()
	variable := regexp.MustCompile(`\$(\{\w+\}|\w+)`)
	block := regexp.MustCompile(`(?s)\{\{\{\n(.*?)\}\}\}`)
	files(t, dir, "imaptest", func(name, text string) {
		if strings.HasSuffix(name, ".mbox") {
			return
		}
		text = block.ReplaceAllStringFunc(text, func(s string) string {
			data := mailtest.CRLF(s[len("{{{\n") : len(s)-len("}}}")])
			return "{" + strconv.Itoa(len(data)) + "}\n" + data
		})
		all = append(all, recorded{name, ended(responses(variable.ReplaceAllString(text, "1")))})
	})
	return all
}

// responses returns the untagged responses of a text, whose lines end in LF, with
// the literals in them, whose lines end in CRLF.
func responses(text string) string {
	literal := regexp.MustCompile(`\{(\d+)\}$`)
	var b strings.Builder
	inside := false
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		if inside = inside || strings.HasPrefix(line, "* "); !inside {
			continue
		}
		b.WriteString(line + "\r\n")
		inside = false
		if size := literal.FindStringSubmatch(line); size != nil {
			n, err := strconv.Atoi(size[1])
			n = min(n, len(text))
			inside = err == nil
			b.WriteString(text[:n])
			text = text[n:]
		}
	}
	return b.String()
}

// TestCorpusResponses plays every answer of the corpus in every place: the
// connection lives on, or what is wrong is one error, and everything works
// afterwards.
func TestCorpusResponses(t *testing.T) {
	dir := os.Getenv("MAILSESSION_CORPUS")
	if dir == "" {
		t.Log("MAILSESSION_CORPUS is not set: only the answers in testdata are played")
		return
	}
	var trials, done, items, refused int
	kinds := [][]recorded{transcripts(t, dir), malformed(t, dir), scripts(t, dir)}
	for _, all := range kinds {
		for _, r := range all {
			for _, o := range occasions() {
				trials++
				var p played
				t.Run(r.name+"/"+o.name, func(t *testing.T) {
					p = play(t, o, r.answer)
				})
				_, item := errors.AsType[*session.ItemError](p.err)
				switch {
				case item || strings.Contains(p.seen, " error"):
					items++
				case p.err == nil:
					done++
				default:
					refused++
				}
				if p.err != nil && !item && !o.signIn && !answered(p.err) {
					t.Errorf("%s as the answer to %s: %v", r.name, o.command, p.err)
				}
				if !p.alive && !o.signIn || lost(p.err) {
					t.Errorf("%s as the answer to %s: alive %t, %v", r.name, o.command, p.alive, p.err)
				}
			}
		}
	}
	t.Logf("%d transcripts, %d malformed strings and the answers of %d scripts, each in %d places: %d trials, "+
		"of which %d came to their end, %d to an error for one message, %d to the error of one command; each time the next commands worked",
		len(kinds[0]), len(kinds[1]), len(kinds[2]), len(occasions()), trials, done, items, refused)
}

// TestCorpusBodies opens every message of the corpus as the body that a server
// sends.
func TestCorpusBodies(t *testing.T) {
	dir := os.Getenv("MAILSESSION_CORPUS")
	if dir == "" {
		t.Log("MAILSESSION_CORPUS is not set")
		return
	}
	w := newWorld(t, 0, nil, func(_ *session.Server, _ *session.Credentials, o *imapx.Options) { o.PageSize = 20 })
	var texts []string
	for _, below := range []string{"aerc", "mailkit-sessions/Imap/Resources/common", "enmime", "imap_tools/messages", "python-email"} {
		files(t, dir, below, func(name, text string) {
			if filepath.Ext(name) == ".txt" && below != "python-email" || strings.Contains(text, "\x00") {
				return
			}
			texts = append(texts, text)
			if _, err := w.account.Append("INBOX", text, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
	all := list(t, w.client.Messages(t.Context(), session.Query{OldestFirst: true}))
	if len(all) != len(texts) {
		t.Fatalf("%d messages, want %d", len(all), len(texts))
	}
	for i, m := range all {
		if got := read(t, w.client, m.ID); got != texts[i] {
			t.Errorf("message %d: read %d bytes, want %d", i+1, len(got), len(texts[i]))
		}
	}
	if made, _ := w.server.Connections(); made != 1 {
		t.Errorf("%d connections were made, want 1", made)
	}
	t.Logf("%d messages listed and read, byte by byte the same", len(all))
}

// answered reports whether an error says what the server said, or what it did not
// say that cannot be guessed: of which age the folder is, and by which kind of
// number it names messages.
func answered(err error) bool {
	_, refusal := errors.AsType[*imapx.Error](err)
	return refusal || says("gives no UIDVALIDITY")(err) || says("UID ahead of a set of UIDs")(err)
}
