package message

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
)

// A Source is a message, or another run of bytes, that can be read more than
// once: what is sent may have to be sent again. A message is in the form of RFC
// 5322, as it travels.
//
// A Source may be opened several times, also at once, and gives the same bytes
// each time.
//
// Nobody leaves a reader that is still reading: who reads a Source returns no sooner
// than Read does, also where a context has ended, and a message that is sent among
// others holds up those beside it on its connection. A Source whose bytes come from
// where they can stand still, such as a network, bounds that itself, by an error.
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

func (s fileSource) fileName() string { return filepath.Base(string(s)) }

// FileFS returns a Source of the file of that name in fsys, such as an
// [embed.FS]. The file is opened anew for each reader.
func FileFS(fsys fs.FS, name string) Source { return fsSource{fsys, name} }

type fsSource struct {
	fsys fs.FS
	name string
}

func (s fsSource) Open() (io.ReadCloser, error) {
	return s.fsys.Open(s.name) // the error names operation and file
}

func (s fsSource) Size() int64 {
	info, err := fs.Stat(s.fsys, s.name)
	if err != nil || !info.Mode().IsRegular() {
		return -1
	}
	return info.Size()
}

func (s fsSource) fileName() string { return path.Base(s.name) }

// A namedSource knows the name of the file that it reads.
type namedSource interface{ fileName() string }

// ErrReadOnce is the error of the second Open of a Source of [Reader].
var ErrReadOnce = errors.New("message: this content comes from a reader and can be read once; keep it in memory or in a file to send it again")

// Reader returns a Source of what r gives, which is size bytes, or -1 if that is
// not known. It holds nothing of it, and so keeps only half of what a Source
// promises: it can be opened once, and then Open returns [ErrReadOnce]. A message
// with such a file is sent at most once, where another would be tried again
// after a connection that broke. Where that is not enough, [Bytes] and [File]
// are the Sources of what was read before.
//
// Closing what was opened closes r, if that is an [io.Closer].
func Reader(r io.Reader, size int64) Source { return &readerSource{r: r, size: max(size, -1)} }

type readerSource struct {
	r    io.Reader
	size int64
	used atomic.Bool
}

func (s *readerSource) Open() (io.ReadCloser, error) {
	if s.used.Swap(true) {
		return nil, ErrReadOnce
	}
	if c, ok := s.r.(io.ReadCloser); ok {
		return c, nil
	}
	return io.NopCloser(s.r), nil
}

func (s *readerSource) Size() int64 { return s.size }
