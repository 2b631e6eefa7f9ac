package main

import (
	"fmt"
	"syscall"
	"time"
)

// cpu returns the processor time that the process has taken, that of the
// garbage collector included.
func cpu() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read the processor time of the process: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// cpuOf returns the processor time of one call of f: the least of three runs,
// each of as many calls as take at least the time given.
func cpuOf(atLeast time.Duration, f func() error) (time.Duration, error) {
	best := time.Duration(1<<63 - 1)
	calls := 1
	for done := 0; done < 3; {
		start, err := cpu()
		if err != nil {
			return 0, err
		}
		for range calls {
			if err := f(); err != nil {
				return 0, err
			}
		}
		end, err := cpu()
		if err != nil {
			return 0, err
		}
		if took := end - start; took < atLeast {
			calls *= 2
			continue
		}
		best = min(best, (end-start)/time.Duration(calls))
		done++
	}
	return best, nil
}
