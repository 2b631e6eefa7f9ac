// Command relay passes connections on to an address and holds back each byte, in
// either direction, for a while. It prints the address where it listens, and ends
// when its standard input does. How much is under way is not limited.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"
)

func main() {
	log.SetFlags(0)
	to := flag.String("to", "", "the address to pass connections on to")
	delay := flag.Duration("delay", 20*time.Millisecond, "how long a byte takes in either direction")
	flag.Parse()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it takes no time
	if err == nil {
		_, err = fmt.Fprintln(os.Stdout, l.Addr())
	}
	if err != nil {
		log.Fatal(err)
	}
	go serve(l, *to, *delay)
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is what counts
}

// serve passes connections on until the process ends.
func serve(l net.Listener, to string, delay time.Duration) {
	for {
		client, err := l.Accept()
		if err != nil {
			log.Print(err)
			return
		}
		server, err := net.Dial("tcp", to) //nolint:noctx // it ends with the process
		if err != nil {
			_ = client.Close()
			log.Print(err)
			continue
		}
		go pass(server, client, delay)
		go pass(client, server, delay)
	}
}

// A piece is what was read at once, and when it is to be written.
type piece struct {
	data []byte
	due  time.Time
}

// pieces bounds what is under way in one direction, by far more than what any of
// the programs here have under way.
const pieces = 64 << 10

// pass moves bytes in one direction. At the end of one side the other is
// closed, when everything before has arrived.
func pass(to, from net.Conn, delay time.Duration) {
	underway := make(chan piece, pieces)
	go func() {
		defer to.Close()
		for p := range underway {
			wait(p.due)
			if _, err := to.Write(p.data); err != nil {
				_ = from.Close()
			}
		}
	}()
	defer close(underway)
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			underway <- piece{data: append([]byte(nil), buf[:n]...), due: time.Now().Add(delay)}
		}
		if err != nil {
			return
		}
	}
}

func wait(until time.Time) {
	if d := time.Until(until); d > 0 {
		<-time.After(d)
	}
}
