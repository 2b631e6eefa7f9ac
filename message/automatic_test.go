package message_test

import (
	"bytes"
	"errors"
	"net/mail"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

func TestProgramsAnswerOnlyWhatPeopleSend(t *testing.T) {
	for _, test := range []struct {
		name, header string
		want         message.Signal
		field        string
	}{
		{"a person", "Return-Path: <ann@example.com>", "", ""},
		{"a person who says so", "Auto-Submitted: no (really)", "", ""},
		{"a receipt that is not wanted", "X-Auto-Response-Suppress: DR, RN, NRN", "", ""},
		{"a service", "Feedback-ID: x:y:z\nReturn-Path: <bounce-12@service.example>", "", ""},
		{"first class", "Precedence: first-class", "", ""},
		{"a robot with a person behind", "Reply-To: carl@example.net\nFrom: noreply@shop.example", "", ""},
		{"a bounce", "Return-Path: <>", message.SignalNullSender, "Return-Path"},
		{"an empty path", "Return-Path:", message.SignalNullSender, "Return-Path"},
		{"a vacation", "Auto-Submitted: auto-replied; x=y", message.SignalAutoSubmitted, "Auto-Submitted"},
		{"a notification", "auto-submitted: Auto-Generated", message.SignalAutoSubmitted, "Auto-Submitted"},
		{"a report", "Content-Type: multipart/report; report-type=delivery-status", message.SignalReport, "Content-Type"},
		{"a list", "List-Id: <x.example.com>", message.SignalList, "List-Id"},
		{"a newsletter", "List-Unsubscribe: <https://example.com>", message.SignalList, "List-Unsubscribe"},
		{"bulk", "Precedence: Bulk", message.SignalPrecedence, "Precedence"},
		{"bulk of another name", "X-Precedence: bulk", message.SignalPrecedence, "X-Precedence"},
		{"a person whose name is Reply", "From: bruno.reply@example.com", "", ""},
		{"junk", "Precedence: junk", message.SignalPrecedence, "Precedence"},
		{"Exchange", "X-Auto-Response-Suppress: DR, OOF, AutoReply", message.SignalSuppressed, "X-Auto-Response-Suppress"},
		{"Exchange, everything", "X-Auto-Response-Suppress: All", message.SignalSuppressed, "X-Auto-Response-Suppress"},
		{"an old answering program", "X-Autoreply: yes", message.SignalAutoReply, "X-Autoreply"},
		{"an old answering program of another kind", "X-Autorespond:", message.SignalAutoReply, "X-Autorespond"},
		{"a loop", "X-Loop: bob@example.org", message.SignalLoop, "X-Loop"},
		{"an answer to a program", "In-Reply-To: <auto1@example.org>", message.SignalLoop, "In-Reply-To"},
		{"further down the thread", "References: <1@x> <auto1@example.org> <2@x>", message.SignalLoop, "References"},
		{"nobody", "From: undisclosed:;", message.SignalNoSender, "From"},
		{"a name alone", "From: Ann", message.SignalNoSender, "From"},
		{"a mail system", "From: MAILER-DAEMON@mx.example.com", message.SignalSystemSender, "From"},
		{"a mail system by the path", "Return-Path: <postmaster@example.com>", message.SignalSystemSender, "Return-Path"},
		{"a list's owner", "Sender: owner-list@example.com", message.SignalSystemSender, "Sender"},
		{"a list's robot", "Reply-To: list-request@example.com", message.SignalSystemSender, "Reply-To"},
		{"noreply", "From: No Reply <no-reply@example.com>", message.SignalNoReply, "From"},
		{"noreply with a tag", "From: shop_do.not.reply+12@example.com", message.SignalNoReply, "From"},
		{"noreply in a word", "From: shopnoreply2@example.com", message.SignalNoReply, "From"},
		{"noreply in three words", "From: info+ne-pas.repondre@example.com", message.SignalNoReply, "From"},
		{"noreply to answer to", "Reply-To: noreply@example.com", message.SignalNoReply, "Reply-To"},
		{"oneself", "From: BOB@example.org", message.SignalOwn, "From"},
		{"an answer to oneself", "Reply-To: bob@example.org", message.SignalOwn, "Reply-To"},
	} {
		raw := test.header + "\n"
		if !strings.Contains(raw, "From:") {
			raw += "From: Ann <ann@example.com>\n"
		}
		h := message.ParseHeader([]byte(raw + "\n"))
		err := h.MayAnswer(&message.AnswerOptions{
			Own:      []mail.Address{{Address: "bob@example.org"}},
			Answered: func(id string) bool { return strings.HasPrefix(id, "auto") },
		})
		checkSignal(t, test.name, err, test.want, test.field)
	}
}

// checkSignal finds that err names that signal in that field, or is nil for
// none.
func checkSignal(t *testing.T, name string, err error, want message.Signal, field string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("%s: MayAnswer() = %v, want nil", name, err)
		}
		return
	}
	automatic, ok := errors.AsType[*message.AutomaticError](err)
	if !ok || automatic.Signal != want || automatic.Field != field {
		t.Errorf("%s: MayAnswer() = %v, want %s in %q", name, err, want, field)
	}
}

func TestTheEnvelopeCountsMoreThanTheReturnPath(t *testing.T) {
	h := message.ParseHeader([]byte("Return-Path: <>\nFrom: ann@example.com\n\n"))
	for _, test := range []struct {
		sender string
		want   message.Signal
	}{
		{"ann@example.com", ""},
		{"", message.SignalNullSender},
		{"<>", message.SignalNullSender},
		{"MAILER-DAEMON@example.com", message.SignalSystemSender},
	} {
		err := h.MayAnswer(&message.AnswerOptions{EnvelopeSender: &test.sender})
		checkSignal(t, test.sender, err, test.want, "")
	}
	checkSignal(t, "no options", h.MayAnswer(nil), message.SignalNullSender, "Return-Path")
}

func TestVacationsAreToldOnlyToThoseWhoWrote(t *testing.T) {
	o := &message.AnswerOptions{Personal: true, Own: []mail.Address{{Address: "bob@example.org"}, {Address: "b@example.org"}, {Address: "b@bücher.example"}}}
	for _, test := range []struct {
		header string
		want   message.Signal
	}{
		{"To: Bob <BOB@example.org>", ""},
		{"To: x@example.org\nCc: y@example.org, b@example.org", ""},
		{"Resent-To: b@example.org", ""},
		{"To: b@xn--bcher-kva.example", ""},
		{"To: everybody@example.org", message.SignalNotAddressed},
		{"", message.SignalNotAddressed},
	} {
		h := message.ParseHeader([]byte("From: ann@example.com\n" + test.header + "\n\n"))
		checkSignal(t, test.header, h.MayAnswer(o), test.want, "To")
	}
}

func TestErrorsAboutAnswersNameNoAddress(t *testing.T) {
	h := message.ParseHeader([]byte("From: noreply@secret.example\n\n"))
	const want = "message: no program should answer it: no-reply in its From field"
	if err := h.MayAnswer(nil); err == nil || err.Error() != want {
		t.Errorf("MayAnswer() = %v, want %s", err, want)
	}
}

// TestSignalsOfCorpus counts what the messages of the corpus say.
func TestSignalsOfCorpus(t *testing.T) {
	count := make(map[message.Signal]int)
	check := func(name string, data []byte) {
		h := message.ParseHeader(data)
		err := h.MayAnswer(nil)
		automatic, ok := errors.AsType[*message.AutomaticError](err)
		switch {
		case ok:
			count[automatic.Signal]++
		case err != nil:
			t.Errorf("%s: MayAnswer() = %v, want an AutomaticError", name, err)
		case bytes.Contains(bytes.ToLower(h.Raw()), []byte("\nlist-id:")):
			t.Errorf("%s: MayAnswer() = nil for a message of a list", name)
		}
	}
	eachFile(t, "testdata", check)
	eachFile(t, corpus(t), check)
	t.Logf("signals: %v", count)
}
