package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

const (
	// defaultInterval is how often is asked where the server does not say (RFC
	// 8628 section 3.2).
	defaultInterval = 5 * time.Second
	// slower is what slow_down adds to it (section 3.5).
	slower = 5 * time.Second
	// maxInterval limits the interval, and how far failures lengthen it.
	maxInterval = 2 * time.Minute
	// defaultDeviceLife is how long a code is good where the server does not say.
	defaultDeviceLife = 15 * time.Minute
	// maxDeviceLife is the longest that is waited for anybody.
	maxDeviceLife = 2 * time.Hour
	// maxShown is the longest code or address that is shown, in bytes.
	maxShown = 2048
)

// DeviceCode is what the user needs to sign in on another device (RFC 8628
// section 3.2). Nothing in it is secret to the user; who has it can offer the
// sign-in to somebody else, so it is shown to the user alone.
type DeviceCode struct {
	// UserCode is the code to enter.
	UserCode string
	// VerificationURL is the page to enter it at.
	VerificationURL string
	// CompleteURL is that page with the code in it, for a QR code or a link. It
	// is empty where the server gives none, as Microsoft's. The user still has
	// to compare the code.
	CompleteURL string
	// Expiry is until when the code is good.
	Expiry time.Time
}

// String returns what to tell the user, in a sentence for each step.
func (d DeviceCode) String() string {
	text := "To sign in, open this page in a browser on any device:\n\n" + d.VerificationURL +
		"\n\nand enter the code\n\n" + d.UserCode + "\n\n"
	if d.CompleteURL != "" {
		text += "or open this one and compare the code:\n\n" + d.CompleteURL + "\n\n"
	}
	return text
}

// DeviceOptions change how SignInDevice goes about it.
type DeviceOptions struct {
	// Show tells the user what to do. It is called once, before the first
	// request for the tokens, and must not wait for the user; an error ends the
	// sign-in. Nil writes DeviceCode.String to Prompt.
	Show func(ctx context.Context, d DeviceCode) error
	// Prompt is where a nil Show writes. Nil means standard error. Nothing is
	// ever written to standard output.
	Prompt io.Writer
	// Timeout limits the whole sign-in, beside the life of the code. 0 means
	// that of the code.
	Timeout time.Duration
	// Keep is where the grant is kept before SignInDevice returns it, as in
	// SignInOptions.
	Keep *Keep
}

// SignInDevice has the user sign in on another device and returns the grant: it
// asks for a code (RFC 8628), shows it, and asks for the tokens as often as the
// server allows until the user has finished. Endpoint.DeviceURL is needed,
// Endpoint.AuthURL and Config.RedirectURL are not used.
//
// Answers that are lost and servers in trouble lengthen the interval and do not
// end the sign-in. Where several resources are asked for, it is as in SignIn.
//
// It returns an *Error where the server or the user refuses: of KindPolicy for a
// user who declines, of KindInteraction where nobody finished in time. The
// options may be nil.
func SignInDevice(ctx context.Context, cfg *Config, o *DeviceOptions) (*Grant, error) {
	if err := cfg.checkClient(); err != nil {
		return nil, err
	}
	if err := secureURL("DeviceURL", cfg.Endpoint.DeviceURL); err != nil {
		return nil, configError(fmt.Errorf("%w; not every provider lets programs for mail sign in with a device code", err))
	}
	options := DeviceOptions{}
	if o != nil {
		options = *o
	}
	if options.Show == nil {
		options.Show = showDevice(options.Prompt)
	}
	ctx, end := observe.Start(ctx, cfg.Observer, "oauth.SignInDevice", slog.String("server", hostOf(cfg.Endpoint.DeviceURL)))
	cfg = cfg.clone()
	grant, err := (&deviceAttempt{newcomer: newNewcomer(cfg, options.Keep), options: options}).run(ctx)
	end(err)
	if err != nil {
		return nil, err
	}
	grant.log.LogAttrs(ctx, slog.LevelInfo, "signed in", slog.String("grant", grant.String()))
	return grant, nil
}

// showDevice returns a function that writes the code to w.
func showDevice(w io.Writer) func(context.Context, DeviceCode) error {
	if w == nil {
		w = os.Stderr
	}
	return func(_ context.Context, d DeviceCode) error {
		_, err := io.WriteString(w, d.String())
		return err
	}
}

// deviceAttempt is one sign-in with a device code under way.
type deviceAttempt struct {
	newcomer

	options DeviceOptions
}

// run asks for the code, shows it and waits.
func (a *deviceAttempt) run(ctx context.Context) (*Grant, error) {
	if err := a.prepare(ctx); err != nil {
		return nil, err
	}
	if a.options.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, a.options.Timeout, a.late(a.options.Timeout))
		defer cancel()
	}
	begun := time.Now()
	answer, err := a.authorize(ctx)
	if err != nil {
		return nil, err
	}
	life := answer.life()
	ctx, cancel := context.WithDeadlineCause(ctx, begun.Add(life), a.late(life))
	defer cancel()
	if err := a.options.Show(ctx, answer.shown(begun.Add(life))); err != nil {
		return nil, fmt.Errorf("oauth: sign in: the code cannot be shown: %w", err)
	}
	return a.poll(ctx, answer)
}

// late is the error for a user who does not finish.
func (a *deviceAttempt) late(limit time.Duration) *Error {
	return &Error{
		Kind: KindInteraction, Op: "sign in", Server: hostOf(a.cfg.Endpoint.DeviceURL),
		Err: fmt.Errorf("nobody finished it within %v: %w", limit, context.DeadlineExceeded),
	}
}

// deviceAnswer is the answer of the device authorization endpoint.
type deviceAnswer struct {
	deviceCode          secret.Text
	userCode            string
	verification        string
	complete            string
	expiresIn, interval time.Duration // 0 where the server does not say
}

// life returns how long the code is good.
func (d *deviceAnswer) life() time.Duration {
	if d.expiresIn <= 0 {
		return defaultDeviceLife
	}
	return min(d.expiresIn, maxDeviceLife)
}

// shown returns what the user needs.
func (d *deviceAnswer) shown(expiry time.Time) DeviceCode {
	return DeviceCode{UserCode: d.userCode, VerificationURL: d.verification, CompleteURL: d.complete, Expiry: expiry.Round(0)}
}

// authorize asks for a code (RFC 8628 section 3.1). A lost answer costs
// nothing: the request is sent again.
func (a *deviceAttempt) authorize(ctx context.Context) (*deviceAnswer, error) {
	const op = "ask for a device code"
	params := url.Values{}
	if len(a.cfg.Scopes) > 0 {
		params.Set("scope", strings.Join(a.cfg.Scopes, " "))
	}
	var answer *deviceAnswer
	err := retry.Do(ctx, a.cfg.policy(ctx, op), func(ctx context.Context) error {
		body, err := a.cfg.post(ctx, op, a.cfg.Endpoint.DeviceURL, params)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); ok {
				return e.repeatable()
			}
			return err
		}
		if answer, err = parseDeviceAnswer(body); err != nil {
			return &Error{Kind: KindProtocol, Op: op, Server: hostOf(a.cfg.Endpoint.DeviceURL), Err: err}
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		return nil, a.ended(ctx)
	}
	return answer, err
}

// parseDeviceAnswer reads an answer of the device authorization endpoint (RFC
// 8628 section 3.2). It trusts nothing in it: what is shown to the user has no
// control characters, and addresses are web pages.
func parseDeviceAnswer(body []byte) (*deviceAnswer, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return nil, errors.New("the answer is not a JSON object")
	}
	text := func(name string) string {
		var s string
		_ = json.Unmarshal(fields[name], &s) // of another kind: as if it were missing
		return s
	}
	d := &deviceAnswer{
		deviceCode: secret.New(text("device_code")), userCode: text("user_code"),
		verification: text("verification_uri"), complete: text("verification_uri_complete"),
		expiresIn: secondsIn(fields["expires_in"]), interval: secondsIn(fields["interval"]),
	}
	if d.verification == "" {
		d.verification = text("verification_url") // Google's name for it
	}
	switch {
	case d.deviceCode.IsZero() || d.userCode == "":
		return nil, errors.New("the answer has no device code or no user code")
	case len(d.userCode) > maxShown || strings.ContainsFunc(d.userCode, unshowable):
		return nil, errors.New("the user code cannot be shown")
	case !webPage(d.verification):
		return nil, errors.New("the answer has no page to enter the code at")
	case !webPage(d.complete):
		d.complete = ""
	}
	return d, nil
}

// unshowable reports whether r has no place in what a user has to copy.
func unshowable(r rune) bool { return r != ' ' && unfit(r) }

// webPage reports whether an address is that of a page that may be shown to a
// user: of https, or of this machine.
func webPage(address string) bool {
	if len(address) > maxShown || strings.ContainsFunc(address, unfit) {
		return false
	}
	u, err := url.Parse(address)
	return err == nil && u.User == nil && secure(u)
}

// secondsIn reads a number of seconds, 0 where there is none.
func secondsIn(value json.RawMessage) time.Duration {
	var seconds int64
	if json.Unmarshal(lifetime(value), &seconds) != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// poll asks for the tokens until there are some or there will be none (RFC 8628
// sections 3.4 and 3.5).
func (a *deviceAttempt) poll(ctx context.Context, d *deviceAnswer) (*Grant, error) {
	scopes, several := firstScopes(a.cfg.Scopes)
	r := tokenRequest{
		op: opRedeemDevice,
		params: url.Values{
			"grant_type": {GrantDeviceCode}, "device_code": {d.deviceCode.Reveal()},
		},
		secrets: []secret.Text{d.deviceCode},
	}
	if several {
		r.scopes = scopes
	}
	p := newPace(d.interval)
	for lost := false; ; {
		if retry.Sleep(ctx, p.next) != nil {
			return nil, a.ended(ctx)
		}
		got, err := a.cfg.request(ctx, r)
		if err == nil {
			return a.accept(ctx, r.op, got, scopes, idTokenRules{})
		}
		if ctx.Err() != nil {
			return nil, a.ended(ctx)
		}
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return nil, err
		}
		if !p.goesOn(e) {
			return nil, e.after(lost, time.Time{}).ofCode()
		}
		lost = lost || e.lost()
		a.log.LogAttrs(ctx, slog.LevelDebug, "the sign-in is not finished", slog.Duration("wait", p.next), slog.String("answer", e.Code))
	}
}

// ended returns why ctx has ended, as an error of the sign-in.
func (a *deviceAttempt) ended(ctx context.Context) error {
	if late, ok := errors.AsType[*Error](context.Cause(ctx)); ok {
		return late
	}
	return fmt.Errorf("oauth: sign in at %s: %w", hostOf(a.cfg.Endpoint.DeviceURL), retry.Ended(ctx))
}

// pace is how fast a device code is asked about.
type pace struct {
	interval time.Duration // as the server wants it
	next     time.Duration // the next wait
}

func newPace(interval time.Duration) *pace {
	if interval <= 0 {
		interval = defaultInterval
	}
	interval = min(interval, maxInterval)
	return &pace{interval: interval, next: interval}
}

// goesOn sets the next wait after a failure, and reports false after one that
// ends the sign-in.
func (p *pace) goesOn(e *Error) bool {
	switch {
	case e.Code == "authorization_pending":
		p.next = p.interval
	case e.Code == "slow_down":
		p.interval = min(p.interval+slower, maxInterval)
		p.next = p.interval
	case e.Kind == KindTemporary || e.lost():
		// Section 3.5 wants failures of the line to be met with longer waits.
		p.next = min(2*p.next, maxInterval)
	default:
		return false
	}
	p.next = max(p.next, e.Wait)
	return true
}
