package imapx

import "github.com/mailsession/mailsession/session"

// roleNames are the names by which servers and mail programs call folders that
// have a role, in the languages that they are set up in; the most usual of a
// language first, and English ahead of all. A name means one role alone.
type roleNames struct {
	role  session.Role
	names []string
}

// knownNames returns the names, compared without regard to letters' case, of
// Outlook, Apple Mail, Thunderbird and Gmail in English, German, French,
// Spanish, Italian, Portuguese, Dutch, Polish, Swedish, Danish, Norwegian,
// Finnish, Czech, Russian, Ukrainian, Turkish, Greek, Japanese, Korean and Chinese.
func knownNames() []roleNames {
	return []roleNames{
		{session.RoleSent, []string{
			"sent", "sent items", "sent messages", "sent mail", "gesendet", "gesendete elemente", "gesendete objekte", "gesendete nachrichten",
			"éléments envoyés", "messages envoyés", "envoyés", "elementos enviados", "mensajes enviados", "enviados",
			"posta inviata", "inviata", "inviati", "itens enviados", "mensagens enviadas", "verzonden items", "verzonden berichten", "verzonden",
			"elementy wysłane", "wysłane", "skickat", "skickade objekt", "sendt post", "sendt", "sendte elementer", "lähetetyt", "odeslaná pošta", "odeslané",
			"отправленные", "надіслані", "gönderilmiş öğeler", "gönderilmiş", "απεσταλμένα", "送信済み", "送信済みアイテム", "送信済みメール", "보낸 편지함", "已发送", "已发送邮件", "已傳送郵件", "寄件備份",
		}},
		{session.RoleDrafts, []string{
			"drafts", "draft", "entwürfe", "brouillons", "borradores", "bozze", "rascunhos", "concepten", "wersje robocze", "kopie robocze", "szkice",
			"utkast", "kladder", "kladde", "luonnokset", "koncepty", "rozepsané", "черновики", "чернетки", "taslaklar", "πρόχειρα", "下書き", "임시 보관함", "草稿", "草稿箱", "草稿匣",
		}},
		{session.RoleTrash, []string{
			"trash", "deleted items", "deleted messages", "bin", "papierkorb", "gelöschte elemente", "gelöschte objekte", "gelöscht",
			"corbeille", "éléments supprimés", "messages supprimés", "papelera", "elementos eliminados", "cestino", "posta eliminata", "elementi eliminati",
			"lixo", "lixeira", "itens excluídos", "itens eliminados", "prullenbak", "prullenmand", "verwijderde items", "kosz", "elementy usunięte",
			"papperskorgen", "borttaget", "papirkurv", "slettet post", "papirkurven", "slettede elementer", "roskakori", "poistetut", "koš", "odstraněná pošta",
			"корзина", "удаленные", "удалённые", "кошик", "видалені", "çöp kutusu", "silinmiş öğeler", "κάδος", "διαγραμμένα", "ゴミ箱", "削除済みアイテム", "휴지통", "지운 편지함", "已删除", "已删除邮件", "垃圾桶", "刪除的郵件",
		}},
		{session.RoleJunk, []string{
			"junk", "junk e-mail", "junk email", "spam", "bulk mail", "junk-e-mail", "spamverdacht", "unerwünscht", "werbung", "courrier indésirable", "indésirables", "pourriel",
			"correo no deseado", "no deseado", "posta indesiderata", "indesiderata", "lixo eletrônico", "lixo eletrónico", "ongewenste e-mail", "ongewenst", "wiadomości-śmieci", "niechciane",
			"skräppost", "uønsket mail", "uønsket e-post", "søppelpost", "roskaposti", "nevyžádaná pošta", "nevyžádané", "спам", "нежелательная почта", "небажана пошта",
			"önemsiz e-posta", "istenmeyen", "ανεπιθύμητα", "ανεπιθύμητη αλληλογραφία", "迷惑メール", "정크 메일", "스팸", "垃圾邮件", "垃圾郵件",
		}},
		{session.RoleArchive, []string{
			"archive", "archives", "archiv", "archivo", "archivio", "arquivo", "archief", "archiwum", "arkiv", "arkisto", "архив", "архів", "arşiv", "αρχείο",
			"アーカイブ", "보관", "보관함", "存档", "归档", "封存",
		}},
	}
}
