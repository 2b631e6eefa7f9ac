package pop3x_test

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/session"
)

// bodiesOf reads bodies and returns what is wrong with each, nothing where it is the
// sample that it should be.
func bodiesOf(w *world, ids []session.ID) string {
	w.Helper()
	number := map[session.ID]int{}
	for i, id := range ids {
		number[id] = i + 1
	}
	var words []string
	for body, err := range w.client.Bodies(w.Context(), ids...) {
		word := fmt.Sprintf("%d cut", number[body.ID])
		if err != nil {
			word = fmt.Sprintf("%d failed", number[body.ID])
		} else if raw, err := io.ReadAll(body); err == nil {
			word = fmt.Sprintf("%d wrong", number[body.ID])
			if string(raw) == mailtest.Sample(number[body.ID]) {
				word = strconv.Itoa(number[body.ID])
			}
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// TestAMessageThatGoesOnWithTheNextIsNotWhole: where commands are sent ahead, a
// final dot that is missing shows, and the messages behind it are not taken for
// each other. The server is asked one by one from then on, so that the message
// can be had.
func TestAMessageThatGoesOnWithTheNextIsNotWhole(t *testing.T) {
	for name, size := range map[string]func(mailtest.Message) int{
		"exact":       nil,
		"none":        func(mailtest.Message) int { return 0 },
		"an estimate": func(m mailtest.Message) int { return len(m.Raw) + len(m.Raw)/16 + 100 },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 5, &pop3test.Options{Size: size}, nil)
			ids := w.ids()
			w.server.Inject(pop3test.NoFinalDot("RETR").Skipping(1))
			if got := bodiesOf(w, ids); got != "1, 2 cut, 3, 4, 5" {
				t.Errorf("with sizes that are %s the loop has %s", name, got)
			}
			if got := bodiesOf(w, ids); got != "1, 2, 3, 4, 5" {
				t.Errorf("with sizes that are %s the next loop has %s", name, got)
			}
		})
	}
}

// TestHeadersThatGoOnWithTheNextAreAskedForAgain: a list is right all the same.
func TestHeadersThatGoOnWithTheNextAreAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 5, nil, nil)
		w.server.Inject(pop3test.NoFinalDot("TOP").Skipping(1))
		if got := subjects(w.list()); got != "1 2 3 4 5" {
			t.Errorf("the list has %q", got)
		}
	})
}

// TestAMessageAboutPOP3IsWhole: a line may be like an answer.
func TestAMessageAboutPOP3IsWhole(t *testing.T) {
	w := newWorld(t, 1, nil, nil)
	raw := "Subject: a dialogue\r\n\r\nRETR 1\r\n+OK 100 octets\r\n"
	w.put(raw)
	w.put(mailtest.Sample(3))
	ids := w.ids()
	n := 0
	for body, err := range w.client.Bodies(t.Context(), ids...) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		got, err := io.ReadAll(body)
		if err != nil || body.ID == ids[1] && string(got) != raw {
			t.Errorf("body %d: %q, %v", n, got, err)
		}
	}
	if n != 3 || strings.Count(strings.Join(w.said(), " "), "STAT") != 1 {
		t.Errorf("%d bodies, by %v; want 3 in one session", n, w.said())
	}
}
