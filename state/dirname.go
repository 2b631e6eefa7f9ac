package state

import "strings"

const (
	// namePrefix keeps keys such as "con" and "nul.txt" off the names that
	// Windows gives to devices, and names from beginning with a dot.
	namePrefix = "r-"
	// caseDigits write five bits each.
	caseDigits = "0123456789abcdefghijklmnopqrstuv"
	// caseMark stands between the name and its upper-case letters. It is not
	// "~", which is part of the short names that Windows makes up.
	caseMark = "!"
)

// fileName returns the name under which a key is kept, without its ending:
//
//	grant/ann@contoso.com    r-grant,ann@contoso.com
//	grant/Ann                r-grant,ann!0g
//
// The name is in lower case, since file systems may not tell "A" from "a". What
// follows "!" is one bit a letter, set where it is upper case, most significant
// bit first, padded with zeros and without zeros at the end. A key of [MaxKey]
// bytes has a name of at most 243 bytes; file systems take 255.
func fileName(key string) string {
	var name, marks strings.Builder
	var bits, n byte
	used := 0
	for i := range len(key) {
		c := key[i]
		if isLetter(c) {
			bits, n = bits<<1, n+1
			if c < 'a' {
				bits |= 1
				c |= 0x20
			}
			if n == 5 {
				marks.WriteByte(caseDigits[bits])
				if bits != 0 {
					used = marks.Len()
				}
				bits, n = 0, 0
			}
		}
		if c == '/' {
			c = ','
		}
		name.WriteByte(c)
	}
	if bits != 0 {
		marks.WriteByte(caseDigits[bits<<(5-n)])
		used = marks.Len()
	}
	if used > 0 {
		name.WriteString(caseMark + marks.String()[:used])
	}
	return namePrefix + name.String()
}

// keyOf returns the key that is kept under a name, and whether there is one.
func keyOf(name string) (string, bool) {
	lower, marks, _ := strings.Cut(strings.TrimPrefix(name, namePrefix), caseMark)
	key := []byte(strings.ReplaceAll(lower, ",", "/"))
	letter := 0
	for i, c := range key {
		if !isLetter(c) {
			continue
		}
		if digit := letter / 5; digit < len(marks) {
			bits := strings.IndexByte(caseDigits, marks[digit])
			if bits >= 0 && bits>>(4-letter%5)&1 == 1 {
				key[i] = c &^ 0x20
			}
		}
		letter++
	}
	// Names that no key has, such as one with upper-case letters, have led to
	// some other key.
	if CheckKey(string(key)) != nil || fileName(string(key)) != name {
		return "", false
	}
	return string(key), true
}
