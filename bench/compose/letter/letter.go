// Package letter is what the programs that are compared compose.
package letter

import (
	"fmt"
	"os"
	"strings"
)

// The parts that all messages share. nodemailer/peer.mjs has the same.
const (
	FromName = "Jürgen Müller"
	From     = "juergen@example.com"
	FileName = "Bericht für März.pdf"
)

// SmallSize is how much of the attachment makes a message of 10 KB.
const SmallSize = 2_000

// The texts of the messages: of 1.3 KB, and of 3.3 KB.
var (
	Text = strings.Repeat("Guten Tag, anbei der Bericht über die Umsätze des Monats, mit Grüßen aus Köln.\n", 16)                                                            //nolint:gochecknoglobals // Constants cannot repeat.
	HTML = "<html><body>" + strings.Repeat("<p>Guten Tag, anbei der <b>Bericht</b> über die <i>Umsätze</i> des Monats, mit Grüßen aus Köln.</p>\n", 32) + "</body></html>\n" //nolint:gochecknoglobals // Constants cannot repeat.
)

// Tell prints how many bytes were composed.
func Tell(n int64) error {
	_, err := fmt.Fprintln(os.Stdout, n)
	return err
}

// attachmentSize is the length of the attachment.
const attachmentSize = 20_000

// Attachment returns the attachment.
func Attachment() []byte {
	b := make([]byte, attachmentSize)
	state := uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	return b
}

// To returns the recipient of a message.
func To(i int) string { return fmt.Sprintf("recipient%d@example.org", i) }

// Subject returns the subject of a message.
func Subject(i int) string { return fmt.Sprintf("Bericht für März, Nummer %d", i) }
