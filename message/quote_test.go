package message_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// wholePassages finds that passages put together are text, in whole lines, and
// that no two neighbours are of one kind.
func wholePassages(passages []message.Passage, text string) error {
	var all strings.Builder
	for i, p := range passages {
		all.WriteString(p.Text)
		if p.Text == "" || i+1 < len(passages) && !strings.HasSuffix(p.Text, "\n") {
			return fmt.Errorf("passage %q is not of whole lines", p.Text)
		}
		if i > 0 && passages[i-1].Kind == p.Kind {
			return fmt.Errorf("two passages in a row are %v", p.Kind)
		}
	}
	if all.String() != text {
		return errors.New("the passages put together are not the text")
	}
	return nil
}

// showPassages writes passages as w|, q| and s| before their lines.
func showPassages(passages []message.Passage) string {
	var b strings.Builder
	for _, p := range passages {
		for line := range strings.Lines(p.Text) {
			b.WriteString(p.Kind.String()[:1] + "|" + line)
		}
	}
	return b.String()
}

// passagesOf returns the text and the passages that showPassages writes as s.
func passagesOf(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(line[2:])
	}
	return b.String()
}

func TestQuotesAreToldFromWhatIsWritten(t *testing.T) {
	for _, want := range []string{
		"w|Just text.\nw|\nw|More: of it.\n",
		"w|Yes.\nw|\nq|On Mon, 3 Nov 2026 at 10:11, Ann <ann@example.com> wrote:\nq|> Are you\nq|> coming?\n",
		"q|> Are you coming?\nq|\nw|Yes.\nw|\nq|> When?\nw|At ten.\nw|\ns|-- \ns|Bob\n",
		"q|Ann wrote:\nq|> one\nw|answer one\nq|> two\nw|answer two\n",
		"w|Yes.\nw|\nq|On Mon, Nov 3, 2026 at 10:11 AM Ann Somebody With A Long Name <\nq|ann@example.com> wrote:\nq|\nq|> Are you coming?\n",
		"w|Yes.\nw|\nq|On 3 November 2026 10:11, Ann wrote:\nq|\nq|Are you coming?\nq|Ann\n",
		"w|Yes.\nw|\nq|-----Original Message-----\nq|From: Ann\nq|Sent: Monday\nq|To: Bob\nq|Subject: x\nq|\nq|Are you coming?\n",
		"w|Yes.\nw|\nq|________________________________\nq|From: Ann <ann@example.com>\nq|Sent: Monday, 3 November 2026\nq|To: Bob\nq|Subject: x\nq|\nq|Are you coming?\n",
		"w|Ja.\nw|\nq|Von: Ann <ann@example.com>\nq|Gesendet: Montag, 3. November 2026 10:11\nq|An: Bob; Carl;\nq| Dora\nq|Betreff: x\nq|\nq|Kommst du?\n",
		"w|Oui.\nw|\nq|De : Ann\nq|Envoyé : lundi 3 novembre 2026\nq|À : Bob\nq|Objet : x\nq|\nq|Tu viens ?\n",
		"w|Yes.\nw|\nq|*From:* Ann\nq|*Date:* Monday\nq|*Subject:* x\nq|\nq|text\n",
		"w|FYI\nw|\nq|---------- Forwarded message ---------\nq|From: Ann\nq|Date: Mon\nq|Subject: x\nq|To: Bob\nq|\nq|text\n",
		"q|-----Original Message-----\nq|> Are you coming?\nq|\nw|Yes.\n",
		"w|Yes.\ns|--\ns|Bob\ns|Tel. 1\n\n",
		"w|Yes.\nw|\ns|Sent from my iPhone\ns|\nq|> Are you coming?\n",
		// What is in doubt was written.
		"w|Yes.\nq|Ann wrote:\nq|> Are you coming?\n",
		"w|On the other hand, yes.\nq|On 3 May 2026 10:00 Ann wrote:\nq|> Are you coming?\n",
		"w|As I wrote on 3 May 2026 at 10:00:\nw|\nw|we meet at ten.\n",
		"w|On 3 May 2026 at 10:00, Ann wrote:\nw|\nw|what is below.\nq|> one\nw|two\n",
		"w|Peter wrote:\nw|a fine book.\n",
		"w|From: London\nw|To: Paris\nw|Date: 3 May 2026 at 10:00\nw|\nw|Shall I buy the ticket?\n",
		"w|From: here\nw|To: there\nw|it is a long way.\n",
		"w|one\nw|--\nw|two\nw|3\nw|4\nw|5\nw|6\nw|7\nw|8\nw|9\nw|10\n",
		"w|>From here on it is text.\nw|x\nw|>>From there, too.\n",
		"w|-----\nw|Original message of mine\n",
		"w|Sent from my desk:\nw|a letter.\n",
		"w|Here it is.\nw|\nw|Sent from my account yesterday, please check.\n",
		"w|Sent from my desk. It is done.\n",
	} {
		want = strings.ReplaceAll(want, "\n\n", "\n")
		text := passagesOf(want)
		if got := showPassages(message.Passages(text)); got != want {
			t.Errorf("Passages(%q) are\n%s\nwant\n%s", text, got, want)
		}
	}
}

// TestAttributionsAreKnownInManyLanguages reads what Gmail, Apple Mail and
// Thunderbird write above a quote, with and without marks in front of it.
func TestAttributionsAreKnownInManyLanguages(t *testing.T) {
	for _, line := range []string{
		"On Mon, Nov 3, 2026 at 10:11 AM Ann <ann@example.com> wrote:",
		"On 03/11/2026 10:11, Ann wrote:",
		"Am Mo., 3. Nov. 2026 um 10:11 Uhr schrieb Ann <ann@example.com>:",
		"Am 03.11.26 um 10:11 schrieb Ann:",
		"Le lun. 3 nov. 2026 à 10:11, Ann <ann@example.com> a écrit :",
		"El lun, 3 nov 2026 a las 10:11, Ann (<ann@example.com>) escribió:",
		"Il giorno lun 3 nov 2026 alle ore 10:11 Ann <ann@example.com> ha scritto:",
		"Em seg., 3 de nov. de 2026 às 10:11, Ann <ann@example.com> escreveu:",
		"Op ma 3 nov 2026 om 10:11 schreef Ann <ann@example.com>:",
		"Den mån 3 nov. 2026 kl 10:11 skrev Ann <ann@example.com>:",
		"Den man. 3. nov. 2026 kl. 10.11 skrev Ann <ann@example.com>:",
		"man. 3. nov. 2026 kl. 10:11 skrev Ann <ann@example.com>:",
		"ma 3. marrask. 2026 klo 10.11 Ann (ann@example.com) kirjoitti:",
		"pon., 3 lis 2026 o 10:11 Ann <ann@example.com> napisał(a):",
		"po 3. 11. 2026 v 10:11 odesílatel Ann <ann@example.com> napsal:",
		"пн, 3 нояб. 2026 г. в 10:11, Ann <ann@example.com>:",
		"03.11.2026 10:11, Ann пишет:",
		"пн, 3 лист. 2026 р. о 10:11 Ann <ann@example.com> пише:",
		"2026年11月3日(月) 10:11 Ann <ann@example.com>:",
		"Ann <ann@example.com> 于2026年11月3日周一 10:11写道：",
		"2026년 11월 3일 (월) 오전 10:11, Ann <ann@example.com>님이 작성:",
		"Ann <ann@example.com>, 3 Kas 2026 Pzt, 10:11 tarihinde şunu yazdı:",
	} {
		for _, quote := range []string{"> text\n", "\ntext\n"} {
			text := "Answer.\n\n" + line + "\n" + quote
			if got := message.NewText(text); got != "Answer." {
				t.Errorf("NewText(%q) = %q, want the answer alone", text, got)
			}
		}
	}
}

// TestOutlooksBlocksAreKnownInManyLanguages reads the block of fields that
// Outlook writes above a message, and the line of dashes of older programs.
func TestOutlooksBlocksAreKnownInManyLanguages(t *testing.T) {
	for _, words := range []string{
		"From Sent To Subject", "Von Gesendet An Betreff", "De Envoyé À Objet", "De Enviado Para Asunto", "Da Inviato A Oggetto",
		"De Enviado Para Assunto", "Van Verzonden Aan Onderwerp", "Från Skickat Till Ämne", "Fra Sendt Til Emne",
		"Lähettäjä Lähetetty Vastaanottaja Aihe", "Od Wysłano Do Temat", "Od Odesláno Komu Předmět", "От Отправлено Кому Тема",
		"Від Надіслано Кому Тема", "Kimden Gönderilme_tarihi Kime Konu", "发件人 发送时间 收件人 主题", "差出人 送信日時 宛先 件名", "보낸_사람 날짜 받는_사람 제목",
	} {
		var block strings.Builder
		for word := range strings.FieldsSeq(words) {
			block.WriteString(strings.ReplaceAll(word, "_", " ") + ": x\n")
		}
		text := "Answer.\n\n" + block.String() + "\nOld\n"
		if got := message.NewText(text); got != "Answer." {
			t.Errorf("NewText(%q) = %q, want the answer alone", text, got)
		}
	}
	for _, line := range []string{
		"-----Original Message-----", "-----Ursprüngliche Nachricht-----", "-----Message d'origine-----", "-----Mensaje original-----",
		"-----Messaggio originale-----", "-----Mensagem original-----", "-----Oorspronkelijk bericht-----", "-----Ursprungligt meddelande-----",
		"-----Oprindelig meddelelse-----", "-----Opprinnelig melding-----", "-----Alkuperäinen viesti-----", "-----Wiadomość oryginalna-----",
		"-----Původní zpráva-----", "-------- Исходное сообщение --------", "------------------ 原始邮件 ------------------", "-----元のメッセージ-----",
		"-----원본 메시지-----", "---------- Forwarded message ---------", "Begin forwarded message:",
	} {
		text := "Answer.\n\n" + line + "\nOld\n"
		if got := message.NewText(text); got != "Answer." {
			t.Errorf("NewText(%q) = %q, want the answer alone", text, got)
		}
	}
}

func TestQuotesInHTMLAreKnownByTheirElements(t *testing.T) {
	for name, page := range map[string]string{
		"Gmail": `<div dir="ltr">Answer.</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">` +
			`Someone at some time:<br></div><blockquote class="gmail_quote" style="margin:0px;border-left:1px solid"><div>Old</div></blockquote></div>`,
		"Gmail, between the quotes": `<div class="gmail_quote"><div class="gmail_attr">At some time:</div><blockquote class="gmail_quote">Old</blockquote>` +
			`<div>Answer.</div><blockquote class="gmail_quote">Old</blockquote></div>`,
		"Outlook on the web": `<div>Answer.</div><div id="Signature">Bob<br>Tel.</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>Von:</b> Ann</div><div>Old</div>`,
		"Outlook": `<p class=MsoNormal>Answer.</p><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal><b>From:</b> Ann<br>` +
			`<b>Sent:</b> Monday<br><b>To:</b> Bob<br><b>Subject:</b> x</p></div><p class=MsoNormal>Old</p>`,
		"Apple Mail":  `Answer.<br><div><br><blockquote type="cite"><div>On Monday, Ann wrote:</div><br><div>Old</div></blockquote></div>`,
		"Thunderbird": `<p>Answer.</p><div class="moz-signature">-- <br>Bob</div><div class="moz-cite-prefix">Am Montag:<br></div><blockquote type="cite" cite="mid:x"><p>Old</p></blockquote>`,
		"Yahoo":       `<div>Answer.</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Monday, Ann wrote:</div><div>Old</div></div>`,
		"Proton":      `<div>Answer.</div><div class="protonmail_quote">Ann wrote:<br><blockquote class="protonmail_quote" type="cite">Old</blockquote></div>`,
	} {
		m := &message.Message{HTML: page}
		if got := m.NewText(); got != "Answer." {
			t.Errorf("%s: NewText() = %q, want the answer alone; passages:\n%s", name, got, showPassages(m.Passages()))
		}
	}
}

// TestEveryFileOfTheCorpusFallsIntoPassages reads every message's text.
func TestEveryFileOfTheCorpusFallsIntoPassages(t *testing.T) {
	quoted := 0
	check := func(name string, data []byte) {
		m, err := message.Parse(strings.NewReader(string(data)), nil)
		if err != nil {
			return
		}
		passages := m.Passages()
		if err := wholePassages(passages, m.ReadableText()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, p := range passages {
			if p.Kind == message.PassageQuoted {
				quoted++
				break
			}
		}
	}
	eachFile(t, "testdata", check)
	eachFile(t, corpus(t), check)
	t.Logf("%d messages quote others", quoted)
}

// FuzzPassages finds that no byte of a text is lost, and that what is new is a
// part of it, in its order.
func FuzzPassages(f *testing.F) {
	f.Add("a\n> b\n\nOn 3 May 2026 10:00 x wrote:\nc\n-- \nd")
	f.Add("From: a\nSent: b\nTo: c\n\n-----Original Message-----\n>From x\n")
	f.Add("\n\n>\n--\nSent from my phone\n2026年11月3日(月) 10:11 <a@b>:\n")
	f.Fuzz(func(t *testing.T, text string) {
		if err := wholePassages(message.Passages(text), text); err != nil {
			t.Errorf("Passages(%q): %v", text, err)
		}
		rest := text
		for line := range strings.Lines(message.NewText(text)) {
			_, after, ok := strings.Cut(rest, line)
			if !ok {
				t.Fatalf("NewText(%q) has the line %q, which is not in the text at that place", text, line)
			}
			rest = after
		}
	})
}

func BenchmarkPassages(b *testing.B) {
	text := strings.Repeat("A line of text that somebody wrote: it ends in a colon:\n\n> A line that was quoted.\nFrom: x\n", 5000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		message.Passages(text)
	}
}
