package imapx

import (
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/mailsession/mailsession/session"
)

// TestRolesByName: at a server that states no roles, whatever the language it
// was set up in, and below INBOX too.
func TestRolesByName(t *testing.T) {
	roles := []session.Role{session.RoleSent, session.RoleDrafts, session.RoleTrash, session.RoleJunk, session.RoleArchive}
	for _, names := range []string{
		"Sent Items|Drafts|Deleted Items|Junk Email|Archive",
		"Gesendete Elemente|Entwürfe|Papierkorb|Spam|Archiv",
		"ÉLÉMENTS ENVOYÉS|Brouillons|Corbeille|Courrier indésirable|Archives",
		"Enviados|Borradores|Papelera|Correo no deseado|Archivo",
		"Posta inviata|Bozze|Cestino|Posta indesiderata|Archivio",
		"Itens Enviados|Rascunhos|Lixeira|Lixo Eletrônico|Arquivo",
		"Verzonden|Concepten|Prullenbak|Ongewenst|Archief",
		"Wysłane|Szkice|Kosz|Niechciane|Archiwum",
		"Skickat|Utkast|Papperskorgen|Skräppost|Arkiv",
		"Отправленные|Черновики|Корзина|Спам|Архив",
		"送信済み|下書き|ゴミ箱|迷惑メール|アーカイブ",
		"已发送|草稿箱|已删除|垃圾邮件|归档",
	} {
		for _, prefix := range []string{"", "INBOX."} {
			var listed []*imap.ListData
			for name := range strings.SplitSeq(names, "|") {
				listed = append(listed, &imap.ListData{Mailbox: prefix + name, Delim: '.'})
			}
			for i, f := range foldersOf(&folderListing{folders: listed}, nil) {
				if f.Role != roles[i] {
					t.Errorf("%s has the role %q, want %q", f.Path, f.Role, roles[i])
				}
			}
		}
	}
}

// TestRoleNamesAreClear: no name stands for two roles, or twice.
func TestRoleNamesAreClear(t *testing.T) {
	seen := map[string]session.Role{}
	for _, known := range knownNames() {
		for _, name := range known.names {
			if other, twice := seen[strings.ToLower(name)]; twice {
				t.Errorf("%q stands for %s and for %s", name, other, known.role)
			}
			seen[strings.ToLower(name)] = known.role
		}
	}
}
