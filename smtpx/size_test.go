package smtpx_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// openings is a source that counts how often it is opened, and says what size it is
// told to.
type openings struct {
	text  string
	size  int64
	count int
	most  int // 0 is no bound
}

var errOnce = errors.New("it can be read once")

func (o *openings) Open() (io.ReadCloser, error) {
	if o.count++; o.most > 0 && o.count > o.most {
		return nil, errOnce
	}
	return io.NopCloser(strings.NewReader(o.text)), nil
}

func (o *openings) Size() int64 { return o.size }

func opened(text string) *openings { return &openings{text: text, size: int64(len(text))} }

// copies are n mails to bob of one text.
func copies(n int, m message.Source) func(func(session.Mail) bool) {
	return func(yield func(session.Mail) bool) {
		for i := range n {
			if !yield(session.Mail{Key: strconv.Itoa(i), Envelope: toBob(), Message: m}) {
				return
			}
		}
	}
}

// lines are n lines with an end of their own, behind a header.
func lines(n int, end string) string {
	return "Subject: hello" + end + end + strings.Repeat("words, words, words"+end, n)
}

// The server is told how long a message is as it gets it, whatever its lines end in
// and by whatever way it goes; the protocol's dots do not count (RFC 1870 section 5).
func TestSizeIsThatOnTheLine(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				c := newClient(t, inMemory(s), withPassword(), nil)
				for _, text := range []string{
					lines(3, "\r\n"), lines(3, "\n"), lines(3, "\r"), lines(9000, "\r\n"), lines(9000, "\n"), lines(9000, "\r"),
					"Subject: x\r\n\r\nlines\nof\nanother\nsystem\n", "Subject: x\r\n\r\nno end", "\n", ".\r\n..\r\n.", "x\n\n\r",
				} {
					before := len(s.Messages())
					all, err := sendAll(t, c, copies(3, source(text)), nil)
					if err != nil || count(all)[session.Accepted] != 3 {
						t.Fatalf("%.20q: %v, %v", text, count(all), err)
					}
					for _, m := range s.Messages()[before:] {
						if want := fmt.Sprintf("SIZE=%d ", len(m.Raw)); !strings.HasPrefix(m.Params, want) {
							t.Errorf("%.20q, by BDAT %t: MAIL had %q, want %q", text, m.Chunked, m.Params, want)
						}
					}
				}
			})
		})
	}
}

// A message that is too large only in the form in which it travels is refused before
// anything is sent, and one that just fits is sent.
func TestTooLargeOnTheLine(t *testing.T) {
	for name, extensions := range offers() {
		for _, text := range []string{lines(5000, "\n"), "X: y\r\n" + strings.Repeat("Z: z\r\n", 4000) + lines(5000, "\n"), lines(9000, "\r\n") + "x"} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sent := newServer(t, nil)
					mustSendText(t, newClient(t, inMemory(sent), withPassword(), nil), text)
					size := len(sent.Messages()[0].Raw)
					if size <= len(text) {
						t.Fatalf("the message has %d bytes, and %d on the line", len(text), size)
					}
					fits := newServer(t, &smtptest.Options{Extensions: extensions, MaxMessage: size})
					mustSendText(t, newClient(t, inMemory(fits), withPassword(), nil), text)

					s := newServer(t, &smtptest.Options{Extensions: extensions, MaxMessage: size - 1})
					c := newClient(t, inMemory(s), withPassword(), nil)
					mustSend(t, c)
					before := len(s.Commands())
					all, err := sendAll(t, c, copies(3, source(text)), nil)
					if err != nil || count(all)[session.NotSent] != 3 {
						t.Errorf("%v, %v, want none sent", count(all), err)
					}
					_, err = c.Send(t.Context(), toBob(), source(text))
					if e, ok := errors.AsType[*smtpx.SizeError](err); !ok || e.Size != int64(size) || e.Limit != int64(size-1) {
						t.Errorf("Send = %v, want that %d is more than %d", err, size, size-1)
					}
					for _, command := range s.Commands()[before:] {
						if !slices.Contains([]string{"EHLO", "AUTH", "RSET"}, command.Name) {
							t.Errorf("the server heard %q", command.Line)
						}
					}
				})
			})
		}
	}
}

func mustSendText(t *testing.T, c *smtpx.Client, text string) {
	t.Helper()
	if rec, err := c.Send(t.Context(), toBob(), source(text)); err != nil || rec.Outcome != session.Accepted {
		t.Fatalf("Send = %v, %v, want accepted", rec, err)
	}
}

// A source is read a second time for its length only where that can matter, and one
// that cannot be is sent all the same.
func TestHowOftenASourceIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &smtptest.Options{MaxMessage: 100_000})
		c := newClient(t, inMemory(s), withPassword(), nil)
		once := opened(lines(1000, "\n"))
		once.most = 1
		for name, tt := range map[string]struct {
			m    *openings
			want int
		}{
			"usual":                          {opened(lines(1000, "\r\n")), 1},
			"more than half of the limit":    {opened(lines(3000, "\r\n")), 2},
			"other line ends, and small":     {opened(lines(100, "\n")), 1},
			"other line ends":                {opened(lines(1000, "\n")), 2},
			"other line ends, and read once": {once, 2},
			"of a length that nobody knows":  {&openings{text: lines(1000, "\n"), size: -1}, 1},
		} {
			rec, err := c.Send(t.Context(), toBob(), tt.m)
			if err != nil || rec.Outcome != session.Accepted || tt.m.count != tt.want {
				t.Errorf("%s: Send = %v, %v, and the source was opened %d times, want %d", name, rec.Outcome, err, tt.m.count, tt.want)
			}
		}
	})
}

// A message of unknown size is broken off where the server would not take it, is
// sent to nobody, and harms no other one.
func TestUnknownSizeEndsAtTheLimit(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions, MaxMessage: 300_000})
				c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 1})
				long := &openings{text: lines(20_000, "\r\n"), size: -1}
				mails := append(slices.Collect(circulars(3)), session.Mail{Key: "long", Envelope: toBob(), Message: long})
				mails = append(mails, circular(3, bob))
				all, err := sendAll(t, c, slices.Values(mails), nil)
				if err != nil || count(all)[session.Accepted] != 4 || all["long"].Receipt.Outcome != session.NotSent {
					t.Errorf("%v, %v, want all accepted but the long one", count(all), err)
				}
				rec, err := c.Send(t.Context(), toBob(), long)
				checkOutcome(t, rec, err, session.NotSent)
				e, ok := errors.AsType[*smtpx.SizeError](err)
				if !ok || e.Size != -1 || session.Temporary(err) || !strings.Contains(err.Error(), "this one has more") {
					t.Errorf("Send = %v, want a SizeError without a size", err)
				}
				mustSend(t, c)
				if got := len(s.Messages()); got != 5 {
					t.Errorf("the server has %d messages, want 5", got)
				}
			})
		})
	}
}
