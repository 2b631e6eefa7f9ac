package imapx_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

func addSamples(t *testing.T, w *world, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		if _, err := w.account.Append("INBOX", mailtest.Sample(i), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestConnectionsSeeTheSameFolder: a message that one connection has been told
// of is there for the others too.
func TestConnectionsSeeTheSameFolder(t *testing.T) {
	w := newWorld(t, 3, nil, func(_ *session.Server, _ *session.Credentials, o *imapx.Options) { o.MaxConnections = 2 })
	first, err := w.client.Open(t.Context(), ids(t, w)[0]) // on the connection A, which stays as it is
	if err != nil {
		t.Fatal(err)
	}
	if got := len(list(t, w.client.Messages(t.Context(), session.Query{}))); got != 3 { // B opens the folder
		t.Fatalf("%d messages, want 3", got)
	}
	addSamples(t, w, 4, 18)
	all := ids(t, w) // B is told
	held, err := w.client.Open(t.Context(), all[17])
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close() // B is taken
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	// From here on everything runs on A, which was told of three messages.
	if got := read(t, w.client, all[16]); !strings.Contains(got, "Sample 17") {
		t.Errorf("read %.40q, want message 17", got)
	}
	addSamples(t, w, 19, 20)
	results, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen}}, all[15], all[17])
	if err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, results, session.Done, session.Done)
	if got := len(list(t, w.client.Messages(t.Context(), session.Query{}))); got != 20 {
		t.Errorf("%d messages, want 20", got)
	}
}

// TestMalformedBodies are errors and not short messages.
func TestMalformedBodies(t *testing.T) {
	for _, tt := range []struct {
		answer string
		want   func(error) bool
	}{
		{`* 1 FETCH (UID 1 BODY[] "abc)`, says("closing quote")},
		{`* 1 FETCH (UID 1 BODY[] ())`, says("a string expected")},
		{`* 1 FETCH (UID 1 BODY[])`, says("a string expected")},
		{`* 1 FETCH (UID 1 BODY[`, says("expected at")},
		{`* 1 FETCH (UID 1 BODY[] NIL)`, is(session.ErrNoMessage)},
		{`* 2 FETCH (UID 2 BODY[] {3}` + "\r\nabc)", is(session.ErrNoMessage)},
	} {
		w := newWorld(t, 1, nil)
		id := ids(t, w)[0]
		w.server.Inject(always(mailtest.Fault{Command: "UID FETCH", Reply: tt.answer + "\r\nOK done"}))
		body, err := w.client.Open(t.Context(), id)
		if _, ok := errors.AsType[*session.ItemError](err); !ok || !tt.want(err) {
			t.Errorf("Open with %q: %v, %v", tt.answer, body, err)
		}
		w.server.Heal()
		if got := read(t, w.client, id); !strings.Contains(got, "Sample 1") {
			t.Errorf("after %q the connection reads %.40q", tt.answer, got)
		}
	}
}

// TestWrongLiteralsShowNoText: where a literal is longer than was announced, the
// message's text stands where the answer should go on.
func TestWrongLiteralsShowNoText(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.server.Inject(mailtest.Reply("UID FETCH", "* 1 FETCH (UID 1 BODY[HEADER] {9}\r\nSubject: ((the secret plan)\r\nOK done"))
	for _, err := range w.client.Messages(t.Context(), session.Query{}) {
		if _, ok := errors.AsType[*session.ItemError](err); !ok || !says("behind a literal")(err) || says("secret")(err) {
			t.Errorf("error %v, want one that does not show the text", err)
		}
	}
}

// TestLiteralsShorterThanTheBody: a body of which the server announces a part
// does not pass for the whole.
func TestLiteralsShorterThanTheBody(t *testing.T) {
	for answer, want := range map[string]error{
		"{3}\r\nabc)": nil, "{3}\r\nabc FLAGS (\\Seen) X {1}\r\n))": nil,
		"{3}\r\nabc": io.ErrUnexpectedEOF, "{3}\r\nabc))": io.ErrUnexpectedEOF, "{3}\r\nabc d e": io.ErrUnexpectedEOF,
		"{3}\r\nabcd)": io.ErrUnexpectedEOF, "{3}\r\nabc(d)": io.ErrUnexpectedEOF, "{3}\r\nabc\"d)": io.ErrUnexpectedEOF,
	} {
		w := newWorld(t, 1, nil)
		id := ids(t, w)[0]
		w.server.Inject(mailtest.Reply("UID FETCH", "* 1 FETCH (UID 1 BODY[] "+answer+"\r\nOK done"))
		body, err := w.client.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if string(got) != "abc" || !errors.Is(err, want) || err != nil && !says("localhost:143: open", "behind a literal")(err) {
			t.Errorf("body from %q: %q, %v, want abc and %v", answer, got, err, want)
		}
		if got := read(t, w.client, id); !strings.Contains(got, "Sample 1") {
			t.Errorf("after %q the client reads %.40q", answer, got)
		}
	}
}

// TestFloodOfNews: somebody empties a large folder while a message is moved.
func TestFloodOfNews(t *testing.T) {
	w := newWorld(t, 2, nil)
	all := ids(t, w)
	flood := strings.Repeat("* 4711 EXPUNGE\r\n", 100_000) + "* OK [X {2000000}\r\n* 9 FETCH (X {2000000}\r\n" + strings.Repeat("x", 2_000_000) + ")\r\n"
	w.server.Inject(mailtest.Before("UID MOVE", flood))
	results, err := w.client.Apply(t.Context(), session.Change{MoveTo: session.FolderAt("Archive")}, all[0])
	if err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, results, session.Done)
	if err := operations()["folders"](t.Context(), w, session.ID{}); err != nil {
		t.Error(err)
	}
	if made, _ := w.server.Connections(); made != 1 {
		t.Errorf("%d connections were made, want 1", made)
	}
}

// TestServersThatEchoSecrets: what a server repeats does not come into errors.
func TestServersThatEchoSecrets(t *testing.T) {
	const encoded = "AGFubkBleGFtcGxlLmNvbQBjb3JyZWN0IGhvcnNlIGJhdHRlcnk=" // \0ann@example.com\0correct horse battery
	for _, command := range []string{"AUTHENTICATE", "LOGIN"} {
		w := newWorld(t, 1, &imaptest.Options{Capabilities: imaptest.Without(map[string]string{"LOGIN": "AUTH=PLAIN"}[command], "AUTH=LOGIN")})
		sent := map[string]string{"AUTHENTICATE": "PLAIN " + encoded}[command]
		w.server.Inject(mailtest.Reply(command, "BAD unknown command: "+command+" "+sent+` "correct horse battery"`))
		_, err := w.client.Facts(t.Context())
		if err == nil || !strings.Contains(err.Error(), secret.Redacted) {
			t.Errorf("%s: error %v, want the secret masked", command, err)
		}
		for _, leak := range []string{encoded, password().Reveal()} {
			if err != nil && strings.Contains(fmt.Sprintf("%+v", err), leak) {
				t.Errorf("%s: the error shows %q: %v", command, leak, err)
			}
		}
	}
}

// TestServersThatEchoLongTokens: a token that is longer than what is kept of a
// server's words is not shown in part, also in the place of a code.
func TestServersThatEchoLongTokens(t *testing.T) {
	token := "horse." + strings.Repeat("abcdefghij", 200)
	for _, reply := range []string{"NO [AUTHENTICATIONFAILED] this is none: " + token, "NO [" + token + "] no", "* BYE " + token + "\r\nNO no"} {
		w := newWorld(t, 1, nil, func(_ *session.Server, c *session.Credentials, _ *imapx.Options) {
			c.Tokens = oauth.AnyResource(oauth.StaticToken(secret.New(token)))
		})
		w.server.Inject(always(mailtest.Reply("AUTHENTICATE", reply)))
		_, err := w.client.Facts(t.Context())
		if err == nil || strings.Contains(strings.ToLower(fmt.Sprintf("%+v", err)), "horse.abc") {
			t.Errorf("%.30s: error %v, want one without the token", reply, err)
		}
		report := w.client.Check(t.Context(), nil)
		text, err := json.Marshal(report)
		if all := strings.ToLower(report.String() + string(text)); err != nil || strings.Contains(all, "horse.abc") {
			t.Errorf("%.30s: the report shows the token: %s, %v", reply, all, err)
		}
	}
}

// TestIMAP4rev2BesideIMAP4rev1 changes nothing about the names of folders.
func TestIMAP4rev2BesideIMAP4rev1(t *testing.T) {
	w := newWorld(t, 1, &imaptest.Options{Capabilities: append(imaptest.DefaultCapabilities(), "IMAP4rev2")})
	if err := w.account.CreateFolder("Entwürfe", ""); err != nil {
		t.Fatal(err)
	}
	results, err := w.client.Apply(t.Context(), session.Change{MoveTo: session.FolderAt("Entwürfe")}, ids(t, w)...)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, results, session.Done)
	if got := len(list(t, w.client.Messages(t.Context(), session.Query{Folder: session.FolderAt("Entwürfe")}))); got != 1 {
		t.Errorf("%d messages in the folder, want 1", got)
	}
}

// TestOneMessageTheServerCannotFetch does not hide the others.
func TestOneMessageTheServerCannotFetch(t *testing.T) {
	for name, answered := range map[string]bool{"after the others": true, "before any other": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 5, nil)
			refusal := mailtest.Fault{Command: "UID FETCH", Reply: "NO Some messages could not be FETCHed (Failure)", Times: -1}
			if answered {
				refusal.Times = 1
				refusal.Reply = "* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 2 FLAGS ())\r\n" + refusal.Reply
				broken := mailtest.Reply("UID FETCH", "NO broken").Repeating(-1).Containing("FETCH 4 (")
				w.server.Inject(broken, mailtest.Reply("UID FETCH", "NO broken").Repeating(-1).Containing("3:4"))
			} else {
				refusal = refusal.Containing("1:5")
				w.server.Inject(refusal.Containing("4:5"), refusal.Containing("FETCH 4 ("))
			}
			w.server.Inject(refusal)
			good, bad := 0, 0
			for _, err := range w.client.Messages(t.Context(), session.Query{}) {
				switch _, ok := errors.AsType[*session.ItemError](err); {
				case err == nil:
					good++
				case ok:
					bad++
				default:
					t.Fatal(err)
				}
			}
			if good != 4 || bad != 1 {
				t.Errorf("%d messages and %d errors, want 4 and 1", good, bad)
			}
		})
	}
}

// TestServersThatNameWhatTheyMoved are taken at their word.
func TestServersThatNameWhatTheyMoved(t *testing.T) {
	for _, tt := range []struct {
		answer string
		want   []session.ChangeOutcome
	}{
		{"* OK [COPYUID 9 1 11] moved\r\nOK done", []session.ChangeOutcome{session.Done, session.NotDone}},
		{"* OK [COPYUID 9 1 11] moved\r\nNO [OVERQUOTA] full", []session.ChangeOutcome{session.Done, session.NotDone}},
		{"OK done", []session.ChangeOutcome{session.Done, session.Done}},
		{"OK [COPYUID 9 1:4294967295 1:4294967295] done", []session.ChangeOutcome{session.Done, session.Done}},
		{"NO [TRYCREATE] no such folder", []session.ChangeOutcome{session.NotDone, session.NotDone}},
	} {
		w := newWorld(t, 2, nil)
		all := ids(t, w)
		w.server.Inject(mailtest.Reply("UID MOVE", tt.answer))
		results, err := w.client.Apply(t.Context(), session.Change{MoveTo: session.FolderAt("Archive")}, all...)
		if err != nil {
			t.Fatal(err)
		}
		wantOutcomes(t, results, tt.want...)
	}
}

// TestNothingIsChangedWhereTheWholeCannotBe: flags stay where the server could
// not delete anyway.
func TestNothingIsChangedWhereTheWholeCannotBe(t *testing.T) {
	w := newWorld(t, 1, &imaptest.Options{Capabilities: imaptest.Without("MOVE", "UIDPLUS")})
	results, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen}, Delete: true}, ids(t, w)...)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, results, session.NotDone)
	if got := contents(t, w.account, "INBOX"); got != "1[]" {
		t.Errorf("inbox %s, want the message as it was", got)
	}
}

// TestFallbackThatCannotRemoveTheOriginal says that the copy is there.
func TestFallbackThatCannotRemoveTheOriginal(t *testing.T) {
	w := newWorld(t, 1, &imaptest.Options{Capabilities: imaptest.Without("MOVE")})
	w.server.Inject(mailtest.Reply("UID STORE", "NO [NOPERM] read-only"))
	results, err := w.client.Apply(t.Context(), session.Change{MoveTo: session.FolderAt("Archive")}, ids(t, w)...)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, results, session.NotDone)
	if r := results[0]; r.NewID.IsZero() || !strings.Contains(r.Err.Error(), "the copies are there") {
		t.Errorf("result %+v, want the copy's id and an error that tells of it", r)
	}
}

// TestPartOfAChangeIsTold: a move that was made in part must not be made again
// by whoever asks whether the trouble will pass; a deletion may.
func TestPartOfAChangeIsTold(t *testing.T) {
	for _, tt := range []struct {
		change    session.Change
		words     string
		temporary bool
	}{
		{session.Change{MoveTo: session.FolderAt("Archive")}, "the copies are there", false},
		{session.Change{Delete: true}, `keep the flag \Deleted`, true},
	} {
		w := newWorld(t, 1, &imaptest.Options{Capabilities: imaptest.Without("MOVE")})
		w.server.Inject(mailtest.Reply("UID EXPUNGE", "NO [THROTTLED] slow down"))
		results, err := w.client.Apply(t.Context(), tt.change, ids(t, w)...)
		if err != nil {
			t.Fatal(err)
		}
		wantOutcomes(t, results, session.NotDone)
		if err := results[0].Err; !says("localhost:143", tt.words, "slow down")(err) || session.Temporary(err) != tt.temporary {
			t.Errorf("%+v: error %v, temporary %t, want %q, %t", tt.change, err, session.Temporary(err), tt.words, tt.temporary)
		}
	}
}

// TestOthersRemoveWhatIsChanged in the same moment, and the server refuses the
// whole command for that: the other messages are changed all the same.
func TestOthersRemoveWhatIsChanged(t *testing.T) {
	for _, tt := range []struct {
		change session.Change
		first  session.ChangeOutcome
		inbox  string
	}{
		{session.Change{Set: session.Flags{session.Flagged}, Clear: session.Flags{session.Seen}}, session.NotDone, `2[\Flagged] 3[\Flagged]`},
		{session.Change{Delete: true}, session.NotDone, ""},
		{session.Change{MoveTo: session.FolderAt("Archive")}, session.Done, ""},
	} {
		w := newWorld(t, 3, &imaptest.Options{Capabilities: imaptest.Without("MOVE")})
		all := ids(t, w)
		fault := mailtest.Reply("UID STORE", "NO [EXPUNGEISSUED] some are gone")
		fault.Call = func() {
			if _, err := w.account.Expunge("INBOX", 1); err != nil {
				t.Error(err)
			}
		}
		w.server.Inject(fault)
		results, err := w.client.Apply(t.Context(), tt.change, all...)
		if err != nil {
			t.Fatal(err)
		}
		wantOutcomes(t, results, tt.first, session.Done, session.Done)
		if tt.first == session.NotDone && !errors.Is(results[0].Err, session.ErrNoMessage) {
			t.Errorf("%+v: error %v, want ErrNoMessage", tt.change, results[0].Err)
		}
		if got := contents(t, w.account, "INBOX"); got != tt.inbox {
			t.Errorf("%+v: inbox %q, want %q", tt.change, got, tt.inbox)
		}
	}
}

// TestOddAnswersToSELECT do not end the connection.
func TestOddAnswersToSELECT(t *testing.T) {
	for _, odd := range []string{
		`* FLAGS (\Seen \Draft )`, `* FLAGS NIL`, `* OK [PERMANENTFLAGS (\Seen \* )] ok`, `* OK [HIGHESTMODSEQ]`, `* OK [HIGHESTMODSEQ -1] x`,
		`* OK [ALERT`, `* OK`, `+ idling`, `* OK [UNSEEN 1 2]`, `* 3 RECENT extra`, `* OK [UIDNEXT]`, `* CAPABILITY`, `* NO größe`,
	} {
		w := newWorld(t, 1, nil)
		w.server.Inject(mailtest.Before("SELECT", odd+"\r\n"))
		for m, err := range w.client.Messages(t.Context(), session.Query{}) {
			if err != nil || m.Header.Subject() != "Sample 1" {
				t.Errorf("%q: %v, %v", odd, m, err)
			}
		}
		if made, _ := w.server.Connections(); made != 1 {
			t.Errorf("%q: %d connections were made, want 1", odd, made)
		}
	}
}

// TestOneBadFolderName does not hide the other folders.
func TestOneBadFolderName(t *testing.T) {
	w := newWorld(t, 0, nil)
	w.server.Inject(mailtest.Before("LIST", "* LIST () \"/\" \"R&D\"\r\n* LIST () \"/\" a&b-c\r\n"))
	var paths []string
	for f, err := range w.client.Folders(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, f.Path)
	}
	for _, want := range []string{"R&D", "a&b-c", "INBOX", "Archive"} {
		if !strings.Contains(strings.Join(paths, " "), want) {
			t.Errorf("folders %q lack %q", paths, want)
		}
	}
}

// fillPool has every message open at a time, each on a connection of its own,
// and leaves the connections idle.
func fillPool(t *testing.T, w *world) {
	t.Helper()
	all := ids(t, w)
	var held []io.Closer
	for _, id := range all {
		body, err := w.client.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, body)
	}
	for _, body := range held {
		if err := body.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAllConnectionsForgotten: the server forgot every connection of the pool,
// and the caller does not notice.
func TestAllConnectionsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, nil)
		fillPool(t, w)
		// Each connection dies at its next command.
		w.server.Inject(mailtest.Drop("NOOP", 0), mailtest.Drop("NOOP", 0))
		if got := len(list(t, w.client.Messages(t.Context(), session.Query{}))); got != 3 {
			t.Errorf("%d messages, want 3", got)
		}
	})
}

// TestMiddleboxThatForgets: connections that were quiet for a minute never
// answer again; one probe finds out for all of them.
func TestMiddleboxThatForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, nil)
		fillPool(t, w)
		<-time.After(time.Minute)
		w.server.Inject(mailtest.Silence("NOOP"))
		start := time.Now()
		if got := len(list(t, w.client.Messages(t.Context(), session.Query{}))); got != 4 {
			t.Errorf("%d messages, want 4", got)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %v, want one probe of 10s", took)
		}
	})
}

// TestFolderThatGotAnotherName is found again by its role.
func TestFolderThatGotAnotherName(t *testing.T) {
	w := newWorld(t, 1, nil)
	query := session.Query{Folder: session.Archive}
	list(t, w.client.Messages(t.Context(), query))
	if err := w.account.RenameFolder("Archive", "Old mail"); err != nil {
		t.Fatal(err)
	}
	w.server.Disconnect()
	if got := len(list(t, w.client.Messages(t.Context(), query))); got != 0 {
		t.Errorf("%d messages, want 0", got)
	}
	if err := w.account.RenameFolder("Old mail", "Older mail"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []session.ChangeOutcome{session.NotDone, session.Done} {
		results, err := w.client.Apply(t.Context(), session.Change{CopyTo: session.Archive}, ids(t, w)...)
		if err != nil {
			t.Fatal(err)
		}
		wantOutcomes(t, results, want)
	}
}

// TestOpenErrorsThatAreNotTheMessages end a loop instead of being passed over.
func TestOpenErrorsThatAreNotTheMessages(t *testing.T) {
	w := newWorld(t, 1, nil)
	id := ids(t, w)[0]
	w.server.Disconnect()
	w.server.Inject(always(mailtest.Refuse("AUTHENTICATE")))
	_, err := w.client.Open(context.WithoutCancel(t.Context()), id)
	if _, ok := errors.AsType[*session.ItemError](err); ok || !session.NeedsSignIn(err) {
		t.Errorf("error %v, want one that is not about the message", err)
	}
}

// TestChangesAskForNewsFirst: Dovecot finds, and says OK to changing, what
// another client has removed, until it has told so.
func TestChangesAskForNewsFirst(t *testing.T) {
	w := newWorld(t, 3, nil)
	messages := ids(t, w)
	if _, err := w.account.Expunge("INBOX", 2); err != nil {
		t.Fatal(err)
	}
	before := len(w.server.Commands())
	results, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Flagged}}, messages...)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range w.server.Commands()[before:] {
		names = append(names, c.Name)
	}
	if want := []string{"NOOP", "UID SEARCH", "UID STORE"}; !slices.Equal(names, want) {
		t.Errorf("commands %q, want %q", names, want)
	}
	wantOutcomes(t, results, session.Done, session.NotDone, session.Done)
}

// TestCopiesThatAreNotNamed are looked for: a server without UIDPLUS says OK
// also where others removed the message just before.
func TestCopiesThatAreNotNamed(t *testing.T) {
	for _, tt := range []struct {
		search string // what the server answers when it is asked what is there
		want   []session.ChangeOutcome
	}{
		{"", []session.ChangeOutcome{session.NotDone, session.Done}},
		{"NO [UNAVAILABLE] not now", []session.ChangeOutcome{session.Done, session.Done}},
	} {
		w := newWorld(t, 2, &imaptest.Options{Capabilities: imaptest.Without("UIDPLUS")})
		all := ids(t, w)
		w.server.Inject(mailtest.Fault{Command: "UID COPY", Call: func() {
			if _, err := w.account.Expunge("INBOX", 1); err != nil {
				t.Error(err)
			}
			if tt.search != "" {
				w.server.Inject(mailtest.Reply("UID SEARCH", tt.search))
			}
		}})
		results, err := w.client.Apply(t.Context(), session.Change{CopyTo: session.FolderAt("Archive")}, all...)
		if err != nil {
			t.Fatal(err)
		}
		wantOutcomes(t, results, tt.want...)
		if err := results[0].Err; tt.search == "" && !errors.Is(err, session.ErrNoMessage) {
			t.Errorf("the message that is gone has the error %v, want ErrNoMessage", err)
		}
	}
}
