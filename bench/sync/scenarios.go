package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/bench/internal/compare"
	"github.com/mailsession/mailsession/bench/internal/report"
	"github.com/mailsession/mailsession/bench/internal/task"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

const inbox = "INBOX"

// What happens between two looks: together changed.
const (
	arrivals = 40
	flagged  = 30
	removals = 30
	changed  = arrivals + flagged + removals
)

// scenarios returns the work in the order in which it is done. A look after
// changes goes on from the first one.
func (b *bench) scenarios() []compare.Scenario {
	return []compare.Scenario{b.first(), b.again(), b.watchAll(true), b.watchAll(false)}
}

// work is a task whose program keeps a file, or a folder, from one run to the next.
func (b *bench) work(kind, state string) task.Task {
	return task.Task{
		Kind: kind, TLS: true, Folder: inbox, CAFile: b.Servers.CAFile, Address: b.Servers.IMAPS,
		User: b.User.Address, Password: b.User.Password.Reveal(), Connections: 1, File: b.File(state),
	}
}

func (b *bench) entries(kind string) []compare.Entry {
	var all []compare.Entry
	for _, peer := range []string{"ours", "mbsync", "imapflow"} {
		all = append(all, compare.Entry{Peer: peer, Once: kind == task.First, Task: b.work(kind, "state-"+peer)})
	}
	return all
}

func (b *bench) first() compare.Scenario {
	return compare.Scenario{
		Name: "first", Title: fmt.Sprintf("a first look at %d messages, tls", b.mails), Messages: b.mails, Entries: b.entries(task.First),
		Targets: func(r *report.Report, took map[string]compare.Figure) {
			r.AtMost("sync-first-peak-mb", took["ours"].Megabytes(), 40)
		},
	}
}

func (b *bench) again() compare.Scenario {
	return compare.Scenario{
		Name: "again", Title: fmt.Sprintf("a look after %d changes, tls", changed), Messages: changed, Entries: b.entries(task.Again),
		Prepare: func() error {
			if _, err := os.Stat(b.File("state-ours")); err != nil {
				return errors.New("a look after changes goes on from a first one: let -only name first, too")
			}
			return nil
		},
		Targets: func(r *report.Report, took map[string]compare.Figure) {
			r.AtMost("sync-again-cpu-to-mbsync", compare.CPURatio(took["ours"], took["mbsync"]), 0.5)
			r.AtMost("sync-again-peak-mb", took["ours"].Megabytes(), 40)
		},
	}
}

// disturb has another client make the changes that the next looks find.
func (b *bench) disturb(ctx context.Context) error {
	config, err := b.work("", "").ClientTLS()
	if err != nil {
		return err
	}
	host, text, err := net.SplitHostPort(b.Servers.IMAPS)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	s, err := session.New(session.Credentials{User: b.User.Address, Password: b.User.Password},
		imapx.Backend(session.Server{Host: host, Port: port, TLS: config}, nil), nil, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	var ids []session.ID
	for m, err := range s.Messages(ctx, session.Query{Fields: session.FieldFlags, OldestFirst: true}) {
		if err != nil {
			return err
		}
		if !m.Flags.Has(session.Flagged) {
			ids = append(ids, m.ID)
		}
	}
	step := len(ids) / (flagged + removals) // from all over the folder
	var flag, remove []session.ID
	for i := range flagged + removals {
		if i%2 == 0 {
			flag = append(flag, ids[i*step])
		} else {
			remove = append(remove, ids[i*step])
		}
	}
	for n := range arrivals {
		if _, err := s.Append(ctx, session.Inbox, message.Bytes(letter(b.mails+n)), nil); err != nil {
			return err
		}
	}
	_, err = s.Apply(ctx, session.Change{Set: session.Flags{session.Flagged}}, flag...)
	_, removed := s.Apply(ctx, session.Change{Delete: true}, remove...)
	return errors.Join(err, removed)
}

// watching is what the program that watches tells.
type watching struct{ resident, heap, wakes float64 }

func (b *bench) watchAll(encrypted bool) compare.Scenario {
	how := map[bool]string{true: "tls", false: "plain"}[encrypted]
	t := task.Task{Kind: task.Watch, TLS: encrypted, Connections: b.watched}
	return compare.Scenario{
		Name: "watch-" + how, Title: fmt.Sprintf("%d mailboxes are watched, %s", b.watched, how), Messages: b.watched,
		Entries: []compare.Entry{{Peer: "watch", Task: t}},
		Targets: func(r *report.Report, _ map[string]compare.Figure) {
			r.Note("a mailbox: %.1f KB resident, %.1f KB of heap and stacks, %.1f wake-ups in a renewal of IDLE",
				b.watch.resident/1024, b.watch.heap/1024, b.watch.wakes)
			r.AtMost("sync-watch-"+how+"-kb-a-mailbox", b.watch.resident/1024, 60)
		},
	}
}

// told reads what the watching program prints: how many mailboxes, and what one of
// them takes.
func (b *bench) told(_ task.Task, line string) (messages int, size int64, err error) {
	if _, err := fmt.Sscan(line, &messages, &b.watch.resident, &b.watch.heap, &b.watch.wakes); err != nil {
		return 0, 0, fmt.Errorf("the program says %q: %w", line, err)
	}
	return messages, 0, nil
}

// serve starts the fakes with their mailboxes, and says where they are.
func (b *bench) serve(t *task.Task) error {
	ca := b.File("fakes.pem")
	address, err := b.Serve(context.Background(), "fakes", "-mailboxes", strconv.Itoa(t.Connections), "-ca", ca, "-tls="+strconv.FormatBool(t.TLS))
	t.Address, t.CAFile = strings.TrimSpace(address), ca
	return err
}
