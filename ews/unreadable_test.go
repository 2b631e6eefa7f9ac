package ews_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// spoiling is a connection on which the last byte of a text comes as another one,
// wherever the text comes, however it is divided.
type spoiling struct {
	net.Conn

	text string
	by   byte
	seen int // of the text, so far
}

// Read implements [io.Reader].
func (c *spoiling) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for i, b := range p[:n] {
		switch b {
		case c.text[c.seen]:
			if c.seen++; c.seen == len(c.text) {
				p[i], c.seen = c.by, 0
			}
		case c.text[0]:
			c.seen = 1
		default:
			c.seen = 0
		}
	}
	return n, err
}

// remark is the n-th of the messages, which tell themselves apart from the first bytes on.
func remark(n int) string {
	return mailtest.CRLF(fmt.Sprintf("X-Number: %d\nSubject: Remark %d\nMIME-Version: 1.0\nContent-Type: text/plain\n\nA remark by someone.\n", n, n))
}

// spoilt are ways in which the message cannot be read that the text is of: the byte
// behind which nothing is as it should be, and what comes in its place.
func spoilt(raw string) map[string]spoiling {
	text := base64.StdEncoding.EncodeToString([]byte(raw))
	return map[string]spoiling{
		"at its beginning": {text: text[:24], by: '!'},
		"at its end":       {text: text, by: '!'},
		"a letter short":   {text: text, by: ' '},
		"by an element":    {text: text + "<", by: '&'},
		"with its XML":     {text: text + "</t:MimeContent", by: 'x'},
	}
}

// newSpoilt returns a bed with five messages, of which the third cannot be read.
func newSpoilt(t *testing.T, s spoiling, o ews.Options) (*bed, []session.ID) {
	t.Helper()
	b := newBed(t, settings{client: o, change: func(server *session.Server) {
		dial := server.Dial
		server.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			c := s
			c.Conn = conn
			return &c, err
		}
	}})
	for n := range 5 {
		b.put(t, remark(n+1))
	}
	_, ids, err := b.list(t.Context(), session.Query{OldestFirst: true})
	if err != nil {
		t.Fatal(err)
	}
	return b, ids
}

// wantUnreadable checks that an error is about the third message alone.
func wantUnreadable(t *testing.T, err error, ids []session.ID) {
	t.Helper()
	item, ok := errors.AsType[*session.ItemError](err)
	if !ok || item.ID != ids[2] || session.Temporary(err) || !strings.Contains(err.Error(), "localhost:80") {
		t.Errorf("the message that cannot be read: %v; want an ItemError of it that names the server and does not pass", err)
	}
}

// TestAMessageThatCannotBeReadAmongOthers is told of, and is the only one that is not
// compared, not described, and not read.
func TestAMessageThatCannotBeReadAmongOthers(t *testing.T) {
	for name, s := range spoilt(remark(3)) {
		for operation, run := range map[string]func(t *testing.T, b *bed, ids []session.ID){
			"comparing": comparing, "describing": describing, "reading": reading, "opening": opening, "parts": openingParts,
		} {
			t.Run(name+"/"+operation, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b, ids := newSpoilt(t, s, ews.Options{})
					run(t, b, ids)
				})
			})
		}
		t.Run(name+"/reading ahead", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, ids := newSpoilt(t, s, ews.Options{MaxConnections: 1})
				reading(t, b, ids)
			})
		})
	}
}

func comparing(t *testing.T, b *bed, ids []session.ID) {
	t.Helper()
	for _, where := range []session.Filter{{Body: "someone"}, {Not: &session.Filter{Text: "nobody"}}} {
		n := 0
		for m, err := range b.Messages(t.Context(), session.Query{Where: where, OldestFirst: true}) {
			switch {
			case n == 2:
				wantUnreadable(t, err, ids)
			case err != nil || n > 4 || m.ID != ids[n]:
				t.Errorf("item %d: %v, %v; want message %d", n+1, m, err, n+1)
			}
			n++
		}
		if n != 5 {
			t.Errorf("%d items, want five", n)
		}
	}
}

func describing(t *testing.T, b *bed, _ []session.ID) {
	t.Helper()
	n := 0
	for m, err := range b.Messages(t.Context(), session.Query{Fields: session.FieldStructure, OldestFirst: true}) {
		if n++; err != nil || (m.Incomplete != nil) != (n == 3) || n != 3 && len(m.Structure) != 1 {
			t.Errorf("message %d: %v, %v; want all, and that the third is incomplete", n, m, err)
		}
	}
	if n != 5 {
		t.Errorf("%d messages, want five", n)
	}
}

func reading(t *testing.T, b *bed, ids []session.ID) {
	t.Helper()
	n := 0
	for body, err := range b.Bodies(t.Context(), ids...) {
		var text []byte
		if err == nil {
			text, err = io.ReadAll(body)
		}
		if n++; n == 3 {
			wantUnreadable(t, err, ids)
			continue
		}
		if err != nil || n > 5 || body.ID != ids[n-1] || string(text) != remark(n) {
			t.Errorf("body %d: %q, %v; want message %d", n, text, err, n)
		}
	}
	if n != 5 {
		t.Errorf("%d bodies, want five", n)
	}
}

func opening(t *testing.T, b *bed, ids []session.ID) {
	t.Helper()
	for n, id := range ids {
		body, err := b.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if n == 2 {
			wantUnreadable(t, err, ids)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("a body that is not whole ends in %v, want io.ErrUnexpectedEOF", err)
			}
		} else if err != nil || string(text) != remark(n+1) {
			t.Errorf("message %d: %q, %v", n+1, text, err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// openingParts opens the one part of a message twice, so that the message is kept.
func openingParts(t *testing.T, b *bed, ids []session.ID) {
	t.Helper()
	for n, id := range ids {
		for range 2 {
			p, err := b.OpenPart(t.Context(), id, "1")
			if err == nil {
				_, err = io.Copy(io.Discard, p)
				if closing := p.Close(); closing != nil {
					t.Error(closing)
				}
			}
			if (err != nil) != (n == 2) {
				t.Errorf("a part of message %d: %v", n+1, err)
			}
			if item, ok := errors.AsType[*session.ItemError](err); err != nil && (!ok || item.ID != id) {
				t.Errorf("a part of message %d: %v, want an ItemError", n+1, err)
			}
		}
	}
}
