package ews_test

import (
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// head is the header of a message to Bob, without what says what it is.
const head = "From: " + ann + "\r\nTo: " + bob + "\r\nSubject: x\r\nMessage-ID: <x@example.com>\r\nDate: Fri, 20 Nov 2026 09:30:00 +0100\r\nMIME-Version: 1.0\r\n"

// TestMessagesReachTheServerAsTheyAre: byte by byte, whatever is in them; and only the
// answer to a request for a report of reading is said to be one, by its class.
func TestMessagesReachTheServerAsTheyAre(t *testing.T) {
	for name, tt := range map[string]struct{ raw, class string }{
		"8 bit":          {head + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe \xff\r\n", ""},
		"a long line":    {head + "\r\n" + strings.Repeat("word ", 3000) + "\r\n", ""},
		"bare line feed": {head + "\r\nfirst\nsecond\r\n", ""},
		"no last line":   {head + "\r\nend", ""},
		"a message":      {head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee.\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + invoice + "\r\n--b--\r\n", ""},
		"an invitation": {head + "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nCome.\r\n--b\r\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n" +
			"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n--b--\r\n", ""},
		"a signature": {head + "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSigned. \r\n--b\r\n" +
			"Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\nMIIB\r\n--b--\r\n", ""},
		"a report of reading": {head + "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n--b\r\n\r\nRead.\r\n--b\r\n" +
			"Content-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822;" + ann + "\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n\r\n--b--\r\n", "REPORT.IPM.Note.IPNRN"},
		"a report of delivery": {head + "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nNo.\r\n--b--\r\n", ""},
	} {
		b, s := newSender(t)
		receipt, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{bob}}, message.Bytes([]byte(tt.raw)))
		if err != nil || receipt.Outcome != session.Accepted {
			t.Errorf("%s: %v, %v; want it accepted", name, receipt.Outcome, err)
			continue
		}
		if got := b.server.Sent()[0].Raw; got != tt.raw {
			t.Errorf("%s: the server got %q, want %q", name, got, tt.raw)
		}
		_, class, _ := strings.Cut(b.made("CreateItem")[0].Body, "<t:ItemClass>")
		if class, _, _ = strings.Cut(class, "<"); class != tt.class {
			t.Errorf("%s: it is said to be %q, want %q", name, class, tt.class)
		}
	}
}

// TestBlindCopiesAreKeptOut of what others get, whether they stand in the header or only
// in the envelope; and From may be somebody else who lets the mailbox do that.
func TestBlindCopiesAreKeptOut(t *testing.T) {
	b, s := newSender(t)
	boss := b.box.Add("boss@example.com", password())
	if err := boss.Share("INBOX", ann); err != nil {
		t.Fatal(err)
	}
	raw := "Bcc: " + carol + "\r\n" + strings.Replace(invoice, "From: Ann <"+ann+">", "From: boss@example.com\r\nSender: "+ann, 1)
	for _, to := range [][]string{{bob, carol}, {bob, carol, "boss@example.com"}} {
		receipt, err := s.Send(t.Context(), session.Envelope{From: ann, To: to}, message.Bytes([]byte(raw)))
		if err != nil || receipt.Outcome != session.Accepted {
			t.Fatalf("Send: %v, %v; want it accepted", receipt.Outcome, err)
		}
		all := b.server.Sent()
		sent := all[len(all)-1]
		if sent.From != "boss@example.com" || len(sent.Recipients) != len(to) || strings.Contains(sent.Raw, carol) || strings.Contains(sent.Raw, "Bcc") {
			t.Errorf("%s sent to %v, with Carol in it: %t; want Boss to %v without", sent.From, sent.Recipients, strings.Contains(sent.Raw, carol), to)
		}
	}
}
