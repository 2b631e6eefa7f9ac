// Package testlog has tests write down what the code they test logs: the
// lines of its loggers at every level, what its observers are told, and
// transcripts. It goes to the test's output, which go test shows with -v and of
// tests that fail, and in which internal/testsum looks for secrets.
package testlog

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
)

// maxOutput is how many bytes a test's writer lets through.
const maxOutput = 64 << 10

// New returns a writer to tb's output, for whole lines. It is safe for
// concurrent use. It falls silent at the end of tb, so that goroutines that live
// longer may go on writing, and after 64 KiB. It never fails.
func New(tb testing.TB) io.Writer {
	tb.Helper()
	w := &writer{out: tb.Output(), left: maxOutput}
	tb.Cleanup(w.stop)
	return w
}

// Logger returns a logger that writes to w what is logged at every level, as
// text and without the time.
func Logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime}))
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// An Observer writes down what it is told, and the errors in every form in
// which a program may print them. It fits the Observer of every package.
type Observer struct {
	log *slog.Logger
}

// NewObserver returns an Observer that writes to w.
func NewObserver(w io.Writer) Observer { return Observer{Logger(w)} }

// Start writes down that op begins; the function it returns, how it ended.
func (o Observer) Start(ctx context.Context, op string, attrs ...slog.Attr) (context.Context, func(err error, attrs ...slog.Attr)) {
	o.log.LogAttrs(ctx, slog.LevelDebug, "begins", append([]slog.Attr{slog.String("op", op)}, attrs...)...)
	return ctx, func(err error, attrs ...slog.Attr) {
		attrs = append([]slog.Attr{slog.String("op", op)}, attrs...)
		o.log.LogAttrs(ctx, slog.LevelDebug, "ends", append(attrs, Forms(err)...)...)
	}
}

// A writer lets a bounded number of bytes through until it is stopped.
type writer struct {
	mu   sync.Mutex
	out  io.Writer // nil when it is over or full
	left int
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.out == nil:
	case len(p) > w.left:
		_, _ = io.WriteString(w.out, "the log ends here: it is too long\n")
		w.out = nil
	default:
		w.left -= len(p)
		_, _ = w.out.Write(p)
	}
	return len(p), nil
}

func (w *writer) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = nil
}
