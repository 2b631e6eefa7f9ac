package wire

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"net"
)

// Compress has what comes be DEFLATE from here on, and what is sent as well, as
// after the agreement to COMPRESS (RFC 4978). Bytes that came behind the
// agreement already are taken as compressed. The recorder sees what the protocol
// says, counters and deadlines what passes the socket.
//
// What is sent goes in stored blocks, uncompressed: clients say little, and a
// compressor takes most of a megabyte.
func (c *Conn) Compress() {
	ahead, _ := c.r.Peek(c.r.Buffered()) // they are in the buffer
	from := io.MultiReader(bytes.NewReader(bytes.Clone(ahead)), c.nc)
	d := &deflated{Conn: c.nc, inflated: flate.NewReader(bufio.NewReaderSize(from, compressedSize))}
	c.t = &tap{nc: d, rec: c.cfg.Recorder}
	c.r = bufio.NewReaderSize(c.t, bufferSize)
	c.w = bufio.NewWriterSize(c.t, bufferSize)
}

// compressedSize is that of the buffer in front of the decompressor.
const compressedSize = 4 << 10

// deflated is a connection of which both directions are DEFLATE.
type deflated struct {
	net.Conn

	inflated io.ReadCloser
}

// Read reads what was compressed.
func (d *deflated) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		// A block that ends without a byte, as a flush does, is no reason to return.
		if n, err := d.inflated.Read(p); n > 0 || err != nil {
			return n, err
		}
	}
}

// maxStored is how many bytes a stored block has at most (RFC 1951 section 3.2.4).
const maxStored = 1<<16 - 1

// Write sends p in stored blocks, each of which ends at a byte. The empty one in
// the end is what a flush looks like, which some wait for.
func (d *deflated) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		piece := p[:min(len(p), maxStored)]
		n := uint16(len(piece))                 //nolint:gosec // at most maxStored
		block := make([]byte, 1, 10+len(piece)) // 0: not the last block, stored, and filled up to the byte
		block = binary.LittleEndian.AppendUint16(block, n)
		block = binary.LittleEndian.AppendUint16(block, ^n)
		block = append(block, piece...)
		if p = p[len(piece):]; len(p) == 0 {
			block = append(block, 0, 0, 0, 0xff, 0xff)
		}
		if _, err := d.Conn.Write(block); err != nil {
			return written, err
		}
		written += len(piece)
	}
	return written, nil
}
