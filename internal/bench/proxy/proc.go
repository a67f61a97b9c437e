package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 on all of Linux's
// architectures that Go runs on.
const tick = 10 * time.Millisecond

// tree lists a process and its descendants.
func tree(pid int) ([]int, error) {
	parents := map[int]int{}
	dirs, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, d := range dirs {
		if f, err := statFields(d); err == nil {
			id, _ := strconv.Atoi(filepath.Base(filepath.Dir(d)))
			parents[id], _ = strconv.Atoi(f[1])
		}
	}
	var out []int
	for id := range parents {
		for p := id; p > 1; p = parents[p] {
			if p == pid {
				out = append(out, id)
				break
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("process %d is gone", pid)
	}
	return out, nil
}

// statFields returns the fields of a stat file behind the name: state, ppid, …
func statFields(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(f) < 20 {
		return nil, errors.New(file + " is too short")
	}
	return f, nil
}

// treeCPU returns the CPU time, user and system, that a process and its
// descendants have used; children that ended are in their parents' count.
func treeCPU(pid int) (time.Duration, error) {
	pids, err := tree(pid)
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, id := range pids {
		f, err := statFields(fmt.Sprintf("/proc/%d/stat", id))
		if err != nil {
			return 0, err
		}
		for _, i := range []int{11, 12, 13, 14} { // utime, stime, cutime, cstime
			n, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				return 0, err
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * tick, nil
}

// treeMemory returns the resident memory of a process tree in bytes: pages that
// processes share count once (the kernel's Pss).
func treeMemory(pid int) (int64, error) {
	pids, err := tree(pid)
	if err != nil {
		return 0, err
	}
	var kb int64
	for _, id := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", id))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(data)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
				n, err := strconv.ParseInt(f[1], 10, 64)
				if err != nil {
					return 0, err
				}
				kb += n
			}
		}
	}
	return kb << 10, nil
}

// machine describes what was measured on what.
func machine(p programs) string {
	cpu := "unknown CPU"
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				cpu = strings.Trim(name, " \t:\n")
				break
			}
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d cores of %s, Linux %s, %s, %s, %s, %s", runtime.NumCPU(), cpu, strings.TrimSpace(string(kernel)),
		runtime.Version(), version(p.httpd, "-v", "Apache/"), version(p.haproxy, "-v", "version "), version(p.nginx, "-v", "nginx/"))
}

// version finds the number behind a mark in what a program says of itself.
func version(program, flag, mark string) string {
	out, _ := exec.Command(program, flag).CombinedOutput()
	name := filepath.Base(program)
	sc := bufio.NewScanner(bytes.NewReader(out))
	for sc.Scan() {
		if _, rest, ok := strings.Cut(sc.Text(), mark); ok {
			v, _, _ := strings.Cut(rest, " ")
			return name + " " + v
		}
	}
	return name
}
