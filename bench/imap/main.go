// Command imap measures how fast mail is read by IMAP: what processor time, time
// and memory whole programs take for the same work on the same Dovecot, each in
// turn, and how that compares with a program that asks for the same and drops
// the bytes. It prints a table for each piece of work, and one line for each
// figure with its bound.
//
// It starts its own servers, which takes root, and fills them with mail that is
// the same in every run. The script install puts on a Debian machine what it
// needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mailsession/mailsession/bench/internal/report"
	"github.com/mailsession/mailsession/internal/interop"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("imap: ")
	b := &bench{delay: 20 * time.Millisecond}
	flag.IntVar(&b.count, "runs", 3, "how often each program does each piece of work, after once for the server's caches; 1 is once and no more")
	flag.IntVar(&b.mails, "messages", 10_000, "how many messages the folder has")
	flag.IntVar(&b.opened, "opens", 500, "how many messages are opened one by one")
	only := flag.String("only", "", "the pieces of work that are done, by the start of their names, between commas; all of them where it is empty")
	flag.Parse()
	if b.count < 1 || b.mails < 1 || b.opened < 1 || flag.NArg() > 0 {
		flag.Usage()
		log.Fatal("numbers are to be 1 or more, and there are no arguments")
	}
	if err := b.run(context.Background(), *only); err != nil {
		log.Fatal(err)
	}
}

// bench is what all pieces of work share.
type bench struct {
	count, mails, opened int
	delay                time.Duration // in either direction, of the relay

	dir     string // for programs and results
	source  string // where the scripts are
	servers *interop.Servers
	user    interop.User
	relay   string // the address that is far away
	size    int64  // of all messages in the inbox
	largest int64  // of the message in the other folder
}

// run starts the servers, does the work and prints what it took.
func (b *bench) run(ctx context.Context, only string) (err error) {
	if b.dir, err = os.MkdirTemp("", "mailsession-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(ctx); err != nil {
		return err
	}
	if b.servers, err = interop.Start(ctx, nil); err != nil {
		return err
	}
	defer func() {
		if stopped := b.servers.Stop(); err == nil {
			err = stopped
		}
	}()
	if err := b.fill(); err != nil {
		return err
	}
	stop, err := b.startRelay(ctx)
	if err != nil {
		return err
	}
	defer stop()
	var r report.Report
	r.Note("%d processors, %s, median of %d runs; ratios are to the first line of each table", runtime.NumCPU(), runtime.Version(), b.count)
	for _, s := range b.scenarios() {
		if !chosen(s.name, only) {
			continue
		}
		took, err := b.runs(ctx, s)
		if err != nil {
			return err
		}
		r.Note("%s", table(s, took))
		s.targets(&r, took)
	}
	return r.Print(os.Stdout)
}

// chosen reports whether a piece of work is one of those asked for.
func chosen(name, only string) bool {
	return slices.ContainsFunc(strings.Split(only, ","), func(start string) bool { return strings.HasPrefix(name, start) })
}

// build builds the programs that are compared.
func (b *bench) build(ctx context.Context) error {
	const module = "github.com/mailsession/mailsession/bench/imap"
	where, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return fmt.Errorf("find the scripts, from within the repository: %w", err)
	}
	b.source = strings.TrimSpace(string(where))
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.dir+string(filepath.Separator), module+"/...") //nolint:gosec // G204: the command is ours.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}

// program returns the path of a program of ours.
func (b *bench) program(name string) string { return filepath.Join(b.dir, name) }

// fill makes the mail.
func (b *bench) fill() error {
	const about = 20_000
	b.user = b.servers.Users[0]
	for n := range messages(b.mails, about) {
		b.size += int64(len(n))
	}
	if err := b.servers.Fill(b.user.Address, inbox, messages(b.mails, about)); err != nil {
		return err
	}
	for m := range messages(1, largeSize) {
		b.largest = int64(len(m))
	}
	return b.servers.Fill(b.user.Address, large, messages(1, largeSize))
}

// startRelay starts the relay in a process of its own, before the port with TLS.
func (b *bench) startRelay(ctx context.Context) (stop func(), err error) {
	cmd := exec.CommandContext(ctx, b.program("relay"), "-to", b.servers.IMAPS, "-delay", b.delay.String()) //nolint:gosec // G204: the command is ours.
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the relay: %w", err)
	}
	stop = func() {
		_ = in.Close()
		_ = cmd.Wait() // it has nothing to tell any more
	}
	if _, err := fmt.Fscanln(out, &b.relay); err != nil {
		stop()
		return nil, fmt.Errorf("the relay does not tell where it listens: %w", err)
	}
	return stop, nil
}

// table shows what the programs took.
func table(s scenario, took map[string]figure) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s\n", s.title)
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "CPU s\tratio\twall s\tratio\tpeak MB\t\t")
	first := took[s.entries[0].key()]
	for _, e := range s.entries {
		f := took[e.key()]
		fmt.Fprintf(w, "%.3f\t%.2f\t%.3f\t%.2f\t%.1f\t\t%s\n",
			f.CPU.Seconds(), cpuRatio(f, first), f.Wall.Seconds(), wallRatio(f, first), f.megabytes(), e.label(peers()))
	}
	_ = w.Flush() // it writes into memory
	return strings.TrimSuffix(text.String(), "\n")
}
