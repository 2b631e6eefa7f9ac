// Package message reads and writes single messages in the form of RFC 5322 and
// MIME. It knows nothing of mailboxes and protocols.
//
//	m, err := message.Parse(file, nil)
//	fmt.Println(m.Header.Subject(), m.ReadableText(), len(m.Attachments))
//	answer, err := message.Reply(m, message.ReplyOptions{From: me, Text: "Agreed.\n", Quote: true})
//	source, err := answer.Source() // what session.Session.Send takes
//
// # Reading
//
// [ParseHeader] makes a [Header] of the bytes of a header, without decoding
// anything before it is asked for: that is what lists of messages need. [Parse]
// takes a whole message apart into text, HTML and attachments. [Walk] goes
// through the parts of a message as a stream, in memory that does not grow with
// it: that is for attachments of any size.
//
// Mail is often not what the standards say. All of them read what is there as
// far as it can be understood, keep the bytes as they came, and tell what is
// wrong as a [Defect]. Parse always returns a message, also of one that passes a
// limit of [ParseOptions], and an error only where bytes are missing: the reader
// failed, or had more than MaxBytes. Where a part begins and ends is decided in
// one place for Parse and Walk, in time that is in proportion to the bytes.
//
// What comes out is safe to handle as text: strings are valid UTF-8, and names,
// subjects and addresses are one line without control characters. It is not
// safe to believe. A sender can write any name, address, file name and HTML.
//
// # Text for people
//
// [Message.ReadableText] is what a person reads, from HTML by [HTMLText] where
// there is no plain text. [Message.NewText] is what the author of a reply added,
// and [Message.Passages] tells that apart from quotes and the signature.
//
// # Files
//
// [Attachment.FileName] and [PartInfo.FileName] are names to save files under, and
// [FileNames] keeps two of them from being the same. [Attachment.Text] decodes
// the character set of a text. [Attachment.Kind] tells winmail.dat
// (TNEF), calendar objects and messages from other files. They are given whole:
// TNEF is not unpacked, since no Go library for it is kept up, and what a
// calendar object means is for a calendar library, which iCalendar has several
// of; only what it asks for is read, by [Attachment.CalendarMethod].
//
// # Conversations
//
// [Threads] puts messages together by References, In-Reply-To and subject.
// [Header.MayAnswer] is to be asked before a program answers a message.
//
// # Reports
//
// [ReadReport] reads bounces, read receipts and complaints as a [Report]: which
// message, and what became of it for each recipient.
//
// # Writing
//
// A [Draft] becomes the bytes of a message by [Draft.Source]. It is a struct to
// fill in: text, HTML, an invitation, and files, which are attachments or pictures
// that the HTML shows. Multiparts, transfer encodings, character sets, the form of
// file names and the lengths of lines are chosen by what is in it. A line break in
// a subject, an address or a file name, with which a form on a web page could be
// made to add recipients, is refused as a [FieldError].
//
// [Reply] makes the Draft of an answer, and [Forward] that of a message that is
// sent on, in the language of whoever writes. A program that answers by itself
// says so in [ReplyOptions.Automatic], and is told where it may not. The package
// message/templates fills Drafts from templates.
//
// A [Source] is a message that can be read more than once, which is what
// sending needs. Files are read while the message is read, in memory that does
// not grow with them, and the length of the message is known before.
package message
