package ews

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/session"
)

// ask asks at an address of the web, and whoever it sends to. Reached says that the
// host was there.
func (d *discoverer) ask(ctx context.Context, way DiscoveryWay, target string) (t told, reached bool) {
	for {
		since := time.Now()
		reply, err := d.fetch(ctx, way, target)
		reached = reached || err == nil || session.NeedsSignIn(err)
		if err == nil {
			t, err = reply.told(way)
		}
		if err == nil {
			err = d.accept(ctx, way, target, &t)
		}
		d.note(ctx, way, target, since, err)
		if err != nil {
			return told{}, reached
		}
		if t.next == "" {
			return t, true
		}
		target = t.next
	}
}

// accept decides whether an answer may be followed.
func (d *discoverer) accept(ctx context.Context, way DiscoveryWay, from string, t *told) error {
	if t.service == "" {
		if d.referrals++; d.referrals > maxReferrals {
			*t = told{}
			return fmt.Errorf("it leads on, as %d answers did before", maxReferrals)
		}
	}
	if t.mailbox != "" {
		return nil // the hosts of its domain are looked at before they are asked
	}
	u, err := url.Parse(cmp.Or(t.service, t.next))
	if err != nil || u.Hostname() == "" || u.User != nil {
		return errors.New("it leads to what is no address of the web")
	}
	if u.Scheme != "https" {
		return fmt.Errorf("it leads to %s by %q, where no credentials go", d.mask(u.Host), d.mask(u.Scheme))
	}
	if t.service != "" {
		if _, _, err := ParseURL(t.service); err != nil {
			_, _, shown := ParseURL(d.mask(t.service))
			return cmp.Or(shown, errors.New("it leads to what is no address of EWS"))
		}
	}
	origin, err := url.Parse(from)
	secure := err == nil && origin.Scheme == "https"
	if !d.trust(ctx, Referral{Host: strings.ToLower(u.Host), From: from, By: way, Secure: secure, Service: t.service != ""}) {
		return &unnamedError{d.mask(hostOf(u.Host))}
	}
	return nil
}

// reply is an answer of the web.
type reply struct {
	status  int
	header  http.Header
	body    []byte
	secrets backend.Secrets // which the host may repeat
}

// told reads an answer.
func (r *reply) told(way DiscoveryWay) (told, error) {
	switch location := r.header.Get("Location"); {
	case r.status/100 == 3 && location != "":
		return told{next: location}, nil
	case r.status == http.StatusOK, way == ByJSON && r.status/100 == 4, way == BySOAP && r.status == http.StatusInternalServerError:
		t, err := way.read(r.body)
		if err != nil {
			t, err = told{}, r.complaint(way, err)
		}
		if err != nil && r.status != http.StatusOK {
			err = fmt.Errorf("HTTP %d: %w", r.status, err)
		}
		return t, err
	}
	return told{}, fmt.Errorf("server answered HTTP %d %s", r.status, http.StatusText(r.status))
}

// complaint returns what is wrong with an answer, in words without secrets. Where the
// answer leads is read as it stands: a password may be a word that is part of it.
func (r *reply) complaint(way DiscoveryWay, err error) error {
	said := string(r.body)
	shown := masked(said, slices.Clone(r.secrets))
	if shown == said {
		return err
	}
	if _, err := way.read([]byte(shown)); err != nil {
		return err
	}
	return errors.New("the answer names no EWS")
}

// fetch makes a request, and signs in where the host wants that.
func (d *discoverer) fetch(ctx context.Context, way DiscoveryWay, target string) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.opts.Timeout, DefaultDiscoverTimeout))
	defer cancel()
	transport := d.transport()
	defer transport.CloseIdleConnections()
	r, err := d.send(ctx, transport, way, target)
	if err != nil || r.status != http.StatusUnauthorized || way == ByJSON {
		return r, err
	}
	return d.signedIn(ctx, transport, way, target, schemesOf(r.header))
}

// transport makes connections, one at a time: NTLM signs in a connection.
func (d *discoverer) transport() *http.Transport {
	return &http.Transport{
		DialContext: d.opts.Dial, TLSClientConfig: overHTTP1(d.opts.TLS.Clone()),
		TLSNextProto:    map[string]func(string, *tls.Conn) http.RoundTripper{}, // no HTTP/2
		MaxConnsPerHost: 1, MaxResponseHeaderBytes: maxRefusal,
	}
}

// send makes one request. Redirects are not followed.
func (d *discoverer) send(ctx context.Context, trip http.RoundTripper, way DiscoveryWay, target string) (*reply, error) {
	method, body := http.MethodGet, d.request(way, target)
	if body != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the address: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "text/xml; charset=utf-8")
		req.Header.Set("X-AnchorMailbox", d.address)
	}
	req.Header.Set("User-Agent", cmp.Or(d.opts.UserAgent, "mailsession"))
	resp, err := trip.RoundTrip(req)
	if err != nil {
		return nil, err //nolint:wrapcheck // the report says which host it is about
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(io.LimitReader(resp.Body, maxDiscovery+1))
	if err == nil && len(all) > maxDiscovery {
		err = fmt.Errorf("the answer has more than %d bytes", maxDiscovery)
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // the report says which host it is about
	}
	return &reply{status: resp.StatusCode, header: resp.Header, body: all, secrets: d.secrets}, nil
}

// maxRefusals is how many hosts may refuse the credentials before no other one is
// shown them. Accounts are locked after some more.
const maxRefusals = 2

// signedIn makes a request in the name of the user.
func (d *discoverer) signedIn(ctx context.Context, base *http.Transport, way DiscoveryWay, target string, offered []string) (*reply, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "https" {
		return nil, errors.New("it wants credentials, which go nowhere but by https")
	}
	c := d.opts.Credentials
	if c.Password.IsZero() && c.Passwords == nil && c.Tokens == nil {
		return nil, errors.New("it wants credentials; set DiscoverOptions.Credentials")
	}
	host := hostOf(u.Host)
	if d.refused[host] || len(d.refused) >= maxRefusals {
		return nil, errors.New("it wants the credentials that were refused already")
	}
	server := session.Server{Host: u.Hostname(), Port: 443, Resource: d.opts.Resource}
	if p := u.Port(); p != "" {
		if server.Port, err = strconv.Atoi(p); err != nil {
			return nil, fmt.Errorf("the port: %w", err)
		}
	}
	login := backend.Login[*reply]{Refused: refusedSignIn, Remedy: remedy, Attempt: func(ctx context.Context, creds sasl.Credentials) (*reply, error) {
		name, trip, err := d.way(base, creds, offered)
		if err != nil {
			return nil, err
		}
		r, err := d.send(ctx, trip, way, target)
		if err == nil && r.status == http.StatusUnauthorized {
			refused := &Error{Server: d.mask(u.Host), Op: "Autodiscover", Status: r.status}
			if name == NTLM {
				refused.hint = checkNames(c) + "; where both are right, " + doubts(trip, true)
			}
			err = &sasl.Error{Mechanism: name, Err: refused}
		}
		return r, err
	}}
	r, err := login.Connect(ctx, c, server, net.JoinHostPort(server.Host, strconv.Itoa(server.Port)))
	if e, ok := errors.AsType[*session.AuthError](err); ok && !d.own(host) {
		e.Server = d.mask(e.Server) // an answer led there
	}
	if session.NeedsSignIn(err) {
		d.refused[host] = true
		d.refusal = cmp.Or(d.refusal, err)
	}
	return r, err
}

// overTransport is the route of a handshake of discovery, which is one for each request.
type overTransport struct{ *http.Transport }

func (overTransport) line() int { return 0 }

func (t overTransport) leave() { t.CloseIdleConnections() }

// way returns how to sign in: by what the host offers, and nothing else.
func (d *discoverer) way(base *http.Transport, creds sasl.Credentials, offered []string) (string, http.RoundTripper, error) {
	offers := func(name string) bool {
		return slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, name) })
	}
	d.secrets = append(d.secrets, secretsOf(creds)...)
	user := signsInAs(creds)
	switch {
	case !creds.Token.IsZero():
		if offers(Bearer) {
			return Bearer, authorization{"Bearer " + creds.Token.Reveal(), base}, nil
		}
	case offers(Basic) && !strings.Contains(user, ":"):
		plain := base64.StdEncoding.EncodeToString([]byte(user + ":" + creds.Password.Reveal()))
		return Basic, authorization{"Basic " + plain, base}, nil
	case offers(NTLM), offers(negotiate):
		h := &handshake{
			user: user, password: creds.Password.Reveal(), base: overTransport{base}, known: new(customs), unbound: d.opts.NoChannelBinding,
			learn: func(sent string) { d.secrets = append(d.secrets, sent) },
		}
		h.known.negotiate.Store(!offers(NTLM))
		return NTLM, h, nil
	}
	return "", nil, fmt.Errorf("it offers to sign in by %s, which does not go with the credentials", oneLine(d.mask(strings.Join(offered, ", "))))
}

// redirect asks by plain http, without credentials, who knows.
func (d *discoverer) redirect(ctx context.Context, host string) (DiscoveryWay, told) {
	target := "http://" + host + "/autodiscover/autodiscover.xml"
	since := time.Now()
	r, err := d.fetch(ctx, ByRedirect, target)
	t := told{}
	switch {
	case err != nil:
	case r.status/100 != 3 || r.header.Get("Location") == "":
		err = fmt.Errorf("server answered HTTP %d, and does not redirect", r.status)
	default:
		t.next = r.header.Get("Location")
		err = d.accept(ctx, ByRedirect, target, &t)
	}
	d.note(ctx, ByRedirect, target, since, err)
	if err != nil {
		return "", told{}
	}
	next, err := url.Parse(t.next)
	if err != nil {
		return "", told{}
	}
	if way, t := d.host(ctx, next.Host); t != (told{}) {
		return way, t
	}
	t, _ = d.ask(ctx, ByPOX, next.String())
	return ByPOX, t
}

// srv asks those whom the domain's SRV record names.
func (d *discoverer) srv(ctx context.Context) (DiscoveryWay, told) {
	var resolver SRVResolver = net.DefaultResolver
	if d.opts.Resolver != nil {
		resolver = d.opts.Resolver
	}
	name := "_autodiscover._tcp." + d.domain
	since := time.Now()
	inner, cancel := context.WithTimeout(ctx, cmp.Or(d.opts.Timeout, DefaultDiscoverTimeout))
	_, records, err := resolver.LookupSRV(inner, "autodiscover", "tcp", d.domain)
	cancel()
	d.note(ctx, BySRV, name, since, err)
	if err != nil {
		return "", told{}
	}
	for _, r := range records[:min(len(records), maxReferrals)] {
		host := strings.ToLower(strings.TrimSuffix(r.Target, "."))
		if host == "" {
			continue // "." says that there is none (RFC 2782)
		}
		if r.Port != 443 {
			host = net.JoinHostPort(host, strconv.Itoa(int(r.Port)))
		}
		if !d.trust(ctx, Referral{Host: host, From: name, By: BySRV}) {
			d.note(ctx, BySRV, host, time.Now(), &unnamedError{hostOf(host)})
			continue
		}
		if way, t := d.host(ctx, host); t != (told{}) {
			return way, t
		}
	}
	return "", told{}
}

// path looks whether EWS is at the usual path. Nobody signs in to it, and it says how
// one could.
func (d *discoverer) path(ctx context.Context, host string) told {
	target := (&url.URL{Scheme: "https", Host: host, Path: DefaultPath}).String()
	since := time.Now()
	inner, cancel := context.WithTimeout(ctx, cmp.Or(d.opts.Timeout, DefaultDiscoverTimeout))
	defer cancel()
	transport := d.transport()
	defer transport.CloseIdleConnections()
	r, err := d.send(inner, transport, ByPath, target)
	if err == nil && r.status != http.StatusUnauthorized {
		err = fmt.Errorf("server answered HTTP %d, where EWS would ask to sign in", r.status)
	}
	d.note(ctx, ByPath, target, since, err)
	if err != nil {
		return told{}
	}
	return told{service: target}
}
