package interop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// Proxies are running proxies: Tinyproxy, which speaks HTTP's CONNECT, and
// MicroSocks, which speaks SOCKS5. Addresses are host:port, on 127.0.0.1. They
// let everything through, and write down where to.
type Proxies struct {
	// HTTP and SOCKS take everybody; the other two take User and Password, and
	// nobody else.
	HTTP, HTTPWithPassword, SOCKS, SOCKSWithPassword string

	User     string
	Password secret.Text

	dir     string
	running map[string]*process // by address
	ending  ending
}

// StartProxies starts the proxies and returns when each accepts connections.
// The caller calls [Proxies.Stop]; the context is for starting only.
func StartProxies(ctx context.Context) (*Proxies, error) {
	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	var err error
	for range startTries {
		var p *Proxies
		p, err = startProxies(ctx)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, errEnded) {
			break
		}
	}
	return nil, err
}

// startProxies makes one attempt with one set of ports.
func startProxies(ctx context.Context) (*Proxies, error) {
	dir, err := os.MkdirTemp("", "mailsession-interop-")
	if err != nil {
		return nil, fmt.Errorf("interop: make a folder for the proxies: %w", err)
	}
	p := &Proxies{User: "ann", Password: secret.New("password-" + rand.Text()), dir: dir, running: map[string]*process{}}
	if err := p.launch(ctx); err != nil {
		err = fmt.Errorf("%w\n%s", err, p.Logs())
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

func (p *Proxies) launch(ctx context.Context) error {
	all := []*string{&p.HTTP, &p.HTTPWithPassword, &p.SOCKS, &p.SOCKSWithPassword}
	free, err := freeAddresses(ctx, len(all))
	if err != nil {
		return err
	}
	for i, address := range all {
		*address = free[i]
	}
	user := []string{"-u", p.User, "-P", p.Password.Reveal()}
	return errors.Join(
		p.tinyproxy(ctx, p.HTTP, ""),
		p.tinyproxy(ctx, p.HTTPWithPassword, "BasicAuth "+p.User+" "+p.Password.Reveal()+"\n"),
		p.microsocks(ctx, p.SOCKS),
		p.microsocks(ctx, p.SOCKSWithPassword, user...),
	)
}

// tinyproxy starts an HTTP proxy, which logs to its standard output.
func (p *Proxies) tinyproxy(ctx context.Context, address, more string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	config := filepath.Join(p.dir, "tinyproxy-"+port+".conf")
	text := "Listen " + host + "\nPort " + port + "\nUser nobody\nGroup nogroup\nTimeout 600\nMaxClients 100\nLogLevel Info\n" + more
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	return p.start(ctx, "tinyproxy", address, []string{"/usr/bin/tinyproxy", "-d", "-c", config})
}

func (p *Proxies) microsocks(ctx context.Context, address string, more ...string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	return p.start(ctx, "microsocks", address, append([]string{"/usr/bin/microsocks", "-i", host, "-p", port}, more...))
}

// start starts one proxy and waits until it accepts connections.
func (p *Proxies) start(ctx context.Context, name, address string, command []string) error {
	if _, err := os.Stat(command[0]); err != nil {
		return fmt.Errorf("interop: %s is not installed (%w); run internal/interop/install", name, err)
	}
	process, err := startProcess(name, command)
	if err != nil {
		return err
	}
	p.running[address] = process
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return errors.Join(conn.Close(), process.failure())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("interop: %s does not listen at %s: %w", name, address, errors.Join(ctx.Err(), err))
		case <-process.ended:
			return fmt.Errorf("interop: %s at %s: %w", name, address, process.failure())
		case <-tick.C:
		}
	}
}

// Log returns what the proxy at an address has logged so far.
func (p *Proxies) Log(address string) string {
	process, ok := p.running[address]
	if !ok {
		return ""
	}
	return process.output.String()
}

// Logs returns the end of what each proxy has logged, for a test that failed.
func (p *Proxies) Logs() string {
	var all strings.Builder
	for address, process := range p.running {
		fmt.Fprintf(&all, "%s at %s:\n%s\n", process.name, address, lastLines(process.output.String(), 60))
	}
	return all.String()
}

// Stop ends the proxies, waits until they have ended, and removes their folder.
// Further calls return what the first did.
func (p *Proxies) Stop() error {
	return p.ending.end(p.dir, slices.Collect(maps.Values(p.running))...)
}

// freeAddresses finds free ports. They are all held at once so that none is
// given out twice.
func freeAddresses(ctx context.Context, n int) ([]string, error) {
	var found []string
	for range n {
		held, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("interop: find a free port: %w", err)
		}
		defer held.Close()
		found = append(found, held.Addr().String())
	}
	return slices.Clip(found), nil
}
