package message_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/mailsession/mailsession/message"
)

// TestReportGolden reads the reports in testdata and compares all that comes out
// with the file beside each. UPDATE_GOLDEN=1 writes these files.
func TestReportGolden(t *testing.T) {
	dir := os.DirFS("testdata/report")
	files, err := fs.Glob(dir, "*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata/report holds %d messages, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".eml"), func(t *testing.T) {
			raw, err := fs.ReadFile(dir, file)
			if err != nil {
				t.Fatal(err)
			}
			r, err := message.ReadReport(iotest.OneByteReader(bytes.NewReader(raw)), nil)
			if err != nil {
				t.Fatalf("ReadReport() = %v", err)
			}
			checkReport(t, r)
			got := describeReport(r)
			golden := strings.TrimSuffix(file, ".eml") + ".golden"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(filepath.Join("testdata/report", golden), []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := fs.ReadFile(dir, golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("report is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// describeReport writes down what a report says.
func describeReport(r *message.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, on <%s> %q\n", r.Kind, r.Certainty, r.MessageID, r.Original.Subject())
	fmt.Fprintf(&b, "by %q, from %q, agent %q, envelope %q%s\n", r.ReportingMTA, r.ReceivedFrom, r.UserAgent, r.EnvelopeID, at(" arrived", r.Arrived))
	if c := r.Complaint; r.Kind == message.ReportFeedback {
		fmt.Fprintf(&b, "%s of %v from <%s>, %d times, %q %q\n", c.Type, c.SourceIP, c.MailFrom, c.Incidents, c.Domains, c.URIs)
	}
	for _, rcpt := range r.Recipients {
		fmt.Fprintf(&b, "%s %q (final %q) %v: %s\n", rcpt.Action, rcpt.Address(), rcpt.Final, rcpt.Status, rcpt.Status.Meaning())
		fmt.Fprintf(&b, "    %q at %q: %q%s%s\n", rcpt.DiagnosticType, rcpt.RemoteMTA, rcpt.Diagnostic, at(" last", rcpt.LastAttempt), at(" until", rcpt.RetryUntil))
		if d := rcpt.Disposition; d.Type != "" {
			fmt.Fprintf(&b, "    %s, automatic %v, sent so %v, %q\n", d.Type, d.Automatic, d.SentAutomatically, d.Modifiers)
		}
	}
	return b.String()
}

func at(what string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return what + " " + t.Format(time.RFC3339)
}

// checkReport finds what holds for each report.
func checkReport(t *testing.T, r *message.Report) {
	t.Helper()
	if len(r.Recipients) > 1000 || r.More > 0 && len(r.Recipients) < 1000 {
		t.Errorf("a report has %d recipients and %d more, want at most 1000", len(r.Recipients), r.More)
	}
	if r.Kind == "" || r.Certainty == "" {
		t.Errorf("a report is of kind %q, certainty %q, want both", r.Kind, r.Certainty)
	}
	if len(r.Recipients) == 0 && r.MessageID == "" && r.ReportingMTA == "" && r.Complaint.Type == "" && !r.Complaint.SourceIP.IsValid() {
		t.Error("a report says nothing")
	}
	for _, rcpt := range r.Recipients {
		if s := rcpt.Original + rcpt.Final + rcpt.Diagnostic + rcpt.RemoteMTA; strings.ContainsAny(s, "\r\n\x00") {
			t.Errorf("a recipient has a control character: %q", s)
		}
	}
}

// lines joins lines as those of a message.
func lines(all ...string) string { return strings.Join(all, "\r\n") + "\r\n" }

// TestNotReports finds that what people and other programs write is not taken for
// a report, whatever it quotes.
func TestNotReports(t *testing.T) {
	status := lines("Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.example.com", "",
		"Final-Recipient: rfc822; bob@example.org", "Action: failed", "Status: 5.1.1", "")
	qmail := lines("Hi. This is the qmail-send program at mx.example.com.", "", "<bob@example.org>:", "no such user. (#5.1.1)", "")
	tests := []struct{ name, message string }{
		{"a letter", lines("From: ann@example.com", "", "Hello")},
		{"nothing", ""},
		{"a bounce that a person passes on as a file", lines("From: ann@example.com", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "look", "--b") +
			status + lines("--b--")},
		{"a bounce that a person forwards", lines("From: ann@example.com", "Content-Type: multipart/mixed; boundary=b", "", "--b",
			"Content-Type: message/rfc822", "", "Return-Path: <>", "Content-Type: multipart/report; boundary=c", "", "--c") + status + lines("--c--", "--b--")},
		{"a bounce that a person quotes", lines("From: ann@example.com", "Subject: Re: failure notice", "") + qmail},
		{"a bounce that a list discusses", lines("Return-Path: <owner-list@example.com>", "From: ann@example.com", "List-Id: <l.example.com>", "") + qmail},
		{"the answer of a program", lines("Return-Path: <>", "From: bob@example.org", "Auto-Submitted: auto-replied", "",
			"I am on holiday.", "", "> Hi. This is the qmail-send program at mx.example.com.", "> <bob@example.org>:")},
		{"a letter of the postmaster", lines("From: postmaster@example.org", "", "The mail of bob@example.org failed yesterday. Sorry!", "<bob@example.org>: he was there")},
		{"a report of nothing", lines("Return-Path: <>", "Content-Type: multipart/report; report-type=delivery-status; boundary=b", "", "--b", "", "hm", "--b--")},
		{"a report of another kind", lines("Content-Type: multipart/report; report-type=tlsrpt; boundary=b", "", "--b", "", "hm", "--b--")},
		{"a receipt without fields", lines("Content-Type: message/disposition-notification", "", "it was read")},
	}
	for _, tt := range tests {
		r, err := message.ReadReport(strings.NewReader(tt.message), nil)
		if r != nil || !errors.Is(err, message.ErrNotReport) {
			t.Errorf("%s: ReadReport() = %+v, %v, want ErrNotReport", tt.name, r, err)
		}
	}
}

// TestReportReaderFails finds that a report that could not be read to its end is
// not taken for one that was.
func TestReportReaderFails(t *testing.T) {
	raw, err := os.ReadFile("testdata/report/failed.eml")
	if err != nil {
		t.Fatal(err)
	}
	for _, cause := range []error{io.ErrUnexpectedEOF, errors.New("connection lost")} {
		_, err := message.ReadReport(io.MultiReader(bytes.NewReader(raw[:len(raw)-200]), iotest.ErrReader(cause)), nil)
		if !errors.Is(err, cause) {
			t.Errorf("ReadReport() = %v, want %v", err, cause)
		}
	}
	r, err := message.ReadReport(bytes.NewReader(raw[:len(raw)-200]), nil)
	if err != nil || len(r.Recipients) != 2 {
		t.Errorf("ReadReport() of a report that is cut off = %+v, %v, want both recipients", r, err)
	}
}

// TestReportLimits finds that the memory of a report is bounded.
func TestReportLimits(t *testing.T) {
	head := lines("Content-Type: multipart/report; boundary=b", "", "--b", "Content-Type: message/delivery-status", "")
	group := lines("Final-Recipient: rfc822; bob@example.org", "Action: failed", "")
	for _, groups := range []int{1500, 50000} {
		r, err := message.ReadReport(strings.NewReader(head+strings.Repeat(group, groups)+"--b--\r\n"), nil)
		if err != nil {
			t.Fatalf("ReadReport() = %v", err)
		}
		checkReport(t, r)
		if most := 1 << 20 / len(group); len(r.Recipients)+r.More > min(groups, most+1) || r.More == 0 {
			t.Errorf("of %d groups %d recipients and %d more were read", groups, len(r.Recipients), r.More)
		}
	}
	r, err := message.ReadReport(strings.NewReader(lines("Return-Path: <>", "", "Hi. This is the qmail-send program at x.")+
		strings.Repeat("\r\n<bob@example.org>:\r\n"+strings.Repeat("word ", 3000)+"\r\n", 100)), nil)
	if err != nil || len(r.Recipients) != 1 || len(r.Recipients[0].Diagnostic) > 1000 {
		t.Errorf("ReadReport() = %+v, %v, want one recipient with a short reason", r, err)
	}
}

// TestMayNotAnswerReports finds that no program may answer what is read as a
// report for certain.
func TestMayNotAnswerReports(t *testing.T) {
	dir := os.DirFS("testdata/report")
	files, err := fs.Glob(dir, "*.eml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := fs.ReadFile(dir, file)
		if err != nil {
			t.Fatal(err)
		}
		var automatic *message.AutomaticError
		if err := message.ParseHeader(raw).MayAnswer(nil); !errors.As(err, &automatic) {
			t.Errorf("%s: MayAnswer() = %v, want that it is automatic", file, err)
		}
	}
}

func TestStatusCode(t *testing.T) {
	tests := []struct {
		in, want, meaning string
		ok                bool
	}{
		{"5.1.1", "5.1.1", "the mailbox does not exist", true},
		{" 4.4.7 (too late)", "4.4.7", "it took too long", true},
		{"2.0.0", "2.0.0", "it was delivered", true},
		{"2.1.5 ok", "2.1.5", "it was delivered", true},
		{"5.7.509", "5.7.509", "the rules of the recipient's mail system forbid it", true},
		{"5.9.999", "5.9.999", "no reason was given", true},
		{"#5.2.2)", "5.2.2", "the mailbox is full", true},
		{"550", "", "", false},
		{"3.1.1", "", "", false},
		{"5.1", "", "", false},
		{"5.1.1.1", "", "", false},
		{"5.1.1000", "", "", false},
		{"xxx", "", "", false},
		{"", "", "", false},
	}
	for _, tt := range tests {
		got, ok := message.ParseStatusCode(tt.in)
		if got.String() != tt.want || ok != tt.ok || got.Meaning() != tt.meaning {
			t.Errorf("ParseStatusCode(%q) = %q, %v: %q, want %q, %v: %q", tt.in, got, ok, got.Meaning(), tt.want, tt.ok, tt.meaning)
		}
	}
	for code, want := range map[string][3]bool{"2.0.0": {true}, "4.0.0": {false, true}, "5.0.0": {false, false, true}} {
		c, _ := message.ParseStatusCode(code)
		if got := [3]bool{c.Success(), c.Temporary(), c.Permanent()}; got != want {
			t.Errorf("%s: success, temporary, permanent = %v, want %v", code, got, want)
		}
	}
}

// FuzzReadReport finds that whatever comes is read within bounds, and the same
// whether it comes at once or byte by byte.
func FuzzReadReport(f *testing.F) {
	dir := os.DirFS("testdata/report")
	files, err := fs.Glob(dir, "*.eml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := fs.ReadFile(dir, file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := message.ReadReport(bytes.NewReader(in), nil)
		again, errAgain := message.ReadReport(iotest.HalfReader(bytes.NewReader(in)), nil)
		if (err == nil) != (errAgain == nil) || (err == nil) != (r != nil) {
			t.Fatalf("ReadReport() = %v, %v, and in halves %v", r, err, errAgain)
		}
		if err != nil {
			if !errors.Is(err, message.ErrNotReport) {
				t.Errorf("ReadReport() = %v, want a report or ErrNotReport", err)
			}
			return
		}
		checkReport(t, r)
		if got, want := describeReport(again), describeReport(r); got != want {
			t.Errorf("in halves the report is\n%s\nwant\n%s", got, want)
		}
	})
}
