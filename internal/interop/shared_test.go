//go:build interop

package interop_test

import (
	"errors"
	"testing"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// sharing returns sessions of ann at a Dovecot where folders are shared, and a
// connection that is signed in as bob.
func sharing(t *testing.T) (*session.Session, *rawIMAP) {
	t.Helper()
	servers := startServers(t, &interop.Options{Shared: true})
	raw := dialIMAPS(t, servers)
	raw.login(userOf(t, servers, bob))
	in, out := pair(t, servers, session.TLS)
	return newSession(t, session.Credentials{User: ann, Password: userOf(t, servers, ann).Password}, in, out), raw
}

// listing returns the folders by path.
func listing(t *testing.T, s *session.Session, opts session.FolderOptions) map[string]session.Folder {
	t.Helper()
	all := map[string]session.Folder{}
	for f, err := range s.ListFolders(t.Context(), &opts) {
		if err != nil {
			t.Fatal(err)
		}
		all[f.Path] = f
	}
	return all
}

// TestSharedFoldersOnDovecot: a folder of bob's is his, and can be read and changed
// by its path; ann's own are below a prefix that no path shows.
func TestSharedFoldersOnDovecot(t *testing.T) {
	t.Parallel()
	s, raw := sharing(t)
	ctx := t.Context()
	raw.ok("CREATE INBOX/Projects")
	raw.ok("SETACL INBOX/Projects " + ann + " lrwstipe")
	raw.ok("SETACL INBOX/Sent " + ann + " lr")
	raw.ok("APPEND INBOX/Projects {26+}\r\nSubject: shared\r\n\r\ntext\r\n!")

	if err := s.CreateFolder(ctx, "Work/2026"); err != nil {
		t.Fatal(err)
	}
	own := listing(t, s, session.FolderOptions{})
	if own["Work/2026"].Path == "" || own["Sent"].Role != session.RoleSent || own["Trash"].Namespace != session.Personal {
		t.Errorf("the own folders are %+v", own)
	}
	all := listing(t, s, session.FolderOptions{Foreign: true, Counts: true, Subscribed: true})
	path := "shared/" + bob + "/Projects"
	f := all[path]
	if _, among := own[path]; among || f.Namespace != session.OtherUsers || f.Owner != bob || f.Counts == nil || f.Counts.Messages != 1 {
		t.Errorf("bob's folder is listed as %+v, among the own: %t", f, among)
	}
	if f := all["shared/"+bob+"/Sent"]; f.Role != session.RoleNone || f.Owner != bob {
		t.Errorf("bob's sent mail is listed as %+v, want no role", f)
	}
	if f := all["Sent"]; !f.Subscribed || f.Counts == nil {
		t.Errorf("the own sent mail is listed as %+v", f)
	}
	n := 0
	for m, err := range s.Messages(ctx, session.Query{Folder: session.FolderAt(path)}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		results, err := s.Apply(ctx, session.Change{MoveTo: session.FolderAt("Work/2026")}, m.ID)
		if err != nil || results[0].Outcome != session.Done {
			t.Errorf("move from bob's folder: %+v, %v", results, err)
		}
	}
	counts, err := s.Count(ctx, session.FolderAt("Work/2026"))
	if n != 1 || err != nil || counts.Messages != 1 {
		t.Errorf("%d messages in bob's folder, and %+v in ann's then (%v)", n, counts, err)
	}
	if err := s.RenameFolder(ctx, session.FolderAt("Work/2026"), "Done"); err != nil {
		t.Error(err)
	}
	if after := listing(t, s, session.FolderOptions{}); after["Done"].Path == "" || after["Work/2026"].Path != "" {
		t.Errorf("after renaming the own folders are %+v", after)
	}
	if err := s.CreateFolder(ctx, "shared/"+bob+"/Mine"); err == nil {
		t.Error("a folder was made in bob's mailbox")
	}
}

// TestQuotaOnDovecot tells the limits of the mailbox.
func TestQuotaOnDovecot(t *testing.T) {
	t.Parallel()
	s, _ := sharing(t)
	facts, err := s.Facts(t.Context())
	if err != nil || !facts.Quota || !facts.Namespaces {
		t.Errorf("facts %+v, %v", facts, err)
	}
	for _, folder := range []session.FolderRef{"", session.Sent} {
		quotas, err := s.Quota(t.Context(), folder)
		if err != nil || len(quotas) != 1 || quotas[0].Root != "User quota" || quotas[0].Bytes.Limit != 10<<20 || quotas[0].Messages != (session.Usage{Used: 0, Limit: 1000}) {
			t.Errorf("Quota(%q) = %+v, %v, want 10 MiB and 1,000 messages", folder, quotas, err)
		}
	}
	if _, err := s.Quota(t.Context(), session.FolderAt("Nowhere")); !errors.Is(err, session.ErrNoFolder) {
		t.Errorf("of a folder that is not there: %v, want ErrNoFolder", err)
	}
}

// TestVersionOfTheChangeOnDovecot: a second change depends on the version that the
// first one has made, without another listing.
func TestVersionOfTheChangeOnDovecot(t *testing.T) {
	t.Parallel()
	s, _ := filled(t, 1)
	m := summaries(t, s, session.FieldVersion)[0]
	versions := session.Unchanged(m)
	for _, flag := range []session.Flag{session.Flagged, session.Answered} {
		results, err := s.Apply(t.Context(), session.Change{Set: session.Flags{flag}, IfUnchanged: versions}, m.ID)
		if err != nil || results[0].Outcome != session.Done || results[0].Version == "" {
			t.Fatalf("%s: %+v, %v, want it done with a version", flag, results, err)
		}
		versions[m.ID] = results[0].Version
	}
}

// TestAMasterUserOnDovecot: somebody who may open every mailbox does so by PLAIN with
// both names, by IMAP, POP3 and, through Postfix, for sending; the mailbox is the
// user's. With the user's own password, or for nobody, it is refused.
func TestAMasterUserOnDovecot(t *testing.T) {
	t.Parallel()
	master := interop.User{Address: "archivist", Password: secret.New("master horse")}
	servers := startServers(t, &interop.Options{Master: &master})
	ctx := t.Context()
	creds := session.Credentials{User: ann, AuthUser: master.Address, Password: master.Password}
	in, out := pair(t, servers, session.TLS)
	s := newSession(t, creds, in, out)
	trip, err := s.RoundTrip(ctx, nil)
	if err != nil || trip.Folder != session.Inbox {
		t.Fatalf("RoundTrip = %+v, %v", trip, err)
	}
	own := newSession(t, session.Credentials{User: ann, Password: userOf(t, servers, ann).Password}, in, out)
	n, err := own.Count(ctx, session.Inbox)
	if err != nil || n.Messages != 1 {
		t.Errorf("ann herself has %d messages, %v, want the one that was sent for her", n.Messages, err)
	}
	n, err = popClient(t, servers, creds).Count(ctx, session.Inbox)
	if err != nil || n.Messages != 1 {
		t.Errorf("by POP3 there are %d messages, %v, want 1", n.Messages, err)
	}
	for _, wrong := range []session.Credentials{
		{User: ann, AuthUser: master.Address, Password: userOf(t, servers, ann).Password},
		{User: ann, AuthUser: bob, Password: userOf(t, servers, bob).Password},
		{User: "nobody@example.test", AuthUser: master.Address, Password: master.Password},
	} {
		if _, err := newSession(t, wrong, in, out).Count(ctx, session.Inbox); !session.NeedsSignIn(err) {
			t.Errorf("%s for %s: %v, want it refused", wrong.AuthUser, wrong.User, err)
		}
	}
}
