package imapx_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// source is a message of which one may be told a wrong size.
type source struct {
	text string
	size int64
	err  error // in the place of the end
}

func (s source) Size() int64 { return s.size }

func (s source) Open() (io.ReadCloser, error) {
	r := io.Reader(strings.NewReader(s.text))
	if s.err != nil {
		r = io.MultiReader(r, failing{s.err})
	}
	return io.NopCloser(r), nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func sized(text string) source { return source{text: text, size: int64(len(text))} }

// TestAppend: a message comes to be there byte by byte, with its flags and its
// date, however the server takes literals, and its id opens it.
func TestAppend(t *testing.T) {
	received := time.Date(2025, 2, 3, 4, 5, 6, 0, time.FixedZone("", 3600))
	large := mailtest.Sample(1) + strings.Repeat("0123456789\r\n", 20_000)
	for _, tt := range []struct {
		name    string
		options *imaptest.Options
		source  message.Source
		said    string
	}{
		{"along with the command", nil, message.Bytes([]byte(mailtest.Sample(1))), "+}"},
		{"a large one is announced", nil, message.Bytes([]byte(large)), "}"},
		{"LITERAL-", &imaptest.Options{Capabilities: append(imaptest.Without("LITERAL+"), "LITERAL-")}, sized(mailtest.Sample(1)), "+}"},
		{"LITERAL- and more than 4096 bytes", &imaptest.Options{Capabilities: append(imaptest.Without("LITERAL+"), "LITERAL-")}, sized(large[:5000]), "}"},
		{"neither", &imaptest.Options{Capabilities: imaptest.Without("LITERAL+")}, sized(mailtest.Sample(1)), "}"},
		{"of unknown size", nil, source{text: mailtest.Sample(1), size: -1}, "+}"},
		{"without UIDPLUS", &imaptest.Options{Capabilities: imaptest.Without("UIDPLUS")}, sized(mailtest.Sample(1)), "+}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 0, tt.options)
			// One with the same Message-ID is there before.
			if _, err := w.account.Append("Archive", mailtest.Sample(1), nil); err != nil {
				t.Fatal(err)
			}
			id, err := w.client.Append(t.Context(), session.Archive, tt.source, &session.AppendOptions{
				Flags: session.Flags{session.Seen, "$Work"}, Received: received,
			})
			if err != nil {
				t.Fatal(err)
			}
			want, got := textOf(t, tt.source), opened(t, w, id)
			if got != want {
				t.Errorf("%d bytes, want %d", len(got), len(want))
			}
			kept, err := w.account.Messages("Archive")
			if err != nil || len(kept) != 2 {
				t.Fatalf("%d messages, %v", len(kept), err)
			}
			if !kept[1].Received.Equal(received) || strings.Join(kept[1].Flags, " ") != `$Work \Seen` {
				t.Errorf("kept with %v and %q", kept[1].Received, kept[1].Flags)
			}
			if line := commandLine(w, "APPEND"); !strings.HasSuffix(line, tt.said) || strings.HasSuffix(line, "+}") != (tt.said == "+}") {
				t.Errorf("the command was %q, want it to end in %s", line, tt.said)
			}
		})
	}
}

func textOf(t *testing.T, s message.Source) string {
	t.Helper()
	r, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func opened(t *testing.T, w *world, id session.ID) string {
	t.Helper()
	body, err := w.client.Open(t.Context(), id)
	if err != nil {
		t.Fatalf("open %v: %v", id, err)
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAppendRefused: what is refused is not there, and the error says of what
// kind it is.
func TestAppendRefused(t *testing.T) {
	broken := errors.New("the disk is gone")
	sample := mailtest.Sample(1)
	for _, tt := range []struct {
		name   string
		folder session.FolderRef
		source message.Source
		flags  session.Flags
		fault  mailtest.Fault
		want   func(error) bool
	}{
		{"no such folder", session.FolderAt("Nowhere"), sized(sample), nil, mailtest.Fault{}, is(session.ErrNoFolder)},
		{"no such role", session.FolderFor(session.RoleAll), sized(sample), nil, mailtest.Fault{}, is(session.ErrNoFolder)},
		{"a role that does not exist", "role:nosuch", sized(sample), nil, mailtest.Fault{}, says(`there is no role "nosuch"; the roles are inbox,`)},
		{"a bare name", "INBOX", sized(sample), nil, mailtest.Fault{}, says(`name it by FolderAt("INBOX"), or by a role such as Inbox`)},
		{"the folder is gone meanwhile", session.Archive, sized(sample), nil, mailtest.Reply("APPEND", "NO [TRYCREATE] no such folder"), is(session.ErrNoFolder)},
		{"no room", session.Archive, sized(sample), nil, mailtest.Reply("APPEND", "NO [OVERQUOTA] full"), is(session.ErrOverQuota)},
		{"no room for a large one", session.Archive, sized(sample + strings.Repeat("x", maxUnasked)), nil, mailtest.Reply("APPEND", "NO [OVERQUOTA] full"), is(session.ErrOverQuota)},
		{"a flag that is none", session.Archive, sized(sample), session.Flags{"a b"}, mailtest.Fault{}, says("cannot be a flag")},
		{"fewer bytes than announced", session.Archive, source{text: sample, size: 9999}, nil, mailtest.Fault{}, says("9999 were announced")},
		{"more bytes than announced", session.Archive, source{text: sample, size: 20}, nil, mailtest.Fault{}, says("more bytes than the 20")},
		{"a source that breaks", session.Archive, source{text: sample, size: 9999, err: broken}, nil, mailtest.Fault{}, is(broken)},
		{"a source that seems to have been cut", session.Archive, source{text: sample, size: 9999, err: io.ErrUnexpectedEOF}, nil, mailtest.Fault{}, is(io.ErrUnexpectedEOF)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 0, nil)
				if tt.fault.Command != "" {
					w.server.Inject(tt.fault)
				}
				_, err := w.client.Append(t.Context(), tt.folder, tt.source, &session.AppendOptions{Flags: tt.flags})
				if e, ok := errors.AsType[*session.AppendError](err); !ok || e.Outcome != session.NotDone || !tt.want(err) {
					t.Errorf("error %v", err)
				}
				synctest.Wait()
				if got := contents(t, w.account, "Archive"); got != "" {
					t.Errorf("the folder has %s", got)
				}
				if _, err := w.client.Append(t.Context(), session.Archive, sized(sample), nil); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

const maxUnasked = 64 << 10

// TestAppendAnswerLost: the message is looked for, and where it cannot be found
// nobody says that it is not there. It is never sent twice.
func TestAppendAnswerLost(t *testing.T) {
	undone := mailtest.Drop("APPEND", 0)
	undone.Ignore = true
	noID := strings.Replace(mailtest.Sample(1), "Message-ID", "X-Was", 1)
	for _, tt := range []struct {
		name    string
		text    string
		fault   mailtest.Fault
		unknown bool
	}{
		{"it is there", mailtest.Sample(1), mailtest.Drop("APPEND", 0), false},
		{"the answer never comes", mailtest.Sample(1), mailtest.Silence("APPEND"), false},
		{"it is not there", mailtest.Sample(1), undone, true},
		{"nothing to find it by", noID, mailtest.Drop("APPEND", 0), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 0, nil)
				if _, err := w.account.Append("Archive", tt.text, nil); err != nil {
					t.Fatal(err)
				}
				w.server.Inject(tt.fault)
				id, err := w.client.Append(t.Context(), session.Archive, sized(tt.text), nil)
				if e, ok := errors.AsType[*session.AppendError](err); ok != tt.unknown || ok && e.Outcome != session.DoneUnknown {
					t.Errorf("error %v, want an unknown outcome: %t", err, tt.unknown)
				}
				if !tt.unknown && opened(t, w, id) != tt.text {
					t.Errorf("%v is another message", id)
				}
				if n := commandCount(w, "APPEND"); n != 1 {
					t.Errorf("the client appended %d times", n)
				}
			})
		})
	}
}

func commandCount(w *world, name string) int {
	n := 0
	for _, c := range w.server.Commands() {
		if c.Name == name {
			n++
		}
	}
	return n
}

// TestAppendCancelled ends with its context.
func TestAppendCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0, nil)
		w.server.Inject(mailtest.Silence("APPEND"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := w.client.Append(ctx, session.Inbox, sized(mailtest.Sample(1)), nil)
		if e, ok := errors.AsType[*session.AppendError](err); !ok || e.Outcome != session.DoneUnknown || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want an unknown outcome and the context's error", err)
		}
	})
}
