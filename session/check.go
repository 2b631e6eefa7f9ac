package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Checker goes through all that real use of a backend needs, stage by stage,
// and tells where it ends. It is a further interface of an [Incoming] and of an
// [Outgoing]; see [Session.Check].
type Checker interface {
	// Check runs on a connection of its own, in the way of every other call, and
	// stops at the first stage that fails; those behind it are CheckNotReached.
	// It changes nothing on the server. The Report has every stage that the
	// backend knows, in the order in which they are reached, and no secret. A
	// context that ends fails the stage that is under way. opts may be nil.
	Check(ctx context.Context, opts *CheckOptions) Report
}

// CheckOptions say what a check looks at besides. Nil and the zero value work.
type CheckOptions struct {
	// Folder is what the way in opens and searches. The zero folder is the
	// inbox.
	Folder FolderRef
	// From is an address that the user wants to send as. The way out names it
	// to the server and takes it back, without a message. Empty means that the
	// stage is skipped. Servers that look at the sender only when the message
	// comes say yes to every address.
	From string
}

// Stage is one step on the way to a mailbox.
type Stage string

// The stages. A report has those of its backend in the order in which they are
// reached: with STARTTLS, [StageTLS] comes behind [StageGreeting].
const (
	// StageToken gets an access token, from the grant or from its authorization
	// server. There is none where the credentials are a password.
	StageToken Stage = "token"
	// StageDNS asks for the addresses of the server, or of the proxy where
	// there is one. It is skipped where the host is an address, and where
	// Server.Dial makes the connections.
	StageDNS Stage = "dns"
	// StageConnect makes the TCP connection, through the proxy where there is
	// one.
	StageConnect Stage = "connect"
	// StageTLS encrypts it, from the first byte or by STARTTLS. It is skipped
	// where the settings want no encryption.
	StageTLS Stage = "tls"
	// StageGreeting waits for the server's first words.
	StageGreeting Stage = "greeting"
	// StageCapabilities asks what the server can do.
	StageCapabilities Stage = "capabilities"
	// StageSignIn signs in. It is skipped where there are no credentials.
	StageSignIn Stage = "sign-in"
	// StageMailbox asks for something of the mailbox: servers take a token and
	// refuse the mailbox with the next command.
	StageMailbox Stage = "mailbox"
	// StageFolder opens the folder, for reading.
	StageFolder Stage = "folder"
	// StageSearch searches in it.
	StageSearch Stage = "search"
	// StageSender asks whether the user may send as CheckOptions.From.
	StageSender Stage = "sender"
)

// CheckOutcome is how a stage ended.
type CheckOutcome int

// The outcomes of a stage.
const (
	// CheckNotReached: an earlier stage failed.
	CheckNotReached CheckOutcome = iota
	// CheckPassed: it works.
	CheckPassed
	// CheckFailed: it does not; StageReport.Err tells why.
	CheckFailed
	// CheckSkipped: there is nothing to do at this stage with these settings.
	CheckSkipped
)

// String returns "not reached", "passed", "failed" or "skipped".
func (o CheckOutcome) String() string {
	if int(o) < 0 || int(o) >= len(outcomeNames()) {
		return fmt.Sprintf("outcome %d", int(o))
	}
	return outcomeNames()[o]
}

func outcomeNames() []string { return []string{"not reached", "passed", "failed", "skipped"} }

// Detail is something worth knowing about a stage. What it is called and what it
// says are for people, but for the names that a backend documents.
type Detail struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// StageReport is what became of one stage.
type StageReport struct {
	Stage   Stage
	Outcome CheckOutcome
	// Took is how long it took, in all where a refused token made another
	// connection necessary.
	Took time.Duration
	// Details are what is worth knowing: addresses, the certificate, the
	// mechanism.
	Details []Detail
	// Warnings are sentences about what did not stop the check and should be
	// looked at: a certificate that is about to expire, what is odd about a
	// token.
	Warnings []string
	// Err says why the stage failed. It is the error of real use, so that
	// errors.As finds an [*AuthError] or the protocol's error in it.
	Err error
	// Remedy says what to do about Err next, in a sentence or two.
	Remedy string
}

// Detail returns the value of the detail of that name, "" where there is none.
func (s StageReport) Detail(name string) string {
	for _, d := range s.Details {
		if d.Name == name {
			return d.Value
		}
	}
	return ""
}

// Report is what a check found. It holds no secret: printed by String or as
// JSON it is fit for a support ticket, where it shows servers, addresses, the
// user's name and the server's own words.
type Report struct {
	// Backend is the protocol, such as "imap", and Server the "host:port".
	Backend, Server string
	// User is who signs in.
	User string
	// Began is when the check began, Took how long it took.
	Began time.Time
	Took  time.Duration
	// Stages are all stages of the backend, in their order.
	Stages []StageReport
	// Unchecked says why nothing was checked, in words for people: the session has
	// no such side, its mode does not use it, or the backend cannot check itself. It
	// wraps a [*ModeError] or [errors.ErrUnsupported], and is nil for a Report of a
	// [Checker].
	Unchecked error
}

// Stage returns the report of one stage; ok is false where the backend has no
// such stage.
func (r Report) Stage(name Stage) (s StageReport, ok bool) {
	for _, s := range r.Stages {
		if s.Stage == name {
			return s, true
		}
	}
	return StageReport{Stage: name}, false
}

// Failed returns the first stage that failed; ok is false where none did.
func (r Report) Failed() (s StageReport, ok bool) {
	for _, s := range r.Stages {
		if s.Outcome == CheckFailed {
			return s, true
		}
	}
	return StageReport{}, false
}

// Err returns a [*CheckError] for the first stage that failed, nil where none
// did. It is nil for what was not checked; see Unchecked.
func (r Report) Err() error {
	s, ok := r.Failed()
	if !ok {
		return nil
	}
	return &CheckError{Backend: r.Backend, Stage: s.Stage, Err: s.Err}
}

// CheckError says at which stage a check failed.
type CheckError struct {
	// Backend is the protocol, such as "imap".
	Backend string
	Stage   Stage
	// Err is that of the stage.
	Err error
}

// Error returns where the check failed, and why.
func (e *CheckError) Error() string {
	return fmt.Sprintf("%s check: %s: %v", e.Backend, e.Stage, e.Err)
}

// Unwrap returns the error of the stage.
func (e *CheckError) Unwrap() error { return e.Err }

// Checkup is what [Session.Check] found on both sides.
type Checkup struct {
	Incoming Report `json:"incoming"`
	Outgoing Report `json:"outgoing"`
}

// Err returns what failed, of both sides where both did, nil where nothing did.
func (c Checkup) Err() error { return errors.Join(c.Incoming.Err(), c.Outgoing.Err()) }

// Check goes through all that the session's use needs, on connections of its
// own: the way in and the way out, as far as there are such and the mode uses
// them, both at a time. What is wrong stands in the reports; see [Checkup.Err].
// Nothing is changed and nothing is sent. opts may be nil.
func (s *Session) Check(ctx context.Context, opts *CheckOptions) Checkup {
	var c Checkup
	var sides sync.WaitGroup
	sides.Go(func() { c.Incoming = s.checkIncoming(ctx, opts) })
	sides.Go(func() { c.Outgoing = s.checkOutgoing(ctx, opts) })
	sides.Wait()
	return c
}

func (s *Session) checkIncoming(ctx context.Context, opts *CheckOptions) Report {
	switch checker, ok := As[Checker](s.in); {
	case s.mode == SendOnly:
		return s.unchecked("it reads nothing", &ModeError{Mode: s.mode, Op: "check the way in"})
	case s.in == nil:
		return s.unchecked("no server to read from was given to it", errors.ErrUnsupported)
	case !ok:
		return s.unchecked("its way in has no check", errors.ErrUnsupported)
	default:
		return checker.Check(ctx, opts)
	}
}

func (s *Session) checkOutgoing(ctx context.Context, opts *CheckOptions) Report {
	switch checker, ok := As[Checker](s.out); {
	case s.mode == ReadOnly:
		return s.unchecked("it sends nothing", &ModeError{Mode: s.mode, Op: "check the way out"})
	case s.out == nil:
		return s.unchecked("no server to send through was given to it", errors.ErrUnsupported)
	case !ok:
		return s.unchecked("its way out has no check", errors.ErrUnsupported)
	default:
		return checker.Check(ctx, opts)
	}
}

// unchecked reports about a side that the session does not use, or that cannot be
// checked.
func (s *Session) unchecked(why string, cause error) Report {
	words := fmt.Sprintf("this session is %v, and %s", s.mode, why)
	return Report{User: s.user, Began: time.Now(), Unchecked: &uncheckedError{words: words, cause: cause}}
}

// uncheckedError is why a side was not checked, for people who know a session by its
// settings.
type uncheckedError struct {
	words string
	cause error
}

// Error returns the words.
func (e *uncheckedError) Error() string { return e.words }

// Unwrap returns a [*ModeError] or [errors.ErrUnsupported].
func (e *uncheckedError) Unwrap() error { return e.cause }
