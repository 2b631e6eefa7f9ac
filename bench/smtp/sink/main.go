// Command sink takes mail by SMTP as fast as it can and forgets it. It prints the
// address where it listens, and ends when its standard input does. XSTAT tells how
// many messages and bytes it took since XSTAT was last said.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/mailsession/mailsession/internal/testtls"
)

func main() {
	log.SetFlags(0)
	s := &sink{}
	flag.BoolVar(&s.chunking, "chunking", false, "offer CHUNKING")
	ca := flag.String("starttls", "", "offer STARTTLS, and write the authority's certificate into this file")
	flag.Parse()
	err := s.protect(*ca)
	var l net.Listener
	if err == nil {
		l, err = net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it takes no time
	}
	if err == nil {
		_, err = fmt.Fprintln(os.Stdout, l.Addr())
	}
	if err != nil {
		log.Fatal(err)
	}
	go s.accept(l)
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is what counts
}

// sink is what all connections share.
type sink struct {
	chunking bool
	tls      *tls.Config

	messages, bytes atomic.Int64
}

// protect makes a certificate where a file for its authority is given.
func (s *sink) protect(ca string) error {
	if ca == "" {
		return nil
	}
	authority, err := testtls.New()
	if err != nil {
		return err
	}
	s.tls = authority.Server()
	return os.WriteFile(ca, authority.CertPEM(), 0o600)
}

func (s *sink) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			log.Print(err)
			return
		}
		go func() {
			defer nc.Close()
			c := &conn{sink: s}
			c.carry(nc)
			if err := c.serve(); !errors.Is(err, io.EOF) {
				log.Print("sink: ", err)
			}
		}()
	}
}

// conn is one connection.
type conn struct {
	*sink

	nc     net.Conn
	r      *bufio.Reader
	w      *bufio.Writer
	secure bool
	size   int64 // of the chunks so far
}

func (c *conn) carry(nc net.Conn) {
	c.nc, c.r, c.w = nc, bufio.NewReaderSize(nc, 64<<10), bufio.NewWriter(nc)
}

// serve answers until the connection ends, and returns why it did. What is answered
// goes out when nothing more has come.
func (c *conn) serve() error {
	c.say("220 sink")
	for {
		if c.r.Buffered() == 0 {
			if err := c.w.Flush(); err != nil {
				return err
			}
		}
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if err := c.answer(bytes.TrimRight(line, "\r\n")); err != nil {
			return err
		}
	}
}

func (c *conn) say(line string) {
	_, _ = c.w.WriteString(line) // Flush tells
	_, _ = c.w.WriteString("\r\n")
}

// answer carries out one command. Verbs have four letters in capitals here, or
// are STARTTLS.
func (c *conn) answer(line []byte) error {
	switch verb := string(bytes.ToUpper(line[:min(4, len(line))])); verb {
	case "EHLO":
		c.hello()
	case "BDAT":
		return c.chunk(line[4:])
	case "DATA":
		c.say("354 go on")
		if err := c.w.Flush(); err != nil {
			return err
		}
		return c.message()
	case "STAR":
		return c.startTLS()
	case "QUIT":
		c.say("221 bye")
		return errors.Join(c.w.Flush(), io.EOF)
	case "XSTA":
		c.say(fmt.Sprintf("250 %d %d", c.messages.Swap(0), c.bytes.Swap(0)))
	case "MAIL", "RCPT", "RSET", "NOOP":
		c.say("250 2.0.0 ok")
	default:
		c.say("500 5.5.1 what")
	}
	return nil
}

func (c *conn) hello() {
	c.say("250-sink")
	if c.chunking {
		c.say("250-CHUNKING")
	}
	if c.tls != nil && !c.secure {
		c.say("250-STARTTLS")
	}
	c.say("250-SIZE 1000000000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 PIPELINING")
}

func (c *conn) startTLS() error {
	c.say("220 go on")
	if err := c.w.Flush(); err != nil {
		return err
	}
	c.secure = true
	c.carry(tls.Server(c.nc, c.tls))
	return nil
}

// chunk drops the bytes of BDAT.
func (c *conn) chunk(args []byte) error {
	words := bytes.Fields(args)
	if len(words) == 0 {
		return errors.New("BDAT without a length")
	}
	n, err := strconv.Atoi(string(words[0]))
	if err != nil {
		return err
	}
	last := len(words) > 1
	if _, err := c.r.Discard(n); err != nil {
		return err
	}
	c.size += int64(n)
	if last {
		c.took()
	}
	c.say("250 2.0.0 ok")
	return nil
}

// message drops the bytes behind DATA.
func (c *conn) message() error {
	start := true
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if start && string(line) == ".\r\n" {
			c.took()
			c.say("250 2.0.0 ok")
			return nil
		}
		start = err == nil
		c.size += int64(len(line))
	}
}

// took counts a message.
func (c *conn) took() {
	c.messages.Add(1)
	c.bytes.Add(c.size)
	c.size = 0
}
