package backend

import (
	"io"
	"sync"
)

// Transcript returns a writer to w for several connections: their lines do not
// mix, and w sees one call at a time. It returns nil for nil.
func Transcript(w io.Writer) io.Writer {
	if w == nil {
		return nil
	}
	return &sharedWriter{w: w}
}

type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sharedWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
