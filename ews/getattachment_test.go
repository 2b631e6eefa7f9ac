package ews_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// forwarded is a message that another one carries.
const forwarded = "From: cid@example.org\r\nSubject: Minutes\r\n\r\nWe met.\r\n"

// laden returns a message with a text in two forms, a picture in it, a file, one that
// is empty, and another message.
func laden() string {
	return mailtest.CRLF("From: bob@example.org\nSubject: All sorts\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=m\n\n"+
		"--m\nContent-Type: multipart/related; boundary=r\n\n"+
		"--r\nContent-Type: multipart/alternative; boundary=a\n\n"+
		"--a\nContent-Type: text/plain\n\nSee the picture.\n--a\nContent-Type: text/html\n\n<p>See the picture.<img src=cid:cat@example.org></p>\n--a--\n"+
		"--r\nContent-Type: image/png; name=cat.png\nContent-ID: <cat@example.org>\nContent-Disposition: inline; filename=cat.png\nContent-Transfer-Encoding: base64\n\nY2F0\n--r--\n"+
		"--m\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=\"a & b.pdf\"\nContent-Transfer-Encoding: base64\n\nJVBERi0xLjc=\n"+
		"--m\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=nothing.bin\n\n\n"+
		"--m\nContent-Type: message/rfc822\nContent-Disposition: attachment\n\n") + forwarded + "\r\n--m--\r\n"
}

// TestAttachments: what is attached is told, and comes, without the message.
func TestAttachments(t *testing.T) {
	for _, version := range ewstest.Versions() {
		t.Run(string(version), func(t *testing.T) {
			b := newBed(t, settings{server: ewstest.Options{Version: version}})
			b.put(t, laden())
			_, ids, err := b.list(t.Context(), session.Query{})
			if err != nil || len(ids) != 1 {
				t.Fatalf("Messages: %d, %v; want 1", len(ids), err)
			}
			all, err := b.Attachments(t.Context(), ids[0])
			if err != nil {
				t.Fatalf("Attachments: %v", err)
			}
			var got []string
			for _, a := range all {
				got = append(got, strings.Join([]string{string(a.Kind), a.Name, a.ContentType, a.ContentID, b.content(t, ids[0], a)}, "|"))
				inline := a.Name == "cat.png" && version != ewstest.Exchange2007SP1
				if old := version == ewstest.Exchange2007SP1; a.Inline != inline || (a.Size < 0) != old {
					t.Errorf("%s is inline: %t, and of %d bytes; want %t, and no size: %t", a.Name, a.Inline, a.Size, inline, old)
				}
			}
			want := []string{"file|cat.png|image/png|cat@example.org|cat", "file|a & b.pdf|application/pdf||%PDF-1.7", "file|nothing.bin|application/octet-stream||", "item|Minutes|message/rfc822||" + forwarded}
			if !slices.Equal(got, want) {
				t.Errorf("attached are %q, want %q", got, want)
			}
			for _, r := range b.server.Requests() {
				if r.Operation == "GetItem" && strings.Contains(r.Body, "MimeContent") {
					t.Errorf("the message was read: %s", r.Body)
				}
			}
			b.numbersStay(t, ids[0])
		})
	}
}

// content reads an attachment.
func (b *bed) content(tb testing.TB, id session.ID, a ews.Attachment) string {
	tb.Helper()
	r, err := b.OpenAttachment(tb.Context(), id, a)
	if err != nil {
		tb.Errorf("OpenAttachment(%s): %v", a.Name, err)
		return ""
	}
	content, err := io.ReadAll(r)
	if closing := r.Close(); err != nil || closing != nil {
		tb.Errorf("OpenAttachment(%s): %v, close: %v", a.Name, err, closing)
	}
	return string(content)
}

// numbersStay checks that the numbers of parts are those of the message's MIME.
func (b *bed) numbersStay(tb testing.TB, id session.ID) {
	tb.Helper()
	body, err := b.Open(tb.Context(), id)
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	want, err := message.ReadStructure(body)
	if closing := body.Close(); err != nil || closing != nil {
		tb.Fatalf("the message has no structure: %v, close: %v", err, closing)
	}
	for m, err := range b.Messages(tb.Context(), session.Query{Fields: session.FieldStructure}) {
		if err != nil || len(m.Structure) != len(want) {
			tb.Fatalf("Messages: a structure of %d parts, %v; want %d", len(m.Structure), err, len(want))
		}
		for i, p := range m.Structure {
			if p.Number != want[i].Number || p.ContentType != want[i].ContentType || p.Name != want[i].Name {
				tb.Errorf("part %d is %s %s %q, want %s %s %q", i, p.Number, p.ContentType, p.Name, want[i].Number, want[i].ContentType, want[i].Name)
			}
		}
	}
}

// TestAttachmentsThatAreNotThere: the error says why, and the connection serves on.
func TestAttachmentsThatAreNotThere(t *testing.T) {
	b := newBed(t, settings{})
	b.put(t, laden())
	_, ids, err := b.list(t.Context(), session.Query{})
	if err != nil || len(ids) != 1 {
		t.Fatalf("Messages: %d, %v; want 1", len(ids), err)
	}
	all, err := b.Attachments(t.Context(), ids[0])
	if err != nil || len(all) == 0 {
		t.Fatalf("Attachments: %d, %v", len(all), err)
	}
	foreign := session.NewID(session.IDParts{Backend: "ews", Mailbox: "elsewhere", Folder: "f", Key: "k"})
	refused := func(what string, id session.ID, a ews.Attachment, want error) {
		t.Helper()
		r, err := b.OpenAttachment(t.Context(), id, a)
		if r != nil || !errors.Is(err, want) {
			t.Errorf("OpenAttachment of %s = %v, want an error that is: %v", what, err, want)
		}
	}
	refused("another mailbox", foreign, all[0], session.ErrOtherMailbox)
	refused("a link", ids[0], ews.Attachment{ID: all[0].ID, Kind: ews.ReferenceAttachment}, errors.ErrUnsupported)
	if _, err := b.OpenAttachment(t.Context(), ids[0], ews.Attachment{}); err == nil {
		t.Error("an attachment without an ID is opened")
	}
	if _, err := b.Attachments(t.Context(), foreign); !errors.Is(err, session.ErrOtherMailbox) {
		t.Errorf("Attachments of another mailbox: %v, want ErrOtherMailbox", err)
	}
	if err := b.one(t.Context(), session.Change{Delete: true}, ids[0]); err != nil {
		t.Fatal(err)
	}
	refused("a message that went", ids[0], all[0], session.ErrNoMessage)
	if _, err := b.Attachments(t.Context(), ids[0]); !errors.Is(err, session.ErrNoMessage) {
		t.Errorf("Attachments of a message that went: %v, want ErrNoMessage", err)
	}
}

// TestAttachmentWithoutContent: the error is about the attachment, which has no MIME.
func TestAttachmentWithoutContent(t *testing.T) {
	b := newBed(t, settings{})
	b.put(t, laden())
	id := b.ids(t)[0]
	b.server.Inject(written("GetAttachment", `<m:Attachments><t:FileAttachment><t:AttachmentId Id="AAA="/><t:Name>a</t:Name></t:FileAttachment></m:Attachments>`))
	r, err := b.OpenAttachment(t.Context(), id, ews.Attachment{ID: "AAA=", Kind: ews.FileAttachment, Name: "a"})
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if err == nil || !strings.Contains(err.Error(), "no content of the attachment") || strings.Contains(err.Error(), "MIME") {
		t.Errorf("OpenAttachment = %v, want an error about its content", err)
	}
}

// TestAttachmentThatBreaksOff: what came of it is no whole file.
func TestAttachmentThatBreaksOff(t *testing.T) {
	b := newBed(t, settings{})
	b.put(t, laden())
	_, ids, err := b.list(t.Context(), session.Query{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.Attachments(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	b.server.Inject(mailtest.Reply("GetAttachment", "HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\n\r\n"+
		`<s:Envelope xmlns:s="s"><s:Body><m:GetAttachmentResponse xmlns:m="m" xmlns:t="t"><m:ResponseMessages>`+
		`<m:GetAttachmentResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>`+
		`<m:Attachments><t:FileAttachment><t:Name>a</t:Name><t:Content>JVBERi0x`))
	r, err := b.OpenAttachment(t.Context(), ids[0], all[1])
	if err != nil {
		t.Fatalf("OpenAttachment: %v", err)
	}
	got, err := io.ReadAll(r)
	if !strings.HasPrefix("%PDF-1.7", string(got)) || err == nil {
		t.Errorf("a cut attachment is %q, %v; want its beginning, and an error", got, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
