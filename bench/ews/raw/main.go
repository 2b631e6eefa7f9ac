// Command raw makes the requests again that the client made for the same task, and
// drops the bytes of the answers: the least that reading from a server can take.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/mailsession/mailsession/bench/ews/calls"
	"github.com/mailsession/mailsession/bench/internal/task"
)

func main() { task.Run(read) }

// read makes the requests over one connection, one after the other. How many
// messages the answers hold it does not know.
func read(ctx context.Context, t task.Task) (messages int, size int64, err error) {
	all, err := calls.Read(t.File)
	if err != nil {
		return 0, 0, err
	}
	base, transport := "http://"+t.Address, &http.Transport{ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10, DisableCompression: true}
	if t.TLS {
		base = "https://" + t.Address
		if transport.TLSClientConfig, err = t.ClientTLS(); err != nil {
			return 0, 0, err
		}
	}
	buf := make([]byte, 64<<10)
	for _, call := range all {
		n, err := post(ctx, transport, base, call, buf)
		if err != nil {
			return 0, 0, err
		}
		size += n
	}
	return 0, size, nil
}

func post(ctx context.Context, transport *http.Transport, base string, call calls.Call, buf []byte) (size int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+call.Path, bytes.NewReader(call.Body))
	if err != nil {
		return 0, err
	}
	req.Header = call.Header
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the server says %s", resp.Status)
	}
	return io.CopyBuffer(sink{}, resp.Body, buf)
}

// sink drops what is written, in the pieces in which it was read: [io.Discard] has
// smaller ones.
type sink struct{}

// Write implements [io.Writer].
func (sink) Write(p []byte) (int, error) { return len(p), nil }
