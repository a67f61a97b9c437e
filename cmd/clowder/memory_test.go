package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hostile inputs of httpd: what is written once in front, and what is repeated; in
// that %d is a number of its own each time.
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
	{"lines with a variable", "Define X \"a b c\"\n", "Header set ${X} ${X}\n"},
	{"a large variable", "Define X \"" + strings.Repeat("a ", 30000) + "\"\n", "ServerAlias ${X}\n"},
	{"nested sections", "", "<If a>\n"},
	{"closing tags", "", "</a>\n"},
	{"includes", "", "Include x\n"},
	{"macros", "<Macro m $a>\n" + strings.Repeat("Header set $a $a\n", 1000) + "</Macro>\n", "Use m x\n"},
	{"macros of comments", "<Macro m $a>\n" + strings.Repeat("# $a\n", 100000) + "</Macro>\n", "Use m x\n"},
	{"definitions of macros", "", "<Macro m%d a>\n</Macro>\n"},
	{"nested macros", nestedMacros(), "#\n"},
	{"balancers", "", "<Proxy balancer://b%d>\n</Proxy>\n"},
	{"members of one balancer", "<Proxy balancer://c>\n", "BalancerMember http://h%d\n"},
	{"members of many balancers", "", "BalancerMember balancer://b%d http://h\n"},
	{"members of one host", "<Proxy balancer://c>\n", "BalancerMember http://h/%d\n"},
	{"workers", "", "ProxyPass /a http://h%d\n"},
	{"settings of balancers", "<Proxy balancer://c>\n</Proxy>\n", "ProxySet balancer://c timeout=1\n"},
	{"empty virtual hosts", "", "<VirtualHost *:80>\n</VirtualHost>\n"},
	{"virtual hosts with TLS", "", "<VirtualHost *:80>\nSSLEngine on\n</VirtualHost>\n"},
	{"empty locations", "", "<Location /a>\n</Location>\n"},
	{"locations", "", "<Location /a>\nRequire all denied\n</Location>\n"},
	{"folders", "", "<Directory /a>\nRequire all denied\n</Directory>\n"},
	{"a long name around", "<" + strings.Repeat("a", 1<<20) + ">\n", "a b\n"},
	{"headers", "", "Header unset a\n"},
	{"conditions", "", "<IfDefine !a>\n</IfDefine>\n"},
	{"not plain, short lines", "<IfModule !x>\n", "Listen 80\n"},
	{"not plain, words", "<IfModule !x>\n", "ServerAlias a a a a a a a a a a\n"},
	{"not plain, one-letter lines", "<IfModule !x>\n", "a\n"},
	{"includes of itself", "Include httpd.conf\n", "# a comment of some words\n"},
	{"dense includes of itself", "Include httpd.conf\n", "Listen 80\n"},
	{"many includes of itself", "", "Include httpd.conf\n"},
	{"not plain, includes of itself", "<IfModule !x>\n", "Include httpd.conf\n"},
}

// nestedMacros are macros of which each uses the next ten times.
func nestedMacros() string {
	var b strings.Builder
	for i := range 9 {
		fmt.Fprintf(&b, "<Macro m%d>\n%s</Macro>\n", i, strings.Repeat(fmt.Sprintf("Use m%d\n", i-1), min(10*i, 10)))
	}
	return b.String() + "Use m8\n"
}

// TestMemory proves the bound of the reader: a whole run takes at most 20 bytes
// for each byte of the input and 32 MiB besides what an empty run takes. Each ends
// within seconds.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("peak memory is read as Linux reports it, in a long run")
	}
	base := peak(t, "version")
	file := filepath.Join(t.TempDir(), "httpd.conf")
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			n := fill(t, file, h.head, h.body, 4<<20)
			start := time.Now()
			got, limit := peak(t, "lint", "--only", "syntax", file)-base, bound(h.head+h.body, n)
			t.Logf("%d MiB, %.1f bytes for each byte, %v", got>>20, float64(got-32<<20)/float64(n), time.Since(start).Round(time.Millisecond))
			if got > limit {
				t.Errorf("%d MiB for %d MiB of input; at most %d", got>>20, n>>20, limit>>20)
			}
		})
	}
}

// bound is 20 bytes for each byte that is read and 32 MiB. What is included again
// and what uses of macros make is read as well, and counts up to 4 MiB.
func bound(text string, size int64) int64 {
	if strings.Contains(text, "Include ") || strings.Contains(text, "Use ") {
		size += 4 << 20
	}
	return 20*size + 32<<20
}

// TestSmallMemory proves that small files that make much of themselves are stopped
// by findings that say why, within the bound.
func TestSmallMemory(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("peak memory is read as Linux reports it, in a long run")
	}
	base := peak(t, "version")
	for _, c := range []struct{ name, data, says string }{
		{"nested macros", nestedMacros(), "than its size explains"},
		{"included again and again", "Include httpd.conf\n" + strings.Repeat("# a comment of some words\n", 50000), "files are included again and again"},
		{"deep includes", "Include httpd.conf\n", "more than 128 deep"},
		{"wide includes", strings.Repeat("Include httpd.conf\n", 50), "more than 128 deep"},
		{"variables of variables", "Define X aaaaaaaaaa\n" + strings.Repeat("Define X ${X}${X}\n", 60) + strings.Repeat("ServerAlias ${X}\n", 1000), "than the size of the configuration explains"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "httpd.conf")
			if err := os.WriteFile(file, []byte(c.data), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := clowder("lint", "--only", "syntax", file)
			out, _ := cmd.CombinedOutput()
			got, limit := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10-base, bound(c.data, int64(len(c.data)))
			if got > limit {
				t.Errorf("%d KiB; at most %d", got>>10, limit>>10)
			}
			if !strings.Contains(string(out), c.says) {
				t.Errorf("nothing says %q:\n%.1000s", c.says, out)
			}
		})
	}
}

// TestLargeFiles proves that files as people and programs write them are read
// whole, however full of variables, includes and macros they are.
func TestLargeFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("a long run")
	}
	const vars = "Define DOMAIN example.com\nDefine BACKEND backend.internal.example\nDefine PORT 8080\nDefine APP application\nDefine LOGS /var/log/apache2\n"
	const host = "<VirtualHost *:80>\n    ServerName h%d.${DOMAIN}\n    ServerAlias www.h%d.${DOMAIN} static.h%d.${DOMAIN}\n    ErrorLog ${LOGS}/h%d-error.log\n" +
		"    CustomLog ${LOGS}/h%d-access.log combined\n    ProxyPreserveHost On\n    RequestHeader set X-Forwarded-Proto \"${SCHEME}\"\n    <Location /${APP}>\n" +
		"        Require all granted\n    </Location>\n    ProxyPass /${APP} http://${BACKEND}:${PORT}/h%d/${APP} retry=5 timeout=30\n" +
		"    ProxyPassReverse /${APP} http://${BACKEND}:${PORT}/h%d/${APP}\n    ProxyPass /static http://static.${BACKEND}:${PORT}/h%d\n" +
		"    ProxyPassReverse /static http://static.${BACKEND}:${PORT}/h%d\n    Header set X-Served-By \"h%d.${DOMAIN}\"\n    Header always set X-App ${APP}\n</VirtualHost>\n"
	for _, c := range []struct {
		name, head, body string
		n                int
	}{
		{"51,000 lines full of variables", vars + "Define SCHEME https\n", host, 3000},
		{"3,000 virtual hosts that include one file", "", "<VirtualHost *:80>\nServerName h%d\nInclude common.conf\n</VirtualHost>\n", 3000},
		{"3,000 uses of a macro", "<Macro VHost $name $port>\n" + strings.NewReplacer("h%d", "$name", "${PORT}", "$port").Replace(host) + "</Macro>\n" + vars + "Define SCHEME https\n", "Use VHost host%d 8080\n", 3000},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			data := []byte(c.head)
			for i := range c.n {
				data = append(data, strings.ReplaceAll(c.body, "%d", strconv.Itoa(i))...)
			}
			common := strings.Repeat("ProxyPass /a http://backend.internal.example:8080/a retry=5\nHeader set X-A b\n", 12)
			for name, data := range map[string]string{"httpd.conf": string(data), "common.conf": common} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if out, err := clowder("lint", "--only", "syntax", filepath.Join(dir, "httpd.conf")).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%.2000s", err, out)
			}
			out, err := clowder("show", filepath.Join(dir, "httpd.conf")).CombinedOutput()
			if n := strings.Count(string(out), "ServerName"); err != nil || n != c.n {
				t.Fatalf("%d virtual hosts: %v\n%.2000s", n, err, out)
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
	for n, i := len(head), 0; n < size; i++ {
		b := strings.Replace(body, "%d", strconv.Itoa(i), 1)
		fmt.Fprint(w, b)
		n += len(b)
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

// clowder is a command line to run in a process of its own.
func clowder(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Args[0] = "clowder"
	return cmd
}

// peak runs clowder and returns the most memory it had, in bytes. Findings are no
// failure.
func peak(t *testing.T, args ...string) int64 {
	t.Helper()
	cmd := clowder(args...)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitOK && code != exitFindings {
		t.Fatalf("%v: %v\n%.2000s", args, err, out)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}
