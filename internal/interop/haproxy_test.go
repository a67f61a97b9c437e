package interop

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"clowder/parse"
	"clowder/render/haproxy"
	"clowder/render/target"
)

var (
	haVectors = flag.String("haproxy.vectors", filepath.Join("..", "..", "testdata", "vectors", "httpd", "routing"), "folder of routing vectors that are converted for HAProxy")
	haCorpus  = flag.String("haproxy.corpus", "", "folder with real configurations (httpd/*.conf, setups/*/) that are converted for HAProxy")
)

func requireHAProxy(t *testing.T) string {
	t.Helper()
	return Require(t, "haproxy", "apt-get install haproxy", "/usr/sbin/haproxy")
}

// haConvert reads the files of a setup and writes them for HAProxy.
func haConvert(t *testing.T, files map[string]string) (string, []target.Note) {
	t.Helper()
	dir := writeFiles(t, files)
	r, err := parse.Load(parse.Options{Paths: []string{dir}, HTTPD: "2.4", Whole: true, Config: "none"})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Broken) > 0 {
		t.Fatalf("the setup does not parse: %v", r.Diags)
	}
	res, err := haproxy.Target.Render(r.Setup, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return string(res.Files[0].Data), res.Notes
}

// dummyCertificate writes a certificate with its key that HAProxy takes for any of
// the files of a configuration.
func dummyCertificate(t *testing.T, dir string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "dummy"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}, cert, key)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	_ = pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	_ = pem.Encode(&b, &pem.Block{Type: "X509 CRL", Bytes: crl})
	file := filepath.Join(dir, "dummy.pem")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

var certWord = regexp.MustCompile(`( (?:crt|ca-file|crl-file) )('[^']*'|"(?:[^"\\]|\\.)*"|\S+)`)

// haCheck runs HAProxy's own checker on configurations at once; files of
// certificates are replaced by the dummy. It returns what is wrong by index.
func haCheck(bin, dir, dummy string, cfgs []string) map[int]error {
	args := []string{"-c"}
	for i, cfg := range cfgs {
		file := filepath.Join(dir, fmt.Sprintf("haproxy%d.cfg", i))
		cfg = sectionName.ReplaceAllString(certWord.ReplaceAllString(cfg, "${1}"+dummy), fmt.Sprintf("${1}${2}_%d", i))
		if err := os.WriteFile(file, []byte(cfg), 0o644); err != nil {
			return map[int]error{0: err}
		}
		args = append(args, "-f", file)
	}
	out, err := exec.Command(bin, args...).CombinedOutput()
	if err == nil && !bytes.Contains(unresolved.ReplaceAll(out, nil), []byte("[WARNING]")) {
		return nil
	}
	if len(cfgs) == 1 {
		return map[int]error{0: fmt.Errorf("%v\n%s", err, out)}
	}
	bad := map[int]error{}
	for i, cfg := range cfgs {
		for _, err := range haCheck(bin, dir, dummy, []string{cfg}) {
			bad[i] = err
		}
	}
	return bad
}

// unresolved is a warning that nobody can avoid: the members' names are not known here.
var unresolved = regexp.MustCompile(`(?m)^\[WARNING\].*could not resolve address.*$`)

// sectionName finds the names of sections, so that several files can be checked at once.
var sectionName = regexp.MustCompile(`(?m)^((?:frontend|backend|    use_backend|    default_backend|    stats scope) )([A-Za-z0-9_]\S*)`)

// startHAProxy runs the configuration until the test ends, and waits for the port.
func startHAProxy(t *testing.T, cfg string, port int) {
	t.Helper()
	bin := requireHAProxy(t)
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(cfg), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-db", "-f", file)
	process(t, cmd, func() { _ = cmd.Process.Signal(os.Interrupt) })
	WaitPort(t, port, 20*time.Second)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("haproxy.cfg:\n%s", cfg)
		}
	})
}

// haVector is what is needed of a routing vector.
type haVector struct {
	ID      string   `json:"id"`
	Config  string   `json:"config"`
	Prelude []string `json:"prelude_added"`
	Startup any      `json:"startup"`
	Steps   []haStep `json:"steps"`
}

// haStep is one request and what httpd did with it.
type haStep struct {
	Request *struct {
		Method  string      `json:"method"`
		Path    string      `json:"path"`
		Headers [][2]string `json:"headers"`
		Raw     string      `json:"raw"`
		NoHost  bool        `json:"nohost"`
		Body    *string     `json:"body"`
		Chunks  []string    `json:"chunks"`
		Size    int         `json:"body_size"`
		Conn    any         `json:"connection_id"`
	} `json:"request"`
	Expect struct {
		Response struct {
			Status int `json:"status"`
		} `json:"response"`
		Backend []struct {
			Member string `json:"member"`
			Line   string `json:"line"`
		} `json:"backend"`
	} `json:"expect"`
}

// notAccess are vectors whose refusals have nothing to do with who may ask for
// what: HAProxy has rules of its own for the form of messages.
var notAccess = map[string]string{
	"forward-09": "Max-Forwards is for TRACE and OPTIONS only",
	"header-30":  "forms of messages: a repeated Content-Length, no Host, two blanks",
	"match-05":   "ProxyPass / to a URL without a slash is an error in httpd for each request",
}

// refused reports whether httpd answered the request itself with an error of the
// client's or a redirect.
func (s haStep) refused() bool {
	r, status := s.Request, s.Expect.Response.Status
	return r != nil && len(s.Expect.Backend) == 0 && status >= 300 && status < 500 && r.Body == nil && r.Size == 0 && len(r.Chunks) == 0 && r.Conn == nil
}

// bytes writes the request.
func (s haStep) bytes() string {
	r := s.Request
	if r.Raw != "" {
		return r.Raw
	}
	method, head := r.Method, ""
	if method == "" {
		method = http.MethodGet
	}
	host := r.NoHost
	for _, h := range r.Headers {
		host = host || strings.EqualFold(h[0], "Host")
		head += h[0] + ": " + h[1] + "\r\n"
	}
	if !host {
		head = "Host: www.example\r\n" + head
	}
	return method + " " + r.Path + " HTTP/1.1\r\n" + head + "\r\n"
}

func readHAVectors(t *testing.T) []haVector {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(*haVectors, "*", "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no vectors in %s: %v", *haVectors, err)
	}
	var out []haVector
	for _, n := range names {
		data, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		var v haVector
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", n, err)
		}
		out = append(out, v)
	}
	return out
}

var placeholder = regexp.MustCompile(`@[A-Z]+@`)

// haVectorConfig converts a vector, "" when httpd or clowder does not take it.
func haVectorConfig(t *testing.T, v *haVector, ports map[string]int) string {
	t.Helper()
	conf := "ServerName front.example\nListen 127.0.0.1:@FRONT@\nTimeout 30\nDocumentRoot \"/nonexistent/htdocs\"\n" + strings.Join(v.Prelude, "\n") + "\n" + v.Config
	conf = placeholder.ReplaceAllStringFunc(conf, func(p string) string { return strconv.Itoa(ports[p[1:len(p)-1]]) })
	conf = strings.ReplaceAll(conf, "$ROOT", "/nonexistent")
	r, err := parse.Load(parse.Options{Paths: []string{"httpd.conf"}, HTTPD: "2.4", Whole: true, Config: "none", Overlay: map[string][]byte{"httpd.conf": []byte(conf)}})
	if err != nil || len(r.Broken) > 0 {
		return ""
	}
	res, err := haproxy.Target.Render(r.Setup, target.Options{})
	if err != nil {
		t.Fatalf("%s: %v", v.ID, err)
	}
	return string(res.Files[0].Data)
}

// haPorts gives each name of the vectors' placeholders a port.
func haPorts(t *testing.T) map[string]int {
	t.Helper()
	names := []string{"FRONT", "A", "B", "C", "D", "E", "J", "K", "L", "T", "X", "Y"}
	ports := map[string]int{}
	for i, p := range FreePorts(t, len(names)) {
		ports[names[i]] = p
	}
	return ports
}

// TestHAProxyAcceptsVectors: haproxy -c takes what is made of every recorded
// configuration of httpd.
func TestHAProxyAcceptsVectors(t *testing.T) {
	bin, dir := requireHAProxy(t), t.TempDir()
	dummy := dummyCertificate(t, dir)
	ports := haPorts(t)
	var ids, cfgs []string
	for _, v := range readHAVectors(t) {
		if cfg := haVectorConfig(t, &v, ports); strings.Contains(cfg, "\nfrontend ") {
			ids, cfgs = append(ids, v.ID), append(cfgs, cfg)
		}
	}
	haCheckAll(t, bin, dir, dummy, ids, cfgs)
	if len(cfgs) < 150 {
		t.Errorf("only %d vectors were converted", len(cfgs))
	}
}

// haCheckAll checks configurations in batches.
func haCheckAll(t *testing.T, bin, dir, dummy string, ids, cfgs []string) {
	t.Helper()
	const batch = 25
	for at := 0; at < len(cfgs); at += batch {
		part := cfgs[at:min(at+batch, len(cfgs))]
		for i, err := range haCheck(bin, dir, dummy, part) {
			t.Errorf("%s: %v\n%s", ids[at+i], err, part[i])
		}
	}
}

// TestHAProxyAcceptsCorpus: the same for real configurations.
func TestHAProxyAcceptsCorpus(t *testing.T) {
	if *haCorpus == "" {
		t.Skip("no corpus: name its folder by -haproxy.corpus")
	}
	bin, dir := requireHAProxy(t), t.TempDir()
	dummy := dummyCertificate(t, dir)
	var paths, ids, cfgs []string
	for _, pattern := range []string{"httpd/*", "setups/*"} {
		list, err := filepath.Glob(filepath.Join(*haCorpus, pattern))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, list...)
	}
	for _, p := range paths {
		r, err := parse.Load(parse.Options{Paths: []string{p}, Whole: true, Config: "none"})
		if err != nil || len(r.Broken) > 0 || len(r.Setup.FrontEnds) == 0 {
			continue
		}
		res, err := haproxy.Target.Render(r.Setup, target.Options{})
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		for _, f := range res.Files {
			if bytes.Contains(f.Data, []byte("\nfrontend ")) { // else nothing listens
				ids, cfgs = append(ids, p), append(cfgs, string(f.Data))
			}
		}
	}
	haCheckAll(t, bin, dir, dummy, ids, cfgs)
	t.Logf("%d configurations out of %d paths", len(cfgs), len(paths))
}

// haBackends answer on the vectors' ports and note who was asked.
type haBackends struct{ hits }

func (b *haBackends) start(t *testing.T, name string, port int) {
	b.run(t, name, port, (*httptest.Server).Start)
}

func (b *haBackends) startTLS(t *testing.T, name string, port int) {
	b.run(t, name, port, (*httptest.Server).StartTLS)
}

func (b *haBackends) run(t *testing.T, name string, port int, start func(*httptest.Server)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.add(name + " " + r.Method + " " + r.RequestURI)
		fmt.Fprintf(w, "%s %s %s\n", name, r.Method, r.RequestURI)
	}))
	s.Listener = l
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	start(s)
	t.Cleanup(s.Close)
}

// haSend writes a request as bytes, so that nothing on the way cleans it, and
// returns the status, 0 for none.
func haSend(t *testing.T, port int, request string) int {
	t.Helper()
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(port), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		return 0
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	return res.StatusCode
}

// TestHAProxyNeverMoreOpenThanVectors sends the recorded requests to the real
// HAProxy: what httpd answered itself, refusing or redirecting, reaches no member.
func TestHAProxyNeverMoreOpenThanVectors(t *testing.T) {
	requireHAProxy(t)
	var all []haVector
	for _, v := range readHAVectors(t) {
		if len(v.Steps) > 0 && v.Startup == nil && notAccess[v.ID] == "" && slices.ContainsFunc(v.Steps, func(s haStep) bool { return s.refused() }) {
			all = append(all, v)
		}
	}
	asked := 0
	for part := range slices.Chunk(all, 12) {
		t.Run(part[0].ID, func(t *testing.T) { asked += haRefused(t, part) })
	}
	if asked < 45 {
		t.Errorf("only %d requests were sent", asked)
	}
}

// haRefused sends the refused requests of some vectors and returns how many.
func haRefused(t *testing.T, list []haVector) int {
	n := 0
	for _, v := range list {
		ports, b := haPorts(t), &haBackends{}
		cfg := haVectorConfig(t, &v, ports)
		if cfg == "" || !strings.Contains(cfg, "\nfrontend ") {
			continue
		}
		t.Run(v.ID, func(t *testing.T) {
			for _, name := range []string{"A", "B", "C", "D", "E"} {
				b.start(t, name, ports[name])
			}
			startHAProxy(t, cfg, ports["FRONT"])
			for _, s := range v.Steps {
				if !s.refused() {
					continue
				}
				n++
				status := haSend(t, ports["FRONT"], s.bytes())
				if hits := b.take(); len(hits) > 0 {
					t.Errorf("%q: httpd answered %d itself, HAProxy %d and asked %v\n%s", s.bytes(), s.Expect.Response.Status, status, hits, v.Config)
				}
			}
		})
	}
	return n
}
