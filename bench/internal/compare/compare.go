// Package compare has programs do the same work on the same server, each in turn,
// and tells what they took.
package compare

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mailsession/mailsession/bench/internal/report"
	"github.com/mailsession/mailsession/bench/internal/task"
	"github.com/mailsession/mailsession/internal/interop"
)

// Bench is a comparison. The servers run when its functions are called.
type Bench struct {
	// Name is that of the package with the programs, such as "imap".
	Name string
	// Count is how often each program does each piece of work, after once for
	// the server's caches; 1 is once and no more.
	Count int
	// Unbound is why the bounds are not looked at, mostly empty: a run may have
	// less to do than what they are for, so that starting and signing in are most
	// of what it takes.
	Unbound string
	// Delay is that of the relay, in either direction.
	Delay time.Duration
	// Alone says that Fill starts what servers there are: neither those of the
	// interop tests nor a relay.
	Alone bool
	// Users are the mailboxes; without any there are two.
	Users []interop.User
	// Fill makes the mail.
	Fill func() error
	// Far is the address of the server that the relay leads to.
	Far func() string
	// Peers are the programs by their names in entries.
	Peers map[string]Peer
	// Work are the pieces of work, in the order in which they are done.
	Work func() []Scenario

	// Servers are the servers, and User whose mail is read, unless Alone is set.
	Servers *interop.Servers
	User    interop.User
	// Relay is the address that is far away.
	Relay string

	dir    string         // for programs and results
	source string         // where the scripts are
	ends   []func() error // of what was started
}

// Run starts the servers, does the work whose names begin as only says, and
// prints what it took.
func (b *Bench) Run(ctx context.Context, only string) (err error) {
	if b.dir, err = os.MkdirTemp("", "mailsession-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(ctx); err != nil {
		return err
	}
	defer func() {
		for _, end := range slices.Backward(b.ends) {
			if ended := end(); err == nil {
				err = ended
			}
		}
	}()
	if err := b.start(ctx); err != nil {
		return err
	}
	var r report.Report
	r.Note("%d processors, %s, median of %d runs; ratios are to the first line of each table", runtime.NumCPU(), runtime.Version(), b.Count)
	for _, s := range b.Work() {
		if !chosen(s.Name, only) {
			continue
		}
		if s.Prepare != nil {
			if err := s.Prepare(); err != nil {
				return err
			}
		}
		took, err := b.runs(ctx, s)
		if err != nil {
			return err
		}
		r.Note("%s", b.table(s, took))
		if b.Unbound == "" {
			s.Targets(&r, took)
		}
	}
	if b.Unbound != "" {
		r.Note("\nno bounds are looked at: %s", b.Unbound)
	}
	return r.Print(os.Stdout)
}

// start starts the servers and fills them.
func (b *Bench) start(ctx context.Context) (err error) {
	if b.Alone {
		return b.Fill()
	}
	if b.Servers, err = interop.Start(ctx, &interop.Options{Users: b.Users}); err != nil {
		return err
	}
	b.ends = append(b.ends, b.Servers.Stop)
	b.User = b.Servers.Users[0]
	if err := b.Fill(); err != nil {
		return err
	}
	b.Relay, err = b.Serve(ctx, "relay", "-to", b.Far(), "-delay", b.Delay.String())
	return err
}

// Scenario is one piece of work that several programs do.
type Scenario struct {
	Name     string
	Title    string
	Messages int   // how many have to be read or sent
	Bytes    int64 // how many bytes of them at least
	Entries  []Entry
	Prepare  func() error                // goes before; may be nil
	Settle   func(context.Context) error // lets a server come to rest behind each program; may be nil
	Targets  func(r *report.Report, took map[string]Figure)
}

// Entry is one program with its task.
type Entry struct {
	Peer    string
	Variant string // tells entries of one peer apart
	Once    bool   // it is done once whatever Count is: it takes long, and its figure is but shown
	Task    task.Task
}

func (e Entry) key() string { return e.Peer + e.Variant }

func (e Entry) label(peers map[string]Peer) string {
	name := peers[e.Peer].Name
	if e.Variant != "" {
		name += "," + e.Variant
	}
	return name
}

// Each gives several programs the same task.
func Each(t task.Task, names ...string) []Entry {
	entries := make([]Entry, len(names))
	for i, name := range names {
		entries[i] = Entry{Peer: name, Task: t}
	}
	return entries
}

// Peer is a program that does tasks.
type Peer struct {
	Name string
	// Command returns the command line for a task, which some peers have to be
	// prepared for.
	Command func(b *Bench, t task.Task) ([]string, error)
	// Done returns what was read where the program does not tell.
	Done func(t task.Task, line string) (messages int, bytes int64, err error)
}

// Built is a program of this module.
func Built(name string, args ...string) func(*Bench, task.Task) ([]string, error) {
	return func(b *Bench, _ task.Task) ([]string, error) {
		return append([]string{b.program(name)}, args...), nil
	}
}

// Script is a program beside this one.
func Script(interpreter, file string) func(*Bench, task.Task) ([]string, error) {
	return func(b *Bench, _ task.Task) ([]string, error) {
		return []string{interpreter, filepath.Join(b.source, filepath.FromSlash(file))}, nil
	}
}

// Told reads what a program says that it has done.
func Told(_ task.Task, line string) (messages int, bytes int64, err error) {
	if _, err := fmt.Sscan(line, &messages, &bytes); err != nil {
		return 0, 0, fmt.Errorf("the program says %q: %w", line, err)
	}
	return messages, bytes, nil
}

// check refuses figures of a program that did not read everything. A raw reader
// does not know how many messages its bytes are, and mbsync leaves out the CRs.
func (s Scenario) check(messages int, bytes int64) error {
	switch {
	case messages != 0 && messages != s.Messages:
		return fmt.Errorf("it did %d messages of %d", messages, s.Messages)
	case bytes < s.Bytes*9/10:
		return fmt.Errorf("it did %d bytes of %d", bytes, s.Bytes)
	}
	return nil
}

// runs does a scenario as often as was asked for, all of its programs in turns,
// and keeps what they took.
func (b *Bench) runs(ctx context.Context, s Scenario) (map[string]Figure, error) {
	all := map[string][]Figure{}
	known := b.Peers
	for n := range b.Count + 1 {
		for _, e := range s.Entries {
			if e.Once && n > 0 {
				continue
			}
			f, err := b.once(ctx, s, known[e.Peer], e.Task)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", s.Title, e.label(known), err)
			}
			if n > 0 || b.Count == 1 || e.Once { // the first one fills the caches of the server
				all[e.key()] = append(all[e.key()], f)
			}
		}
		if b.Count == 1 {
			break
		}
	}
	medians := map[string]Figure{}
	for name, figures := range all {
		medians[name] = median(figures)
	}
	return medians, nil
}

// once lets a program do a task and looks at whether it has.
func (b *Bench) once(ctx context.Context, s Scenario, p Peer, t task.Task) (f Figure, err error) {
	t.Dir, err = os.MkdirTemp(b.dir, "task-")
	if err != nil {
		return Figure{}, err
	}
	defer os.RemoveAll(t.Dir)
	command, err := p.Command(b, t)
	if err != nil {
		return Figure{}, err
	}
	f, line, err := b.measure(ctx, command, t)
	if err != nil {
		return Figure{}, err
	}
	messages, bytes, err := p.Done(t, line)
	if err != nil {
		return Figure{}, err
	}
	if s.Settle != nil {
		if err := s.Settle(ctx); err != nil {
			return Figure{}, err
		}
	}
	return f, s.check(messages, bytes)
}

// chosen reports whether a piece of work is one of those asked for.
func chosen(name, only string) bool {
	return slices.ContainsFunc(strings.Split(only, ","), func(start string) bool { return strings.HasPrefix(name, start) })
}

// build builds the programs that are compared.
func (b *Bench) build(ctx context.Context) error {
	const programs = "github.com/mailsession/mailsession/bench/"
	module := programs + b.Name
	where, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", module).Output() //nolint:gosec // G204: the name is ours.
	if err != nil {
		return fmt.Errorf("find the scripts, from within the repository: %w", err)
	}
	b.source = strings.TrimSpace(string(where))
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.dir+string(filepath.Separator), module+"/...", programs+"internal/launch", programs+"internal/relay") //nolint:gosec // G204: the command is ours.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}

// program returns the path of a program of ours.
func (b *Bench) program(name string) string { return filepath.Join(b.dir, name) }

// Serve starts a program of ours, such as the relay, for the rest of the run, and
// returns the address that it prints. It ends when its standard input does.
func (b *Bench) Serve(ctx context.Context, name string, args ...string) (address string, err error) {
	cmd := exec.CommandContext(ctx, b.program(name), args...) //nolint:gosec // G204: the command is ours.
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start %s: %w", name, err)
	}
	b.ends = append(b.ends, func() error {
		_ = in.Close()
		_ = cmd.Wait() // it has nothing to tell any more
		return nil
	})
	if _, err := fmt.Fscanln(out, &address); err != nil {
		return "", fmt.Errorf("%s does not tell where it listens: %w", name, err)
	}
	return address, nil
}

// File returns a name for a file that lasts as long as the run.
func (b *Bench) File(name string) string { return filepath.Join(b.dir, name) }

// table shows what the programs took.
func (b *Bench) table(s Scenario, took map[string]Figure) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s\n", s.Title)
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "CPU s\tratio\twall s\tratio\tpeak MB\t\t")
	first := took[s.Entries[0].key()]
	for _, e := range s.Entries {
		f := took[e.key()]
		fmt.Fprintf(w, "%.3f\t%.2f\t%.3f\t%.2f\t%.1f\t\t%s\n",
			f.CPU.Seconds(), CPURatio(f, first), f.Wall.Seconds(), WallRatio(f, first), f.Megabytes(), e.label(b.Peers))
	}
	_ = w.Flush() // it writes into memory
	return strings.TrimSuffix(text.String(), "\n")
}
