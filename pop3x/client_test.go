package pop3x_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// TestWaysToSignIn: each way, by what the server offers and the settings ask for.
func TestWaysToSignIn(t *testing.T) {
	sasl := func(mechanisms string) []string {
		return append(pop3test.Without("SASL", "USER"), "SASL "+mechanisms)
	}
	for _, tt := range []struct {
		name      string
		options   pop3test.Options
		creds     session.Credentials
		mechanism []string
		security  mailtest.Security
		want      string
	}{
		{"PLAIN", pop3test.Options{}, withPassword(), nil, mailtest.TLS, "AUTH PLAIN"},
		{"LOGIN", pop3test.Options{Capabilities: sasl("LOGIN")}, withPassword(), nil, mailtest.TLS, "AUTH LOGIN"},
		{"USER", pop3test.Options{Capabilities: pop3test.Without("SASL")}, withPassword(), nil, mailtest.TLS, "USER"},
		{"USER where it is asked for", pop3test.Options{}, withPassword(), []string{"user"}, mailtest.STARTTLS, "USER"},
		{"USER without CAPA", pop3test.Options{NoCAPA: true}, withPassword(), nil, mailtest.TLS, "USER"},
		{"APOP on an open line", pop3test.Options{APOP: true}, withPassword(), nil, mailtest.None, "APOP"},
		{"APOP where there is nothing else", pop3test.Options{APOP: true, Capabilities: sasl("XOAUTH2")}, withPassword(), nil, mailtest.TLS, "APOP"},
		{"PLAIN for somebody else", pop3test.Options{APOP: true}, asMaster(), nil, mailtest.TLS, "AUTH PLAIN"},
		{"OAUTHBEARER", pop3test.Options{}, withTokens(), nil, mailtest.TLS, "AUTH OAUTHBEARER"},
		{"XOAUTH2", pop3test.Options{Capabilities: sasl("XOAUTH2")}, withTokens(), nil, mailtest.STARTTLS, "AUTH XOAUTH2"},
		{"Exchange", *pop3test.ExchangeOptions(), withTokens(), nil, mailtest.TLS, "AUTH XOAUTH2"},
		{"Gmail", *pop3test.GmailOptions(pop3test.Keep), withTokens(), nil, mailtest.TLS, "AUTH OAUTHBEARER"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Security = tt.security
			tt.options.Hosts = []string{"mail.example.com"}
			w := newWorld(t, 1, &tt.options, nil)
			w.account.AcceptTokens(func(context.Context, secret.Text) error { return nil })
			w.box.AddMaster("admin", secret.New("master horse"))
			s := w.settings()
			s.AllowPlainAuth, s.Mechanisms = false, tt.mechanism
			s.Security = map[mailtest.Security]session.Security{
				mailtest.None: session.None, mailtest.TLS: session.TLS, mailtest.STARTTLS: session.STARTTLS,
			}[tt.security]
			w.client = w.open(s, tt.creds, nil)
			if got := subjects(w.list()); got != "1" {
				t.Errorf("the list has %q", got)
			}
			if !slices.ContainsFunc(w.server.Commands(), func(c mailtest.Command) bool { return strings.HasPrefix(c.Line, tt.want) }) {
				t.Errorf("the client said %v, want %s", w.server.Commands(), tt.want)
			}
		})
	}
}

// TestNothingThatMattersGoesOverAnOpenLine: no password without encryption,
// unless it is asked for.
func TestNothingThatMattersGoesOverAnOpenLine(t *testing.T) {
	for name, o := range map[string]*pop3test.Options{"SASL": nil, "USER": {Capabilities: pop3test.Without("SASL")}} {
		w := newWorld(t, 1, o, nil)
		s := w.settings()
		s.AllowPlainAuth = false
		_, err := collect(t.Context(), w.open(s, withPassword(), nil), session.Query{})
		if err == nil || !strings.Contains(err.Error(), "not encrypted") {
			t.Errorf("%s: %v, want that the line is not encrypted", name, err)
		}
		s.Security = session.STARTTLS
		_, err = collect(t.Context(), w.open(s, withPassword(), nil), session.Query{})
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "STLS") {
			t.Errorf("%s: %v, want that STLS is missing", name, err)
		}
		for _, c := range w.said() {
			if c == "AUTH" || c == "USER" || c == "PASS" {
				t.Errorf("%s: the client said %s", name, c)
			}
		}
	}
}

// TestWhatWouldBreakOutOfACommandIsRefused: names and passwords with line breaks
// are refused before anything of them is sent.
func TestWhatWouldBreakOutOfACommandIsRefused(t *testing.T) {
	for _, mechanism := range []string{"USER", "APOP", "PLAIN"} {
		for _, creds := range []session.Credentials{
			{User: "ann\r\nDELE 1", Password: password()},
			{User: "ann\n", Password: password()},
			{User: ann, Password: secret.New("horse\r\nDELE 1")},
			{User: ann, Password: secret.New("horse\x00")},
		} {
			if mechanism == "PLAIN" && strings.Contains(creds.Password.Reveal(), "\r") {
				continue // base64 carries it
			}
			w := newWorld(t, 1, &pop3test.Options{APOP: true}, nil)
			s := w.settings()
			s.Mechanisms = []string{mechanism}
			_, err := collect(t.Context(), w.open(s, creds, nil), session.Query{})
			if err == nil || strings.Contains(err.Error(), "horse") {
				t.Errorf("%s with %q: %v, want a refusal that does not tell the password", mechanism, creds.User, err)
			}
			for _, c := range w.said() {
				if c == "USER" || c == "APOP" || c == "AUTH" || c == "DELE" {
					t.Errorf("%s with %q: the client said %s", mechanism, creds.User, c)
				}
			}
		}
	}
}

// TestARefusedTokenTellsWhy: the server's explanation comes back, for which the
// client has to answer the challenge as the mechanism wants it.
func TestARefusedTokenTellsWhy(t *testing.T) {
	for mechanism, status := range map[string]string{"XOAUTH2": "401", "OAUTHBEARER": "invalid_token"} {
		w := newWorld(t, 1, nil, nil)
		s := w.settings()
		s.Mechanisms = []string{mechanism}
		creds := session.Credentials{User: ann, Tokens: oauth.AnyResource(oauth.StaticToken(secret.New("horse-old")))}
		_, err := collect(t.Context(), w.open(s, creds, nil), session.Query{})
		e, is := errors.AsType[*session.AuthError](err)
		if !is || e.Status != status || e.Mechanism != mechanism || e.Remedy == "" || session.Temporary(err) {
			t.Errorf("%s: %+v, %v; want an AuthError with the status %s", mechanism, e, err, status)
		}
	}
}

// TestALockedMaildropIsWaitedFor: another program has it for a few seconds; one
// that keeps it is a temporary error after LockWait.
func TestALockedMaildropIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, nil, nil)
		release := w.server.Occupy(w.account)
		go func() {
			pass(5 * time.Second)
			release()
		}()
		start := time.Now()
		if got := subjects(w.list()); got != "1 2" || time.Since(start) < 5*time.Second {
			t.Errorf("the list has %q after %v", got, time.Since(start))
		}
		if err := w.client.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		defer w.server.Occupy(w.account)()
		start = time.Now()
		_, err := collect(t.Context(), w.connect(withPassword(), nil), session.Query{})
		e, is := errors.AsType[*pop3x.Error](err)
		if took := time.Since(start); !is || e.Code != "IN-USE" || e.Remedy == "" || !session.Temporary(err) || took > pop3x.DefaultLockWait || took < pop3x.DefaultLockWait/2 {
			t.Errorf("%v after %v, want IN-USE", err, took)
		}
	})
}

// TestTheMaildropIsLetGoSoon: the lock is held for as long as it is used, and a
// little longer.
func TestTheMaildropIsLetGoSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, nil, nil)
		ids := w.ids()
		if _, err := read(t.Context(), w.client, ids[0]); err != nil {
			t.Fatal(err)
		}
		if made, open := w.server.Connections(); made != 1 || open != 1 {
			t.Errorf("%d connections were made for a list and a message, %d are open; want one", made, open)
		}
		pass(pop3x.DefaultIdleTimeout + time.Millisecond)
		synctest.Wait()
		if w.server.Occupied(w.account) {
			t.Error("the maildrop is locked long after its last use")
		}
		if said := w.said(); said[len(said)-1] != "QUIT" {
			t.Errorf("the last command was %s, want QUIT", said[len(said)-1])
		}
	})
}

// TestTheServersDelayIsTold: a sign-in that comes too soon is an error that says
// when to come back.
func TestTheServersDelayIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, &pop3test.Options{
			LoginDelay: time.Minute, Capabilities: append(pop3test.DefaultCapabilities(), "LOGIN-DELAY"),
		}, nil)
		ids := w.ids()
		w.list() // in the session that there is
		if results, err := w.client.Apply(t.Context(), session.Change{Delete: true}, ids[0]); err != nil || outcomes(results) != "done" {
			t.Fatalf("Apply = %v, %v", results, err)
		}
		_, err := collect(t.Context(), w.client, session.Query{})
		if !session.Temporary(err) || session.RetryAfter(err) != time.Minute {
			t.Errorf("%v, to be tried again after %v; want a temporary error and a minute", err, session.RetryAfter(err))
		}
		pass(time.Minute)
		if got := subjects(w.list()); got != "2" {
			t.Errorf("the list has %q after a minute", got)
		}
	})
}

// TestDeletionIsOneBatch: a hundred marks take no more flights than one, and the
// messages go with QUIT.
func TestDeletionIsOneBatch(t *testing.T) {
	w := newWorld(t, 100, nil, nil)
	ids := w.ids()
	results, err := w.client.Apply(t.Context(), session.Change{Delete: true}, ids[:99]...)
	if err != nil || strings.Contains(outcomes(results), "not") || w.left() != "100" {
		t.Fatalf("Apply = %s, %v; left are %s", outcomes(results), err, w.left())
	}
	said := w.said()
	if n := len(said); said[n-1] != "QUIT" || said[n-2] != "DELE" || said[n-100] != "DELE" {
		t.Errorf("the client said %v at the end", said[n-101:])
	}
}

// TestNothingIsDeletedWithoutQUIT: the context ends, the line breaks or the
// server falls silent between the marks and the end.
func TestNothingIsDeletedWithoutQUIT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, nil, nil)
		ids := w.ids()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.server.Inject(mailtest.Silence("DELE").Skipping(1))
		results, err := w.client.Apply(ctx, session.Change{Delete: true}, ids...)
		if !errors.Is(err, context.DeadlineExceeded) || outcomes(results) != "not done, not done, not done" {
			t.Errorf("Apply = %s, %v; want not done, and the context's error", outcomes(results), err)
		}
		synctest.Wait()
		if w.left() != "1 2 3" {
			t.Errorf("left are %s", w.left())
		}
	})
}

// TestAServerThatIsStuckIsNotBelieved: QUIT is answered -ERR and some messages
// went: nobody knows which.
func TestAServerThatIsStuckIsNotBelieved(t *testing.T) {
	w := newWorld(t, 3, &pop3test.Options{Stuck: func(m mailtest.Message) bool { return strings.Contains(m.Raw, "sample-2@") }}, nil)
	results, err := w.client.Apply(t.Context(), session.Change{Delete: true}, w.ids()...)
	if err == nil || outcomes(results) != "unknown, unknown, unknown" || w.left() != "2" {
		t.Errorf("Apply = %s, %v; left are %s; want unknown", outcomes(results), err, w.left())
	}
}

// TestDeletionsOutOfStepAreNotBelieved: with an answer too many, that to a mark is
// not taken for that to QUIT, which the server refuses.
func TestDeletionsOutOfStepAreNotBelieved(t *testing.T) {
	for range 20 {
		w := newWorld(t, 3, &pop3test.Options{Shared: true}, nil)
		ids := w.ids()
		w.server.Inject(mailtest.After("DELE", "+OK once more\r\n"), mailtest.Refuse("QUIT").Repeating(-1))
		results, err := w.client.Apply(t.Context(), session.Change{Delete: true}, ids...)
		if strings.Contains(outcomes(results), "done") && !strings.Contains(outcomes(results), "not done") || w.left() != "1 2 3" {
			t.Errorf("Apply = %s, %v; left are %s", outcomes(results), err, w.left())
		}
	}
}

// TestAMaildropMayHaveManyGigabytes, also where an int has 32 bits.
func TestAMaildropMayHaveManyGigabytes(t *testing.T) {
	w := newWorld(t, 0, &pop3test.Options{Capabilities: pop3test.Without("PIPELINING")}, nil)
	for answer, want := range map[string]session.Counts{
		"+OK 3 6000000000":       {Messages: 3, Bytes: 6_000_000_000},
		"+OK 3 6000000000 bytes": {Messages: 3, Bytes: 6_000_000_000},
	} {
		w.server.Inject(mailtest.Reply("STAT", answer))
		if got, err := w.client.Count(t.Context(), session.Inbox); got != want || err != nil {
			t.Errorf("after %q Count = %+v, %v, want %+v", answer, got, err, want)
		}
	}
	for _, answer := range []string{"+OK 3 99999999999999999999", "+OK 99999999999999999999 3"} {
		w.server.Inject(mailtest.Reply("STAT", answer))
		if got, err := w.client.Count(t.Context(), session.Inbox); err == nil {
			t.Errorf("after %q Count = %+v and no error", answer, got)
		}
	}
}

// TestSizesAreEstimates: what LIST says is told and never relied on.
func TestSizesAreEstimates(t *testing.T) {
	w := newWorld(t, 3, &pop3test.Options{Size: func(m mailtest.Message) int { return 7 }}, nil)
	all := w.list()
	if all[1].Size != 7 {
		t.Errorf("the size is %d, the server says 7", all[1].Size)
	}
	for i, m := range all {
		if raw, err := read(t.Context(), w.client, m.ID); err != nil || raw != mailtest.Sample(i+1) {
			t.Errorf("message %d: %d bytes, %v", i+1, len(raw), err)
		}
	}
}

// TestABodyThatIsClosedEarlyIsNotReadToItsEnd, whatever LIST says of its size.
func TestABodyThatIsClosedEarlyIsNotReadToItsEnd(t *testing.T) {
	w := newWorld(t, 1, &pop3test.Options{Shared: true, Size: func(mailtest.Message) int { return 7 }}, nil)
	w.put(large(8 << 20))
	ids := w.ids()
	made, _ := w.server.Connections()
	body, err := w.client.Open(t.Context(), ids[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if raw, err := read(t.Context(), w.client, ids[0]); err != nil || raw != mailtest.Sample(1) {
		t.Errorf("afterwards %d bytes, %v", len(raw), err)
	}
	if now, _ := w.server.Connections(); now != made+1 {
		t.Errorf("%d new connections, want one in the place of that with the large message", now-made)
	}
}

// TestSeenIsKeptInTheStore: by this program, for all of its runs.
func TestSeenIsKeptInTheStore(t *testing.T) {
	store := state.NewMemory()
	w := newWorld(t, 4, nil, &pop3x.Options{Store: store})
	ids := w.ids()
	if results, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen}}, ids[0], ids[2], ids[3]); err != nil || outcomes(results) != "done, done, done" {
		t.Fatalf("Apply = %+v, %v", results, err)
	}
	w.client = w.connect(withPassword(), &pop3x.Options{Store: store})
	if results, err := w.client.Apply(t.Context(), session.Change{Clear: session.Flags{session.Seen}}, ids[2]); err != nil || outcomes(results) != "done" {
		t.Fatalf("Apply = %+v, %v", results, err)
	}
	unread, err := collect(t.Context(), w.client, session.Query{Where: session.Filter{Unread: session.Yes}, OldestFirst: true})
	if err != nil || subjects(unread) != "2 3" {
		t.Errorf("unread are %s, %v", subjects(unread), err)
	}
	if counts, err := w.client.Count(t.Context(), ""); err != nil || counts.Messages != 4 || counts.Unread != 2 {
		t.Errorf("Count = %+v, %v", counts, err)
	}
	if m := w.list()[0]; m.Unread() {
		t.Errorf("message 1 has the flags %v", m.Flags)
	}
	for _, change := range []session.Change{{Set: session.Flags{session.Flagged}}, {MoveTo: session.Archive}} {
		results, _ := w.client.Apply(t.Context(), change, ids[0])
		if outcomes(results) != "not done" || !errors.Is(results[0].Err, errors.ErrUnsupported) {
			t.Errorf("Apply(%+v) = %+v", change, results)
		}
	}
	// What is deleted is forgotten.
	if _, err := w.client.Apply(t.Context(), session.Change{Delete: true}, ids[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen}}, ids[1]); err != nil {
		t.Fatal(err)
	}
	for key, err := range store.List(t.Context(), "pop3/") {
		if err != nil {
			t.Fatal(err)
		}
		record, err := store.Load(t.Context(), key)
		parts, _ := ids[0].Parts()
		if err != nil || strings.Contains(string(record.Value), parts.Key) || strings.Contains(key, "ann") {
			t.Errorf("the record %s is %s, %v", key, record.Value, err)
		}
	}
}

// dated returns a sample that came at a time.
func dated(n int, at time.Time) string {
	return "Received: from a by b; " + at.Format(time.RFC1123Z) + "\r\n" + mailtest.Sample(n)
}

// TestMessagesAreLeftForAWhile: what is older goes, what has no date stays, and
// with a Store what nobody has seen stays too.
func TestMessagesAreLeftForAWhile(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		store state.Store
		left  string
	}{{nil, "2 4 5"}, {state.NewMemory(), "1 2 4 5"}} {
		w := newWorld(t, 0, nil, &pop3x.Options{Store: tt.store})
		for n, days := range []int{30, 3, 15, 14} {
			w.put(dated(n+1, now.AddDate(0, 0, -days)))
		}
		w.put("Message-ID: <sample-5@example.org>\r\n\r\nno date\r\n")
		if tt.store != nil {
			if _, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen}}, w.ids()[2]); err != nil {
				t.Fatal(err)
			}
		}
		results, err := w.client.DeleteBefore(t.Context(), now.AddDate(0, 0, -14))
		if err != nil || strings.Contains(outcomes(results), "not") || w.left() != tt.left {
			t.Errorf("DeleteBefore = %s, %v; left are %s, want %s", outcomes(results), err, w.left(), tt.left)
		}
	}
}

// TestNoAgeDeletesNothing: a time that nobody set is not one before which
// everything is old.
func TestNoAgeDeletesNothing(t *testing.T) {
	w := newWorld(t, 3, nil, nil)
	results, err := w.client.DeleteBefore(t.Context(), time.Time{})
	if err == nil || len(results) != 0 || w.left() != "1 2 3" {
		t.Errorf("DeleteBefore(the zero time) = %v, %v; left are %q", results, err, w.left())
	}
}

// TestOtherFolders: there is one folder, and who names no folder at all is told how to.
func TestOtherFolders(t *testing.T) {
	w := newWorld(t, 1, nil, nil)
	for ref, want := range map[session.FolderRef]string{
		session.Sent:             `pop3: folder "role:sent": POP3 has no folder but the inbox: unsupported operation`,
		session.FolderAt("Sent"): `pop3: folder "path:Sent": POP3 has no folder but the inbox: unsupported operation`,
		"INBOX":                  `unsupported operation; name it by FolderAt("INBOX"), or by a role such as Inbox`,
		"role:inbux":             `unsupported operation; there is no role "inbux"; did you mean "inbox"?`,
	} {
		if _, err := w.client.Count(t.Context(), ref); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("Count of %q: error %v, want %s", ref, err, want)
		}
	}
	for _, ref := range []session.FolderRef{session.Inbox, session.FolderAt("INBOX"), ""} {
		if counts, err := w.client.Count(t.Context(), ref); err != nil || counts.Messages != 1 {
			t.Errorf("Count of %q = %+v, %v; want the inbox", ref, counts, err)
		}
	}
}

// TestBytesComeAsTheyAre: a byte order mark, lone line feeds and dots.
func TestBytesComeAsTheyAre(t *testing.T) {
	raw := "\xef\xbb\xbfSubject: odd\r\n\r\n.\r\n..\r\nbare\nfeeds\n.\n..\n\x00\r\r\n.\r\n"
	w := newWorld(t, 0, nil, nil)
	w.put(raw)
	id := w.ids()[0]
	if got, err := read(t.Context(), w.client, id); err != nil || got != raw {
		t.Errorf("Open gives %q, %v, want %q", got, err, raw)
	}
	for body, err := range w.client.Bodies(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != raw {
			t.Errorf("Bodies gives %q, %v, want %q", got, err, raw)
		}
	}
}

// TestExplain: everything is decided here, and the plan says what that takes.
func TestExplain(t *testing.T) {
	w := newWorld(t, 0, nil, nil)
	for _, tt := range []struct {
		query session.Query
		want  string
	}{
		{session.Query{}, "STAT, UIDL, LIST, TOP n 0"},
		{session.Query{Fields: session.FieldSize}, "STAT, UIDL, LIST"},
		{session.Query{Fields: session.FieldSize, Where: session.Filter{Larger: 5}}, "STAT, UIDL, LIST"},
		{session.Query{Where: session.Filter{Body: "x"}}, "STAT, UIDL, LIST, TOP n 0, RETR n"},
		{session.Query{Fields: session.FieldPreview}, "STAT, UIDL, LIST, TOP n 200"},
		{session.Query{Fields: session.FieldSize, Where: session.Filter{Larger: 5}, ServerOnly: true}, "STAT, UIDL, LIST"},
	} {
		plan, err := w.client.Explain(t.Context(), tt.query)
		if got := strings.Join(plan.Commands, ", "); err != nil || got != tt.want || plan.Local.IsZero() != tt.query.Where.IsZero() {
			t.Errorf("Explain(%v) = %s, %v; want %s", tt.query, got, err, tt.want)
		}
	}
	if made, _ := w.server.Connections(); made != 0 {
		t.Errorf("explaining made %d connections", made)
	}
}

// TestAListWithoutHeadersAsksForNone: names and sizes come from two commands.
func TestAListWithoutHeadersAsksForNone(t *testing.T) {
	w := newWorld(t, 50, nil, nil)
	all, err := collect(t.Context(), w.client, session.Query{Fields: session.FieldSize, Where: session.Filter{Larger: 1}})
	if err != nil || len(all) != 50 || slices.Contains(w.said(), "TOP") {
		t.Errorf("%d messages, %v; the client said %v", len(all), err, w.said())
	}
}

// asMaster are the credentials of somebody who may open ann's maildrop.
func asMaster() session.Credentials {
	return session.Credentials{User: ann, AuthUser: "admin", Password: secret.New("master horse")}
}

// Where the server has room for one name alone, nothing is sent of somebody who signs
// in for another one.
func TestNoWayToSignInForSomebodyElse(t *testing.T) {
	for _, o := range []*pop3test.Options{{APOP: true, Capabilities: pop3test.Without("SASL")}, {NoCAPA: true}} {
		w := newWorld(t, 1, o, nil)
		w.box.AddMaster("admin", secret.New("master horse"))
		w.client = w.connect(asMaster(), nil)
		_, err := w.client.Facts(t.Context())
		if err == nil || !strings.Contains(err.Error(), "AuthUser") {
			t.Errorf("Facts = %v, want an error about AuthUser", err)
		}
		for _, c := range w.server.Commands() {
			if c.Name == "USER" || c.Name == "APOP" || c.Name == "AUTH" && c.Line != "AUTH" {
				t.Errorf("the server was told %q", c.Line)
			}
		}
	}
}

// TestAnotherProtocol: who has mistaken the port is told to look at it.
func TestAnotherProtocol(t *testing.T) {
	w := newWorld(t, 1, nil, nil)
	w.server.Inject(mailtest.Reply(mailtest.Greeting, "* OK IMAP4rev1 ready"))
	_, err := w.client.Facts(t.Context())
	if err == nil || !strings.Contains(err.Error(), `"* OK IMAP4rev1 ready"; this is not the answer of a POP3 server: check host and port`) {
		t.Errorf("Facts error %v, want what to check", err)
	}
}
