package profile_test

import (
	"testing"

	"github.com/mailsession/mailsession/profile"
)

// TestPinTheCredentialsOrGiveThem: the credentials are in the set, as a pinned
// refresh token, or the program gives them when it opens the set.
func TestPinTheCredentialsOrGiveThem(t *testing.T) {
	b := newBed(t, nil)
	t.Setenv("MAIL_TOKEN_OF_ANN", b.pin(t, ann))
	f := b.load(t, `"provider": "contoso", "account": "`+ann+`", "clientId": "test-client", "refreshToken": "env:MAIL_TOKEN_OF_ANN"`)
	wantInbox(t, open(t, f), ann)

	given := open(t, f, profile.Override{Credentials: b.password(bob, "battery horse")})
	wantInbox(t, given, bob)
	if given.User() != bob {
		t.Errorf("the session is of %s, want %s", given.User(), bob)
	}
}
