package message_test

import (
	"os"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// BenchmarkSummary reads from a header what a list of messages shows. A page
// of such a list is thousands of headers.
func BenchmarkSummary(b *testing.B) {
	raw, err := os.ReadFile("testdata/plain.eml")
	if err != nil {
		b.Fatal(err)
	}
	raw = append([]byte(strings.Repeat("X-Header: one of the many that no list shows\r\n", 20)), raw...)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if !summary(raw) {
			b.Fatal("a field is missing")
		}
	}
}

// summary reads what a list shows, and reports whether all of it is there.
func summary(raw []byte) bool {
	h := message.ParseHeader(raw)
	_, dated := h.Date()
	return h.Subject() != "" && len(h.From()) == 1 && len(h.To()) == 2 && h.MessageID() != "" && dated
}

// TestSummaryAllocations finds that a summary takes few allocations: one for
// the index, and about two for each value.
func TestSummaryAllocations(t *testing.T) {
	raw, err := os.ReadFile("testdata/plain.eml")
	if err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(100, func() { summary(raw) }); got > 14 {
		t.Errorf("a summary takes %v allocations, want at most 14", got)
	}
}

// BenchmarkParseHeader finds the fields without reading any.
func BenchmarkParseHeader(b *testing.B) {
	raw, err := os.ReadFile("testdata/plain.eml")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if h := message.ParseHeader(raw); h.Len() == 0 {
			b.Fatal("no fields")
		}
	}
}

// BenchmarkParse takes a message of several parts to pieces.
func BenchmarkParse(b *testing.B) {
	raw, err := os.ReadFile("testdata/nested.eml")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := message.Parse(strings.NewReader(string(raw)), nil); err != nil {
			b.Fatal(err)
		}
	}
}
