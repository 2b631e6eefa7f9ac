package imaptest_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
)

func TestIDIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk(`
			< * OK ...
			> 1 ID ("Name" "courier" "version" NIL)
			< * ID ("name" "imaptest")
			< 1 OK ID completed
			> 2 ID NIL
			< * ID ("name" "imaptest")
			< 2 OK ID completed
			> 3 ID ("name" "a" "NAME" "b")
			< 3 BAD Names once and of at most 30 bytes, values of at most 1024
			> 4 ID ("name")
			< 4 BAD At most 30 names, each with its value
		`)
		want := []map[string]string{{"name": "courier", "version": ""}, nil}
		if got := w.server.IDs(); !reflect.DeepEqual(got, want) {
			t.Errorf("IDs() = %v, want %v", got, want)
		}
	})
}

func TestIDHasLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk("< * OK ...")
		for i, id := range []string{
			`"` + strings.Repeat("n", 31) + `" "v"`,
			`"name" "` + strings.Repeat("v", 1025) + `"`,
			strings.TrimSpace(strings.Repeat(`"n" "v" `, 31)),
		} {
			w.talk(fmt.Sprintf("> %d ID (%s)\n< %d BAD ...", i, id, i))
		}
	})
}

func TestAServerMayWantID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &imaptest.Options{WantID: true})
		w.talk(`
			< * OK ...
			> 1 LOGIN ann@example.com pw
			< 1 OK ...
			> 2 EXAMINE INBOX
			< 2 NO EXAMINE Unsafe Login. Please contact kefu@188.com for help
			> 3 ID ("name" "courier")
			< * ID ("name" "imaptest")
			< 3 OK ID completed
		`)
		w.talk("> 4 SELECT INBOX\n< * FLAGS ...")
	})
}
