package message

import (
	"bytes"
	"io"
	"os"
)

// A Source is a message, or another run of bytes, that can be read more than
// once: what is sent may have to be sent again. A message is in the form of RFC
// 5322, as it travels.
//
// A Source may be opened several times, also at once, and gives the same bytes
// each time.
type Source interface {
	// Open returns a reader at the first byte. The caller closes it.
	Open() (io.ReadCloser, error)
	// Size returns the number of bytes, or -1 if it is not known. It is what the
	// Source believes: only reading tells.
	Size() int64
}

// Bytes returns a Source of b, which the caller must not change any more.
func Bytes(b []byte) Source { return bytesSource(b) }

type bytesSource []byte

func (s bytesSource) Open() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s)), nil
}

func (s bytesSource) Size() int64 { return int64(len(s)) }

// File returns a Source of the file of that name. The file is opened anew for
// each reader, so it has to stay as it is for as long as the Source is in use.
// Nothing is read, and no error found, before the first Open.
func File(path string) Source { return fileSource(path) }

type fileSource string

func (s fileSource) Open() (io.ReadCloser, error) {
	return os.Open(string(s)) // the error names operation and file
}

func (s fileSource) Size() int64 {
	info, err := os.Stat(string(s))
	if err != nil || !info.Mode().IsRegular() {
		return -1
	}
	return info.Size()
}
