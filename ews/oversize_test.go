package ews_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// page is an answer of a web server before Exchange.
func page(status, words string) mailtest.Fault {
	return mailtest.Reply("CreateItem", "HTTP/1.1 "+status+"\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>"+words+"</body></html>")
}

// asmx is a fault as the web services of ASP.NET 2.0 tell it, those of Exchange 2007.
const asmx = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/xml; charset=utf-8\r\n\r\n" +
	`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault><faultcode>soap:Client</faultcode>` +
	`<faultstring>System.Web.Services.Protocols.SoapException: There was an exception running the extensions specified in the config file. ` +
	`---&gt; System.Web.HttpException: Maximum request length exceeded.</faultstring><detail /></soap:Fault></soap:Body></soap:Envelope>`

// TestHowServersRefuseLargeRequests: in many ways, few of which say so. A large message
// goes out in pieces then; a small one is not sent, and it is known, or it is not known
// where the answer leaves it open. Nothing is sent twice.
func TestHowServersRefuseLargeRequests(t *testing.T) {
	const inPieces, notSent, unknown, later = "in pieces", "not sent", "unknown", "later"
	for name, tt := range map[string]struct {
		fault        mailtest.Fault
		large, small string
	}{
		"413":                      {page("413 Request Entity Too Large", ""), inPieces, inPieces},
		"413 without a word":       {mailtest.Reply("CreateItem", "413 Request Entity Too Large"), inPieces, inPieces},
		"the request filter":       {page("404 Not Found", "<h2>404 - File or directory not found.</h2>"), inPieces, notSent},
		"the request filter, long": {page("404 Not Found", "<h3>HTTP Error 404.13 - Not Found</h3>"), inPieces, inPieces},
		"the services of 2010":     {mailtest.Reply("CreateItem", "400 Bad Request"), inPieces, notSent},
		"ASP.NET":                  {page("400 Bad Request", "<title>Maximum request length exceeded.</title>"), inPieces, inPieces},
		"ASP.NET, as trouble":      {page("500 Internal Server Error", "<title>Maximum request length exceeded.</title>"), inPieces, inPieces},
		"the services of 2007":     {mailtest.Reply("CreateItem", asmx), inPieces, inPieces},
		"WCF in words":             {page("500 Internal Server Error", "The maximum message size quota for incoming messages (65536) has been exceeded."), inPieces, inPieces},
		"the front end of 2013":    {mailtest.Reply("CreateItem", "507 Insufficient Storage"), inPieces, inPieces},
		"it cannot be converted":   {ewstest.Failing("CreateItem", "ErrorContentConversionFailed"), inPieces, notSent},
		"its MIME is too much":     {ewstest.Failing("CreateItem", "ErrorMimeContentConversionFailed"), inPieces, notSent},
		"the mailbox's limit":      {ewstest.Failing("CreateItem", "ErrorMessageSizeExceeded"), notSent, notSent},
		"too many recipients":      {ewstest.Failing("CreateItem", "ErrorExceededMaxRecipientLimit"), notSent, notSent},
		"a full mailbox":           {ewstest.Failing("CreateItem", "ErrorQuotaExceeded"), notSent, notSent},
		"somebody else's name":     {ewstest.Failing("CreateItem", "ErrorSendAsDenied"), notSent, notSent},
		"too much for today":       {ewstest.Failing("CreateItem", "ErrorSubmissionQuotaExceeded"), notSent, notSent},
		"stopped before":           {ewstest.Failing("CreateItem", "ErrorBatchProcessingStopped"), notSent, notSent},
		"forbidden":                {mailtest.Reply("CreateItem", "403 Forbidden"), notSent, notSent},
		"sent elsewhere":           {mailtest.Reply("CreateItem", "HTTP/1.1 302 Found\r\nLocation: https://login.example.com/\r\n\r\n"), notSent, notSent},
		"busy":                     {ewstest.Busy("CreateItem", time.Minute), later, later},
		"busy with the item":       {ewstest.BusyItems("CreateItem", time.Minute), later, later},
		"busy, the front end":      {ewstest.Unavailable("CreateItem", time.Minute), later, later},
		"trouble":                  {page("500 Internal Server Error", "Runtime Error"), unknown, unknown},
		"trouble on the way":       {page("502 Bad Gateway", ""), unknown, unknown},
		"too late":                 {page("504 Gateway Timeout", ""), unknown, unknown},
		"lost behind a proxy":      {page("503 Service Unavailable", "upstream connect error or disconnect/reset before headers"), unknown, unknown},
		"the store is gone":        {ewstest.Failing("CreateItem", "ErrorConnectionFailed"), unknown, unknown},
		"moving":                   {ewstest.Failing("CreateItem", "ErrorMailboxMoveInProgress"), unknown, unknown},
		"a page":                   {page("200 OK", "Sign in"), unknown, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, sized := range []struct {
					name, want string
					files      []int
				}{{"large", tt.large, []int{600_000, 500_000}}, {"small", tt.small, []int{100, 50}}} {
					b, s := newSenderTo(t, ewstest.Options{})
					b.server.Inject(tt.fault)
					e, m := large(t, sized.files...)
					receipt, err := s.Send(t.Context(), e, m)
					testlog.Error(t, err)
					want, sent, pieces, made := session.NotSent, 0, 0, 1
					switch sized.want {
					case inPieces:
						want, sent, pieces, made = session.Accepted, 1, 2, 2
					case later:
						want, sent, made = session.Accepted, 1, 2
					case unknown:
						want = session.SentUnknown
					}
					if receipt.Outcome != want || (err == nil) != (want == session.Accepted) {
						t.Errorf("%s: %v, %v; want %v", sized.name, receipt.Outcome, err, want)
					}
					if len(b.server.Sent()) != sent || len(b.made("CreateAttachment")) != pieces || len(b.made("CreateItem")) != made || len(b.drafts(t)) != 0 {
						t.Errorf("%s: %d were sent by %d requests and %d pieces, and %d drafts are left; want %d by %d and %d, and none",
							sized.name, len(b.server.Sent()), len(b.made("CreateItem")), len(b.made("CreateAttachment")), len(b.drafts(t)), sent, made, pieces)
					}
				}
			})
		})
	}
}

// TestABusyServerThatStaysBusy has sent nothing, in one request or in pieces.
func TestABusyServerThatStaysBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, op := range []string{"CreateItem", "CreateAttachment", "SendItem"} {
			for name, fault := range map[string]func(string, time.Duration) mailtest.Fault{"whole": ewstest.Busy, "item": ewstest.BusyItems, "front end": ewstest.Unavailable} {
				b, s := newLargeSender(t, ewstest.Exchange2016)
				b.server.Inject(fault(op, time.Minute).Repeating(-1))
				e, m := large(t, 600_000, 500_000)
				receipt, err := s.Send(t.Context(), e, m)
				if err == nil || receipt.Outcome != session.NotSent || !session.Temporary(err) || len(b.server.Sent()) != 0 || len(b.drafts(t)) != 0 {
					t.Errorf("%s, %s: %v, %v; %d were sent and %d drafts are left; want not sent, for now, and none", op, name, receipt.Outcome, err, len(b.server.Sent()), len(b.drafts(t)))
				}
			}
		}
	})
}

// TestRemediesOfWhatIsNotSent: each says what to do.
func TestRemediesOfWhatIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signed := "From: " + ann + "\r\nTo: " + bob + "\r\nContent-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\n" + strings.Repeat("A line.\r\n", 10_000) + "\r\n--x--\r\n"
		for what, tt := range map[string]struct {
			fault mailtest.Fault
			raw   string
			want  string
		}{
			"send as":       {ewstest.Failing("CreateItem", "ErrorSendAsDenied"), invoice, "Send on Behalf"},
			"quota":         {ewstest.Failing("CreateItem", "ErrorQuotaExceeded"), invoice, "remove messages"},
			"submissions":   {ewstest.Failing("CreateItem", "ErrorSubmissionQuotaExceeded"), invoice, "later"},
			"recipients":    {ewstest.Failing("CreateItem", "ErrorExceededMaxRecipientLimit"), invoice, "fewer"},
			"an address":    {ewstest.Failing("CreateItem", "ErrorInvalidRecipients"), invoice, "check the recipients"},
			"size":          {ewstest.Failing("CreateItem", "ErrorMessageSizeExceeded"), invoice, "MaxSendSize"},
			"MIME":          {ewstest.Failing("CreateItem", "ErrorMimeContentInvalid"), invoice, "encodings"},
			"no such path":  {page("404 Not Found", ""), invoice, "Options.Path"},
			"one signature": {page("404 Not Found", ""), signed, "maxAllowedContentLength"},
		} {
			b, s := newSender(t)
			b.server.Inject(tt.fault)
			receipt, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{bob}}, message.Bytes([]byte(tt.raw)))
			if err == nil || receipt.Outcome != session.NotSent || !strings.Contains(err.Error(), tt.want) || len(b.made("CreateItem")) != 1 {
				t.Errorf("%s: %v, %v; want not sent, and %q", what, receipt.Outcome, err, tt.want)
			}
		}
	})
}

// cutting is a line that breaks within a request for CreateItem, so many bytes before its
// end.
type cutting struct {
	net.Conn

	cut          *cuts
	size, before int // of the request: its content, and what stands before that
	left         int // until it breaks; negative: it does not
	broken       atomic.Bool
}

// cuts says which requests a line breaks within.
type cuts struct {
	short int // how many bytes are missing
	least int // the size of the requests concerned
	times int // how many of them; negative: all
	op    string
}

var contentLength = regexp.MustCompile(`Content-Length: (\d+)\r\n`)

// Write implements [net.Conn].
func (c *cutting) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("POST ")) {
		head := bytes.Index(p, []byte("\r\n\r\n")) + 4
		size, err := strconv.Atoi(string(contentLength.FindSubmatch(p)[1]))
		if err != nil {
			return 0, err
		}
		c.size, c.before = size, min(head, len(p)) // the content may come with it, or by itself
	}
	if c.cut.times != 0 && c.left < 0 && c.size >= c.cut.least && bytes.Contains(p, []byte("<m:"+c.cut.op)) {
		c.cut.times--
		c.left = max(0, c.size-c.cut.short)
		if bytes.HasPrefix(p, []byte("POST ")) {
			c.left = max(0, c.before+c.size-c.cut.short)
		}
	}
	if c.left < 0 {
		return c.Conn.Write(p)
	}
	n, err := c.Conn.Write(p[:min(len(p), c.left)])
	if c.left -= n; err == nil && c.left == 0 && c.cut.short > 0 {
		c.broken.Store(true)
		return n, errors.Join(syscall.ECONNRESET, c.Close())
	}
	return n, err
}

// Read implements [net.Conn].
func (c *cutting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.broken.Load() {
		err = syscall.ECONNRESET
	}
	return n, err
}

// newCutSender returns a Sender whose line breaks.
func newCutSender(t *testing.T, cut *cuts) (*bed, *ews.Sender) {
	t.Helper()
	b, _ := newSender(t)
	at := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		line, err := b.server.Dial(ctx, network, address)
		return &cutting{Conn: line, cut: cut, left: -1}, err
	}}
	s, err := ews.NewSender(at, session.Credentials{User: ann, Password: password()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return b, s
}

// TestALineThatBreaksWhileSending: before the last byte of a request has left, nothing is
// sent, and the request is made once more on another line; a large one that breaks off
// every time goes out in pieces.
func TestALineThatBreaksWhileSending(t *testing.T) {
	for name, tt := range map[string]struct {
		cut   cuts
		sizes []int
		want  session.SendOutcome
		sent  int
	}{
		"in the header, once":         {cuts{1 << 20, 0, 1, "CreateItem"}, []int{10}, session.Accepted, 1},
		"within, once":                {cuts{500, 0, 1, "CreateItem"}, []int{10}, session.Accepted, 1},
		"before the last byte, once":  {cuts{1, 0, 1, "CreateItem"}, []int{10}, session.Accepted, 1},
		"in the header, always":       {cuts{1 << 20, 0, -1, "CreateItem"}, []int{10}, session.NotSent, 0},
		"within, always":              {cuts{500, 0, -1, "CreateItem"}, []int{10}, session.NotSent, 0},
		"before the last byte":        {cuts{1, 0, -1, "CreateItem"}, []int{10}, session.NotSent, 0},
		"large, once":                 {cuts{300_000, 1_000_000, 1, "CreateItem"}, []int{600_000, 500_000}, session.Accepted, 1},
		"whatever is large":           {cuts{300_000, 1_000_000, -1, "CreateItem"}, []int{600_000, 500_000}, session.Accepted, 1},
		"whatever is large, and late": {cuts{1, 1_000_000, -1, "CreateItem"}, []int{600_000, 500_000}, session.Accepted, 1},
		"everything":                  {cuts{1, 0, -1, "CreateItem"}, []int{600_000, 500_000}, session.NotSent, 0},
		"the draft, once":             {cuts{1, 0, 1, "SendItem"}, []int{900_000, 500_000}, session.Accepted, 1},
		"the draft, within, once":     {cuts{200, 0, 1, "SendItem"}, []int{900_000, 500_000}, session.Accepted, 1},
		"the draft, always":           {cuts{1, 0, -1, "SendItem"}, []int{900_000, 500_000}, session.NotSent, 0},
		"a piece, once":               {cuts{300, 0, 1, "CreateAttachment"}, []int{900_000, 500_000}, session.Accepted, 1},
		"a piece, always":             {cuts{300, 0, -1, "CreateAttachment"}, []int{900_000, 500_000}, session.NotSent, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b, s := newCutSender(t, &tt.cut)
			if tt.cut.op != "CreateItem" {
				b.server.Inject(mailtest.Reply("CreateItem", "413 Request Entity Too Large"))
			}
			e, m := large(t, tt.sizes...)
			receipt, err := s.Send(t.Context(), e, m)
			if receipt.Outcome != tt.want || (err == nil) != (tt.want == session.Accepted) || len(b.server.Sent()) != tt.sent || len(b.drafts(t)) != 0 {
				t.Errorf("%v, %v; %d were sent and %d drafts are left; want %v, %d and none", receipt.Outcome, err, len(b.server.Sent()), len(b.drafts(t)), tt.want, tt.sent)
			}
		})
	}
}

// failing is a message that can be read once, and up to its half from then on.
type failing struct {
	message.Source

	cause  error
	opened int
}

// Open implements [message.Source].
func (f *failing) Open() (io.ReadCloser, error) {
	r, err := f.Source.Open()
	if f.opened++; err != nil || f.opened == 1 {
		return r, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, f.Size()/2), iotest.ErrReader(f.cause)), r}, nil
}

// TestAMessageThatCannotBeReadHere: nothing is sent, at once, and the error is that of
// reading it. The server, which waits for the rest, is not waited for.
func TestAMessageThatCannotBeReadHere(t *testing.T) {
	for _, size := range []int{10, 100_000, 600_000} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s := newLargeSender(t, ewstest.Exchange2016)
				e, m := large(t, size)
				cause := errors.New("the disk is gone")
				began := time.Now()
				receipt, err := s.Send(t.Context(), e, &failing{Source: m, cause: cause})
				if receipt.Outcome != session.NotSent || !errors.Is(err, cause) || strings.Contains(err.Error(), "lost") || session.Temporary(err) {
					t.Errorf("Send = %v, %v; want not sent, for that reason", receipt.Outcome, err)
				}
				if took := time.Since(began); took != 0 || len(b.server.Sent()) != 0 {
					t.Errorf("it took %v, and %d were sent; want no time and none", took, len(b.server.Sent()))
				}
			})
		})
	}
}

// TestABusyServerThatGoesAway has sent nothing, as it said itself.
func TestABusyServerThatGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newSender(t)
		var down atomic.Bool
		at := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if down.Load() {
				return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
			}
			return b.server.Dial(ctx, network, address)
		}}
		s, err := ews.NewSender(at, session.Credentials{User: ann, Password: password()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		b.server.Inject(ewstest.BusyItems("CreateItem", time.Minute))
		time.AfterFunc(time.Second, func() {
			down.Store(true)
			b.server.Disconnect()
		})
		e, m := large(t, 10)
		if receipt, err := s.Send(t.Context(), e, m); receipt.Outcome != session.NotSent || err == nil {
			t.Errorf("Send = %v, %v; want not sent", receipt.Outcome, err)
		}
	})
}

// TestALostAnswerIsLookedForOnItsWay: what was handed to the transport waits in the folder
// it was made in, and is not in the folder of sent mail yet. A draft with the same
// Message-ID that nobody sent tells nothing.
func TestALostAnswerIsLookedForOnItsWay(t *testing.T) {
	waiting := func(flags int) mailtest.Fault {
		return written("FindItem", fmt.Sprintf(`<m:RootFolder IncludesLastItemInRange="true"><t:Items><t:Message><t:ItemId Id="x"/><t:ExtendedProperty>`+
			`<t:ExtendedFieldURI PropertyTag="0x0e07" PropertyType="Integer"/><t:Value>%d</t:Value></t:ExtendedProperty></t:Message></t:Items></m:RootFolder>`, flags))
	}
	lost := mailtest.Drop("CreateItem", 0)
	lost.Ignore = true
	for name, tt := range map[string]struct {
		policy session.SentPolicy
		before int // searches that find nothing
		flags  int
		want   session.SendOutcome
	}{
		"in the outbox":                      {session.SentAuto, 1, 8 | 4, session.Accepted},
		"among the drafts":                   {session.SentAuto, 2, 8 | 4, session.Accepted},
		"among the drafts, and nobody files": {session.SentNever, 1, 8 | 4, session.Accepted},
		"a draft of that name":               {session.SentAuto, 2, 8, session.SentUnknown},
		"a draft, and nobody files":          {session.SentNever, 1, 8, session.SentUnknown},
	} {
		b, s := newSender(t)
		b.server.Inject(lost, waiting(tt.flags).Skipping(tt.before))
		receipt, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{bob}, SaveSent: tt.policy}, message.Bytes([]byte(invoice)))
		testlog.Error(t, err)
		if receipt.Outcome != tt.want || len(b.made("CreateItem")) != 1 {
			t.Errorf("%s: %v, %v by %d requests; want %v by one", name, receipt.Outcome, err, len(b.made("CreateItem")), tt.want)
		}
	}
}
