package imaptest_test

import (
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
)

func TestPreview(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		for _, raw := range []string{
			"Content-Type: text/html\n\n<style>p{}</style><p>Fish &amp;\n<b>chips</b></p>\n",
			"Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>no</p>\n--b\n\nas text\n--b--\n",
			"Content-Type: image/png\n\nx\n",
		} {
			if _, err := w.account.Append("Archive", mailtest.CRLF(raw), nil); err != nil {
				t.Fatal(err)
			}
		}
		w.open()
		w.talk(`
			> a EXAMINE Archive
			< * FLAGS ...
			< * 3 EXISTS
			< * 3 RECENT
			< * OK [UNSEEN 1] ...
			< * OK [PERMANENTFLAGS ...
			< * OK [UIDVALIDITY ...
			< * OK [UIDNEXT ...
			< * OK [HIGHESTMODSEQ ...
			< * OK [MAILBOXID ...
			< a OK ...
			> a FETCH 1 (PREVIEW (LAZY) UID)
			< * 1 FETCH (PREVIEW NIL UID 1)
			< a OK FETCH completed
			> a FETCH 1:3 PREVIEW
			< * 1 FETCH (PREVIEW "Fish & chips")
			< * 2 FETCH (PREVIEW "as text")
			< * 3 FETCH (PREVIEW NIL)
			< a OK FETCH completed
			> a UID FETCH 1 (PREVIEW (LAZY))
			< * 1 FETCH (UID 1 PREVIEW "Fish & chips")
			< a OK UID FETCH completed
			> a FETCH 1 (PREVIEW (EAGER))
			< a BAD unknown modifier of PREVIEW EAGER`)
	})
	dialogues(t, &imaptest.Options{Capabilities: imaptest.Without("PREVIEW")}, map[string]string{
		"without the capability": `
			> a FETCH 1 PREVIEW
			< a BAD unknown fetch item PREVIEW`,
	})
}
