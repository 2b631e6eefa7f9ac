package imaptest

import (
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// starred is the label of messages that are flagged.
const starred = `\Starred`

// labelRoles returns the labels of Gmail that stand for folders with a role.
func labelRoles() map[mailtest.Role]string {
	return map[mailtest.Role]string{
		mailtest.RoleInbox: `\Inbox`, mailtest.RoleSent: `\Sent`, mailtest.RoleDrafts: `\Draft`,
		mailtest.RoleTrash: `\Trash`, mailtest.RoleJunk: `\Spam`,
	}
}

// labelOf returns the label that a folder is.
func labelOf(a *mailtest.Account, folder string) string {
	f, err := a.Folder(folder)
	if label := labelRoles()[f.Role]; err == nil && label != "" {
		return label
	}
	return folder
}

// folderOf returns the folder that a label stands for.
func folderOf(a *mailtest.Account, label string) string {
	for _, f := range a.Folders() {
		if own := labelRoles()[f.Role]; own != "" && strings.EqualFold(own, label) {
			return f.Name
		}
	}
	return strings.TrimPrefix(label, `\`)
}

// labels returns the labels of a message, as Gmail tells them: without that of
// the selected folder.
func (l *loaded) labels() []string {
	v := l.session.view
	folders, _ := v.account.Labels(v.name, l.UID)
	labels := make([]string, 0, len(folders)+1)
	for _, f := range folders {
		labels = append(labels, labelOf(v.account, f))
	}
	if l.Has(mailtest.Flagged) {
		labels = append(labels, starred)
	}
	slices.Sort(labels)
	return labels
}

// hasLabel reports whether a message has a label, that of the selected folder
// included.
func (l *loaded) hasLabel(label string) bool {
	v := l.session.view
	all := append(l.labels(), labelOf(v.account, v.name))
	return slices.ContainsFunc(all, func(have string) bool { return strings.EqualFold(have, label) })
}

// labels writes labels with spaces between them.
func (w *encoder) labels(l *loaded) {
	for i, label := range l.labels() {
		if i > 0 {
			w.raw(" ")
		}
		if strings.HasPrefix(label, `\`) {
			w.text(label)
			continue
		}
		w.mailbox(label)
	}
}

// label reads a label: a system label, or the name of a folder.
func (p *parser) label() (string, error) {
	if p.accept('\\') {
		name, err := p.atom()
		return `\` + name, err
	}
	return p.mailbox()
}

// labelList reads labels in parentheses, or one without.
func (p *parser) labelList() ([]string, error) {
	var labels []string
	add := func() error {
		l, err := p.label()
		labels = append(labels, l)
		return err
	}
	if p.peek() == '(' {
		return labels, p.list(add)
	}
	return labels, add()
}

// storeLabels is STORE of X-GM-LABELS.
func (s *session) storeLabels(picked []int, c *change) (reply, error) {
	for _, i := range picked {
		l := s.load(i)
		if l == nil {
			continue
		}
		if err := s.changeLabels(l, c); err != nil {
			return folderProblem(err, false), nil
		}
		before := l.Flags
		if l = s.load(i); l == nil {
			continue
		}
		if slices.Equal(l.Flags, before) {
			s.view.entries[i].modSeq = l.ModSeq // there is nothing else to tell
		}
		if err := s.tellLabels(l, c.silent); err != nil {
			return reply{}, err
		}
	}
	return ok(s.name + " completed"), nil
}

// tellLabels sends the labels after a change.
func (s *session) tellLabels(l *loaded, silent bool) error {
	if silent {
		return nil
	}
	items := []item{simpleItem("X-GM-LABELS")}
	if s.byUID() {
		items = withItem(items, "UID")
	}
	return s.writeFetch(l, items)
}

// changeLabels changes the labels of one message. That of the selected folder
// may be taken away too, by which the message leaves it.
func (s *session) changeLabels(l *loaded, c *change) error {
	v := s.view
	own := labelOf(v.account, v.name)
	before := append(l.labels(), own)
	after := (&change{sign: c.sign, flags: c.flags}).apply(slices.Clone(before))
	has := func(labels []string, label string) bool {
		return slices.ContainsFunc(labels, func(have string) bool { return strings.EqualFold(have, label) })
	}
	if was, is := has(before, starred), has(after, starred); was != is {
		change := v.account.RemoveFlags
		if is {
			change = v.account.AddFlags
		}
		if err := change(v.name, []string{mailtest.Flagged}, l.UID); err != nil {
			return err
		}
	}
	var folders []string
	for _, label := range after {
		if !strings.EqualFold(label, starred) && !strings.EqualFold(label, own) {
			folders = append(folders, folderOf(v.account, label))
		}
	}
	err := v.account.ChangeLabels(v.name, []mailtest.UID{l.UID}, func([]string) []string { return folders })
	if err == nil && c.sign == '-' && !has(after, own) {
		_, err = v.account.Expunge(v.name, l.UID)
	}
	return err
}
