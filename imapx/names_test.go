package imapx_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// TestIMAP4rev2Alone: names of folders are in UTF-8, and searches are answered
// by a set.
func TestIMAP4rev2Alone(t *testing.T) {
	w := newWorld(t, 3, &imaptest.Options{QuietCapabilities: true})
	const offered = "IMAP4rev2 AUTH=PLAIN"
	w.server.Inject(
		always(mailtest.Reply(mailtest.Greeting, "* OK [CAPABILITY "+offered+"] ready")),
		always(mailtest.Reply("CAPABILITY", "* CAPABILITY "+offered+"\r\nOK done")),
		always(mailtest.Reply("LIST", "* LIST (\\Drafts) \"/\" \"Entwürfe\"\r\n* LIST () \"/\" \"R&-D\"\r\nOK done")),
		mailtest.Reply("UID SEARCH", "* ESEARCH (TAG \"M2\") UID COUNT 2 ALL 2:3\r\nOK done"),
		mailtest.Reply("UID SEARCH", "* ESEARCH (TAG \"M2\") UID\r\nOK done"),
		mailtest.Reply("SELECT", "* OK [UIDVALIDITY 7] valid\r\n* LIST () \"/\" \"Entwürfe\"\r\nOK done").Containing("SELECT {9+}"),
		mailtest.Reply("SELECT", "* OK [UIDVALIDITY 8] valid\r\nOK done").Containing("R&-D"),
	)
	if got := subjects(list(t, w.client.Messages(t.Context(), session.Query{}))); got != "3 2" {
		t.Errorf("messages %s, want 3 2", got)
	}
	if got := folderPaths(t, w); !slices.Equal(got, []string{"Entwürfe", "R&-D", "INBOX"}) {
		t.Errorf("folders %q", got)
	}
	if got := list(t, w.client.Messages(t.Context(), session.Query{Folder: session.Drafts})); len(got) != 0 {
		t.Errorf("%d messages, want none", len(got))
	}
	w.server.Inject(mailtest.Reply("UID SEARCH", "* ESEARCH UID\r\nOK done"))
	list(t, w.client.Messages(t.Context(), session.Query{Folder: session.FolderAt("R&-D")}))
	if n := w.server.Pending(); n > 3 {
		t.Errorf("%d faults were not met, want the 3 that last", n)
	}
}

func folderPaths(t *testing.T, w *world) []string {
	t.Helper()
	var paths []string
	for f, err := range w.client.Folders(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, f.Path)
	}
	return paths
}

// TestNamesAreSentBackAsTheyCame: a folder whose name is not in the encoding that
// it has to be in can be opened, and its messages changed and moved into it.
func TestNamesAreSentBackAsTheyCame(t *testing.T) {
	for _, tt := range []struct{ listed, path, sent string }{
		{`"R&D"`, "R&D", `"R&D"`},
		{`a&b-c`, "a&b-c", `"a&b-c"`},
		{`"R&-D"`, "R&D", `"R&-D"`},
		{`"Entw&APw-rfe"`, "Entwürfe", `"Entw&APw-rfe"`},
		{`"&AGEAYg-"`, "&AGEAYg-", `"&AGEAYg-"`}, // plain letters that need not be encoded
		{`"Entwürfe"`, "Entwürfe", "{9+}"},
		{"\"Entw\xfcrfe\"", "Entw\uFFFDrfe", "{8+}"},
		{"Tage\tOggetto\t", "Tage\tOggetto\t", "{13+}"},
		{"Old (2019) [x", "Old (2019) [x", `"Old (2019) [x"`},
		{`2024:Q1 ("CHILDINFO" ("SUBSCRIBED"))`, "2024:Q1", `"2024:Q1"`},
		{`"say "hello""`, `say "hello"`, `"say \"hello\""`},
		{`"C:\temp"`, `C:\temp`, `"C:\\temp"`},
		{"{4}\r\na\"b ", "a\"b ", `"a\"b "`},
		{`"`, `"`, ``},
	} {
		w := newWorld(t, 1, nil)
		w.server.Inject(mailtest.Reply("LIST", "* LIST () NIL "+tt.listed+"\r\nOK done"))
		paths := folderPaths(t, w)
		if tt.sent == "" {
			continue
		}
		if want := session.JoinPath(tt.path); len(paths) == 0 || paths[0] != want {
			t.Errorf("%s is listed as %q, want %q", tt.listed, paths, want)
			continue
		}
		w.server.Inject(mailtest.Reply("SELECT", "* OK [UIDVALIDITY 7] valid\r\nOK done"),
			mailtest.Reply("UID SEARCH", "* SEARCH 1\r\nOK done"),
			mailtest.Reply("UID FETCH", "* 1 FETCH (UID 1 FLAGS ())\r\nOK done"))
		all := list(t, w.client.Messages(t.Context(), session.Query{Folder: session.FolderAt(paths[0])}))
		if len(all) != 1 {
			t.Errorf("%s: %d messages, want 1", tt.listed, len(all))
			continue
		}
		// Another client knows the folder by the id of the message alone.
		again := newWorld(t, 0, nil)
		again.server.Inject(mailtest.Reply("SELECT", "* OK [UIDVALIDITY 7] valid\r\nOK done"),
			mailtest.Reply("UID FETCH", "* 1 FETCH (UID 1 BODY[] {2}\r\nhi)\r\nOK done"))
		if got := read(t, again.client, all[0].ID); got != "hi" {
			t.Errorf("%s: read %q", tt.listed, got)
		}
		for _, server := range []*world{w, again} {
			for _, c := range server.server.Commands() {
				if c.Name == "SELECT" && !strings.Contains(c.Line, tt.sent) {
					t.Errorf("%s: sent %q, want %s", tt.listed, c.Line, tt.sent)
				}
			}
		}
	}
}

// TestFoldersOfNoAge: a server that states the UIDVALIDITY 0, which must not be,
// states it for good.
func TestFoldersOfNoAge(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.server.Inject(mailtest.Reply("SELECT", "* OK [UIDVALIDITY 0] UIDs valid\r\nOK done"),
		mailtest.Reply("UID SEARCH", "* SEARCH 1\r\nOK done"),
		mailtest.Reply("UID FETCH", "* 1 FETCH (UID 1)\r\nOK done"),
		mailtest.Reply("UID FETCH", "* 1 FETCH (UID 1 BODY[] {2}\r\nhi)\r\nOK done"))
	if got := read(t, w.client, ids(t, w)[0]); got != "hi" {
		t.Errorf("read %q, want hi", got)
	}
}

// TestAppendToANameInPieces: a name that has to be a literal stands in one
// command with the message, which is a literal too.
func TestAppendToANameInPieces(t *testing.T) {
	for name, offered := range map[string][]string{"unasked": nil, "asked for": imaptest.Without("LITERAL+", "LITERAL-")} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, &imaptest.Options{Capabilities: offered})
			w.server.Inject(mailtest.Reply("LIST", "* LIST () NIL \"Entwürfe\"\r\nOK done"))
			paths := folderPaths(t, w)
			w.server.Inject(mailtest.Reply("STATUS", "* STATUS x (UIDVALIDITY 7 UIDNEXT 2)\r\nOK done"))
			_, err := w.client.Append(t.Context(), session.FolderAt(paths[0]), message.Bytes([]byte("Subject: x\r\n\r\nhello\r\n")), nil)
			e, ok := errors.AsType[*session.AppendError](err)
			if !ok || e.Outcome != session.NotDone || !strings.Contains(err.Error(), "modified UTF-7") {
				t.Errorf("Append = %v, want the fake's refusal of the name", err)
			}
			// Nothing of the message was taken for a command.
			if got := len(list(t, w.client.Messages(t.Context(), session.Query{}))); got != 1 {
				t.Errorf("%d messages in the inbox afterwards, want 1", got)
			}
			if got, _ := w.server.Connections(); got != 1 {
				t.Errorf("%d connections, want 1", got)
			}
		})
	}
}
