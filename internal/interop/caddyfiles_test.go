package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"

	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"clowder/parse"
	"clowder/render/caddy"
	"clowder/render/target"
)

var (
	caddyVectors = flag.String("caddy-vectors", "../../testdata/vectors/httpd/routing", "directory of routing vectors to convert for Caddy")
	caddyCorpus  = flag.String("caddy-corpus", "", "directory of setups and httpd files to convert for Caddy")
)

// caddyCertificate writes a certificate that signs itself, and its key.
func caddyCertificate(t *testing.T, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kder, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: kder}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// caddyChecker lets the real Caddy check Caddyfiles, two at a time. Certificates and
// logs that exist on other machines only are replaced.
type caddyChecker struct {
	t         *testing.T
	dir       string
	cert, key string
	wg        sync.WaitGroup
	slots     chan struct{}
	n         int
	seen      map[string]bool // texts that were checked
}

func newCaddyChecker(t *testing.T) *caddyChecker {
	requireCaddy(t)
	c := &caddyChecker{t: t, dir: t.TempDir(), slots: make(chan struct{}, 2), seen: map[string]bool{}}
	c.cert, c.key = caddyCertificate(t, "www.example.org")
	return c
}

const caddyToken = "(?:\"[^\"]*\"|`[^`]*`|\\S+)"

var foreign = []struct {
	line *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?m)^(\s*tls) ` + caddyToken + ` ` + caddyToken + `( \{)?$`), "$1 CERT KEY$2"},
	{regexp.MustCompile(`(?m)^(\s*tls_client_auth) .*$`), "$1 CERT KEY"},
	{regexp.MustCompile(`(?m)^(\s*(?:trusted_ca_cert_file|tls_trusted_ca_certs)) .*$`), "$1 CERT"},
	{regexp.MustCompile(`(?m)^(\s*output file) .*$`), "$1 LOG"},
}

func (c *caddyChecker) check(name, text string) {
	for _, f := range foreign {
		text = f.line.ReplaceAllString(text, f.with)
	}
	for old, file := range map[string]string{" CERT": c.cert, " KEY": c.key, " LOG": filepath.Join(c.dir, "access.json")} {
		text = strings.ReplaceAll(text, old, " "+file)
	}
	c.n++
	if c.seen[text] {
		return
	}
	c.seen[text] = true
	file := filepath.Join(c.dir, fmt.Sprintf("Caddyfile%d", c.n))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.wg.Add(1)
	c.slots <- struct{}{}
	go func() {
		defer func() { <-c.slots; c.wg.Done() }()
		if out, err := caddyCommand(c.t, c.dir, "validate", "--adapter", "caddyfile", "--config", file).CombinedOutput(); err != nil {
			c.t.Errorf("%s: %v\n%s\n%s", name, err, out, text)
		}
	}()
}

// render converts a setup; one that cannot be read is left out.
func (c *caddyChecker) render(name string, paths ...string) bool {
	r, err := parse.Load(parse.Options{Paths: paths, Whole: true, HTTPD: "2.4"})
	if err != nil || len(r.Broken) > 0 || len(r.Setup.FrontEnds) == 0 {
		return false
	}
	for _, provenance := range []bool{false, true} {
		res, err := caddy.Target.Render(r.Setup, target.Options{Provenance: provenance})
		if err != nil {
			c.t.Errorf("%s: %v", name, err)
			return false
		}
		for _, f := range res.Files {
			if !provenance || c.n%4 == 0 { // comments change nothing: a part of them is enough
				c.check(name, string(f.Data))
			}
		}
	}
	return true
}

// TestCaddyAcceptsGoldens lets Caddy check what the golden scripts hold.
func TestCaddyAcceptsGoldens(t *testing.T) {
	c := newCaddyChecker(t)
	archive, err := txtar.ParseFile("../../cmd/clowder/testdata/script/convert_caddy.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, ".want") {
			c.check(f.Name, string(f.Data))
		}
	}
	if c.n < 3 {
		t.Errorf("only %d goldens", c.n)
	}
	c.wg.Wait()
}

// TestCaddyAcceptsVectors converts every configuration that routing was recorded with.
func TestCaddyAcceptsVectors(t *testing.T) {
	c := newCaddyChecker(t)
	files, err := filepath.Glob(filepath.Join(*caddyVectors, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", *caddyVectors, err)
	}
	n := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ Config string }
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		conf := "ServerName front.example\nListen 127.0.0.1:@FRONT@\n" + v.Config
		for i, name := range strings.Fields("FRONT A B C D E J K L X Y T") {
			conf = strings.ReplaceAll(conf, "@"+name+"@", fmt.Sprint(18100+i))
		}
		if c.render(file, caddyHTTPDConf(t, strings.ReplaceAll(conf, "$ROOT", c.dir))) {
			n++
		}
	}
	c.wg.Wait()
	if n < len(files)*3/4 {
		t.Errorf("only %d of %d vectors could be read", n, len(files))
	}
}

// TestCaddyAcceptsCorpus converts every setup and httpd file below -caddy-corpus.
func TestCaddyAcceptsCorpus(t *testing.T) {
	if *caddyCorpus == "" {
		t.Skip("no -caddy-corpus directory given")
	}
	c := newCaddyChecker(t)
	n := 0
	for _, dir := range []string{"setups", "httpd"} {
		entries, err := os.ReadDir(filepath.Join(*caddyCorpus, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			path := filepath.Join(*caddyCorpus, dir, e.Name())
			if c.render(e.Name(), path) {
				n++
				continue
			}
			if !e.IsDir() {
				continue
			}
			_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && strings.HasSuffix(p, ".conf") && c.render(p, p) {
					n++
				}
				return nil
			})
		}
	}
	c.wg.Wait()
	t.Logf("%d setups", n)
}
