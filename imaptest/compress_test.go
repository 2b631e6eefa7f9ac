package imaptest_test

import (
	"bufio"
	"compress/flate"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
)

func TestCompress(t *testing.T) {
	for name, security := range map[string]mailtest.Security{"plain": mailtest.None, "TLS": mailtest.TLS} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, &imaptest.Options{Security: security})
				if security == mailtest.TLS {
					w.secure()
				}
				w.open()
				w.talk(`
					> a COMPRESS GZIP
					< a NO Unknown compression mechanism
					> a COMPRESS DEFLATE
					< a OK DEFLATE active`)
				out, err := flate.NewWriter(w.conn, flate.BestSpeed)
				if err != nil {
					t.Fatal(err)
				}
				w.r = bufio.NewReader(flate.NewReader(w.r))
				say := func(line string) {
					if _, err := out.Write([]byte(line + "\r\n")); err != nil {
						t.Fatal(err)
					}
					if err := out.Flush(); err != nil {
						t.Fatal(err)
					}
				}
				say("b FETCH 1 (UID)")
				w.talk("< * 1 FETCH (UID 1)\n< b OK FETCH completed")
				say("c COMPRESS DEFLATE")
				w.talk("< c NO [COMPRESSIONACTIVE] DEFLATE active already")
				say("d IDLE")
				w.talk("< + idling")
				w.append("INBOX", "x")
				w.talk("< * 4 EXISTS\n< * 4 RECENT")
				say("DONE")
				w.talk("< d OK IDLE completed")
			})
		})
	}
}
