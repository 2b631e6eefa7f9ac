package profile_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/preset/lookup"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/session"
)

// usersOf returns the names that each side signs in with.
func usersOf(t *testing.T, set string, o profile.Options) (in, out string) {
	t.Helper()
	t.Setenv("P", "correct horse")
	o.Incoming = map[profile.Protocol]profile.IncomingMaker{profile.IMAP: func(string, profile.Side) (session.IncomingBackend, error) {
		return func(setup session.Setup) (session.Incoming, error) {
			in = setup.Credentials.User
			return nil, nil //nolint:nilnil // nothing is read in this test
		}, nil
	}}
	o.Outgoing = map[profile.Protocol]profile.OutgoingMaker{profile.SMTP: func(string, profile.Side) (session.OutgoingBackend, error) {
		return func(setup session.Setup) (session.Outgoing, error) {
			out = setup.Credentials.User
			return nil, nil //nolint:nilnil // nothing is sent in this test
		}, nil
	}}
	if _, err := parse(t, one(set), &o).Open(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	return in, out
}

// TestAProviderMayWantAnotherNameThanTheAddress: some servers take the part of the
// address before the @ as the user's name. A user of the set's comes first, and
// another host than the provider's is spoken to as everybody's.
func TestAProviderMayWantAnotherNameThanTheAddress(t *testing.T) {
	const apple = `"provider": "icloud", "account": "ann@icloud.com", "password": "env:P"`
	for _, tt := range []struct{ set, in, out string }{
		{apple, "ann", "ann@icloud.com"},
		{`"provider": "web.de", "account": "ann@web.de", "password": "env:P"`, "ann", "ann"},
		{apple + `, "incoming": {"user": "ann.b"}, "outgoing": {}`, "ann.b", "ann@icloud.com"},
		{apple + `, "incoming": {"host": "imap.mail.me.com"}, "outgoing": {}`, "ann", "ann@icloud.com"},
		{apple + `, "incoming": {"host": "imap.example.com"}, "outgoing": {}`, "ann@icloud.com", "ann@icloud.com"},
	} {
		if in, out := usersOf(t, tt.set, profile.Options{}); in != tt.in || out != tt.out {
			t.Errorf("%s\nsigns in as %q and %q, want %q and %q", tt.set, in, out, tt.in, tt.out)
		}
	}
}

// TestAPasswordSignsInAsItsAccountWhereServersAreFound: the mailbox is opened with
// the account's password, so that the servers found by an address are signed in to
// under the account's name.
func TestAPasswordSignsInAsItsAccountWhereServersAreFound(t *testing.T) {
	o := profile.Options{Lookup: &lookup.Options{Resolver: services{}, Methods: []lookup.Method{lookup.BySRV}}}
	const set = `"account": "ann@contoso.example", "mailbox": "info@contoso.example", "password": "env:P",
		"incoming": {"user": "CONTOSO\\ann\\info"}, "outgoing": {}`
	if in, out := usersOf(t, set, o); in != `CONTOSO\ann\info` || out != ann {
		t.Errorf("the set signs in as %q and %q", in, out)
	}
}

// TestTheCaseOfAnAddressMakesNoOtherMailbox: neither a mistake beside a password,
// nor scopes for the mailboxes of others.
func TestTheCaseOfAnAddressMakesNoOtherMailbox(t *testing.T) {
	parse(t, one(`"provider": "google", "account": "ann@gmail.com", "mailbox": "Ann@Gmail.com", "password": "env:P"`), nil)
	p, err := parse(t, one(`"provider": "microsoft", "account": "ann@contoso.com", "mailbox": "Ann@Contoso.com", "clientId": "c",
		"incoming": {"protocol": "Graph"}`), nil).Plan(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range p.OAuth.Scopes {
		if strings.HasSuffix(scope, ".Shared") {
			t.Errorf("the scope %s is asked for", scope)
		}
	}
}

// services is a DNS in which every domain has mail servers of its own.
type services struct{}

// LookupMX implements [lookup.Resolver].
func (services) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// LookupSRV implements [lookup.Resolver].
func (services) LookupSRV(_ context.Context, service, _, name string) (string, []*net.SRV, error) {
	port, ok := map[string]uint16{"imaps": 993, "submissions": 465}[service]
	if !ok {
		return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return "", []*net.SRV{{Target: "mail." + name, Port: port}}, nil
}

// TestANameForThePassword: authUser goes with the password, and the mailbox, or else the
// account, is whose mail it is, on both sides and without a user of theirs. The
// credentials of a program take its place.
func TestANameForThePassword(t *testing.T) {
	t.Setenv("P", "correct horse")
	const hosts = `, "incoming": {"host": "imap.contoso.example"}, "outgoing": {"host": "smtp.contoso.example"}`
	own := session.Credentials{User: bob}
	for set, want := range map[string]session.Credentials{
		`"account": "` + ann + `", "authUser": "CONTOSO\\ann", "password": "env:P"`:                      {User: ann, AuthUser: `CONTOSO\ann`},
		`"account": "` + bob + `", "mailbox": "` + info + `", "authUser": "master", "password": "env:P"`: {User: info, AuthUser: "master"},
		`"account": "` + ann + `", "password": "env:P"`:                                                  {User: ann},
	} {
		for _, override := range []profile.Override{{}, {Credentials: &own}} {
			if override.Credentials != nil {
				want = own
			}
			var got []session.Credentials
			o := &profile.Options{
				Incoming: map[profile.Protocol]profile.IncomingMaker{profile.IMAP: func(string, profile.Side) (session.IncomingBackend, error) {
					return func(setup session.Setup) (session.Incoming, error) {
						got = append(got, setup.Credentials)
						return nil, nil //nolint:nilnil // nothing is read in this test
					}, nil
				}},
				Outgoing: map[profile.Protocol]profile.OutgoingMaker{profile.SMTP: func(string, profile.Side) (session.OutgoingBackend, error) {
					return func(setup session.Setup) (session.Outgoing, error) {
						got = append(got, setup.Credentials)
						return nil, nil //nolint:nilnil // nothing is sent in this test
					}, nil
				}},
			}
			f := parse(t, one(set+hosts), o)
			plan, err := f.Plan(t.Context(), "ann", override)
			if err != nil || plan.User != want.User || plan.AuthUser != want.AuthUser {
				t.Fatalf("%s: Plan = %+v, %v; want %q and %q", set, plan, err, want.User, want.AuthUser)
			}
			if _, err := f.Open(t.Context(), "ann", override); err != nil {
				t.Fatal(err)
			}
			for _, c := range got {
				if c.User != want.User || c.AuthUser != want.AuthUser {
					t.Errorf("%s: signs in as %q by the name %q, want %q by %q", set, c.User, c.AuthUser, want.User, want.AuthUser)
				}
			}
			if len(got) != 2 {
				t.Errorf("%s: %d sides were made, want 2", set, len(got))
			}
		}
	}
}
