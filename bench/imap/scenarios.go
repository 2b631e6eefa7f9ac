package main

import (
	"cmp"
	"fmt"

	"github.com/mailsession/mailsession/bench/imap/task"
	"github.com/mailsession/mailsession/bench/internal/report"
)

// A scenario is one piece of work that several programs do.
type scenario struct {
	name     string
	title    string
	messages int   // how many have to be read
	bytes    int64 // how many bytes of them at least
	entries  []entry
	targets  func(r *report.Report, took map[string]figure)
}

// An entry is one program with its task.
type entry struct {
	peer    string
	variant string // tells entries of one peer apart
	task    task.Task
}

func (e entry) key() string { return e.peer + e.variant }

func (e entry) label(peers map[string]peer) string {
	name := peers[e.peer].name
	if e.variant != "" {
		name += "," + e.variant
	}
	return name
}

// The folders.
const (
	inbox     = "INBOX"
	large     = "Large"
	largeSize = 20 << 20
	pool      = 4
)

// scenarios returns the work in the order in which it is done.
func (b *bench) scenarios() []scenario {
	return []scenario{
		b.full(true), b.full(false), b.summaries(true), b.summaries(false), b.large(),
		b.relayed("relay-full", task.Full), b.relayed("relay-summaries", task.Summaries), b.opens(),
	}
}

// work is a task on the server, or through the relay where there is no delay
// between it and the program.
func (b *bench) work(kind, folder string, encrypted bool) task.Task {
	return task.Task{
		Kind: kind, TLS: encrypted, Folder: folder, CAFile: b.servers.CAFile,
		Address: map[bool]string{true: b.servers.IMAPS, false: b.servers.IMAP}[encrypted],
		User:    b.user.Address, Password: b.user.Password.Reveal(), Connections: pool, Opens: b.opened,
	}
}

// each gives several programs the same task.
func each(t task.Task, names ...string) []entry {
	entries := make([]entry, len(names))
	for i, name := range names {
		entries[i] = entry{peer: name, task: t}
	}
	return entries
}

func protection(encrypted bool) string {
	return map[bool]string{true: "tls", false: "plain"}[encrypted]
}

func (b *bench) full(encrypted bool) scenario {
	how := protection(encrypted)
	return scenario{
		name:     "full-" + how,
		title:    fmt.Sprintf("%d messages as a whole, %s", b.mails, how),
		messages: b.mails, bytes: b.size,
		entries: each(b.work(task.Full, inbox, encrypted), "raw", "ours", "go-imap", "imaplib", "imapflow", "mbsync"),
		targets: func(r *report.Report, took map[string]figure) {
			ours, raw := took["ours"], took["raw"]
			if !encrypted {
				r.AtMost("imap-full-plain-cpu-to-raw", cpuRatio(ours, raw), 2.2)
				return
			}
			r.AtMost("imap-full-tls-cpu-to-raw", cpuRatio(ours, raw), 1.4)
			r.AtMost("imap-full-tls-wall-to-raw", wallRatio(ours, raw), 1.2)
			r.AtMost("imap-full-tls-peak-mb", ours.megabytes(), 16)
		},
	}
}

func (b *bench) summaries(encrypted bool) scenario {
	how := protection(encrypted)
	entries := each(b.work(task.Summaries, inbox, encrypted), "raw", "ours", "go-imap", "imaplib", "imapflow")
	for _, name := range []string{"ours", "go-imap", "imaplib"} {
		entries = append(entries, entry{peer: name, variant: " collected", task: b.work(task.Collect, inbox, encrypted)})
	}
	entries = append(entries, entry{peer: "ours", variant: " kept undecoded", task: b.work(task.Keep, inbox, encrypted)})
	return scenario{
		name:     "summaries-" + how,
		title:    fmt.Sprintf("%d summaries with subject, addresses, date, flags and size, %s", b.mails, how),
		messages: b.mails, entries: entries,
		targets: func(r *report.Report, took map[string]figure) {
			r.AtMost("imap-summaries-"+how+"-cpu-to-go-imap", cpuRatio(took["ours"], took["go-imap"]), 0.8)
			r.AtMost("imap-summaries-"+how+"-collected-peak-mb", took["ours collected"].megabytes(), 24)
		},
	}
}

func (b *bench) large() scenario {
	return scenario{
		name:     "large-tls",
		title:    fmt.Sprintf("one message of %d bytes, tls", b.largest),
		messages: 1, bytes: b.largest,
		entries: each(b.work(task.Full, large, true), "raw", "ours", "go-imap", "imaplib", "imapflow", "mbsync"),
		targets: func(r *report.Report, took map[string]figure) {
			r.AtMost("imap-large-tls-peak-mb", took["ours"].megabytes(), 10)
		},
	}
}

// relayed is a whole folder through the relay.
func (b *bench) relayed(name, kind string) scenario {
	work := b.work(kind, inbox, true)
	work.Address = b.relay
	s := scenario{
		name:     name,
		title:    fmt.Sprintf("%d messages (%s), tls, %v round trip", b.mails, kind, 2*b.delay),
		messages: b.mails, entries: each(work, "raw", "ours"),
		targets: func(*report.Report, map[string]figure) {},
	}
	if kind == task.Full {
		s.bytes = b.size
		s.targets = func(r *report.Report, took map[string]figure) {
			r.AtMost("imap-"+name+"-wall-to-raw", wallRatio(took["ours"], took["raw"]), 1.2)
		}
	}
	return s
}

// opens is messages from all over the folder, through the relay.
func (b *bench) opens() scenario {
	work := b.work(task.Opens, inbox, true)
	work.Address = b.relay
	alone := work
	alone.Connections = 1
	return scenario{
		name:     "relay-opens",
		title:    fmt.Sprintf("%d scattered messages, tls, %v round trip", b.opened, 2*b.delay),
		messages: b.opened,
		entries:  []entry{{"ours", " one by one", alone}, {"ours", fmt.Sprintf(" %d at a time", pool), work}},
		targets: func(r *report.Report, took map[string]figure) {
			r.AtMost("imap-relay-opens-pool-wall-to-one-by-one", wallRatio(took[fmt.Sprintf("ours %d at a time", pool)], took["ours one by one"]), 0.3)
		},
	}
}

func cpuRatio(a, b figure) float64 { return float64(a.CPU) / float64(cmp.Or(b.CPU, 1)) }

func wallRatio(a, b figure) float64 { return float64(a.Wall) / float64(cmp.Or(b.Wall, 1)) }
