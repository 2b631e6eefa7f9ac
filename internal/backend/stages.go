package backend

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// Checked is what a check of a backend is about.
type Checked struct {
	// Backend is the protocol, such as "imap".
	Backend string
	// Server is where it is, and Address its "host:port".
	Server      session.Server
	Address     string
	Credentials session.Credentials
	// After are the stages that follow the sign-in.
	After []session.Stage
	// Remedy says what to do about an error that the protocol knows, "" where it
	// knows nothing better than what is said for all protocols. It may be nil.
	Remedy func(err error) string
}

// Check runs f, which connects, signs in and goes on in the way of real use, and
// reports what became of each stage. On their way f and what it calls find the
// [Stages] in the context.
func (c Checked) Check(ctx context.Context, f func(ctx context.Context) error) session.Report {
	s := &Stages{checked: c, current: -1}
	s.report = session.Report{
		Backend: c.Backend, Server: c.Address, User: c.Credentials.User, Began: time.Now(),
	}
	for _, name := range c.stages() {
		s.report.Stages = append(s.report.Stages, session.StageReport{Stage: name})
	}
	err := f(context.WithValue(wire.WithTrace(ctx, s.trace()), stagesKey{}, s))
	return s.finish(ctx, err)
}

// stages returns all stages in the order in which they are reached.
func (c Checked) stages() []session.Stage {
	var all []session.Stage
	if c.Credentials.Tokens != nil {
		all = append(all, session.StageToken)
	}
	all = append(all, session.StageDNS, session.StageConnect)
	if c.Server.Security == session.STARTTLS {
		all = append(all, session.StageGreeting, session.StageTLS)
	} else {
		all = append(all, session.StageTLS, session.StageGreeting)
	}
	return slices.Concat(all, []session.Stage{session.StageCapabilities, session.StageSignIn}, c.After)
}

// Stages writes down how a check goes. Real use has none: the methods of a nil
// *Stages do nothing.
type Stages struct {
	checked Checked

	mu      sync.Mutex
	report  session.Report
	current int       // the stage under way, -1 where there is none
	since   time.Time // when it was entered
	dialing bool
	token   *oauth.Token  // that the sign-in uses
	shared  []secret.Text // all that the server was sent
	over    bool          // what is told from now on comes too late
}

type stagesKey struct{}

// StagesOf returns the Stages of the check that ctx belongs to, nil where it
// belongs to none.
func StagesOf(ctx context.Context) *Stages {
	s, _ := ctx.Value(stagesKey{}).(*Stages)
	return s
}

// Enter begins a stage. The one that was under way has passed.
func (s *Stages) Enter(stage session.Stage) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(stage, session.CheckPassed)
}

// enter ends the stage under way with an outcome and begins another.
func (s *Stages) enter(stage session.Stage, outcome session.CheckOutcome) {
	s.leave(outcome)
	s.current = s.index(stage)
	s.since = time.Now()
}

func (s *Stages) leave(outcome session.CheckOutcome) {
	if s.over || s.current < 0 {
		return
	}
	r := &s.report.Stages[s.current]
	r.Took += time.Since(s.since)
	r.Outcome = outcome
	s.current = -1
}

func (s *Stages) index(stage session.Stage) int {
	return slices.IndexFunc(s.report.Stages, func(r session.StageReport) bool { return r.Stage == stage })
}

// Detail tells something about a stage, in the place of what was told under the
// same name before. An empty value tells nothing.
func (s *Stages) Detail(stage session.Stage, name, value string) {
	if s == nil || value == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detail(stage, name, value)
}

func (s *Stages) detail(stage session.Stage, name, value string) {
	i := s.index(stage)
	if i < 0 || s.over {
		return
	}
	r := &s.report.Stages[i]
	for j := range r.Details {
		if r.Details[j].Name == name {
			r.Details[j].Value = value
			return
		}
	}
	r.Details = append(r.Details, session.Detail{Name: name, Value: value})
}

// Warn tells what should be looked at, in a sentence.
func (s *Stages) Warn(stage session.Stage, sentence string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warn(stage, sentence)
}

func (s *Stages) warn(stage session.Stage, sentence string) {
	i := s.index(stage)
	if i < 0 || s.over || slices.Contains(s.report.Stages[i].Warnings, sentence) {
		return
	}
	s.report.Stages[i].Warnings = append(s.report.Stages[i].Warnings, sentence)
}

// Skip says that there is nothing to do at a stage, and why.
func (s *Stages) Skip(stage session.Stage, why string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index(stage); i >= 0 && !s.over {
		s.report.Stages[i].Outcome = session.CheckSkipped
		s.detail(stage, "reason", why)
	}
}

// issued takes note of the token that the sign-in uses.
func (s *Stages) issued(t *oauth.Token) {
	if s == nil || t == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = t
	s.shared = append(s.shared, t.AccessToken)
	if !t.Expiry.IsZero() {
		s.detail(session.StageToken, "expires", t.Expiry.UTC().Format(time.RFC3339))
	}
}

// told notes a password that the server is told, to keep it out of the report.
func (s *Stages) told(password secret.Text) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared = append(s.shared, password)
}

// again says that the server refused the token, and that another one is asked
// for.
func (s *Stages) again(err error) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current >= 0 {
		s.warn(s.report.Stages[s.current].Stage, "The first token was refused, and a fresh one asked for: "+oneLine(err.Error()))
	}
	s.enter(session.StageToken, session.CheckNotReached)
}

// trace follows the making of the connection.
func (s *Stages) trace() *wire.Trace {
	locked := func(f func()) {
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
	}
	whileDialing := func(f func()) {
		locked(func() {
			if s.dialing {
				f()
			}
		})
	}
	return &wire.Trace{
		Begin: func(stage wire.Stage) {
			locked(func() {
				s.dialing = stage == wire.StageDial
				if s.dialing {
					s.enter(session.StageConnect, session.CheckPassed)
				} else if i := s.index(session.StageTLS); s.current != i {
					s.enter(session.StageTLS, session.CheckPassed)
				}
			})
		},
		Resolving: func(host string) { whileDialing(func() { s.resolving(host) }) },
		Resolved:  func(found []net.IPAddr, err error) { whileDialing(func() { s.resolved(found, err) }) },
		Tried:     func(address string, err error) { whileDialing(func() { s.tried(address, err) }) },
		Connected: func(nc net.Conn) { whileDialing(func() { s.connected(nc) }) },
		Secured:   func(state tls.ConnectionState) { locked(func() { s.secured(state) }) },
	}
}

func (s *Stages) resolving(host string) {
	s.enter(session.StageDNS, session.CheckNotReached)
	s.detail(session.StageDNS, "name", host)
}

// resolved goes on to connecting where there is an address; where there is none,
// the dialler is about to give up.
func (s *Stages) resolved(found []net.IPAddr, err error) {
	if err != nil {
		return
	}
	addresses := make([]string, len(found))
	for i, a := range found {
		addresses[i] = a.String()
	}
	s.detail(session.StageDNS, "addresses", listed(addresses))
	s.enter(session.StageConnect, session.CheckPassed)
}

// tried remembers the addresses that do not answer. Which of several is used may
// differ from one call to the next.
func (s *Stages) tried(address string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		s.warn(session.StageConnect, fmt.Sprintf("The address %s does not answer: %s", address, oneLine(err.Error())))
	}
}

func (s *Stages) connected(nc net.Conn) {
	s.dialing = false
	if s.current != s.index(session.StageConnect) {
		s.enter(session.StageConnect, session.CheckNotReached)
	}
	if a := nc.RemoteAddr(); a != nil && a.String() != "" {
		s.detail(session.StageConnect, "peer", a.String())
	}
}

// finish closes the report.
func (s *Stages) finish(ctx context.Context, err error) session.Report {
	facts := s.grantFacts(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.fail(err)
	}
	s.leave(session.CheckPassed)
	s.skipped()
	s.diagnose(facts)
	s.report.Took = time.Since(s.report.Began)
	s.mask()
	s.over = true
	r := s.report
	r.Stages = slices.Clone(r.Stages)
	return r
}

// fail ends the stage under way, and with it the check. An error from before the
// first stage is the first stage's.
func (s *Stages) fail(err error) {
	s.current = max(s.current, 0)
	if _, unknown := errors.AsType[*net.DNSError](err); unknown && s.report.Stages[s.current].Stage == session.StageConnect {
		s.enter(session.StageDNS, session.CheckNotReached) // a dial function of the settings asked for the name
	}
	if s.since.IsZero() {
		s.since = s.report.Began
	}
	for i := range s.report.Stages[s.current+1:] {
		s.report.Stages[s.current+1+i].Outcome = session.CheckNotReached
	}
	r := &s.report.Stages[s.current]
	r.Err = err
	r.Remedy = sentence(s.checked.remedy(r.Stage, err))
	s.describe(r.Stage, err)
	s.leave(session.CheckFailed)
}

// skipped marks the stages that were passed over.
func (s *Stages) skipped() {
	last := len(s.report.Stages)
	if i := slices.IndexFunc(s.report.Stages, func(r session.StageReport) bool { return r.Outcome == session.CheckFailed }); i >= 0 {
		last = i
	}
	for i := range s.report.Stages[:last] {
		r := &s.report.Stages[i]
		if r.Outcome == session.CheckNotReached {
			r.Outcome = session.CheckSkipped
			s.detail(r.Stage, "reason", s.checked.whySkipped(r.Stage))
		}
	}
}

// whySkipped says why there was nothing to do at a stage.
func (c Checked) whySkipped(stage session.Stage) string {
	switch stage {
	case session.StageDNS:
		switch {
		case c.Server.Dial != nil:
			return "the settings have a function that connects"
		case net.ParseIP(c.Server.Host) != nil:
			return "the host is an address"
		}
		return "the proxy looks the name up"
	case session.StageTLS:
		return "the settings want no encryption"
	case session.StageSignIn:
		if c.Credentials.Tokens == nil && c.Credentials.Passwords == nil && c.Credentials.Password.IsZero() {
			return "there are no credentials"
		}
		return "the server takes the connection for signed in"
	default:
		return "there is nothing to do"
	}
}

// describe tells what errors know besides their words.
func (s *Stages) describe(stage session.Stage, err error) {
	tell := func(name, value string) {
		if value != "" {
			s.detail(stage, name, value)
		}
	}
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		tell("authorization server", e.Server)
		tell("oauth kind", e.Kind.String())
		tell("oauth error", strings.TrimSpace(e.Code+" "+e.Suberror))
		tell("oauth number", e.VendorCode)
		tell("correlation id", e.CorrelationID)
		tell("page", e.Page())
	}
	if e, ok := errors.AsType[*session.AuthError](err); ok {
		tell("mechanism", e.Mechanism)
		tell("status", e.Status)
		tell("schemes", e.Schemes)
		tell("scope", e.Scope)
		tell("challenge", e.Challenge)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(e.UnverifiedCertificates) > 0 {
		s.certificate(e.UnverifiedCertificates)
	}
	if d := session.RetryAfter(err); d > 0 {
		tell("wait", d.String())
	}
	if session.Temporary(err) {
		tell("temporary", strconv.FormatBool(true))
	}
}

// grantFacts returns what the grant knows of itself, nil where there is none or
// where it cannot tell.
func (s *Stages) grantFacts(ctx context.Context) *oauth.GrantFacts {
	g, ok := s.checked.Credentials.Tokens.(interface {
		Facts(ctx context.Context) (oauth.GrantFacts, error)
	})
	if !ok || ctx.Err() != nil {
		return nil
	}
	facts, err := g.Facts(ctx)
	if err != nil {
		return nil
	}
	return &facts
}

// diagnose adds what is odd about the token and the grant: everything where the
// mailbox did not open, what will be odd where it did.
func (s *Stages) diagnose(facts *oauth.GrantFacts) {
	if s.checked.Credentials.Tokens == nil {
		return
	}
	want := oauth.Expectation{Grant: facts}
	at := session.StageToken
	failed, _ := s.report.Failed()
	_, refused := errors.AsType[*session.AuthError](failed.Err)
	if refused {
		at = failed.Stage
		want.Resource, want.User, want.Answer = s.checked.Server.Resource, s.checked.Credentials.User, failed.Err.Error()
	}
	for _, f := range oauth.Diagnose(s.token, want) {
		if f.Severity == oauth.SeverityNote || f.Code == oauth.FindingNoToken || !refused && !ofGrant(f.Code) {
			continue
		}
		s.warn(at, strings.TrimSpace(f.Sentence+" "+f.Remedy))
	}
}

// ofGrant reports whether a finding is about the grant and not about one token.
func ofGrant(code oauth.FindingCode) bool {
	return slices.Contains([]oauth.FindingCode{
		oauth.FindingPartialConsent, oauth.FindingNeedsSignIn, oauth.FindingNotRefreshable,
		oauth.FindingTesting, oauth.FindingGrantEnds, oauth.FindingIdle,
	}, code)
}
