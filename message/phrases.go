package message

import "strings"

// phrases are what answers and forwarded messages say in a language.
type phrases struct {
	reply, forward           string // before the subject
	attribution              string // with DATE and WHO in it
	undated                  string // the same without DATE
	date                     string // a layout of the time package
	someone                  string
	forwarded                string // between dashes
	from, sent, subj, to, cc string
}

// phrasesOf returns the phrases of a language by its tag (BCP 47), of which the
// primary part counts. Those of English stand for languages that are not known.
func phrasesOf(language string) phrases {
	primary, _, _ := strings.Cut(strings.ReplaceAll(language, "_", "-"), "-")
	switch strings.ToLower(primary) {
	case "de":
		return phrases{
			"AW", "WG", "Am DATE schrieb WHO:", "WHO schrieb:", "02.01.2006 um 15:04 -0700", "Jemand",
			"Weitergeleitete Nachricht", "Von", "Datum", "Betreff", "An", "Kopie",
		}
	case "fr":
		return phrases{
			"Re", "TR", "Le DATE, WHO a écrit :", "WHO a écrit :", "02/01/2006 à 15:04 -0700", "Quelqu’un",
			"Message transféré", "De", "Date", "Objet", "À", "Cc",
		}
	case "es":
		return phrases{
			"Re", "RV", "El DATE, WHO escribió:", "WHO escribió:", "02/01/2006 15:04 -0700", "Alguien",
			"Mensaje reenviado", "De", "Fecha", "Asunto", "Para", "Cc",
		}
	case "it":
		return phrases{
			"Re", "Fwd", "Il DATE, WHO ha scritto:", "WHO ha scritto:", "02/01/2006 15:04 -0700", "Qualcuno",
			"Messaggio inoltrato", "Da", "Data", "Oggetto", "A", "Cc",
		}
	case "pt":
		return phrases{
			"RES", "ENC", "Em DATE, WHO escreveu:", "WHO escreveu:", "02/01/2006 15:04 -0700", "Alguém",
			"Mensagem encaminhada", "De", "Data", "Assunto", "Para", "Cc",
		}
	case "nl":
		return phrases{
			"Re", "FW", "Op DATE schreef WHO:", "WHO schreef:", "02-01-2006 15:04 -0700", "Iemand",
			"Doorgestuurd bericht", "Van", "Datum", "Onderwerp", "Aan", "Cc",
		}
	case "tr":
		return phrases{
			"YNT", "İLT", "WHO, DATE tarihinde şunu yazdı:", "WHO şunu yazdı:", "02.01.2006 15:04 -0700", "Birisi",
			"Orijinal mesaj", "Kimden", "Tarih", "Konu", "Kime", "Cc",
		}
	}
	return phrasesOfMore(strings.ToLower(primary))
}

// phrasesOfMore returns the phrases of the other languages.
func phrasesOfMore(primary string) phrases {
	switch primary {
	case "sv":
		return phrases{
			"SV", "VB", "Den DATE skrev WHO:", "WHO skrev:", "2006-01-02 15:04 -0700", "Någon",
			"Vidarebefordrat meddelande", "Från", "Datum", "Ämne", "Till", "Kopia",
		}
	case "da":
		return phrases{
			"SV", "VS", "Den DATE skrev WHO:", "WHO skrev:", "02.01.2006 15:04 -0700", "Nogen",
			"Videresendt meddelelse", "Fra", "Dato", "Emne", "Til", "Kopi",
		}
	case "nb", "nn", "no":
		return phrases{
			"SV", "VS", "Den DATE skrev WHO:", "WHO skrev:", "02.01.2006 15:04 -0700", "Noen",
			"Videresendt melding", "Fra", "Dato", "Emne", "Til", "Kopi",
		}
	case "fi":
		return phrases{
			"VS", "VL", "WHO kirjoitti DATE:", "WHO kirjoitti:", "02.01.2006 15:04 -0700", "Joku",
			"Välitetty viesti", "Lähettäjä", "Päiväys", "Aihe", "Vastaanottaja", "Kopio",
		}
	case "pl":
		return phrases{
			"Odp", "PD", "W dniu DATE, WHO pisze:", "WHO pisze:", "02.01.2006 15:04 -0700", "Ktoś",
			"Wiadomość przekazana", "Od", "Data", "Temat", "Do", "DW",
		}
	case "ja":
		return phrases{
			"Re", "Fwd", "DATE WHO:", "WHO:", "2006年1月2日 15:04 -0700", "送信者不明",
			"転送メッセージ", "差出人", "日時", "件名", "宛先", "Cc",
		}
	case "zh":
		return phrases{
			"Re", "Fwd", "在 DATE，WHO 写道：", "WHO 写道：", "2006年1月2日 15:04 -0700", "有人",
			"转发的邮件", "发件人", "日期", "主题", "收件人", "抄送",
		}
	}
	return phrases{
		"Re", "Fwd", "On DATE, WHO wrote:", "WHO wrote:", "Mon, 2 Jan 2006 at 15:04 -0700", "Someone",
		"Forwarded message", "From", "Date", "Subject", "To", "Cc",
	}
}

// attributionOf returns who wrote a message, and when.
func (p phrases) attributionOf(h Header) string {
	who := p.someone
	if from := h.From(); len(from) > 0 {
		who = person(from[0].Name, from[0].Address)
	}
	line := p.undated
	if date, ok := h.Date(); ok {
		line = strings.Replace(p.attribution, "DATE", date.Format(p.date), 1)
	}
	return strings.Replace(line, "WHO", who, 1)
}

// person returns an address for people.
func person(name, address string) string {
	if name == "" {
		return address
	}
	return name + " <" + address + ">"
}

// A forwardedField is a line above a forwarded message.
type forwardedField struct{ name, value string }

// forwardedFields returns what is told of a forwarded message.
func (p phrases) forwardedFields(h Header) []forwardedField {
	var fields []forwardedField
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, forwardedField{name, value})
		}
	}
	people := func(name string) string {
		var all []string
		for _, a := range h.Addresses(name) {
			all = append(all, person(a.Name, a.Address))
		}
		return strings.Join(all, ", ")
	}
	add(p.from, people("From"))
	if date, ok := h.Date(); ok {
		add(p.sent, date.Format(p.date))
	}
	add(p.subj, h.Subject())
	add(p.to, people("To"))
	add(p.cc, people("Cc"))
	return fields
}
