package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// report is one that failed, of a server whose words try to look like the
// report's own.
func report() session.Report {
	return session.Report{
		Backend: "imap", Server: "imap.example.com:993", User: "ann@example.com",
		Began: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), Took: 1234567 * time.Microsecond,
		Stages: []session.StageReport{
			{Stage: session.StageDNS, Outcome: session.CheckSkipped, Details: []session.Detail{{Name: "reason", Value: "the host is an address"}}},
			{Stage: session.StageTLS, Outcome: session.CheckPassed, Took: 12345 * time.Microsecond, Warnings: []string{"The certificate expires in 3 days."}},
			{
				Stage: session.StageSignIn, Outcome: session.CheckFailed, Took: 1234 * time.Microsecond,
				Err: errors.New("server answered NO\r\n  passed       sign-in\x1b[2J"), Remedy: "Check the password.",
			},
			{Stage: session.StageFolder},
		},
	}
}

func TestReportAsATable(t *testing.T) {
	const want = `imap imap.example.com:993 as ann@example.com, 2026-02-03 04:05:06 UTC, 1.235s
  skipped      dns
      reason: the host is an address
  passed       tls           12ms
      warning: The certificate expires in 3 days.
  failed       sign-in       1.23ms
      error: server answered NO    passed       sign-in[2J
      remedy: Check the password.
  not reached  folder
`
	if got := report().String(); got != want {
		t.Errorf("String() =\n%s\nwant\n%s", got, want)
	}
	r := session.Report{User: "ann", Began: report().Began, Unchecked: errors.New("it sends\r\nnothing")}
	if got, want := r.String(), "not checked: it sends  nothing\n"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	for _, tt := range []struct {
		in, out session.Report
		want    string
	}{
		{report(), r, want + "\nthe way out is not checked: it sends  nothing\n"},
		{r, report(), "the way in is not checked: it sends  nothing\n\n" + want},
	} {
		if got := (session.Checkup{Incoming: tt.in, Outgoing: tt.out}).String(); got != tt.want {
			t.Errorf("String() =\n%s\nwant\n%s", got, tt.want)
		}
	}
}

func TestReportAsJSON(t *testing.T) {
	b, err := json.Marshal(session.Checkup{Incoming: report(), Outgoing: session.Report{Unchecked: errors.New("no way out")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"failed":"sign-in"`, `"took_ms":1234.567`, `"outcome":"not reached"`, `"details":[{"name":"reason","value":"the host is an address"}]`,
		`"warnings":["The certificate expires in 3 days."]`, `"remedy":"Check the password."`, `"unchecked":"no way out"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the JSON lacks %s: %s", want, b)
		}
	}
	var back session.Checkup
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || string(again) != string(b) {
		t.Errorf("read back and written again: %s, %v, want %s", again, err, b)
	}
	if !reflect.DeepEqual(back.Incoming.String(), report().String()) {
		t.Errorf("read back: %v, want %v", back.Incoming, report())
	}
	var o session.CheckOutcome
	if err := o.UnmarshalText([]byte("perhaps")); err == nil {
		t.Error("the outcome perhaps is taken")
	}
	if _, err := session.CheckOutcome(7).MarshalText(); err == nil {
		t.Error("an outcome that does not exist is written")
	}
}

func TestReportTellsWhatFailed(t *testing.T) {
	r := report()
	if s, ok := r.Failed(); !ok || s.Stage != session.StageSignIn {
		t.Errorf("Failed() = %v, %v, want the sign-in", s, ok)
	}
	e, ok := errors.AsType[*session.CheckError](r.Err())
	if !ok || e.Stage != session.StageSignIn || !errors.Is(e, r.Stages[2].Err) || !strings.HasPrefix(e.Error(), "imap check: sign-in: ") {
		t.Errorf("Err() = %v, want a CheckError of the sign-in", r.Err())
	}
	if s, ok := r.Stage(session.StageSearch); ok || s.Outcome != session.CheckNotReached {
		t.Errorf("Stage(search) = %v, %v, want none", s, ok)
	}
	if s, _ := r.Stage(session.StageDNS); s.Detail("reason") == "" || s.Detail("addresses") != "" {
		t.Errorf("the details of %v", s)
	}
	if err := (session.Checkup{}).Err(); err != nil {
		t.Errorf("nothing checked, nothing failed: Err() = %v", err)
	}
}

// slowSide is a way in and out that takes its time to check itself.
type slowSide struct {
	session.Incoming

	err error
}

func (slowSide) Send(context.Context, session.Envelope, message.Source) (session.Receipt, error) {
	return session.Receipt{}, errors.ErrUnsupported
}

func (slowSide) Close() error { return nil }

func (s slowSide) Check(_ context.Context, o *session.CheckOptions) session.Report {
	<-time.After(time.Minute)
	return session.Report{Backend: "side", Stages: []session.StageReport{{
		Stage: session.StageConnect, Outcome: session.CheckFailed, Err: s.err,
		Details: []session.Detail{{Name: "from", Value: o.From}},
	}}}
}

// mute cannot check itself.
type mute struct{ session.Outgoing }

func (mute) Close() error { return nil }

// TestSessionChecksWhatItUses: both sides at a time, as the mode allows.
func TestSessionChecksWhatItUses(t *testing.T) {
	in, out := slowSide{err: errors.New("in fails")}, slowSide{err: errors.New("out fails")}
	wayIn := func(session.Setup) (session.Incoming, error) { return in, nil }
	wayOut := func(session.Setup) (session.Outgoing, error) { return out, nil }
	for _, tt := range []struct {
		name              string
		mode              session.Mode
		in                session.IncomingBackend
		out               session.OutgoingBackend
		err               string
		uncheckedIn, away string
	}{
		{"both", session.ReadWrite, wayIn, wayOut, "side check: connect: in fails\nside check: connect: out fails", "", ""},
		{"read-only", session.ReadOnly, wayIn, wayOut, "side check: connect: in fails", "", "this session is read-only, and it sends nothing"},
		{"send-only", session.SendOnly, wayIn, wayOut, "side check: connect: out fails", "this session is send-only, and it reads nothing", ""},
		{"no way out", session.ReadWrite, wayIn, nil, "side check: connect: in fails", "", "this session is read-write, and no server to send through was given to it"},
		{"no way in, and a way out that cannot", session.ReadWrite, nil, func(session.Setup) (session.Outgoing, error) { return mute{}, nil }, "", "no server to read from was given to it", "its way out has no check"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				creds := session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")}
				s, err := session.New(creds, tt.in, tt.out, &session.Options{Mode: tt.mode})
				if err != nil {
					t.Fatal(err)
				}
				defer closeIt(t, s)
				start := time.Now()
				c := s.Check(t.Context(), &session.CheckOptions{From: "me@example.com"})
				if took := time.Since(start); took > time.Minute {
					t.Errorf("it took %v: one side after the other", took)
				}
				if got := c.Err(); (got == nil) != (tt.err == "") || got != nil && got.Error() != tt.err {
					t.Errorf("Err() = %v, want %q", got, tt.err)
				}
				for _, side := range []struct {
					report session.Report
					want   string
				}{{c.Incoming, tt.uncheckedIn}, {c.Outgoing, tt.away}} {
					got := side.report.Unchecked
					if (got == nil) != (side.want == "") || got != nil && !strings.Contains(got.Error(), side.want) {
						t.Errorf("Unchecked = %v, want %q", got, side.want)
					}
					if _, mode := errors.AsType[*session.ModeError](got); got != nil && mode == errors.Is(got, errors.ErrUnsupported) {
						t.Errorf("Unchecked = %v, want one that wraps a ModeError or ErrUnsupported", got)
					}
					if got == nil && side.report.Stages[0].Detail("from") != "me@example.com" {
						t.Error("the options did not arrive")
					}
				}
			})
		})
	}
}

func closeIt(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
