package oauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
)

// vendorCase is what a vendor answers to a refresh and what has to come of it.
type vendorCase struct {
	class    string
	code     string // error
	suberror string
	numbers  []int
	kind     oauth.Kind
	reason   oauth.Reason
	remedy   string // a part of it
}

// entraCases are the classes of Microsoft's numbers, each number with the error
// it usually comes with.
func entraCases() []vendorCase {
	return []vendorCase{
		{"expired", "invalid_grant", "", []int{70008, 700082, 700084, 50089}, oauth.KindExpired, oauth.ReasonExpired, "sign in"},
		{"sign-in frequency", "invalid_grant", "token_expired", []int{70043}, oauth.KindExpired, oauth.ReasonExpired, "frequency"},
		{"revoked", "invalid_grant", "", []int{50173, 50132, 50133}, oauth.KindRevoked, oauth.ReasonRevoked, "password"},
		{"revoked", "invalid_grant", "bad_token", []int{70000, 50085}, oauth.KindRevoked, oauth.ReasonRevoked, "sign in again"},
		{"interaction", "interaction_required", "", []int{50072, 50074, 50076, 50078, 50079, 50158, 700020, 16000, 50058}, oauth.KindInteraction, oauth.ReasonInteraction, "sign in again"},
		{"interaction", "invalid_grant", "basic_action", []int{50076, 50079}, oauth.KindInteraction, oauth.ReasonInteraction, "second factor"},
		{"consent", "invalid_grant", "consent_required", []int{65001, 65004, 90008, 65005, 650057}, oauth.KindConsent, oauth.ReasonConsent, "consent"},
		{"consent", "consent_required", "", []int{65001}, oauth.KindConsent, oauth.ReasonConsent, "consent"},
		{"admin consent", "consent_required", "", []int{90094, 90095}, oauth.KindConsent, oauth.ReasonAdminConsent, "administrator"},
		{"policy", "access_denied", "", []int{53000, 53001, 53002, 53003, 530032, 530035, 50105, 50131, 50005}, oauth.KindPolicy, oauth.ReasonPolicy, "administrator"},
		{"policy", "invalid_grant", "protection_policy_required", []int{53003}, oauth.KindPolicy, oauth.ReasonPolicy, "administrator"},
		{"policy, and nothing but the number says so", "invalid_grant", "", []int{53000, 53001, 53002, 53003, 530032, 530035, 50105, 50131, 50005}, oauth.KindInteraction, oauth.ReasonPolicy, "administrator"},
		{"interaction, and nothing but the number says so", "invalid_grant", "", []int{50072, 50074, 50076, 50078, 50079, 50158, 700020, 16000, 50058}, oauth.KindInteraction, oauth.ReasonInteraction, "sign in again"},
		{"consent, and nothing but the number says so", "invalid_grant", "", []int{65001, 65004, 90008, 65005, 650057}, oauth.KindConsent, oauth.ReasonConsent, "consent"},
		{"admin consent, and nothing but the number says so", "invalid_grant", "", []int{90094, 90095}, oauth.KindConsent, oauth.ReasonAdminConsent, "administrator"},
		{"revoked, whatever the number says", "invalid_grant", "bad_token", []int{999999}, oauth.KindRevoked, oauth.ReasonUnknown, "sign in again"},
		{"account", "invalid_grant", "", []int{50034, 50020, 51004, 50053, 50055, 50144, 50057}, oauth.KindInteraction, oauth.ReasonAccount, ""},
		{"account", "invalid_grant", "user_password_expired", []int{50055, 50144}, oauth.KindInteraction, oauth.ReasonAccount, "password"},
		{"client secret", "invalid_client", "", []int{7000215, 7000222, 70002, 7000218, 700025, 700027, 50012}, oauth.KindClientConfig, oauth.ReasonClient, ""},
		{"client assertion", "invalid_client", "", []int{700021, 700024, 50027, 700023}, oauth.KindClientConfig, oauth.ReasonClient, "assertion"},
		{"client assertion", "invalid_request", "", []int{50013}, oauth.KindClientConfig, oauth.ReasonClient, "used before"},
		{"federated credential", "invalid_client", "", []int{70021, 700211, 700212, 700213}, oauth.KindClientConfig, oauth.ReasonClient, "federated credential"},
		{"clock", "invalid_client", "", []int{700024}, oauth.KindClientConfig, oauth.ReasonClient, "clock"},
		{"scope of a program", "invalid_scope", "", []int{1002012}, oauth.KindClientConfig, oauth.ReasonClient, "/.default"},
		{"client", "unauthorized_client", "", []int{700016, 70001, 7000112, 50194}, oauth.KindClientConfig, oauth.ReasonClient, "tenant"},
		{"request", "invalid_request", "", []int{90002, 9002332, 90130, 9001023, 50011, 70004, 500011, 700005, 90038, 900382}, oauth.KindClientConfig, oauth.ReasonClient, ""},
		{"scope", "invalid_scope", "", []int{70011, 700022, 700023}, oauth.KindClientConfig, oauth.ReasonClient, "one resource"},
		{"code", "invalid_grant", "", []int{54005, 501481}, oauth.KindInteraction, oauth.ReasonCode, "start the sign-in again"},
		{"device", "invalid_request", "", []int{70018, 70019, 50134}, oauth.KindClientConfig, oauth.ReasonDevice, "device code"},
		{"transient", "temporarily_unavailable", "", []int{50033, 50087, 90006, 90012, 90024, 90033, 90055, 90090, 70012, 80002}, oauth.KindTemporary, oauth.ReasonBusy, "later"},
		{"loop", "invalid_request", "", []int{50196}, oauth.KindClientConfig, oauth.ReasonLoop, "loop"},
		{"our fault", "invalid_request", "", []int{900144, 9002313}, oauth.KindClientConfig, oauth.ReasonLoop, "parameters"},
		{"a number nobody knows", "invalid_grant", "", []int{999999}, oauth.KindRevoked, oauth.ReasonUnknown, "sign in again"},
		{"a number nobody knows", "interaction_required", "", []int{999999}, oauth.KindInteraction, oauth.ReasonUnknown, "sign in again"},
	}
}

// TestMicrosoftsErrors goes through all classes of Microsoft's errors: what a
// program does follows from error and suberror, the number explains, and what is
// not the grant's fault leaves it good.
func TestMicrosoftsErrors(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.Retry.On = oauth.RetryNever
		source := b.signIn().For("")
		for _, tt := range entraCases() {
			for _, number := range tt.numbers {
				name := fmt.Sprintf("%s %d", tt.class, number)
				let(2 * time.Hour)
				b.srv.Inject(oauthtest.TokenPath, oauthtest.Entra(number, tt.code, tt.suberror, "Something about tenant T."))
				_, err := source.Token(b.t.Context())
				e := b.failed(err, tt.kind)
				if e.Reason() != tt.reason || !strings.Contains(e.Remedy(), tt.remedy) || !strings.HasSuffix(e.Error(), "; "+e.Remedy()) {
					b.t.Errorf("%s: reason %v, text %q; want %v and a remedy with %q", name, e.Reason(), e.Error(), tt.reason, tt.remedy)
				}
				if want := fmt.Sprint("AADSTS", number); e.VendorCode != want || e.Code != tt.code || e.Suberror != tt.suberror || e.CorrelationID != oauthtest.FaultCorrelationID {
					b.t.Errorf("%s: %q, %q, %q, %q; want %s, %s, %s, %s", name, e.VendorCode, e.Code, e.Suberror, e.CorrelationID,
						want, tt.code, tt.suberror, oauthtest.FaultCorrelationID)
				}
				if want := fmt.Sprint("https://login.microsoftonline.com/error?code=", number); e.Page() != want {
					b.t.Errorf("%s: page %q, want %q", name, e.Page(), want)
				}
				lasting := []oauth.Kind{oauth.KindExpired, oauth.KindRevoked, oauth.KindConsent, oauth.KindInteraction}
				if got, want := oauth.NeedsSignIn(err), slices.Contains(lasting, tt.kind); got != want {
					b.t.Errorf("%s: NeedsSignIn = %t, want %t", name, got, want)
				}
				let(2 * time.Minute) // until the refusal is forgotten
				b.token(source)      // the refresh token was kept
			}
		}
	})
}

// TestExpiredAndRevokedAreToldApart: whatever the server says, a grant that has
// expired is not called revoked, and the reverse.
func TestExpiredAndRevokedAreToldApart(t *testing.T) {
	for _, tt := range []struct {
		name           string
		fault          oauthtest.Fault
		life           time.Duration // of refresh tokens
		kind           oauth.Kind
		reason         oauth.Reason
		says, saysNone string
	}{
		{"suberror", oauthtest.Entra(70043, "invalid_grant", "token_expired", "x"), 0, oauth.KindExpired, oauth.ReasonExpired, "frequency", "revoked"},
		{"number", oauthtest.Entra(700082, "invalid_grant", "", "x"), 0, oauth.KindExpired, oauth.ReasonExpired, "90 days", "revoked"},
		{"password", oauthtest.Entra(50173, "invalid_grant", "", "x"), 0, oauth.KindRevoked, oauth.ReasonRevoked, "password", "expired"},
		{"known end", oauthtest.Fault{Error: "invalid_grant"}, 24 * time.Hour, oauth.KindExpired, oauth.ReasonUnknown, "has expired", "revoked"},
		{"before the known end", oauthtest.Fault{Error: "invalid_grant"}, 48 * time.Hour, oauth.KindRevoked, oauth.ReasonUnknown, "revoked", "has expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{RefreshLifetime: tt.life}, func(b *bed) {
				source := b.signIn().For("")
				let(25 * time.Hour)
				b.srv.Inject(oauthtest.TokenPath, tt.fault)
				_, err := source.Token(b.t.Context())
				e := b.failed(err, tt.kind)
				if e.Reason() != tt.reason || !strings.Contains(e.Remedy(), tt.says) || strings.Contains(e.Remedy(), tt.saysNone) {
					b.t.Errorf("reason %v, remedy %q; want %v, %q in it and not %q", e.Reason(), e.Remedy(), tt.reason, tt.says, tt.saysNone)
				}
			})
		})
	}
}

// TestGooglesErrors goes through what Google's server says. It is told by its
// host.
func TestGooglesErrors(t *testing.T) {
	for _, tt := range []struct {
		code, subtype, text string
		kind                oauth.Kind
		reason              oauth.Reason
		remedy              string
	}{
		{"invalid_grant", "", "Token has been expired or revoked.", oauth.KindRevoked, oauth.ReasonUnknown, "Testing"},
		{"invalid_grant", "invalid_rapt", "reauth related error (invalid_rapt)", oauth.KindInteraction, oauth.ReasonInteraction, "session length"},
		{"invalid_grant", "", "Bad Request", oauth.KindRevoked, oauth.ReasonUnknown, "check the ClientID"},
		{"invalid_grant", "", "Malformed auth code.", oauth.KindInteraction, oauth.ReasonCode, "code was used before"},
		{"invalid_grant", "", "Invalid JWT Signature.", oauth.KindInteraction, oauth.ReasonClient, "key"},
		{"invalid_grant", "", "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe.", oauth.KindInteraction, oauth.ReasonClient, "clock"},
		{"invalid_grant", "", "Invalid email or User ID", oauth.KindInteraction, oauth.ReasonAccount, "no such user"},
		{
			"unauthorized_client", "",
			"Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
			oauth.KindClientConfig, oauth.ReasonClient, "delegation",
		},
		{"invalid_client", "", "The OAuth client was not found.", oauth.KindClientConfig, oauth.ReasonUnknown, "the grant is kept"},
	} {
		inBubble(t, oauthtest.Options{}, func(b *bed) {
			source := b.signIn().For("")
			grant := b.behind("https://oauth2.googleapis.com/token", oauthtest.Google(tt.code, tt.subtype, tt.text))
			_, err := grant.For("").Token(b.t.Context())
			e := b.failed(err, tt.kind)
			if e.Reason() != tt.reason || !strings.Contains(e.Remedy(), tt.remedy) || !strings.HasPrefix(e.Page(), "https://developers.google.com/") {
				b.t.Errorf("%s %q: reason %v, remedy %q, page %q; want %v and %q", tt.code, tt.text, e.Reason(), e.Remedy(), e.Page(), tt.reason, tt.remedy)
			}
			b.token(source)
		})
	}
}

// behind returns a grant of a server with that token URL, which answers with
// the fault.
func (b *bed) behind(tokenURL string, fault oauthtest.Fault) *oauth.Grant {
	b.t.Helper()
	cfg := *b.cfg
	cfg.Endpoint.TokenURL = tokenURL
	cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		b.srv.Inject(oauthtest.TokenPath, fault)
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(b.srv.URL(), "http://")
		return b.srv.Client().Transport.RoundTrip(r)
	})}
	issued, err := b.srv.Issue(oauthtest.DefaultEmail, mailScope)
	if err != nil {
		b.t.Fatalf("Issue: %v", err)
	}
	grant, err := oauth.Pinned(b.t.Context(), &cfg, oauth.PinValue(issued.Refresh), nil)
	if err != nil {
		b.t.Fatalf("Pinned: %v", err)
	}
	return grant
}

// TestRetryIsSettable: nothing is tried again, or what has a listed status, as
// often and as slowly as the Config says, and never past the context.
func TestRetryIsSettable(t *testing.T) {
	busy, down := oauthtest.Fault{Status: 503}, oauthtest.Fault{Status: 500}
	gateway := oauthtest.Fault{Status: 504}
	asks := oauthtest.Fault{Status: 429, Header: http.Header{"Retry-After": {"50"}}}
	for _, tt := range []struct {
		name     string
		retry    oauth.Retry
		fault    oauthtest.Fault
		requests int
		waited   time.Duration
	}{
		{"as it is", oauth.Retry{}, down, 6, 15500 * time.Millisecond},
		{"none", oauth.Retry{On: oauth.RetryNever}, busy, 1, 0},
		{"a negative count", oauth.Retry{Count: -1}, busy, 1, 0},
		{"by status, listed by itself", oauth.Retry{On: oauth.RetryStatus}, busy, 6, 15500 * time.Millisecond},
		{"by status, not listed", oauth.Retry{On: oauth.RetryStatus}, down, 1, 0},
		{"by status, listed", oauth.Retry{On: oauth.RetryStatus, Statuses: []int{500}, Count: 2}, down, 3, 1500 * time.Millisecond},
		{"slower", oauth.Retry{Count: 3, Initial: time.Second, Factor: 3, Max: 5 * time.Second}, busy, 4, 9 * time.Second},
		{"the server asks for more", oauth.Retry{Count: 1, Initial: time.Second}, asks, 2, 50 * time.Second},
		{"not past the context", oauth.Retry{Initial: time.Hour, Max: time.Hour}, busy, 1, 0},
		{"never what was lost", oauth.Retry{On: oauth.RetryStatus, Statuses: []int{504}}, gateway, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateAlways}, func(b *bed) {
				b.cfg.Retry = tt.retry
				source := b.signIn().For("")
				let(2 * time.Hour)
				for range 10 {
					b.srv.Inject(oauthtest.TokenPath, tt.fault)
				}
				start := time.Now()
				_, err := source.Token(b.t.Context())
				if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Status != tt.fault.Status {
					b.t.Errorf("Token = %v, want an error with status %d", err, tt.fault.Status)
				}
				if got := time.Since(start); b.refreshes() != tt.requests || got < tt.waited || got > tt.waited+tt.waited/4 {
					b.t.Errorf("%d requests in %v, want %d in %v", b.refreshes(), got, tt.requests, tt.waited)
				}
			})
		})
	}
}
