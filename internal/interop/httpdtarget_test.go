package interop

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"clowder/internal/vectors"
	"clowder/parse"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render"
	"clowder/render/target"
)

var (
	convertCorpus  = flag.String("convertcorpus", "", "directory of httpd files whose conversion apache2 -t shall accept")
	convertVectors = flag.String("convertvectors", "../../testdata/vectors/httpd/routing", "directory of recorded cases")
	allVectors     = flag.Bool("allvectors", false, "play every recorded case after its conversion, not 50")

	places = regexp.MustCompile(`@[A-Z]+@`) // ports in recorded configurations
)

const (
	apacheBin     = "/usr/sbin/apache2"
	apacheModules = "/usr/lib/apache2/modules"
)

// convert renders a setup for a target.
func convert(t *testing.T, to string, s *model.Setup) *target.Result {
	t.Helper()
	tg, ok := render.Find(to)
	if !ok {
		t.Fatalf("no target %s", to)
	}
	res, err := tg.Render(s, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

var (
	serverRootLine = regexp.MustCompile(`(?m)^ServerRoot .*$`)
	moduleLine     = regexp.MustCompile(`(?m)^( *LoadModule \S+ )"?[^"\n]*/(mod_\w+\.so)"?$`)
	needsFile      = regexp.MustCompile(`(?m)^ *(SSL\w*(?:File|Path)|AuthUserFile|TypesConfig|MIMEMagicFile) "?([^"\n]+)"?$`)
)

// checkHTTPD asks the real httpd whether it accepts a configuration, "" when it
// does. The file is used as it is but for the places of ServerRoot and modules;
// certificates that it names are made.
func checkHTTPD(t *testing.T, conf string) string {
	t.Helper()
	apache := Require(t, "apache2", "apt-get install apache2", apacheBin)
	root := t.TempDir()
	if err := os.Symlink(apacheModules, filepath.Join(root, "modules")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "logs"), 0o755); err != nil { // where httpd's default error log is
		t.Fatal(err)
	}
	conf = serverRootLine.ReplaceAllString(conf, "")
	conf = moduleLine.ReplaceAllString(conf, "${1}modules/${2}")
	conf = needsFile.ReplaceAllStringFunc(conf, func(line string) string {
		m := needsFile.FindStringSubmatch(line)
		name := filepath.Join(root, "file"+strconv.Itoa(len(m[2])))
		if strings.HasSuffix(m[1], "Path") {
			os.Mkdir(name+"d", 0o755)
			return m[1] + " " + name + "d"
		}
		if err := os.WriteFile(name, []byte("# made for a test\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return m[1] + " " + name
	})
	file := filepath.Join(root, "httpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(apache, "-d", root, "-f", file, "-C", "DefaultRuntimeDir "+root, "-C", "ServerName lab.example", "-t").CombinedOutput()
	if err == nil {
		return ""
	}
	return string(out)
}

// TestHTTPDAccepts: the real httpd 2.4 accepts what --to httpd writes.
func TestHTTPDAccepts(t *testing.T) {
	Require(t, "apache2", "apt-get install apache2", apacheBin)
	check := func(t *testing.T, r *parse.Result) {
		t.Helper()
		for _, f := range convert(t, "httpd", r.Setup).Files {
			if out := checkHTTPD(t, string(f.Data)); out != "" {
				t.Errorf("%s\n%s", out, f.Data)
			}
		}
	}
	for _, name := range []string{"broken", "fixed", "broken-on-current", "verbatim"} {
		t.Run(name, func(t *testing.T) {
			r, err := parse.Load(parse.Options{Paths: []string{"../../testdata/seed/" + name}, Whole: true})
			if err != nil {
				t.Fatal(err)
			}
			check(t, r)
		})
	}
	for _, v := range sample(recorded(t, *convertVectors), 40) {
		t.Run(v.ID, func(t *testing.T) {
			r, err := parse.Load(parse.Options{Paths: []string{writeTemp(t, "httpd.conf", places.ReplaceAllString(v.Config, "18080"))}, Whole: true, HTTPD: "2.4"})
			if err != nil {
				t.Fatal(err)
			}
			check(t, r)
		})
	}
	if *convertCorpus == "" {
		return
	}
	err := filepath.WalkDir(*convertCorpus, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".conf" {
			return err
		}
		r, err := parse.Load(parse.Options{Paths: []string{path}, Whole: true})
		if err != nil || len(r.Broken) > 0 || len(r.Setup.FrontEnds) == 0 {
			return nil
		}
		t.Run(filepath.Base(path), func(t *testing.T) { check(t, r) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// writeTemp writes one file into a folder of its own.
func writeTemp(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// sample takes n of a list, spread over it.
func sample[T any](list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	out := make([]T, n)
	for i := range out {
		out[i] = list[i*len(list)/n]
	}
	return out
}

// recorded reads the cases that started and can be played, in the order of their topics.
func recorded(t *testing.T, dir string) []*vectors.Vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", dir, err)
	}
	var out []*vectors.Vector
	for _, name := range files {
		if v, err := vectors.Load(name); err == nil && v.Playable() == "" { // else its bodies are no text
			out = append(out, v)
		}
	}
	return out
}

// whole leaves out cases about missing modules: a conversion loads what is needed.
func whole(list []*vectors.Vector) []*vectors.Vector {
	return slices.DeleteFunc(list, func(v *vectors.Vector) bool { return len(v.Removed) > 0 })
}

// standard are the modules that the cases were recorded with.
var standard = strings.Fields(`authn_core authn_file auth_basic authz_core authz_host authz_user access_compat alias headers env
	setenvif rewrite macro status dir mime slotmem_shm proxy proxy_http proxy_ajp proxy_balancer proxy_hcheck proxy_connect
	proxy_wstunnel lbmethod_byrequests lbmethod_bytraffic lbmethod_bybusyness lbmethod_heartbeat actions`)

// standardModules are their LoadModule lines, without those that a case removes.
func standardModules(v *vectors.Vector) string {
	var b strings.Builder
	b.WriteString("LoadModule mpm_event_module " + apacheModules + "/mod_mpm_event.so\n")
	for _, m := range standard {
		if !slices.Contains(v.Removed, m) {
			b.WriteString("LoadModule " + m + "_module " + apacheModules + "/mod_" + m + ".so\n")
		}
	}
	return b.String()
}

// thereAndBack converts a configuration to TOML, reads that, and converts it to
// httpd.conf.
func thereAndBack(t *testing.T, file string) (string, error) {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true, HTTPD: "2.4"})
	if err != nil {
		return "", err
	}
	if len(r.Broken) > 0 {
		return "", fmt.Errorf("the configuration is broken: %v", r.Diags)
	}
	toml := convert(t, "toml", r.Setup)
	r, err = parse.Load(parse.Options{Paths: []string{writeTemp(t, "clowder.toml", string(toml.Files[0].Data))}, Whole: true})
	if err != nil {
		return "", err
	}
	for _, d := range r.Diags {
		if d.Severity == diag.Error && strings.HasPrefix(d.ID, "C") {
			return "", fmt.Errorf("the TOML is not accepted: %s %s", d.Span, d.Message)
		}
	}
	return string(convert(t, "httpd", r.Setup).Files[0].Data), nil
}

// TestSameAnswersAfterConversion: a configuration that went through TOML and back
// makes the real httpd answer as it did when the case was recorded, and send
// backends what it sent then.
func TestSameAnswersAfterConversion(t *testing.T) {
	apache := Require(t, "apache2", "apt-get install apache2", apacheBin)
	list := whole(recorded(t, *convertVectors))
	if !*allVectors {
		list = sample(list, 50)
	}
	date := regexp.MustCompile(`<httpd:error_time>[^<]*`)
	busy := regexp.MustCompile(`Busy: \d`)
	nonce := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	for _, v := range list {
		t.Run(v.ID, func(t *testing.T) {
			port := FreePorts(t, 1)[0]
			text := ""
			diff := vectors.Play(t, v, port, func(root, config string) (vectors.Front, error) {
				if err := os.Chmod(root, 0o755); err != nil {
					return vectors.Front{}, err
				}
				config = standardModules(v) + "TypesConfig /dev/null\nKeepAliveTimeout 3\n" + config
				source := filepath.Join(root, "source.conf")
				if err := os.WriteFile(source, []byte(config), 0o600); err != nil {
					return vectors.Front{}, err
				}
				var err error
				if text, err = thereAndBack(t, source); err != nil {
					return vectors.Front{}, err
				}
				file := filepath.Join(root, "httpd.conf")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					return vectors.Front{}, err
				}
				args := []string{"-d", root, "-f", file, "-D", "FOREGROUND"}
				for _, c := range []string{"DefaultRuntimeDir " + root, "PidFile " + root + "/pid", "Mutex file:" + root + " default", "ErrorLog " + root + "/error.log",
					"StartServers 1", "ServerLimit 1", "ThreadsPerChild 16", "MaxRequestWorkers 16", "MinSpareThreads 1", "MaxSpareThreads 16"} {
					args = append(args, "-c", c)
				}
				cmd := exec.Command(apache, args...)
				process(t, cmd, func() { _ = cmd.Process.Signal(os.Interrupt) })
				WaitPort(t, port, 20*time.Second)
				return vectors.Front{Addr: fmt.Sprintf("127.0.0.1:%d", port), Graceful: graceful(cmd), Body: func(body, want string) string {
					if strings.Contains(want, "NONCE") {
						body = nonce.ReplaceAllString(body, "NONCE")
					}
					if cping := "<option value='CPING'  >CPING</option>\n"; strings.Contains(want, cping) && !strings.Contains(body, cping) {
						// the conversion loads no mod_proxy_ajp that nothing uses
						body = strings.Replace(body, "<option value='OPTIONS11'", cping+"<option value='OPTIONS11'", 1)
					}
					if strings.Contains(want, "(date)") {
						body = date.ReplaceAllString(body, "<httpd:error_time>(date)")
					}
					if i := strings.Index(body, "ProxyBalancer["); i > 0 && strings.HasPrefix(want, "ProxyBalancer[") {
						body = busy.ReplaceAllString(body[i:], "Busy: 0") // of the status page that was kept only; the last request may be counted still
					}
					return body
				}}, nil
			})
			if diff != "" {
				t.Errorf("%s\n%s", diff, text)
			}
		})
	}
}
