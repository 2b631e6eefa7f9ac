package message

import (
	"fmt"
	"strconv"
)

// A Defect is something in a message that is not as it should be, and that did
// not keep the rest from being read. It says where to look and holds none of
// the message's text.
type Defect struct {
	// Kind is what is wrong.
	Kind DefectKind
	// Part is the MIME part, numbered as in IMAP's FETCH BODY[1.2] (RFC 9051
	// section 6.4.5.1), or empty for the message as a whole.
	Part string
	// Offset is the position of the defect in the bytes that were read, or -1
	// if it has no single place.
	Offset int64
	// Limit is the limit that was passed at that place, and 0 for a defect that
	// is no limit passed.
	Limit int64
}

// String returns the kind and the place, such as "malformed-base64 in part 2 at
// byte 1200", or "more-parts than 1000 in part 1001 at byte 7000".
func (d Defect) String() string {
	s := string(d.Kind)
	if d.Limit > 0 {
		s += " than " + strconv.FormatInt(d.Limit, 10)
	}
	if d.Part != "" {
		s += " in part " + d.Part
	}
	if d.Offset >= 0 {
		s += " at byte " + strconv.FormatInt(d.Offset, 10)
	}
	return s
}

// DefectKind names a kind of [Defect]. More kinds may be added.
type DefectKind string

// The kinds of defects of a header.
const (
	// DefectNoHeader tells that a message begins with its body.
	DefectNoHeader DefectKind = "no-header"
	// DefectMboxLine tells that a message begins with the "From " line of a
	// mailbox file, which is no part of it.
	DefectMboxLine DefectKind = "mbox-from-line"
	// DefectJunkLine tells of a line in a header that is neither a field nor the
	// continuation of one. It is left out.
	DefectJunkLine DefectKind = "junk-line"
	// DefectUnindented tells of a line that continues a field without the white
	// space that continuations begin with. It is taken as part of the field.
	DefectUnindented DefectKind = "unindented-continuation"
	// DefectNoBlankLine tells that a body begins without the empty line that ends
	// a header.
	DefectNoBlankLine DefectKind = "no-blank-line"
	// DefectManyFields tells that a header has more than ten thousand fields. The
	// others are left out.
	DefectManyFields DefectKind = "too-many-fields"
)

// The kinds of defects of MIME structure and content.
const (
	// DefectContentType tells of a Content-Type that cannot be read, or has more
	// parameters than is sane. The part is read as far as it can be.
	DefectContentType DefectKind = "malformed-content-type"
	// DefectNoParts tells of a multipart without a boundary, or in which the
	// boundary does not occur. What it holds is taken as text.
	DefectNoParts DefectKind = "multipart-without-parts"
	// DefectUnclosed tells of a multipart whose final boundary is missing. Its
	// last part goes on to where the enclosing part ends.
	DefectUnclosed DefectKind = "unclosed-multipart"
	// DefectEncoding tells of a Content-Transfer-Encoding that is not known. The
	// content is left as it came.
	DefectEncoding DefectKind = "unknown-transfer-encoding"
	// DefectBase64 tells of bytes in base64 content that do not belong there.
	// They are left out.
	DefectBase64 DefectKind = "malformed-base64"
	// DefectCharset tells of text that is not in the character set that it
	// claims, or claims one that is not known. It is read as UTF-8 if it can be,
	// and else in a character set that was guessed.
	DefectCharset DefectKind = "wrong-charset"
)

// The limits that a message may pass. Reading goes on: each defect tells what
// there is of the rest.
const (
	// DefectDepth tells of multiparts that nest deeper than MaxDepth. [Parse]
	// reads them all the same, down to DefaultMaxNesting; what is deeper still is
	// an attachment, taken whole, with the multipart's media type.
	DefectDepth DefectKind = "deeper-nesting"
	// DefectParts tells of more parts than MaxParts. [Parse] still reads the text
	// in the others, and leaves out their attachments, which [Walk] gives.
	DefectParts DefectKind = "more-parts"
	// DefectHeaderBytes tells of a header longer than MaxHeaderBytes. The fields
	// behind the limit are left out, and [Header.Raw] is so much shorter.
	DefectHeaderBytes DefectKind = "longer-header"
	// DefectBytes tells of a message longer than MaxBytes. What was read are the
	// bytes up to there.
	DefectBytes DefectKind = "more-bytes"
	// DefectCut tells of a message of which the rest could not be read.
	DefectCut DefectKind = "cut-off"
)

// maxDefects is how many defects are kept of a header, and of a message.
const maxDefects = 100

// addDefect appends d unless there are very many already.
func addDefect(list []Defect, d Defect) []Defect {
	if len(list) >= maxDefects {
		return list
	}
	return append(list, d)
}

// A LimitError tells that a message has more bytes than [ParseOptions] allow,
// and the rest of it was not read.
type LimitError struct {
	// Max is the limit in bytes.
	Max int64
}

// Error says which limit was passed and what to do.
func (e *LimitError) Error() string {
	return fmt.Sprintf("message: longer than %d bytes: allow more in the ParseOptions, or walk over its parts as a stream", e.Max)
}
