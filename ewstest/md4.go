package ewstest

import (
	"encoding/binary"
	"math/bits"
)

// md4 returns the MD4 digest (RFC 1320), which NTLM makes of a password and
// which the standard library does not have.
func md4(data []byte) [16]byte {
	padded := append([]byte{}, data...)
	padded = append(padded, 0x80)
	for len(padded)%64 != 56 {
		padded = append(padded, 0)
	}
	padded = binary.LittleEndian.AppendUint64(padded, uint64(len(data))*8)
	state := [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	for ; len(padded) > 0; padded = padded[64:] {
		var block [16]uint32
		for i := range block {
			block[i] = binary.LittleEndian.Uint32(padded[4*i:])
		}
		md4Block(&state, &block)
	}
	var digest [16]byte
	for i, word := range state {
		binary.LittleEndian.PutUint32(digest[4*i:], word)
	}
	return digest
}

func md4Block(state *[4]uint32, block *[16]uint32) {
	rounds := []struct {
		mix    func(x, y, z uint32) uint32
		add    uint32
		order  [16]int
		shifts [4]int
	}{
		{
			func(x, y, z uint32) uint32 { return x&y | ^x&z }, 0,
			[16]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
			[4]int{3, 7, 11, 19},
		},
		{
			func(x, y, z uint32) uint32 { return x&y | x&z | y&z }, 0x5a827999,
			[16]int{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
			[4]int{3, 5, 9, 13},
		},
		{
			func(x, y, z uint32) uint32 { return x ^ y ^ z }, 0x6ed9eba1,
			[16]int{0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15},
			[4]int{3, 9, 11, 15},
		},
	}
	a, b, c, d := state[0], state[1], state[2], state[3]
	for _, r := range rounds {
		for i, k := range r.order {
			turned := bits.RotateLeft32(a+r.mix(b, c, d)+block[k]+r.add, r.shifts[i%4])
			a, b, c, d = d, turned, b, c
		}
	}
	state[0] += a
	state[1] += b
	state[2] += c
	state[3] += d
}
