package imapx_test

import (
	"slices"
	"testing"

	"github.com/mailsession/mailsession/session"
)

// TestConnectionsAreUsedForTheirFolders: two folders that are looked at in turns
// stay open, each on a connection of its own.
func TestConnectionsAreUsedForTheirFolders(t *testing.T) {
	w := newWorld(t, 3, nil)
	w.deliver(t, "Archive")
	w.deliver(t, "Archive")
	// A loop that is left open holds one connection, so that there are two.
	first := list(t, w.client.Messages(t.Context(), session.Query{}))
	body, err := w.client.Open(t.Context(), first[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	list(t, w.client.Messages(t.Context(), session.Query{Folder: session.Archive}))
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	before := len(w.server.Commands())
	for range 5 {
		list(t, w.client.Messages(t.Context(), session.Query{}))
		list(t, w.client.Messages(t.Context(), session.Query{Folder: session.Archive}))
	}
	if names := w.names(before); slices.Contains(names, "SELECT") {
		t.Errorf("the commands are %v, want no folder opened again", names)
	}
}
