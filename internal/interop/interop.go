// Package interop starts real servers, httpd and Tomcat, with roots of their own
// on loopback, for tests that put clowder's pieces before and behind them.
package interop

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"clowder/internal/ports"
)

// Require returns the path of a program, or skips the test with a sentence on what
// to install. With CLOWDER_INTEROP=require the skip is a failure.
func Require(t *testing.T, program, install string, paths ...string) string {
	t.Helper()
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	if p, err := exec.LookPath(program); err == nil {
		return p
	}
	msg := fmt.Sprintf("%s is not installed: %s", program, install)
	if os.Getenv("CLOWDER_INTEROP") == "require" {
		t.Fatal(msg)
	}
	t.Skip(msg)
	return ""
}

// FreePorts returns n TCP ports as ports.Free gives them.
func FreePorts(t *testing.T, n int) []int {
	t.Helper()
	list := make([]int, n)
	for i := range list {
		p, err := ports.Free()
		if err != nil {
			t.Fatal(err)
		}
		list[i] = p
	}
	return list
}

// hits is what members saw, noted by many goroutines.
type hits struct {
	mu    sync.Mutex
	lines []string
}

func (h *hits) add(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
}

// take returns what was noted since the last call.
func (h *hits) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.lines
	h.lines = nil
	return out
}

// writeFiles writes files with their folders into a new directory.
func writeFiles(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// output collects what a process prints; it may be read while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// process runs a command until the test ends; its output is shown when the test fails.
func process(t *testing.T, cmd *exec.Cmd, stop func()) *exec.Cmd {
	t.Helper()
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		stop()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Path, out.String())
		}
	})
	return cmd
}

// StartHTTPD runs a real httpd with the configuration. $ROOT in it is the server
// root, $MODULES the folder of modules; ServerRoot, PidFile and ErrorLog are added.
func StartHTTPD(t *testing.T, port int, conf string) {
	t.Helper()
	apache := Require(t, "apache2", "apt-get install apache2", "/usr/sbin/apache2")
	root := t.TempDir()
	conf = fmt.Sprintf("ServerRoot %q\nPidFile httpd.pid\nErrorLog error.log\nLogLevel warn\nMutex file:%s default\nDefaultRuntimeDir %q\n", root, root, root) + conf
	conf = strings.NewReplacer("$ROOT", root, "$MODULES", "/usr/lib/apache2/modules").Replace(conf)
	file := filepath.Join(root, "httpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(apache, "-f", file, "-D", "FOREGROUND")
	process(t, cmd, func() { _ = cmd.Process.Signal(os.Interrupt) })
	t.Cleanup(func() {
		if log, err := os.ReadFile(filepath.Join(root, "error.log")); err == nil && t.Failed() {
			t.Logf("httpd's error log:\n%s", log)
		}
	})
	WaitPort(t, port, 20*time.Second)
}

// Tomcat is one running Tomcat.
type Tomcat struct {
	Base string
	Cmd  *exec.Cmd
}

// Log returns what the Tomcat has printed so far.
func (t *Tomcat) Log() string { return fmt.Sprint(t.Cmd.Stdout) }

// counterJSP is the page of the story; it is given to Tomcat as its root application.
const counterJSP = `<%@ page contentType="text/plain; charset=UTF-8" session="true" %><%
Integer n = (Integer) session.getAttribute("tambah");
n = n == null ? 1 : n + 1;
session.setAttribute("tambah", n);
%>Tambah = <%= n %>
ID = <%= session.getId() %>
Node = <%= application.getInitParameter("node") %>
`

// StartTomcat runs a real Tomcat 10.1 with the server.xml and the counter page as
// its root application, and waits until the port listens.
func StartTomcat(t *testing.T, name, serverXML string, port int) *Tomcat {
	t.Helper()
	const home = "/usr/share/tomcat10"
	Require(t, "tomcat10", "apt-get install tomcat10", home+"/bin/bootstrap.jar")
	java := Require(t, "java", "apt-get install default-jre-headless")
	base := t.TempDir()
	write := func(name, content string) {
		p := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("conf/server.xml", serverXML)
	write("conf/tomcat-users.xml", `<tomcat-users xmlns="http://tomcat.apache.org/xml" version="1.0"/>`)
	for _, f := range []string{"web.xml", "catalina.properties"} {
		data, err := os.ReadFile(filepath.Join(home, "etc", f))
		if err != nil {
			t.Fatal(err)
		}
		write("conf/"+f, string(data))
	}
	write("webapps/ROOT/index.jsp", counterJSP)
	write("webapps/ROOT/WEB-INF/web.xml", `<?xml version="1.0" encoding="UTF-8"?>
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
  <distributable/>
  <context-param><param-name>node</param-name><param-value>`+name+`</param-value></context-param>
</web-app>
`)
	for _, d := range []string{"logs", "temp", "work"} {
		if err := os.MkdirAll(filepath.Join(base, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(java, "-Xmx256m", "-Djava.net.preferIPv4Stack=true", "-Dcatalina.home="+home, "-Dcatalina.base="+base,
		"-Djava.io.tmpdir="+filepath.Join(base, "temp"), "-classpath", home+"/bin/bootstrap.jar:"+home+"/bin/tomcat-juli.jar",
		"--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.io=ALL-UNNAMED",
		"--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
		"--add-opens=java.rmi/sun.rmi.transport=ALL-UNNAMED", "org.apache.catalina.startup.Bootstrap", "start")
	process(t, cmd, func() { _ = cmd.Process.Kill() })
	WaitPort(t, port, 60*time.Second)
	return &Tomcat{Base: base, Cmd: cmd}
}

// WaitPort waits until something listens on the port of 127.0.0.1.
func WaitPort(t *testing.T, port int, limit time.Duration) {
	t.Helper()
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
			return
		}
	}
	t.Fatalf("nothing listens on %s after %v", addr, limit)
}

// Browser is an HTTP client with one session's cookies.
type Browser struct {
	URL     string
	cookies map[string]string
}

// Answer is what the counter page said.
type Answer struct {
	Status int
	Count  int
	ID     string
	Node   string
	Body   string
}

// Get asks for the counter page once.
func (b *Browser) Get(t *testing.T) Answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range b.cookies {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	if b.cookies == nil {
		b.cookies = map[string]string{}
	}
	for _, c := range res.Cookies() {
		b.cookies[c.Name] = c.Value
	}
	return parseAnswer(res.StatusCode, body.String())
}

// Session returns the session cookie's value.
func (b *Browser) Session() string { return b.cookies["JSESSIONID"] }

func parseAnswer(status int, body string) Answer {
	a := Answer{Status: status, Body: body}
	for line := range strings.Lines(body) {
		if i := strings.Index(line, "Tambah = "); i >= 0 {
			a.Count, _ = strconv.Atoi(word(line[i+len("Tambah = "):]))
		}
		if i := strings.Index(line, "ID = "); i >= 0 && a.ID == "" {
			a.ID = word(line[i+len("ID = "):])
		}
		if i := strings.Index(line, "Node = "); i >= 0 {
			a.Node = word(line[i+len("Node = "):])
		}
	}
	return a
}

// word cuts at the first white space or tag.
func word(s string) string {
	if i := strings.IndexAny(s, " \t\r\n<"); i >= 0 {
		return s[:i]
	}
	return s
}
