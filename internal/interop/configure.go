package interop

import (
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// configs holds the servers' configuration files, as templates over settings.
//
//go:embed config
var configs embed.FS

// settings is what the configuration files are filled in with.
type settings struct {
	Dir               string
	Ports             ports
	Domain            string // the first user's
	Domains           string // all, separated by commas
	MailUID, MailGID  int
	Tokens            *Introspection
	ClientSecret      string // revealed, for Dovecot's own file
	UsernameAttribute string
	Shared            bool
	Master            *User
	LockPOP3          bool
	Compress          bool
	WithoutEHLO       []string
}

// ports are the ports of all listeners, on 127.0.0.1.
type ports struct {
	IMAP, IMAPS, POP3, POP3S      int
	Submission, Submissions, SMTP int
}

// configure fills the servers' folder: settings, users, certificates, and the
// folders that the servers expect.
func (s *Servers) configure(set settings) error {
	mail, err := account("nobody")
	if err != nil {
		return err
	}
	postfix, err := account("postfix")
	if err != nil {
		return err
	}
	postdrop, err := group("postdrop")
	if err != nil {
		return err
	}
	set.MailUID, set.MailGID = mail.uid, mail.gid
	domains := domains(s.Users)
	set.Domain, set.Domains = domains[0], strings.Join(domains, ", ")
	if set.Tokens != nil {
		set.ClientSecret = set.Tokens.ClientSecret.Reveal()
		set.UsernameAttribute = set.Tokens.UsernameAttribute
		if set.UsernameAttribute == "" {
			set.UsernameAttribute = "username"
		}
	}
	return errors.Join(
		s.makeFolders(folders(mail, postfix, postdrop)),
		s.writeConfigs(set),
		s.writeUsers(),
		s.writeMaster(set.Master),
		s.writeCertificates(),
	)
}

// A folder is one that the servers do not make themselves, or not quickly.
type folder struct {
	name  string
	owner ids
	mode  fs.FileMode
}

// folders returns the folders in the order in which they are made. Postfix's
// queue is as `postfix check` makes it, which takes seconds for it.
func folders(mail, postfix, postdrop ids) []folder {
	dropped := ids{postfix.uid, postdrop.gid}
	all := []folder{
		{"dovecot", ids{}, 0o755},
		{"mail", mail, 0o700},
		{"postfix", ids{}, 0o755},
		{"data", postfix, 0o700},
		{"queue", ids{}, 0o755},
		{"queue/maildrop", dropped, 0o730},
		{"queue/pid", ids{}, 0o755},
		{"queue/public", dropped, 0o710},
	}
	for _, name := range []string{
		"active", "bounce", "corrupt", "defer", "deferred", "flush",
		"hold", "incoming", "private", "saved", "trace",
	} {
		all = append(all, folder{"queue/" + name, ids{postfix.uid, 0}, 0o700})
	}
	return all
}

// makeFolders makes the folders. The servers give up their rights, so the way
// to them is open to all.
func (s *Servers) makeFolders(all []folder) error {
	if err := os.Chmod(s.dir, 0o755); err != nil { //nolint:gosec // G302: the servers' unprivileged accounts pass through it.
		return err
	}
	for _, f := range all {
		name := s.file(f.name)
		err := errors.Join(os.Mkdir(name, 0o700), os.Chown(name, f.owner.uid, f.owner.gid), os.Chmod(name, f.mode))
		if err != nil {
			return err
		}
	}
	return nil
}

// writeConfigs fills in the templates. The file with the client secret is for
// root alone.
func (s *Servers) writeConfigs(set settings) error {
	files := map[string]string{
		"dovecot.conf": "dovecot/dovecot.conf",
		"main.cf":      "postfix/main.cf",
		"master.cf":    "postfix/master.cf",
	}
	if set.Tokens != nil {
		files["oauth2.conf"] = "dovecot/oauth2.conf"
	}
	for from, to := range files {
		text, err := render(from, set)
		if err != nil {
			return err
		}
		if err := s.write(to, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// render fills in one template.
func render(name string, set settings) (string, error) {
	text, err := fs.ReadFile(configs, "config/"+name)
	if err != nil {
		return "", err
	}
	t, err := template.New(name).Option("missingkey=error").Parse(string(text))
	if err != nil {
		return "", err
	}
	var filled strings.Builder
	if err := t.Execute(&filled, set); err != nil {
		return "", err
	}
	return filled.String(), nil
}

// writeMaster writes Dovecot's file of who may open every mailbox, unless there is
// nobody.
func (s *Servers) writeMaster(m *User) error {
	if m == nil {
		return nil
	}
	return s.write("dovecot/masters", m.Address+":"+encoded(m.Password)+"\n", 0o644)
}

// encoded returns a password as it stands in Dovecot's files: in base64, so that it
// may hold any character.
func encoded(password secret.Text) string {
	return "{PLAIN.b64}" + base64.StdEncoding.EncodeToString([]byte(password.Reveal()))
}

// writeUsers writes Dovecot's file of users and Postfix's list of recipients.
func (s *Servers) writeUsers() error {
	var passwd, recipients strings.Builder
	for _, u := range s.Users {
		fmt.Fprintf(&passwd, "%s:%s::::%s::\n", u.Address, encoded(u.Password), s.file(home(u.Address)))
		fmt.Fprintf(&recipients, "%s mailbox\n", u.Address)
	}
	return errors.Join(
		// Dovecot's auth process reads it under an account of its own.
		s.write("dovecot/users", passwd.String(), 0o644),
		s.write("postfix/recipients", recipients.String(), 0o644),
	)
}

// home is where a user's mail is, below the servers' folder.
func home(address string) string { return "mail/" + address }

// writeCertificates writes what the servers present, and what clients that
// cannot be given a pool trust.
func (s *Servers) writeCertificates() error {
	return errors.Join(
		s.write("server.pem", string(s.authority.ServerCertPEM()), 0o644),
		s.write("server.key", string(s.authority.ServerKeyPEM()), 0o600),
		s.write("ca.pem", string(s.authority.CertPEM()), 0o644),
	)
}

// write writes a file and dates it back by an hour: each of Postfix's programs
// waits for seconds where its configuration looks as if it were being edited.
func (s *Servers) write(name, text string, mode fs.FileMode) error {
	if err := os.WriteFile(s.file(name), []byte(text), mode); err != nil {
		return err
	}
	earlier := time.Now().Add(-time.Hour)
	return os.Chtimes(s.file(name), earlier, earlier)
}

// ids are the numbers of an account.
type ids struct {
	uid, gid int
}

// account looks an account of the system up.
func account(name string) (ids, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return ids{}, fmt.Errorf("interop: %w; run internal/interop/install", err)
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	return ids{uid, gid}, errors.Join(uidErr, gidErr)
}

// group looks a group of the system up.
func group(name string) (ids, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return ids{}, fmt.Errorf("interop: %w; run internal/interop/install", err)
	}
	gid, err := strconv.Atoi(g.Gid)
	return ids{gid: gid}, err
}

// domains returns the users' domains, each once, in their order.
func domains(users []User) []string {
	var all []string
	for _, u := range users {
		_, domain, _ := strings.Cut(u.Address, "@")
		if !slices.Contains(all, domain) {
			all = append(all, domain)
		}
	}
	return all
}

// programs are the paths of the servers' programs.
type programs struct {
	dovecot, postfix, postfixMaster string
}

// findPrograms finds the servers where Debian puts them, which need not be in
// the PATH.
func findPrograms() (programs, error) {
	found := programs{
		dovecot:       "/usr/sbin/dovecot",
		postfix:       "/usr/sbin/postfix",
		postfixMaster: "/usr/lib/postfix/sbin/master",
	}
	if os.Geteuid() != 0 {
		return found, errors.New("interop: Postfix and Dovecot give up their rights themselves and have to be started by root; run the tests as root")
	}
	for _, path := range []string{found.dovecot, found.postfix, found.postfixMaster} {
		if _, err := os.Stat(path); err != nil {
			return found, fmt.Errorf("interop: %s is not installed (%w); run internal/interop/install", filepath.Base(path), err)
		}
	}
	return found, nil
}
