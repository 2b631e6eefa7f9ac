package message

import (
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxFileName is how many bytes a safe file name has at most. File systems allow
// 255; the rest is for those who put something before or behind the name.
const maxFileName = 200

// SafeFileName makes of the name that a sender gave a file name that is usable
// on Linux, macOS and Windows, and that stays in the folder it is used in:
// [path/filepath.IsLocal] is true of it. Applied to its own result, it changes
// nothing.
//
// Of a path the last element counts (RFC 2183 section 2.3). Control characters,
// and the characters that change how a name looks, such as U+202E which turns
// its end around, are dropped; what Windows forbids, the colon of its alternate
// streams among it, becomes "_", as do a dot at the beginning, which hides files,
// and a dash there, which programs take for an option. Spaces around and dots at
// the end are dropped. Names of devices, such as CON and COM1.txt, get a "_"
// before them. The name is in Unicode's form NFC and at most 200 bytes long; what
// is too long loses the end of its stem and keeps its extension.
//
// If nothing is left, the name is "attachment" with an extension for the media
// type, if that is a common one, or else ".bin". A name is never given another
// extension: it says no more of the content than its sender wants to say.
func SafeFileName(name, contentType string) string {
	name = norm.NFC.String(strings.ToValidUTF8(name, "_"))
	name = strings.Map(fileRune, name)
	name = strings.TrimRight(name, `/\. `)
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = norm.NFC.String(trimFileName(name))
	if name == "" {
		return "attachment" + extensionOf(contentType)
	}
	if name[0] == '.' || name[0] == '-' {
		name = "_" + name[1:]
	}
	name = shorten(name, maxFileName) // which can make "CON.txt" of a longer name
	if isDevice(name) {
		name = shorten("_"+name, maxFileName)
	}
	return name
}

// FileName returns the name of the attachment as a safe file name, as
// [SafeFileName] makes it of Name and ContentType. Two attachments can have the
// same: see [FileNames].
func (a Attachment) FileName() string { return SafeFileName(a.Name, a.ContentType) }

// fileRune returns what stands for r in a file name. Separators stay.
func fileRune(r rune) rune {
	switch {
	case strings.ContainsRune(`<>:"|?*`, r):
		return '_'
	case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029':
		return ' '
	case unicode.IsControl(r), isFormat(r), r == '\u034f', r == '\u115f', r == '\u1160', r == '\u3164', r == '\uffa0':
		return -1 // not seen
	}
	return r
}

// trimFileName drops spaces around a name, and dots at its end.
func trimFileName(name string) string {
	return strings.TrimRight(strings.TrimLeft(name, " "), ". ")
}

// isDevice reports whether Windows takes a name for that of a device, which it
// does whatever the extension is.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	number, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		number, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && utf8.RuneCountInString(number) == 1 && strings.Contains("0123456789¹²³", number)
}

// maxExtension is how long an extension may be that is kept when a name is
// shortened.
const maxExtension = 20

// splitExtension cuts a name before its extension. That of a compressed archive
// has two parts.
func splitExtension(name string) (stem, extension string) {
	extension = path.Ext(name)
	stem = strings.TrimSuffix(name, extension)
	if strings.HasSuffix(strings.ToLower(stem), ".tar") {
		extension = stem[len(stem)-len(".tar"):] + extension
		stem = strings.TrimSuffix(name, extension)
	}
	if stem == "" || len(extension) > maxExtension || strings.Contains(extension, " ") {
		return name, ""
	}
	return stem, extension
}

// shorten cuts the stem of a name so that the name has at most limit bytes.
func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	stem, extension := splitExtension(name)
	return cutBytes(stem, limit-len(extension)) + extension
}

// cutBytes returns the beginning of s in at most n bytes, of whole characters and
// without dots and spaces at the end.
func cutBytes(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.TrimRight(s, ". ")
}

// extensionOf returns the extension for a media type.
func extensionOf(contentType string) string {
	contentType, _, _ = strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(contentType)) {
	case "text/plain":
		return ".txt"
	case "text/html":
		return ".html"
	case "text/csv":
		return ".csv"
	case "text/calendar":
		return ".ics"
	case "text/vcard", "text/x-vcard":
		return ".vcf"
	case "text/xml", "application/xml":
		return ".xml"
	case "application/json":
		return ".json"
	case "application/pdf":
		return ".pdf"
	case "application/zip", "application/x-zip-compressed":
		return ".zip"
	case "application/rtf", "text/rtf":
		return ".rtf"
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return ".dat"
	case "application/pkcs7-signature", "application/x-pkcs7-signature":
		return ".p7s"
	case "application/pgp-signature":
		return ".asc"
	case "message/rfc822", "message/global":
		return ".eml"
	case "image/jpeg", "image/jpg":
		return ".jpg"
	}
	return extensionOfMore(strings.ToLower(strings.TrimSpace(contentType)))
}

// The media types of office documents with long names.
const (
	docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	odt  = "application/vnd.oasis.opendocument.text"
	ods  = "application/vnd.oasis.opendocument.spreadsheet"
)

// extensionOfMore returns the extension for a media type of pictures, sounds and
// office documents.
func extensionOfMore(contentType string) string {
	switch contentType {
	case "image/png", "image/gif", "image/bmp", "image/webp", "image/tiff", "image/heic", "video/mp4", "audio/ogg":
		return "." + contentType[strings.IndexByte(contentType, '/')+1:]
	case "image/svg+xml":
		return ".svg"
	case "audio/mpeg":
		return ".mp3"
	case "audio/wav", "audio/x-wav":
		return ".wav"
	case "application/msword":
		return ".doc"
	case "application/vnd.ms-excel":
		return ".xls"
	case "application/vnd.ms-powerpoint":
		return ".ppt"
	case docx:
		return ".docx"
	case xlsx:
		return ".xlsx"
	case pptx:
		return ".pptx"
	case odt:
		return ".odt"
	case ods:
		return ".ods"
	}
	return ".bin"
}

// FileNames hands out the file names of one folder, none of them twice. Names
// that differ in case alone, or in the form that accents are written in, are the
// same to some file systems, and so they are here. The zero value is an empty
// folder. FileNames must not be used by several goroutines at once.
type FileNames struct {
	next map[string]int // by folded name, the number to try next
}

// Unique returns a safe file name like name that it has not returned before:
// "a.pdf", then "a (2).pdf". To reserve the names of files that are there, call
// it with each of them.
func (f *FileNames) Unique(name string) string {
	name = SafeFileName(name, "")
	if f.next == nil {
		f.next = make(map[string]int)
	}
	key := foldName(name)
	n := f.next[key]
	if n == 0 {
		f.next[key] = 2
		return name
	}
	stem, extension := splitExtension(name)
	for ; ; n++ {
		suffix := " (" + strconv.Itoa(n) + ")" + extension
		numbered := cutBytes(stem, maxFileName-len(suffix)) + suffix
		if folded := foldName(numbered); f.next[folded] == 0 {
			f.next[folded], f.next[key] = 2, n+1
			return numbered
		}
	}
}

// foldName returns what a name has in common with those that are the same to a
// file system.
func foldName(name string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFD.String(name)))
}
