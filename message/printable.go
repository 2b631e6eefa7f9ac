package message

import "bytes"

// printableLine is how much of a line of quoted-printable can be used: the last
// of its 76 columns is for the sign that it goes on (RFC 2045 section 6.7).
const printableLine = 75

// appendPrintable appends text, whose lines end in CR LF, in quoted-printable.
// What people can read stays, and so do line ends.
func appendPrintable(b, text []byte) []byte {
	for line := range bytes.SplitAfterSeq(text, []byte("\r\n")) {
		content, ended := bytes.CutSuffix(line, []byte("\r\n"))
		b = appendPrintableLine(b, content)
		if ended {
			b = append(b, '\r', '\n')
		}
	}
	return b
}

// appendPrintableLine is appendPrintable for one line without its end.
func appendPrintableLine(b, line []byte) []byte {
	stays := len(line)
	if bytes.HasSuffix(line, []byte(" ")) || bytes.HasSuffix(line, []byte("\t")) {
		stays-- // white space would not survive the way at the end
	}
	for i, room := 0, printableLine; i < len(line); {
		n := i
		for most := min(stays, i+room); n < most && isPrintable(line[n]); {
			n++
		}
		b = append(b, line[i:n]...)
		room -= n - i
		if i = n; i == len(line) {
			break
		}
		c := line[i]
		switch encoded := i >= stays || !isPrintable(c); {
		case room == 0 || encoded && room < len("=00"):
			b = append(b, "=\r\n"...)
			room = printableLine
		default:
			b = append(b, '=', upperHex[c>>4], upperHex[c&0xf])
			room -= len("=00")
			i++
		}
	}
	return b
}

const upperHex = "0123456789ABCDEF"

// isPrintable reports whether c stays as it is within a line.
func isPrintable(c byte) bool { return c >= ' ' && c <= '~' && c != '=' || c == '\t' }
