package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	gomessage "github.com/emersion/go-message"

	"github.com/mailsession/mailsession/bench/internal/report"
	"github.com/mailsession/mailsession/message"
)

// walkCommand is the argument with which the program does nothing but walk over
// one large attachment, and prints how much memory that took at most.
const walkCommand = "walk-attachment"

// attachmentSize is the length of the attachment as it travels.
const attachmentSize = 100 << 20

// measureWalk walks over a large attachment in a process of its own, so that
// nothing else counts in its memory, and compares the time with go-message.
func measureWalk(r *report.Report) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program to start again: %w", err)
	}
	out, err := exec.CommandContext(context.Background(), self, walkCommand).Output() //nolint:gosec // G204: it is this program.
	if err != nil {
		return fmt.Errorf("walk in a process of its own: %w", err)
	}
	peak, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		return fmt.Errorf("read the memory of the walk: %w", err)
	}
	r.AtMost("message-walk-100mb-peak-mb", peak, 10)

	ours, err := cpuOf(time.Millisecond, walkOurs)
	if err != nil {
		return err
	}
	theirs, err := cpuOf(time.Millisecond, walkGoMessage)
	if err != nil {
		return err
	}
	r.Note("a walk over %d bytes takes %v of CPU, with go-message %v", attachmentSize, ours, theirs)
	r.AtMost("message-walk-100mb-cpu-to-go-message", ours.Seconds()/theirs.Seconds(), 1)
	return nil
}

// walkAttachment walks and writes the largest memory of the process in
// megabytes.
func walkAttachment(w io.Writer) error {
	if err := walkOurs(); err != nil {
		return err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return fmt.Errorf("read the memory of the process, which needs Linux: %w", err)
	}
	for line := range bytes.Lines(status) {
		var kilobytes float64
		if n, _ := fmt.Sscanf(string(line), "VmHWM: %f kB", &kilobytes); n == 1 {
			_, err := fmt.Fprintf(w, "%.2f\n", kilobytes/1024)
			return err
		}
	}
	return errors.New("the status of the process has no VmHWM")
}

func walkOurs() error {
	var size int64
	for p, err := range message.Walk(attachment(), nil) {
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, p)
		if err != nil {
			return err
		}
		size += n
	}
	return checkSize(size)
}

func walkGoMessage() error {
	e, err := gomessage.Read(attachment())
	if err != nil {
		return err
	}
	var size int64
	err = e.Walk(func(_ []int, part *gomessage.Entity, err error) error {
		if err != nil || part.MultipartReader() != nil {
			return err
		}
		n, err := io.Copy(io.Discard, part.Body)
		size += n
		return err
	})
	if err != nil {
		return err
	}
	return checkSize(size)
}

// checkSize finds that all of the attachment was decoded.
func checkSize(size int64) error {
	if want := int64(attachmentSize / len(attachmentLine) * 57); size != want {
		return fmt.Errorf("decoded %d bytes, want %d", size, want)
	}
	return nil
}

// attachmentLine is a line of base64.
const attachmentLine = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"

// attachment returns a message with one large attachment, made as it is read.
func attachment() io.Reader {
	return io.MultiReader(
		strings.NewReader("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
		&lines{left: attachmentSize / len(attachmentLine)},
		strings.NewReader("--b--\r\n"),
	)
}

// lines gives lines of base64.
type lines struct {
	left int
	rest string
}

func (l *lines) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		if l.rest == "" {
			if l.left == 0 {
				break
			}
			l.rest, l.left = attachmentLine, l.left-1
		}
		m := copy(b[n:], l.rest)
		n, l.rest = n+m, l.rest[m:]
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
