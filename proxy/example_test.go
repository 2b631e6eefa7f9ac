package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// One Config serves the mail servers and the sign-in.
func Example() {
	way := &proxy.Config{
		URL:      "https://proxy.example.net:3129",
		User:     "ann",
		Password: secret.New("correct horse"),
	}
	imap := session.Server{Host: "imap.example.org", Proxy: way}
	smtp := session.Server{Host: "smtp.example.org", Proxy: way}
	signIn := oauth.Config{ClientID: "my-program", Proxy: way}
	fmt.Println(way.Check(), imap.Proxy.URL == smtp.Proxy.URL, signIn.Proxy.Password)
	// Output: <nil> true [redacted]
}

// What a proxy refuses is an error that says what to do.
func ExampleError() {
	// A proxy in memory that wants credentials.
	dial := func(context.Context, string, string) (net.Conn, error) {
		client, server := pipe.New()
		_, err := io.WriteString(server, "HTTP/1.1 407 Who are you?\r\nProxy-Authenticate: Negotiate\r\n\r\n")
		return client, err
	}
	way := &proxy.Config{URL: "http://proxy.example.net:3128"}
	_, err := way.Dialer("mail", dial)(context.Background(), "tcp", "imap.example.org:993")
	if e, ok := errors.AsType[*proxy.Error](err); ok {
		fmt.Println(e.Status, e.Temporary())
		fmt.Println(e.Remedy)
	}
	// Output:
	// 407 false
	// the proxy does not take Basic (Negotiate); give a function Authorization for a scheme that it takes
}
