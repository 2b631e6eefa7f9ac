package imapx

import (
	"bytes"
	"io"
	"os"
)

// spoolMemory is how much of a spool is kept in memory.
const spoolMemory = 1 << 20

// spool keeps the bytes of one message until they are read: in memory, and what
// is larger in a file that close removes.
type spool struct {
	memory bytes.Buffer
	file   *os.File
}

// fill takes all that r has.
func (s *spool) fill(r io.Reader) error {
	n, err := io.CopyN(&s.memory, r, spoolMemory)
	if n < spoolMemory {
		if err == io.EOF { //nolint:errorlint // io.CopyN returns it as it is
			err = nil
		}
		return err
	}
	if s.file, err = os.CreateTemp("", "mailsession-*"); err != nil {
		return err
	}
	if _, err := io.Copy(s.file, r); err != nil {
		return err
	}
	_, err = s.file.Seek(0, io.SeekStart)
	return err
}

// Read implements [io.Reader].
func (s *spool) Read(p []byte) (int, error) {
	if s.memory.Len() > 0 {
		return s.memory.Read(p)
	}
	if s.file != nil {
		return s.file.Read(p)
	}
	return 0, io.EOF
}

// close removes the file.
func (s *spool) close() {
	s.memory = bytes.Buffer{}
	if s.file != nil {
		_ = s.file.Close() // it is of no more use
		_ = os.Remove(s.file.Name())
		s.file = nil
	}
}
