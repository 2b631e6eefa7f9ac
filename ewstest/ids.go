package ewstest

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// An id is opaque to clients. It is base64 of a magic number, its kind, the
// mailbox, the folder, the message, the number of an attachment, padding that
// makes it as long as Exchange's, and a check sum.
type id struct {
	kind       byte
	mailbox    uint64
	folder     uint64
	message    uint64
	attachment uint32
}

// The kinds of ids.
const (
	folderKind     = 'F'
	itemKind       = 'I'
	attachmentKind = 'A'
)

// payload is how many bytes of an id mean something.
const payload = 4 + 1 + 8 + 8 + 8 + 4

func idMagic() []byte { return []byte{0x00, 0x03, 0x24, 0x00} }

// String returns the id as clients see it.
func (i id) String() string {
	b := idMagic()
	b = append(b, i.kind)
	b = binary.BigEndian.AppendUint64(b, i.mailbox)
	b = binary.BigEndian.AppendUint64(b, i.folder)
	b = binary.BigEndian.AppendUint64(b, i.message)
	b = binary.BigEndian.AppendUint32(b, i.attachment)
	length := 88
	if i.kind != folderKind {
		length = 112
	}
	for n := hash(b); len(b) < length; n = n*6364136223846793005 + 1442695040888963407 {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = binary.BigEndian.AppendUint64(b[:length], hash(b[:length]))
	return base64.StdEncoding.EncodeToString(b)
}

// parseID reads an id of the kind. It fails as Exchange does.
func parseID(text string, kind byte) (id, error) {
	if text == "" {
		return id{}, fail("ErrorInvalidIdEmpty", "Id must be non-empty.")
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < payload+8 || !strings.HasPrefix(string(b), string(idMagic())) {
		return id{}, fail("ErrorInvalidIdMalformed", "Id is malformed.")
	}
	end := len(b) - 8
	if binary.BigEndian.Uint64(b[end:]) != hash(b[:end]) || b[4] != kind {
		return id{}, fail("ErrorInvalidIdMalformed", "Id is malformed.")
	}
	return id{
		kind: b[4], mailbox: binary.BigEndian.Uint64(b[5:]), folder: binary.BigEndian.Uint64(b[13:]),
		message: binary.BigEndian.Uint64(b[21:]), attachment: binary.BigEndian.Uint32(b[29:]),
	}, nil
}

func hash(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return h.Sum64()
}

// mailboxKey is how ids name an account.
func mailboxKey(a *mailtest.Account) uint64 { return hash([]byte(strings.ToLower(a.Address()))) }

// changeKey is the version of an item or a folder as clients see it.
func changeKey(kind byte, number uint64) string {
	b := []byte{kind, 0, 0, 0, 0x16, 0, 0, 0}
	b = binary.BigEndian.AppendUint64(b, number)
	return base64.StdEncoding.EncodeToString(append(b, 0, 0))
}

// changeKeyOK reports whether a text can be a change key at all.
func changeKeyOK(text string) bool {
	b, err := base64.StdEncoding.DecodeString(text)
	return err == nil && len(b) == 18
}
