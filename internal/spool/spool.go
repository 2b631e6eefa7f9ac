// Package spool keeps a message that is read ahead of its reader.
package spool

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
)

// memory is how much of a Spool is kept in memory.
const memory = 1 << 20

// Spool keeps the bytes of one message until they are read: in memory, and what
// is larger in a file that Close removes. The zero value is an empty Spool.
type Spool struct {
	memory bytes.Buffer
	file   *os.File
	closed bool
}

// Fill takes all that r has. After an error, what came before it can be read.
func (s *Spool) Fill(r io.Reader) error {
	n, err := io.CopyN(&s.memory, r, memory)
	if n < memory {
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		return err
	}
	if s.file, err = os.CreateTemp("", "mailsession-*"); err != nil {
		return err
	}
	_, err = io.Copy(s.file, r)
	if _, seekErr := s.file.Seek(0, io.SeekStart); err == nil {
		err = seekErr
	}
	return err
}

// Again returns all that the Spool took, from the beginning on, as often as it is called
// and beside other readers. It is for Spools that nobody reads by Read. After Close its
// readers return an error, or what they had in memory.
func (s *Spool) Again() io.Reader {
	if s.file == nil {
		return bytes.NewReader(s.memory.Bytes())
	}
	return io.MultiReader(bytes.NewReader(s.memory.Bytes()), io.NewSectionReader(s.file, 0, math.MaxInt64))
}

// Read implements [io.Reader]. After Close it returns [os.ErrClosed].
func (s *Spool) Read(p []byte) (int, error) {
	if s.closed {
		return 0, os.ErrClosed
	}
	if s.memory.Len() > 0 {
		return s.memory.Read(p)
	}
	if s.file != nil {
		return s.file.Read(p)
	}
	return 0, io.EOF
}

// Close removes the file. What was not read is gone.
func (s *Spool) Close() {
	s.closed = true
	s.memory = bytes.Buffer{}
	if s.file != nil {
		_ = s.file.Close() // it is of no more use
		_ = os.Remove(s.file.Name())
		s.file = nil
	}
}
