package imapx_test

import (
	"errors"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// TestCount asks one question, and what the server does not count is not made
// up.
func TestCount(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options *imaptest.Options
		answer  string
		want    session.Counts
		fails   bool
	}{
		{"with sizes", nil, "", session.Counts{Messages: 3, Unread: 2, Bytes: int64(len(mailtest.Sample(1)) + len(mailtest.Sample(2)) + len(mailtest.Sample(3)))}, false},
		{"without", &imaptest.Options{Capabilities: imaptest.Without("STATUS=SIZE")}, "", session.Counts{Messages: 3, Unread: 2, Bytes: -1}, false},
		{"other words in between", nil, "* STATUS {5}\r\nINBOX (X-A (1 2) MESSAGES 7 X-B NIL UNSEEN 1)\r\nOK done", session.Counts{Messages: 7, Unread: 1, Bytes: -1}, false},
		{"no answer", nil, "OK done", session.Counts{Bytes: -1}, true},
		{"nonsense", nil, "* STATUS INBOX MESSAGES 7\r\nOK done", session.Counts{Bytes: -1}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 3, tt.options)
			if err := w.account.AddFlags("INBOX", []string{mailtest.Seen}, 2); err != nil {
				t.Fatal(err)
			}
			if tt.answer != "" {
				w.server.Inject(mailtest.Reply("STATUS", tt.answer))
			}
			got, err := w.client.Count(t.Context(), "")
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("Count() = %+v, %v, want %+v and an error: %t", got, err, tt.want, tt.fails)
			}
			if n := commandCount(w, "SELECT"); n != 0 {
				t.Errorf("a folder was opened for it")
			}
			if _, err := w.client.Count(t.Context(), session.FolderAt("Nowhere")); !errors.Is(err, session.ErrNoFolder) {
				t.Errorf("of a folder that is not there: %v, want ErrNoFolder", err)
			}
		})
	}
}
