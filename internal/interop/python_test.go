//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// A pythonLogin is how a Python story signs in.
type pythonLogin struct {
	address  string // host:port
	security string // none, tls or starttls
	ca       string // PEM file
	user     string
	auth     string // password, xoauth2 or oauthbearer
	secret   secret.Text
}

// A step is a line that a Python story prints; each step has the fields that
// its function in testdata fills in.
type step struct {
	Step         string
	OK           bool
	Reason       string
	Challenge    string
	Capabilities []string
	Extensions   []string
	Folders      []struct {
		Name, Delimiter string
		Flags           []string
	}
	Messages    []pythonMessage
	UnreadAfter int `json:"unread_after"`
	UID         int
	CopyUID     string
	Left        []int
	Flags       []string
	Message     pythonMessage
	Accepted    []string
	Refused     map[string][]any

	// Of POP3: Raw and Top are base64.
	Name, Raw, Top string
	Size, Count    int
}

// A pythonMessage is a message as imaplib and Python's email package see it.
type pythonMessage struct {
	UID, Size, Bytes  int
	Flags             []string
	MessageID         string `json:"message_id"`
	InReplyTo         string `json:"in_reply_to"`
	From, To, Subject string
	Text              string
	Attachments       []string
}

// pythonPatience limits how long a story may take.
const pythonPatience = 2 * time.Minute

// pythonStory runs a story that has to go well and returns its steps.
func pythonStory(t *testing.T, script string, login pythonLogin, args ...string) []step {
	t.Helper()
	steps, code, stderr := runPython(t, script, login, args...)
	if code != 0 {
		t.Fatalf("%s ended with code %d after %d steps: %s", script, code, len(steps), stderr)
	}
	return steps
}

// pythonRefused runs a story whose login has to be refused and returns the
// challenge that came with the refusal.
func pythonRefused(t *testing.T, script string, login pythonLogin, args ...string) (challenge string) {
	t.Helper()
	steps, code, stderr := runPython(t, script, login, args...)
	const refused = 3
	if code != refused || len(steps) != 1 || steps[0].OK {
		t.Fatalf("%s ended with code %d and %+v, want a refused login: %s", script, code, steps, stderr)
	}
	return steps[0].Challenge
}

// runPython runs one of the scripts in testdata with the interpreter of the
// PATH. The secret goes through the environment.
func runPython(t *testing.T, script string, login pythonLogin, args ...string) (steps []step, code int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pythonPatience)
	defer cancel()
	_, port, err := net.SplitHostPort(login.address)
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{
		"-B", filepath.Join("testdata", script),
		"--port", port, "--security", login.security, "--ca", login.ca, "--user", login.user, "--auth", login.auth,
	}, args...)
	cmd := exec.CommandContext(ctx, "python3", args...) //nolint:gosec // G204: the script is one of testdata.
	cmd.Env = append(os.Environ(), "MAILSESSION_STORY_SECRET="+login.secret.Reveal())
	var stdout, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &said
	err = cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatalf("%s: %v", script, err)
	}
	if s := login.secret.Reveal(); strings.Contains(stdout.String()+said.String(), s) {
		t.Errorf("%s printed the secret of %s", script, login.user)
	}
	for dec := json.NewDecoder(&stdout); ; {
		var next step
		if err := dec.Decode(&next); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: read what it printed: %v", script, err)
		}
		steps = append(steps, next)
	}
	return steps, cmd.ProcessState.ExitCode(), said.String()
}

// pythonWays are the two servers and what is needed to sign in to them as ann
// and bob.
type pythonWays struct {
	imap, smtp pythonLogin // as ann, who receives and answers
	secrets    map[string]secret.Text
}

// as returns a login with the name and the secret of another user.
func (w pythonWays) as(login pythonLogin, user string) pythonLogin {
	login.user, login.secret = user, w.secrets[user]
	return login
}

// tellPythonStory goes through one working day: bob has written to ann twice; ann
// reads both, answers the first, files both in two ways, and bob gets the
// answer. The two messages are in ann's INBOX already.
func tellPythonStory(t *testing.T, ways pythonWays, questions []pythonMessage) {
	t.Helper()
	read := pythonStory(t, "imap_story.py", ways.imap, "folders", "unread=INBOX")
	wantInbox(t, read, questions)

	answer := pythonMessage{
		MessageID: "<answer@example.test>", InReplyTo: questions[0].MessageID,
		From: ann, To: bob, Subject: "Re: " + questions[0].Subject, Text: "Grüße, Ann\n.\nEnd\n",
	}
	sent := pythonStory(t, "smtp_story.py", ways.smtp,
		"--from", answer.From, "--to", answer.To, "--subject", answer.Subject, "--text", answer.Text,
		"--message-id", answer.MessageID, "--in-reply-to", answer.InReplyTo)
	if got := sent[len(sent)-1]; !slices.Equal(got.Accepted, []string{bob}) || len(got.Refused) != 0 {
		t.Errorf("send accepted %q and refused %v, want %q accepted", got.Accepted, got.Refused, bob)
	}

	filed := pythonStory(t, "imap_story.py", ways.imap,
		"answered=INBOX,"+questions[0].MessageID,
		"move=INBOX,"+questions[0].MessageID+",Archive",
		"copy=INBOX,"+questions[1].MessageID+",Archive",
		"unread=INBOX")
	wantFiled(t, filed, questions)

	arrived := pythonStory(t, "imap_story.py", ways.as(ways.imap, bob), "await=INBOX,"+answer.MessageID)
	wantMessage(t, "the answer", arrived[len(arrived)-1].Message, answer)
}

// wantInbox checks what ann saw before she did anything.
func wantInbox(t *testing.T, steps []step, questions []pythonMessage) {
	t.Helper()
	folders := map[string][]string{}
	for _, folder := range steps[1].Folders {
		folders[folder.Name] = folder.Flags
	}
	if _, ok := folders["INBOX"]; !ok || !slices.Contains(folders["Archive"], `\Archive`) {
		t.Errorf(`folders = %v, want an INBOX and an Archive with the flag \Archive`, folders)
	}
	unread := steps[2]
	if len(unread.Messages) != len(questions) || unread.UnreadAfter != len(questions) {
		t.Fatalf("unread: %d messages, afterwards %d, want %d both times", len(unread.Messages), unread.UnreadAfter, len(questions))
	}
	for i, want := range questions {
		wantMessage(t, "unread", unread.Messages[i], want)
	}
}

// wantFiled checks what became of the two messages.
func wantFiled(t *testing.T, steps []step, questions []pythonMessage) {
	t.Helper()
	answered, moved, copied, unread := steps[1], steps[2], steps[3], steps[4]
	done := []string{`\Answered`, `\Seen`}
	if !slices.Equal(answered.Flags, done) {
		t.Errorf("flags of what was answered = %q, want %q", answered.Flags, done)
	}
	if want := []int{copied.UID}; !slices.Equal(moved.Left, want) {
		t.Errorf("UIDs left after MOVE = %v, want %v", moved.Left, want)
	}
	if !slices.Equal(moved.Message.Flags, done) {
		t.Errorf("flags of what was moved = %q, want %q", moved.Message.Flags, done)
	}
	wantMessage(t, "moved", moved.Message, questions[0])
	if len(copied.Left) != 0 || len(unread.Messages) != 0 {
		t.Errorf("after both were filed there are UIDs %v and %d unread, want none", copied.Left, len(unread.Messages))
	}
	if len(copied.Message.Flags) != 0 {
		t.Errorf("flags of what was copied = %q, want none", copied.Message.Flags)
	}
	wantMessage(t, "copied", copied.Message, questions[1])
}

// wantMessage compares what a person sees of a message.
func wantMessage(t *testing.T, what string, got, want pythonMessage) {
	t.Helper()
	got.Text = strings.ReplaceAll(got.Text, "\r\n", "\n")
	for _, field := range []struct{ name, got, want string }{
		{"Message-ID", got.MessageID, want.MessageID},
		{"In-Reply-To", got.InReplyTo, want.InReplyTo},
		{"From", got.From, want.From},
		{"To", got.To, want.To},
		{"Subject", got.Subject, want.Subject},
		{"text", got.Text, want.Text},
	} {
		if field.got != field.want {
			t.Errorf("%s: %s = %q, want %q", what, field.name, field.got, field.want)
		}
	}
	if got.Bytes == 0 || got.Size != got.Bytes {
		t.Errorf("%s: %d bytes came of an announced size of %d", what, got.Bytes, got.Size)
	}
}
