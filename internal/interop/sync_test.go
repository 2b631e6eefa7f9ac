//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// syncLength is how long the story of TestFollowDovecot goes on, the default in
// place of MAILSESSION_SYNC_LENGTH.
const syncLength = 15 * time.Second

// follower knows of some folders what changes tell, and is told when to ask.
type follower struct {
	*testing.T

	client  *imapx.Client
	folders map[session.FolderRef]string // with the server's names

	mu     sync.Mutex
	known  map[session.FolderRef]map[string]string // flags by UID
	news   chan struct{}                           // something was told
	resets int
	pages  int

	lines atomic.Int32
}

// follow listens to folders until the context ends, and asks for changes at each
// notice.
func (f *follower) follow(ctx context.Context, folders ...session.FolderRef) error {
	cursors := map[session.FolderRef]session.Cursor{}
	for n, err := range f.client.Notify(ctx, folders, session.NotifyOptions{Interval: time.Second}) {
		if err != nil {
			return err
		}
		if n.Kind == session.Listening {
			f.lines.Add(1)
		}
		for {
			cursor, err := f.pull(ctx, n.Folder, cursors[n.Folder])
			cursors[n.Folder] = cursor
			if err == nil || !session.Temporary(err) {
				must(f.T, errors.Join(err, ctx.Err()))
				break
			}
		}
	}
	return nil
}

// pull takes what changed since a cursor.
func (f *follower) pull(ctx context.Context, folder session.FolderRef, since session.Cursor) (session.Cursor, error) {
	for page, err := range f.client.Changes(ctx, folder, since, session.SyncOptions{PageSize: 20, Fields: session.FieldFlags}) {
		if errors.Is(err, session.ErrCursorExpired) {
			f.Logf("%v: %v", folder, err)
			continue
		}
		if err != nil {
			return since, err
		}
		f.take(folder, page)
		since = page.Cursor
	}
	return since, nil
}

func (f *follower) take(folder session.FolderRef, page session.Changes) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.known[folder]
	f.pages++
	if page.Reset {
		f.resets++
		clear(known)
	}
	for _, m := range page.Added {
		if _, again := known[uidOf(f.T, m.ID)]; again {
			f.Errorf("%v was added twice", m.ID)
		}
		known[uidOf(f.T, m.ID)] = wordsOf(m.Flags)
	}
	for _, m := range page.Changed {
		if _, there := known[uidOf(f.T, m.ID)]; !there {
			f.Errorf("%v changed, which was not added", m.ID)
		}
		known[uidOf(f.T, m.ID)] = wordsOf(m.Flags)
	}
	for _, id := range page.Removed {
		if _, there := known[uidOf(f.T, id)]; !there {
			f.Errorf("%v was removed, which was not there", id)
		}
		delete(known, uidOf(f.T, id))
	}
	select {
	case f.news <- struct{}{}:
	default:
	}
}

func uidOf(t *testing.T, id session.ID) string {
	t.Helper()
	parts, err := id.Parts()
	must(t, err)
	return parts.Key
}

func wordsOf(flags session.Flags) string {
	words := make([]string, len(flags))
	for i, f := range flags {
		words[i] = string(f)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// fetched finds what a server tells of a message's flags.
var fetched = regexp.MustCompile(`UID (\d+) FLAGS \(([^)]*)\)`)

// really returns what a folder holds, by another client.
func really(t *testing.T, servers *interop.Servers, folder string) map[string]string {
	t.Helper()
	raw := dialIMAP(t, servers.IMAP)
	defer raw.conn.Close()
	raw.login(userOf(t, servers, ann))
	raw.ok("EXAMINE " + folder)
	there := map[string]string{}
	for _, line := range raw.ok("UID FETCH 1:* (UID FLAGS)") {
		if m := fetched.FindStringSubmatch(line); m != nil {
			words := slices.DeleteFunc(strings.Fields(m[2]), func(w string) bool { return w == `\Recent` })
			slices.Sort(words)
			there[m[1]] = strings.Join(words, " ")
		}
	}
	return there
}

// awaitSame waits until the follower knows what there really is.
func (f *follower) awaitSame(ctx context.Context, servers *interop.Servers) {
	f.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for folder, name := range f.folders {
		want := really(f.T, servers, name) //nolint:contextcheck // a dialogue by hand lives as long as the test
		for {
			f.mu.Lock()
			same, got := maps.Equal(f.known[folder], want), fmt.Sprint(f.known[folder])
			f.mu.Unlock()
			if same {
				break
			}
			select {
			case <-f.news:
			case <-ctx.Done():
				f.Fatalf("%s is known as\n%s\nand is\n%v", name, got, want)
			}
		}
	}
}

// TestFollowDovecot has a program follow two folders for a while in which other
// clients change them, mbsync among them, and in which Dovecot's processes are
// killed now and then. What the program is told comes to what there is, with
// nothing lost and nothing told twice.
func TestFollowDovecot(t *testing.T) {
	t.Parallel()
	length := syncLength
	if text := os.Getenv("MAILSESSION_SYNC_LENGTH"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		must(t, err)
	}
	both := []session.FolderRef{session.Inbox, session.Archive}
	for name, tt := range map[string]struct {
		options *imapx.Options
		loops   [][]session.FolderRef
	}{
		"NOTIFY": {nil, [][]session.FolderRef{both}},
		"IDLE":   {nil, [][]session.FolderRef{both[:1], both[1:]}},
		"polled": {&imapx.Options{MaxConnections: 1}, [][]session.FolderRef{both}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := startServers(t, nil)
			f := newFollower(t, servers, tt.options)
			ctx, stop := context.WithCancel(t.Context())
			var following sync.WaitGroup
			for _, folders := range tt.loops {
				following.Go(func() {
					if err := f.follow(ctx, folders...); !errors.Is(err, context.Canceled) {
						t.Errorf("following %v ends with %v", folders, err)
					}
				})
			}
			defer following.Wait()
			defer stop()
			rounds, killed := disturbDovecot(t, servers, f, time.Now().Add(length))
			t.Logf("%d rounds, %d sessions killed, %d pages, %d times listening", rounds, killed, f.pages, f.lines.Load())
			if f.resets > 0 {
				t.Errorf("folders were read anew %d times", f.resets)
			}
		})
	}
}

func newFollower(t *testing.T, servers *interop.Servers, options *imapx.Options) *follower {
	t.Helper()
	f := &follower{
		T: t, folders: map[session.FolderRef]string{session.Inbox: "INBOX", session.Archive: "Archive"},
		known: map[session.FolderRef]map[string]string{session.Inbox: {}, session.Archive: {}}, news: make(chan struct{}, 1),
	}
	f.client = newIMAP(t, servers, options)
	return f
}

// newIMAP returns a client for ann.
func newIMAP(t *testing.T, servers *interop.Servers, options *imapx.Options) *imapx.Client {
	t.Helper()
	log := testlog.New(t)
	var o imapx.Options
	if options != nil {
		o = *options
	}
	o.Logger, o.Observer = testlog.Logger(log), testlog.NewObserver(log)
	c, err := imapx.New(serverAt(t, servers, servers.IMAPS, session.TLS), session.Credentials{User: ann, Password: userOf(t, servers, ann).Password}, &o)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// disturbDovecot makes changes, and kills, until a moment has come.
func disturbDovecot(t *testing.T, servers *interop.Servers, f *follower, until time.Time) (rounds, killed int) {
	t.Helper()
	chance := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // G404: the same each time.
	other := newMaildir(t, servers)
	mine := newIMAP(t, servers, nil)
	for ; rounds < 10 || time.Now().Before(until); rounds++ {
		for range 1 + chance.IntN(10) {
			change(t, mine, chance)
		}
		if rounds%5 == 4 {
			other.disturb(t, chance)
			other.sync(t)
		}
		if chance.IntN(3) == 0 {
			n, err := servers.KillIMAP()
			must(t, err)
			killed += n
		}
		if rounds%4 == 3 {
			f.awaitSame(t.Context(), servers)
		}
	}
	f.awaitSame(t.Context(), servers)
	return rounds, killed
}

// change does one thing to the folders. Where a session was killed meanwhile,
// nobody knows whether it did; the server does.
func change(t *testing.T, c *imapx.Client, chance *rand.Rand) {
	t.Helper()
	var ids []session.ID
	for m, err := range c.Messages(t.Context(), session.Query{Fields: session.FieldFlags}) {
		must(t, err)
		ids = append(ids, m.ID)
	}
	some := ids[:min(len(ids), 1+chance.IntN(3))]
	if len(ids) > 10 {
		chance.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	}
	var err error
	switch what := chance.IntN(6); {
	case what < 2 || len(some) == 0:
		text := fmt.Sprintf("From: bob@example.org\r\nMessage-ID: <%d@x>\r\nSubject: A\r\n\r\ntext\r\n", chance.Int64())
		_, err = c.Append(t.Context(), session.Inbox, message.Bytes([]byte(text)), nil)
	case what == 2:
		_, err = c.Apply(t.Context(), session.Change{Delete: true}, some...)
	case what == 3:
		_, err = c.Apply(t.Context(), session.Change{MoveTo: session.Archive}, some...)
	default:
		flag := []session.Flag{session.Seen, session.Flagged, "$Work"}[chance.IntN(3)]
		one := session.Change{Set: session.Flags{flag}}
		if what == 5 {
			one = session.Change{Clear: session.Flags{flag}}
		}
		_, err = c.Apply(t.Context(), one, some...)
	}
	if err != nil && !session.Temporary(err) {
		t.Errorf("a change failed: %v", err)
	}
}

// maildir is a copy of the folders that mbsync keeps in step with the server's.
type maildir struct{ config, mail string }

func newMaildir(t *testing.T, servers *interop.Servers) maildir {
	t.Helper()
	dir := t.TempDir()
	m := maildir{config: filepath.Join(dir, "mbsyncrc"), mail: filepath.Join(dir, "mail")}
	_, port, err := net.SplitHostPort(servers.IMAP)
	must(t, err)
	text := fmt.Sprintf(`IMAPAccount real
Host localhost
Port %s
User %s
Pass %s
AuthMechs LOGIN
SSLType None

IMAPStore far
Account real

MaildirStore near
Path %s/
Inbox %[4]s/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX Archive
Create Near
Expunge Both
SyncState *
`, port, ann, userOf(t, servers, ann).Password.Reveal(), m.mail)
	must(t, errors.Join(os.Mkdir(m.mail, 0o700), os.WriteFile(m.config, []byte(text), 0o600)))
	m.sync(t)
	return m
}

func (m maildir) sync(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "mbsync", "-c", m.config, "all") //nolint:gosec // G204: the command is ours.
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mbsync: %v\n%s", err, out)
	}
}

// disturb adds a message to the copy, marks one as read, and removes one.
func (m maildir) disturb(t *testing.T, chance *rand.Rand) {
	t.Helper()
	number := strconv.Itoa(chance.Int())
	fresh := filepath.Join(m.mail, "INBOX", "new", number+".M1P1.localhost")
	must(t, os.WriteFile(fresh, []byte("Subject: by mbsync\nMessage-ID: <"+number+"@mbsync>\n\ntext\n"), 0o600))
	files, err := filepath.Glob(filepath.Join(m.mail, "*", "cur", "*:2,*"))
	must(t, err)
	if len(files) < 2 {
		return
	}
	i := chance.IntN(len(files) - 1)
	must(t, os.Remove(files[i]))
	if name := files[i+1]; !strings.Contains(filepath.Base(name), "S") {
		must(t, os.Rename(name, name+"S"))
	}
}
