package imapx_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// TestCompress: everything works as ever, over few bytes; a server that cannot, or
// does not want to, is spoken to in the open.
func TestCompress(t *testing.T) {
	for name, tt := range map[string]struct {
		options *imaptest.Options
		fault   bool
		asked   bool
	}{
		"plain":   {nil, false, true},
		"TLS":     {&imaptest.Options{Security: mailtest.TLS}, false, true},
		"lacking": {&imaptest.Options{Capabilities: imaptest.Without("COMPRESS=DEFLATE")}, false, false},
		"refused": {nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			var transcript strings.Builder
			w := newWorld(t, 20, tt.options, func(s *session.Server, _ *session.Credentials, o *imapx.Options) {
				o.Compress, s.Transcript = true, &transcript
				if name == "TLS" {
					s.Security = session.TLS
				}
			})
			if tt.fault {
				w.server.Inject(mailtest.Reply("COMPRESS", "NO [CANNOT] no"))
			}
			all := list(t, w.client.Messages(t.Context(), session.Query{}))
			if len(all) != 20 {
				t.Errorf("%d messages, want 20", len(all))
			}
			body, err := w.client.Open(t.Context(), all[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(body)
			if err != nil || string(text) != mailtest.Sample(20) {
				t.Errorf("a body of %d bytes, %v, want %d", len(text), err, len(mailtest.Sample(20)))
			}
			if asked := slices.Contains(w.names(0), "COMPRESS"); asked != tt.asked {
				t.Errorf("COMPRESS was said: %t, want %t", asked, tt.asked)
			}
			if !strings.Contains(transcript.String(), "UID FETCH completed") {
				t.Error("the transcript does not show what was said")
			}
		})
	}
}
