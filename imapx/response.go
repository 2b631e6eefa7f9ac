package imapx

import (
	"bytes"
	"strconv"
)

// ours tells the responses that answer commands from all others: their name, in
// capitals, and what follows it. A line that is none of them has no name.
func ours(line []byte) (name string, args []byte) {
	rest, ok := bytes.CutPrefix(line, []byte{'*'})
	if !ok {
		return "", nil
	}
	word, args := cutWord(rest)
	if isNumber(word) {
		if word, args = cutWord(args); bytes.EqualFold(word, []byte("FETCH")) {
			return "FETCH", args
		}
		return "", nil
	}
	for _, name := range []string{
		"SEARCH", "ESEARCH", "LIST", "LSUB", "STATUS", "NAMESPACE", "QUOTAROOT", "QUOTA", "ID", "ENABLED", "VANISHED",
	} {
		if bytes.EqualFold(word, []byte(name)) {
			return name, args
		}
	}
	return "", nil
}

// cutWord cuts the first word off, whatever the number of spaces around it.
func cutWord(line []byte) (word, rest []byte) {
	word, rest, _ = bytes.Cut(bytes.TrimLeft(line, " "), []byte{' '})
	return word, bytes.TrimLeft(rest, " ")
}

// parseExists reads how many messages the open folder has, of a line that says
// so.
func parseExists(line []byte) (n uint32, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte{'*'})
	if !ok {
		return 0, false
	}
	number, rest := cutWord(rest)
	if word, _ := cutWord(rest); !bytes.EqualFold(word, []byte("EXISTS")) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(number), 10, 32)
	return uint32(v), err == nil
}

func isNumber(word []byte) bool {
	return len(word) > 0 && len(bytes.Trim(word, "0123456789")) == 0
}

// isStatus reports whether line is a status response, which ends in words and
// never in a literal.
func isStatus(line []byte) bool {
	_, rest, _ := bytes.Cut(line, []byte{' '})
	_, ok := parseStatus(rest)
	return ok
}

func parseBye(line []byte) (text string, ok bool) {
	s, ok := parseUntagged(line)
	if !ok || s.typ != "BYE" {
		return "", false
	}
	return s.text, true
}

// parseRemark reads an untagged OK, whose code may say something about the
// command under way. One server leaves out all but the code.
func parseRemark(line []byte) (s status, ok bool) {
	if bytes.HasPrefix(line, []byte("[COPYUID ")) {
		line = append([]byte("* OK "), line...)
	}
	s, ok = parseUntagged(line)
	return s, ok && s.typ == "OK"
}

func parseUntagged(line []byte) (s status, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("* "))
	if !ok {
		return status{}, false
	}
	return parseStatus(bytes.TrimLeft(rest, " "))
}

// cutLiteral cuts the announcement of a literal, {n}, {n+} or ~{n}, off the end
// of a line.
func cutLiteral(line []byte) (before []byte, n int64, ok bool) {
	inner, ok := bytes.CutSuffix(line, []byte{'}'})
	if !ok {
		return line, 0, false
	}
	open := bytes.LastIndexByte(inner, '{')
	if open < 0 {
		return line, 0, false
	}
	digits := bytes.TrimSuffix(inner[open+1:], []byte{'+'})
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || n < 0 || digits[0] == '+' {
		return line, 0, false
	}
	return bytes.TrimSuffix(line[:open], []byte{'~'}), n, true
}
