package faulttable

import (
	"encoding/base64"
	"strings"
	"testing"
)

// CheckError holds what a client says of a failure to what goes for every client: an
// error, which may be nil, names the server, and nothing that is hidden shows in it or in
// the log, nor in base64.
func CheckError(tb testing.TB, err error, server, log string, hidden ...string) {
	tb.Helper()
	said := log
	if err != nil {
		said += err.Error()
		if !strings.Contains(err.Error(), server) {
			tb.Errorf("the error does not name the server: %v", err)
		}
	}
	for _, h := range hidden {
		for _, form := range []string{h, base64.StdEncoding.EncodeToString([]byte(h))} {
			if strings.Contains(said, form) {
				tb.Errorf("%q shows in the error or in the log: %v\n%s", h, err, said)
			}
		}
	}
}
