package backend_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/session"
)

// posting is a notice of several folders that a line leaves.
type posting struct {
	kind    session.NoticeKind
	folders []session.FolderRef
}

func listening(folders ...session.FolderRef) posting { return posting{session.Listening, folders} }
func activity(folders ...session.FolderRef) posting  { return posting{session.Activity, folders} }

// noticeText writes a notice in two words.
func noticeText(n session.Notice) string {
	kind := map[session.NoticeKind]string{session.Listening: "listening", session.Activity: "activity"}[n.Kind]
	return kind + " " + strings.TrimPrefix(string(n.Folder), "role:")
}

// nothing is a line that never notices anything.
func nothing(ctx context.Context) { <-ctx.Done() }

// unexplained leaves an error as it is.
func unexplained(err error) error { return err }

// errLine is why lines have nothing more to tell.
var errLine = errors.New("the line ended")

// TestNoticesAreMerged: of what is left on the board while nobody takes it, each
// folder has one notice, at the place of its first; what comes after the end of
// the lines is not lost, and is told before it.
func TestNoticesAreMerged(t *testing.T) {
	const in, sent, trash = session.Inbox, session.Sent, session.Trash
	for name, tt := range map[string]struct {
		posted []posting
		want   string
	}{
		"nothing":                            {nil, ""},
		"no folder":                          {[]posting{activity()}, ""},
		"one":                                {[]posting{activity(in)}, "activity inbox"},
		"many of one folder":                 {slices.Repeat([]posting{activity(in)}, 1000), "activity inbox"},
		"one of several folders":             {[]posting{listening(in, sent, trash)}, "listening inbox, listening sent, listening trash"},
		"the same folder twice in one":       {[]posting{activity(sent, sent)}, "activity sent"},
		"listening says what activity says":  {[]posting{listening(in), activity(in)}, "listening inbox"},
		"and covers what came before":        {[]posting{activity(in), listening(in), activity(in)}, "listening inbox"},
		"the place is that of the first":     {[]posting{activity(sent), activity(in), listening(sent)}, "listening sent, activity inbox"},
		"folders do not cover each other":    {[]posting{listening(in), activity(sent)}, "listening inbox, activity sent"},
		"a folder that the board is not for": {[]posting{activity(trash)}, "activity trash"},
	} {
		t.Run(name, func(t *testing.T) {
			b := backend.NewBoard([]session.FolderRef{in, sent})
			for _, p := range tt.posted {
				b.Post(p.kind, p.folders...)
			}
			b.Fail(errLine)
			b.Fail(errors.New("a later one"))
			var told []string
			var last error
			for n, err := range b.Notices(t.Context(), nothing, unexplained) {
				if last = err; err == nil {
					told = append(told, noticeText(n))
				}
			}
			if got := strings.Join(told, ", "); got != tt.want || !errors.Is(last, errLine) {
				t.Errorf("the board tells %q and ends in %v, want %q and the first error", got, last, tt.want)
			}
		})
	}
}

// TestABoardIsForFoldersOnce: the zero folder is the inbox, and so are none.
func TestABoardIsForFoldersOnce(t *testing.T) {
	for _, tt := range []struct{ folders, want []session.FolderRef }{
		{nil, []session.FolderRef{session.Inbox}},
		{[]session.FolderRef{""}, []session.FolderRef{session.Inbox}},
		{[]session.FolderRef{session.Sent, "", session.Sent, session.Inbox}, []session.FolderRef{session.Sent, session.Inbox}},
	} {
		if got := backend.NewBoard(tt.folders).Folders(); !slices.Equal(got, tt.want) {
			t.Errorf("NewBoard(%q) is for %q, want %q", tt.folders, got, tt.want)
		}
	}
}

// TestABusyLoop: a notice is told at the instant at which it is left, unless the
// loop is busy; then it is told as soon as that is not, once for all that came
// meanwhile.
func TestABusyLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend.NewBoard([]session.FolderRef{session.Inbox, session.Sent})
		lines := func(context.Context) {
			b.Post(session.Listening, b.Folders()...)
			for range 125 {
				<-time.After(time.Minute)
				b.Post(session.Activity, session.Inbox)
			}
			b.Post(session.Activity, session.Sent)
			b.Fail(errLine)
		}
		start := time.Now()
		var told []string
		for n, err := range b.Notices(t.Context(), lines, unexplained) {
			if err != nil {
				told = append(told, err.Error())
				continue
			}
			told = append(told, fmt.Sprintf("%s at %v", noticeText(n), time.Since(start)))
			if len(told) == 4 {
				<-time.After(2*time.Hour + 30*time.Second)
			}
		}
		want := []string{
			"listening inbox at 0s", "listening sent at 0s",
			"activity inbox at 1m0s", "activity inbox at 2m0s",
			"activity inbox at 2h2m30s", // of two hours
			"activity inbox at 2h3m0s", "activity inbox at 2h4m0s", "activity inbox at 2h5m0s", "activity sent at 2h5m0s",
			errLine.Error(),
		}
		if !slices.Equal(told, want) {
			t.Errorf("the board tells %q, want %q", told, want)
		}
	})
}

// TestTheEndOfALoop: however it ends, the context of the lines ends with it, and
// they are waited for. The end of a context comes at its instant, ahead of what
// is left on the board.
func TestTheEndOfALoop(t *testing.T) {
	const hour, goodbye = time.Hour, 3 * time.Second
	errExplained := errors.New("mail.example.com")
	for name, tt := range map[string]struct {
		leave  bool // the loop is left at its first notice
		before bool // the context ended before the loop began
		fail   error
		told   string
		err    error
		within time.Duration
	}{
		"the context ends":         {told: "listening inbox", err: context.DeadlineExceeded, within: hour},
		"the context ended before": {before: true, err: context.Canceled},
		"the loop is left":         {leave: true, told: "listening inbox"},
		"the lines fail":           {fail: errLine, told: "listening inbox", err: errLine},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), hour)
				defer cancel()
				if tt.before {
					cancel()
				}
				b := backend.NewBoard(nil)
				b.Post(session.Listening, session.Inbox)
				ended := false
				lines := func(ctx context.Context) {
					if tt.fail != nil {
						b.Fail(tt.fail)
					}
					<-ctx.Done()
					b.Post(session.Activity, session.Inbox) // nobody is there any more
					<-time.After(goodbye)
					ended = true
				}
				start := time.Now()
				var told []string
				var last error
				explain := func(err error) error { return fmt.Errorf("%w: %w", errExplained, err) }
				for n, err := range b.Notices(ctx, lines, explain) {
					if last = err; err == nil {
						told = append(told, noticeText(n))
					}
					if tt.leave {
						break
					}
				}
				if took := time.Since(start); !ended || took != tt.within+goodbye {
					t.Errorf("the loop ended after %v, and the lines had ended: %t; want %v and the %v that they take", took, ended, tt.within, goodbye)
				}
				if got := strings.Join(told, ", "); got != tt.told || !errors.Is(last, tt.err) || errors.Is(last, errExplained) != (tt.err != nil && tt.fail == nil) {
					t.Errorf("the board tells %q and ends in %v, want %q and %v, that of a context explained", got, last, tt.told, tt.err)
				}
			})
		})
	}
}

// TestNothingIsLostOnTheBoard: whatever many lines leave at the same time, a
// notice of the folder follows, and a word of listening with it.
func TestNothingIsLostOnTheBoard(t *testing.T) {
	const lines, posts = 8, 500
	folders := []session.FolderRef{session.Inbox, session.Sent, session.Trash}
	b := backend.NewBoard(folders)
	var mu sync.Mutex
	happened := map[session.Notice]int{} // counted before it is posted
	postAll := func(context.Context) {
		var wg sync.WaitGroup
		for line := range lines {
			wg.Go(func() {
				chance := rand.New(rand.NewPCG(uint64(line), 1)) //nolint:gosec // the same each time
				for range posts {
					n := session.Notice{Kind: session.NoticeKind(chance.IntN(2)), Folder: folders[chance.IntN(len(folders))]}
					mu.Lock()
					happened[n]++
					mu.Unlock()
					b.Post(n.Kind, n.Folder)
				}
			})
		}
		wg.Wait()
		b.Fail(errLine)
	}
	seen, notices := map[session.Notice]int{}, 0
	for n, err := range b.Notices(t.Context(), postAll, unexplained) {
		if err != nil {
			break
		}
		notices++
		mu.Lock()
		seen[session.Notice{Kind: session.Activity, Folder: n.Folder}] = happened[session.Notice{Kind: session.Activity, Folder: n.Folder}]
		if n.Kind == session.Listening {
			seen[n] = happened[n]
		}
		mu.Unlock()
	}
	for n, times := range happened {
		if seen[n] != times {
			t.Errorf("%s happened %d times, and no notice came behind time %d", noticeText(n), times, seen[n])
		}
	}
	if notices > lines*posts {
		t.Errorf("%d notices of %d posts", notices, lines*posts)
	}
}
