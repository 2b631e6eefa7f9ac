package oauth

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// FindingCode names what is wrong, for programs.
type FindingCode string

// What Diagnose finds, in the order in which it tells.
const (
	FindingNoToken          FindingCode = "no_token"
	FindingOpaque           FindingCode = "opaque"
	FindingUnreadable       FindingCode = "unreadable"
	FindingExpired          FindingCode = "expired"
	FindingNotYetValid      FindingCode = "not_yet_valid"
	FindingAudience         FindingCode = "audience"
	FindingScope            FindingCode = "scope"
	FindingRole             FindingCode = "role"
	FindingTenant           FindingCode = "tenant"
	FindingClient           FindingCode = "client"
	FindingUser             FindingCode = "user"
	FindingPartialConsent   FindingCode = "partial_consent"
	FindingNeedsSignIn      FindingCode = "needs_sign_in"
	FindingNotRefreshable   FindingCode = "not_refreshable"
	FindingTesting          FindingCode = "testing"
	FindingGrantEnds        FindingCode = "grant_ends"
	FindingIdle             FindingCode = "idle"
	FindingSecretEnds       FindingCode = "secret_ends"
	FindingCertificateEnds  FindingCode = "certificate_ends"
	FindingMailboxRefused   FindingCode = "mailbox_refused"
	FindingSubmissionOff    FindingCode = "submission_off"
	FindingPasswordSignIn   FindingCode = "password_sign_in"
	FindingTokenNotAccepted FindingCode = "token_not_accepted"
)

// Severity says how bad a finding is.
type Severity int

const (
	// SeverityNote is worth knowing.
	SeverityNote Severity = iota
	// SeverityWarning will be a problem, or may be one.
	SeverityWarning
	// SeverityProblem keeps the token from working.
	SeverityProblem
)

// String returns the severity as a word.
func (s Severity) String() string {
	switch s {
	case SeverityProblem:
		return "problem"
	case SeverityWarning:
		return "warning"
	default:
		return "note"
	}
}

// Finding is one thing that Diagnose has found. It holds no secret.
type Finding struct {
	// Code names it.
	Code FindingCode
	// Severity says how bad it is.
	Severity Severity
	// Sentence says what is so, Remedy what to do about it; the Remedy may be
	// empty.
	Sentence, Remedy string
	// When is the date it is about, zero where there is none.
	When time.Time
}

// String returns the severity, the sentence and the remedy.
func (f Finding) String() string {
	text := f.Severity.String() + ": " + f.Sentence
	if f.Remedy != "" {
		text += " " + f.Remedy
	}
	return text
}

// Expectation is what a token is held against. What is zero is not looked at.
type Expectation struct {
	// Resource is what the token has to be for, such as
	// "https://outlook.office.com".
	Resource string
	// Scopes are those the token needs for a user, Roles those it needs for a
	// program of its own, such as IMAP.AccessAsApp.
	Scopes, Roles []string
	// Tenant is the id of the tenant, ClientID that of the client.
	Tenant, ClientID string
	// User is the address of the mailbox that is to be opened.
	User string
	// Grant is what is known of the grant: see Grant.Facts.
	Grant *GrantFacts
	// SecretEnds and CertificateEnds are when the client's secret and
	// certificate end.
	SecretEnds, CertificateEnds time.Time
	// Answer is what the mail server said when it refused the token.
	Answer string
	// Now is the present time. Zero means that of the clock.
	Now time.Time
}

// When warnings begin.
const (
	warnGrant = 14 * 24 * time.Hour
	warnKeys  = 30 * 24 * time.Hour
)

// Diagnose says what is wrong with an access token, or will be: in sentences, in
// a fixed order, nothing where nothing is. It asks nobody. A token that is a JWT
// is read without being trusted or verified, for that is its receiver's part;
// one that is opaque is held against what the authorization server said of it.
// Nothing of the token but the claims named in a sentence is ever told.
func Diagnose(token *Token, want Expectation) []Finding {
	if want.Now.IsZero() {
		want.Now = time.Now()
	}
	var d diagnosis
	d.token(token, want)
	d.grant(want)
	d.keys(want)
	d.answer(want.Answer)
	return d.findings
}

// diagnosis collects findings.
type diagnosis struct{ findings []Finding }

// add adds a finding.
func (d *diagnosis) add(code FindingCode, severity Severity, sentence, remedy string) {
	d.findings = append(d.findings, Finding{Code: code, Severity: severity, Sentence: sentence, Remedy: remedy})
}

// at adds a finding with a date.
func (d *diagnosis) at(when time.Time, code FindingCode, severity Severity, sentence, remedy string) {
	d.add(code, severity, sentence, remedy)
	d.findings[len(d.findings)-1].When = when
}

// token looks at the token itself.
func (d *diagnosis) token(token *Token, want Expectation) {
	if token == nil || token.AccessToken.IsZero() {
		d.add(FindingNoToken, SeverityProblem, "There is no access token.", "Sign in first.")
		return
	}
	c, jwt, err := readAccess(token.AccessToken)
	switch {
	case err != nil:
		d.add(FindingUnreadable, SeverityWarning, "The token looks like a JWT and cannot be read as one.", "Look whether it was cut or changed on its way here.")
	case !jwt:
		d.add(FindingOpaque, SeverityNote, "The token is opaque: only what the authorization server said of it can be looked at.", "")
	}
	if c.expires.IsZero() {
		c.expires = token.Expiry
	}
	if len(c.scopes) == 0 && !jwt {
		c.scopes = token.Scopes
	}
	d.times(c, want.Now)
	d.audience(c, want)
	d.permissions(c, want, jwt)
	d.people(c, want)
}

// times looks at the token's life.
func (d *diagnosis) times(c accessClaims, now time.Time) {
	if !c.expires.IsZero() && !now.Before(c.expires) {
		d.at(c.expires, FindingExpired, SeverityProblem, "The token expired on "+day(c.expires)+".", "Refresh it; where that was done just now, check this machine's clock.")
	}
	if !c.begins.IsZero() && now.Add(leeway).Before(c.begins) {
		d.at(c.begins, FindingNotYetValid, SeverityProblem, "The token is not valid before "+day(c.begins)+".", "Check this machine's clock.")
	}
}

// audience looks whom the token is for.
func (d *diagnosis) audience(c accessClaims, want Expectation) {
	if want.Resource == "" || len(c.audience) == 0 {
		return
	}
	if slices.ContainsFunc(c.audience, func(a string) bool { return sameResource(a, want.Resource) }) {
		return
	}
	d.add(FindingAudience, SeverityProblem, fmt.Sprintf("The token is for %s, not for %s.", resourceName(c.audience[0]), resourceName(want.Resource)),
		"Ask for a token with a scope that begins with "+clean(want.Resource)+"; a scope without a resource means Graph at Microsoft.")
}

// permissions looks what the token allows.
func (d *diagnosis) permissions(c accessClaims, want Expectation, jwt bool) {
	if missing := missingScopes(want.Scopes, c.scopes); len(missing) > 0 && (jwt || len(c.scopes) > 0) {
		d.add(FindingScope, SeverityProblem, "The token lacks "+list(missing)+"; it has "+list(c.scopes)+".",
			"Add the scopes to the registration and the Config, and sign in again.")
	}
	var missing []string
	for _, role := range want.Roles {
		if jwt && !slices.Contains(c.roles, role) {
			missing = append(missing, role)
		}
	}
	switch {
	case len(missing) > 0 && len(c.roles) == 0:
		d.add(FindingRole, SeverityProblem, "The token has no application role at all; "+list(missing)+" is needed.",
			"Add it as an application permission, not a delegated one, and have an administrator consent.")
	case len(missing) > 0:
		d.add(FindingRole, SeverityProblem, "The token lacks the application role "+list(missing)+"; it has "+list(c.roles)+".",
			"Add the application permission and have an administrator consent.")
	case jwt && len(c.scopes)+len(c.roles)+len(want.Scopes)+len(want.Roles) == 0 && slices.ContainsFunc(c.audience, isExchangeOnline):
		d.add(FindingRole, SeverityProblem, "The token allows nothing: it has neither a scope nor an application role.",
			"For a program without a person, add an application permission, such as IMAP.AccessAsApp, and have an administrator consent.")
	}
}

// people looks whose the token is.
func (d *diagnosis) people(c accessClaims, want Expectation) {
	if want.Tenant != "" && c.tenant != "" && !strings.EqualFold(want.Tenant, c.tenant) {
		d.add(FindingTenant, SeverityProblem, fmt.Sprintf("The token is of the tenant %s, not of %s.", clean(c.tenant), clean(want.Tenant)),
			"Use the endpoints of the mailbox's own tenant, and sign in there.")
	}
	if want.ClientID != "" && c.client != "" && !strings.EqualFold(want.ClientID, c.client) {
		d.add(FindingClient, SeverityWarning, fmt.Sprintf("The token was issued to the client %s, not to %s.", clean(c.client), clean(want.ClientID)),
			"Look where the token comes from.")
	}
	same := func(user string) bool { return strings.EqualFold(user, want.User) }
	if want.User != "" && len(c.users) > 0 && !slices.ContainsFunc(c.users, same) {
		d.add(FindingUser, SeverityWarning, fmt.Sprintf("The token is of %s, and the mailbox is %s.", clean(c.users[0]), clean(want.User)),
			"Sign in as the mailbox's user, or have its owner give that user full access, as for a shared mailbox.")
	}
}

// grant looks at what is known of the grant.
func (d *diagnosis) grant(want Expectation) {
	g := want.Grant
	if g == nil {
		return
	}
	if len(g.Missing) > 0 {
		d.add(FindingPartialConsent, SeverityProblem, "Not everything that was asked for was granted: "+list(g.Missing)+" is missing.",
			"Sign in again and leave all boxes of the consent page ticked.")
	}
	switch {
	case g.NeedsSignIn:
		d.add(FindingNeedsSignIn, SeverityProblem, "The authorization server refused the grant, or the user signed out.", "Sign in again.")
	case !g.Refreshable:
		d.add(FindingNotRefreshable, SeverityWarning, "There is no refresh token: the grant ends with its access token.",
			"Ask for the scope offline_access, or at Google with access_type=offline and prompt=consent, and sign in again.")
	}
	d.ends(g, want.Now)
}

// ends looks at the dates at which the grant ends.
func (d *diagnosis) ends(g *GrantFacts, now time.Time) {
	fate, severity := fateOf(g.Ends, now)
	switch {
	case g.Ends.IsZero():
	case isGoogle(g.Server) && g.Ends.Sub(g.LastUse) <= 7*24*time.Hour:
		d.at(g.Ends, FindingTesting, severity, "The app's consent screen is in Testing, where grants end after 7 days: this grant "+fate+".",
			"Set the consent screen to In production, or to Internal for a Workspace, and sign in again.")
	case severity == SeverityProblem:
		d.at(g.Ends, FindingGrantEnds, severity, "The grant "+fate+".", "Sign in again.")
	case g.Ends.Sub(now) < warnGrant:
		d.at(g.Ends, FindingGrantEnds, severity, "The grant "+fate+", whatever happens.", "Sign in again before that day.")
	}
	switch left := g.IdleEnd.Sub(now); {
	case g.IdleEnd.IsZero() || left >= warnGrant:
	case left <= 0:
		d.at(g.IdleEnd, FindingIdle, SeverityProblem, "The grant has not been used for too long, and has probably ended on "+day(g.IdleEnd)+".", "Sign in again, and keep the grant alive from then on.")
	default:
		d.at(g.IdleEnd, FindingIdle, SeverityWarning, fmt.Sprintf("The grant has not been used for long, and ends in %s, on %s, unless it is used.", days(left), day(g.IdleEnd)),
			"Use it, or call KeepAlive.")
	}
}

// keys looks at what the client authenticates itself with.
func (d *diagnosis) keys(want Expectation) {
	for _, k := range []struct {
		code FindingCode
		name string
		ends time.Time
	}{
		{FindingSecretEnds, "client secret", want.SecretEnds},
		{FindingCertificateEnds, "client certificate", want.CertificateEnds},
	} {
		fate, severity := fateOf(k.ends, want.Now)
		switch {
		case k.ends.IsZero() || k.ends.Sub(want.Now) >= warnKeys:
		case severity == SeverityProblem:
			d.at(k.ends, k.code, severity, "The "+k.name+" "+fate+".", "Make a new one in the app registration; grants stay good.")
		default:
			d.at(k.ends, k.code, severity, "The "+k.name+" "+fate+".", "Make a new one before that day.")
		}
	}
}

// fateOf tells of something that ends, or ended.
func fateOf(ends, now time.Time) (string, Severity) {
	if left := ends.Sub(now); left > 0 {
		return "ends in " + days(left) + ", on " + day(ends), SeverityWarning
	}
	return "ended on " + day(ends), SeverityProblem
}

// answer explains what mail servers say, of which Microsoft's front ends are the
// ones that explain nothing themselves.
func (d *diagnosis) answer(said string) {
	says := func(words string) bool { return strings.Contains(strings.ToLower(said), words) }
	switch {
	case said == "":
	case says("authenticated but not connected"):
		d.add(FindingMailboxRefused, SeverityProblem, "The server took the token and did not open the mailbox.",
			"Check that the token's user is the mailbox or has full access to it, that the mailbox has a licence, and that the protocol is switched on for it.")
	case says("smtpclientauthentication is disabled"):
		d.add(FindingSubmissionOff, SeverityProblem, "SMTP AUTH is switched off for the tenant or the mailbox; the token is not the reason.",
			"Have an administrator switch it on for the mailbox (https://aka.ms/smtp_auth_disabled).")
	case says("security defaults"), says("basic authentication is disabled"):
		d.add(FindingPasswordSignIn, SeverityProblem, "The program signed in with a password, which the organisation forbids.", "Sign in with a token (XOAUTH2).")
	case says("authenticate failed"), says("5.7.3"), says("unknown user name or bad password"), says("authentication unsuccessful"):
		d.add(FindingTokenNotAccepted, SeverityProblem, "The mail server did not take the token, and does not say why.",
			"Look at the audience, the scopes and the user above; then whether the protocol is switched on for the mailbox, and, for an app, whether its service principal is registered in Exchange.")
	}
}

// day returns a date.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// days returns a duration in whole days, in hours below two days.
func days(d time.Duration) string {
	switch {
	case d < time.Hour:
		return "less than an hour"
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	default:
		return fmt.Sprintf("%d days", (d+12*time.Hour)/(24*time.Hour))
	}
}

// maxListed is how many names a sentence lists.
const maxListed = 8

// list returns names for a sentence.
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	more := ""
	if len(names) > maxListed {
		names, more = names[:maxListed], " and others"
	}
	cleaned := make([]string, len(names))
	for i, name := range names {
		cleaned[i] = clean(name)
	}
	return strings.Join(cleaned, ", ") + more
}
