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

// follower replays the events of some folders onto a model of them, which is empty
// at first.
type follower struct {
	*testing.T

	session *session.Session
	folders map[session.FolderRef]string // with the server's names

	mu    sync.Mutex
	known map[session.FolderRef]map[string]string // flags by UID
	since map[session.FolderRef]session.Cursor    // behind what is known
	news  chan struct{}                           // something was told
	told  map[session.EventKind]int
	loops int
}

// follow watches folders until the context ends. By chance, it leaves the loop as a
// program that ends does, also in the middle of a page, and another loop goes on
// from the last cursor that came. Nil never leaves.
func (f *follower) follow(ctx context.Context, leaving *rand.Rand, folders ...session.FolderRef) error {
	for {
		leaveAt := 0
		if leaving != nil {
			leaveAt = 1 << leaving.IntN(9)
		}
		if err := f.watch(ctx, leaveAt, folders); err != nil {
			return err
		}
	}
}

// watch is one loop, which ends after so many events, or by its error.
func (f *follower) watch(ctx context.Context, leaveAt int, folders []session.FolderRef) error {
	var page []session.Event // those that belong together
	heard := map[session.FolderRef]bool{}
	for e, err := range f.session.Watch(ctx, folders, f.goOn()) {
		if err != nil {
			return err
		}
		if first := e.Kind == session.EventListening; first || e.Kind == session.EventReconnected {
			if heard[e.Folder] == first {
				f.Errorf("%v is told in %v, of which listening was told before: %t", e.Kind, e.Folder, heard[e.Folder])
			}
			heard[e.Folder] = true
		}
		if page = append(page, e); !e.Cursor.IsZero() {
			f.replay(page)
			page = nil
		}
		if leaveAt--; leaveAt == 0 {
			return nil
		}
	}
	return errors.New("the loop ended without an error")
}

// goOn returns the settings of a loop that begins behind what is known.
func (f *follower) goOn() *session.WatchOptions {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loops++
	return &session.WatchOptions{
		Since: maps.Clone(f.since), Fields: session.FieldFlags, PageSize: 20,
		Interval: time.Second, FirstWait: 50 * time.Millisecond, MaxWait: time.Second,
	}
}

// replay does what the events of a page say, and keeps its cursor.
func (f *follower) replay(page []session.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range page {
		f.told[e.Kind]++
		known := f.known[e.Folder]
		switch e.Kind {
		case session.EventReset:
			clear(known)
		case session.EventNew, session.EventChanged:
			uid := uidOf(f.T, e.ID)
			if _, there := known[uid]; there == (e.Kind == session.EventNew) {
				f.Errorf("%v is told of %v, which is known: %t", e.Kind, e.ID, there)
			}
			known[uid] = wordsOf(e.Message.Flags)
		case session.EventRemoved:
			uid := uidOf(f.T, e.ID)
			if _, there := known[uid]; !there {
				f.Errorf("%v was removed, which is not known", e.ID)
			}
			delete(known, uid)
		case session.EventListening, session.EventReconnected, session.EventGone: // the last one comes beside an error
		}
	}
	last := page[len(page)-1]
	f.since[last.Folder] = last.Cursor
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

// TestFollowDovecot has a program watch two folders for a while in which other
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
		leaves  bool
	}{
		"NOTIFY":    {nil, [][]session.FolderRef{both}, false},
		"IDLE":      {nil, [][]session.FolderRef{both[:1], both[1:]}, false},
		"polled":    {&imapx.Options{MaxConnections: 1}, [][]session.FolderRef{both}, false},
		"restarted": {nil, [][]session.FolderRef{both}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := startServers(t, nil)
			f := newFollower(t, servers, tt.options)
			ctx, stop := context.WithCancel(t.Context())
			var following sync.WaitGroup
			for _, folders := range tt.loops {
				var leaving *rand.Rand
				if tt.leaves {
					leaving = rand.New(rand.NewPCG(7, 8)) //nolint:gosec // G404: the same each time.
				}
				following.Go(func() {
					if err := f.follow(ctx, leaving, folders...); !errors.Is(err, context.Canceled) {
						t.Errorf("watching %v ends with %v", folders, err)
					}
				})
			}
			rounds, killed := 0, 0
			defer func() {
				stop()
				following.Wait()
				t.Logf("%d rounds, %d sessions killed; %d loops were told %v", rounds, killed, f.loops, f.told)
				if n := f.told[session.EventReset]; n > 0 {
					t.Errorf("folders were read anew %d times", n)
				}
				if tt.leaves && f.loops < 2 {
					t.Error("no loop was left")
				}
			}()
			rounds, killed = disturbDovecot(t, servers, f, time.Now().Add(length))
		})
	}
}

// newFollower returns one that knows nothing: all that is in the folders is new to
// it.
func newFollower(t *testing.T, servers *interop.Servers, options *imapx.Options) *follower {
	t.Helper()
	log := testlog.New(t)
	s, err := session.New(session.Credentials{User: ann, Password: userOf(t, servers, ann).Password},
		imapx.Backend(serverAt(t, servers, servers.IMAPS, session.TLS), options), nil,
		&session.Options{Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return &follower{
		T: t, session: s, folders: map[session.FolderRef]string{session.Inbox: "INBOX", session.Archive: "Archive"},
		known: map[session.FolderRef]map[string]string{session.Inbox: {}, session.Archive: {}},
		since: map[session.FolderRef]session.Cursor{session.Inbox: {}, session.Archive: {}},
		news:  make(chan struct{}, 1), told: map[session.EventKind]int{},
	}
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
