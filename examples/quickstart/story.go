package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// story goes through the main job of a mail program.
func story(ctx context.Context, r *report, p preset.Provider, cfg *oauth.Config, how *oauth.SignInOptions) error {
	grant, err := oauth.SignIn(ctx, cfg, how)
	if err != nil {
		return err
	}
	r.step("sign in", "as %s, by authorization code with PKCE", grant.Address())

	creds := session.Credentials{User: grant.Address(), Tokens: grant}
	s, err := session.New(creds, imapx.Backend(p.IMAP, nil), smtpx.Backend(p.SMTP, nil), nil)
	if err != nil {
		return err
	}
	defer s.Close()

	t := &teller{session: s, report: r, me: mail.Address{Address: grant.Address()}}
	for _, step := range []func(context.Context) error{t.folders, t.note, t.unread, t.answer, t.mark, t.move, t.arrive} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return s.Close()
}

// teller holds what the steps pass on to each other.
type teller struct {
	session *session.Session
	report  *report
	me      mail.Address

	noteID   string           // the Message-ID of the note to oneself
	found    session.ID       // the note in the inbox
	read     *message.Message // the note
	answerID string           // the Message-ID of the answer
}

func (t *teller) folders(ctx context.Context) error {
	var folders []session.Folder
	for f, err := range t.session.Folders(ctx) {
		if err != nil {
			return err
		}
		folders = append(folders, f)
	}
	t.report.step("folders", "%d", len(folders))
	for _, f := range folders {
		t.report.detail("%-20s %s", f.Path, f.Role)
	}
	return nil
}

// note sends oneself the message that will be answered, so that nobody else is
// written to.
func (t *teller) note(ctx context.Context) error {
	draft := &message.Draft{From: t.me, To: []mail.Address{t.me}, Subject: "A note to myself", Text: "Does mail work here?\n"}
	receipt, err := t.session.SendDraft(ctx, draft, nil)
	if err != nil {
		return err
	}
	t.noteID = receipt.MessageID
	t.report.step("send", "a note to oneself: %v", receipt.Outcome)
	return nil
}

func (t *teller) unread(ctx context.Context) error {
	note, err := t.await(ctx, t.noteID)
	if err != nil {
		return err
	}
	t.found = note.ID
	var unread []*session.Message
	for m, err := range t.session.Messages(ctx, session.Query{Where: session.Filter{Unread: session.Yes}, Limit: 10}) {
		if err != nil {
			return err
		}
		unread = append(unread, m)
	}
	t.report.step("unread", "%d, newest first", len(unread))
	for _, m := range unread {
		t.report.detail("%-20s %s", from(m.Header), m.Header.Subject())
	}
	t.read, err = t.session.Read(ctx, t.found)
	if err != nil {
		return err
	}
	t.report.step("read", "%q", t.read.Text)
	return nil
}

// from names the first sender.
func from(h message.Header) string {
	senders := h.From()
	if len(senders) == 0 {
		return "(nobody)"
	}
	return cmp.Or(senders[0].Name, senders[0].Address)
}

func (t *teller) answer(ctx context.Context) error {
	reply, err := message.Reply(t.read, message.ReplyOptions{From: t.me, Text: "It does.\n", Quote: true})
	if err != nil {
		return err
	}
	receipt, err := t.session.SendDraft(ctx, reply, nil)
	if err != nil {
		return err
	}
	t.answerID = receipt.MessageID
	t.report.step("answer", "%q: %v, queued as %s", reply.Subject, receipt.Outcome, receipt.QueueID)
	return nil
}

func (t *teller) mark(ctx context.Context) error {
	return t.apply(ctx, session.Change{Set: session.Flags{session.Answered, session.Seen}}, "mark", "answered and read")
}

func (t *teller) move(ctx context.Context) error {
	return t.apply(ctx, session.Change{MoveTo: session.Archive}, "move", "to the archive")
}

func (t *teller) apply(ctx context.Context, c session.Change, what, words string) error {
	results, err := t.session.Apply(ctx, c, t.found)
	if err != nil {
		return err
	}
	r := results[0]
	if r.Outcome != session.Done {
		return fmt.Errorf("%s: %v: %w", what, r.Outcome, r.Err)
	}
	if !r.NewID.IsZero() {
		t.found = r.NewID
	}
	t.report.step(what, "%s: %v", words, r.Outcome)
	return nil
}

func (t *teller) arrive(ctx context.Context) error {
	answer, err := t.await(ctx, t.answerID)
	if err != nil {
		return err
	}
	t.report.step("arrived", "%q, in reply to the note", answer.Header.Subject())
	return nil
}

// await waits for a message in the inbox, for two minutes at the most.
func (t *teller) await(ctx context.Context, messageID string) (*session.Message, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("the message did not arrive within two minutes"))
	defer cancel()
	again := time.NewTicker(2 * time.Second)
	defer again.Stop()
	for {
		for m, err := range t.session.Messages(ctx, session.Query{Limit: 50}) {
			if err != nil {
				return nil, err
			}
			if m.Header.MessageID() == messageID {
				return m, nil
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
