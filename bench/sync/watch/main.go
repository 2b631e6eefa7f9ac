// Command watch watches many mailboxes, each with a Session of its own, and
// prints how many, and what one of them takes: bytes of the process, bytes of heap
// and stacks, and how often something in it runs while IDLE is renewed once.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mailsession/mailsession/bench/internal/task"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("watch: ")
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// renewal is how long IDLE lasts while wake-ups are counted.
const renewal = 20 * time.Second

func run(ctx context.Context) error {
	if len(os.Args) != 2 {
		return errors.New("the one argument is a file with a task")
	}
	t, server, err := read(os.Args[1])
	if err != nil {
		return err
	}
	// One is watched before anything is measured: what all share is not counted.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := &watched{failed: make(chan error, 1), ready: make(chan struct{}, t.Connections)}
	if err := watched.add(ctx, server, 0); err != nil {
		return err
	}
	before, err := now()
	if err != nil {
		return err
	}
	for n := 1; n < t.Connections; n++ {
		if err := watched.add(ctx, server, n); err != nil {
			return err
		}
	}
	after, err := now()
	if err != nil {
		return err
	}
	woken := wakes()
	select {
	case err := <-watched.failed:
		return err
	case <-time.After(renewal):
	}
	count := float64(max(1, t.Connections-1))
	_, err = fmt.Fprintf(os.Stdout, "%d %.0f %.0f %.2f\n", watched.n.Load(), (after.resident-before.resident)/count, (after.heap-before.heap)/count,
		(wakes()-woken)/float64(t.Connections))
	return err
}

// read returns a task, and its server.
func read(file string) (t task.Task, server session.Server, err error) {
	text, err := os.ReadFile(file) //nolint:gosec // G703: the benchmark names it.
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	if err != nil {
		return t, server, err
	}
	config, err := t.ClientTLS()
	if err != nil {
		return t, server, err
	}
	host, number, err := net.SplitHostPort(t.Address)
	if err != nil {
		return t, server, err
	}
	port, err := strconv.Atoi(number)
	server = session.Server{Host: host, Port: port, TLS: config}
	if !t.TLS {
		server.Security, server.AllowPlainAuth = session.None, true
	}
	return t, server, err
}

type watched struct {
	n      atomic.Int32
	ready  chan struct{}
	failed chan error
}

// add watches one more mailbox, and returns when the server tells of it.
func (w *watched) add(ctx context.Context, server session.Server, n int) error {
	s, err := session.New(session.Credentials{User: fmt.Sprintf("u%d@example.org", n), Password: secret.New("horse")},
		imapx.Backend(server, &imapx.Options{IdleRenewal: renewal, IdleTimeout: time.Second}), nil, &session.Options{Mode: session.ReadOnly})
	if err != nil {
		return err
	}
	// From the beginning of the folder, in which there is a message: it is told
	// once the server listens.
	options := &session.WatchOptions{Since: map[session.FolderRef]session.Cursor{session.Inbox: {}}}
	go func() {
		for e, err := range s.Watch(ctx, []session.FolderRef{session.Inbox}, options) {
			if err != nil {
				select {
				case w.failed <- err:
				default:
				}
				return
			}
			if e.Kind == session.EventNew {
				w.n.Add(1)
				w.ready <- struct{}{}
			}
		}
	}()
	select {
	case <-w.ready:
		return nil
	case err := <-w.failed:
		return err
	}
}

type memory struct{ resident, heap float64 }

// now returns what the process takes, once what is not in use was given back, and
// connections at rest have ended.
func now() (m memory, err error) {
	<-time.After(3 * time.Second)
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	m.heap = float64(stats.HeapAlloc + stats.StackInuse)
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return m, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return m, errors.New("the system does not tell what memory there is")
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	m.resident = pages * float64(os.Getpagesize())
	return m, err
}

// tracked is of how many goroutines the runtime keeps account: every eighth.
const tracked = 8

// wakes returns about how often goroutines have begun to run so far.
func wakes() float64 {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(sample)
	var n uint64
	for _, count := range sample[0].Value.Float64Histogram().Counts {
		n += count
	}
	return float64(n * tracked)
}
