package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// sample is the cost of one process, or the medians of several.
type sample struct {
	wall, cpu time.Duration
	rss       int64 // KiB
}

func (s sample) String() string {
	return fmt.Sprintf("%.0f\t%.0f\t%.0f", s.wall.Seconds()*1000, s.cpu.Seconds()*1000, float64(s.rss)/1024)
}

// alternate runs the commands in turn: once to warm up, then n times each. All
// must find nothing wrong.
func alternate(n int, commands ...[]string) ([]sample, error) {
	all := make([][]sample, len(commands))
	for i := range n + 1 {
		for k, c := range commands {
			x, err := once(c)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				all[k] = append(all[k], x)
			}
		}
	}
	out := make([]sample, len(commands))
	for k := range all {
		out[k] = median(all[k])
	}
	return out, nil
}

func once(args []string) (sample, error) {
	cmd := exec.Command(args[0], args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(start)}
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%.2000s", args[0], err, out.String())
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.rss = u.Maxrss
	}
	return s, nil
}

// median takes the median of each column.
func median(list []sample) sample {
	middle := func(less func(a, b sample) int) sample {
		sorted := slices.SortedFunc(slices.Values(list), less)
		return sorted[len(sorted)/2]
	}
	return sample{
		wall: middle(func(a, b sample) int { return int(a.wall - b.wall) }).wall,
		cpu:  middle(func(a, b sample) int { return int(a.cpu - b.cpu) }).cpu,
		rss:  middle(func(a, b sample) int { return int(a.rss - b.rss) }).rss,
	}
}
