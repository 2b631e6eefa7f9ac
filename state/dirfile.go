package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
)

// fileMagic is the first line of every record's file.
const fileMagic = "mailsession state 1"

// encodeHeader returns what stands in a record's file before the value. It ends
// with an empty line. The sum covers the other lines and the value.
//
//	mailsession state 1
//	key grant/ann@contoso.com
//	version 3AQ6MJ7C3ZLUS4B6VQGMSEYUHS
//	sha256 0ba9…
func encodeHeader(key string, r Record) []byte {
	head := fmt.Sprintf("%s\nkey %s\nversion %s\n", fileMagic, key, r.Version)
	sum := sha256.New()
	sum.Write([]byte(head))
	sum.Write(r.Value)
	return fmt.Appendf(nil, "%ssha256 %x\n\n", head, sum.Sum(nil))
}

// decodeFile reads what encodeHeader and a value make up, and nothing else: a
// file that is cut short, or changed anywhere, is an error.
func decodeFile(data []byte) (key string, r Record, err error) {
	const end = "\n\n"
	i := bytes.Index(data, []byte(end))
	if i < 0 {
		return "", Record{}, errors.New("its header is cut short")
	}
	lines := strings.Split(string(data[:i]), "\n")
	if lines[0] != fileMagic {
		return "", Record{}, fmt.Errorf("it does not begin with %q", fileMagic)
	}
	if len(lines) != 4 {
		return "", Record{}, fmt.Errorf("its header has %d lines instead of 4", len(lines))
	}
	key, hasKey := strings.CutPrefix(lines[1], "key ")
	version, hasVersion := strings.CutPrefix(lines[2], "version ")
	if !hasKey || !hasVersion || version == "" || CheckKey(key) != nil {
		return "", Record{}, errors.New("its header names no key or no version")
	}
	i += len(end)
	r = Record{Value: data[i:], Version: Version(version)}
	if !bytes.Equal(data[:i], encodeHeader(key, r)) {
		return "", Record{}, errors.New("its sum is not that of its content")
	}
	return key, r, nil
}
