package testlog

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
)

// Error writes err down as [Forms] has it, and nothing for nil: for code that
// takes no logger and no observer.
func Error(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Log(slog.GroupValue(Forms(err)...))
	}
}

// Forms returns err as %v, %+v and %#v print it, and nothing for nil. Since %#v
// does not follow pointers, it is there for each error that err wraps too.
func Forms(err error) []slog.Attr {
	if err == nil {
		return nil
	}
	forms := []slog.Attr{
		slog.String("v", fmt.Sprintf("%v", err)),
		slog.String("plus", fmt.Sprintf("%+v", err)),
	}
	for ; err != nil; err = errors.Unwrap(err) {
		forms = append(forms, slog.String("sharp", fmt.Sprintf("%#v", err)))
	}
	return forms
}
