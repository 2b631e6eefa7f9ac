package sessiontest

import (
	"context"
	"errors"
	"testing"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

func signInRules() []incomingRule {
	return []incomingRule{
		{"refused credentials are an AuthError, and nothing is done", refusedCredentials},
	}
}

// wrongSecret opens no mailbox.
const wrongSecret = "neither-password-nor-token"

// wrong returns credentials of the same kind that the server refuses.
func wrong(creds session.Credentials) session.Credentials {
	if creds.Tokens != nil {
		creds.Tokens = oauth.AnyResource(oauth.StaticToken(secret.New(wrongSecret)))
		return creds
	}
	creds.Password = secret.New(wrongSecret)
	return creds
}

// wantAuthError checks the error of a call with credentials that are refused.
func wantAuthError(tb testing.TB, what string, err error) {
	tb.Helper()
	e, ok := errors.AsType[*session.AuthError](err)
	switch {
	case !ok:
		tb.Errorf("%s with credentials that are refused: error %v, want one that wraps a *session.AuthError", what, err)
	case e.Server == "" || e.Mechanism == "" || e.Remedy == "":
		tb.Errorf("%s: an AuthError needs Server, Mechanism and Remedy; it has %q, %q and %q", what, e.Server, e.Mechanism, e.Remedy)
	case session.Temporary(err):
		tb.Errorf("%s: session.Temporary is true of %v, want false: trying again may lock the account", what, err)
	}
	wantNoSecret(tb, err, secret.New(wrongSecret))
}

func refusedCredentials(ctx context.Context, r *reading) {
	r.seed(1)
	id := r.first(ctx, session.Query{}).ID
	in, err := r.Backend(r.line.Dial)(setupFor(wrong(r.Credentials)))
	if err != nil {
		r.Fatalf("make the backend: %v", err)
	}
	r.Cleanup(func() { closeIt(r, in) })
	before := r.kept(inbox)
	for _, op := range operations() {
		wantAuthError(r, op.name, op.run(ctx, in, id, r.someChanges(ctx)[0]))
	}
	if after := r.kept(inbox); len(after) != len(before) {
		r.Errorf("the inbox has %d messages afterwards, want %d", len(after), len(before))
	}
	r.wantWorking(ctx, 1)
}

// refusedSender is the rule for a way out. Where no credentials are given, there
// are none to refuse.
func refusedSender(ctx context.Context, p *posting) {
	if p.Credentials.Tokens == nil && p.Credentials.Password.IsZero() {
		p.Log("the server asks for no credentials")
		p.wantSending(ctx)
		return
	}
	out, err := p.Backend(p.line.Dial)(setupFor(wrong(p.Credentials)))
	if err != nil {
		p.Fatalf("make the backend: %v", err)
	}
	p.Cleanup(func() { closeIt(p, out) })
	l := p.write("from somebody else\r\n")
	rec, err := out.Send(ctx, p.envelope(1), message.Bytes([]byte(l.raw)))
	wantAuthError(p, "Send", err)
	if rec.Outcome != session.NotSent {
		p.Errorf("the outcome is %v, want NotSent", rec.Outcome)
	}
	p.wantArrived(ctx, p.To[0], l, 0)
	p.wantSending(ctx)
}
