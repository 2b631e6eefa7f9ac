package sessiontest

import (
	"cmp"
	"context"
	"errors"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// draftRules are about drafts that are kept in the mailbox.
func draftRules() []incomingRule {
	return []incomingRule{
		{"a draft is kept with its blind copies, and the next takes its place", draftsKept},
		{"a draft that another program has is a conflict, and nothing is lost", draftsOfOthers},
		{"an update of a draft that was cut leaves a draft", cutDrafts},
	}
}

// desk is where drafts are kept, and those who may keep them.
type desk struct {
	*reading

	session *session.Session
	path    string
	opts    session.DraftOptions
}

// desk returns nil where the backend cannot keep drafts and says so.
func (r *reading) desk(ctx context.Context) *desk {
	r.Helper()
	s := r.appender(ctx)
	if s == nil {
		_, err := r.session(session.ReadWrite).SaveDraft(ctx, sketch("1"), nil)
		wantUnsupported(r, "SaveDraft", err, "draft")
		return nil
	}
	d := &desk{reading: r, session: s, path: inbox, opts: session.DraftOptions{Folder: session.Inbox}}
	if r.facts(ctx).OneFolder {
		return d
	}
	for _, f := range r.folders(ctx) {
		if f.Role == session.RoleDrafts {
			d.path, d.opts.Folder = f.Path, ""
		}
	}
	return d
}

// sketch is a draft with that text.
func sketch(text string) *message.Draft {
	return &message.Draft{
		From: mail.Address{Address: "ann@example.com"}, Bcc: []mail.Address{{Address: "bob@example.com"}}, Subject: "Draft",
		Text: text + "\n", MessageID: "draft@example.com", Date: time.Date(2024, time.March, 1, 9, 0, 0, 0, time.UTC),
	}
}

// texts returns the texts of the drafts, from the first.
func (d *desk) texts() string {
	d.Helper()
	var all []string
	for _, m := range d.kept(d.path) {
		_, text, _ := strings.Cut(m.Raw, "\r\n\r\n")
		all = append(all, strings.TrimSpace(text))
	}
	return strings.Join(all, " ")
}

func (d *desk) save(ctx context.Context) session.ID {
	d.Helper()
	id, err := d.session.SaveDraft(ctx, sketch("1"), &d.opts)
	if err != nil {
		d.Fatalf("SaveDraft: %v", err)
	}
	return cmp.Or(id, d.first(ctx, session.Query{Folder: cmp.Or(d.opts.Folder, session.Drafts)}).ID)
}

func draftsKept(ctx context.Context, r *reading) {
	d := r.desk(ctx)
	if d == nil {
		return
	}
	facts := r.facts(ctx)
	id := d.save(ctx)
	kept := r.kept(d.path)
	want := session.Flags{session.Draft, session.Seen}
	if facts.NoFlags {
		want = nil
	}
	if len(kept) != 1 || !slices.Equal(sorted(kept[0].Flags), sorted(want)) || !strings.HasPrefix(kept[0].Raw, "Bcc: bob@example.com\r\n") {
		r.Fatalf("the drafts are %+v, want one with the flags %v and its Bcc", kept, want)
	}
	next, err := d.session.UpdateDraft(ctx, id, sketch("2"), &d.opts)
	switch e, ok := errors.AsType[*session.DraftError](err); {
	case !facts.SafeDelete:
		wantUnsupported(r, "UpdateDraft", err, "delete")
		if got := d.texts(); got != "1" {
			r.Errorf("UpdateDraft was refused, and the drafts are %q", got)
		}
	case next.IsZero() && !facts.NewIDs:
		if !ok || e.Left != id || d.texts() != "1 2" {
			r.Errorf("UpdateDraft without a new id = %v, the drafts are %q; want an error, and both", err, d.texts())
		}
	case err != nil || d.texts() != "2":
		r.Errorf("UpdateDraft = %v, the drafts are %q; want the second alone", err, d.texts())
	default:
		if read, err := d.session.ReadDraft(ctx, next); err != nil || read.Text != "2\n" || len(read.Bcc) != 1 {
			r.Errorf("ReadDraft = %+v, %v; want what was saved", read, err)
		}
	}
}

func draftsOfOthers(ctx context.Context, r *reading) {
	d := r.desk(ctx)
	if d == nil || !r.facts(ctx).SafeDelete {
		return // the rule about keeping has checked that it is refused
	}
	id := d.save(ctx)
	if err := r.Mailbox.Remove(d.path, 1); err != nil {
		r.Fatalf("remove the draft: %v", err)
	}
	_, err := d.session.UpdateDraft(ctx, id, sketch("2"), &d.opts)
	if _, ok := errors.AsType[*session.DraftError](err); !ok || !errors.Is(err, session.ErrNoMessage) || d.texts() != "" {
		r.Errorf("UpdateDraft of a draft that is gone = %v, the drafts are %q; want ErrNoMessage, and none", err, d.texts())
	}
	if _, err := d.session.SendSavedDraft(ctx, id, nil); !errors.Is(err, errors.ErrUnsupported) {
		r.Errorf("SendSavedDraft without a way out = %v, want that there is none", err)
	}
}

func cutDrafts(ctx context.Context, r *reading) {
	d := r.desk(ctx)
	if d == nil || !r.facts(ctx).SafeDelete {
		return
	}
	d.update(ctx, nil)
	for _, f := range r.line.steps() {
		for range r.kept(d.path) {
			if err := r.Mailbox.Remove(d.path, 1); err != nil {
				r.Fatal(err)
			}
		}
		d.update(ctx, &f)
	}
}

// update saves a draft and changes it on a line with a fault, and checks that what
// is said of it is true.
func (d *desk) update(ctx context.Context, f *fault) {
	d.Helper()
	old := d.save(ctx)
	d.line.arm(f)
	id, err := d.session.UpdateDraft(ctx, old, sketch("2"), &d.opts)
	d.line.settle()
	there := d.texts()
	e, ok := errors.AsType[*session.DraftError](err)
	switch {
	case err == nil && there == "2" && !id.IsZero():
	case err == nil, !ok, e.Stored != id:
		d.Errorf("cut by %+v: UpdateDraft = %q, %v; the drafts are %q", f, id, err, there)
	case there == "", !id.IsZero() && !strings.Contains(there, "2"), e.Left.IsZero() && strings.Contains(there, "1"):
		d.Errorf("cut by %+v: the drafts are %q, and UpdateDraft says %v", f, there, err)
	}
	wantNoSecret(d, err, d.Credentials.Password)
	if f != nil {
		d.line.arm(nil)
	}
}
