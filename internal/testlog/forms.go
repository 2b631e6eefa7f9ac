package testlog

import (
	"errors"
	"fmt"
	"log/slog"
)

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
