package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/mail"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// side stands for a backend: it notes what it is asked for.
type side struct {
	setup session.Setup
	calls []string
	cut   bool // a message is cut off before its end
	sent  session.Envelope
}

func (s *side) call(name string) { s.calls = append(s.calls, name) }

func (s *side) Folders(context.Context) iter.Seq2[session.Folder, error] {
	s.call("folders")
	return func(func(session.Folder, error) bool) {}
}

func (s *side) Messages(context.Context, session.Query) iter.Seq2[*session.Message, error] {
	s.call("messages")
	return func(func(*session.Message, error) bool) {}
}

func (s *side) Open(context.Context, session.ID) (io.ReadCloser, error) {
	s.call("open")
	return io.NopCloser(io.MultiReader(strings.NewReader("Subject: hello\r\n\r\nbody\r\n"), s.tail())), nil
}

// tail is what follows the message: its end, or why there is none.
func (s *side) tail() io.Reader {
	if s.cut {
		return iotest.ErrReader(io.ErrUnexpectedEOF)
	}
	return strings.NewReader("")
}

func (s *side) Apply(context.Context, session.Change, ...session.ID) ([]session.Result, error) {
	s.call("apply")
	return nil, nil
}

func (s *side) Facts(context.Context) (session.Facts, error) {
	s.call("facts")
	return session.Facts{Backend: "side"}, nil
}

func (s *side) Send(_ context.Context, e session.Envelope, _ message.Source) (session.Receipt, error) {
	s.call("send")
	s.sent = e
	return session.Receipt{Outcome: session.Accepted}, nil
}

func (s *side) Close() error {
	s.call("close")
	return nil
}

func (s *side) incoming() session.IncomingBackend {
	return func(setup session.Setup) (session.Incoming, error) {
		s.setup = setup
		return s, nil
	}
}

func (s *side) outgoing() session.OutgoingBackend {
	return func(setup session.Setup) (session.Outgoing, error) {
		s.setup = setup
		return s, nil
	}
}

func creds() session.Credentials {
	return session.Credentials{User: "ann@contoso.example", Password: secret.New("correct horse")}
}

// everything calls each method once and returns the errors by the method's
// name.
func everything(ctx context.Context, s *session.Session) map[string]error {
	id := session.NewID(session.IDParts{Backend: "side", Key: "1"})
	errs := map[string]error{}
	for _, err := range s.Folders(ctx) {
		errs["folders"] = err
	}
	for _, err := range s.Messages(ctx, session.Query{}) {
		errs["messages"] = err
	}
	if body, err := s.Open(ctx, id); err != nil {
		errs["open"] = err
	} else {
		body.Close()
	}
	if _, err := s.Apply(ctx, session.Change{Set: session.Flags{session.Seen}}, id); err != nil {
		errs["apply"] = err
	}
	if _, err := s.Facts(ctx); err != nil {
		errs["facts"] = err
	}
	if _, err := s.Send(ctx, session.Envelope{}, message.Bytes(nil)); err != nil {
		errs["send"] = err
	}
	return errs
}

// TestModes states what each mode allows and forbids.
func TestModes(t *testing.T) {
	all := []string{"apply", "facts", "folders", "messages", "open", "send"}
	for _, tt := range []struct {
		mode      session.Mode
		forbidden []string
	}{
		{session.ReadWrite, nil},
		{session.ReadOnly, []string{"apply", "send"}},
		{session.SendOnly, []string{"apply", "facts", "folders", "messages", "open"}},
	} {
		t.Run(tt.mode.String(), func(t *testing.T) {
			var in, out side
			s, err := session.New(creds(), in.incoming(), out.outgoing(), &session.Options{Mode: tt.mode})
			if err != nil {
				t.Fatal(err)
			}
			errs := everything(t.Context(), s)
			for _, name := range all {
				e, isModeError := errors.AsType[*session.ModeError](errs[name])
				if want := slices.Contains(tt.forbidden, name); isModeError != want {
					t.Errorf("%s: error %v, want a ModeError: %t", name, errs[name], want)
				}
				if isModeError && (e.Mode != tt.mode || !strings.Contains(e.Error(), tt.mode.String())) {
					t.Errorf("%s: error %v does not name the mode %v", name, e, tt.mode)
				}
			}
			if done := len(in.calls) + len(out.calls); done != len(all)-len(tt.forbidden) {
				t.Errorf("backends were asked for %q and %q", in.calls, out.calls)
			}
			if got, want := in.setup.ReadOnly, tt.mode == session.ReadOnly; tt.mode != session.SendOnly && got != want {
				t.Errorf("Setup.ReadOnly = %t, want %t", got, want)
			}
		})
	}
}

func TestOneSideIsEnough(t *testing.T) {
	var in, out side
	s, err := session.New(creds(), in.incoming(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(t.Context(), session.Envelope{}, message.Bytes(nil)); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "outgoing") {
		t.Errorf("Send error %v, want errors.ErrUnsupported that names the outgoing backend", err)
	}
	if s.Sends() {
		t.Error("a Session without a way out says that it sends")
	}
	s, err = session.New(creds(), nil, out.outgoing(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Sends() {
		t.Error("a Session with a way out says that it does not send")
	}
	if _, err := s.Facts(t.Context()); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "incoming") {
		t.Errorf("Facts error %v, want errors.ErrUnsupported that names the incoming backend", err)
	}
}

func TestNewRefuses(t *testing.T) {
	var sd side
	in, out := sd.incoming(), sd.outgoing()
	for _, tt := range []struct {
		name  string
		creds session.Credentials
		in    session.IncomingBackend
		out   session.OutgoingBackend
		mode  session.Mode
		want  string
	}{
		{"nothing", creds(), nil, nil, session.ReadWrite, "neither"},
		{"read-only without a way in", creds(), nil, out, session.ReadOnly, "needs an incoming"},
		{"send-only without a way out", creds(), in, nil, session.SendOnly, "needs an outgoing"},
		{"an unknown mode", creds(), in, out, 7, "Options.Mode: mode 7 does not exist"},
		{"a password without a name", session.Credentials{Password: secret.New("x")}, in, out, session.ReadWrite, "name no user"},
	} {
		_, err := session.New(tt.creds, tt.in, tt.out, &session.Options{Mode: tt.mode})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New error %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, policy := range []session.SentPolicy{-1, 17} {
		_, err := session.New(creds(), in, out, &session.Options{SaveSent: policy})
		if want := fmt.Sprintf("Options.SaveSent: policy %d does not exist; use SentNever", policy); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New with a policy that does not exist: error %v, want %q", err, want)
		}
	}
}

// TestNewClosesWhatItMade: a second side that cannot be made does not leave
// the first behind, and is not closed itself, be it nil or a nil pointer.
func TestNewClosesWhatItMade(t *testing.T) {
	broken := errors.New("no such port")
	for name, out := range map[string]session.OutgoingBackend{
		"nil":           func(session.Setup) (session.Outgoing, error) { return nil, broken },
		"a nil pointer": func(session.Setup) (session.Outgoing, error) { return (*side)(nil), broken },
	} {
		var in side
		_, err := session.New(creds(), in.incoming(), out, nil)
		if !errors.Is(err, broken) || !slices.Equal(in.calls, []string{"close"}) {
			t.Errorf("%s: New error %v, calls %q", name, err, in.calls)
		}
	}
}

func TestApplyChecksTheChange(t *testing.T) {
	id := session.NewID(session.IDParts{Key: "1"})
	for _, tt := range []struct {
		change session.Change
		want   string
	}{
		{session.Change{}, "changes nothing"},
		{session.Change{Delete: true, MoveTo: session.Trash}, "MoveTo and Delete"},
		{session.Change{Set: session.Flags{session.Seen}, Clear: session.Flags{`\seen`}}, `\Seen`},
		{session.Change{AddLabels: []string{"Work"}, RemoveLabels: []string{"work"}}, `the label "Work"`},
		{session.Change{AddLabels: []string{`\`}}, "cannot be a label"},
		{session.Change{RemoveLabels: []string{"two\nlines"}}, "cannot be a label"},
		{session.Change{AddLabels: []string{"a\xff"}}, "cannot be a label"},
		{session.Change{AddLabels: []string{"Work"}, CopyTo: session.Archive}, "CopyTo and labels"},
		{session.Change{AddLabels: []string{"Work"}, IfUnchanged: map[session.ID]session.Version{}}, "labels and IfUnchanged"},
	} {
		var in side
		s, err := session.New(creds(), in.incoming(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		results, err := s.Apply(t.Context(), tt.change, id, id)
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(in.calls) != 0 {
			t.Errorf("Apply(%+v) error %v, want %q before the backend is asked", tt.change, err, tt.want)
		}
		for _, r := range results {
			if r.ID != id || r.Outcome != session.NotDone || r.Err == nil {
				t.Errorf("result %+v, want NotDone for %v", r, id)
			}
		}
		if len(results) != 2 {
			t.Errorf("%d results for 2 ids", len(results))
		}
	}
}

func TestReadParses(t *testing.T) {
	var in side
	s, err := session.New(creds(), in.incoming(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Read(t.Context(), session.NewID(session.IDParts{Key: "1"}))
	if err != nil || m.Header.Subject() != "hello" || strings.TrimSpace(m.Text) != "body" {
		t.Errorf("Read() = %+v, %v", m, err)
	}
}

// TestReadGivesWhatCame reads a message whose end does not come.
func TestReadGivesWhatCame(t *testing.T) {
	in := side{cut: true}
	s, err := session.New(creds(), in.incoming(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Read(t.Context(), session.NewID(session.IDParts{Key: "1"}))
	if !errors.Is(err, io.ErrUnexpectedEOF) || m == nil || m.Header.Subject() != "hello" || strings.TrimSpace(m.Text) != "body" {
		t.Errorf("Read() = %+v, %v, want what came and %v", m, err, io.ErrUnexpectedEOF)
	}
}

func TestIDs(t *testing.T) {
	parts := session.IDParts{Backend: "imap", Mailbox: session.Fingerprint("host", "User"), Folder: "Päck:ed 100%/+ x", Validity: "17", Key: "42"}
	id := session.NewID(parts)
	if got, err := id.Parts(); got != parts || err != nil {
		t.Errorf("Parts() = %+v, %v, want %+v", got, err, parts)
	}
	encoded, err := json.Marshal(map[session.ID]session.ID{id: id})
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[session.ID]session.ID
	if err := json.Unmarshal(encoded, &decoded); err != nil || decoded[id] != id {
		t.Errorf("%s reads back as %v, %v", encoded, decoded, err)
	}
	for _, bad := range []string{"42", "a:b:c:d", "a:b:c:d:e:f", "a:b:%zz:d:e"} {
		var id session.ID
		if err := id.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("UnmarshalText(%q) is taken for an id", bad)
		}
	}
	if session.Fingerprint("a", "bc") == session.Fingerprint("ab", "c") {
		t.Error("two mailboxes share a fingerprint")
	}
}

// FuzzID: ids survive being written, and different messages have different ids.
func FuzzID(f *testing.F) {
	f.Add("imap", "abc", "INBOX", "1", "2", "imap:abc:INBOX:1:2")
	f.Add("", ":", "%3A", "+", " ", "::::")
	f.Fuzz(func(t *testing.T, backend, mailbox, folder, validity, key, text string) {
		parts := session.IDParts{Backend: backend, Mailbox: mailbox, Folder: folder, Validity: validity, Key: key}
		if got, err := session.NewID(parts).Parts(); err != nil || got != parts {
			t.Fatalf("%+v reads back as %+v, %v", parts, got, err)
		}
		var id session.ID
		if err := id.UnmarshalText([]byte(text)); err != nil || id.IsZero() {
			return
		}
		if id.String() != text {
			t.Fatalf("%q reads as %q", text, id)
		}
	})
}

func TestPaths(t *testing.T) {
	for path, levels := range map[string][]string{
		"INBOX":         {"INBOX"},
		"Projects/2026": {"Projects", "2026"},
		`A\/B/C`:        {"A/B", "C"},
		`back\\slash`:   {`back\slash`},
		"":              {""},
		"a//b":          {"a", "", "b"},
	} {
		if got := session.SplitPath(path); !slices.Equal(got, levels) {
			t.Errorf("SplitPath(%q) = %q, want %q", path, got, levels)
		}
		if got := session.JoinPath(levels...); got != path {
			t.Errorf("JoinPath(%q) = %q, want %q", levels, got, path)
		}
	}
}

func TestFolderRefs(t *testing.T) {
	if r, ok := session.Archive.Role(); r != session.RoleArchive || !ok {
		t.Errorf("Archive.Role() = %q, %t", r, ok)
	}
	ref := session.Folder{Path: "role:x/y"}.Ref()
	if _, ok := ref.Role(); ok {
		t.Errorf("%q is taken for a role", ref)
	}
	if p, ok := ref.Path(); p != "role:x/y" || !ok {
		t.Errorf("Path() = %q, %t", p, ok)
	}
	if session.FolderFor(session.RoleSent) != session.Sent {
		t.Errorf("FolderFor(RoleSent) = %q", session.FolderFor(session.RoleSent))
	}
}

func TestNothingPrintsThePassword(t *testing.T) {
	var in side
	s, err := session.New(creds(), in.incoming(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{s, creds(), in.setup, &in} {
		if out := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(out, "correct horse") {
			t.Errorf("%T prints the password: %s", v, out)
		}
	}
}

// passing is a protocol's error that says how it wants to be treated.
type passing struct{ wait time.Duration }

func (passing) Error() string               { return "try later" }
func (passing) Temporary() bool             { return true }
func (p passing) RetryAfter() time.Duration { return p.wait }

// TestWhoIsRefused: an AuthError reads well whatever is known of the sign-in.
func TestWhoIsRefused(t *testing.T) {
	for want, e := range map[string]session.AuthError{
		"h:1 refused NTLM for ann: no; check":         {User: "ann", Mechanism: "NTLM"},
		"h:1 refused ann: no; check":                  {User: "ann"},
		"h:1 refuses who does not sign in: no; check": {},
	} {
		e.Server, e.Remedy, e.Err = "h:1", "check", errors.New("h:1: no")
		if got := e.Error(); got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
	}
}

func TestErrorsTellWhatToDo(t *testing.T) {
	temporary := fmt.Errorf("fetch: %w", passing{wait: 3 * time.Second})
	auth := fmt.Errorf("imap: %w", &session.AuthError{
		Server: "imap.example.org:993", User: "ann", Mechanism: "XOAUTH2", Status: "401",
		Challenge: `{"status":"401"}`, Remedy: "sign in again", Err: errors.New("NO AUTHENTICATE failed"),
	})
	for _, tt := range []struct {
		err               error
		temporary, signIn bool
		retryAfter        time.Duration
	}{
		{temporary, true, false, 3 * time.Second},
		{auth, false, true, 0},
		{io.ErrUnexpectedEOF, false, false, 0},
		{nil, false, false, 0},
	} {
		if got := session.Temporary(tt.err); got != tt.temporary {
			t.Errorf("Temporary(%v) = %t", tt.err, got)
		}
		if got := session.NeedsSignIn(tt.err); got != tt.signIn {
			t.Errorf("NeedsSignIn(%v) = %t", tt.err, got)
		}
		if got := session.RetryAfter(tt.err); got != tt.retryAfter {
			t.Errorf("RetryAfter(%v) = %v", tt.err, got)
		}
	}
	want := `imap: imap.example.org:993 refused XOAUTH2 for ann: NO AUTHENTICATE failed ({"status":"401"}); sign in again`
	if auth.Error() != want {
		t.Errorf("the error reads\n%q, want\n%q", auth, want)
	}
}

// TestSendDraft finds what the envelope of a draft has of the draft and of the
// options.
func TestSendDraft(t *testing.T) {
	out := new(side)
	s, err := session.New(creds(), nil, out.outgoing(), &session.Options{Mode: session.SendOnly})
	if err != nil {
		t.Fatal(err)
	}
	d := &message.Draft{
		From: mail.Address{Address: "ann@x.example"}, To: []mail.Address{{Address: "bob@x.example"}}, Bcc: []mail.Address{{Address: "carol@x.example"}},
	}
	to, reports := []string{"bob@x.example", "carol@x.example"}, &session.DeliveryReports{Failure: true}
	for name, tt := range map[string]struct {
		opts *session.SendOptions
		want session.Envelope
	}{
		"nil":         {nil, session.Envelope{From: "ann@x.example", To: to}},
		"nothing":     {&session.SendOptions{}, session.Envelope{From: "ann@x.example", To: to}},
		"reports":     {&session.SendOptions{Reports: reports}, session.Envelope{From: "ann@x.example", To: to, Reports: reports}},
		"return path": {&session.SendOptions{ReturnPath: "bounce+bob@x.example"}, session.Envelope{From: "bounce+bob@x.example", To: to}},
	} {
		if rec, err := s.SendDraft(t.Context(), d, tt.opts); err != nil || rec.Outcome != session.Accepted || !reflect.DeepEqual(out.sent, tt.want) {
			t.Errorf("%s: SendDraft() = %+v, %v with the envelope %+v, want %+v", name, rec, err, out.sent, tt.want)
		}
	}
}

func TestSendErrorSaysHowFarItCame(t *testing.T) {
	err := &session.SendError{
		Receipt: session.Receipt{Outcome: session.Partial, MessageID: "1@x", Recipients: []session.Recipient{
			{Address: "a@x", Accepted: true}, {Address: "b@x", Err: errors.New("550 no such user")},
		}},
		Err: errors.New("550 no such user"),
	}
	want := "message 1@x accepted for 1 of 2 recipients: 550 no such user"
	if err.Error() != want {
		t.Errorf("the error reads %q, want %q", err, want)
	}
}

// explaining is a side that tells its plans.
type explaining struct{ side }

func (e *explaining) Explain(context.Context, session.Query) (session.Plan, error) {
	e.call("explain")
	return session.Plan{Backend: "side"}, nil
}

// TestQueriesAreCheckedFirst: what no backend could carry out reaches none, and
// one that cannot explain itself is named.
func TestQueriesAreCheckedFirst(t *testing.T) {
	var in explaining
	s, err := session.New(creds(), func(session.Setup) (session.Incoming, error) { return &in, nil }, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	bad := session.Query{Where: session.Filter{AnyOf: []session.Filter{{Subject: "a\r\nb"}}}}
	for _, err := range s.Messages(t.Context(), bad) {
		if err == nil || !strings.Contains(err.Error(), "subject is not one line") {
			t.Errorf("Messages error %v", err)
		}
	}
	if _, err := s.Explain(t.Context(), bad); err == nil || len(in.calls) != 0 {
		t.Errorf("Explain error %v, calls %q", err, in.calls)
	}
	if plan, err := s.Explain(t.Context(), session.Query{}); err != nil || plan.Backend != "side" {
		t.Errorf("Explain() = %v, %v", plan, err)
	}
	var mute side
	if s, err = session.New(creds(), mute.incoming(), nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Explain(t.Context(), session.Query{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Explain error %v, want errors.ErrUnsupported", err)
	}
}
