package fakenet

import (
	"bufio"
	"errors"
	"io"
)

// inflater reads a stream of RFC 1951 and hands out what came as soon as nothing
// more is there. The reader of compress/flate does that only behind an empty
// stored block, and the partial flush of zlib, which mbsync uses, writes none.
type inflater struct {
	r       *bufio.Reader
	bits    uint64 // read and not decoded yet, the next one lowest
	n       uint   // how many they are
	used    uint   // how many of them the unit at hand took so far
	patient bool   // whether a unit waits for its bytes in any case
	out     []byte // not handed out yet
	window  [32 << 10]byte
	at      int // in window, of the next byte
	written int

	last    bool // whether the block is the last one
	stored  int  // bytes left of a stored block
	symbols *huffman
	offsets *huffman
	// What the codes of lengths and distances begin at.
	lengthBase, distanceBase []int
	err                      error
}

func newInflater(r *bufio.Reader) *inflater {
	return &inflater{r: r, lengthBase: lengthBase(), distanceBase: distanceBase()}
}

var (
	// errInflate says that a stream is not of RFC 1951.
	errInflate = errors.New("fakenet: compressed stream is broken")
	// errStarved says that the next unit is not there while others can be handed
	// out.
	errStarved = errors.New("fakenet: nothing more to decompress yet")
)

func (f *inflater) Read(p []byte) (int, error) {
	for len(f.out) == 0 && f.err == nil {
		f.fill()
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	if n == 0 && len(p) > 0 {
		return 0, f.err
	}
	return n, nil
}

// fill decodes until there is enough or nothing more to decode without waiting.
// A unit that is cut off is decoded anew later, since its bits are kept.
func (f *inflater) fill() {
	f.out = f.out[:0]
	for len(f.out) < len(f.window) {
		err := f.unit()
		if errors.Is(err, errStarved) {
			f.used = 0
			return
		}
		if err != nil {
			f.err = err
			return
		}
		f.settle()
	}
}

// unit decodes one unit: the head of a block, one stored byte, or one symbol.
func (f *inflater) unit() error {
	switch {
	case f.stored > 0:
		b, err := f.take(8)
		if err == nil {
			f.stored--
			f.emit(byte(b)) //nolint:gosec // 8 bits
		}
		return err
	case f.symbols != nil:
		return f.symbol()
	case f.last:
		return io.EOF
	default:
		return f.head()
	}
}

// take returns the next bits of the unit, at most 16.
func (f *inflater) take(k uint) (int, error) {
	for f.n < f.used+k {
		if f.r.Buffered() == 0 && len(f.out) > 0 && !f.patient {
			return 0, errStarved
		}
		b, err := f.r.ReadByte()
		if err != nil {
			return 0, err
		}
		f.bits |= uint64(b) << f.n
		f.n += 8
	}
	v := f.bits >> f.used & (1<<k - 1)
	f.used += k
	return int(v), nil //nolint:gosec // 16 bits
}

func (f *inflater) emit(b byte) {
	f.out = append(f.out, b)
	f.window[f.at] = b
	f.at = (f.at + 1) % len(f.window)
	f.written = min(f.written+1, len(f.window))
}

// head reads the head of a block (RFC 1951, section 3.2.3).
func (f *inflater) head() error {
	bits, err := f.take(3)
	if err != nil {
		return err
	}
	switch bits >> 1 {
	case 0:
		err = f.storedHead()
	case 1:
		f.symbols, f.offsets = fixedCodes()
	case 2:
		err = f.dynamicHead()
	default:
		err = errInflate
	}
	if err == nil {
		f.last = bits&1 == 1
	}
	return err
}

func (f *inflater) storedHead() error {
	if _, err := f.take((f.n - f.used) % 8); err != nil {
		return err
	}
	size, err := f.take(16)
	if err != nil {
		return err
	}
	check, err := f.take(16)
	if err == nil && size^0xffff != check {
		err = errInflate
	}
	f.stored = size
	if err != nil {
		f.stored = 0
	}
	return err
}

// symbol decodes a byte, a repetition, or the end of the block (RFC 1951,
// section 3.2.5).
func (f *inflater) symbol() error {
	s, err := f.decode(f.symbols)
	switch {
	case err != nil:
		return err
	case s < 256:
		f.emit(byte(s)) //nolint:gosec // below 256
		return nil
	case s == 256:
		f.symbols = nil
		return nil
	case s > 285:
		return errInflate
	}
	length, err := f.extended(s-257, f.lengthBase, lengthBits)
	if err != nil {
		return err
	}
	code, err := f.decode(f.offsets)
	if err != nil {
		return err
	}
	if code > 29 {
		return errInflate
	}
	distance, err := f.extended(code, f.distanceBase, distanceBits)
	if err != nil {
		return err
	}
	if distance > f.written {
		return errInflate
	}
	for range length {
		f.emit(f.window[(f.at-distance+len(f.window))%len(f.window)])
	}
	return nil
}

// extended returns the value that a code and its extra bits stand for.
func (f *inflater) extended(code int, base []int, bits func(code int) uint) (int, error) {
	extra, err := f.take(bits(code))
	return base[code] + extra, err
}

func lengthBits(code int) uint {
	if code < 8 || code == 28 {
		return 0
	}
	return uint(code/4 - 1)
}

func distanceBits(code int) uint { return uint(max(0, code/2-1)) }

func lengthBase() []int {
	base := []int{3}
	for code := range 27 {
		base = append(base, base[code]+1<<lengthBits(code))
	}
	return append(base, 258)
}

func distanceBase() []int {
	base := []int{1}
	for code := range 29 {
		base = append(base, base[code]+1<<distanceBits(code))
	}
	return base
}
