package ews_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/session"
)

// TestMarkAsJunk: messages move and senders are blocked, and both is taken back; where
// the server is too old for it, nothing happens.
func TestMarkAsJunk(t *testing.T) {
	for _, version := range ewstest.Versions() {
		t.Run(string(version), func(t *testing.T) {
			b := newBed(t, settings{server: ewstest.Options{Version: version}, client: ews.Options{PageSize: 2}})
			b.put(t, laden())
			b.fill(t, 2)
			_, ids, err := b.list(t.Context(), session.Query{})
			if err != nil || len(ids) != 3 {
				t.Fatalf("Messages: %d, %v; want 3", len(ids), err)
			}
			results, err := b.MarkAsJunk(t.Context(), true, ids...)
			if version == ewstest.Exchange2007SP1 || version == ewstest.Exchange2010SP2 {
				if !errors.Is(err, errors.ErrUnsupported) || results[0].Outcome != session.NotDone || b.count(t, session.Inbox) != 3 {
					t.Errorf("MarkAsJunk = %v, %v; want it unsupported, and nothing done", results, err)
				}
				return
			}
			if err != nil || !b.server.Blocked(ann, "bob@example.org") || b.count(t, session.Junk) != 3 || b.count(t, session.Inbox) != 0 {
				t.Errorf("MarkAsJunk: %v; %d messages are junk and bob is blocked: %t; want 3, true", err, b.count(t, session.Junk), b.server.Blocked(ann, "bob@example.org"))
			}
			var moved []session.ID
			for i, r := range results {
				if r.Outcome != session.Done || r.ID != ids[i] || r.NewID.IsZero() || r.NewID == r.ID {
					t.Errorf("result %d is %v, want it done, with a new id", i, r)
				}
				moved = append(moved, r.NewID)
			}
			if _, err := b.MarkAsJunk(t.Context(), false, moved...); err != nil || b.server.Blocked(ann, "bob@example.org") || b.count(t, session.Inbox) != 3 {
				t.Errorf("MarkAsJunk back: %v; %d messages are in the inbox and bob is blocked: %t; want 3, false", err, b.count(t, session.Inbox), b.server.Blocked(ann, "bob@example.org"))
			}
			if results, err = b.MarkAsJunk(t.Context(), true, moved[0]); err != nil || !errors.Is(results[0].Err, session.ErrNoMessage) {
				t.Errorf("MarkAsJunk of what moved = %v, %v; want ErrNoMessage", results, err)
			}
		})
	}
}

// TestArchiveInPlace: messages of several folders go to the archive mailbox, or stay
// where there is none.
func TestArchiveInPlace(t *testing.T) {
	for _, none := range []bool{false, true} {
		b := newBed(t, settings{server: ewstest.Options{NoArchive: none}})
		b.fill(t, 3)
		_, ids, err := b.list(t.Context(), session.Query{})
		if err != nil || len(ids) != 3 {
			t.Fatalf("Messages: %d, %v; want 3", len(ids), err)
		}
		results, err := b.Apply(t.Context(), session.Change{MoveTo: session.Drafts}, ids[1])
		if err != nil {
			t.Fatal(err)
		}
		ids[1] = results[0].NewID
		results, err = b.ArchiveInPlace(t.Context(), ids...)
		if err != nil || len(results) != 3 {
			t.Fatalf("ArchiveInPlace = %v, %v; want 3 results", results, err)
		}
		for i, r := range results {
			e, refused := errors.AsType[*ews.Error](r.Err)
			if r.ID != ids[i] || refused != none || none != (r.Outcome == session.NotDone) || refused && e.Code != "ErrorArchiveMailboxNotEnabled" || !r.NewID.IsZero() {
				t.Errorf("without an archive: %t: result %d is %v", none, i, r)
			}
		}
		sources := map[string]int{}
		for _, r := range b.server.Requests() {
			switch r.Operation {
			case "FindItem", "MoveItem":
				sources[folderIn(r.Body)] = 0
			case "ArchiveItem":
				sources[folderIn(r.Body)] += strings.Count(r.Body, "<t:ItemId ")
			}
		}
		if got := slices.Sorted(maps.Values(sources)); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("of the folders, so many messages were archived: %d; want 1 of the drafts and 2 of the inbox", got)
		}
		left := b.count(t, session.Inbox) + b.count(t, session.Drafts)
		if want := map[bool]int64{true: 3, false: 0}[none]; left != want {
			t.Errorf("without an archive: %t: %d messages are left, want %d", none, left, want)
		}
	}
}

// folderIn returns the id of the first folder that a request names.
func folderIn(request string) string {
	_, after, _ := strings.Cut(request, `<t:FolderId Id="`)
	id, _, _ := strings.Cut(after, `"`)
	return id
}

// count returns how many messages a folder has.
func (b *bed) count(tb testing.TB, ref session.FolderRef) int64 {
	tb.Helper()
	counts, err := b.Count(tb.Context(), ref)
	if err != nil {
		tb.Errorf("Count(%s): %v", ref, err)
	}
	return counts.Messages
}
