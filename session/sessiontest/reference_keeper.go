package sessiontest

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// further answers to questions about what not every backend can do.
func (v visitor) further() error {
	var err error
	switch v.q.Op {
	case "append":
		return v.append()
	case "marked", "purge":
		return v.purge()
	case "count":
		return v.count()
	case "changes":
		return v.changes()
	case "notify":
		return v.notify()
	case "create":
		if err = v.editable(); err == nil {
			err = v.account.CreateFolder(v.q.Path, "")
		}
	case "rename", "delete", "subscribe":
		err = v.edit()
	default:
		err = fmt.Errorf("there is no %q", v.q.Op)
	}
	if err != nil {
		return v.write(refusalOf(err))
	}
	return v.write(answer{End: true})
}

// editable refuses to edit folders where there is but one, and odd names.
func (v visitor) editable() error {
	if strings.ContainsFunc(v.q.Path, unicode.IsControl) {
		return errors.New("a name is one line")
	}
	if v.Facts.OneFolder {
		return lacking("folder but the inbox")
	}
	return nil
}

// edit changes a folder that is there.
func (v visitor) edit() error {
	if err := v.editable(); err != nil {
		return err
	}
	f, err := v.find(session.FolderRef(v.q.Folder))
	switch {
	case err != nil:
		return err
	case v.q.Op == "subscribe":
		return v.account.Subscribe(f.Name, v.q.On)
	case f.Role == mailtest.RoleInbox:
		return errors.New("the inbox stays where it is")
	case v.q.Op == "delete":
		return v.account.DeleteFolder(f.Name)
	}
	return v.rename(f)
}

// rename moves a folder, and voids the numbers in it and below.
func (v visitor) rename(f mailtest.Folder) error {
	if err := v.account.RenameFolder(f.Name, v.q.Path); err != nil {
		return err
	}
	for _, g := range v.account.Folders() {
		if g.Name == v.q.Path || strings.HasPrefix(g.Name, v.q.Path+"/") {
			if err := v.account.BumpUIDValidity(g.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// append takes a message into a folder, as a whole or not at all.
func (v visitor) append() error {
	f, err := v.find(session.FolderRef(v.q.Folder))
	if err == nil {
		err = v.able(session.Change{Set: flagsOf(v.q.Flags)})
	}
	if limit := v.limit(); err == nil && v.q.Size > limit {
		err = errors.New("the message is too large")
	}
	if err != nil {
		return v.put(refusalOf(err))
	}
	if err := v.put(answer{Name: "go on"}); err != nil {
		return err
	}
	raw, err := io.ReadAll(&chunks{talk: v.talk})
	if err != nil {
		return err
	}
	uid, err := v.account.Append(f.Name, string(raw), &mailtest.AppendOptions{Flags: v.q.Flags, Received: v.q.Received})
	if err != nil {
		return v.put(refusalOf(err))
	}
	return v.put(answer{place: place{Folder: f.Name, Validity: f.UIDValidity, Key: uint32(uid)}})
}

// purge tells where the messages are that carry \Deleted, or removes those of
// the named that carry it still.
func (v visitor) purge() error {
	err := v.able(session.Change{Set: session.Flags{session.Deleted}, Delete: true})
	if v.q.Op == "purge" {
		for _, p := range v.q.Places {
			if err := v.write(v.purged(p, err)); err != nil {
				return err
			}
		}
		return nil
	}
	var f mailtest.Folder
	if err == nil {
		f, err = v.find(session.FolderRef(v.q.Folder))
	}
	if err != nil {
		return v.write(refusalOf(err))
	}
	all, err := v.account.Messages(f.Name)
	if err != nil {
		return v.write(refusalOf(err))
	}
	for _, m := range all {
		if m.Has(mailtest.Deleted) {
			if err := v.write(answer{place: placeOf(m)}); err != nil {
				return err
			}
		}
	}
	return v.write(answer{End: true})
}

// purged removes one message that is marked, unless err is in the way.
func (v visitor) purged(p place, err error) answer {
	var m mailtest.Message
	if err == nil {
		m, err = v.at(p)
	}
	if err == nil && !m.Has(mailtest.Deleted) {
		err = errors.New("the message is not marked any more")
	}
	if err == nil {
		_, err = v.account.Expunge(p.Folder, m.UID)
	}
	if err != nil {
		return refusalOf(err)
	}
	return answer{Name: "done"}
}

func (v visitor) count() error {
	f, err := v.find(session.FolderRef(v.q.Folder))
	if err != nil {
		return v.write(refusalOf(err))
	}
	all, err := v.account.Messages(f.Name)
	if err != nil {
		return v.write(refusalOf(err))
	}
	counts := session.Counts{Messages: int64(len(all)), Unread: int64(f.Unseen)}
	if v.Facts.NoFlags {
		counts.Unread = counts.Messages
	}
	for _, m := range all {
		counts.Bytes += int64(len(m.Raw))
	}
	if err := v.write(answer{Counts: &counts}); err != nil {
		return err
	}
	return v.write(answer{End: true})
}

// addExtra puts into a summary what not every server knows.
func (v visitor) addExtra(a *answer, m mailtest.Message) {
	fields := v.q.Query.Fields
	if fields&session.FieldVersion != 0 && v.Facts.Versions {
		a.Version = strconv.FormatUint(m.ModSeq, 10)
	}
	if fields&session.FieldIDs != 0 && v.Facts.ObjectIDs {
		a.Email, a.Thread = strconv.FormatUint(m.Email, 10), strconv.FormatUint(m.Thread, 10)
	}
	if fields&session.FieldLabels != 0 && v.Facts.Labels {
		a.Labels, _ = v.account.Labels(m.Folder, m.UID) // what is gone has none
	}
}

// hasLabel reports whether a message has a label.
func (v visitor) hasLabel(m mailtest.Message, label string) bool {
	labels, err := v.account.Labels(m.Folder, m.UID)
	return err == nil && slices.ContainsFunc(labels, func(l string) bool { return strings.EqualFold(l, label) })
}

// changeFlags changes flags in one step, unless the message has another version
// than the change depends on.
func (v visitor) changeFlags(c session.Change, m mailtest.Message) error {
	since := uint64(math.MaxUint64)
	if c.IfUnchanged != nil {
		var client referenceClient
		client.mailbox = session.Fingerprint(referenceName, v.q.User)
		listed := c.IfUnchanged[client.id(answer{place: placeOf(m)})]
		if string(listed) != strconv.FormatUint(m.ModSeq, 10) {
			return session.ErrChanged
		}
		since = m.ModSeq
	}
	refused, err := v.account.ChangeFlags(m.Folder, []mailtest.UID{m.UID}, since, func(flags []string) []string {
		return slices.DeleteFunc(append(flags, wordsOf(c.Set)...), func(f string) bool { return c.Clear.Has(session.Flag(f)) })
	})
	if err == nil && len(refused) > 0 {
		err = session.ErrChanged
	}
	return err
}

// changeLabels adds and takes away labels. Without that of its folder, a message
// leaves it.
func (v visitor) changeLabels(c session.Change, m mailtest.Message) error {
	has := func(labels []string, label string) bool {
		return slices.ContainsFunc(labels, func(l string) bool { return strings.EqualFold(l, label) })
	}
	own := m.Folder
	if own == inbox {
		own = `\Inbox`
	}
	add := slices.DeleteFunc(slices.Clone(c.AddLabels), func(l string) bool { return strings.EqualFold(l, own) })
	err := v.account.ChangeLabels(m.Folder, []mailtest.UID{m.UID}, func(labels []string) []string {
		return slices.DeleteFunc(append(labels, add...), func(l string) bool { return has(c.RemoveLabels, l) })
	})
	if err == nil && has(c.RemoveLabels, own) {
		_, err = v.account.Expunge(m.Folder, m.UID)
	}
	return err
}
