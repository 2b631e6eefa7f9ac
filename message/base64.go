package message

// appendBase64 decodes s behind dst, together with the digits that an earlier
// piece has left over, and returns the digits that s leaves over, at most three
// of them. A padding character ends a group. Every other byte that is no digit
// is passed over.
func appendBase64[T string | []byte](dst, digits []byte, s T) (decoded, left []byte) {
	for i := range len(s) {
		c := s[i]
		if c == '=' {
			dst = appendLastDigits(dst, digits)
			digits = digits[:0]
			continue
		}
		v := base64Digit(c)
		if v == noDigit {
			continue
		}
		digits = append(digits, v)
		if len(digits) == 4 {
			dst = append(dst, digits[0]<<2|digits[1]>>4, digits[1]<<4|digits[2]>>2, digits[2]<<6|digits[3])
			digits = digits[:0]
		}
	}
	return dst, digits
}

// appendLastDigits decodes less than four digits.
func appendLastDigits(dst, digits []byte) []byte {
	if len(digits) > 1 {
		dst = append(dst, digits[0]<<2|digits[1]>>4)
	}
	if len(digits) > 2 {
		dst = append(dst, digits[1]<<4|digits[2]>>2)
	}
	return dst
}

// base64Digit returns the value of a digit, or noDigit.
func base64Digit(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c - 'A'
	case 'a' <= c && c <= 'z':
		return c - 'a' + 26
	case '0' <= c && c <= '9':
		return c - '0' + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return noDigit
}
