package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

// noon is when the tokens of these tests are looked at.
func noon() time.Time { return time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC) }

// signature is the part of a token that must be told to nobody.
const signature = "c2VjcmV0LXNpZ25hdHVyZQ"

// jwt returns an access token with claims, as Microsoft makes them, good until
// one o'clock.
func jwt(t *testing.T, change map[string]any) *oauth.Token {
	t.Helper()
	claims := map[string]any{
		"aud": "https://outlook.office.com", "exp": noon().Add(time.Hour).Unix(), "nbf": noon().Add(-time.Minute).Unix(),
		"scp": "IMAP.AccessAsUser.All SMTP.Send", "tid": "t-1", "appid": "app-1", "upn": "ann@contoso.com",
	}
	for name, value := range change {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatalf("claims: %v", err)
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`))
	text := header + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + signature
	return &oauth.Token{AccessToken: secret.New(text), Type: "Bearer", Expiry: noon().Add(time.Hour)}
}

// mailbox is what a program that reads ann's mail expects.
func mailbox() oauth.Expectation {
	return oauth.Expectation{
		Resource: "https://outlook.office.com", Scopes: []string{"https://outlook.office.com/IMAP.AccessAsUser.All"},
		Tenant: "T-1", ClientID: "APP-1", User: "Ann@Contoso.com", Now: noon(),
	}
}

func TestDiagnoseTokens(t *testing.T) {
	app := func(e *oauth.Expectation) { e.Scopes, e.Roles, e.User = nil, []string{"IMAP.AccessAsApp"}, "" }
	for _, tt := range []struct {
		name   string
		claims map[string]any
		change func(*oauth.Expectation)
		code   oauth.FindingCode // "" for none
		says   string
	}{
		{"all is well", nil, nil, "", ""},
		{"expired", map[string]any{"exp": noon().Unix()}, nil, oauth.FindingExpired, "expired on 2026-11-21 12:00 UTC"},
		{"not yet valid", map[string]any{"nbf": noon().Add(time.Hour).Unix()}, nil, oauth.FindingNotYetValid, "clock"},
		{"for Graph", map[string]any{"aud": "https://graph.microsoft.com"}, nil, oauth.FindingAudience, "is for Microsoft Graph (https://graph.microsoft.com), not for Exchange Online"},
		{"for Graph, by number", map[string]any{"aud": "00000003-0000-0000-c000-000000000000"}, nil, oauth.FindingAudience, "is for Microsoft Graph"},
		{"Exchange's other name", map[string]any{"aud": "https://outlook.office365.com/"}, nil, "", ""},
		{"Exchange's number", map[string]any{"aud": "00000002-0000-0ff1-ce00-000000000000"}, nil, "", ""},
		{"several audiences", map[string]any{"aud": []string{"x", "https://outlook.office.com"}}, nil, "", ""},
		{"scope missing", map[string]any{"scp": "SMTP.Send"}, nil, oauth.FindingScope, "lacks https://outlook.office.com/IMAP.AccessAsUser.All; it has SMTP.Send"},
		{"no scope at all", map[string]any{"scp": nil}, nil, oauth.FindingScope, "it has none"},
		{"role", map[string]any{"roles": []string{"IMAP.AccessAsApp"}}, app, "", ""},
		{"role missing", map[string]any{"roles": []string{"Mail.Read"}}, app, oauth.FindingRole, "lacks the application role IMAP.AccessAsApp; it has Mail.Read"},
		{"no roles", nil, app, oauth.FindingRole, "no application role at all"},
		{"nothing at all", map[string]any{"scp": nil}, func(e *oauth.Expectation) { e.Scopes = nil }, oauth.FindingRole, "neither a scope nor an application role"},
		{"nothing at all, elsewhere", map[string]any{"scp": nil, "aud": "https://mail.example.org"}, func(e *oauth.Expectation) { e.Scopes, e.Resource = nil, "" }, "", ""},
		{"tenant", map[string]any{"tid": "t-2"}, nil, oauth.FindingTenant, "tenant t-2, not of T-1"},
		{"client", map[string]any{"appid": nil, "azp": "app-2"}, nil, oauth.FindingClient, "client app-2"},
		{"user", map[string]any{"upn": "bob@contoso.com"}, nil, oauth.FindingUser, "of bob@contoso.com, and the mailbox is Ann@Contoso.com"},
		{"no user", map[string]any{"upn": nil}, nil, "", ""},
		{"a claim that paints", map[string]any{"aud": "\x1b[2Jhttps://evil\r\n.example"}, nil, oauth.FindingAudience, "is for [2Jhttps://evil .example, not"},
		{"claims of odd kinds", map[string]any{"aud": 7, "scp": []int{1}, "exp": "x", "tid": nil, "appid": true, "upn": 7}, func(e *oauth.Expectation) { e.Scopes = nil }, "", ""},
	} {
		want := mailbox()
		if tt.change != nil {
			tt.change(&want)
		}
		expectFinding(t, tt.name, oauth.Diagnose(jwt(t, tt.claims), want), tt.code, tt.says)
	}
}

// expectFinding checks that there is one finding with that code, or none.
func expectFinding(t *testing.T, name string, got []oauth.Finding, code oauth.FindingCode, says string) {
	t.Helper()
	switch {
	case code == "" && len(got) == 0:
	case code == "" || len(got) != 1 || got[0].Code != code || !strings.Contains(got[0].String(), says):
		t.Errorf("%s: %v, want %q saying %q", name, got, code, says)
	}
	if strings.Contains(fmt.Sprint(got), signature) || strings.ContainsAny(fmt.Sprint(got), "\x1b\r\n") {
		t.Errorf("%s: the findings hold what they must not: %q", name, fmt.Sprint(got))
	}
}

func TestDiagnoseTokensThatAreNoJWT(t *testing.T) {
	want := mailbox()
	for _, tt := range []struct {
		name  string
		token *oauth.Token
		codes []oauth.FindingCode
	}{
		{"none", nil, []oauth.FindingCode{oauth.FindingNoToken}},
		{"empty", &oauth.Token{}, []oauth.FindingCode{oauth.FindingNoToken}},
		{"opaque", &oauth.Token{AccessToken: secret.New("EwB4A8l6"), Scopes: want.Scopes}, []oauth.FindingCode{oauth.FindingOpaque}},
		{
			"opaque, expired and of little use", &oauth.Token{AccessToken: secret.New("ya29.a0Af.x"), Expiry: noon(), Scopes: []string{"openid"}},
			[]oauth.FindingCode{oauth.FindingOpaque, oauth.FindingExpired, oauth.FindingScope},
		},
		{"cut", &oauth.Token{AccessToken: secret.New("eyJhbGciOiJSUzI1NiJ9.!!.x")}, []oauth.FindingCode{oauth.FindingUnreadable}},
	} {
		var codes []oauth.FindingCode
		for _, f := range oauth.Diagnose(tt.token, want) {
			codes = append(codes, f.Code)
		}
		if !slices.Equal(codes, tt.codes) {
			t.Errorf("%s: %v, want %v", tt.name, codes, tt.codes)
		}
	}
}

// TestDiagnoseWarnsInTime: what ends is told with its date before it does.
func TestDiagnoseWarnsInTime(t *testing.T) {
	in := func(d time.Duration) time.Time { return noon().Add(d) }
	for _, tt := range []struct {
		name   string
		change func(*oauth.Expectation)
		code   oauth.FindingCode
		says   string
		when   time.Time
	}{
		{"a good grant", func(e *oauth.Expectation) {
			e.Grant = &oauth.GrantFacts{Refreshable: true, IdleEnd: in(80 * day), Ends: in(300 * day)}
			e.SecretEnds, e.CertificateEnds = in(100*day), in(200*day)
		}, "", "", time.Time{}},
		{"Testing", func(e *oauth.Expectation) {
			e.Grant = &oauth.GrantFacts{Refreshable: true, Server: "oauth2.googleapis.com", LastUse: noon(), Ends: in(604799 * time.Second)}
		}, oauth.FindingTesting, "consent screen is in Testing, where grants end after 7 days: this grant ends in 7 days, on 2026-11-28", in(604799 * time.Second)},
		{"a fixed end", func(e *oauth.Expectation) { e.Grant = &oauth.GrantFacts{Refreshable: true, Ends: in(3 * day)} }, oauth.FindingGrantEnds, "ends in 3 days, on 2026-11-24", in(3 * day)},
		{"an end today", func(e *oauth.Expectation) {
			e.Grant = &oauth.GrantFacts{Refreshable: true, Ends: in(5 * time.Hour)}
		}, oauth.FindingGrantEnds, "in 5 hours", in(5 * time.Hour)},
		{"an end that has been", func(e *oauth.Expectation) {
			e.Grant = &oauth.GrantFacts{Refreshable: true, Ends: in(-day)}
		}, oauth.FindingGrantEnds, "problem: The grant ended on 2026-11-20", in(-day)},
		{"Testing that is over", func(e *oauth.Expectation) {
			e.Grant = &oauth.GrantFacts{Refreshable: true, Server: "oauth2.googleapis.com", LastUse: in(-2 * day), Ends: in(-day)}
		}, oauth.FindingTesting, "this grant ended on 2026-11-20", in(-day)},
		{"idle", func(e *oauth.Expectation) { e.Grant = &oauth.GrantFacts{Refreshable: true, IdleEnd: in(10 * day)} }, oauth.FindingIdle, "ends in 10 days, on 2026-12-01", in(10 * day)},
		{"idle for too long", func(e *oauth.Expectation) { e.Grant = &oauth.GrantFacts{Refreshable: true, IdleEnd: in(-day)} }, oauth.FindingIdle, "probably ended on 2026-11-20", in(-day)},
		{"partial consent", func(e *oauth.Expectation) {
			e.Grant = &oauth.GrantFacts{Refreshable: true, Missing: []string{"https://mail.google.com/"}}
		}, oauth.FindingPartialConsent, "https://mail.google.com/ is missing", time.Time{}},
		{"no refresh token", func(e *oauth.Expectation) { e.Grant = &oauth.GrantFacts{} }, oauth.FindingNotRefreshable, "no refresh token", time.Time{}},
		{"refused", func(e *oauth.Expectation) { e.Grant = &oauth.GrantFacts{NeedsSignIn: true} }, oauth.FindingNeedsSignIn, "Sign in again", time.Time{}},
		{"secret", func(e *oauth.Expectation) { e.SecretEnds = in(20 * day) }, oauth.FindingSecretEnds, "The client secret ends in 20 days, on 2026-12-11", in(20 * day)},
		{"secret over", func(e *oauth.Expectation) { e.SecretEnds = in(-day) }, oauth.FindingSecretEnds, "ended on 2026-11-20", in(-day)},
		{"certificate", func(e *oauth.Expectation) { e.CertificateEnds = in(day) }, oauth.FindingCertificateEnds, "ends in 24 hours", in(day)},
	} {
		want := mailbox()
		tt.change(&want)
		got := oauth.Diagnose(jwt(t, nil), want)
		expectFinding(t, tt.name, got, tt.code, tt.says)
		if len(got) == 1 && !got[0].When.Equal(tt.when) {
			t.Errorf("%s: When = %v, want %v", tt.name, got[0].When, tt.when)
		}
	}
}

// TestDiagnoseAnswers: what Exchange's servers say, which is little.
func TestDiagnoseAnswers(t *testing.T) {
	for _, tt := range []struct {
		answer string
		code   oauth.FindingCode
		says   string
	}{
		{"A1 NO AUTHENTICATE failed.", oauth.FindingTokenNotAccepted, "service principal"},
		{"-ERR Authentication failure: unknown user name or bad password.", oauth.FindingTokenNotAccepted, "audience"},
		{"A2 BAD User is authenticated but not connected.", oauth.FindingMailboxRefused, "full access"},
		{"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.", oauth.FindingSubmissionOff, "token is not the reason"},
		{"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.", oauth.FindingSubmissionOff, "administrator"},
		{"535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator.", oauth.FindingPasswordSignIn, "XOAUTH2"},
		{"535 5.7.3 Authentication unsuccessful", oauth.FindingTokenNotAccepted, "does not say why"},
		{"250 OK", "", ""},
	} {
		want := mailbox()
		want.Answer = tt.answer
		expectFinding(t, tt.answer, oauth.Diagnose(jwt(t, nil), want), tt.code, tt.says)
	}
}

func TestFindingsComeInOrder(t *testing.T) {
	want := mailbox()
	want.Roles, want.SecretEnds, want.Answer = []string{"IMAP.AccessAsApp"}, noon(), "NO AUTHENTICATE failed."
	want.Grant = &oauth.GrantFacts{NeedsSignIn: true, Missing: []string{"x"}, Ends: noon(), IdleEnd: noon()}
	bad := map[string]any{"aud": "x", "exp": 1, "scp": "y", "tid": "z", "appid": "q", "upn": "bob@contoso.com"}
	expected := []oauth.FindingCode{
		oauth.FindingExpired, oauth.FindingAudience, oauth.FindingScope, oauth.FindingRole, oauth.FindingTenant, oauth.FindingClient,
		oauth.FindingUser, oauth.FindingPartialConsent, oauth.FindingNeedsSignIn, oauth.FindingGrantEnds, oauth.FindingIdle,
		oauth.FindingSecretEnds, oauth.FindingTokenNotAccepted,
	}
	for range 20 {
		var codes []oauth.FindingCode
		for _, f := range oauth.Diagnose(jwt(t, bad), want) {
			codes = append(codes, f.Code)
		}
		if !slices.Equal(codes, expected) {
			t.Fatalf("codes %v, want %v", codes, expected)
		}
	}
}

// TestAFreshGrantIsDiagnosedWell ties the pieces together: a grant of the fake
// server whose tokens are opaque.
func TestAFreshGrantIsDiagnosedWell(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		grant := b.signIn()
		facts, err := grant.Facts(b.t.Context())
		if err != nil {
			b.t.Fatalf("Facts: %v", err)
		}
		got := oauth.Diagnose(b.token(grant.For(mailResource)), oauth.Expectation{Scopes: []string{mailScope}, Grant: &facts})
		expectFinding(b.t, "a fresh grant", got, oauth.FindingOpaque, "opaque")
	})
}

// FuzzDiagnose: whatever a token is, the findings are the same each time, are
// text of one line, and hold no long piece of the token.
func FuzzDiagnose(f *testing.F) {
	f.Add("EwB4A8l6", "x")
	f.Add("eyJhbGciOiJSUzI1NiJ9.e30.x", "NO AUTHENTICATE failed.")
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4Iiwic2NwIjoieSB6IiwidGlkIjoiMSIsInVwbiI6ImJAYyIsImV4cCI6MX0.AAAA", "")
	f.Add("..", "")
	f.Fuzz(func(t *testing.T, text, answer string) {
		want := mailbox()
		want.Answer = answer
		token := &oauth.Token{AccessToken: secret.New(text)}
		got := oauth.Diagnose(token, want)
		if !slices.Equal(got, oauth.Diagnose(token, want)) {
			t.Error("two diagnoses differ")
		}
		for _, finding := range got {
			if finding.Code == "" || finding.Sentence == "" || strings.ContainsAny(finding.String(), "\r\n\x1b") {
				t.Errorf("a finding reads %q", finding)
			}
		}
		if parts := strings.Split(text, "."); len(parts) == 3 && len(parts[2]) > 40 && strings.Contains(fmt.Sprint(got), parts[2]) {
			t.Error("the signature is told")
		}
	})
}

func ExampleDiagnose() {
	token := &oauth.Token{AccessToken: secret.New("ya29.opaque"), Scopes: []string{"openid", "email"}}
	for _, finding := range oauth.Diagnose(token, oauth.Expectation{Scopes: []string{"https://mail.google.com/"}}) {
		fmt.Println(finding)
	}
	// Output:
	// note: The token is opaque: only what the authorization server said of it can be looked at.
	// problem: The token lacks https://mail.google.com/; it has openid, email. Add the scopes to the registration and the Config, and sign in again.
}
