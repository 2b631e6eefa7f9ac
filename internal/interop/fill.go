package interop

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
)

// Fill puts messages into a folder of a user who has none of them yet and is not
// signed in, fast and past every protocol, by writing the folder's Maildir. The
// folder is made where it does not exist; "INBOX" is the inbox. The messages
// have lines that end in CR LF and are numbered in the order in which they come;
// each is written before the next is taken. Every third is marked as seen.
func (s *Servers) Fill(user, folder string, messages iter.Seq[[]byte]) error {
	if _, err := s.User(user); err != nil {
		return err
	}
	mail, err := account("nobody")
	if err != nil {
		return err
	}
	name := home(user) + "/Maildir"
	made := []string{home(user), name}
	if folder != "INBOX" {
		name += "/." + folder
		made = append(made, name)
	}
	for _, sub := range []string{"cur", "new", "tmp"} {
		made = append(made, name+"/"+sub)
	}
	for _, dir := range made {
		err := os.Mkdir(s.file(dir), 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("interop: fill a folder: %w", err)
		}
		if err := os.Chown(s.file(dir), mail.uid, mail.gid); err != nil {
			return fmt.Errorf("interop: fill a folder: %w", err)
		}
	}
	n := 0
	for data := range messages {
		n++
		file := filepath.Join(s.file(name), "cur", maildirName(n, len(data)))
		if err := errors.Join(os.WriteFile(file, data, 0o600), os.Chown(file, mail.uid, mail.gid)); err != nil {
			return fmt.Errorf("interop: fill a folder: %w", err)
		}
	}
	return nil
}

// maildirName names a file so that Dovecot sees its size and need not open it,
// and takes the files in their order.
func maildirName(n, size int) string {
	flags := ""
	if n%3 == 0 {
		flags = "S"
	}
	length := strconv.Itoa(size)
	return fmt.Sprintf("%d.M%06dP1.localhost,S=%s,W=%s:2,%s", 1_700_000_000+n, n, length, length, flags)
}
