package profile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
)

// lookAgain is how long references are left alone after they gave nothing new:
// who asks for a token in a loop must not run a program each time.
const lookAgain = 10 * time.Second

// digest is a name for a text, from which that does not come back.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// signedIn is a sign-in with the parameters that it is made of.
type signedIn struct {
	p       *Parameters
	sources oauth.Sources
}

// renewing is a sign-in whose references are resolved again when it fails. It is
// made anew where they give something else then.
type renewing struct {
	b   *builder
	now atomic.Pointer[signedIn]

	turn   chan struct{} // holds one token: whose turn it is to look
	looked time.Time     // when nothing new was found; under turn
}

// signIn returns the sign-in of a set, and its sources.
func (b *builder) signIn(ctx context.Context) (*renewing, error) {
	r := &renewing{b: b, turn: make(chan struct{}, 1)}
	sources, err := b.sources(ctx)
	if err != nil {
		return nil, err
	}
	r.now.Store(&signedIn{p: b.p, sources: sources})
	return r, nil
}

// sources opens or makes what the flow has.
func (b *builder) sources(ctx context.Context) (oauth.Sources, error) {
	switch b.plan.Flow {
	case FlowPKCE, FlowDevice, FlowPinned:
		return b.grant(ctx)
	default:
		return b.app()
	}
}

// For implements [oauth.Sources].
func (r *renewing) For(resource string) oauth.TokenSource { return &renewingSource{r, resource} }

// grant returns the grant that it is, nil where a program signs in.
func (r *renewing) grant() *oauth.Grant {
	g, _ := r.now.Load().sources.(*oauth.Grant)
	return g
}

// Facts is what is known of the grant, for checks.
func (r *renewing) Facts(ctx context.Context) (oauth.GrantFacts, error) {
	if g := r.grant(); g != nil {
		return g.Facts(ctx)
	}
	return oauth.GrantFacts{}, fmt.Errorf("profile: no grant is kept: %w", errors.ErrUnsupported)
}

// String returns who signs in.
func (r *renewing) String() string { return fmt.Sprint(r.now.Load().sources) }

// Format implements [fmt.Formatter]: every verb prints String.
func (r *renewing) Format(s fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = s.Write([]byte(r.String()))
}

// renewed reports whether there is another sign-in than before: somebody made
// it, or the references give something new.
func (r *renewing) renewed(ctx context.Context, before *signedIn) (bool, error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-r.turn }()
	if r.now.Load() != before {
		return true, nil
	}
	if !r.looked.IsZero() && time.Since(r.looked) < lookAgain {
		return false, nil
	}
	b := *r.b
	b.plan = r.b.plan.clone()
	next, changed, err := b.again(ctx, before.p)
	if err != nil || !changed {
		r.looked = time.Now()
		return false, err
	}
	r.looked = time.Time{}
	r.now.Store(next)
	return true, nil
}

// again resolves the references anew, and makes the sign-in where they changed.
func (b *builder) again(ctx context.Context, before *Parameters) (*signedIn, bool, error) {
	if err := b.resolve(ctx); err != nil {
		return nil, false, err
	}
	if reflect.DeepEqual(b.p, before) {
		return nil, false, nil
	}
	if err := b.settings(); err != nil {
		return nil, false, err
	}
	if b.plan.OAuth != nil {
		var err error
		if b.plan.OAuth, err = b.config(ctx); err != nil {
			return nil, false, err
		}
	}
	b.configure()
	sources, err := b.sources(ctx)
	if err != nil {
		return nil, false, err
	}
	return &signedIn{p: b.p, sources: sources}, true, nil
}

// renewingSource is the source of one resource.
type renewingSource struct {
	r        *renewing
	resource string
}

// Token implements [oauth.TokenSource].
func (s *renewingSource) Token(ctx context.Context) (*oauth.Token, error) {
	before := s.r.now.Load()
	t, err := before.sources.For(s.resource).Token(ctx)
	if err == nil || !failed(ctx, err) {
		return t, err
	}
	if again, other := s.r.renewed(ctx, before); !again {
		return nil, joined(err, other)
	}
	return s.r.now.Load().sources.For(s.resource).Token(ctx)
}

// Invalidate implements [oauth.Invalidator].
func (s *renewingSource) Invalidate(ctx context.Context, t *oauth.Token) error {
	before := s.r.now.Load()
	i, ok := before.sources.For(s.resource).(oauth.Invalidator)
	if !ok {
		return nil
	}
	err := i.Invalidate(ctx, t)
	if err == nil || !failed(ctx, err) {
		return err
	}
	if again, other := s.r.renewed(ctx, before); !again {
		return joined(err, other)
	}
	return nil
}

// failed reports whether a sign-in has failed, so that trying again does not
// help as long as everything is as it is.
func failed(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !oauth.Temporary(err)
}

// joined returns why a sign-in failed, and why looking again did not help.
func joined(err, other error) error {
	if other == nil {
		return err
	}
	return fmt.Errorf("%w; its references were looked at again: %w", err, other)
}

// password is a password that is resolved again when a server refuses it.
type password struct {
	b    *builder
	now  atomic.Pointer[secret.Text]
	turn chan struct{}
}

func (b *builder) password() *password {
	p := &password{b: b, turn: make(chan struct{}, 1)}
	p.now.Store(&b.p.Password.literal)
	return p
}

// Password implements [session.PasswordSource].
func (p *password) Password(ctx context.Context, refused secret.Text) (secret.Text, error) {
	if refused.IsZero() || p.b.original.Password.reference == "" {
		return *p.now.Load(), nil
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return secret.Text{}, ctx.Err()
	}
	defer func() { <-p.turn }()
	if now := *p.now.Load(); !now.Equal(refused) {
		return now, nil // Somebody else has looked already.
	}
	value, err := p.b.opts.lookup(ctx, setPath(p.b.plan.Name)+"/password", p.b.original.Password.reference)
	if err == nil {
		p.now.Store(&value)
	}
	return value, err
}
