package session

import (
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/message"
)

// Flag is a mark on a message. The named ones exist in every protocol that has
// flags; any other is a keyword, where the backend can keep those. What a keyword
// may be the backend decides, before it does any I/O; [Facts.FreeKeywords] tells it
// beforehand.
type Flag string

// The named flags (RFC 9051 section 2.3.2).
const (
	Seen     Flag = `\Seen`
	Answered Flag = `\Answered`
	Flagged  Flag = `\Flagged`
	Deleted  Flag = `\Deleted`
	Draft    Flag = `\Draft`
)

// Flags is a set of flags.
type Flags []Flag

// Has reports whether f is set. Letters' case does not count.
func (fs Flags) Has(f Flag) bool {
	return slices.ContainsFunc(fs, func(g Flag) bool { return strings.EqualFold(string(g), string(f)) })
}

// Message is a summary of one message. The parts that the query's Fields did
// not ask for are zero.
type Message struct {
	ID    ID
	Flags Flags
	// Received is when the message came to its mailbox.
	Received time.Time
	// Size is the message's size in bytes. Some servers only estimate it.
	Size int64
	// Header has the fields that listings show and programs route by: From,
	// Sender, Reply-To, To, Cc, Bcc, Subject, Date, Message-ID, In-Reply-To,
	// References, Content-Type, Auto-Submitted, Precedence and List-Id. Its
	// methods decode them. A backend may give the whole header; Open always has
	// it.
	Header message.Header

	// Version changes whenever the message's flags do; see
	// [Change.IfUnchanged]. It is empty where the server keeps none.
	Version Version
	// EmailID is the server's own name of the message, the same in every folder
	// and after every move (RFC 8474 section 5.1, or Gmail's X-GM-MSGID).
	// ThreadID is that of its conversation. Both are empty where the server has
	// none. [Facts] tells that beforehand.
	EmailID, ThreadID string
	// Labels are Gmail's, the system's own with a "\" in front, without those of
	// the folder that was listed. They are nil at other servers.
	Labels []string

	// Structure is the parts of the message, by which files are told of without
	// fetching them; [Session.OpenPart] opens one by its Number. It is nil where
	// the server's word of it cannot be read; Incomplete says why then.
	Structure message.Structure
	// Preview is the beginning of the text, one line of at most
	// [message.PreviewLength] characters. It may be empty.
	Preview string
	// Incomplete is why the Structure or the Preview is missing although it was
	// asked for, and nil where nothing is. The message itself can be read.
	Incomplete error
}

// Version is one state of a message's flags, to be compared for equality and
// to be given back, in IMAP the MODSEQ of RFC 7162.
type Version string

// Unread reports whether the message is not marked as seen.
func (m *Message) Unread() bool { return !m.Flags.Has(Seen) }

// Fields says which parts of a summary to ask for.
type Fields uint

// The parts of a summary.
const (
	FieldFlags Fields = 1 << iota
	FieldReceived
	FieldSize
	FieldHeader
	FieldVersion // Version
	FieldIDs     // EmailID and ThreadID
	FieldLabels
	FieldStructure // Structure
	FieldPreview   // Preview

	// FieldsAll is what a query asks for by default. The parts that only some
	// servers have are not among it, nor those that cost more to find out.
	FieldsAll = FieldFlags | FieldReceived | FieldSize | FieldHeader

	fieldsKnown = FieldsAll | FieldVersion | FieldIDs | FieldLabels | FieldStructure | FieldPreview
)

// fieldNames are the names of the parts, in the order of their bits.
func fieldNames() []string {
	return []string{"flags", "received", "size", "header", "version", "ids", "labels", "structure", "preview"}
}

func (f Fields) names() []string {
	var names []string
	for i, name := range fieldNames() {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}
