package profile

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/lookup"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// Options are what a program brings along for the sets of its file. The zero
// value works. They must not be changed while they are in use.
type Options struct {
	// Resolvers give what references stand for, by their schemes. Nil means
	// [DefaultResolvers].
	Resolvers map[string]Resolver
	// AllowLiteralSecrets lets a file hold secrets themselves.
	AllowLiteralSecrets bool

	// Providers are known by their names beside those of package preset, before
	// which they come.
	Providers map[string]preset.Provider
	// Incoming and Outgoing make the backends of protocols that are not built in,
	// or replace those that are.
	Incoming map[Protocol]IncomingMaker
	Outgoing map[Protocol]OutgoingMaker
	// Lookup says how the server of a side is found for which neither the set nor
	// its provider names one; see lookup.Find. Nil means the way of the zero
	// options.
	Lookup *lookup.Options
	// Trust is asked about servers that were found by answers which nobody
	// protects, and that a person has to look at before credentials go there. Nil
	// means that those are not used.
	Trust func(ctx context.Context, found *lookup.Result) error

	// Store keeps sign-ins, in place of that of the parameters. Without either
	// they live as long as the File.
	Store state.Store
	// ParsePFX reads certificates that are PFX files: pfx.Parse of package
	// oauth/pfx. Nil means that they are refused.
	ParsePFX func(data []byte, password secret.Text) (*oauth.Certificate, error)
	// Browser and Device are how a person signs in; see [File.SignIn].
	Browser *oauth.SignInOptions
	Device  *oauth.DeviceOptions
	// AllowOtherUser lets a pinned refresh token be replaced by another user's.
	AllowOtherUser bool

	// HTTPClient is used for requests to authorization servers, with the TLS
	// settings and the proxy of the parameters. Its Transport has to be an
	// *http.Transport then, or nil.
	HTTPClient *http.Client
	// Configure, where set, is called with what was made of a set before it is
	// used, and may change it: a transcript, a dial function, a further setting.
	Configure func(name string, p *Plan)
	// Logger and Observer are told what happens. They may be nil.
	Logger   *slog.Logger
	Observer session.Observer
}

// IncomingMaker makes a way in. It does no I/O.
type IncomingMaker func(name string, s Side) (session.IncomingBackend, error)

// OutgoingMaker makes a way out. It does no I/O.
type OutgoingMaker func(name string, s Side) (session.OutgoingBackend, error)

// resolvers returns those in use.
func (o *Options) resolvers() map[string]Resolver {
	if o.Resolvers == nil {
		return DefaultResolvers()
	}
	return o.Resolvers
}

// schemes returns what a reference begins with.
func (o *Options) schemes() schemes { return schemesOf(o.Resolvers) }
