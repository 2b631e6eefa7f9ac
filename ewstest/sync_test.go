package ewstest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
)

func syncItems(state string, most int) string {
	if state != "" {
		state = `<m:SyncState>` + state + `</m:SyncState>`
	}
	return `<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>` + known("inbox") + `</m:SyncFolderId>` + state +
		fmt.Sprintf(`<m:MaxChangesReturned>%d</m:MaxChangesReturned></m:SyncFolderItems>`, most)
}

const syncState = `<m:SyncState>([^<]*)<`

// kinds returns the changes of an answer to a sync.
func (r *reply) kinds() []string {
	return r.all(`<t:(Create|Update|Delete|ReadFlagChange)><t:`)
}

func TestASyncTellsEachChangeOnce(t *testing.T) {
	b := newBed(t, nil)
	for n := range 5 {
		b.append("INBOX", mailtest.Sample(n))
	}
	var ids []string
	state, last := "", "false"
	for last == "false" {
		r := b.ask(syncItems(state, 2)).want(200, "NoError")
		state, last = r.one(syncState), r.one(`<m:IncludesLastItemInRange>([a-z]*)<`)
		ids = append(ids, r.all(`<t:Create><t:Message><t:ItemId Id="([^"]*)"`)...)
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != 5 {
		t.Fatalf("the first sync tells of %d messages, want 5", len(ids))
	}
	b.ask(syncItems(state, 2)).want(200, "<m:Changes></m:Changes>")
	if err := b.ann.AddFlags("INBOX", []string{mailtest.Seen}, 1); err != nil {
		t.Fatal(err)
	}
	if err := b.ann.AddFlags("INBOX", []string{mailtest.Flagged}, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ann.Move("INBOX", "Archive", 3); err != nil {
		t.Fatal(err)
	}
	b.append("INBOX", mailtest.Sample(9))
	r := b.ask(syncItems(state, 512))
	if want := []string{"ReadFlagChange", "Update", "Delete", "Create"}; !slices.Equal(r.kinds(), want) {
		t.Errorf("the second sync tells %v, want %v", r.kinds(), want)
	}
	again := b.ask(syncItems(state, 512))
	if !slices.Equal(again.kinds(), []string{"Update", "Update", "Delete", "Create"}) {
		t.Errorf("the same state again tells %v", again.kinds())
	}
	b.ask(syncItems(r.one(syncState), 512)).want(200, "<m:Changes></m:Changes>")
}

func TestAnUnknownSyncStateIsRefused(t *testing.T) {
	b := newBed(t, nil)
	state := b.ask(syncItems("", 10)).one(syncState)
	b.ask(syncItems("AAAA", 10)).want(200, "ErrorInvalidSyncStateData")
	b.ask(strings.Replace(syncItems(state, 10), `Id="inbox"`, `Id="drafts"`, 1)).want(200, "ErrorInvalidSyncStateData")
	b.server.Inject(ewstest.Failing("SyncFolderItems", "ErrorInvalidSyncStateData"))
	b.ask(syncItems(state, 10)).want(200, "ErrorInvalidSyncStateData")
	b.ask(syncItems(state, 10)).want(200, "NoError")
	b.server.ExpireSyncStates()
	b.ask(syncItems(state, 10)).want(200, "ErrorInvalidSyncStateData")
}

func TestAnEditedDraftIsAnUpdate(t *testing.T) {
	b := newBed(t, nil)
	b.append("INBOX", mailtest.Sample(1), mailtest.Draft)
	r := b.ask(syncItems("", 10))
	state, id := r.one(syncState), r.one(itemID)
	b.ask(updateItem(id, "", "AlwaysOverwrite", setField("item:Subject", "<t:Subject>Other</t:Subject>"))).want(200, "NoError")
	if r := b.ask(syncItems(state, 10)); !slices.Equal(r.kinds(), []string{"Update"}) || r.one(itemID) != id {
		t.Errorf("the sync tells %v, want an update of the same item", r.kinds())
	}
}

func TestAHierarchySyncTellsOfFolders(t *testing.T) {
	b := newBed(t, nil)
	sync := func(state string) *reply {
		if state != "" {
			state = `<m:SyncState>` + state + `</m:SyncState>`
		}
		return b.ask(`<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape></m:FolderShape>` + state + `</m:SyncFolderHierarchy>`)
	}
	r := sync("").want(200, "NoError", "<t:DisplayName>Inbox<", "IncludesLastFolderInRange>true<")
	state := r.one(syncState)
	if err := b.ann.CreateFolder("new", ""); err != nil {
		t.Fatal(err)
	}
	if err := b.ann.DeleteFolder("Junk"); err != nil {
		t.Fatal(err)
	}
	if err := b.ann.RenameFolder("Sent", "Gone out"); err != nil {
		t.Fatal(err)
	}
	r = sync(state)
	if got := r.kinds(); !slices.Equal(got, []string{"Update", "Create", "Delete"}) {
		t.Errorf("the second sync tells %v", got)
	}
	sync(r.one(syncState)).want(200, "<m:Changes></m:Changes>")
	sync(b.ask(syncItems("", 10)).one(syncState)).want(200, "ErrorInvalidSyncStateData")
}
