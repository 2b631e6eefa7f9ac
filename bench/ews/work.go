package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"

	"github.com/mailsession/mailsession/bench/ews/calls"
	"github.com/mailsession/mailsession/bench/internal/compare"
	"github.com/mailsession/mailsession/bench/internal/report"
	"github.com/mailsession/mailsession/bench/internal/task"
)

// peers returns the programs. The first is what the others are measured by.
func (b *bench) peers(ctx context.Context) map[string]compare.Peer {
	return map[string]compare.Peer{
		"raw": {Name: "the same requests, bytes dropped (limit)", Done: compare.Told, Command: func(_ *compare.Bench, t task.Task) ([]string, error) {
			if err := b.record(ctx, t); err != nil {
				return nil, fmt.Errorf("record the requests: %w", err)
			}
			return compare.Built("raw")(b.Bench, t)
		}},
		"ours":        {Name: "session over ews", Command: compare.Built("ours"), Done: compare.Told},
		"exchangelib": {Name: "exchangelib", Command: compare.Script("/usr/bin/python3", "peer.py"), Done: compare.Told},
	}
}

// record has the client do a task once, and writes its requests into the task's
// file.
func (b *bench) record(ctx context.Context, t task.Task) error {
	if b.recorded[t.File] {
		return nil
	}
	to, transport := &url.URL{Scheme: "http", Host: t.Address}, &http.Transport{}
	if t.TLS {
		config, err := t.ClientTLS()
		if err != nil {
			return err
		}
		to.Scheme, transport.TLSClientConfig = "https", config
	}
	r, err := calls.Record(to, transport)
	if err != nil {
		return err
	}
	name := t.File
	t.Address, t.TLS = r.Address(), false
	todo, err := json.Marshal(t) //nolint:gosec // G117: the password is made up for the run.
	if err != nil {
		return errors.Join(err, r.Close())
	}
	command, err := compare.Built("ours")(b.Bench, t)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	cmd := exec.CommandContext(ctx, command[0]) //nolint:gosec // G204: the command is ours.
	cmd.Env = append(os.Environ(), task.Variable+"="+string(todo))
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("%w\n%s", err, out), r.Close())
	}
	b.recorded[name] = true
	return errors.Join(r.Write(name), r.Close())
}

// scenarios returns the work in the order in which it is done.
func (b *bench) scenarios() []compare.Scenario {
	var all []compare.Scenario
	for _, encrypted := range []bool{false, true} {
		all = append(all,
			b.work("read", task.Both, b.inbox, encrypted),
			b.shown("list", task.Summaries, b.inbox, encrypted), b.shown("fetch", task.Full, b.inbox, encrypted),
			b.work("large", task.Full, b.large, encrypted),
		)
	}
	return all
}

// work is a task that all programs do with a mailbox.
func (b *bench) work(name, kind string, m mailbox, encrypted bool) compare.Scenario {
	address, how := b.plain, "plain"
	if encrypted {
		address, how = b.secure, "tls"
	}
	name += "-" + how
	s := compare.Scenario{
		Name: name, Messages: m.messages,
		Title: fmt.Sprintf("%d summaries with subject, addresses, date, flags and size, %s", m.messages, how),
		Entries: compare.Each(task.Task{
			Kind: kind, Address: address, TLS: encrypted, CAFile: b.ca, User: m.user, Password: b.password, Folder: "INBOX",
			File: b.File(name + ".requests"),
		}, "raw", "ours", "exchangelib"),
		Targets: func(r *report.Report, took map[string]compare.Figure) { targets(r, name, m, took) },
	}
	switch kind {
	case task.Full:
		s.Title, s.Bytes = fmt.Sprintf("%d messages of %d bytes in all, %s", m.messages, m.bytes, how), m.bytes
	case task.Both:
		s.Title, s.Bytes = fmt.Sprintf("%d summaries, and then the messages, of %d bytes in all, %s", m.messages, m.bytes, how), m.bytes
	}
	return s
}

// shown is a part of the work, which has no bounds: what it takes is but shown.
func (b *bench) shown(name, kind string, m mailbox, encrypted bool) compare.Scenario {
	s := b.work(name, kind, m, encrypted)
	s.Targets = func(*report.Report, map[string]compare.Figure) {}
	return s
}

func targets(r *report.Report, name string, m mailbox, took map[string]compare.Figure) {
	ours := took["ours"]
	r.AtMost("ews-"+name+"-cpu-to-raw", compare.CPURatio(ours, took["raw"]), 2.5)
	r.AtLeast("ews-"+name+"-exchangelib-cpu-to-ours", compare.CPURatio(took["exchangelib"], ours), 10)
	if m.messages == 1 {
		r.AtMost("ews-"+name+"-peak-mb", ours.Megabytes(), 16)
	}
}
