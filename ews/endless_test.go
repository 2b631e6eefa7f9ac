package ews_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// sentBack is an answer that a server gives to an operation.
func sentBack(operation, content string) string {
	return "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" +
		`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><` + operation + `Response><ResponseMessages><` +
		operation + `ResponseMessage ResponseClass="Success"><ResponseCode>NoError</ResponseCode>` + content +
		`</` + operation + `ResponseMessage></ResponseMessages></` + operation + `Response></s:Body></s:Envelope>`
}

// always has a server answer an operation with the same content whenever it is asked.
func always(operation, content string) mailtest.Fault {
	return mailtest.Reply(operation, sentBack(operation, content)).Repeating(-1)
}

// counting has a server answer an operation with another content each time, so often.
func counting(n int, operation string, content func(i int) string) []mailtest.Fault {
	all := make([]mailtest.Fault, n)
	for i := range all {
		all[i] = mailtest.Reply(operation, sentBack(operation, content(i)))
	}
	return all
}

// foundItems is a page of messages behind which others follow, by what the server tells.
func foundItems(items ...string) string {
	return `<RootFolder IncludesLastItemInRange="false" TotalItemsInView="1000"><Items>` + strings.Join(items, "") + `</Items></RootFolder>`
}

func foundItem(id, rest string) string {
	return `<Message><ItemId Id="` + id + `" ChangeKey="CQ=="/>` + rest + `</Message>`
}

func numberedAs(n int) string {
	return fmt.Sprintf(`<ExtendedProperty><ExtendedFieldURI PropertyTag="0xe23" PropertyType="Integer"/><Value>%d</Value></ExtendedProperty>`, n)
}

// enough is how many requests a server may get that goes on without end.
const enough = 250

// TestPagesWithoutEnd: a server that always has another page, and nothing new in it, is
// an error that says so, after few requests.
func TestPagesWithoutEnd(t *testing.T) {
	const day = "<DateTimeReceived>2026-11-20T09:00:00Z</DateTimeReceived>"
	list := func(q session.Query) func(context.Context, *bed) error {
		return func(ctx context.Context, b *bed) error {
			for _, err := range b.Messages(ctx, q) {
				if _, item := errors.AsType[*session.ItemError](err); err != nil && !item {
					return err
				}
			}
			return nil
		}
	}
	plain := session.Query{Fields: session.FieldReceived}
	changes := func(ctx context.Context, b *bed) error {
		for _, err := range b.Changes(ctx, session.Inbox, session.Cursor{}, session.SyncOptions{}) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	cursor := func(ctx context.Context, b *bed) error {
		_, err := b.Cursor(ctx, session.Inbox)
		return err
	}
	created := func(id, state string) string {
		return `<SyncState>` + state + `</SyncState><IncludesLastItemInRange>false</IncludesLastItemInRange><Changes><Create><Message><ItemId Id="` + id + `"/></Message></Create></Changes>`
	}
	nothing := func(i int) string {
		return fmt.Sprintf(`<SyncState>c3%06d</SyncState><IncludesLastItemInRange>false</IncludesLastItemInRange><Changes/>`, i)
	}
	for name, tt := range map[string]struct {
		faults []mailtest.Fault
		act    func(ctx context.Context, b *bed) error
		op     string
	}{
		"numbered":   {[]mailtest.Fault{always("FindItem", foundItems(foundItem("AAA=", numberedAs(7))))}, list(plain), "FindItem"},
		"unnumbered": {[]mailtest.Fault{always("FindItem", foundItems(foundItem("AAA=", day), foundItem("BBB=", day)))}, list(plain), "FindItem"},
		"unnumbered behind a number": {
			append(counting(1, "FindItem", func(int) string { return foundItems(foundItem("AAA=", numberedAs(7))) }), always("FindItem", foundItems(foundItem("BBB=", day)))),
			list(plain), "FindItem",
		},
		"unreadable":  {[]mailtest.Fault{always("FindItem", foundItems(foundItem("AAA=", "<DateTimeReceived>once</DateTimeReceived>")))}, list(plain), "FindItem"},
		"without ids": {[]mailtest.Fault{always("FindItem", foundItems("<Message><DateTimeReceived>once</DateTimeReceived></Message>"))}, list(plain), "FindItem"},
		"by its own language": {
			[]mailtest.Fault{always("FindItem", foundItems(foundItem("AAA=", numberedAs(7)), foundItem("BBB=", numberedAs(6))))},
			list(session.Query{Where: session.Filter{Native: "remark"}, Fields: session.FieldReceived}), "FindItem",
		},
		"in no order": {
			[]mailtest.Fault{always("FindItem", foundItems(foundItem("AAA=", numberedAs(7)), foundItem("BBB=", numberedAs(9)), foundItem("CCC=", numberedAs(8))))},
			list(session.Query{Where: session.Filter{Native: "remark"}, Fields: session.FieldReceived}), "FindItem",
		},
		"folders": {
			[]mailtest.Fault{always("FindFolder", `<RootFolder IncludesLastItemInRange="false"><Folders><Folder><FolderId Id="AAA="/><DisplayName>A</DisplayName></Folder></Folders></RootFolder>`)},
			func(ctx context.Context, b *bed) error {
				for _, err := range b.Folders(ctx) {
					if err != nil {
						return err
					}
				}
				return nil
			}, "FindFolder",
		},
		"changes of one state":        {[]mailtest.Fault{always("SyncFolderItems", created("AAA=", "c3RhdGU="))}, changes, "SyncFolderItems"},
		"a cursor of one state":       {[]mailtest.Fault{always("SyncFolderItems", created("AAA=", "c3RhdGU="))}, cursor, "SyncFolderItems"},
		"changes in a circle":         {counting(300, "SyncFolderItems", func(i int) string { return created(fmt.Sprintf("AA%dA=", i), fmt.Sprintf("c3RhdGU%d", i%7)) }), changes, "SyncFolderItems"},
		"a cursor in a circle":        {counting(300, "SyncFolderItems", func(i int) string { return created(fmt.Sprintf("AA%dA=", i), fmt.Sprintf("c3RhdGU%d", i%7)) }), cursor, "SyncFolderItems"},
		"states without changes":      {counting(300, "SyncFolderItems", nothing), changes, "SyncFolderItems"},
		"a cursor of nothing":         {counting(300, "SyncFolderItems", nothing), cursor, "SyncFolderItems"},
		"the same change, new states": {counting(300, "SyncFolderItems", func(i int) string { return created("AAA=", fmt.Sprintf("c3%06d", i)) }), cursor, "SyncFolderItems"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{})
				b.fill(t, 1)
				if _, _, err := b.list(t.Context(), session.Query{}); err != nil {
					t.Fatal(err)
				}
				before := b.requests(tt.op)
				b.server.Inject(tt.faults...)
				err := tt.act(t.Context(), b)
				if n := b.requests(tt.op) - before; err == nil || !strings.Contains(err.Error(), "never end") || !strings.Contains(err.Error(), tt.op) || session.Temporary(err) || n > enough {
					t.Errorf("after %d requests: %v; want an error that says that it would never end, after %d at most", n, err, enough)
				}
				b.server.Heal()
				if _, _, err := b.list(t.Context(), session.Query{}); err != nil {
					t.Errorf("the client does not work afterwards: %v", err)
				}
			})
		})
	}
}

// TestEventsWithoutEnd: a server that always has more events is asked for them no longer,
// and looked at instead, until it may do better.
func TestEventsWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{server: ewstest.Options{Version: ewstest.Exchange2007SP1}})
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
		defer cancel()
		b.server.Inject(counting(1500, "GetEvents", func(i int) string {
			return fmt.Sprintf(`<Notification><SubscriptionId>s</SubscriptionId><PreviousWatermark>w</PreviousWatermark><MoreEvents>true</MoreEvents>`+
				`<StatusEvent><Watermark>AQ%06d</Watermark></StatusEvent></Notification>`, i)
		})...)
		began := time.Now()
		var last time.Duration
		n := 0
		for notice, err := range b.Notify(ctx, []session.FolderRef{session.Inbox}, session.NotifyOptions{Interval: time.Minute}) {
			if err != nil {
				break
			}
			if n++; n == 1 && notice.Kind != session.Listening {
				t.Errorf("the first notice is %v, want that it listens", notice)
			}
			last = time.Since(began)
		}
		if got := b.requests("GetEvents"); got != 1000 {
			t.Errorf("the server was asked for events %d times, want 1000", got)
		}
		if n < 6 || last < 5*time.Minute {
			t.Errorf("%d notices, the last after %v; want one a minute", n, last)
		}
		if got := b.requests("Unsubscribe"); got != 1 {
			t.Errorf("%d subscriptions were given back, want the one", got)
		}
	})
}

// TestProvisionalAnswersWithoutEnd: a few are passed over, and many are an error.
func TestProvisionalAnswersWithoutEnd(t *testing.T) {
	for _, tt := range []struct {
		provisional int
		good        bool
	}{{20, true}, {1 << 30, false}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, settings{change: func(s *session.Server) {
				s.Dial = relayed(s.Dial, func(w io.Writer, _ []byte) bool {
					for range tt.provisional {
						if _, err := io.WriteString(w, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
							return true
						}
					}
					return false
				})
			}})
			b.fill(t, 1)
			subjects, _, err := b.list(t.Context(), session.Query{})
			if tt.good && (err != nil || len(subjects) != 1) || !tt.good && (err == nil || !strings.Contains(err.Error(), "1xx")) {
				t.Errorf("behind %d provisional answers: %q, %v", tt.provisional, subjects, err)
			}
		})
	}
}

// TestAStreamWithoutEnd: a server that never ends a stream, as it was asked to after half
// an hour, is left soon after.
func TestAStreamWithoutEnd(t *testing.T) {
	const sign = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><GetStreamingEventsResponse><ResponseMessages>` +
		`<GetStreamingEventsResponseMessage ResponseClass="Success"><ResponseCode>NoError</ResponseCode><ConnectionStatus>OK</ConnectionStatus>` +
		`</GetStreamingEventsResponseMessage></ResponseMessages></GetStreamingEventsResponse></s:Body></s:Envelope>`
	synctest.Test(t, func(t *testing.T) {
		streams := 0
		b := newBed(t, settings{change: func(s *session.Server) {
			s.Dial = relayed(s.Dial, func(w io.Writer, request []byte) bool {
				if !bytes.Contains(request, []byte("ConnectionTimeout")) {
					return false
				}
				streams++
				_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n")
				for err == nil {
					if _, err = io.WriteString(w, sign); err == nil {
						<-time.After(45 * time.Second)
					}
				}
				return true
			})
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Minute)
		defer cancel()
		began := time.Now()
		var at []time.Duration
		for _, err := range b.Notify(ctx, []session.FolderRef{session.Inbox}, session.NotifyOptions{}) {
			if err != nil {
				break
			}
			at = append(at, time.Since(began))
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		<-time.After(time.Minute) // the last stream meets the end of its line
		if streams != 4 || len(at) != 4 || at[1] != 32*time.Minute {
			t.Errorf("%d streams, notices after %v; want one every 32 minutes", streams, at)
		}
	})
}

// relayed returns a way to a server that looks at each request. It is passed on unless
// answer has written one; before that, answer may write something else.
func relayed(
	direct func(context.Context, string, string) (net.Conn, error), answer func(w io.Writer, request []byte) (done bool),
) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		server, err := direct(ctx, network, address)
		if err != nil {
			return nil, err
		}
		near, far := pipe.New()
		go func() {
			defer far.Close()
			defer server.Close()
			in, back := bufio.NewReader(far), bufio.NewReader(server)
			for {
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				body, err := io.ReadAll(req.Body)
				if err != nil || answer(far, body) {
					return
				}
				req.Body = io.NopCloser(bytes.NewReader(body))
				if err := req.Write(server); err != nil {
					return
				}
				resp, err := http.ReadResponse(back, req)
				if err != nil {
					return
				}
				err = resp.Write(far)
				if closing := resp.Body.Close(); err != nil || closing != nil {
					return
				}
			}
		}()
		return near, nil
	}
}
