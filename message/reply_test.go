package message_test

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// parse returns the message of that text.
func parse(t *testing.T, text string) *message.Message {
	t.Helper()
	m, err := message.Parse(strings.NewReader(text), nil)
	if err != nil {
		t.Fatalf("Parse() = %v", err)
	}
	return m
}

func TestReplyRecipients(t *testing.T) {
	me := message.ReplyOptions{From: addr("Me", "me@example.com"), Own: []mail.Address{addr("", "Alias@example.com"), addr("", "me@bücher.example")}}
	tests := []struct {
		name, header   string
		to, cc, toOnly string
	}{
		{"author", "From: Ann <a@x>\nTo: me@example.com, b@x\nCc: c@x\n", "Ann|a@x", "|b@x |c@x", "Ann|a@x"},
		{"reply-to", "From: a@x\nReply-To: l@x, M <m@x>\nTo: me@example.com, l@x\n", "|l@x M|m@x", "", "|l@x M|m@x"},
		{"twice", "From: a@x\nTo: A@X, b@x, b@x, ALIAS@example.com\nCc: b@x\n", "|a@x", "|b@x", "|a@x"},
		{"oneself", "From: me@example.com\nTo: b@x, Me@example.com\nCc: c@x\n", "|b@x", "|c@x", "|b@x"},
		{"note to oneself", "From: me@example.com\nTo: me@example.com\n", "|me@example.com", "", "|me@example.com"},
		{"only copies", "From: me@example.com\nCc: c@x\n", "|c@x", "", "|me@example.com"},
		{"several authors", "From: a@x, b@x\n", "|a@x |b@x", "", "|a@x |b@x"},
		{"reply-to oneself", "From: a@x\nReply-To: alias@example.com\nTo: me@example.com, b@x\n", "|a@x", "|b@x", "|a@x"},
		{"note to oneself by an alias", "From: me@example.com\nReply-To: alias@example.com\nTo: me@example.com\n", "|alias@example.com", "", "|alias@example.com"},
		{"oneself in ASCII", "From: a@x\nTo: ME@xn--bcher-kva.example, b@x\n", "|a@x", "|b@x", "|a@x"},
		{"oneself among them", "From: a@x, me@example.com\n", "|a@x", "", "|a@x"},
		{"local names", "From: root, a@x\n", "|a@x", "", "|a@x"},
	}
	for _, tt := range tests {
		m := parse(t, tt.header+"\n")
		o := me
		d, err := message.Reply(m, o)
		if err != nil {
			t.Errorf("%s: Reply() = %v", tt.name, err)
			continue
		}
		if names(d.To) != tt.toOnly || len(d.Cc) > 0 {
			t.Errorf("%s: To, Cc = %q, %q, want %q and nobody", tt.name, names(d.To), names(d.Cc), tt.toOnly)
		}
		o.All = true
		if d, err = message.Reply(m, o); err != nil || names(d.To) != tt.to || names(d.Cc) != tt.cc {
			t.Errorf("%s: to all: To, Cc = %q, %q, error %v, want %q, %q", tt.name, names(d.To), names(d.Cc), err, tt.to, tt.cc)
		}
		if d.From != me.From {
			t.Errorf("%s: From = %v, want %v", tt.name, d.From, me.From)
		}
		same(t, d)
	}
}

func TestReplyRefuses(t *testing.T) {
	for _, header := range []string{"From: <>\n", "Subject: x\n", "From: MAILER-DAEMON\n"} {
		d, err := message.Reply(parse(t, header+"\n"), message.ReplyOptions{From: addr("", "me@x"), All: true})
		if d != nil || !errors.Is(err, message.ErrNoReplyAddress) {
			t.Errorf("Reply(%q) = %v, %v, want %v", header, d, err, message.ErrNoReplyAddress)
		}
	}
	var f *message.FieldError
	if _, err := message.Reply(parse(t, "From: a@x\n\n"), message.ReplyOptions{}); !errors.As(err, &f) || f.Field != "From" {
		t.Errorf("Reply() without From = %v, want an error of that field", err)
	}
}

func TestReplySubject(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "Re:"},
		{"Hello", "Re: Hello"},
		{"Re: Hello", "Re: Hello"},
		{"RE: re:  Hello", "Re: Hello"},
		{"Aw: Sv: Antwort: Hello", "Re: Hello"},
		{"Re[2]: Re(3) : Re^4: Hello", "Re: Hello"},
		{"回复：Hello", "Re: Hello"},
		{"ΑΠ: Hello", "Re: Hello"},
		{"Fwd: Re: Hello", "Re: Hello"},
		{"WG: AW: Fwd: SV: Hello", "Re: Hello"},
		{"İLT: YNT: Hello", "Re: Hello"},
		{"Ref: 4711", "Re: Ref: 4711"},
		{"Reply: x", "Re: Reply: x"},
		{"Re", "Re: Re"},
		{": x", "Re: : x"},
		{"Re:", "Re:"},
		{"=?utf-8?q?Re=3A_Gr=C3=BC=C3=9Fe?=", "Re: Grüße"},
	}
	for _, tt := range tests {
		m := parse(t, "From: a@x\nSubject: "+tt.in+"\n\n")
		d, err := message.Reply(m, message.ReplyOptions{From: addr("", "me@x")})
		if err != nil {
			t.Fatalf("Reply() = %v", err)
		}
		if d.Subject != tt.want {
			t.Errorf("subject of the answer to %q is %q, want %q", tt.in, d.Subject, tt.want)
		}
	}
}

func TestReplyThread(t *testing.T) {
	long := make([]string, 60)
	for i := range long {
		long[i] = fmt.Sprintf("r%d@x", i)
	}
	wide := []string{"first@x", strings.Repeat("a", 800) + "@x", strings.Repeat("b", 7500) + "@x", strings.Repeat("c", 800) + "@x", "last@x"}
	tests := []struct {
		name, header string
		inReplyTo    []string
		references   []string
	}{
		{"new thread", "Message-ID: <m@x>\n", []string{"m@x"}, []string{"m@x"}},
		{"references", "Message-ID: <m@x>\nReferences: <a@x> <b@x>\nIn-Reply-To: <b@x>\n", []string{"m@x"}, []string{"a@x", "b@x", "m@x"}},
		{"in-reply-to", "Message-ID: <m@x>\nIn-Reply-To: <b@x>\n", []string{"m@x"}, []string{"b@x", "m@x"}},
		{"several in-reply-to", "Message-ID: <m@x>\nIn-Reply-To: <b@x> <c@x>\n", []string{"m@x"}, []string{"m@x"}},
		{"no identifier", "References: <a@x>\n", nil, nil},
		{"identifier that cannot be written", "Message-ID: <ä@x>\nReferences: <a@x>\n", nil, nil},
		{"reference that cannot be written", "Message-ID: <m@x>\nReferences: <ä@x> <a@x> <m@x>\n", []string{"m@x"}, []string{"a@x", "m@x"}},
		{
			"long", "Message-ID: <m@x>\nReferences: <" + strings.Join(long, ">\n <") + ">\n",
			[]string{"m@x"},
			slices.Concat(long[:1], long[60-48:], []string{"m@x"}),
		},
		{
			"wide", "Message-ID: <m@x>\nReferences: <" + strings.Join(wide, ">\n <") + ">\n",
			[]string{"m@x"},
			[]string{"first@x", wide[1], wide[3], "last@x", "m@x"},
		},
	}
	for _, tt := range tests {
		m := parse(t, "From: a@x\n"+tt.header+"\n")
		d, err := message.Reply(m, message.ReplyOptions{From: addr("", "me@x")})
		if err != nil {
			t.Fatalf("%s: Reply() = %v", tt.name, err)
		}
		if !slices.Equal(d.InReplyTo, tt.inReplyTo) || !slices.Equal(d.References, tt.references) {
			t.Errorf("%s: InReplyTo, References = %q, %q, want %q, %q", tt.name, d.InReplyTo, d.References, tt.inReplyTo, tt.references)
		}
		same(t, d)
	}
}

func TestReplyQuote(t *testing.T) {
	const text = "From: Ann <a@x>\nDate: Tue, 3 Nov 2026 10:11:12 +0100\n\nHello\n\n> quoted\n>> twice\n\n\n"
	tests := []struct {
		name string
		in   string
		o    message.ReplyOptions
		want string
	}{
		{"no quote", text, message.ReplyOptions{Text: "Yes."}, "Yes."},
		{
			"quote", text,
			message.ReplyOptions{Text: "Yes.\n", Quote: true},
			"Yes.\n\nOn Tue, 3 Nov 2026 at 10:11 +0100, Ann <a@x> wrote:\n> Hello\n>\n>> quoted\n>>> twice\n",
		},
		{"quote only", "From: a@x\n\nHello", message.ReplyOptions{Quote: true}, "a@x wrote:\n> Hello\n"},
		{"attribution", text, message.ReplyOptions{Quote: true, Attribution: "Ann schrieb:"}, "Ann schrieb:\n> Hello\n>\n>> quoted\n>>> twice\n"},
		{"no author", "Reply-To: a@x\n\nHello", message.ReplyOptions{Quote: true}, "Someone wrote:\n> Hello\n"},
		{"page only", "From: a@x\nContent-Type: text/html\n\n<p>Hello", message.ReplyOptions{Text: "Yes.", Quote: true}, "Yes.\n\na@x wrote:\n> Hello\n"},
	}
	for _, tt := range tests {
		tt.o.From = addr("", "me@x")
		d, err := message.Reply(parse(t, tt.in), tt.o)
		if err != nil {
			t.Fatalf("%s: Reply() = %v", tt.name, err)
		}
		if d.Text != tt.want {
			t.Errorf("%s: text is\n%s\nwant\n%s", tt.name, d.Text, tt.want)
		}
	}
}

// TestReplyList answers to the list alone, where there is one that takes mail.
func TestReplyList(t *testing.T) {
	for header, want := range map[string]string{
		"List-Post: <mailto:list%2B1@x.example?subject=x> (moderated)\n": "|list+1@x.example",
		"List-Post: <https://x.example/post>, <MAILTO:list@x.example>\n": "|list@x.example",
		"List-Post: NO\n":                    "",
		"":                                   "",
		"Mail-Followup-To: list@x.example\n": "",
	} {
		m := parse(t, "From: a@x\nTo: b@x\nReply-To: c@x\n"+header+"\n")
		d, err := message.Reply(m, message.ReplyOptions{From: addr("", "me@x"), List: true, All: true})
		if want == "" {
			if !errors.Is(err, message.ErrNoReplyAddress) {
				t.Errorf("%q: Reply() = %v, want %v", header, err, message.ErrNoReplyAddress)
			}
			continue
		}
		if err != nil || names(d.To) != want || len(d.Cc) > 0 {
			t.Errorf("%q: Reply() = %+v, %v, want it to go to %q", header, d, err, want)
		}
	}
}

// TestReplyAutomatic lets a program answer, and refuses where it may not.
func TestReplyAutomatic(t *testing.T) {
	o := message.ReplyOptions{From: addr("", "me@x.example"), Text: "Away.", Automatic: &message.AnswerOptions{Personal: true}}
	d, err := message.Reply(parse(t, "From: a@x.example\nTo: me@x.example\nMessage-ID: <m@x>\n\n"), o)
	if err != nil || d.AutoSubmitted != "auto-replied" || !strings.Contains(write(t, d), "\r\nAuto-Submitted: auto-replied\r\n") {
		t.Errorf("Reply() = %+v, %v, want a marked answer", d, err)
	}
	for header, signal := range map[string]message.Signal{
		"From: a@x.example\nTo: me@x.example\nAuto-Submitted: auto-generated\n": message.SignalAutoSubmitted,
		"From: a@x.example\nTo: others@x.example\n":                             message.SignalNotAddressed,
		"From: me@x.example\nTo: me@x.example\n":                                message.SignalOwn,
		"From: noreply@x.example\nTo: me@x.example\n":                           message.SignalNoReply,
	} {
		var automatic *message.AutomaticError
		if d, err := message.Reply(parse(t, header+"\n"), o); d != nil || !errors.As(err, &automatic) || automatic.Signal != signal {
			t.Errorf("Reply() = %v, %v to %q, want an AutomaticError of %s", d, err, header, signal)
		}
	}
}

// TestReplyAutomaticRecipient finds that the answer of a program goes to one
// address: that of the envelope, if it answers for a person.
func TestReplyAutomaticRecipient(t *testing.T) {
	const author = "From: a@x.example, b@x.example\nTo: me@x.example\nCc: c@x.example\nSubject: Re: Hello\n"
	sender := `<"e e"@x.example>`
	for name, tt := range map[string]struct {
		header    string
		automatic message.AnswerOptions
		all       bool
		to        string
		subject   string
	}{
		"person":                {"Return-Path: <r@x.example>\nReply-To: l@x.example\n", message.AnswerOptions{Personal: true}, false, "|r@x.example", "Auto: Hello"},
		"person, to all":        {"Return-Path: <r@x.example>\n", message.AnswerOptions{Personal: true}, true, "|r@x.example", "Auto: Hello"},
		"person, envelope":      {"Return-Path: <r@x.example>\n", message.AnswerOptions{Personal: true, EnvelopeSender: &sender}, false, "|e e@x.example", "Auto: Hello"},
		"person, none":          {"Reply-To: l@x.example\n", message.AnswerOptions{Personal: true}, false, "|a@x.example", "Auto: Hello"},
		"service":               {"Return-Path: <r@x.example>\nReply-To: l@x.example\n", message.AnswerOptions{}, false, "|l@x.example", "Re: Hello"},
		"service, no reply-to":  {"Return-Path: <r@x.example>\n", message.AnswerOptions{}, false, "|a@x.example", "Re: Hello"},
		"service, to everybody": {"Reply-To: l@x.example, m@x.example\n", message.AnswerOptions{}, false, "|a@x.example", "Re: Hello"},
		"service, to all":       {"", message.AnswerOptions{}, true, "|a@x.example |b@x.example", "Re: Hello"},
	} {
		o := message.ReplyOptions{From: addr("", "me@x.example"), All: tt.all, Automatic: &tt.automatic}
		d, err := message.Reply(parse(t, tt.header+author+"\n"), o)
		if err != nil || names(d.To) != tt.to || len(d.Cc) > 0 != (tt.all && !tt.automatic.Personal) || d.Subject != tt.subject {
			t.Errorf("%s: Reply() = %+v, %v, want one to %q with the subject %q", name, d, err, tt.to, tt.subject)
		}
	}
}

// languages are those that answers can be written in.
func languages() []string {
	return []string{"da", "de-AT", "en", "es", "fi", "fr_CA", "it", "ja", "nb", "nl", "no", "pl", "pt-BR", "sv", "tr", "zh", "xx", ""}
}

// TestReplyLanguages finds that what is written in each language is known when it
// is read: prefixes do not pile up, and the quote is found.
func TestReplyLanguages(t *testing.T) {
	const ask = "From: Ann <a@x.example>\nDate: Tue, 3 Nov 2026 10:11:12 +0100\nSubject: Pläne\nContent-Type: text/plain; charset=utf-8\n\nAre you coming?\n"
	for _, language := range languages() {
		m := parse(t, ask)
		for range 3 {
			d, err := message.Reply(m, message.ReplyOptions{From: addr("Bob", "b@x.example"), Text: "Perhaps.\n", Quote: true, Language: language})
			if err != nil {
				t.Fatal(err)
			}
			m = parse(t, write(t, d))
			if got := message.BaseSubject(d.Subject); got != "Pläne" || strings.Count(d.Subject, ":") != 1 {
				t.Errorf("%s: the subject is %q", language, d.Subject)
			}
			if got := strings.TrimSpace(m.NewText()); got != "Perhaps." {
				t.Errorf("%s: what is new is %q in\n%s", language, got, m.Text)
			}
		}
		f, err := message.Forward(m, message.ForwardOptions{From: addr("", "c@x.example"), Text: "See.\n", Language: language})
		if err != nil {
			t.Fatal(err)
		}
		m = parse(t, write(t, f))
		if got := message.BaseSubject(f.Subject); got != "Pläne" || strings.Count(f.Subject, ":") != 1 {
			t.Errorf("%s: the subject of what is forwarded is %q", language, f.Subject)
		}
		if got := strings.TrimSpace(m.NewText()); got != "See." {
			t.Errorf("%s: what is new is %q in\n%s", language, got, m.Text)
		}
	}
}

func TestPrefix(t *testing.T) {
	m := parse(t, "From: a@x\nSubject: Fwd: AW: x\nReferences: <1@x>\nMessage-ID: <2@x>\n\n")
	r, err := message.Reply(m, message.ReplyOptions{From: addr("", "b@x"), Language: "de", Prefix: "Antwort"})
	if err != nil || r.Subject != "Antwort: x" {
		t.Errorf("Reply() = %+v, %v", r, err)
	}
	f, err := message.Forward(m, message.ForwardOptions{From: addr("", "b@x"), Prefix: "FW"})
	if err != nil || f.Subject != "FW: x" || len(f.InReplyTo) > 0 || !slices.Equal(f.References, []string{"1@x", "2@x"}) {
		t.Errorf("Forward() = %+v, %v", f, err)
	}
	var missing *message.FieldError
	if _, err := message.Forward(m, message.ForwardOptions{}); !errors.As(err, &missing) || missing.Field != "From" {
		t.Errorf("Forward() without From = %v", err)
	}
}

func TestForwardText(t *testing.T) {
	m := parse(t, "From: Ann <a@x>\nTo: b@x, Carl <c@x>\nCc: d@x\nDate: Tue, 3 Nov 2026 10:11:12 +0100\nSubject: Lunch\n"+
		"Content-Type: text/html\n\n<p>At <b>noon</b>?<script>x</script></div>")
	d, err := message.Forward(m, message.ForwardOptions{From: addr("", "b@x"), Text: "What do  you\nthink?\n"})
	if err != nil {
		t.Fatal(err)
	}
	const above = "From: Ann <a@x>\nDate: Tue, 3 Nov 2026 at 10:11 +0100\nSubject: Lunch\nTo: b@x, Carl <c@x>\nCc: d@x\n"
	if want := "What do  you\nthink?\n\n---------- Forwarded message ----------\n" + above + "\nAt noon?\n"; d.Text != want {
		t.Errorf("text is\n%s\nwant\n%s", d.Text, want)
	}
	escaped := strings.NewReplacer("<", "&lt;", ">", "&gt;", "\n", "<br>\n").Replace(above)
	want := "<div>What do \u00a0you<br>\nthink?</div>\n<br>\n<div>---------- Forwarded message ----------<br>\n" + escaped + "</div>\n<br>\n<div><p>At <b>noon</b>?</p></div>\n"
	if d.HTML != want {
		t.Errorf("page is\n%s\nwant\n%s", d.HTML, want)
	}
	d, err = message.Forward(m, message.ForwardOptions{From: addr("", "b@x"), HTML: "<html><body>Look</BODY></html>"})
	if err != nil || !strings.HasPrefix(d.HTML, "<html><body>Look<br>") || !strings.HasSuffix(d.HTML, "</div>\n</BODY></html>") || !strings.HasPrefix(d.Text, "Look\n\n-----") {
		t.Errorf("Forward() = %q, %q, %v", d.Text, d.HTML, err)
	}
}
