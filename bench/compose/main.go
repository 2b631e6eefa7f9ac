// Command compose measures how messages are composed: what processor time and
// memory whole programs take for the same messages, by this library, go-mail,
// enmime and nodemailer, each in turn. It prints what it measured and one line for
// each figure with its bound.
//
// The script install puts nodemailer beside its program.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/bench/internal/report"
)

// largeSize is the length of the large attachment.
const largeSize = 100 << 20

// enough is how many messages take longer than the start of a program.
const enough = 5000

func main() {
	log.SetFlags(0)
	log.SetPrefix("compose: ")
	runs := flag.Int("runs", 5, "how often each program does each piece of work")
	messages := flag.Int("messages", enough, "how many messages with a text, a page and 20 KB are composed")
	flag.Parse()
	if *runs < 1 || *messages < 1 || flag.NArg() > 0 {
		log.Fatal("-runs and -messages are at least 1, and there are no arguments")
	}
	if err := run(context.Background(), *runs, *messages); err != nil {
		log.Fatal(err)
	}
}

// bench is what all pieces of work share.
type bench struct {
	dir   string              // for programs and files
	peers map[string][]string // commands by what they are called
	order []string
}

// A figure is what one process took.
type figure struct {
	CPU   time.Duration `json:"cpu"`
	Bytes int64         `json:"bytes"` // its memory at the most
}

func run(ctx context.Context, runs, messages int) (err error) {
	b := &bench{}
	if b.dir, err = os.MkdirTemp("", "mailsession-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(ctx); err != nil {
		return err
	}
	large := filepath.Join(b.dir, "large.bin")
	if err := writeLarge(large); err != nil {
		return err
	}
	var r report.Report
	r.Note("%d processors, %s, median of %d runs, whole processes", runtime.NumCPU(), runtime.Version(), runs)
	small, err := b.measure(ctx, &r, fmt.Sprintf("%d messages with a text, a page and an attachment of 20 KB", messages), runs, "small", strconv.Itoa(messages))
	if err != nil {
		return err
	}
	big, err := b.measure(ctx, &r, "a message with an attachment of 100 MB, from a file", runs, "large", large)
	if err != nil {
		return err
	}
	const mega = 1 << 20
	if messages < enough {
		r.Note("\nno bounds are looked at: they are for %d messages", enough)
		return r.Print(os.Stdout)
	}
	r.AtMost("compose-20kb-cpu-to-go-mail", small["mailsession"].CPU.Seconds()/small["go-mail"].CPU.Seconds(), 0.6)
	r.AtMost("compose-100mb-peak-mb", float64(big["mailsession"].Bytes)/mega, 10)
	return r.Print(os.Stdout)
}

// build builds the programs that are compared.
func (b *bench) build(ctx context.Context) error {
	const module = "github.com/mailsession/mailsession/bench/"
	where, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", module+"compose").Output()
	if err != nil {
		return fmt.Errorf("find the scripts, from within the repository: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.dir+string(filepath.Separator), module+"compose/ours", module+"compose/gomail", module+"compose/enmime", module+"internal/launch") //nolint:gosec // G204: the command is ours.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	b.order = []string{"mailsession", "go-mail", "enmime", "nodemailer"}
	b.peers = map[string][]string{
		"mailsession": {filepath.Join(b.dir, "ours")},
		"go-mail":     {filepath.Join(b.dir, "gomail")},
		"enmime":      {filepath.Join(b.dir, "enmime")},
		"nodemailer":  {"node", filepath.Join(strings.TrimSpace(string(where)), "nodemailer", "peer.mjs")},
	}
	return nil
}

// writeLarge writes a file that does not compress.
func writeLarge(name string) error {
	file, err := os.Create(name) //nolint:gosec // G304: it is in a folder of ours.
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	state := uint32(1)
	for range largeSize / len(block) {
		for i := range block {
			state = state*1664525 + 1013904223
			block[i] = byte(state >> 24)
		}
		if _, err := file.Write(block); err != nil {
			_ = file.Close() // the first error counts
			return err
		}
	}
	return file.Close()
}

// measure has each program do a piece of work in turn, and returns the medians.
func (b *bench) measure(ctx context.Context, r *report.Report, title string, runs int, args ...string) (map[string]figure, error) {
	all := make(map[string][]figure)
	lengths := make(map[string]string)
	for range runs {
		for _, peer := range b.order {
			f, length, err := b.once(ctx, append(slices.Clone(b.peers[peer]), args...))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", peer, err)
			}
			all[peer] = append(all[peer], f)
			lengths[peer] = length
		}
	}
	r.Note("\n%s", title)
	medians := make(map[string]figure)
	for _, peer := range b.order {
		f := figure{
			CPU:   middle(all[peer], func(f figure) time.Duration { return f.CPU }),
			Bytes: middle(all[peer], func(f figure) int64 { return f.Bytes }),
		}
		medians[peer] = f
		r.Note("%8.3f s CPU  %6.1f MB peak  %s bytes  %s", f.CPU.Seconds(), float64(f.Bytes)/(1<<20), lengths[peer], peer)
	}
	return medians, nil
}

// once runs a program and returns what it took, and how many bytes it says that
// it composed.
func (b *bench) once(ctx context.Context, command []string) (f figure, length string, err error) {
	result := filepath.Join(b.dir, "result.json")
	cmd := exec.CommandContext(ctx, filepath.Join(b.dir, "launch"), append([]string{result}, command...)...) //nolint:gosec // G204: the commands are ours.
	out, err := cmd.Output()
	if err != nil {
		return figure{}, "", err
	}
	data, err := os.ReadFile(result) //nolint:gosec // G304: it is in a folder of ours.
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	return f, strings.TrimSpace(string(out)), err
}

func middle[T ~int64](all []figure, of func(figure) T) T {
	values := make([]T, len(all))
	for i, f := range all {
		values[i] = of(f)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
