package fakenet

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/hex"
	"io"
	"testing"
)

// feed hands out its chunks one by one, and fails the test when asked for more.
type feed struct {
	t      *testing.T
	chunks [][]byte
}

func (f *feed) Read(p []byte) (int, error) {
	if len(f.chunks) == 0 {
		f.t.Fatal("read for more than what is there")
	}
	n := copy(p, f.chunks[0])
	f.chunks = f.chunks[1:]
	return n, nil
}

// TestInflatePartialFlush reads what zlib wrote of "a NOOP" and "b NOOP" with a
// partial flush behind each.
func TestInflatePartialFlush(t *testing.T) {
	f := newInflater(bufio.NewReader(&feed{t, [][]byte{unhex(t, "4a54f0f3f70fe0e50208"), unhex(t, "a024280d10")}}))
	for _, want := range []string{"a NOOP\r\n", "b NOOP\r\n"} {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(f, got); err != nil || string(got) != want {
			t.Fatalf("read %q, %v, want %q", got, err, want)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzInflate compares with compress/flate, on what that writes and on anything.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("hello hello hello"), 6)
	f.Add(bytes.Repeat([]byte("abcdefgh\x00"), 9000), 9)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, data []byte, level int) {
		var packed bytes.Buffer
		w, err := flate.NewWriter(&packed, (level%10+10)%10)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(newInflater(bufio.NewReader(&packed)))
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("inflate gives %d bytes, %v, want %d", len(got), err, len(data))
		}
		want, wantErr := io.ReadAll(flate.NewReader(bytes.NewReader(data)))
		got, err = io.ReadAll(newInflater(bufio.NewReader(bytes.NewReader(data))))
		if wantErr == nil && (err != nil || !bytes.Equal(got, want)) {
			t.Fatalf("inflate of %x gives %x, %v, want %x", data, got, err, want)
		}
	})
}
