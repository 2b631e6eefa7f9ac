package mailtest_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

const ann = "ann@example.com"

func newAccount(t *testing.T) (*mailtest.Box, *mailtest.Account) {
	t.Helper()
	box := mailtest.New()
	return box, box.Add(ann, secret.New("pw"))
}

// fill appends n messages to INBOX.
func fill(t *testing.T, a *mailtest.Account, n int) {
	t.Helper()
	for i := range n {
		if _, err := a.Append("INBOX", mailtest.Sample(i), nil); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
}

func uids(t *testing.T, a *mailtest.Account, folder string) []mailtest.UID {
	t.Helper()
	messages, err := a.Messages(folder)
	if err != nil {
		t.Fatalf("Messages(%q): %v", folder, err)
	}
	return uidsOf(messages)
}

func uidsOf(messages []mailtest.Message) []mailtest.UID {
	var all []mailtest.UID
	for _, m := range messages {
		all = append(all, m.UID)
	}
	return all
}

func names(a *mailtest.Account) []string {
	var all []string
	for _, f := range a.Folders() {
		all = append(all, f.Name)
	}
	return all
}

func folder(t *testing.T, a *mailtest.Account, name string) mailtest.Folder {
	t.Helper()
	f, err := a.Folder(name)
	if err != nil {
		t.Fatalf("Folder(%q): %v", name, err)
	}
	return f
}

func TestAddAndSignIn(t *testing.T) {
	box, a := newAccount(t)
	if got, ok := box.Account("ANN@Example.com"); !ok || got != a {
		t.Errorf("Account = %v, %t, want the one added", got, ok)
	}
	if again := box.Add("Ann@example.com", secret.New("changed")); again != a {
		t.Error("Add of a taken address made another account")
	}
	box.Add("bob@example.com", secret.Text{})
	tests := []struct {
		user, password string
		ok             bool
	}{
		{ann, "changed", true},
		{"ANN@EXAMPLE.COM", "changed", true},
		{ann, "pw", false},
		{ann, "", false},
		{"bob@example.com", "", false},
		{"eve@example.com", "changed", false},
	}
	for _, tt := range tests {
		got, err := box.CheckPassword(tt.user, secret.New(tt.password))
		if tt.ok != (err == nil) || tt.ok != (got == a) || err != nil && !errors.Is(err, mailtest.ErrSignIn) {
			t.Errorf("CheckPassword(%q, %q) = %v, %v, want success %t", tt.user, tt.password, got, err, tt.ok)
		}
	}
	a.SetPassword(secret.Text{})
	if _, err := box.CheckPassword(ann, secret.New("changed")); !errors.Is(err, mailtest.ErrSignIn) {
		t.Errorf("CheckPassword after SetPassword: %v", err)
	}
	if got := len(box.Accounts()); got != 2 {
		t.Errorf("len(Accounts) = %d, want 2", got)
	}
}

func TestProofOfAPassword(t *testing.T) {
	box, a := newAccount(t)
	a.SetPassword(secret.New("pw"))
	box.Add("token@example.com", secret.Text{})
	asked := 0
	prove := func(user, password string) (*mailtest.Account, error) {
		return box.CheckProof(user, func(p secret.Text) bool {
			asked++
			return p.Reveal() == password
		})
	}
	if got, err := prove(strings.ToUpper(ann), "pw"); got != a || err != nil {
		t.Errorf("CheckProof of the right password = %v, %v, want the account", got, err)
	}
	for user, password := range map[string]string{ann: "other", "eve@example.com": "pw", "token@example.com": ""} {
		if got, err := prove(user, password); got != nil || !errors.Is(err, mailtest.ErrSignIn) {
			t.Errorf("CheckProof(%q) = %v, %v, want it refused", user, got, err)
		}
	}
	if asked != 2 {
		t.Errorf("the proof was asked for %d times, want twice: an account without a password has none", asked)
	}
}

func TestTokens(t *testing.T) {
	box, a := newAccount(t)
	check := func(token string) error {
		_, err := box.CheckToken(t.Context(), ann, secret.New(token))
		return err
	}
	if err := check("t1"); !errors.Is(err, mailtest.ErrSignIn) {
		t.Errorf("without a check: %v", err)
	}
	a.AcceptTokens(mailtest.Tokens(secret.New("t1"), secret.New("t2")))
	for token, ok := range map[string]bool{"t1": true, "t2": true, "t3": false, "": false} {
		err := check(token)
		var details *mailtest.TokenError
		if ok != (err == nil) || !ok && (!errors.As(err, &details) || !errors.Is(err, mailtest.ErrSignIn)) {
			t.Errorf("token %q: %v, want success %t", token, err, ok)
		}
	}
	if _, err := box.CheckToken(t.Context(), "eve@example.com", secret.New("t1")); !errors.Is(err, mailtest.ErrSignIn) {
		t.Errorf("unknown user: %v", err)
	}
}

func TestDeliver(t *testing.T) {
	box, a := newAccount(t)
	bob := box.Add("bob@example.com", secret.Text{})
	raw := mailtest.Sample(1)
	err := box.Deliver(raw, "Ann@example.com", "eve@example.com", "bob@example.com", "mallory@example.com")
	var unknown *mailtest.RecipientError
	if !errors.Is(err, mailtest.ErrNoRecipient) || !errors.As(err, &unknown) || unknown.Address != "eve@example.com" {
		t.Errorf("Deliver: %v, want an error about eve first", err)
	}
	if !strings.Contains(err.Error(), "mallory@example.com") {
		t.Errorf("Deliver: %v, want an error about mallory too", err)
	}
	for _, account := range []*mailtest.Account{a, bob} {
		got, err := account.Messages("inbox")
		if err != nil || len(got) != 1 || got[0].Raw != raw || got[0].UID != 1 || len(got[0].Flags) > 0 {
			t.Errorf("INBOX of %s = %+v, %v, want the message", account.Address(), got, err)
		}
	}
	if err := box.Deliver(raw, ann); err != nil {
		t.Errorf("Deliver to a known recipient: %v", err)
	}
}

func TestFolders(t *testing.T) {
	_, a := newAccount(t)
	tests := []struct {
		what string
		do   func() error
		want error
	}{
		{"create", func() error { return a.CreateFolder("Work/2024/Q1", "") }, nil},
		{"create twice", func() error { return a.CreateFolder("Work/2024", "") }, mailtest.ErrFolderExists},
		{"create inbox", func() error { return a.CreateFolder("inbox", "") }, mailtest.ErrFolderExists},
		{"create under inbox", func() error { return a.CreateFolder("Inbox/Lists", "") }, nil},
		{"create nameless", func() error { return a.CreateFolder("", "") }, mailtest.ErrFolderName},
		{"create with an empty part", func() error { return a.CreateFolder("a//b", "") }, mailtest.ErrFolderName},
		{"rename", func() error { return a.RenameFolder("Work", "Old/Work") }, nil},
		{"rename missing", func() error { return a.RenameFolder("Work", "X") }, mailtest.ErrNoFolder},
		{"rename onto another", func() error { return a.RenameFolder("Sent", "Junk") }, mailtest.ErrFolderExists},
		{"rename below itself", func() error { return a.RenameFolder("Old", "Old/Older") }, mailtest.ErrFolderName},
		{"delete parent", func() error { return a.DeleteFolder("Old/Work") }, nil},
		{"delete missing", func() error { return a.DeleteFolder("Old/Work") }, mailtest.ErrNoFolder},
		{"delete inbox", func() error { return a.DeleteFolder("INBOX") }, mailtest.ErrFolderName},
		{"subscribe", func() error { return a.Subscribe("Sent", false) }, nil},
		{"subscribe missing", func() error { return a.Subscribe("X", true) }, mailtest.ErrNoFolder},
		{"role", func() error { return a.SetRole("Old", mailtest.RoleAll) }, nil},
		{"role missing", func() error { return a.SetRole("X", "") }, mailtest.ErrNoFolder},
		{"bump missing", func() error { return a.BumpUIDValidity("X") }, mailtest.ErrNoFolder},
	}
	for _, tt := range tests {
		if err := tt.do(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
	}
	want := []string{"INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive", "Old/Work/2024", "Old/Work/2024/Q1", "INBOX/Lists", "Old"}
	if got := names(a); !slices.Equal(got, want) {
		t.Errorf("folders = %q, want %q", got, want)
	}
	if f := folder(t, a, "Old"); f.Role != mailtest.RoleAll || !f.Subscribed {
		t.Errorf("Old = %+v", f)
	}
	if f := folder(t, a, "Sent"); f.Subscribed || f.Role != mailtest.RoleSent {
		t.Errorf("Sent = %+v", f)
	}
}

func TestRenameKeepsMessages(t *testing.T) {
	_, a := newAccount(t)
	if err := a.CreateFolder("A/B", ""); err != nil {
		t.Fatalf("CreateFolder: %v", err)
	}
	if _, err := a.Append("A/B", "x", nil); err != nil {
		t.Fatalf("Append: %v", err)
	}
	before := folder(t, a, "A/B")
	if err := a.RenameFolder("A", "C"); err != nil {
		t.Fatalf("RenameFolder: %v", err)
	}
	after := folder(t, a, "C/B")
	if after.ID != before.ID || after.UIDValidity != before.UIDValidity || after.Messages != 1 {
		t.Errorf("after rename = %+v, before %+v", after, before)
	}
	if byID, err := a.FolderByID(before.ID); err != nil || byID.Name != "C/B" {
		t.Errorf("FolderByID = %+v, %v", byID, err)
	}
	if _, err := a.FolderByID(9999); !errors.Is(err, mailtest.ErrNoFolder) {
		t.Errorf("FolderByID(9999): %v", err)
	}
}

func TestRenameInboxMovesItsMessages(t *testing.T) {
	_, a := newAccount(t)
	fill(t, a, 3)
	if err := a.RenameFolder("INBOX", "Taken"); err != nil {
		t.Fatalf("RenameFolder: %v", err)
	}
	if got := uids(t, a, "INBOX"); len(got) != 0 {
		t.Errorf("INBOX holds %v", got)
	}
	if got := uids(t, a, "Taken"); len(got) != 3 {
		t.Errorf("Taken holds %v", got)
	}
	if f := folder(t, a, "Taken"); f.Role != "" {
		t.Errorf("Taken has role %q", f.Role)
	}
}

func TestRecreatedFolderHasAnotherValidity(t *testing.T) {
	_, a := newAccount(t)
	old := folder(t, a, "Junk").UIDValidity
	if err := a.DeleteFolder("Junk"); err != nil {
		t.Fatalf("DeleteFolder: %v", err)
	}
	if err := a.CreateFolder("Junk", mailtest.RoleJunk); err != nil {
		t.Fatalf("CreateFolder: %v", err)
	}
	if got := folder(t, a, "Junk").UIDValidity; got <= old {
		t.Errorf("UIDValidity = %d, want more than %d", got, old)
	}
}

func TestWatch(t *testing.T) {
	box, a := newAccount(t)
	var got []mailtest.Change
	stop := box.Watch(func(c mailtest.Change) {
		got = append(got, c)
		_ = a.Folders() // a watcher may look into the Box
	})
	fill(t, a, 1)
	_ = a.AddFlags("INBOX", []string{mailtest.Seen}, 1)
	_, _ = a.Move("INBOX", "Trash", 1)
	_ = a.Subscribe("Junk", false)
	stop()
	fill(t, a, 1)
	want := []mailtest.Change{
		{Account: ann, Folder: "INBOX", Kind: mailtest.Appended},
		{Account: ann, Folder: "INBOX", Kind: mailtest.FlagsChanged},
		{Account: ann, Folder: "Trash", Kind: mailtest.Appended},
		{Account: ann, Folder: "INBOX", Kind: mailtest.Expunged},
		{Account: ann, Folder: "Junk", Kind: mailtest.FoldersChanged},
	}
	if !slices.Equal(got, want) {
		t.Errorf("changes = %+v, want %+v", got, want)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, a := newAccount(t)
		arrived := func() bool { return len(uids(t, a, "INBOX")) >= 2 }
		go func() {
			for range 2 {
				<-time.After(time.Minute)
				_ = box.Deliver("x", ann)
			}
		}()
		start := time.Now()
		if err := box.Wait(t.Context(), arrived); err != nil {
			t.Errorf("Wait: %v", err)
		}
		if got := time.Since(start); got != 2*time.Minute {
			t.Errorf("Wait returned after %v, want 2m", got)
		}
		if err := box.Wait(t.Context(), arrived); err != nil {
			t.Errorf("Wait for what is: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := box.Wait(ctx, func() bool { return false }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

func TestSeed(t *testing.T) {
	_, a := newAccount(t)
	files := fstest.MapFS{
		"b.eml":     {Data: []byte("Subject: b\nDate: Tue, 02 Jan 2024 10:00:00 +0100\n\nbody\n")},
		"a.eml":     {Data: []byte("Subject: a\r\n\r\nlone \n stays\r\n")},
		"notes.txt": {Data: []byte("no mail")},
	}
	got, err := a.Seed("INBOX", files)
	if err != nil || !slices.Equal(got, []mailtest.UID{1, 2}) {
		t.Fatalf("Seed = %v, %v", got, err)
	}
	messages, err := a.Messages("INBOX")
	if err != nil {
		t.Fatalf("Messages: %v", err)
	}
	if want := "Subject: a\r\n\r\nlone \n stays\r\n"; messages[0].Raw != want {
		t.Errorf("a = %q, want %q", messages[0].Raw, want)
	}
	if want := "Subject: b\r\nDate: Tue, 02 Jan 2024 10:00:00 +0100\r\n\r\nbody\r\n"; messages[1].Raw != want {
		t.Errorf("b = %q, want %q", messages[1].Raw, want)
	}
	if want := time.Date(2024, 1, 2, 9, 0, 0, 0, time.UTC); !messages[1].Received.Equal(want) {
		t.Errorf("b was received at %v, want %v", messages[1].Received, want)
	}
	for _, tt := range []struct {
		folder, pattern string
		want            error
	}{{"INBOX", "*.msg", fs.ErrNotExist}, {"X", "*.eml", mailtest.ErrNoFolder}} {
		if _, err := a.Seed(tt.folder, files, tt.pattern); !errors.Is(err, tt.want) {
			t.Errorf("Seed(%q, %q): %v, want %v", tt.folder, tt.pattern, err, tt.want)
		}
	}
}

func TestCRLF(t *testing.T) {
	for in, want := range map[string]string{"": "", "a\nb": "a\r\nb", "a\r\nb\n": "a\r\nb\r\n", "a\r": "a\r"} {
		if got := mailtest.CRLF(in); got != want {
			t.Errorf("CRLF(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFits(t *testing.T) {
	tests := []struct {
		fault      mailtest.Fault
		name, line string
		want       bool
	}{
		{mailtest.Silence("fetch"), "FETCH", "", true},
		{mailtest.Silence("FETCH"), "UID FETCH", "", true},
		{mailtest.Silence("UID FETCH"), "FETCH", "", false},
		{mailtest.Silence("ETCH"), "FETCH", "", false},
		{mailtest.Silence(""), "FETCH", "", true},
		{mailtest.Silence(""), mailtest.Greeting, "", false},
		{mailtest.Silence(mailtest.Greeting), mailtest.Greeting, "", true},
		{mailtest.Silence("").Containing("body"), "FETCH", "a FETCH 1 BODY[]", true},
		{mailtest.Silence("").Containing("body"), "FETCH", "a FETCH 1 FLAGS", false},
	}
	for _, tt := range tests {
		if got := tt.fault.Fits(tt.name, tt.line); got != tt.want {
			t.Errorf("%+v fits %q, %q: %t, want %t", tt.fault, tt.name, tt.line, got, tt.want)
		}
	}
}

func TestSecurityNames(t *testing.T) {
	for s, want := range map[mailtest.Security]string{mailtest.None: "None", mailtest.TLS: "TLS", mailtest.STARTTLS: "STARTTLS"} {
		if got := s.String(); got != want {
			t.Errorf("%d.String() = %q, want %q", s, got, want)
		}
	}
}
