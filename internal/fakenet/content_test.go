package fakenet_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
)

// A fault stops the taking in of bytes where it says, has its word there, and
// waits behind each of its pieces; a fault for every command is none for these.
func TestContent(t *testing.T) {
	said := func(f mailtest.Fault) mailtest.Fault {
		f.CallAfter = 3
		return f
	}
	for name, tt := range map[string]struct {
		fault  mailtest.Fault
		pieces []int  // in which ten bytes are read
		says   string // what the client reads
		waits  time.Duration
	}{
		"none":         {mailtest.Drop("", 0), []int{10}, "", 0},
		"cut":          {mailtest.Drop(mailtest.Content, 4), []int{4}, "", 0},
		"cut at once":  {mailtest.Drop(mailtest.Content, 0), nil, "", 0},
		"bye":          {said(mailtest.Bye(mailtest.Content, "421 bye")), []int{3}, "421 bye\r\n", 0},
		"goes on":      {said(mailtest.Before(mailtest.Content, "hm")), []int{3, 7}, "hm", 0},
		"reads slowly": {mailtest.Drip(mailtest.Content, 4, time.Hour), []int{4, 4, 2}, "", 2 * time.Hour},
		"comes late":   {mailtest.Delay(mailtest.Content, time.Minute), []int{10}, "", time.Minute},
		"elsewhere":    {mailtest.Drop(mailtest.Content, 0).Containing("DATA"), []int{10}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var pieces []int
				s := fakenet.New(func(_ context.Context, c *fakenet.Conn) {
					content, err := c.Content("BDAT 10")
					for left := 10; err == nil && left > 0; {
						n := content.Next(left)
						pieces = append(pieces, n)
						left -= n
						err = content.Took(n)
					}
				}, nil)
				s.Inject(tt.fault)
				start := time.Now()
				c, err := s.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(c)
				if err != nil || string(got) != tt.says || time.Since(start) != tt.waits {
					t.Errorf("read %q, %v after %v, want %q after %v", got, err, time.Since(start), tt.says, tt.waits)
				}
				if !slices.Equal(pieces, tt.pieces) {
					t.Errorf("the bytes were read in pieces of %v, want %v", pieces, tt.pieces)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
