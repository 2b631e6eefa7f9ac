package compare

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/bench/internal/task"
)

// Figure is what one process took.
type Figure struct {
	Wall  time.Duration `json:"wall"`
	CPU   time.Duration `json:"cpu"`
	Bytes int64         `json:"bytes"` // its memory at the most
}

// Megabytes returns its memory at the most, in MiB.
func (f Figure) Megabytes() float64 { return float64(f.Bytes) / (1 << 20) }

// measure starts a program once and returns what it took, and the last line that
// it printed.
func (b *Bench) measure(ctx context.Context, command []string, t task.Task) (f Figure, line string, err error) {
	todo, err := json.Marshal(t) //nolint:gosec // G117: the password is made up for the run, and peers in other languages have to read it.
	if err != nil {
		return Figure{}, "", err
	}
	result := filepath.Join(b.dir, "result.json")
	cmd := exec.CommandContext(ctx, b.program("launch"), append([]string{result}, command...)...) //nolint:gosec // G204: the commands are ours.
	cmd.Env = append(os.Environ(), task.Variable+"="+string(todo))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return Figure{}, "", fmt.Errorf("%s: %w\n%s", filepath.Base(command[0]), err, errs.Bytes())
	}
	data, err := os.ReadFile(result) //nolint:gosec // G304: it is in our folder.
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		return Figure{}, "", fmt.Errorf("read what %s took: %w", command[0], err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return f, lines[len(lines)-1], nil
}

// median returns the median of each Figure by itself.
func median(all []Figure) Figure {
	return Figure{
		Wall:  middle(all, func(f Figure) time.Duration { return f.Wall }),
		CPU:   middle(all, func(f Figure) time.Duration { return f.CPU }),
		Bytes: middle(all, func(f Figure) int64 { return f.Bytes }),
	}
}

func middle[T ~int64](all []Figure, of func(Figure) T) T {
	values := make([]T, len(all))
	for i, f := range all {
		values[i] = of(f)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// CPURatio returns how much processor time one took as a multiple of another's.
func CPURatio(a, b Figure) float64 { return float64(a.CPU) / float64(cmp.Or(b.CPU, 1)) }

// WallRatio returns how long one took as a multiple of another.
func WallRatio(a, b Figure) float64 { return float64(a.Wall) / float64(cmp.Or(b.Wall, 1)) }
