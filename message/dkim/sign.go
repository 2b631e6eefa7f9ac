package dkim

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"golang.org/x/text/transform"

	"github.com/mailsession/mailsession/message"
)

// maxHeader is how long the header of a message may be: it is held in memory.
const maxHeader = message.DefaultMaxHeaderBytes

// Sign returns the message with a signature before it. All lines of it end in CR
// LF, the last one too, as smtpx and other ways out have to send it anyway: what
// is signed are the bytes that leave.
//
// The message is read once now, and once more with each reading of the result, in
// memory that does not grow with it, but for blank lines in a row ahead of others.
// It must not change meanwhile: one that has
// got another length is an error of the reader. The Size of the result is known.
// Fields that are added afterwards, a second signature among them, stand before
// what is signed and do no harm, unless they are sealed; see [Options].
//
// The error is that of m, or of the key, or tells that m is not a message with
// exactly one From, or that it has tens of thousands of blank lines in a row ahead of
// others and is to be signed with [Options.SimpleBody].
func (s *Signer) Sign(m message.Source) (message.Source, error) {
	header, err := readHeader(m)
	if err != nil {
		return nil, err
	}
	o := &dkim.SignOptions{
		Domain: s.domain, Selector: s.selector, Identifier: s.opts.Identity, Signer: s.key,
		HeaderCanonicalization: canonicalization(s.opts.SimpleHeader), BodyCanonicalization: canonicalization(s.opts.SimpleBody),
		HeaderKeys: s.fields(header),
	}
	if s.opts.ValidFor > 0 {
		o.Expiration = time.Now().Add(s.opts.ValidFor)
	}
	signature, size, err := sign(m, o)
	if err != nil {
		return nil, err
	}
	return &signed{signature: signature, rest: m, size: size}, nil
}

func canonicalization(simple bool) dkim.Canonicalization {
	if simple {
		return dkim.CanonicalizationSimple
	}
	return dkim.CanonicalizationRelaxed
}

// readHeader reads the header of a message, and refuses what makes no sense to
// sign.
func readHeader(m message.Source) (message.Header, error) {
	r, err := m.Open()
	if err != nil {
		return message.Header{}, fmt.Errorf("dkim: open the message: %w", err)
	}
	defer r.Close() // only its beginning was of interest
	raw, err := io.ReadAll(io.LimitReader(transform.NewReader(r, &lineEnds{}), maxHeader+1))
	if err != nil {
		return message.Header{}, fmt.Errorf("dkim: read the message: %w", err)
	}
	head, _, ok := strings.Cut(string(raw), "\r\n\r\n")
	if !ok {
		return message.Header{}, fmt.Errorf("dkim: the message has no empty line behind its header, or that has more than %d bytes", maxHeader)
	}
	h := message.ParseHeader([]byte(head + "\r\n\r\n"))
	if len(h.Defects()) > 0 {
		return h, fmt.Errorf("dkim: the header has a line that is none of a header: %v", h.Defects()[0])
	}
	if n := count(h, "From"); n != 1 {
		return h, fmt.Errorf("dkim: the message has %d From fields, want one", n)
	}
	return h, nil
}

// fields returns the names to sign, each as often as it is to be signed.
func (s *Signer) fields(h message.Header) []string {
	var list []string
	done := make(map[string]bool)
	for _, sealed := range []bool{true, false} {
		names := s.opts.Fields
		if sealed {
			names = append([]string{"From"}, s.opts.Sealed...)
		}
		for _, name := range names {
			key := strings.ToLower(name)
			if done[key] {
				continue
			}
			done[key] = true
			n := count(h, name)
			if sealed {
				n++
			}
			for range n {
				list = append(list, key)
			}
		}
	}
	return list
}

func count(h message.Header, name string) int {
	n := 0
	for range h.Values(name) {
		n++
	}
	return n
}

// sign reads a message to its end, and returns the field with the signature and
// how many bytes the message has.
func sign(m message.Source, o *dkim.SignOptions) (field string, size int64, err error) {
	r, err := m.Open()
	if err != nil {
		return "", 0, fmt.Errorf("dkim: open the message: %w", err)
	}
	defer r.Close() // it has been read
	w, err := dkim.NewSigner(o)
	if err != nil {
		return "", 0, fmt.Errorf("dkim: %w", err)
	}
	body := &blanks{w: w, relaxed: o.BodyCanonicalization == dkim.CanonicalizationRelaxed}
	size, err = io.Copy(body, transform.NewReader(r, &lineEnds{}))
	if closed := w.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return "", 0, fmt.Errorf("dkim: sign the message: %w", err)
	}
	field = w.Signature()
	return field, size, checkLines(field)
}

// maxLine is how long a line may be (RFC 5322 section 2.1.1).
const maxLine = 998

// checkLines refuses a signature that mail systems would break, which would void
// it: the list of fields is on one line.
func checkLines(field string) error {
	for line := range strings.SplitSeq(field, "\r\n") {
		if len(line) > maxLine {
			return fmt.Errorf("dkim: the signature has a line of %d bytes; sign fewer fields", len(line))
		}
	}
	return nil
}

// signed is a message with a signature before it.
type signed struct {
	signature string
	rest      message.Source
	size      int64 // of rest, with its lines ended in CR LF
}

// Size implements [message.Source].
func (s *signed) Size() int64 { return int64(len(s.signature)) + s.size }

// Open implements [message.Source].
func (s *signed) Open() (io.ReadCloser, error) {
	r, err := s.rest.Open()
	if err != nil {
		return nil, err //nolint:wrapcheck // the Source that is behind says what it is about
	}
	body := &measured{r: transform.NewReader(r, &lineEnds{}), left: s.size}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(s.signature), body), r}, nil
}

// errChanged tells that a message is not what was signed.
var errChanged = errors.New("dkim: the message has another length than when it was signed")

// measured is a reader that has to give so many bytes.
type measured struct {
	r    io.Reader
	left int64
}

func (m *measured) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.left -= int64(n)
	if m.left < 0 || m.left > 0 && errors.Is(err, io.EOF) {
		return 0, errChanged
	}
	return n, err //nolint:wrapcheck // io.Reader's contract
}

// lineEnds has every line end in CR LF, the last one too: lone CRs and LFs count as
// line ends.
type lineEnds struct {
	inLine  bool // the present line has something
	afterCR bool // the last byte was a CR, whose line has been ended
}

// Reset implements [transform.Transformer].
func (l *lineEnds) Reset() { *l = lineEnds{} }

// Transform implements [transform.Transformer].
func (l *lineEnds) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		c := src[nSrc]
		switch {
		case c == '\n' && l.afterCR:
			l.afterCR = false
		case c == '\r' || c == '\n':
			if nDst+2 > len(dst) {
				return nDst, nSrc, transform.ErrShortDst
			}
			nDst += copy(dst[nDst:], "\r\n")
			l.inLine, l.afterCR = false, c == '\r'
		default:
			if nDst == len(dst) {
				return nDst, nSrc, transform.ErrShortDst
			}
			dst[nDst] = c
			nDst++
			l.inLine, l.afterCR = true, false
		}
		nSrc++
	}
	if atEOF && l.inLine {
		if nDst+2 > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += copy(dst[nDst:], "\r\n")
		l.inLine = false
	}
	return nDst, nSrc, nil
}
