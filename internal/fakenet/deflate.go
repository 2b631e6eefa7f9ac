package fakenet

import (
	"compress/flate"
	"fmt"
	"io"
	"net"
)

// deflated is a connection whose bytes are compressed in both directions
// (RFC 1951). What is written is complete for the other side with each Write.
type deflated struct {
	net.Conn
	in  io.Reader
	out *flate.Writer
}

// Deflate compresses everything after the answer that has been sent last. The
// counts of a fault stay those of plain bytes.
func (c *Conn) Deflate() error {
	out, err := flate.NewWriter(c.nc, flate.DefaultCompression)
	if err != nil {
		return fmt.Errorf("fakenet: deflate: %w", err)
	}
	d := &deflated{Conn: c.nc, in: newInflater(c.r), out: out}
	c.carry(d)
	return nil
}

func (d *deflated) Read(p []byte) (int, error) { return d.in.Read(p) }

func (d *deflated) Write(p []byte) (int, error) {
	n, err := d.out.Write(p)
	if err == nil {
		err = d.out.Flush()
	}
	return n, err
}
