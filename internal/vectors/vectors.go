// Package vectors plays recorded cases of httpd: requests through a front, before
// backends that answer as the recorded ones did.
//
// testdata/vectors/httpd/README.md describes the format. What is played is
// compared in full: the answer's status line, header lines in order, framing,
// body, interim answers and trailers; what every backend saw, connection numbers
// and AJP packets included; and what the error log says.
package vectors

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"clowder/internal/ports"
)

// Vector is one recorded case.
type Vector struct {
	ID       string                   `json:"id"`
	Topic    string                   `json:"topic"`
	Config   string                   `json:"config"`
	Files    map[string]string        `json:"files"`
	Backends map[string]behaviourJSON `json:"backends"`
	Startup  *startup                 `json:"startup"`
	Removed  []string                 `json:"modules_removed"`
	Prelude  []string                 `json:"prelude_added"`
	Steps    []step                   `json:"steps"`
	Checks   []seen                   `json:"health_checks"`
}

// startup is how httpd refused to start.
type startup struct {
	Exit     int      `json:"exit"`
	Stdout   []string `json:"stdout"`
	ErrorLog []string `json:"error_log"`
}

type step struct {
	Request  *request                 `json:"request"`
	Parallel []*request               `json:"parallel"`
	Set      map[string]behaviourJSON `json:"set"`
	Sleep    float64                  `json:"sleep"`
	Graceful any                      `json:"graceful"`
	Unstable any                      `json:"unstable"`
	Expect   struct {
		Response  *response   `json:"response"`
		Responses []*response `json:"responses"`
		Backend   []seen      `json:"backend"`
		ErrorLog  []string    `json:"error_log"`
		Seconds   float64     `json:"seconds_about"`
	} `json:"expect"`
}

// Front is what a case is played through.
type Front struct {
	Addr string
	// Server stands for httpd's own name and version where that was recorded; ""
	// expects httpd's.
	Server string
	Body   func(body, want string) string // takes out of a body what changes from run to run; nil: nothing
	// Log returns the lines of level warn and above since the last call; nil: the
	// log is not compared.
	Log func() []string
	// Graceful takes the configuration again without losing requests; nil: steps
	// that want it fail.
	Graceful func() error
}

// Refused is an error of a front that does not start because the configuration is
// not accepted.
type Refused struct{ Err error }

func (r *Refused) Error() string { return "not started: " + r.Err.Error() }

// Load reads one case.
func Load(name string) (*Vector, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	v := &Vector{}
	return v, json.Unmarshal(data, v)
}

// player is one case being played.
type player struct {
	v        *Vector
	f        Front
	places   map[string]int
	root     string
	seen     *log
	backends map[string]peer
	kept     map[string]*client
	logged   []string // of the current step
	overlap  bool     // log lines of parallel requests were recorded with the next step
	all      []seen   // of all steps
}

// peer is a scripted backend of either protocol.
type peer interface {
	set(behaviourJSON) error
	stop()
}

// patience is how long what a step must bring about may take to show up in the
// backends' and the front's records.
const patience = 2 * time.Second

// Prelude are the lines that the recordings had before the configuration.
const Prelude = `ServerName front.example
Listen 127.0.0.1:@FRONT@
KeepAliveTimeout 3
Timeout 30
LogLevel warn
TypesConfig /dev/null
DocumentRoot "$ROOT/htdocs"
`

// Play starts the backends, has the front started with the configuration as it was
// recorded, with all places filled in, for the port, and returns what differs from
// the record, "" for nothing. Cases may be played at the same time.
func Play(t *testing.T, v *Vector, port int, start func(root, config string) (Front, error)) string {
	p := &player{v: v, places: map[string]int{"FRONT": port}, root: t.TempDir(), seen: &log{},
		backends: map[string]peer{}, kept: map[string]*client{}}
	defer p.close()
	if err := p.prepare(); err != nil {
		return err.Error()
	}
	config := Prelude + strings.Join(v.Prelude, "\n") + "\n" + v.Config
	f, err := start(p.root, p.fill(config))
	if v.Startup != nil {
		if _, ok := err.(*Refused); !ok {
			return fmt.Sprintf("started, or failed otherwise (%v); httpd said %q %q", err, v.Startup.Stdout, v.Startup.ErrorLog)
		}
		return ""
	}
	if err != nil {
		return err.Error()
	}
	p.f = f
	for i := range v.Steps {
		if diff := p.step(&v.Steps[i]); diff != "" {
			return fmt.Sprintf("step %d: %s", i, diff)
		}
	}
	return p.checks()
}

// prepare makes files and backends.
func (p *player) prepare() error {
	files := map[string]string{"htdocs/index.html": "local index\n", "htdocs/local.txt": "local file\n"}
	for name, text := range p.v.Files {
		files[name] = text
	}
	for _, name := range []string{"A", "B", "C", "D", "E", "J", "K", "L", "X", "Y", "T"} {
		n, err := ports.Free()
		if err != nil {
			return err
		}
		p.places[name] = n
	}
	for name, text := range files {
		file := filepath.Join(p.root, strings.TrimPrefix(name, "$ROOT/"))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(p.fill(text)), 0o644); err != nil {
			return err
		}
	}
	for name, b := range p.v.Backends {
		var first behaviour
		if err := json.Unmarshal(b, &first); err != nil {
			return err
		}
		var n peer = &backend{lines: lines{name: name, port: p.places[name], log: p.seen}}
		if first.Proto == "ajp" {
			n = &ajpBackend{lines: lines{name: name, port: p.places[name], log: p.seen}}
		}
		p.backends[name] = n
		if err := n.set(p.script(b)); err != nil {
			return err
		}
	}
	return nil
}

func (p *player) close() {
	for _, c := range p.kept {
		c.close()
	}
	for _, b := range p.backends {
		b.stop()
	}
}

// fill puts ports and directories into recorded text.
func (p *player) fill(s string) string {
	if !strings.ContainsAny(s, "@$") {
		return s
	}
	for n, port := range p.places {
		s = strings.ReplaceAll(s, "@"+n+"@", strconv.Itoa(port))
	}
	return strings.ReplaceAll(s, "$ROOT", p.root)
}

// script fills a behaviour in.
func (p *player) script(b behaviourJSON) behaviourJSON { return behaviourJSON(p.fill(string(b))) }

func (p *player) step(s *step) string {
	for name, n := range s.Set {
		if b := p.backends[name]; b != nil {
			if err := b.set(p.script(n)); err != nil {
				return err.Error()
			}
		}
	}
	time.Sleep(time.Duration(s.Sleep * float64(time.Second))) // as recorded
	if s.Graceful != nil {
		if p.f.Graceful == nil {
			return "the front knows no graceful restart"
		}
		if err := p.f.Graceful(); err != nil {
			return "graceful restart: " + err.Error()
		}
	}
	if !p.overlap {
		if p.logged = nil; p.f.Log != nil {
			p.f.Log()
		}
	}
	p.overlap = len(s.Parallel) > 0
	switch {
	case s.Request != nil:
		got, err := p.request(s.Request)
		if s.Unstable != nil {
			p.seen.take()
			return ""
		}
		if err != nil {
			return err.Error()
		}
		if diff := p.answer(got, s.Expect.Response); diff != "" {
			return diff
		}
	case len(s.Parallel) > 0:
		if diff := p.parallel(s); diff != "" {
			return diff
		}
	default:
		return ""
	}
	return p.records(s)
}

// parallel starts the requests 0.15 s apart, as recorded.
func (p *player) parallel(s *step) string {
	got, errs := make([]*response, len(s.Parallel)), make([]error, len(s.Parallel))
	done := make(chan struct{})
	for i, q := range s.Parallel {
		go func() {
			got[i], errs[i] = p.request(q)
			done <- struct{}{}
		}()
		time.Sleep(150 * time.Millisecond)
	}
	for range s.Parallel {
		<-done
	}
	for i := range got {
		if errs[i] != nil {
			return fmt.Sprintf("request %d: %v", i, errs[i])
		}
		if diff := p.answer(got[i], s.Expect.Responses[i]); diff != "" {
			return fmt.Sprintf("request %d: %s", i, diff)
		}
	}
	return ""
}

// Playable says why a case cannot be played on a converted configuration, "" if it can.
func (v *Vector) Playable() string {
	if v.Startup != nil {
		return "startup"
	}
	return ""
}

// Modules are the LoadModule lines that a case was recorded with, for the
// directory of module files.
func (v *Vector) Modules(dir string) string {
	var b strings.Builder
	for _, m := range standard {
		if !slices.Contains(v.Removed, m) {
			b.WriteString("LoadModule " + m + "_module " + dir + "/mod_" + m + ".so\n")
		}
	}
	return b.String()
}

// standard are the modules that the cases were recorded with.
var standard = strings.Fields(`mpm_event authn_core authn_file auth_basic authz_core authz_host authz_user access_compat alias
	headers env setenvif rewrite macro status dir mime slotmem_shm proxy proxy_http proxy_ajp proxy_balancer proxy_hcheck
	proxy_connect proxy_wstunnel lbmethod_byrequests lbmethod_bytraffic lbmethod_bybusyness lbmethod_heartbeat actions`)

// List returns the files of all cases below a folder of topics.
func List(dir string) ([]string, error) {
	return filepath.Glob(filepath.Join(dir, "*", "*.json"))
}
