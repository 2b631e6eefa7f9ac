package lookup

import (
	"context"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
)

// Issuer returns the provider that an authorization server stands for, from its
// metadata; see oauth.Discover and preset.FromMetadata. Its mail servers are for
// the program to set, from Find or by hand. The options may be nil.
func Issuer(ctx context.Context, issuer string, o *oauth.DiscoverOptions) (preset.Provider, error) {
	m, err := oauth.Discover(ctx, issuer, o)
	if err != nil {
		return preset.Provider{}, err
	}
	return preset.FromMetadata(m, time.Now()), nil
}
