package mailtest

import (
	"fmt"
	"io/fs"
	"net/mail"
	"strings"
	"time"
)

// CRLF returns the text with every line end written as CRLF, as messages have
// it on the wire.
func CRLF(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}

// Seed appends message files to a folder, in the order of their names, and
// returns their UIDs. The patterns are those of [fs.Glob], "*.eml" if there are
// none. A file without any CRLF gets CRLF line ends; all others are stored byte
// for byte. The time of arrival is that of the Date field, or now where it has
// none that can be read. The error wraps [ErrNoFolder] or what the file system
// said; a pattern that matches no file is an error wrapping [fs.ErrNotExist].
func (a *Account) Seed(folder string, files fs.FS, patterns ...string) ([]UID, error) {
	if len(patterns) == 0 {
		patterns = []string{"*.eml"}
	}
	var uids []UID
	for _, pattern := range patterns {
		names, err := fs.Glob(files, pattern)
		if err == nil && len(names) == 0 {
			err = fs.ErrNotExist
		}
		if err != nil {
			return uids, fmt.Errorf("mailtest: seed %q from %q: %w", folder, pattern, err)
		}
		for _, name := range names {
			uid, err := a.seedMessage(folder, files, name)
			if err != nil {
				return uids, err
			}
			uids = append(uids, uid)
		}
	}
	return uids, nil
}

// seedMessage appends one message file.
func (a *Account) seedMessage(folder string, files fs.FS, name string) (UID, error) {
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return 0, fmt.Errorf("mailtest: seed %q: %w", folder, err)
	}
	return a.Append(folder, wireForm(string(raw)), &AppendOptions{Received: dateOf(string(raw))})
}

func wireForm(raw string) string {
	if strings.Contains(raw, "\r\n") {
		return raw
	}
	return CRLF(raw)
}

// dateOf returns the time of the Date field, or zero.
func dateOf(raw string) time.Time {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		return time.Time{}
	}
	date, err := m.Header.Date()
	if err != nil {
		return time.Time{}
	}
	return date
}

// Sample returns message number n of an endless series of short plain ones,
// for tests that need many. All that differs between two is derived from n:
// the Message-ID, the subject ("Sample 7"), the date and the text.
func Sample(n int) string {
	date := time.Date(2024, time.January, 1, 9, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
	return CRLF(fmt.Sprintf(`From: Bob Example <bob@example.org>
To: Ann Example <ann@example.com>
Subject: Sample %d
Date: %s
Message-ID: <sample-%d@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

This is sample number %d.
`, n, date.Format(time.RFC1123Z), n, n))
}
