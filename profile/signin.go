package profile

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/state"
)

// openTokenFile takes what a set leaves out from its token file.
func openTokenFile(p *Parameters, path string) error {
	if p.TokenFile.IsZero() {
		return nil
	}
	content := p.TokenFile.literal.Reveal()
	for _, f := range []struct {
		name string
		take func(secret.Text)
		set  bool
		need bool
	}{
		{"client_id", func(t secret.Text) { p.ClientID = String(t.Reveal()) }, p.ClientID != "", true},
		{"client_secret", func(t secret.Text) { p.ClientSecret = Literal(t) }, !p.ClientSecret.IsZero(), false},
		{"refresh_token", func(t secret.Text) { p.RefreshToken = Literal(t) }, !p.RefreshToken.IsZero(), false},
	} {
		if f.set || f.name == "refresh_token" && p.Flow != "" && p.Flow != FlowPinned {
			continue
		}
		value, err := property(content, f.name)
		if err != nil && f.need {
			return &InvalidError{Mistakes: []Mistake{{Path: path + "/tokenFile", Reason: err.Error(), Fix: "write it, or give the field of its own"}}}
		}
		if err == nil {
			f.take(value)
		}
	}
	return nil
}

// pin is the refresh token of a pinned set, read anew each time.
func (b *builder) pin() oauth.Pin {
	field, original := b.original.RefreshToken, "/refreshToken"
	name := ""
	if field.IsZero() {
		field, original, name = b.original.TokenFile, "/tokenFile", "refresh_token"
	}
	if field.reference == "" && name == "" {
		return oauth.PinValue(field.literal)
	}
	path := setPath(b.plan.Name) + original
	return oauth.PinFunc(func(ctx context.Context) (secret.Text, error) {
		value := field.literal
		if field.reference != "" {
			var err error
			if value, err = b.opts.lookup(ctx, path, field.reference); err != nil {
				return value, err
			}
		}
		if name == "" {
			return value, nil
		}
		return property(value.Reveal(), name)
	})
}

// keep is where a sign-in is kept.
func (b *builder) keep() *oauth.Keep {
	k := &oauth.Keep{Store: b.store, Key: "grant/" + recordName(b.plan.Name), Provider: b.provider.ID}
	if b.plan.Flow == FlowPinned {
		k.Key = "pin/" + recordName(b.plan.Name)
	}
	if s := b.p.Store; s != nil {
		k.Key = string(orDefault(s.Key, String(k.Key)))
		k.NoAccessTokens = s.NoAccessTokens == Yes
	}
	return k
}

// recordName is the name of a set as a segment of a key: what a key may not hold
// is written in hexadecimal digits behind "=".
func recordName(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		r := string(rune(c))
		plain := c < 0x80 && c != '=' && state.CheckKey("a"+r) == nil && c != '/'
		if plain && (c != '.' || b.Len() > 0) {
			b.WriteByte(c)
			continue
		}
		b.WriteString("=" + hex.EncodeToString([]byte{c}))
	}
	if key := b.String(); len(key) <= 150 {
		return key
	}
	return "=" + digest(name)
}

// grant opens the sign-in of a person, or of a pin.
func (b *builder) grant(ctx context.Context) (*oauth.Grant, error) {
	if b.plan.Flow == FlowPinned {
		return oauth.Pinned(ctx, b.plan.OAuth, b.pin(), &oauth.PinOptions{Keep: b.keep(), AllowOtherUser: b.opts.AllowOtherUser})
	}
	g, err := oauth.Open(ctx, b.plan.OAuth, *b.keep())
	if errors.Is(err, oauth.ErrNoGrant) {
		err = fmt.Errorf("%w, by File.SignIn", err)
	}
	return g, err
}

// app makes what gets tokens without a person.
func (b *builder) app() (*oauth.App, error) {
	cfg, p := b.plan.OAuth, b.p
	switch b.plan.Flow {
	case FlowClientCredentials:
		return oauth.ClientCredentials(cfg, oauth.ClientSecret(cfg.ClientSecret), nil)
	case FlowCertificate:
		c, err := b.certificate()
		if err != nil {
			return nil, err
		}
		o := &oauth.CertificateOptions{Algorithm: oauth.Algorithm(p.Certificate.Algorithm), SendChain: p.Certificate.SendChain == Yes}
		return oauth.ClientCredentials(cfg, oauth.ClientCertificate(c, o), nil)
	case FlowServiceAccount:
		key, err := oauth.ParseServiceAccountKey([]byte(p.ServiceAccount.Key.literal.Reveal()))
		if err != nil {
			return nil, err
		}
		return oauth.ServiceAccount(cfg, key, string(orDefault(p.Mailbox, p.Account)))
	case FlowManagedIdentity:
		o := &oauth.ManagedIdentityOptions{}
		if m := p.ManagedIdentity; m != nil {
			o.ObjectID, o.ResourceID = string(m.ObjectID), string(m.ResourceID)
		}
		return oauth.ManagedIdentity(cfg, o)
	case FlowExternal:
		return b.external()
	default:
	}
	return nil, fmt.Errorf("the flow %s has no tokens", b.plan.Flow)
}

// certificate reads PEM, or a PFX file where the program can.
func (b *builder) certificate() (*oauth.Certificate, error) {
	content := []byte(b.p.Certificate.Content.literal.Reveal())
	if strings.Contains(string(content), "-----BEGIN ") {
		return oauth.ParseCertificate(content)
	}
	if b.opts.ParsePFX == nil {
		return nil, fmt.Errorf("certificate/content is not PEM, and Options.ParsePFX, which would read a PFX file, is not set: %w", errors.ErrUnsupported)
	}
	return b.opts.ParsePFX(content, b.p.Certificate.Password.literal)
}

// external takes tokens that somebody else looks after.
func (b *builder) external() (*oauth.App, error) {
	e := b.p.External
	cfg := &oauth.Config{HTTPClient: b.client, Proxy: b.proxy, Logger: b.opts.Logger}
	if b.opts.Observer != nil {
		cfg.Observer = b.opts.Observer
	}
	if e.URL != "" {
		header := http.Header{}
		for name, value := range e.Header {
			header.Set(name, value.literal.Reveal())
		}
		return oauth.External(cfg, oauth.FromURL(string(e.URL), func(context.Context) (http.Header, error) { return header, nil }))
	}
	path := setPath(b.plan.Name) + "/external/token"
	return oauth.External(cfg, oauth.FromFunc(func(ctx context.Context, resource string) (*oauth.Token, error) {
		if e.Token.reference == "" {
			return &oauth.Token{AccessToken: e.Token.literal, Type: "Bearer"}, nil
		}
		text, err := b.opts.lookup(ctx, path, strings.ReplaceAll(e.Token.reference, "{resource}", resource))
		if err != nil {
			return nil, err
		}
		return tokenIn(text, time.Now())
	}))
}

// tokenIn reads a token, or a JSON object with one.
func tokenIn(text secret.Text, now time.Time) (*oauth.Token, error) {
	t := &oauth.Token{AccessToken: text, Type: "Bearer", Issued: now}
	if !strings.HasPrefix(strings.TrimSpace(text.Reveal()), "{") {
		return t, nil
	}
	var answer struct {
		AccessToken string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"`
	}
	// The cause may quote a value.
	if json.Unmarshal([]byte(text.Reveal()), &answer) != nil || answer.AccessToken == "" {
		return nil, errors.New("what the reference gives begins like JSON and is not an object with an access_token")
	}
	t.AccessToken = secret.New(answer.AccessToken)
	if seconds, err := answer.ExpiresIn.Float64(); err == nil && seconds > 0 && seconds < 1e9 {
		t.Expiry = now.Add(time.Duration(seconds * float64(time.Second)))
	}
	return t, nil
}

// SignIn has a person sign in, by the set's flow, and keeps that for Open: in
// Options.Store, in the set's store, or else for as long as the File lives. Only
// FlowPKCE and FlowDevice have a person; the error of other flows wraps
// [errors.ErrUnsupported].
func (f *File) SignIn(ctx context.Context, name string, overrides ...Override) (*oauth.Grant, error) {
	b, err := f.build(ctx, name, overrides)
	if err != nil {
		return nil, err
	}
	var grant *oauth.Grant
	switch b.plan.Flow {
	case FlowPKCE:
		o := oauth.SignInOptions{}
		if f.opts.Browser != nil {
			o = *f.opts.Browser
		}
		o.Keep = b.keep()
		o.LoginHint = string(orDefault(String(o.LoginHint), b.p.Account))
		grant, err = oauth.SignIn(ctx, b.plan.OAuth, &o)
	case FlowDevice:
		o := oauth.DeviceOptions{}
		if f.opts.Device != nil {
			o = *f.opts.Device
		}
		o.Keep = b.keep()
		grant, err = oauth.SignInDevice(ctx, b.plan.OAuth, &o)
	default:
		err = fmt.Errorf("the flow %s has no person who signs in: %w", b.plan.Flow, errors.ErrUnsupported)
	}
	if err != nil {
		return nil, fmt.Errorf("profile: sign in with set %q: %w", name, err)
	}
	return grant, nil
}
