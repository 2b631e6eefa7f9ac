package ews_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
)

// requestsFolder is the variable that names the folder where the tests leave their
// requests, each once, for those who want to check them.
const requestsFolder = "MAILSESSION_EWS_REQUESTS"

// keepRequests leaves the requests that a server was sent.
func keepRequests(tb testing.TB, server *ewstest.Server) {
	tb.Helper()
	folder := os.Getenv(requestsFolder)
	if folder == "" {
		return
	}
	for _, r := range server.Requests() {
		ended := strings.HasSuffix(strings.TrimSpace(r.Body), "Envelope>") // not refused on its way
		if !strings.Contains(r.Body, "soap/envelope/") || !ended || strings.Contains(r.Body, "exchange/2010/Autodiscover") {
			continue
		}
		sum := sha256.Sum256([]byte(r.Body))
		name := filepath.Join(folder, r.Operation+"-"+hex.EncodeToString(sum[:8])+".xml")
		if err := os.WriteFile(name, []byte(r.Body), 0o600); err != nil { //nolint:gosec // G703: the folder is the tester's own
			tb.Error(err)
		}
	}
}
