package message

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// unflow returns text with line feeds as its author wrote it: the paragraphs of
// format=flowed on one line each.
func unflow(text, mediaType string, params map[string]string) string {
	r := unflowed(strings.NewReader(text), mediaType, params)
	if _, same := r.(*strings.Reader); same {
		return text
	}
	joined, _ := io.ReadAll(r) // of a string
	return string(joined)
}

// unflowed returns a reader of the same of what r gives.
func unflowed(r io.Reader, mediaType string, params map[string]string) io.Reader {
	if !isFlowed(mediaType, params) {
		return r
	}
	return &flowedReader{r: bufio.NewReaderSize(r, maxFlowed), delSp: strings.EqualFold(params["delsp"], "yes"), depth: noFlow}
}

// isFlowed reports whether a part is format=flowed.
func isFlowed(mediaType string, params map[string]string) bool {
	return mediaType == "text/plain" && strings.EqualFold(params["format"], "flowed")
}

const (
	// maxFlowed is how long a line may be that is looked at. No program that
	// breaks lines writes such.
	maxFlowed = 8 << 10
	// noFlow is the depth where no paragraph goes on.
	noFlow = -1
)

// A flowedReader joins the lines of format=flowed (RFC 3676 section 4). The marks
// of a quote stay where its paragraph begins.
type flowedReader struct {
	r     *bufio.Reader
	delSp bool // the spaces that lines are broken at do not belong to the text
	depth int  // marks of the paragraph that goes on, or noFlow
	long  bool // within a line that is too long
	out   []byte
	at    int // in out
	err   error
}

func (f *flowedReader) Read(p []byte) (int, error) {
	for f.at == len(f.out) && f.err == nil && len(p) > 0 {
		var line []byte
		line, f.err = f.r.ReadSlice('\n')
		f.out, f.at = f.out[:0], 0
		switch full := errors.Is(f.err, bufio.ErrBufferFull); {
		case full, f.long:
			f.end()
			f.out = append(f.out, line...)
			if f.long = full; full {
				f.err = nil
			}
		case f.err == nil:
			f.line(line[:len(line)-1])
		default:
			f.last(line)
		}
	}
	n := copy(p, f.out[f.at:])
	f.at += n
	if n == 0 && len(p) > 0 {
		return 0, f.err
	}
	return n, nil
}

// end ends a paragraph that does not go on where it should.
func (f *flowedReader) end() {
	if f.depth != noFlow {
		f.out, f.depth = append(f.out, '\n'), noFlow
	}
}

// line takes a line.
func (f *flowedReader) line(line []byte) {
	content, depth, signature := f.content(line)
	f.depth = noFlow
	if signature || !bytes.HasSuffix(content, []byte(" ")) {
		f.out = append(append(f.out, content...), '\n')
		return
	}
	if f.depth = depth; f.delSp {
		content = content[:len(content)-1]
	}
	f.out = append(f.out, content...)
}

// last takes a line that nothing ends, which may be empty.
func (f *flowedReader) last(line []byte) {
	if len(line) == 0 {
		f.end()
		return
	}
	content, _, _ := f.content(line)
	f.out = append(f.out, content...)
}

// content returns what is on a line behind its marks, and how many these are. If
// no paragraph goes on with it, the marks are written.
func (f *flowedReader) content(line []byte) (content []byte, depth int, signature bool) {
	content = bytes.TrimLeft(line, ">")
	depth = len(line) - len(content)
	content = bytes.TrimPrefix(content, []byte(" "))
	signature = string(content) == signatureLine
	if signature || depth != f.depth {
		f.end()
	}
	if f.depth == noFlow {
		if f.out = append(f.out, line[:depth]...); depth > 0 && len(content) > 0 {
			f.out = append(f.out, ' ')
		}
	}
	return content, depth, signature
}
