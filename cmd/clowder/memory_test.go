package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// hostile inputs of httpd: what is written once in front, and what is repeated.
var hostile = []struct{ name, head, body string }{
	{"one-letter lines", "", "a\n"},
	{"unknown bytes", "", "\xff\xfe\n"},
	{"NUL bytes", "", "\x00"},
	{"blank lines", "", "\n"},
	{"comments", "", "#\n"},
	{"one-letter lines and blank lines", "", "a\n\n"},
	{"short lines", "", "Listen 80\n"},
	{"usual lines", "", "ProxyPass /application http://backend.example:8080/application\n"},
	{"one line", "ServerAdmin ", "x"},
	{"continued nothing", "", "\\\n"},
	{"continued letters", "", "a\\\n"},
	{"words", "ServerAlias ", "a "},
	{"lines of words", "", "ServerAlias " + strings.Repeat("a ", 1000) + "\n"},
	{"quotes", "ServerAlias ", `"\"" `},
	{"variables without a value", "ServerAlias ", "${X}"},
	{"variables", "Define X \"a b \"\nServerAlias ", "${X}"},
	{"nested sections", "", "<If a>\n"},
	{"closing tags", "", "</a>\n"},
	{"includes", "", "Include x\n"},
	{"macros", "<Macro m $a>\n" + strings.Repeat("Header set $a $a\n", 1000) + "</Macro>\n", "Use m x\n"},
}

// expanding inputs need more than the bound: a line that is made of variables is
// held beside the one it was made of, with the places of all its pieces.
var expanding = []struct{ name, head, body string }{
	{"lines with a variable", "Define X \"a b c\"\n", "Header set ${X} ${X}\n"},
	{"a large variable", "Define X \"" + strings.Repeat("a ", 30000) + "\"\n", "ServerAlias ${X}\n"},
}

// TestMemory proves the bound of the reader: a whole run takes at most 20 bytes
// for each byte of the input and 32 MiB besides what an empty run takes; 32 bytes
// where most lines are made by variables.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("peak memory is read as Linux reports it, in a long run")
	}
	const size = 16 << 20
	base := peak(t, "version")
	file := filepath.Join(t.TempDir(), "httpd.conf")
	for i, h := range append(hostile, expanding...) {
		perByte := int64(20)
		if i >= len(hostile) {
			perByte = 32
		}
		t.Run(h.name, func(t *testing.T) {
			n := fill(t, file, h.head, h.body, size)
			got, limit := peak(t, "lint", "--only", "syntax", file)-base, perByte*n+32<<20
			t.Logf("%d MiB, %.1f bytes for each byte", got>>20, float64(got-32<<20)/float64(n))
			if got > limit {
				t.Errorf("%d MiB for %d MiB of input; at most %d", got>>20, n>>20, limit>>20)
			}
		})
	}
}

// fill writes a file of about that many bytes and returns its size.
func fill(t *testing.T, name, head, body string, size int) int64 {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprint(w, head)
	for n := len(head); n < size; n += len(body) {
		fmt.Fprint(w, body)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// peak runs clowder and returns the most memory it had, in bytes. Findings are no
// failure.
func peak(t *testing.T, args ...string) int64 {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Args[0] = "clowder"
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitOK && code != exitFindings {
		t.Fatalf("%v: %v\n%.2000s", args, err, out)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}
