// Package jk writes a setup for mod_jk: workers.properties, and a configuration of
// httpd 2.4 with JkMount lines. All that does not concern the way to the Tomcats
// is written as package render/httpd does.
//
// What the properties mean is from the reference of Apache Tomcat Connectors
// (workers.properties) and native/common of its sources, as package parse/jk reads
// them.
package jk

import (
	"errors"
	"fmt"
	"strings"

	"clowder/parse/model"
	"clowder/render/httpd"
	"clowder/render/ledger"
	"clowder/render/target"
)

// Target writes workers.properties and httpd.conf.
var Target = target.Target{
	Name:   "jk",
	Doc:    "mod_jk: workers.properties, and httpd.conf with JkMount",
	Render: render,
}

// workersFile is where httpd looks for the workers, below ServerRoot.
const workersFile = "conf/workers.properties"

func render(s *model.Setup, o target.Options) (*target.Result, error) {
	if len(s.FrontEnds) != 1 {
		return nil, errors.New("a conversion to mod_jk takes a setup with one front end")
	}
	led := ledger.New("mod_jk")
	led.Means(means)
	c := &connector{f: s.FrontEnds[0], led: led, names: map[string]bool{statusWorker: true}, lb: map[string]string{}, plain: map[string]string{}, provenance: o.Provenance}
	c.workers()
	res := httpd.Files(s, o, led, c)
	res.Files = append(res.Files, target.File{Name: "workers.properties", Data: c.properties(), Private: c.secret})
	res.Notes = append(led.Notes(s.FrontEnds), httpd.LostNotes(s)...)
	return res, nil
}

// statusWorker is the worker of the status page.
const statusWorker = "jkstatus"

// means are the nearest means for what is dropped.
var means = map[string]string{
	"health": "connection_ping_interval", "Member.smax": "connection_pool_minsize", "Member.disablereuse": "JkOptions +DisableReuse",
	"Balancer.failontimeout": "max_reply_timeouts", "Member.flushpackets": "JkOptions +FlushPackets", "Server.ProxyTimeout": "reply_timeout",
	"responses": "mod_headers", "backend-tls": "",
}

// connector is the way over mod_jk, for render/httpd.
type connector struct {
	f          *model.FrontEnd
	led        *ledger.Ledger
	buf        strings.Builder
	list       []string          // worker.list
	names      map[string]bool   // in use
	lb         map[string]string // worker by balancer's name, lower case
	plain      map[string]string // worker by URL
	page       bool
	secret     bool
	provenance bool
}

// Module is the module's name without mod_.
func (c *connector) Module() string { return "jk" }

// Head returns the lines of the main server.
func (c *connector) Head() []string { return []string{`JkWorkersFile "` + workersFile + `"`} }

// properties returns the text of workers.properties.
func (c *connector) properties() []byte {
	head := "# Workers of mod_jk, written by clowder.\n"
	list := c.list
	if c.page {
		list = append(list[:len(list):len(list)], statusWorker)
	}
	if len(list) > 0 {
		head += "worker.list=" + strings.Join(list, ",") + "\n"
	}
	if c.page {
		head += "\nworker." + statusWorker + ".type=status\n"
	}
	return []byte(head + c.buf.String())
}

// workers writes all balancers and plain workers that speak AJP.
func (c *connector) workers() {
	seen := map[string]bool{}
	for _, s := range append([]*model.Server{c.f.Main}, c.f.VHosts...) {
		if s == nil {
			continue
		}
		eff := c.f.Effective(s)
		for _, b := range eff.Balancers {
			if key := strings.ToLower(b.Name.V); !seen[key] && len(b.Members) > 0 {
				seen[key] = true
				c.balancer(b)
			}
		}
		for _, m := range eff.Workers {
			if c.plain[m.URL.V] == "" && isAJP(m.URL.V) {
				c.plainWorker(m)
			}
		}
	}
}

func isAJP(u string) bool {
	if rest, ok := strings.CutPrefix(strings.ToLower(u), "unix:"); ok {
		_, u, _ = strings.Cut(rest, "|")
	}
	return strings.HasPrefix(strings.ToLower(u), "ajp:")
}

// name makes a unique name of a worker: letters, digits, _ and -
// (jk_check_attribute_length and worker names in jk_worker.c know no dots).
func (c *connector) name(want string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, want)
	clean = clean[:min(len(clean), 50)]
	if clean == "" {
		clean = "worker"
	}
	name := clean
	for i := 2; c.names[name]; i++ {
		name = fmt.Sprintf("%s_%d", clean, i)
	}
	c.names[name] = true
	return name
}

// writable reports whether a properties file can hold the text: a "#" begins a
// comment, $( a variable, and blanks at the ends are cut.
func writable(v string) bool {
	return v != "" && !strings.ContainsAny(v, "#\n\r\x00") && !strings.Contains(v, "$(") && strings.TrimSpace(v) == v && len(v) < 4000
}

// set writes one property; false when no file can hold the value.
func (c *connector) set(worker, key, value string, facts ...any) bool {
	if !writable(value) {
		c.led.Person("no properties file can hold this text: # begins a comment there; it was left out", key, facts...)
		return false
	}
	if c.provenance {
		for _, f := range facts {
			if p, ok := f.(interface{ Place() spanType }); ok && p.Place().IsValid() {
				fmt.Fprintf(&c.buf, "# from %s\n", p.Place().Short())
				break
			}
		}
	}
	fmt.Fprintf(&c.buf, "worker.%s.%s=%s\n", worker, key, value)
	c.led.Exact(facts...)
	return true
}
