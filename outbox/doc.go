// Package outbox keeps messages until they are sent: in a [state.Store], so that
// they survive the program, and each is sent once.
//
//	box, err := outbox.New(store, s, nil)
//	...
//	entry, err := box.EnqueueDraft(ctx, "invoice-4711", draft)
//	...
//	go box.Run(ctx)
//
// # Once
//
// [Outbox.Enqueue] takes a key that the program chooses. To enqueue the same
// message under the same key again does nothing, so that a program which does not
// know whether it came that far does it again; another message under the key is
// [ErrKeyUsed]. Message-ID and Date are settled then, and the same in every try.
//
// # What becomes of a message
//
// It is [StateNew] until a worker begins to send it, which makes it [StateSending]. The
// server's answer makes it [StateSent], [StatePartial] or [StateFailed], or StateNew again until the
// next try. What the server refused for the time being is tried again for
// [Options.GiveUpAfter], and only for those recipients that it was refused for.
//
// Where the answer is lost, by the line or by the end of the worker, nobody knows
// whether the message was sent: it is [StateUnknown], and never sent again by itself. It
// is looked for by its Message-ID in the folder of sent mail, which makes it StateSent
// where it is found and that proves it for every recipient; see [Entry.Found]. That
// happens at servers that file what is sent by themselves; others leave it to the
// program, which calls [Outbox.MarkSent], [Outbox.Resend] or [Outbox.Drop].
//
// While the server, or the session's own settings, want a pause, messages wait as
// StateNew. So they do while the server cannot be reached or signed in to, whatever the
// reason: a certificate, a firewall or a wrong setting is nothing that a server said of
// a message, nor is what it says of the whole mailbox, as that it may send no more today.
//
// # Workers
//
// Any number of [Outbox.Run] may share a Store, in any number of processes; one sends
// one message at a time. Every change of an entry is a compare-and-swap against the
// version that the worker knows, so that of two who begin with the same message one
// goes on. A worker renews its claim while it sends. A claim that was seen
// unchanged for its whole term is of a worker that is gone; nobody compares clocks
// for that. A worker that stood still and comes back finds another version than its
// own and stops.
//
// A worker writes down that it begins before the first byte leaves, and what became
// of it when the answer came. A crash between these two makes a message StateUnknown; one
// anywhere else loses and doubles nothing. One within Enqueue leaves an entry without
// its bytes, which are kept when the same is enqueued again.
//
// # Copies
//
// Where the envelope or the session asks for a copy in the folder of sent mail, see
// [session.SentPolicy], it is filed when the message was accepted, after that was
// written down.
//
// # Versions
//
// Programs with different versions of this library may share a Store while one takes
// the place of the other. What the newer one wrote in a form that the older one does not
// know is left alone there, bytes and all, with [ErrOtherVersion]; everything else
// goes out.
//
// # Room
//
// A message's bytes are a record of the Store of their own, at most
// [Options.MaxSize], and are removed when it was sent. What is known of it stays for
// [Options.KeepFor], and its key is used for as long.
package outbox
