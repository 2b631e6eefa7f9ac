package main

import (
	"fmt"
	"io/fs"
	"net"
	"path/filepath"

	"github.com/mailsession/mailsession/bench/internal/compare"
	"github.com/mailsession/mailsession/bench/internal/report"
	"github.com/mailsession/mailsession/bench/internal/task"
)

// The peers. The first is what the others are measured by.
func peers() map[string]compare.Peer {
	return map[string]compare.Peer{
		"raw":     {Name: "raw pipelined reader (limit)", Command: compare.Built("raw"), Done: compare.Told},
		"ours":    {Name: "pop3x", Command: compare.Built("ours"), Done: compare.Told},
		"go-pop3": {Name: "go-pop3 RetrRaw", Command: compare.Built("gopop3"), Done: compare.Told},
		"poplib":  {Name: "poplib", Command: compare.Script("python3", "peer.py"), Done: compare.Told},
		"curl":    {Name: "curl (stores)", Command: curl, Done: stored},
	}
}

// curl fetches message by message into a folder.
func curl(b *compare.Bench, t task.Task) ([]string, error) {
	_, port, err := net.SplitHostPort(t.Address)
	if err != nil {
		return nil, err
	}
	return []string{
		"curl", "-s", "--cacert", t.CAFile, "-u", t.User + ":" + t.Password,
		"-o", filepath.Join(t.Dir, "#1"), fmt.Sprintf("pop3s://localhost:%s/[1-%d]", port, t.Opens),
	}, nil
}

// stored counts what curl wrote.
func stored(t task.Task, _ string) (messages int, bytes int64, err error) {
	err = filepath.WalkDir(t.Dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		messages++
		bytes += info.Size()
		return nil
	})
	return messages, bytes, err
}

// scenarios returns the work in the order in which it is done.
func (b *bench) scenarios() []compare.Scenario {
	few, many, large := b.drops[0], b.drops[1], b.drops[2]
	return []compare.Scenario{
		b.full("few-tls", few, b.Servers.POP3S, whole("few"), "raw", "ours", "go-pop3", "poplib", "curl"),
		b.full("many-tls", many, b.Servers.POP3S, whole("many"), "raw", "ours", "go-pop3", "poplib", "curl"),
		b.full("large-tls", large, b.Servers.POP3S, func(r *report.Report, took map[string]compare.Figure) {
			r.AtMost("pop3-large-tls-peak-mb", took["ours"].Megabytes(), 10)
		}, "raw", "ours", "go-pop3", "poplib", "curl"),
		b.full("relay", few, b.Relay, func(r *report.Report, took map[string]compare.Figure) {
			r.AtLeast("pop3-relay-go-pop3-wall-to-ours", compare.WallRatio(took["go-pop3"], took["ours"]), 30)
		}, "raw", "ours", "go-pop3"),
	}
}

// whole are the targets of a maildrop that is read as a whole.
func whole(name string) func(r *report.Report, took map[string]compare.Figure) {
	return func(r *report.Report, took map[string]compare.Figure) {
		r.AtMost("pop3-"+name+"-tls-wall-to-raw", compare.WallRatio(took["ours"], took["raw"]), 1.2)
		r.AtMost("pop3-"+name+"-tls-cpu-to-raw", compare.CPURatio(took["ours"], took["raw"]), 1.8)
	}
}

// full is every message of a maildrop, read by each of the programs.
func (b *bench) full(name string, d *maildrop, address string, targets func(*report.Report, map[string]compare.Figure), names ...string) compare.Scenario {
	user, _ := b.Servers.User(d.user) // it was asked for
	title := fmt.Sprintf("%d messages of %d bytes in all, POP3S", d.messages, d.bytes)
	if address == b.Relay {
		title += fmt.Sprintf(", %v round trip", 2*b.Delay)
	}
	return compare.Scenario{
		Name: name, Title: title, Messages: d.messages, Bytes: d.bytes, Targets: targets,
		Entries: compare.Each(task.Task{
			Kind: task.Full, TLS: true, CAFile: b.Servers.CAFile, Address: address,
			User: user.Address, Password: user.Password.Reveal(), Opens: d.messages,
		}, names...),
	}
}
