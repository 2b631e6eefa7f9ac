package fakenet

// huffman is a code of RFC 1951, section 3.2.2: how many codes there are of each
// length, and what they stand for in the order of the codes.
type huffman struct {
	counts  [16]int
	symbols []int
}

// newHuffman returns the code that has the lengths, 0 for symbols without one.
func newHuffman(lengths []int) *huffman {
	h := &huffman{}
	for length := 1; length < len(h.counts); length++ {
		for symbol, l := range lengths {
			if l == length {
				h.counts[length]++
				h.symbols = append(h.symbols, symbol)
			}
		}
	}
	return h
}

// decode returns the symbol whose code is next.
func (f *inflater) decode(h *huffman) (int, error) {
	code, first, index := 0, 0, 0
	for length := 1; length < len(h.counts); length++ {
		bit, err := f.take(1)
		if err != nil {
			return 0, err
		}
		code |= bit
		count := h.counts[length]
		if code-first < count {
			if code < first {
				return 0, errInflate
			}
			return h.symbols[index+code-first], nil
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, errInflate
}

// fixedCodes returns the codes of RFC 1951, section 3.2.6.
func fixedCodes() (symbols, offsets *huffman) {
	lengths := make([]int, 288)
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	far := make([]int, 30)
	for i := range far {
		far[i] = 5
	}
	return newHuffman(lengths), newHuffman(far)
}

// dynamicHead reads the codes of a block (RFC 1951, section 3.2.7). Nobody
// flushes within them.
func (f *inflater) dynamicHead() error {
	f.patient = true
	defer func() { f.patient = false }()
	var counts [3]int
	for i, k := range []uint{5, 5, 4} {
		v, err := f.take(k)
		if err != nil {
			return err
		}
		counts[i] = v
	}
	near, far, meta := counts[0]+257, counts[1]+1, counts[2]+4
	order := []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	lengths := make([]int, len(order))
	for _, symbol := range order[:meta] {
		v, err := f.take(3)
		if err != nil {
			return err
		}
		f.settle()
		lengths[symbol] = v
	}
	all, err := f.codeLengths(newHuffman(lengths), near+far)
	if err != nil {
		return err
	}
	f.symbols, f.offsets = newHuffman(all[:near]), newHuffman(all[near:])
	return nil
}

// settle makes room for further bits within a unit that is not decoded anew.
func (f *inflater) settle() {
	f.bits >>= f.used
	f.n -= f.used
	f.used = 0
}

// codeLengths reads n lengths, which are coded themselves.
func (f *inflater) codeLengths(h *huffman, n int) ([]int, error) {
	var all []int
	for len(all) < n {
		f.settle()
		s, err := f.decode(h)
		if err != nil {
			return nil, err
		}
		value, times, bits := s, 1, uint(0)
		switch s {
		case 16:
			if len(all) == 0 {
				return nil, errInflate
			}
			value, times, bits = all[len(all)-1], 3, 2
		case 17:
			value, times, bits = 0, 3, 3
		case 18:
			value, times, bits = 0, 11, 7
		}
		more, err := f.take(bits)
		if err != nil {
			return nil, err
		}
		for range times + more {
			all = append(all, value)
		}
	}
	if len(all) > n {
		return nil, errInflate
	}
	return all, nil
}
