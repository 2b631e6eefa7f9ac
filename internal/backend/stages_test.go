package backend_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/transcript"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// nameServer answers questions for addresses: for names that begin with "mail."
// 127.0.0.1, for all others that there is no such name. It speaks the form that
// goes over a stream (RFC 1035 section 4.2.2).
func nameServer(context.Context, string, string) (net.Conn, error) {
	client, server := pipe.New()
	go func() {
		defer server.Close()
		for {
			var length [2]byte
			if _, err := io.ReadFull(server, length[:]); err != nil {
				return
			}
			question := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(server, question); err != nil {
				return
			}
			answer := answerTo(question)
			_, _ = server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)) //nolint:gosec // G115: an answer is short
		}
	}()
	return client, nil
}

func answerTo(question []byte) []byte {
	const header = 12
	end := header
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	isA := binary.BigEndian.Uint16(question[end+1:]) == 1
	answer := append([]byte{}, question[:end+5]...)
	answer[2], answer[3] = 0x81, 0x80 // an answer, without error
	copy(answer[6:], make([]byte, 6)) // no records yet
	switch known := string(question[header+1:header+5]) == "mail"; {
	case !known:
		answer[3] |= 3 // no such name
	case isA:
		answer[7] = 1
		answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	return answer
}

// resolving is a dialler of the standard library with that name server.
func resolving() *net.Dialer {
	return &net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: nameServer}}
}

// connect checks how far a plain connection to a server comes.
func connect(t *testing.T, server session.Server) session.Report {
	t.Helper()
	c := backend.Checked{Backend: "test", Server: server, Address: server.Address(1), Credentials: session.Credentials{User: "ann", Password: secret.New("correct horse")}}
	return c.Check(t.Context(), func(ctx context.Context) error {
		w, err := wire.Dial(ctx, backend.Wire(server, backend.Ports{None: 1}, transcript.IMAP(), sasl.Credentials{}))
		if err != nil {
			return err
		}
		w.Kill(net.ErrClosed)
		stages := backend.StagesOf(ctx)
		stages.Enter(session.StageGreeting)
		stages.Enter(session.StageCapabilities)
		return nil
	})
}

// listen returns a port that takes connections until the test ends.
func listen(t *testing.T) (port int, stop func()) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port, func() { _ = l.Close() } //nolint:forcetypeassert // it listens by TCP
}

// TestNamesAndConnectionsApart: the standard library's dialler tells what it
// does, and nobody else dials.
func TestNamesAndConnectionsApart(t *testing.T) {
	port, stop := listen(t)
	server := session.Server{Host: "mail.example.com.", Port: port, Security: session.None, Dial: resolving().DialContext}
	r := connect(t, server)
	dns, _ := r.Stage(session.StageDNS)
	conn, _ := r.Stage(session.StageConnect)
	if r.Err() != nil || dns.Detail("addresses") != "127.0.0.1" || dns.Detail("name") != "mail.example.com." || !strings.HasPrefix(conn.Detail("peer"), "127.0.0.1:") {
		t.Errorf("a name and a connection:\n%v", r)
	}
	if dns.Outcome != session.CheckPassed || conn.Outcome != session.CheckPassed || r.Took < dns.Took+conn.Took {
		t.Errorf("the stages %v and %v within %v, want both passed within the whole", dns, conn, r.Took)
	}

	server.Host = "nothing.example.com."
	r = connect(t, server)
	if dns, _ := r.Stage(session.StageDNS); dns.Outcome != session.CheckFailed || !strings.Contains(dns.Remedy, "The name nothing.example.com. has no address") {
		t.Errorf("a name that does not exist:\n%v", r)
	}
	if conn, _ := r.Stage(session.StageConnect); conn.Outcome != session.CheckNotReached {
		t.Errorf("connect %v, want not reached", conn.Outcome)
	}

	stop()
	server.Host = "mail.example.com."
	r = connect(t, server)
	failed, _ := r.Failed()
	if failed.Stage != session.StageConnect || !strings.Contains(failed.Remedy, "Nothing listens there") || len(failed.Warnings) != 1 {
		t.Errorf("a port where nobody listens:\n%v", r)
	}

	server = session.Server{Host: "127.0.0.1", Port: port, Security: session.None}
	r = connect(t, server)
	if dns, _ := r.Stage(session.StageDNS); dns.Outcome != session.CheckSkipped || dns.Detail("reason") != "the host is an address" {
		t.Errorf("an address for a host: %+v", dns)
	}
}

// TestRealUseWritesNothingDown: without a check in the context there are no
// stages, and nobody has to ask.
func TestRealUseWritesNothingDown(t *testing.T) {
	s := backend.StagesOf(t.Context())
	if s != nil {
		t.Fatalf("StagesOf(a context of real use) = %v, want nil", s)
	}
	s.Enter(session.StageDNS)
	s.Detail(session.StageDNS, "name", "value")
	s.Warn(session.StageDNS, "Mind the gap.")
	s.Skip(session.StageDNS, "no")
}

// TestWhatComesTooLate: a report does not change once it is given out.
func TestWhatComesTooLate(t *testing.T) {
	var late *backend.Stages
	r := backend.Checked{Backend: "test", After: []session.Stage{session.StageFolder}}.Check(t.Context(), func(ctx context.Context) error {
		late = backend.StagesOf(ctx)
		late.Enter(session.StageFolder)
		return errors.New("no")
	})
	before := r.String()
	late.Detail(session.StageFolder, "name", "value")
	late.Warn(session.StageFolder, "Mind the gap.")
	late.Enter(session.StageDNS)
	late.Enter(session.StageConnect)
	late.Skip(session.StageFolder, "no")
	if r.String() != before {
		t.Errorf("the report became\n%v\nwant\n%s", r, before)
	}
}

// TestSecretsInEveryForm: whatever a server repeats of the credentials.
func TestSecretsInEveryForm(t *testing.T) {
	c := backend.Checked{Backend: "test", Address: "mail.example.com:993", After: []session.Stage{session.StageFolder}, Credentials: session.Credentials{
		User: "ann", Password: secret.New(`a "quoted" horse`),
	}}
	r := c.Check(t.Context(), func(ctx context.Context) error {
		s := backend.StagesOf(ctx)
		s.Enter(session.StageFolder)
		s.Detail(session.StageFolder, "plain", `a "quoted" horse`)
		s.Detail(session.StageFolder, "quoted", `LOGIN ann "a \"quoted\" horse"`)
		s.Detail(session.StageFolder, "encoded", "YSAicXVvdGVkIiBob3JzZQ==")
		s.Detail(session.StageFolder, "PLAIN", "AGFubgBhICJxdW90ZWQiIGhvcnNl")
		s.Warn(session.StageFolder, `You said: a "quoted" horse`)
		return errors.New(`no a "quoted" horse` + "\r\n  passed folder")
	})
	for _, found := range []string{"horse", "YSAicXVvdGVkIiBob3JzZQ==", "AGFubgBhICJxdW90ZWQiIGhvcnNl"} {
		if strings.Contains(r.String(), found) {
			t.Errorf("the report holds %q:\n%v", found, r)
		}
	}
	if got, want := r.Err().Error(), "test check: folder: no [redacted]  passed folder"; strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("Err() = %q, want %q", got, want)
	}
}

// TestWhatFailsInTheEnd: a stage that is entered once more may fail after all, and
// what came behind it was for nothing.
func TestWhatFailsInTheEnd(t *testing.T) {
	r := backend.Checked{Backend: "test", After: []session.Stage{session.StageFolder, session.StageSearch}}.Check(t.Context(), func(ctx context.Context) error {
		s := backend.StagesOf(ctx)
		s.Enter(session.StageFolder)
		s.Enter(session.StageSearch)
		s.Enter(session.StageFolder)
		return context.Canceled
	})
	if r.Took < 0 || r.Began.After(time.Now()) {
		t.Errorf("the check began at %v and took %v", r.Began, r.Took)
	}
	if search, _ := r.Stage(session.StageSearch); search.Outcome != session.CheckNotReached {
		t.Errorf("what comes behind a failure is %v, want not reached", search.Outcome)
	}
	if folder, _ := r.Stage(session.StageFolder); !strings.Contains(folder.Remedy, "called the check off") {
		t.Errorf("the remedy is %q", folder.Remedy)
	}
}
