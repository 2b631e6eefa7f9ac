package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // what it decodes texts with
	"github.com/jhillyerd/enmime/v2"

	"github.com/mailsession/mailsession/bench/internal/report"
	"github.com/mailsession/mailsession/message"
)

// A file is a message of the corpus.
type file struct {
	name string
	data []byte
}

// measureCorpus parses every message there is, alone and beside the others.
func measureCorpus(r *report.Report) error {
	dir := os.Getenv("MAILSESSION_CORPUS")
	if dir == "" {
		r.Note("MAILSESSION_CORPUS is not set: nothing is measured on real messages")
		return nil
	}
	files, others, err := load(os.DirFS(dir))
	if err != nil {
		return fmt.Errorf("read the messages in %s: %w", dir, err)
	}
	r.Note("corpus %d files are no messages: they have no From field", others)
	if err := measureEach(r, files); err != nil {
		return err
	}
	return measurePeers(r, files)
}

// load returns the files that have a From field, and how many have none.
func load(dir fs.FS) (files []file, others int, err error) {
	err = fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(dir, path)
		switch {
		case err != nil:
		case message.ParseHeader(data).Has("From"):
			files = append(files, file{path, data})
		default:
			others++
		}
		return err
	})
	return files, others, err
}

// measureEach takes the message that takes the most time for its length, and
// counts those that are lost.
func measureEach(r *report.Report, files []file) error {
	var worst float64
	var slowest string
	lost, size := 0, 0
	for _, f := range files {
		size += len(f.data)
		m, err := message.Parse(bytes.NewReader(f.data), nil)
		if err != nil || !bytes.Equal(m.Raw(), f.data) || m.Header.Len() == 0 {
			lost++
			continue
		}
		took, err := cpuOf(2*time.Millisecond, func() error { return parseOurs(f.data) })
		if err != nil {
			return fmt.Errorf("parse %s: %w", f.name, err)
		}
		if rate := perMegabyte(took, len(f.data)); rate > worst {
			worst, slowest = rate, fmt.Sprintf("%s, %d bytes", f.name, len(f.data))
		}
	}
	r.Note("corpus %d messages, %d bytes; the slowest for its length is %s", len(files), size, slowest)
	r.AtMost("message-parse-lost", float64(lost), 0)
	r.AtMost("message-parse-corpus-worst-cpu-ms-per-mb", worst, 100)
	return nil
}

// A peer is another way to read a message.
type peer struct {
	name  string
	bound float64 // of the ratio of our time to its
	read  func([]byte) error
}

// measurePeers compares the time for all messages that both read, in turns.
func measurePeers(r *report.Report, files []file) error {
	for _, p := range []peer{{"enmime", 1, parseEnmime}, {"go-message", 1, parseGoMessage}} {
		var both []file
		for _, f := range files {
			if p.read(f.data) == nil {
				both = append(both, f)
			}
		}
		ours, theirs := time.Duration(1<<63-1), time.Duration(1<<63-1)
		for range 5 {
			a, err := cpuOf(50*time.Millisecond, func() error { return readAll(both, parseOurs) })
			if err != nil {
				return err
			}
			b, err := cpuOf(50*time.Millisecond, func() error { return readAll(both, p.read) })
			if err != nil {
				return err
			}
			ours, theirs = min(ours, a), min(theirs, b)
		}
		r.Note("%s reads %d of %d messages; these take it %v of CPU, and Parse %v", p.name, len(both), len(files), theirs, ours)
		r.AtMost("message-parse-cpu-to-"+p.name, ours.Seconds()/theirs.Seconds(), p.bound)
	}
	return nil
}

func readAll(files []file, read func([]byte) error) error {
	for _, f := range files {
		if err := read(f.data); err != nil {
			return fmt.Errorf("read %s: %w", f.name, err)
		}
	}
	return nil
}

func parseOurs(data []byte) error {
	_, err := message.Parse(bytes.NewReader(data), nil)
	return err
}

func parseEnmime(data []byte) error {
	_, err := enmime.ReadEnvelope(bytes.NewReader(data))
	return err
}

// parseGoMessage reads all parts into memory, decoded, as Parse does.
func parseGoMessage(data []byte) error {
	e, err := gomessage.Read(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return e.Walk(func(_ []int, part *gomessage.Entity, err error) error {
		if err != nil || part.MultipartReader() != nil {
			return err
		}
		_, err = io.ReadAll(part.Body)
		return err
	})
}
