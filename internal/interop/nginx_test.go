package interop

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"clowder/parse"
	"clowder/render/nginx"
	"clowder/render/target"
)

var (
	nginxVectors = flag.String("nginx.vectors", "../../testdata/vectors/httpd/routing", "folder of routing vectors to convert to nginx")
	nginxCorpus  = flag.String("nginx.corpus", "", "folder of setups, one a folder, and of files to convert to nginx")
)

func requireNginx(t *testing.T) string {
	return Require(t, "nginx", "apt-get install nginx-light", "/usr/sbin/nginx")
}

// convertToNginx reads the paths as one setup and returns its configurations.
func convertToNginx(t *testing.T, paths ...string) (confs []string, notes []target.Note, ok bool) {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: paths, Whole: true})
	if err != nil {
		t.Logf("%v: %v", paths, err)
		return nil, nil, false
	}
	if len(r.Broken) > 0 || len(r.Setup.FrontEnds) == 0 {
		return nil, nil, false
	}
	res, err := nginx.Render(r.Setup, target.Options{})
	if err != nil {
		t.Fatalf("%v: %v", paths, err)
	}
	for _, f := range res.Files {
		confs = append(confs, string(f.Data))
	}
	return confs, res.Notes, true
}

// nginxRoot is a folder in which nginx can run as any user: certificates that do
// not exist are made, and names that nobody can look up lead to loopback.
type nginxRoot struct {
	dir, cert string
}

func newNginxRoot(t *testing.T) *nginxRoot {
	t.Helper()
	r := &nginxRoot{dir: t.TempDir()}
	r.cert = filepath.Join(r.dir, "dummy.pem")
	if err := os.WriteFile(r.cert, nginxCertificate(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "mime.types"), []byte("types { text/html html; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return r
}

var (
	nginxCert   = regexp.MustCompile(`(?m)^( *(?:proxy_)?ssl_(?:certificate(?:_key)?|client_certificate|trusted_certificate)) (?:"[^"\n]*"|[^;\n]*);`)
	nginxCRL    = regexp.MustCompile(`(?m)^ *ssl_crl .*;$`)
	nginxServer = regexp.MustCompile(`(?m)^( +server )([A-Za-z0-9_.-]*[A-Za-z_-][A-Za-z0-9_.-]*)(:\d+)`)
	nginxListen = regexp.MustCompile(`(?m)^( +listen )([A-Za-z][A-Za-z0-9.-]*)(:\d+)`)
)

// local makes a configuration one that this machine can check and run.
func (r *nginxRoot) local(conf string) string {
	conf = nginxCert.ReplaceAllString(conf, "$1 "+r.cert+";")
	conf = nginxCRL.ReplaceAllString(conf, "")
	conf = nginxServer.ReplaceAllString(conf, "${1}127.0.0.1$3")
	conf = nginxListen.ReplaceAllString(conf, "${1}127.0.0.1$3")
	conf = strings.ReplaceAll(conf, "/etc/nginx/mime.types", filepath.Join(r.dir, "mime.types"))
	conf = strings.ReplaceAll(conf, "/var/log/nginx/", r.dir+"/")
	paths := "http {\n    access_log off;\n"
	for _, p := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		paths += fmt.Sprintf("    %s_temp_path %s/%s;\n", p, r.dir, p)
	}
	return strings.Replace(conf, "http {\n", paths, 1)
}

func (r *nginxRoot) command(bin, conf string, more ...string) (*exec.Cmd, error) {
	file := filepath.Join(r.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(r.local(conf)), 0o600); err != nil {
		return nil, err
	}
	global := fmt.Sprintf("pid %s/pid; error_log stderr; daemon off;", r.dir)
	if os.Getuid() == 0 {
		global += " user root;" // else its workers cannot read the test's folders
	}
	return exec.Command(bin, append([]string{"-p", r.dir, "-c", file, "-g", global}, more...)...), nil
}

// check asks nginx whether it takes the configuration.
func (r *nginxRoot) check(bin, conf string) error {
	cmd, err := r.command(bin, conf, "-t")
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "syntax is ok") && strings.Contains(string(out), "bind() to ") {
			return nil // the address is that of another machine
		}
		return fmt.Errorf("%s\n%s", out, r.local(conf))
	} else if i := strings.Index(string(out), "[warn]"); i >= 0 && !strings.Contains(string(out), "ssl_stapling") && !strings.Contains(string(out), "\"user\" directive") {
		return fmt.Errorf("%s\n%s", out[i:], r.local(conf))
	}
	return nil
}

// start runs nginx until the test ends.
func (r *nginxRoot) start(t *testing.T, bin, conf string, port int) {
	t.Helper()
	cmd, err := r.command(bin, conf)
	if err != nil {
		t.Fatal(err)
	}
	process(t, cmd, func() { _ = cmd.Process.Signal(os.Interrupt) })
	WaitPort(t, port, 20*time.Second)
}

// TestNginxTakesEverything: nginx accepts what is made of the routing vectors and
// of the setups of a corpus.
func TestNginxTakesEverything(t *testing.T) {
	bin := requireNginx(t)
	root := newNginxRoot(t)
	n := 0
	one := func(paths ...string) {
		confs, _, ok := convertToNginx(t, paths...)
		if !ok {
			return
		}
		for _, conf := range confs {
			n++
			if err := root.check(bin, conf); err != nil {
				t.Errorf("%v: %v", paths, err)
			}
		}
	}
	one("../../testdata/seed/fixed")
	one("../../testdata/seed/broken")
	one("../../testdata/convert")
	script, err := txtar.ParseFile("../../cmd/clowder/testdata/script/convert_nginx.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range script.Files {
		if strings.HasSuffix(f.Name, ".want") {
			n++
			if err := root.check(bin, string(f.Data)); err != nil {
				t.Errorf("%s of the golden files: %v", f.Name, err)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(*nginxVectors, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", *nginxVectors, err)
	}
	for i, f := range files {
		if *nginxCorpus == "" && i%4 != 0 {
			continue // a sample; all of them with -nginx.corpus
		}
		v := readNginxVector(t, f)
		dir := t.TempDir()
		v.write(t, dir, v.ports())
		one(filepath.Join(dir, "httpd.conf"))
	}
	if *nginxCorpus != "" {
		for _, sub := range []string{"setups", "httpd"} {
			list, err := os.ReadDir(filepath.Join(*nginxCorpus, sub))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				one(filepath.Join(*nginxCorpus, sub, e.Name()))
			}
		}
	}
	t.Logf("%d configurations", n)
}

// nginxVector is as much of a routing vector as is needed to see who is let in.
type nginxVector struct {
	ID       string                     `json:"id"`
	Config   string                     `json:"config"`
	Files    map[string]string          `json:"files"`
	Prelude  []string                   `json:"prelude_added"`
	Startup  json.RawMessage            `json:"startup"`
	Backends map[string]json.RawMessage `json:"backends"`
	Steps    []struct {
		Request *struct {
			Method  string      `json:"method"`
			Path    string      `json:"path"`
			Version string      `json:"version"`
			Headers [][2]string `json:"headers"`
			Body    *string     `json:"body"`
			Raw     string      `json:"raw"`
			NoHost  bool        `json:"nohost"`
		} `json:"request"`
		Set    map[string]json.RawMessage `json:"set"`
		Expect struct {
			Response struct {
				Status int `json:"status"`
			} `json:"response"`
			Backend []struct {
				Member string `json:"member"`
				Line   string `json:"line"`
			} `json:"backend"`
		} `json:"expect"`
	} `json:"steps"`
}

func readNginxVector(t *testing.T, file string) *nginxVector {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v := &nginxVector{}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

// ports gives each placeholder a port at which nobody listens.
func (v *nginxVector) ports() map[string]int {
	out := map[string]int{"FRONT": 18080}
	for i, n := range []string{"A", "B", "C", "D", "E", "J", "K", "L", "X", "Y", "T"} {
		out[n] = i + 1
	}
	return out
}

func (v *nginxVector) write(t *testing.T, dir string, ports map[string]int) {
	t.Helper()
	expand := func(s string) string {
		for n, p := range ports {
			s = strings.ReplaceAll(s, "@"+n+"@", strconv.Itoa(p))
		}
		return strings.ReplaceAll(strings.ReplaceAll(s, "$ROOT", dir), "$MODULES", diffModules)
	}
	files := map[string]string{"httpd.conf": "ServerName front.example\nListen 127.0.0.1:@FRONT@\nTimeout 30\nDocumentRoot \"$ROOT/htdocs\"\n" +
		strings.Join(v.Prelude, "\n") + "\n" + v.Config, "htdocs/index.html": "local index\n", "htdocs/local.txt": "local file\n"}
	for n, text := range v.Files {
		files[n] = text
	}
	for n, text := range files {
		p := filepath.Join(dir, n)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(expand(text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestNginxIsNeverMoreOpen plays the recorded requests against nginx: what httpd
// refused reaches no member, and no file is sent.
func TestNginxIsNeverMoreOpen(t *testing.T) {
	bin := requireNginx(t)
	var files []string
	for _, topic := range []string{"access", "swallow", "merge", "manager", "match", "forward", "legacy", "encode", "vhost"} {
		list, err := filepath.Glob(filepath.Join(*nginxVectors, topic, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	seen := &nginxMembers{}
	ports := map[string]int{}
	for _, n := range []string{"A", "B", "C", "D", "E", "J", "K", "L"} {
		ports[n] = seen.listen(t, n)
	}
	for i, p := range FreePorts(t, 3) {
		ports[[]string{"X", "Y", "T"}[i]] = p
	}
	refused, same, total := 0, 0, 0
	for _, f := range files {
		v := readNginxVector(t, f)
		if len(v.Startup) > 0 && string(v.Startup) != "null" {
			continue
		}
		t.Run(v.ID, func(t *testing.T) {
			ports["FRONT"] = FreePorts(t, 1)[0]
			dir := t.TempDir()
			v.write(t, dir, ports)
			confs, _, ok := convertToNginx(t, filepath.Join(dir, "httpd.conf"))
			if !ok || len(confs) != 1 {
				return
			}
			newNginxRoot(t).start(t, bin, confs[0], ports["FRONT"])
			for i, s := range v.Steps {
				q := s.Request
				if q == nil || q.Raw != "" {
					continue
				}
				status, body := nginxSend(t, ports["FRONT"], q.Method, q.Path, q.Version, q.Headers, q.Body, q.NoHost)
				asked := seen.take()
				want := s.Expect.Response.Status
				total++
				if want == status && len(asked) == len(s.Expect.Backend) {
					same++
				} else {
					t.Logf("step %d: %s %s: %d, httpd %d; members saw %v, behind httpd %v", i, q.Method, q.Path, status, want, asked, s.Expect.Backend)
				}
				if want != 401 && want != 403 {
					continue
				}
				refused++
				if len(asked) > 0 && len(s.Expect.Backend) == 0 || status < 300 && status > 0 {
					t.Errorf("step %d: %s %s: httpd refuses it with %d, nginx answers %d %q, members saw %v\n%s", i, q.Method, q.Path, want, status, body, asked, confs[0])
				}
			}
		})
	}
	t.Logf("%d of %d answers are httpd's, %d of all were refused", same, total, refused)
	if same*100 < total*73 {
		t.Errorf("only %d of %d answers are httpd's; once it was 237 of 321, the others mostly of balancer-manager", same, total)
	}
	if refused < 20 {
		t.Errorf("only %d requests were refused by httpd: the vectors prove nothing", refused)
	}
}

// nginxMembers is what the members saw.
type nginxMembers struct{ hits }

// listen starts a member and returns its port.
func (r *nginxMembers) listen(t *testing.T, name string) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.add(name + " " + q.Method + " " + q.RequestURI)
		fmt.Fprintf(w, "%s %s %s host=%s\n", name, q.Method, q.RequestURI, q.Host)
		for _, k := range slices.Sorted(nginxKeys(q.Header)) {
			fmt.Fprintf(w, "%s: %s\n", k, strings.Join(q.Header[k], " | "))
		}
	})}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	return ln.Addr().(*net.TCPAddr).Port
}

func nginxKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// nginxSend sends a request as it is written and returns the status, 0 for none, and
// the body.
func nginxSend(t *testing.T, port int, method, path, version string, headers [][2]string, body *string, noHost bool) (int, string) {
	t.Helper()
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if method == "" {
		method = "GET"
	}
	if version == "" {
		version = "1.1"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\n", method, path, version)
	host := noHost
	for _, h := range headers {
		host = host || strings.EqualFold(h[0], "host")
	}
	if !host {
		b.WriteString("Host: www.example\r\n")
	}
	for _, h := range headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], strings.ReplaceAll(h[1], "@FRONT@", strconv.Itoa(port)))
	}
	if body != nil {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(*body))
	}
	b.WriteString("Connection: close\r\n\r\n")
	if body != nil {
		b.WriteString(*body)
	}
	if _, err := c.Write([]byte(b.String())); err != nil {
		return 0, ""
	}
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	data := make([]byte, 600)
	n, _ := res.Body.Read(data)
	return res.StatusCode, string(data[:n])
}
