package message_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// isReportSpecimen reports whether a message says of itself that it is a report.
func isReportSpecimen(data []byte) bool {
	h := message.ParseHeader(data)
	return message.DescribePart(h).ContentType == "multipart/report" || h.Has("X-Failed-Recipients")
}

// unbundled returns the messages in a file: more than one if it is a mailbox file.
func unbundled(name string, data []byte) [][]byte {
	if !strings.Contains(name, "mbox") || !bytes.HasPrefix(data, []byte("From ")) {
		return [][]byte{data}
	}
	parts := bytes.Split(data, []byte("\nFrom "))
	for i, p := range parts[1:] {
		parts[i+1] = slices.Concat([]byte("From "), p)
	}
	return parts
}

// TestReportsOfCorpus finds that each message that says that it is a report is
// read as one, and no other, and prints how many there are of each kind.
func TestReportsOfCorpus(t *testing.T) {
	counts := map[string]int{}
	messages, reports := 0, 0
	check := func(name string, file []byte) {
		for _, data := range unbundled(name, file) {
			messages++
			want := isReportSpecimen(data)
			r, err := message.ReadReport(bytes.NewReader(data), nil)
			switch {
			case err != nil && !errors.Is(err, message.ErrNotReport):
				t.Errorf("ReadReport(%s) = %v", name, err)
			case want && err != nil:
				t.Errorf("ReadReport(%s) = %v, want a report", name, err)
			case !want && err == nil && !strings.HasPrefix(name, "report/"):
				t.Errorf("ReadReport(%s) = a report of %s, want none", name, r.Kind)
			case err == nil:
				reports++
				counts[string(r.Kind)+", "+string(r.Certainty)]++
				checkReport(t, r)
				if r.MessageID == "" {
					t.Logf("%s holds nothing that names the message", name)
				}
			}
		}
	}
	eachFile(t, "testdata", check)
	t.Logf("of %d messages in testdata, %d are reports: %v", messages, reports, counts)
	clear(counts)
	messages, reports = 0, 0
	dir := corpus(t)
	if eachFile(t, dir, check); dir == "" {
		return
	}
	t.Logf("of %d messages of the corpus, %d are reports, all read:", messages, reports)
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%4d %s", counts[kind], kind)
	}
}
