package ews_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

const asksForProof = "WWW-Authenticate: NTLM TlRM"

// TestNTLMWhereConnectionsEnd: a connection that ends at the answer which asks to sign
// in is replaced, and the handshake gone on with from its beginning. What ends each one
// in the midst of it is told. The password is shown once a way.
func TestNTLMWhereConnectionsEnd(t *testing.T) {
	closes := func(answer string) string { return with(answer, "Connection: close") }
	breaks := func(string) string { return "" }
	refusal := func(answer string) bool {
		return strings.HasPrefix(answer, "HTTP/1.1 401") && !strings.Contains(answer, asksForProof)
	}
	midst := func(answer string) bool { return strings.Contains(answer, asksForProof) }
	for name, tt := range map[string]struct {
		at      func(answer string) bool
		times   int
		end     func(answer string) string
		wanted  []string
		dials   int
		problem string
	}{
		"at the refusal":                 {refusal, 1, closes, nil, 2, ""},
		"at each refusal":                {refusal, 99, closes, nil, 2, ""},
		"at the refusal, NTLM alone":     {refusal, 99, closes, []string{ews.NTLM}, 1, ""},
		"once in the midst":              {midst, 1, closes, []string{ews.NTLM}, 2, ""},
		"once in the midst, unannounced": {midst, 1, breaks, []string{ews.NTLM}, 2, ""},
		"at the refusal and in the midst": {
			func(answer string) bool { return refusal(answer) || midst(answer) }, 2, closes, nil, 3, "",
		},
		"twice in the midst": {midst, 2, closes, []string{ews.NTLM}, 2, "between"},
		"always":             {func(answer string) bool { return strings.HasPrefix(answer, "HTTP/1.1 401") }, 99, closes, nil, 3, "between"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left := tt.times
				lb := &between{answer: func(answer, _ string) string {
					if left == 0 || !tt.at(answer) {
						return answer
					}
					left--
					return tt.end(answer)
				}}
				b := newBed(t, settings{
					server: ewstest.Options{Schemes: []string{ewstest.NTLM}},
					change: func(s *session.Server) { s.Mechanisms = tt.wanted; lb.stand(s) },
				})
				b.fill(t, 1)
				_, err := b.Count(t.Context(), session.Inbox)
				basic, proofs := lb.shown()
				if tt.problem == "" && (err != nil || proofs != 1) {
					t.Errorf("Count = %v, after %d proofs of the password; want success after one", err, proofs)
				}
				if tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem) || !strings.Contains(err.Error(), "load balancer") || proofs != 0 || session.NeedsSignIn(err) || session.Temporary(err)) {
					t.Errorf("Count = %v, after %d proofs; want an error that says what breaks NTLM and what to do, after none", err, proofs)
				}
				if lb.dials != tt.dials || basic > 1 {
					t.Errorf("%d connections were made, and %d times the password sent by Basic; want %d, and one at most", lb.dials, basic, tt.dials)
				}
			})
		})
	}
}

// TestNTLMBreaksAtTheProof: the proof of the password is not sent again unasked, and the
// error tells what may be the matter.
func TestNTLMBreaksAtTheProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lb := &between{answer: func(answer, request string) string {
			if strings.Contains(request, " TlRMTVNTUAADAAAA") {
				return ""
			}
			return answer
		}}
		b := newBed(t, settings{
			server: ewstest.Options{Schemes: []string{ewstest.NTLM}},
			change: func(s *session.Server) { s.Mechanisms = []string{ews.NTLM}; lb.stand(s) },
		})
		_, err := b.Count(t.Context(), session.Inbox)
		if _, proofs := lb.shown(); proofs != 1 || !session.Temporary(err) || !strings.Contains(err.Error(), "in the midst of the handshake of NTLM") {
			t.Errorf("Count = %v, after %d proofs; want a lost connection after one", err, proofs)
		}
	})
}

// TestNTLMWhereTheServerIsBusy: what passes, at any step, is waited for, and is no refusal
// of a password that was not shown.
func TestNTLMWhereTheServerIsBusy(t *testing.T) {
	for _, status := range []string{"503 Service Unavailable", "502 Bad Gateway", "429 Too Many Requests"} {
		synctest.Test(t, func(t *testing.T) {
			busy := true
			lb := &between{answer: func(text, request string) string {
				if busy && strings.Contains(request, " TlRMTVNTUAABAAAA") {
					busy = false
					return "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n"
				}
				return text
			}}
			b := newBed(t, settings{
				server: ewstest.Options{Schemes: []string{ewstest.NTLM}},
				change: func(s *session.Server) { s.Mechanisms = []string{ews.NTLM}; lb.stand(s) },
			})
			if _, err := b.Count(t.Context(), session.Inbox); err != nil {
				t.Errorf("after one %s: Count = %v", status, err)
			}
			if _, proofs := lb.shown(); proofs != 1 {
				t.Errorf("after one %s the password was proven %d times, want once", status, proofs)
			}
		})
	}
}

// TestSpellingsOfChallenges: however a server writes down that it wants NTLM.
func TestSpellingsOfChallenges(t *testing.T) {
	for name, tt := range map[string]struct{ offer, scheme string }{
		"in small letters":  {"ntlm", "ntlm"},
		"in one line":       {`Digest realm="x, y", Negotiate, NTLM`, "NTLM"},
		"as Negotiate":      {"Negotiate", "Negotiate"},
		"as negotiate, too": {`Newauth realm="NTLM", negotiate`, "negotiate"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lb := &between{
					request: func(text string) string {
						if !strings.EqualFold(tt.scheme, ewstest.NTLM) {
							text = strings.Replace(text, "Authorization: NTLM ", "Authorization: Other ", 1)
						}
						return strings.Replace(text, "Authorization: Negotiate ", "Authorization: NTLM ", 1)
					},
					answer: func(answer, _ string) string {
						answer = strings.Replace(answer, "WWW-Authenticate: NTLM\r\n", "WWW-Authenticate: "+tt.offer+"\r\n", 1)
						return strings.Replace(answer, "WWW-Authenticate: NTLM ", "WWW-Authenticate: "+tt.scheme+" ", 1)
					},
				}
				b := newBed(t, settings{server: ewstest.Options{Schemes: []string{ewstest.NTLM}}, change: lb.stand})
				b.fill(t, 1)
				for range 2 {
					if counts, err := b.Count(t.Context(), session.Inbox); err != nil || counts.Messages != 1 {
						t.Fatalf("Count = %v, %v; want one message", counts, err)
					}
				}
				if _, proofs := lb.shown(); proofs != 1 || lb.dials != 1 {
					t.Errorf("%d proofs over %d connections, want one over one", proofs, lb.dials)
				}
			})
		})
	}
}

// TestStrayRefusals: web servers refuse a request now and then for reasons that pass. It
// is signed in anew over the same connection and goes on, and those behind it go as
// before.
func TestStrayRefusals(t *testing.T) {
	for name, before := range map[string]int{"at the first request": 0, "in the midst": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, lb := newForgetfulBed(t, nil)
				b.listOne(t, before)
				b.server.Inject(mailtest.Refuse("FindItem"))
				b.listOne(t, 3)
				if lb.dials != 1 || lb.asks != 2 || lb.proofs != 2 {
					t.Errorf("%d connections, asked %d times for %d proofs; want one connection, signed in on it twice", lb.dials, lb.asks, lb.proofs)
				}
				b.server.Inject(mailtest.Refuse("FindItem"))
				b.listOne(t, 3)
				if lb.dials != 1 || lb.proofs != 3 {
					t.Errorf("after another one: %d connections, %d proofs; want one, and one more proof", lb.dials, lb.proofs)
				}
			})
		})
	}
}

// TestNTLMAtEachRequest: a server that always forgets who is on a connection is told with
// each request over the same one, without another try once that is known.
func TestNTLMAtEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		b, lb := newForgetfulBed(t, func(text string) string {
			if strings.HasPrefix(text, "POST ") && !strings.Contains(text, "\r\nAuthorization: ") {
				refused++
				text = strings.Replace(text, "\r\n", "\r\nAuthorization: NTLM none\r\n", 1)
			}
			return text
		})
		b.listOne(t, 5)
		passed := 0
		for _, r := range b.server.Requests() {
			if r.Status == http.StatusOK {
				passed++
			}
		}
		if lb.dials != 1 || lb.asks != passed || lb.proofs != passed {
			t.Errorf("%d connections, asked %d times for %d proofs of %d requests; want one connection, and one for each", lb.dials, lb.asks, lb.proofs, passed)
		}
		if refused != 2 {
			t.Errorf("%d requests went without a proof; want two, after which the server is known", refused)
		}
	})
}

// newForgetfulBed returns a client that signs in by NTLM to a mailbox of one message,
// and what stands in between.
func newForgetfulBed(t *testing.T, hears func(text string) string) (*bed, *between) {
	t.Helper()
	lb := &between{request: hears}
	b := newBed(t, settings{
		server: ewstest.Options{Schemes: []string{ewstest.NTLM}},
		change: func(s *session.Server) { s.Mechanisms = []string{ews.NTLM}; lb.stand(s) },
	})
	b.fill(t, 1)
	return b, lb
}

// listOne lists a mailbox of one message some times.
func (b *bed) listOne(t *testing.T, times int) {
	t.Helper()
	for n := range times {
		if subjects, _, err := b.list(t.Context(), session.Query{}); err != nil || len(subjects) != 1 {
			t.Fatalf("listing %d: %q, %v; want one message", n, subjects, err)
		}
	}
}

// TestWrongPasswordsAreShownOnce: accounts are locked after a few. However many
// operations begin at the same time, one of them shows the password, once a way.
func TestWrongPasswordsAreShownOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		offered, wanted []string
		basic, proofs   int
		words           string
	}{
		"Basic and NTLM":   {[]string{ewstest.NTLM, ewstest.Basic}, nil, 1, 0, `DOMAIN\user`},
		"NTLM":             {[]string{ewstest.NTLM}, nil, 1, 1, "Extended Protection"},
		"NTLM as asked":    {[]string{ewstest.NTLM, ewstest.Basic}, []string{ews.NTLM}, 0, 1, "Extended Protection"},
		"Bearer alone":     {[]string{ewstest.Bearer}, nil, 1, 0, "OAuth"},
		"Basic, not asked": {[]string{ewstest.Basic}, []string{ews.NTLM}, 0, 0, "Server.Mechanisms"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lb := &between{}
				b := newBed(t, settings{
					server: ewstest.Options{Schemes: tt.offered},
					creds:  session.Credentials{User: ann, Password: secret.New("wrong horse")},
					change: func(s *session.Server) { s.Mechanisms = tt.wanted; lb.stand(s) },
				})
				b.server.Inject(mailtest.Delay(ewstest.SignIn, time.Second))
				for i, err := range b.together(t.Context(), 20) { // over four connections
					if !session.NeedsSignIn(err) || !strings.Contains(err.Error(), tt.words) {
						t.Errorf("operation %d: %v; want an AuthError that has %q", i, err, tt.words)
					}
				}
				if basic, proofs := lb.shown(); basic != tt.basic || proofs != tt.proofs {
					t.Errorf("the password went %d times by Basic and %d times by NTLM, want %d and %d", basic, proofs, tt.basic, tt.proofs)
				}
			})
		})
	}
}

// together counts messages several times at the same time.
func (b *bed) together(ctx context.Context, n int) []error {
	all := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, all[i] = b.Count(ctx, session.Inbox) })
	}
	wg.Wait()
	return all
}

// vault looks after a password that changes.
type vault struct{ now, next secret.Text }

func (v *vault) Password(_ context.Context, refused secret.Text) (secret.Text, error) {
	if !refused.IsZero() {
		v.now = v.next
	}
	return v.now, nil
}

// TestChangedPassword: where the password is changed in the midst of things, the old
// one goes once with a request and once to make sure, however many connections there
// are, and then the new one is asked for.
func TestChangedPassword(t *testing.T) {
	for _, scheme := range []string{ewstest.Basic, ewstest.NTLM} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lb := &between{}
				b := newBed(t, settings{
					server: ewstest.Options{Schemes: []string{scheme}},
					creds:  session.Credentials{User: ann, Passwords: &vault{now: password(), next: secret.New("new horse")}},
					change: lb.stand,
				})
				b.fill(t, 1)
				b.server.Inject(mailtest.Delay("GetFolder", time.Second).Repeating(20))
				if err := errors.Join(b.together(t.Context(), 4)...); err != nil || lb.dials != 4 {
					t.Fatalf("four operations over %d connections: %v; want four", lb.dials, err)
				}
				b.server.Heal()
				b.account.SetPassword(secret.New("new horse"))
				lb.basic, lb.proofs = 0, 0
				if scheme == ewstest.NTLM {
					b.server.Disconnect() // else the connections stay signed in
				}
				if _, err := b.Count(t.Context(), session.Inbox); err != nil {
					t.Fatalf("once the password was changed: %v", err)
				}
				b.server.Inject(mailtest.Delay("GetFolder", time.Second).Repeating(20))
				if err := errors.Join(b.together(t.Context(), 4)...); err != nil {
					t.Fatalf("over the other connections: %v", err)
				}
				if basic, proofs := lb.shown(); scheme == ewstest.NTLM && (basic != 0 || proofs > 2+3) {
					t.Errorf("the password went %d times by Basic and %d times by NTLM", basic, proofs)
				}
				if refusals := b.asked(ewstest.SignIn); scheme == ewstest.Basic && refusals != 2 {
					t.Errorf("the old password was refused %d times, want twice", refusals)
				}
			})
		})
	}
}

// TestPasswordChangedAtRest: where the password is changed while there is no connection,
// the old one goes once, however many operations begin then.
func TestPasswordChangedAtRest(t *testing.T) {
	for _, scheme := range []string{ewstest.Basic, ewstest.NTLM} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lb := &between{}
				b := newBed(t, settings{
					server: ewstest.Options{Schemes: []string{scheme}}, client: ews.Options{IdleTimeout: time.Minute}, change: lb.stand,
				})
				if _, err := b.Count(t.Context(), session.Inbox); err != nil {
					t.Fatal(err)
				}
				later(2 * time.Minute)
				b.account.SetPassword(secret.New("new horse"))
				b.server.Inject(mailtest.Delay(ewstest.SignIn, time.Second))
				lb.basic, lb.proofs = 0, 0
				for i, err := range b.together(t.Context(), 8) {
					if !session.NeedsSignIn(err) {
						t.Errorf("operation %d: %v; want an AuthError", i, err)
					}
				}
				if basic, proofs := lb.shown(); basic+proofs != 1 {
					t.Errorf("the old password went %d times by Basic and %d times by NTLM, want once", basic, proofs)
				}
			})
		})
	}
}

// TestHTTP2IsNotOffered: settings of TLS that a program has for HTTP/2 do not lead to it.
func TestHTTP2IsNotOffered(t *testing.T) {
	w := newWeb(t)
	s := w.authority.Server()
	s.NextProtos = []string{"h2", "http/1.1"}
	b := newBed(t, settings{
		server: ewstest.Options{Schemes: []string{ewstest.NTLM}, Security: mailtest.TLS, TLS: s},
		change: func(s *session.Server) {
			s.Host, s.Security, s.TLS = mail, session.TLS, w.authority.Client()
			s.TLS.NextProtos = []string{"h2"}
			s.TLS.VerifyConnection = func(state tls.ConnectionState) error {
				if state.NegotiatedProtocol == "h2" {
					t.Error("HTTP/2 is agreed upon")
				}
				return nil
			}
		},
	})
	if _, err := b.Count(t.Context(), session.Inbox); err != nil {
		t.Errorf("Count = %v", err)
	}
}

// TestOwnAuthority: a certificate that this machine does not trust says what to do.
func TestOwnAuthority(t *testing.T) {
	w := newWeb(t)
	b := newBed(t, settings{
		server: ewstest.Options{Security: mailtest.TLS, TLS: w.authority.Server()},
		change: func(s *session.Server) { s.Host, s.Security = mail, session.TLS },
	})
	if _, err := b.Count(t.Context(), session.Inbox); err == nil || !strings.Contains(err.Error(), "TLS.RootCAs") {
		t.Errorf("Count = %v, want the remedy", err)
	}
	w.servers[auto+":443"] = func(ctx context.Context) (net.Conn, error) { return b.server.Dial(ctx, "tcp", auto) }
	o := w.options()
	o.TLS = nil
	if _, err := ews.Discover(t.Context(), mailbox, o); err == nil || !strings.Contains(err.Error(), "TLS.RootCAs") {
		t.Errorf("Discover = %v, want the remedy", err)
	}
}
