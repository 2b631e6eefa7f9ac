package spool_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mailsession/mailsession/internal/spool"
)

// sizes are below, at and above what is kept in memory.
func sizes() []int { return []int{0, 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3 << 20} }

func TestASpoolGivesBackWhatItTook(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, size := range sizes() {
		want := bytes.Repeat([]byte("spool "), size/6+1)[:size]
		var s spool.Spool
		if err := s.Fill(bytes.NewReader(want)); err != nil {
			t.Errorf("Fill of %d bytes: %v", size, err)
		}
		if got, err := io.ReadAll(&s); err != nil || !bytes.Equal(got, want) {
			t.Errorf("a spool of %d bytes gives %d, %v", size, len(got), err)
		}
		s.Close()
		if n, err := s.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read after Close = %d, %v, want os.ErrClosed", n, err)
		}
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

func TestASpoolIsReadAgainAndAgain(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, size := range sizes() {
		want := bytes.Repeat([]byte("spool "), size/6+1)[:size]
		var s spool.Spool
		if err := s.Fill(bytes.NewReader(want)); err != nil {
			t.Errorf("Fill of %d bytes: %v", size, err)
		}
		begun := s.Again()
		if _, err := io.CopyN(io.Discard, begun, int64(size/2)); err != nil {
			t.Errorf("half of %d bytes: %v", size, err)
		}
		if got, err := io.ReadAll(s.Again()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("a spool of %d bytes gives %d, %v", size, len(got), err)
		}
		if got, err := io.ReadAll(begun); err != nil || !bytes.Equal(got, want[size/2:]) {
			t.Errorf("beside another reader, the rest of %d bytes has %d, %v", size, len(got), err)
		}
		s.Close()
	}
}

func TestWhatCameBeforeAnErrorCanBeRead(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, size := range sizes() {
		want := strings.Repeat("x", size)
		var s spool.Spool
		err := s.Fill(io.MultiReader(strings.NewReader(want), iotest.ErrReader(io.ErrUnexpectedEOF)))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Fill of %d bytes and an error: %v, want it", size, err)
		}
		if got, err := io.ReadAll(&s); err != nil || string(got) != want {
			t.Errorf("a spool of %d bytes and an error gives %d, %v", size, len(got), err)
		}
		s.Close()
	}
}
