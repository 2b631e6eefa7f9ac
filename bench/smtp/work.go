package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/mailsession/mailsession/bench/internal/compare"
	"github.com/mailsession/mailsession/bench/internal/report"
	"github.com/mailsession/mailsession/bench/internal/task"
)

// The peers. The first is what the others are measured by.
func peers() map[string]compare.Peer {
	return map[string]compare.Peer{
		"raw":        {Name: "raw BDAT, 16 on their way (limit)", Command: compare.Built("raw"), Done: done},
		"raw-data":   {Name: "raw DATA, pipelined", Command: compare.Built("raw", "-data"), Done: done},
		"ours":       {Name: "smtpx SendAll", Command: compare.Built("ours"), Done: done},
		"net/smtp":   {Name: "net/smtp", Command: compare.Built("netsmtp"), Done: done},
		"go-smtp":    {Name: "go-smtp", Command: compare.Built("gosmtp"), Done: done},
		"go-mail":    {Name: "go-mail (makes the messages)", Command: compare.Built("gomail"), Done: done},
		"nodemailer": {Name: "nodemailer, pool", Command: compare.Script("node", "peer.mjs"), Done: done},
		"smtplib":    {Name: "smtplib", Command: compare.Script("python3", "peer.py"), Done: done},
	}
}

// done asks the sink what came; of Postfix the program tells.
func done(t task.Task, line string) (messages int, bytes int64, err error) {
	if t.User != "" {
		return compare.Told(t, line)
	}
	nc, err := net.Dial("tcp", t.Address) //nolint:noctx // the sink is a process of ours
	if err != nil {
		return 0, 0, err
	}
	defer nc.Close()
	r := bufio.NewReader(nc)
	if _, err := r.ReadString('\n'); err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Fprint(nc, "XSTAT\r\n"); err != nil {
		return 0, 0, err
	}
	answer, err := r.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscanf(answer, "250 %d %d", &messages, &bytes)
	}
	return messages, bytes, err
}

// The programs that bounds are about go first; the others are shown beside them.
func always() []string { return []string{"raw", "raw-data", "ours", "net/smtp"} }
func shown() []string  { return []string{"go-smtp", "go-mail", "nodemailer", "smtplib"} }

// Over four connections there are no bounds.
func alwaysFour() []string { return []string{"raw", "raw-data", "ours"} }
func shownFour() []string  { return append([]string{"net/smtp"}, shown()...) }

// scenarios returns the work in the order in which it is done.
func (b *bench) scenarios() []compare.Scenario {
	plain := task.Task{Kind: task.Send, Address: b.chunking, File: b.small.name, Connections: 1, Messages: b.messages}
	secure := plain
	secure.Address, secure.StartTLS, secure.CAFile = b.secure, true, b.ca
	data := plain
	data.Address = b.plain
	return []compare.Scenario{
		b.work("sink", "sink with CHUNKING and PIPELINING", plain, always(), shown(), near("smtp-sink", 4, 8)),
		b.work("four", "sink with CHUNKING and PIPELINING", four(plain), alwaysFour(), shownFour(), nothing),
		b.work("starttls", "sink with CHUNKING and PIPELINING, STARTTLS", secure, always(), shown(), near("smtp-starttls", 3, 6)),
		b.work("starttls-four", "sink with CHUNKING and PIPELINING, STARTTLS", four(secure), alwaysFour(), shownFour(), nothing),
		b.composed(plain),
		b.work("pipelining", "sink with PIPELINING alone", data, []string{"raw-data", "ours", "net/smtp"}, nil, func(r *report.Report, took map[string]compare.Figure) {
			r.AtLeast("smtp-pipelining-net-smtp-wall-to-ours", compare.WallRatio(took["net/smtp"], took["ours"]), 3)
		}),
		b.postfix(),
		b.distant("relay-chunking", "sink with CHUNKING and PIPELINING", b.Relay, 15, plain),
		b.distant("relay-pipelining", "sink with PIPELINING alone", b.plainFar, 1.9, data),
		b.large("20mb", 20<<20, plain),
		b.large("100mb", 100<<20, plain),
	}
}

// nothing is what figures are held to that are but shown.
func nothing(*report.Report, map[string]compare.Figure) {}

// near are the bounds of a sink that answers at once.
func near(name string, toRaw, toNetSMTP float64) func(*report.Report, map[string]compare.Figure) {
	return func(r *report.Report, took map[string]compare.Figure) {
		r.AtMost(name+"-wall-to-raw", compare.WallRatio(took["ours"], took["raw"]), toRaw)
		r.AtLeast(name+"-net-smtp-wall-to-ours", compare.WallRatio(took["net/smtp"], took["ours"]), toNetSMTP)
	}
}

// four is the same work over four connections.
func four(t task.Task) task.Task {
	t.Connections = 4
	return t
}

// work is a task for those whose figures count and those that are shown once.
func (b *bench) work(name, title string, t task.Task, counted, once []string, targets func(*report.Report, map[string]compare.Figure)) compare.Scenario {
	t.From, t.To = "ann@example.test", "bob@example.test"
	connections := "1 connection"
	if t.Connections > 1 {
		connections = strconv.Itoa(t.Connections) + " connections"
	}
	s := compare.Scenario{
		Name: name, Messages: t.Messages, Targets: targets,
		Title:   fmt.Sprintf("%d messages of 10 KB, %s, %s", t.Messages, title, connections),
		Bytes:   int64(t.Messages) * 8_000, // those that are made are a little smaller
		Entries: compare.Each(t, counted...),
	}
	for _, e := range compare.Each(t, once...) {
		e.Once = true
		s.Entries = append(s.Entries, e)
	}
	return s
}

// composed is work where the messages are made, too.
func (b *bench) composed(t task.Task) compare.Scenario {
	t.Kind = task.Compose
	return b.work("compose", "sink, each made before it is sent", t, []string{"ours", "go-mail"}, nil, func(r *report.Report, took map[string]compare.Figure) {
		r.AtLeast("smtp-compose-go-mail-wall-to-ours", compare.WallRatio(took["go-mail"], took["ours"]), 6)
	})
}

// postfix is mail that is kept.
func (b *bench) postfix() compare.Scenario {
	t := task.Task{
		Kind: task.Send, Address: b.Servers.Submission, StartTLS: true, CAFile: b.Servers.CAFile, File: b.small.name,
		User: b.User.Address, Password: b.User.Password.Reveal(), Connections: 1, Messages: b.kept,
	}
	s := b.work("postfix", "Postfix by STARTTLS", t, always(), shown(), func(r *report.Report, took map[string]compare.Figure) {
		r.AtMost("smtp-postfix-cpu-to-raw", compare.CPURatio(took["ours"], took["raw"]), 4)
		r.AtMost("smtp-postfix-wall-to-raw", compare.WallRatio(took["ours"], took["raw"]), 1.1)
	})
	s.Bytes = 0 // go-mail does not tell
	s.Settle = b.Servers.Drain
	return s
}

// distant is a sink that is far away.
func (b *bench) distant(name, title, address string, bound float64, t task.Task) compare.Scenario {
	t.Address, t.Messages = address, b.far
	title = fmt.Sprintf("%s, %v round trip", title, 2*b.Delay)
	first := []string{"raw", "ours"}
	if address == b.plainFar {
		first = []string{"raw-data", "ours"}
	}
	return b.work(name, title, t, first, []string{"nodemailer"}, func(r *report.Report, took map[string]compare.Figure) {
		r.AtLeast("smtp-"+name+"-nodemailer-wall-to-ours", compare.WallRatio(took["nodemailer"], took["ours"]), bound)
	})
}

// large is one large message from a file.
func (b *bench) large(name string, size int, t task.Task) compare.Scenario {
	t.File, t.Messages = b.File(name+".eml"), 1
	s := b.work(name, "", t, []string{"raw", "ours"}, []string{"net/smtp", "nodemailer", "smtplib"}, func(r *report.Report, took map[string]compare.Figure) {
		r.AtMost("smtp-"+name+"-peak-mb", took["ours"].Megabytes(), 10)
	})
	s.Title = fmt.Sprintf("one message of %d MB to a sink with CHUNKING and PIPELINING", size>>20)
	s.Bytes = int64(size)
	s.Prepare = func() error {
		if _, err := os.Stat(t.File); err == nil {
			return nil
		}
		_, err := b.write(name+".eml", size)
		return err
	}
	return s
}
