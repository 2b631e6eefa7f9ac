// Package observe calls a program's hook around operations and supplies a
// logger that is quiet by default.
//
// The public packages declare interfaces of the same shape, so that nobody
// outside needs to name this one.
package observe

import (
	"context"
	"log/slog"
)

// Observer is told of each operation's beginning and end. It must be safe for
// concurrent use and must not block.
type Observer interface {
	// Start is called when the operation op begins. The context it returns is
	// used for the operation; the function it returns is called once, when the
	// operation ends, with the error it ended in and what is known by then.
	Start(ctx context.Context, op string, attrs ...slog.Attr) (context.Context, func(err error, attrs ...slog.Attr))
}

// Start tells o that op begins. A nil Observer is told nothing.
func Start(ctx context.Context, o Observer, op string, attrs ...slog.Attr) (context.Context, func(err error, attrs ...slog.Attr)) {
	if o == nil {
		return ctx, func(error, ...slog.Attr) {}
	}
	return o.Start(ctx, op, attrs...)
}

// Logger returns l, or a logger that discards everything where l is nil.
func Logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
