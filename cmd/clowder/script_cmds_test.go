package main

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"clowder/runtime"

	"github.com/rogpeppe/go-internal/testscript"
)

// commands are what the scripts have beyond testscript's own.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"offset":      cmdOffset,
	"waitport":    cmdWaitPort,
	"get":         cmdGet,
	"newsession":  cmdNewSession,
	"todaylog":    cmdTodayLog,
	"shutdown":    cmdShutdown,
	"waitreloads": cmdWaitReloads,
	"change":      cmdChange,
	"hangup":      cmdHangup,
	"mode":        cmdMode,
}

// cmdWaitReloads asks the process of the setup until it has reloaded that often.
func cmdWaitReloads(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		ts.Check(ts.Exec("clowder", "ctl", "--setup", args[0], "status"))
		if strings.Contains(ts.ReadFile("stdout"), "reloaded "+args[1]+" times") {
			return
		}
	}
	ts.Fatalf("not reloaded %s times:\n%s", args[1], ts.ReadFile("stdout"))
}

// cmdHangup sends SIGHUP to the process of the setup.
func cmdHangup(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("clowder", "ctl", "--setup", args[0], "status", "--format", "json"))
	var st runtime.Status
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &st))
	p, err := os.FindProcess(st.PID)
	ts.Check(err)
	ts.Check(p.Signal(syscall.SIGHUP))
}

// cmdChange replaces a text in a file: change FILE OLD NEW.
func cmdChange(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
}

// cmdMode compares the permissions of a file: mode FILE 600.
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	st, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(st.Mode().Perm()), 8); (got == args[1]) == neg {
		ts.Fatalf("%s has mode %s", args[0], got)
	}
}

// cmdOffset finds a port offset at which the story's ports are free and sets
// OFFSET, HTTP (the balancer's port), S1 and S2 (AJP ports of two nodes) and
// SHUTDOWN1.
func cmdOffset(ts *testscript.TestScript, _ bool, _ []string) {
	for range 100 {
		offset := 1000 + rand.IntN(14000)
		if free(offset+80, offset+90, offset+380, offset+8001, offset+8101, offset+8301, offset+8302, offset+8303, offset+4001) {
			for name, port := range map[string]int{"OFFSET": 0, "HTTP": 80, "S1": 8301, "S2": 8302, "SHUTDOWN1": 8001, "SECOND": 90} {
				ts.Setenv(name, strconv.Itoa(offset+port))
			}
			ts.Setenv("OFFSET2", strconv.Itoa(offset+300))
			ts.Setenv("HTTP2", strconv.Itoa(offset+380))
			return
		}
	}
	ts.Fatalf("no free ports found")
}

func free(ports ...int) bool {
	for _, p := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(p)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

func cmdWaitPort(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", net.JoinHostPort("localhost", args[0]))
		if err == nil {
			c.Close()
			return
		}
	}
	ts.Fatalf("nothing listens on port %s", args[0])
}

// cmdGet fetches a URL with the cookies of the script and matches the body. It
// sets SESSION to the session id and OWNER to the node that answered.
func cmdGet(ts *testscript.TestScript, neg bool, args []string) {
	req, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	jar := ts.MkAbs("cookies")
	if data, err := os.ReadFile(jar); err == nil && len(data) > 0 {
		req.Header.Set("Cookie", strings.TrimSpace(string(data)))
	}
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	if found := regexp.MustCompile(args[1]).Match(body); found == neg {
		ts.Fatalf("%s answered %s\n%s", args[0], res.Status, body)
	}
	for _, c := range res.Cookies() {
		ts.Check(os.WriteFile(jar, []byte(c.Name+"="+c.Value), 0o600))
		ts.Setenv("SESSION", c.Value)
	}
	if m := regexp.MustCompile(`Node = (\w+)`).FindSubmatch(body); m != nil {
		ts.Setenv("OWNER", string(m[1]))
	}
}

func cmdNewSession(ts *testscript.TestScript, _ bool, _ []string) {
	_ = os.Remove(ts.MkAbs("cookies"))
}

// cmdTodayLog prints the access log of today, whose name carries the date.
func cmdTodayLog(ts *testscript.TestScript, _ bool, _ []string) {
	logs, err := filepath.Glob(ts.MkAbs("logs/logs/localhost_access_log.*.txt"))
	ts.Check(err)
	for _, l := range logs {
		_, err := io.WriteString(ts.Stdout(), ts.ReadFile(l))
		ts.Check(err)
	}
}

// cmdShutdown sends a word to a shutdown port and waits until the port is closed.
func cmdShutdown(ts *testscript.TestScript, _ bool, args []string) {
	addr := net.JoinHostPort("localhost", args[0])
	c, err := net.Dial("tcp", addr)
	ts.Check(err)
	_, err = io.WriteString(c, args[1])
	ts.Check(err)
	c.Close()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err != nil {
			return
		} else {
			c.Close()
		}
	}
	ts.Fatalf("port %s is still open", args[0])
}
