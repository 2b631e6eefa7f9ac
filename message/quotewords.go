package message

import (
	"regexp"
	"strings"
	"unicode"
)

// The kinds of lines in the block that Outlook writes above a quote.
type headerLine int

const (
	keyNone headerLine = iota
	keyFrom
	keyDate
	keySubject
	keyRest
)

// maxLine is how long a line may be that introduces a quote.
const maxLine = 1000

// The words before the colon, in lower case: English, German, French, Spanish,
// Italian, Portuguese, Dutch, Swedish, Danish, Norwegian, Finnish, Polish, Czech,
// Russian, Ukrainian, Turkish, Hungarian, Romanian, Greek, Chinese, Japanese,
// Korean.
const (
	fromWords = "|from|von|de|desde|da|van|från|fra|lähettäjä|od|от|від|gönderen|kimden|feladó|de la|από|发件人|寄件者|差出人|送信者|보낸 사람|" +
		"보낸사람|expéditeur|remitente|mittente|remetente|afzender|"
	dateWords = "|sent|date|gesendet|datum|envoyé|enviado|enviada|enviado el|enviada em|enviado em|fecha|inviato|data|" +
		"verzonden|skickat|skickades|sendt|dato|lähetetty|päivämäärä|päiväys|wysłano|wysłane|odesláno|отправлено|дата|" +
		"надіслано|gönderilme tarihi|tarih|elküldve|dátum|trimis|στάλθηκε|发送时间|日期|传送时间|寄件日期|送信日時|日時|日付|보낸 날짜|날짜|"
	restWords = "|to|an|à|para|a|aan|till|til|vastaanottaja|kenelle|do|komu|кому|kime|alıcı|címzett|către|προς|收件人|宛先|받는 사람|" +
		"받는사람|destinataire|destinatario|cc|kopie|kopia|kopi|kopio|dw|копия|копія|抄送|참조|"
	subjectWords = "|subject|betreff|objet|asunto|oggetto|assunto|onderwerp|ämne|emne|aihe|temat|předmět|тема|konu|tárgy|subiect|" +
		"θέμα|主题|主旨|件名|제목|"
)

// headerKey tells by its first word what a line such as "Von: Ann" is.
func headerKey(line string) headerLine {
	line = strings.TrimLeft(line[:min(len(line), 60)], " \t*_")
	key, _, ok := strings.Cut(line, ":")
	if !ok {
		if key, _, ok = strings.Cut(line, "："); !ok {
			return keyNone
		}
	}
	key = strings.ToLower(strings.Trim(key, " \t*_\u00a0"))
	if key == "" || strings.Contains(key, "|") {
		return keyNone
	}
	key = "|" + key + "|"
	switch {
	case strings.Contains(fromWords, key):
		return keyFrom
	case strings.Contains(dateWords, key):
		return keyDate
	case strings.Contains(subjectWords, key):
		return keySubject
	case strings.Contains(restWords, key):
		return keyRest
	}
	return keyNone
}

// separatorWords stand between dashes above an earlier message.
const separatorWords = "|original message|original appointment|forwarded message|ursprüngliche nachricht|originalnachricht|" +
	"weitergeleitete nachricht|message d'origine|message original|message d’origine|message transféré|" +
	"mensaje original|mensaje reenviado|messaggio originale|messaggio inoltrato|mensagem original|" +
	"mensagem encaminhada|oorspronkelijk bericht|doorgestuurd bericht|originalmeddelande|ursprungligt meddelande|" +
	"vidarebefordrat meddelande|original meddelelse|oprindelig meddelelse|videresendt meddelelse|original melding|" +
	"opprinnelig melding|videresendt melding|alkuperäinen viesti|välitetty viesti|wiadomość oryginalna|" +
	"oryginalna wiadomość|wiadomość przekazana|původní zpráva|přeposlaná zpráva|исходное сообщение|" +
	"пересылаемое сообщение|пересланное сообщение|orijinal mesaj|eredeti üzenet|元のメッセージ|転送メッセージ|原始邮件|原始郵件|邮件原件|" +
	"转发的邮件|원본 메시지|원본 메일|전달된 메시지|"

// isSeparator reports whether a line is such as "-----Original Message-----".
func isSeparator(line string) bool {
	line = strings.Trim(line[:min(len(line), 200)], " \t\r\n*")
	word := strings.TrimLeft(line, "-_")
	if len(line)-len(word) < 2 && !strings.HasPrefix(line, "—") {
		// Apple Mail has no dashes.
		return strings.EqualFold(line, "Begin forwarded message:") || strings.EqualFold(line, "Anfang der weitergeleiteten Nachricht:")
	}
	word = strings.ToLower(strings.Trim(word, "-_— \t"))
	return word != "" && !strings.Contains(word, "|") && strings.Contains(separatorWords, "|"+word+"|")
}

// maxAttribution is how many lines an attribution may be wrapped to.
const maxAttribution = 4

// attribution returns how many lines from i on say who wrote what follows, and
// these lines in one; or 0. It looks only at their shape.
func (c *classifier) attribution(i int) (n int, joined string) {
	for n = 1; n <= maxAttribution && i+n <= len(c.lines); n++ {
		line := strings.TrimSpace(c.lines[i+n-1])
		if line == "" || len(joined)+len(line) > maxLine || c.isMarked(i+n-1) || c.kinds[i+n-1] != PassageWritten {
			return 0, ""
		}
		joined = strings.TrimSpace(joined + " " + line)
		if strings.HasSuffix(line, ":") || strings.HasSuffix(line, "：") {
			return n, joined
		}
	}
	return 0, ""
}

// wraps reports whether a line is the beginning of an attribution of n lines, and
// not the end of the text before one.
func (c *classifier) wraps(i, n int) bool {
	rest := strings.Join(c.lines[i+1:i+n], " ")
	if isDatedAttribution(strings.TrimSpace(rest)) {
		return false
	}
	first := strings.ToLower(strings.TrimSpace(c.lines[i]))
	return opening.MatchString(first) && yearWord.MatchString(first) || strings.HasSuffix(first, ">") && strings.Contains(first, "@")
}

// isRule reports whether a line is a horizontal one.
func isRule(line string) bool {
	line = strings.TrimSpace(line)
	return len(line) >= 3 && (strings.Trim(line, "_") == "" || strings.Trim(line, "-") == "")
}

// wroteWord returns whether a word is a form of "write" that attributions have.
func wroteWord(word string) bool {
	switch word {
	case "wrote", "writes", "said",
		"schrieb", "schreibt", "geschrieben",
		"écrit", "escribió", "escribio", "escribe", "escreveu", "scritto", "scrive", "scris",
		"schreef", "geschreven", "skrev", "skriver", "kirjoitti",
		"napisał", "napisała", "pisze", "napsal", "napsala", "píše",
		"написал", "написала", "пишет", "писал", "писала", "написав", "пише",
		"yazdı", "írta", "έγραψε", "viết":
		return true
	}
	return false
}

// wrotePhrases are the same in languages that do not set words apart.
const wrotePhrases = "写道|寫道|写到|のメール|書きました|님이 작성|작성:|님이 쓴"

// saysWrote reports whether a line in lower case says that somebody wrote.
func saysWrote(line string) bool {
	for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if wroteWord(word) {
			return true
		}
	}
	for phrase := range strings.SplitSeq(wrotePhrases, "|") {
		if strings.Contains(line, phrase) {
			return true
		}
	}
	return false
}

// How attributions begin that say when, and how they say it.
var (
	opening  = regexp.MustCompile(`^(?:on|am|le|el|em|no dia|il|il giorno|in data|op|den|w dniu|dnia|dne|в|vào)[ .,]|^\p{L}{2,4}\.?,? \d|^\d`)
	yearWord = regexp.MustCompile(`\b(?:19|20)\d\d(?:\b|年|년)|\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b`)
	timeWord = regexp.MustCompile(`\b\d{1,2}[:.h]\d\d\b`)
)

// isAttribution reports whether a line that ends in a colon says who wrote what
// follows.
func isAttribution(line string) bool {
	line = strings.ToLower(line)
	if saysWrote(line) {
		return true
	}
	// In some languages Gmail names only the time and the address.
	return strings.HasSuffix(strings.TrimRight(line, ":："), ">") && strings.Contains(line, "@") && saysWhen(line)
}

// isDatedAttribution reports whether a line does that and says when.
func isDatedAttribution(line string) bool {
	return strings.ContainsAny(line, "0123456789") && isAttribution(line) && saysWhen(strings.ToLower(line))
}

// saysWhen reports whether a line in lower case has a date and a time, where an
// attribution has them.
func saysWhen(line string) bool {
	return (strings.Contains(line, "@") || opening.MatchString(line)) && yearWord.MatchString(line) && timeWord.MatchString(line)
}

// phoneSignatures are what the lines begin with that phones add.
const phoneSignatures = "sent from my |get outlook for |von meinem |gesendet von |gesendet mit |envoyé de mon |envoyé depuis |" +
	"enviado desde mi |enviado do meu |inviato da |verzonden vanaf mijn |verstuurd vanaf mijn |skickat från min |" +
	"sendt fra min |lähetetty |wysłano z |odesláno z |отправлено с |iphoneから送信|发自我的|從我的|나의 iphone"

// isPhoneSignature reports whether a line is such as "Sent from my iPhone". What
// goes on as a sentence does is from a person: "Sent from my desk, as you asked".
func isPhoneSignature(line string) bool {
	line = strings.ToLower(strings.TrimSpace(line))
	if line == "" || len(line) > 80 || strings.ContainsAny(line, ",:;!?") || strings.Contains(line, ". ") {
		return false
	}
	for begin := range strings.SplitSeq(phoneSignatures, "|") {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}
