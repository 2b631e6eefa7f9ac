package ews_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// notes is what is told of operations, in all places together.
type notes struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.buf.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.buf.String()
}

// add writes an error down in every form.
func (n *notes) add(err error) {
	for _, a := range testlog.Forms(err) {
		fmt.Fprintln(n, a)
	}
}

const (
	soapHead = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n"
	soapBody = `<s:Envelope xmlns:s="s" xmlns:m="m" xmlns:t="t"><s:Body>%s</s:Body></s:Envelope>`
	item     = `<m:FindItemResponse><m:ResponseMessages><m:FindItemResponseMessage ResponseClass="Error"><m:MessageText>%s</m:MessageText><m:ResponseCode>%s</m:ResponseCode></m:FindItemResponseMessage></m:ResponseMessages></m:FindItemResponse>`
	fault    = `<s:Fault><faultcode>%s</faultcode><faultstring>%s</faultstring><detail><e:ResponseCode xmlns:e="e">%s</e:ResponseCode><e:Message xmlns:e="e">%s</e:Message></detail></s:Fault>`
)

func soapSays(format string, words ...any) string {
	return soapHead + "\r\n" + fmt.Sprintf(soapBody, fmt.Sprintf(format, words...))
}

// echoes are the places in which an answer may repeat what it was sent.
func echoes() map[string]func(said string) string {
	long := strings.Repeat("word ", 99)
	return map[string]func(string) string{
		"the status line": func(s string) string {
			return "HTTP/1.1 403 " + s + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		},
		"a status that is no": func(s string) string { return "HTTP/1.1 " + s + " what\r\nConnection: close\r\n\r\n" },
		"what is no HTTP":     func(s string) string { return "HTTP/1.1 " + s + "\r\n\r\nConnection: close" },
		"a field that is no":  func(s string) string { return "HTTP/1.1 200 OK\r\n" + s + "\r\nConnection: close\r\n\r\n" },
		"diagnostics": func(s string) string {
			return "HTTP/1.1 403 No\r\nX-Ms-Diagnostics: " + s + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		},
		"diagnostics that are cut": func(s string) string {
			return "HTTP/1.1 403 No\r\nX-Ms-Diagnostics: " + long + s + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		},
		"a place to go": func(s string) string {
			return "HTTP/1.1 302 Found\r\nLocation: https://evil.example.net/login?" + s + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		},
		"a way to sign in": func(s string) string {
			return "HTTP/1.1 401 No\r\nWWW-Authenticate: " + s + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		},
		"a trailer": func(s string) string {
			return soapHead + "Transfer-Encoding: chunked\r\n\r\n3\r\n<a>\r\n0\r\n" + s + "\r\n\r\n"
		},
		"the size of a chunk": func(s string) string {
			return soapHead + "Transfer-Encoding: chunked\r\n\r\n" + s + "\r\n<a>\r\n0\r\n\r\n"
		},
		"faultcode":          func(s string) string { return soapSays(fault, "a:Error"+s, "x", "", "x") },
		"faultstring":        func(s string) string { return soapSays(fault, "a:ErrorX", s, "ErrorX", "") },
		"a fault's code":     func(s string) string { return soapSays(fault, "", "x", s, "x") },
		"a fault's message":  func(s string) string { return soapSays(fault, "", "x", "ErrorX", s) },
		"MessageText":        func(s string) string { return soapSays(item, s, "ErrorX") },
		"a long MessageText": func(s string) string { return soapSays(item, long+s, "ErrorX") },
		"ResponseCode":       func(s string) string { return soapSays(item, "x", s) },
		"the root":           func(s string) string { return soapHead + "\r\n<" + s + "></" + s + ">" },
		"the end of no element": func(s string) string {
			return soapHead + "\r\n" + `<s:Envelope xmlns:s="s"><s:Body><a></` + s + `></s:Body></s:Envelope>`
		},
		"a number": func(s string) string {
			return soapSays(`<m:FindItemResponse><m:ResponseMessages><m:FindItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:RootFolder IncludesLastItemInRange="true" IndexedPagingOffset="%[1]s" TotalItemsInView="%[1]s"><t:Items><t:Message><t:ItemId Id="%[1]s"/><t:Size>%[1]s</t:Size><t:DateTimeReceived>%[1]s</t:DateTimeReceived></t:Message></t:Items></m:RootFolder></m:FindItemResponseMessage></m:ResponseMessages></m:FindItemResponse>`, s)
		},
	}
}

// signedInBy is a way to sign in, and what goes over the line with it.
type signedInBy struct {
	schemes []string
	creds   session.Credentials
	said    func(requests string) string // what the server repeats of requests, empty for not yet
}

// lastAfter returns what stands behind a mark for the last time, in its line.
func lastAfter(text, mark string) string {
	i := strings.LastIndex(text, mark)
	if i < 0 {
		return ""
	}
	line, _, _ := strings.Cut(text[i+len(mark):], "\r\n")
	return line
}

// proofIn returns what proved the password by NTLM.
func proofIn(requests string) string {
	const begins = "TlRMTVNTUAADAAAA"
	if rest := lastAfter(requests, "Authorization: NTLM "+begins); rest != "" {
		return begins + rest
	}
	return ""
}

// TestServersThatRepeatWhatTheyAreSent: in whatever place a server repeats how the client
// signs in, or the cookies it has, it comes into no error, no transcript and no log.
func TestServersThatRepeatWhatTheyAreSent(t *testing.T) {
	withPassword := session.Credentials{User: ann, Password: password()}
	fixed := func(s string) func(string) string { return func(string) string { return s } }
	for name, way := range map[string]signedInBy{
		"a password":         {[]string{ewstest.Basic}, withPassword, fixed(password().Reveal())},
		"in base64":          {[]string{ewstest.Basic}, withPassword, fixed(base64.StdEncoding.EncodeToString([]byte(password().Reveal())))},
		"Basic":              {[]string{ewstest.Basic}, withPassword, func(r string) string { return lastAfter(r, "Authorization: Basic ") }},
		"a token":            {[]string{ewstest.Bearer}, session.Credentials{User: ann, Tokens: oauth.AnyResource(oauth.StaticToken(secret.New("horse-token-1")))}, fixed("horse-token-1")},
		"the proof of NTLM":  {[]string{ewstest.NTLM}, withPassword, proofIn},
		"a cookie":           {[]string{ewstest.Basic}, withPassword, fixed("horse-cookie-1")},
		"the password, NTLM": {[]string{ewstest.NTLM}, withPassword, fixed(password().Reveal())},
	} {
		masked := 0
		for place, echo := range echoes() {
			said, told := underEcho(t, way, echo)
			masked += strings.Count(told, secret.Redacted)
			if said == "" || strings.Contains(told, said) || strings.Contains(told, "horse") {
				t.Errorf("%s in %s: %q is to be masked in %s", name, place, said, told)
			}
		}
		if masked == 0 {
			t.Errorf("%s: what is told has nothing of it, want the server's words", name)
		}
	}
}

// underEcho returns what the server repeats, and all that is told of listing and of a
// check.
func underEcho(t *testing.T, way signedInBy, echo func(said string) string) (said string, told string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		box := mailtest.New()
		box.Add(ann, password())
		server := ewstest.New(box, &ewstest.Options{Schemes: way.schemes, CheckToken: func(context.Context, string, secret.Text) error { return nil }})
		out, heard := &notes{}, ""
		lb := &between{
			request: func(text string) string { heard += text; return text },
			answer: func(answer, request string) string {
				answer = with(answer, "Set-Cookie: stick=horse-cookie-1; path=/")
				if s := way.said(heard); strings.Contains(request, "<m:FindItem ") && s != "" {
					said = s
					return echo(s)
				}
				return answer
			},
		}
		s := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: server.Dial, Transcript: out}
		lb.stand(&s)
		c, err := ews.New(s, way.creds, &ews.Options{
			Observer: testlog.NewObserver(out),
			Logger:   slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range c.Messages(t.Context(), session.Query{}) {
			out.add(err)
		}
		report := c.Check(t.Context(), nil)
		fmt.Fprintf(out, "%v %+v", report, report)
		out.add(report.Err())
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		told = out.String()
	})
	return said, told
}

// TestDiscoveryThatRepeatsWhatItIsSent: the same for the hosts that discovery asks.
func TestDiscoveryThatRepeatsWhatItIsSent(t *testing.T) {
	pox := func(format string) func(http.ResponseWriter, string) {
		return func(rw http.ResponseWriter, said string) {
			_, _ = io.WriteString(rw, "<Autodiscover><Response>"+strings.ReplaceAll(format, "SAID", said)+"</Response></Autodiscover>")
		}
	}
	for place, echo := range map[string]func(rw http.ResponseWriter, said string){
		"a code":             pox("<Error><ErrorCode>SAID</ErrorCode><Message>x</Message></Error>"),
		"a message":          pox("<Error><ErrorCode>600</ErrorCode><Message>SAID</Message></Error>"),
		"a long message":     pox("<Error><ErrorCode>600</ErrorCode><Message>" + strings.Repeat("word ", 99) + "SAID</Message></Error>"),
		"an address":         pox("<Account><Action>redirectAddr</Action><RedirectAddr>SAID</RedirectAddr></Account>"),
		"a mailbox":          pox("<Account><Action>redirectAddr</Action><RedirectAddr>ann@SAID.example</RedirectAddr></Account>"),
		"a place":            pox("<Account><Action>redirectUrl</Action><RedirectUrl>https://" + auto + "?SAID</RedirectUrl></Account>"),
		"a host":             pox("<Account><Action>redirectUrl</Action><RedirectUrl>https://SAID.contoso.example/SAID</RedirectUrl></Account>"),
		"a foreign host":     pox("<Account><Action>redirectUrl</Action><RedirectUrl>https://SAID.example/SAID</RedirectUrl></Account>"),
		"a service":          pox("<Account><Action>settings</Action><Protocol><Type>EXPR</Type><EwsUrl>https://SAID.example/SAID</EwsUrl></Protocol></Account>"),
		"a service by SAID":  pox("<Account><Action>settings</Action><Protocol><Type>EXPR</Type><EwsUrl>SAID://" + mail + "/</EwsUrl></Protocol></Account>"),
		"a service that is ": pox("<Account><Action>settings</Action><Protocol><Type>EXPR</Type><EwsUrl>https://" + mail + "/?SAID</EwsUrl></Protocol></Account>"),
		"the root": func(rw http.ResponseWriter, said string) {
			_, _ = io.WriteString(rw, "<"+said+"></"+said+">")
		},
		"a redirect": func(rw http.ResponseWriter, said string) { sendTo("https://"+auto+"?"+said)(rw, nil) },
		"no address": func(rw http.ResponseWriter, said string) { sendTo("ftp://"+said+":"+said+"@x/")(rw, nil) },
		"a challenge": func(rw http.ResponseWriter, said string) {
			rw.Header().Set("Www-Authenticate", said)
			rw.WriteHeader(http.StatusUnauthorized)
		},
		"no HTTP":    raw("HTTP/1.1 SAID\r\n\r\n"),
		"the status": raw("HTTP/1.1 403 SAID\r\nContent-Length: 0\r\n\r\n"),
		"a field":    raw("HTTP/1.1 200 OK\r\nSAID\r\n\r\n"),
	} {
		for form, of := range map[string]func(req *http.Request) string{
			"the password": func(*http.Request) string { return password().Reveal() },
			"Basic":        func(req *http.Request) string { return lastAfter(req.Header.Get("Authorization"), "Basic ") },
		} {
			told, said := &notes{}, ""
			w := newWeb(t)
			for _, host := range []string{domain, auto, "autodiscover.hoster.example"} {
				w.stub(host+":443", func(rw http.ResponseWriter, req *http.Request) {
					if req.Header.Get("Authorization") == "" && said == "" {
						wantsPassword(rw, req)
						return
					}
					if s := of(req); s != "" {
						said = s
					}
					echo(rw, said)
				})
			}
			o := w.options()
			o.Logger, o.Observer = slog.New(slog.NewTextHandler(told, &slog.HandlerOptions{Level: slog.LevelDebug})), testlog.NewObserver(told)
			_, err := ews.Discover(t.Context(), mailbox, o)
			told.add(err)
			if all := told.String(); err == nil || said == "" || strings.Contains(all, said) || strings.Contains(all, "horse") {
				t.Errorf("%s in %s: %q is to be masked in %s", form, place, said, all)
			}
		}
	}
}

// raw answers with bytes as they are.
func raw(text string) func(http.ResponseWriter, string) {
	return func(rw http.ResponseWriter, said string) {
		h, ok := rw.(http.Hijacker)
		if !ok {
			return
		}
		nc, _, err := h.Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(nc, strings.ReplaceAll(text, "SAID", said))
		_ = nc.Close()
	}
}

// TestDiscoverWithAWordAsPassword: a password that is a word of the answer does not
// keep the answer from being understood.
func TestDiscoverWithAWordAsPassword(t *testing.T) {
	const pox = `<Autodiscover><Response><Account><Action>settings</Action><Protocol><Type>EXCH</Type>` +
		`<EwsUrl>` + atMail + `</EwsUrl></Protocol></Account></Response></Autodiscover>`
	for _, word := range []string{"example", "Exchange", "Protocol"} {
		w := newWeb(t)
		w.stub(auto+":443", func(rw http.ResponseWriter, req *http.Request) {
			if req.Header.Get("Authorization") == "" {
				wantsPassword(rw, req)
				return
			}
			rw.Header().Set("Content-Type", "text/xml")
			_, _ = io.WriteString(rw, pox)
		})
		o := w.options()
		o.Credentials.Password = secret.New(word)
		d, err := ews.Discover(t.Context(), mailbox, o)
		wantFound(t, d, err, ews.ByPOX)
	}
}
