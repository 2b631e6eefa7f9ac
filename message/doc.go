// Package message reads and writes single messages in the form of RFC 5322 and
// MIME. It knows nothing of mailboxes and protocols.
//
// # Reading
//
// [ParseHeader] makes a [Header] of the bytes of a header, without decoding
// anything before it is asked for: that is what lists of messages need. [Parse]
// takes a whole message apart into text, HTML and attachments.
//
// Mail is often not what the standards say. Both functions read what is there
// as far as it can be understood, keep the bytes as they came, and tell what is
// wrong as a [Defect]. Parse fails only where the bytes cannot be read, or
// where a message passes a limit of [ParseOptions]; then the [LimitError] comes
// with the header and the raw bytes.
//
// What comes out is safe to handle as text: strings are valid UTF-8, and names,
// subjects and addresses are one line without control characters. It is not
// safe to believe. A sender can write any name, address, file name and HTML.
//
// # Writing
//
// A [Draft] becomes the bytes of a message by [Draft.Source]; [Reply] makes the
// Draft of an answer. A line break in a subject or an address, with which a
// form on a web page could be made to add recipients, is refused as a
// [FieldError].
//
// A [Source] is a message that can be read more than once, which is what
// sending needs.
package message
