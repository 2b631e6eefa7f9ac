package profile

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// settings makes what both sides and the requests for tokens share.
func (b *builder) settings() error {
	p := b.p
	var err error
	if b.tls, err = tlsOf(p.TLS); err != nil {
		return err
	}
	if x := p.Proxy; x != nil {
		b.proxy = &proxy.Config{URL: string(x.URL), Environment: x.Environment == Yes, User: string(x.User), Password: x.Password.literal}
		if err := b.proxy.Check(); err != nil {
			return err
		}
	}
	b.retry = retryOf(p.Retry)
	b.plan.Mode = modeOf(p.Mode)
	if out := p.Outgoing; out != nil {
		b.plan.SaveSent = map[SaveSent]session.SentPolicy{SaveNever: session.SentNever, SaveAlways: session.SentAlways, SaveAuto: session.SentAuto}[out.SaveSent]
	}
	if b.client, err = b.httpClient(b.tls); err != nil {
		return err
	}
	b.store, err = b.storeOf(p.Store)
	return err
}

// storeOf returns where sign-ins are kept.
func (b *builder) storeOf(s *Store) (state.Store, error) {
	switch {
	case b.opts.Store != nil:
		return b.opts.Store, nil
	case s != nil && s.Dir != "":
		return state.OpenDir(string(s.Dir))
	}
	b.file.memory.Do(func() { b.file.store = state.NewMemory() })
	return b.file.store, nil
}

// httpClient returns the way to authorization servers.
func (b *builder) httpClient(settings *tls.Config) (*http.Client, error) {
	if settings == nil {
		return b.opts.HTTPClient, nil
	}
	client := http.Client{}
	if b.opts.HTTPClient != nil {
		client = *b.opts.HTTPClient
	}
	transport, err := transportOf(&client)
	if err != nil {
		return nil, err
	}
	transport.TLSClientConfig = settings.Clone()
	transport.TLSClientConfig.ServerName = "" // That is of the mail servers.
	client.Transport = transport
	return &client, nil
}

// serviceClient returns the way to services over HTTPS.
func (b *builder) serviceClient() (*http.Client, error) {
	if b.proxy == nil {
		return cmp.Or(b.client, http.DefaultClient), nil
	}
	client := http.Client{}
	if b.client != nil {
		client = *b.client
	}
	transport, err := transportOf(&client)
	if err != nil {
		return nil, err
	}
	transport.Proxy = nil
	transport.DialContext = b.proxy.Dialer("https", transport.DialContext)
	client.Transport = transport
	return &client, nil
}

// transportOf returns a copy of a client's transport.
func transportOf(client *http.Client) (*http.Transport, error) {
	own := client.Transport
	if own == nil {
		own = http.DefaultTransport
	}
	transport, ok := own.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("TLS settings and proxy cannot be used with the HTTPClient, whose Transport is a %T", own)
	}
	return transport.Clone(), nil
}

// tlsOf returns settings, nil where there are none.
func tlsOf(t *TLSSettings) (*tls.Config, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // no settings are proper ones
	}
	c := &tls.Config{ServerName: string(t.ServerName), MinVersion: tls.VersionTLS12}
	if t.MinVersion == TLS13 {
		c.MinVersion = tls.VersionTLS13
	}
	if t.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, errors.New("tls/ca holds no certificate in PEM; refer to the file: file:/path")
		}
	}
	if t.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.Key.literal.Reveal()))
		if err != nil {
			return nil, errors.New("tls/certificate and tls/key are not a certificate and its key in PEM")
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// retryOf returns what the words stand for; they were looked at before.
func retryOf(r *Retry) oauth.Retry {
	if r == nil {
		return oauth.Retry{}
	}
	result := oauth.Retry{
		On:      map[RetryOn]oauth.RetryOn{RetryNone: oauth.RetryNever, RetryStatus: oauth.RetryStatus}[r.On],
		Count:   intOf(r.Count),
		Initial: durationOf(r.Wait),
		Max:     durationOf(r.MaxWait),
	}
	if r.Count == "0" {
		result.Count = -1
	}
	result.Factor, _ = strconv.ParseFloat(string(r.Factor), 64) // 0 where it is empty.
	for _, s := range r.Statuses {
		result.Statuses = append(result.Statuses, intOf(s))
	}
	return result
}

func intOf(n Number) int {
	i, _ := strconv.Atoi(string(n)) // 0 where it is empty.
	return i
}

func durationOf(d Duration) time.Duration {
	t, _ := time.ParseDuration(string(d)) // 0 where it is empty.
	return t
}
