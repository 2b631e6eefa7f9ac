package ews_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/session"
)

// TestThroughAProxy: the way is that of every other protocol.
func TestThroughAProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		b := newBed(t, settings{change: func(s *session.Server) {
			direct := s.Dial
			s.Proxy = &proxy.Config{URL: "http://proxy.example.net:3128"}
			s.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				near, far := pipe.New()
				go func() {
					in := bufio.NewReader(far)
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					asked = append(asked, address+" "+req.Method+" "+req.Host)
					server, err := direct(ctx, network, req.Host)
					if err != nil {
						return
					}
					_, _ = io.WriteString(far, "HTTP/1.1 200 OK\r\n\r\n")
					go func() {
						_, _ = io.Copy(server, in)
						_ = server.Close()
					}()
					_, _ = io.Copy(far, server)
					_ = far.Close()
				}()
				return near, nil
			}
		}})
		b.fill(t, 1)
		subjects, _, err := b.list(t.Context(), session.Query{})
		if want := []string{"proxy.example.net:3128 CONNECT localhost:80"}; err != nil || len(subjects) != 1 || !slices.Equal(asked, want) {
			t.Errorf("Messages = %q, %v by way of %q; want one by way of %q", subjects, err, asked, want)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestPackedAnswers: what a server packs is read, and what is damaged or cut is an
// error.
func TestPackedAnswers(t *testing.T) {
	const answer = `<s:Envelope xmlns:s="s"><s:Body><m:FindItemResponse xmlns:m="m" xmlns:t="t"><m:ResponseMessages>` +
		`<m:FindItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>` +
		`<m:RootFolder IncludesLastItemInRange="true"><t:Items/></m:RootFolder></m:FindItemResponseMessage></m:ResponseMessages></m:FindItemResponse></s:Body></s:Envelope>`
	var whole bytes.Buffer
	z := gzip.NewWriter(&whole)
	if _, err := io.WriteString(z, answer); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole.Bytes())
	damaged[len(damaged)/2] ^= 0xff
	for name, tt := range map[string]struct {
		body []byte
		good bool
	}{
		"whole":      {whole.Bytes(), true},
		"cut":        {whole.Bytes()[:whole.Len()/2], false},
		"damaged":    {damaged, false},
		"not packed": {[]byte(answer), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, settings{})
				b.fill(t, 1)
				head := "HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Encoding: gzip\r\n\r\n"
				b.server.Inject(mailtest.Reply("FindItem", head+string(tt.body)).Repeating(-1))
				subjects, _, err := b.list(t.Context(), session.Query{})
				if len(subjects) != 0 || (err == nil) != tt.good {
					t.Errorf("Messages = %q, %v; want nothing, and no error: %t", subjects, err, tt.good)
				}
				b.server.Heal()
				if subjects, _, err = b.list(t.Context(), session.Query{}); len(subjects) != 1 || err != nil {
					t.Errorf("afterwards, Messages = %q, %v; want one", subjects, err)
				}
			})
		})
	}
}

// TestParseURL: an address as Exchange's tools print it.
func TestParseURL(t *testing.T) {
	for url, want := range map[string]struct {
		server session.Server
		path   string
	}{
		"https://mail.contoso.com/EWS/Exchange.asmx": {session.Server{Host: "mail.contoso.com"}, "/EWS/Exchange.asmx"},
		"https://mail.contoso.com":                   {session.Server{Host: "mail.contoso.com"}, ews.DefaultPath},
		"http://[::1]:8080/x":                        {session.Server{Host: "::1", Port: 8080, Security: session.None}, "/x"},
	} {
		server, path, err := ews.ParseURL(url)
		if err != nil || server.Host != want.server.Host || server.Port != want.server.Port || server.Security != want.server.Security || path != want.path {
			t.Errorf("ParseURL(%q) = %s:%d %v %s, %v", url, server.Host, server.Port, server.Security, path, err)
		}
	}
	for _, url := range []string{"", "mail.contoso.com", "ftp://mail.contoso.com/", "https://ann:horse@mail.contoso.com/", "https:///x", "https://mail.contoso.com/?a=b", "https://a b/"} {
		if _, _, err := ews.ParseURL(url); err == nil {
			t.Errorf("ParseURL(%q): no error", url)
		} else if errors.Is(err, errors.ErrUnsupported) || bytes.Contains([]byte(err.Error()), []byte("horse")) {
			t.Errorf("ParseURL(%q): %v", url, err)
		}
	}
}
