package pop3test

import (
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// NoFinalDot leaves out the line that ends an answer of several lines. The
// connection stays open.
func NoFinalDot(command string) mailtest.Fault {
	return mailtest.Lines(command, func(_ int, line string) string {
		if line == ".\r\n" {
			return ""
		}
		return line
	})
}

// NoStuffing leaves out the dots that are put ahead of lines that start with
// one, so that a line with a dot alone ends the answer for a client that reads
// it as it came.
func NoStuffing(command string) mailtest.Fault {
	return mailtest.Lines(command, func(_ int, line string) string {
		if strings.HasPrefix(line, "..") {
			return line[1:]
		}
		return line
	})
}
