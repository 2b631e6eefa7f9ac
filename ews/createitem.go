package ews

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// Append implements [session.Appender]. The message is put into the folder as one
// that was received, unless its flags say that it is a draft. Where the answer is
// lost after the last byte, or does not say whether it was stored, as that of a gateway
// which waited in vain, it is looked for by its Message-ID among those that are new.
//
// A draft that is larger than the server takes in one request is stored without its
// attachments, which follow one by one; if one of them fails, the draft is removed.
func (c *Client) Append(ctx context.Context, ref session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error) {
	if opts == nil {
		opts = &session.AppendOptions{}
	}
	a := &appending{client: c, opts: *opts}
	id, err := a.run(ctx, cmp.Or(ref, session.Inbox), m)
	if err == nil {
		return id, nil
	}
	outcome := session.NotDone
	if a.left || a.request != nil && a.request.sent && mayBeDone(err) {
		outcome = session.DoneUnknown
	}
	return session.ID{}, &session.AppendError{Folder: cmp.Or(ref, session.Inbox), Outcome: outcome, MessageID: a.letter.header.MessageID(), Err: err}
}

// appending is one message on its way into a folder.
type appending struct {
	client *Client
	letter letter
	opts   session.AppendOptions

	request  *request
	newest   int64 // the number of the folder's last message, before
	numbered bool
	left     bool // part of it is there
}

func (a *appending) run(ctx context.Context, ref session.FolderRef, m message.Source) (id session.ID, err error) {
	if err := checkSet(a.opts.Flags); err != nil {
		return session.ID{}, err
	}
	if a.letter, err = readLetter("append", m); err != nil {
		return session.ID{}, err
	}
	err = a.client.within(ctx, ref, func(f *folder) (err error) {
		id, err = a.bring(ctx, f, a.element())
		if a.opts.Flags.Has(session.Draft) && a.tooMuchAtOnce(err) {
			var d *assembled
			if d, err = a.bringInPieces(ctx, f, err, a.element); err == nil {
				id = d.id
			}
		}
		return err
	})
	return id, err
}

// bring sends the message, as the element item.
func (a *appending) bring(ctx context.Context, f *folder, item element) (session.ID, error) {
	c := a.client
	if err := a.lookAhead(ctx, f); err != nil {
		return session.ID{}, err
	}
	a.request = &request{
		op: "CreateItem", once: true, attrs: []slog.Attr{slog.String("folder", f.Path), slog.Int64("bytes", a.letter.size)},
		body: el("m:CreateItem", el("m:SavedItemFolderId", folderID(f.id)), el("m:Items", item)).with("MessageDisposition", "SaveOnly"),
	}
	var id session.ID
	err := c.call(ctx, a.request, func(ans *answer) error {
		return ans.only(func(name string) error {
			if name != "Items" {
				return nil
			}
			return ans.children(func(string) error {
				it, err := ans.item()
				if err == nil && it.id != "" {
					id = c.idOf(f, it.id)
				}
				return err
			})
		})
	})
	if err != nil && a.request.sent && mayBeDone(err) {
		if found, ok := a.locate(ctx, f); ok {
			return found, nil
		}
	}
	return id, err
}

// element writes the message with what the server is to keep with it.
func (a *appending) element() element {
	flags := a.opts.Flags
	children := []element{a.letter.mime()}
	if keywords := keywordsOf(flags); len(keywords) > 0 {
		list := el("t:Categories")
		for _, k := range keywords {
			list.children = append(list.children, leaf("t:String", k))
		}
		children = append(children, list)
	}
	state := 0
	if flags.Has(session.Seen) {
		state |= messageRead
	}
	if flags.Has(session.Draft) {
		state |= messageDraft
	}
	received := a.opts.Received
	if received.IsZero() {
		received = time.Now()
	}
	children = append(children, tagFlags.setTo(state), tagReceived.set(instant(received.Truncate(time.Second))))
	if flags.Has(session.Flagged) {
		children = append(children, tagFlagged.setTo(flagged))
	}
	if flags.Has(session.Answered) {
		children = append(children, tagVerb.setTo(repliedTo), tagIcon.setTo(iconReplied))
	}
	if flags.Has(session.Deleted) {
		children = append(children, tagDeleted.setTo(markedDeleted))
	}
	children = append(children, leaf("t:IsRead", boolean(flags.Has(session.Seen))))
	return el("t:Message", children...)
}

// lookAhead notes the number of the folder's last message, so that one which comes is
// told from those that were there: drafts have the same Message-ID again and again.
func (a *appending) lookAhead(ctx context.Context, f *folder) error {
	items, _, err := a.client.findItem(ctx, search{folder: f, most: 1, properties: []element{tagNumber.uri()}, by: tagNumber.uri()})
	if err != nil {
		return err
	}
	a.newest, a.numbered = 0, true
	if len(items) > 0 {
		if items[0].err == nil {
			a.newest, a.numbered = items[0].number, items[0].numbered
		} else {
			a.numbered = false
		}
	}
	return nil
}

// locate looks for the message among those that came since the request was begun.
func (a *appending) locate(ctx context.Context, f *folder) (session.ID, bool) {
	c := a.client
	if !a.letter.searchable() || !a.numbered {
		return session.ID{}, false
	}
	items, _, err := c.findItem(ctx, search{
		folder: f, most: maxFound, properties: []element{tagNumber.uri()},
		where: []element{behind(a.newest, true), a.letter.named()},
	})
	if err != nil || len(items) != 1 || items[0].err != nil || items[0].number <= a.newest {
		return session.ID{}, false
	}
	return c.idOf(f, items[0].id), true
}
