// Package userfile reads files that settings name.
package userfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Read returns the content of a regular file of at most so many bytes; a symbolic
// link to one will do. Its errors name neither the path nor anything of the
// content: what was to be read is for the caller to say.
func Read(path string, most int64) ([]byte, error) {
	content, err := read(path, most)
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	if err != nil {
		return nil, err
	}
	return content, nil
}

func read(path string, most int64) ([]byte, error) {
	// Opening a pipe would wait for its writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path) //nolint:gosec // G304: the settings name the file.
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(content)) > most {
		err = fmt.Errorf("it is larger than %d KiB", most>>10)
	}
	return content, err
}

// Credential returns the path of a credential that systemd hands to the service
// that the program is: the file of that name in $CREDENTIALS_DIRECTORY.
func Credential(name string) (path string, err error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	switch {
	case dir == "":
		return "", errors.New("$CREDENTIALS_DIRECTORY is not set: the program is no service with credentials")
	case name != filepath.Base(name) || name == "." || name == "..":
		return "", errors.New("its name is not that of a file")
	}
	return filepath.Join(dir, name), nil
}
