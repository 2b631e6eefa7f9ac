package main

import (
	"fmt"

	"github.com/mailsession/mailsession/bench/internal/compare"
	"github.com/mailsession/mailsession/bench/internal/report"
	"github.com/mailsession/mailsession/bench/internal/task"
)

// The folders.
const (
	inbox     = "INBOX"
	large     = "Large"
	largeSize = 20 << 20
	pool      = 4
)

// scenarios returns the work in the order in which it is done.
func (b *bench) scenarios() []compare.Scenario {
	return []compare.Scenario{
		b.full(true), b.full(false), b.summaries(true), b.summaries(false), b.large(),
		b.relayed("relay-full", task.Full), b.relayed("relay-summaries", task.Summaries), b.opens(),
	}
}

// work is a task on the server, or through the relay where there is no delay
// between it and the program.
func (b *bench) work(kind, folder string, encrypted bool) task.Task {
	return task.Task{
		Kind: kind, TLS: encrypted, Folder: folder, CAFile: b.Servers.CAFile,
		Address: map[bool]string{true: b.Servers.IMAPS, false: b.Servers.IMAP}[encrypted],
		User:    b.User.Address, Password: b.User.Password.Reveal(), Connections: pool, Opens: b.opened,
	}
}

func protection(encrypted bool) string {
	return map[bool]string{true: "tls", false: "plain"}[encrypted]
}

func (b *bench) full(encrypted bool) compare.Scenario {
	how := protection(encrypted)
	return compare.Scenario{
		Name:     "full-" + how,
		Title:    fmt.Sprintf("%d messages as a whole, %s", b.mails, how),
		Messages: b.mails, Bytes: b.size,
		Entries: compare.Each(b.work(task.Full, inbox, encrypted), "raw", "ours", "go-imap", "imaplib", "imapflow", "mbsync"),
		Targets: func(r *report.Report, took map[string]compare.Figure) {
			ours, raw := took["ours"], took["raw"]
			if !encrypted {
				r.AtMost("imap-full-plain-cpu-to-raw", compare.CPURatio(ours, raw), 2.2)
				return
			}
			r.AtMost("imap-full-tls-cpu-to-raw", compare.CPURatio(ours, raw), 1.4)
			r.AtMost("imap-full-tls-wall-to-raw", compare.WallRatio(ours, raw), 1.2)
			r.AtMost("imap-full-tls-peak-mb", ours.Megabytes(), 16)
		},
	}
}

func (b *bench) summaries(encrypted bool) compare.Scenario {
	how := protection(encrypted)
	entries := compare.Each(b.work(task.Summaries, inbox, encrypted), "raw", "ours", "go-imap", "imaplib", "imapflow")
	for _, name := range []string{"ours", "go-imap", "imaplib"} {
		entries = append(entries, compare.Entry{Peer: name, Variant: " collected", Task: b.work(task.Collect, inbox, encrypted)})
	}
	entries = append(entries, compare.Entry{Peer: "ours", Variant: " kept as they came", Task: b.work(task.Keep, inbox, encrypted)})
	return compare.Scenario{
		Name:     "summaries-" + how,
		Title:    fmt.Sprintf("%d summaries with subject, addresses, date, flags and size, %s", b.mails, how),
		Messages: b.mails, Entries: entries,
		Targets: func(r *report.Report, took map[string]compare.Figure) {
			r.AtMost("imap-summaries-"+how+"-cpu-to-go-imap", compare.CPURatio(took["ours"], took["go-imap"]), 0.8)
			r.AtMost("imap-summaries-"+how+"-collected-peak-mb", took["ours collected"].Megabytes(), 24)
			r.AtMost("imap-summaries-"+how+"-kept-peak-mb", took["ours kept as they came"].Megabytes(), 24)
		},
	}
}

func (b *bench) large() compare.Scenario {
	return compare.Scenario{
		Name:     "large-tls",
		Title:    fmt.Sprintf("one message of %d bytes, tls", b.largest),
		Messages: 1, Bytes: b.largest,
		Entries: compare.Each(b.work(task.Full, large, true), "raw", "ours", "go-imap", "imaplib", "imapflow", "mbsync"),
		Targets: func(r *report.Report, took map[string]compare.Figure) {
			r.AtMost("imap-large-tls-peak-mb", took["ours"].Megabytes(), 10)
		},
	}
}

// relayed is a whole folder through the relay.
func (b *bench) relayed(name, kind string) compare.Scenario {
	work := b.work(kind, inbox, true)
	work.Address = b.Relay
	s := compare.Scenario{
		Name:     name,
		Title:    fmt.Sprintf("%d messages (%s), tls, %v round trip", b.mails, kind, 2*b.Delay),
		Messages: b.mails, Entries: compare.Each(work, "raw", "ours"),
		Targets: func(*report.Report, map[string]compare.Figure) {},
	}
	if kind == task.Full {
		s.Bytes = b.size
		s.Targets = func(r *report.Report, took map[string]compare.Figure) {
			r.AtMost("imap-"+name+"-wall-to-raw", compare.WallRatio(took["ours"], took["raw"]), 1.2)
		}
	}
	return s
}

// opens is messages from all over the folder, through the relay.
func (b *bench) opens() compare.Scenario {
	work := b.work(task.Opens, inbox, true)
	work.Address = b.Relay
	alone := work
	alone.Connections = 1
	return compare.Scenario{
		Name:     "relay-opens",
		Title:    fmt.Sprintf("%d scattered messages, tls, %v round trip", b.opened, 2*b.Delay),
		Messages: b.opened,
		Entries:  []compare.Entry{{Peer: "ours", Variant: " one by one", Task: alone}, {Peer: "ours", Variant: fmt.Sprintf(" %d at a time", pool), Task: work}},
		Targets: func(r *report.Report, took map[string]compare.Figure) {
			r.AtMost("imap-relay-opens-pool-wall-to-one-by-one", compare.WallRatio(took[fmt.Sprintf("ours %d at a time", pool)], took["ours one by one"]), 0.3)
		},
	}
}
