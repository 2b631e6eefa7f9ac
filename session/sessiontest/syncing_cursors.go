package sessiontest

import (
	"context"
	"errors"

	"github.com/mailsession/mailsession/session"
)

func cursorOfElsewhere(ctx context.Context, r *reading) {
	if !r.syncs(ctx) {
		return
	}
	r.seed(3)
	own, err := last(r.changes(ctx, session.Cursor{}, session.SyncOptions{})).Parts()
	if err != nil {
		r.Fatal(err)
	}
	mailbox, backend, folder, odd := own, own, own, own
	mailbox.Mailbox = session.Fingerprint("mail.example.net:993", "somebody.else@example.net")
	backend.Backend += "x"
	folder.Folder += "x"
	odd.State = "!\x00 nothing"
	for _, tt := range []struct {
		what  string
		since session.CursorParts
		want  error
	}{
		{"another mailbox", mailbox, session.ErrOtherMailbox},
		{"another protocol", backend, session.ErrOtherMailbox},
		{"another folder", folder, session.ErrOtherFolder},
		{"nobody", odd, nil},
	} {
		n := 0
		for page, err := range changesOf(ctx, r.in, "", session.NewCursor(tt.since), session.SyncOptions{}) {
			if n++; n > 1 || err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				r.Errorf("Changes since a cursor of %s: item %d is %+v, %v; want %v alone", tt.what, n, page, err, tt.want)
			}
		}
		if n == 0 {
			r.Errorf("Changes since a cursor of %s: no error", tt.what)
		}
	}
	r.wantNowhere(ctx)
}

// wantNowhere checks that a folder that is not there has no history.
func (r *reading) wantNowhere(ctx context.Context) {
	r.Helper()
	nowhere := session.FolderAt("Nowhere")
	want := session.ErrNoFolder
	if r.facts(ctx).OneFolder {
		want = errors.ErrUnsupported
	}
	if _, err := r.over().Cursor(ctx, nowhere); !errors.Is(err, want) {
		r.Errorf("Cursor of a folder that is not there: error %v, want %v", err, want)
	}
	for page, err := range changesOf(ctx, r.in, nowhere, session.Cursor{}, session.SyncOptions{}) {
		if !errors.Is(err, want) {
			r.Errorf("Changes of a folder that is not there = %+v, %v; want %v", page, err, want)
		}
	}
}

// toRenumber makes a folder with some messages for the server to renumber: the
// inbox, where there is no other one.
func (r *reading) toRenumber(ctx context.Context, messages int) (folder string, ref session.FolderRef) {
	r.Helper()
	folder = "Renumbered"
	if r.facts(ctx).OneFolder {
		folder = inbox
	} else if err := r.Mailbox.CreateFolder(folder); err != nil {
		r.Fatal(err)
	}
	for n := range messages {
		r.put(folder, Stored{Raw: sample(n + 1)})
	}
	return folder, session.FolderAt(folder)
}

// expiredCursor has the server void its ids. Where the protocol does not tell
// that, all messages went and others came.
func expiredCursor(ctx context.Context, r *reading) {
	if !r.syncs(ctx) {
		return
	}
	folder, ref := r.toRenumber(ctx, 15)
	m := newModel()
	for page, err := range changesOf(ctx, r.in, ref, session.Cursor{}, session.SyncOptions{}) {
		if err != nil {
			r.Fatalf("Changes: %v", err)
		}
		m.take(page)
	}
	r.renew()
	if err := r.Mailbox.Renumber(folder); err != nil {
		r.Fatal(err)
	}
	r.put(folder, Stored{Raw: sample(20)})
	for _, err := range changesOf(ctx, r.in, ref, m.cursor, session.SyncOptions{}) {
		if !r.NoValidity && !errors.Is(err, session.ErrCursorExpired) {
			r.Errorf("Changes since a cursor from before the server renumbered: error %v, want ErrCursorExpired", err)
		}
		break // and the loop may be left here
	}
	r.readAnew(ctx, ref, m)
	r.wantFolder(ctx, ref, m)
	if again := r.pagesOf(ctx, ref, m.cursor); len(again) != 1 || !isEmpty(again[0]) {
		r.Errorf("Changes after that = %+v, want nothing", again)
	}
}

// readAnew has a program go on from a cursor that has expired.
func (r *reading) readAnew(ctx context.Context, ref session.FolderRef, m *model) {
	r.Helper()
	n := 0
	for page, err := range changesOf(ctx, r.in, ref, m.cursor, session.SyncOptions{}) {
		n++
		switch expired := n == 1 && !r.NoValidity; {
		case expired && !errors.Is(err, session.ErrCursorExpired) || !expired && err != nil:
			r.Fatalf("Changes, item %d: error %v, want ErrCursorExpired first: %t", n, err, !r.NoValidity)
		case expired:
		case page.Reset != (n == 2 && !r.NoValidity):
			r.Errorf("Changes, item %d: Reset is %t; want it on the first page after ErrCursorExpired", n, page.Reset)
			m.take(page)
		default:
			m.take(page)
		}
	}
}

func (r *reading) pagesOf(ctx context.Context, ref session.FolderRef, since session.Cursor) (pages []session.Changes) {
	r.Helper()
	for page, err := range changesOf(ctx, r.in, ref, since, session.SyncOptions{}) {
		if err != nil {
			r.Errorf("Changes of %s: %v", ref, err)
		}
		pages = append(pages, page)
	}
	return pages
}

// wantFolder checks that a program knows exactly the messages of a folder.
func (r *reading) wantFolder(ctx context.Context, ref session.FolderRef, m *model) {
	r.Helper()
	listed := r.list(ctx, session.Query{Folder: ref})
	for _, n := range listed {
		if _, known := m.known[n.ID]; !known {
			r.Errorf("%s holds %s, which was not told", ref, number(n))
		}
	}
	if len(m.known) != len(listed) || len(m.wrong) > 0 {
		r.Errorf("%d messages were told, %s holds %d; %q", len(m.known), ref, len(listed), m.wrong)
	}
}
