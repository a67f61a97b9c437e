package httpd

import (
	"path"
	"slices"
	"strings"

	"clowder/parse/known"
	"clowder/parse/model"
)

// modules collects what the written directives need.
type modules struct {
	front *model.FrontEnd
	need  map[string]bool // names without mod_ and _module

	manager bool // there is a page of balancer-manager
}

func newModules(f *model.FrontEnd) *modules {
	return &modules{front: f, need: map[string]bool{}}
}

func (m *modules) use(names ...string) {
	for _, n := range names {
		m.need[n] = true
	}
}

// directive asks for the module of a directive that is kept as it stands.
func (m *modules) directive(name string) {
	d, ok := known.Directive(name)
	if !ok || d.Identifier == "" {
		return
	}
	m.use(strings.TrimSuffix(d.Identifier, "_module"))
}

// schemes are the modules that carry requests to URLs of a scheme.
var schemes = map[string][]string{
	"http": {"proxy_http"}, "https": {"proxy_http", "ssl"}, "ajp": {"proxy_ajp"},
	"ws": {"proxy_wstunnel", "proxy_http"}, "wss": {"proxy_wstunnel", "proxy_http", "ssl"}, // without Upgrade they are HTTP
	"fcgi": {"proxy_fcgi"}, "scgi": {"proxy_scgi"}, "uwsgi": {"proxy_uwsgi"}, "ftp": {"proxy_ftp"},
	"h2": {"proxy_http2", "ssl"}, "h2c": {"proxy_http2"}, "connect": {"proxy_connect"},
	"balancer": {"proxy_balancer", "slotmem_shm", "lbmethod_byrequests"},
}

// url asks for the modules that a backend's URL needs.
func (m *modules) url(u string) {
	if rest, ok := strings.CutPrefix(strings.ToLower(u), "unix:"); ok {
		_, u, _ = strings.Cut(rest, "|")
	}
	scheme, _, _ := strings.Cut(u, ":")
	m.use("proxy")
	m.use(schemes[strings.ToLower(scheme)]...)
}

// silentModules act although no directive names them: what they do would be lost
// without their LoadModule line.
var silentModules = strings.Fields("dir mime reqtimeout unique_id autoindex cgi cgid http2")

// renamed are modules of 2.2 that have another name in 2.4, or none.
var renamed = map[string]string{
	"authz_default": "", "authn_default": "", "authn_alias": "authn_core", "authz_host": "authz_host",
	"disk_cache": "cache_disk", "mem_cache": "", "cern_meta": "cern_meta", "jk": "",
}

// short returns the name of a module without _module.
func short(ident string) string { return strings.TrimSuffix(ident, "_module") }

// ours reports whether the module comes with httpd: some directive of the manuals
// is its own, or it is one of those without directives.
func ours(name string) bool {
	for _, d := range known.Directives() {
		if short(d.Identifier) == name {
			return true
		}
	}
	return schemeModule(name) || strings.HasPrefix(name, "mpm_") || strings.HasPrefix(name, "lbmethod_") || strings.HasPrefix(name, "auth") ||
		strings.HasPrefix(name, "slotmem_") || strings.HasPrefix(name, "socache_") ||
		slices.Contains(strings.Fields("access_compat actions asis bucketeer buffer case_filter case_filter_in cern_meta cgi cgid charset_lite data dav_fs dav_lock dialup "+
			"dumpio echo env file_cache filter imagemap info log_config logio negotiation optional_hook_import proxy_balancer proxy_express "+
			"proxy_fdpass proxy_hcheck proxy_http2 ratelimit reflector session_cookie session_crypto session_dbd setenvif status suexec "+
			"unique_id unixd version watchdog"), name)
}

func schemeModule(name string) bool {
	for _, list := range schemes {
		if slices.Contains(list, name) {
			return true
		}
	}
	return false
}

// foreign lists the LoadModule lines of modules that are not httpd's.
func (m *modules) foreign() (out []*model.Module) {
	for _, x := range m.front.Modules {
		if _, old := renamed[short(x.Name.V)]; !old && !ours(short(x.Name.V)) && x.File.V != "" {
			out = append(out, x)
		}
	}
	return out
}

// loaded returns the source's line for a module, or nil.
func (m *modules) loaded(name string) *model.Module {
	for _, x := range m.front.Modules {
		if short(x.Name.V) == name {
			return x
		}
	}
	return nil
}

// file is where a module is: where the source loads it from, else beside the
// source's other modules.
func (m *modules) file(name string) string {
	if x := m.loaded(name); x != nil && x.File.V != "" {
		return x.File.V
	}
	count, dir := map[string]int{}, "modules"
	for _, x := range m.front.Modules {
		if short(x.Name.V) == "jk" || strings.ContainsAny(x.File.V, `\`) || !ours(short(x.Name.V)) || x.File.V == "" {
			continue
		}
		d := path.Dir(x.File.V)
		if count[d]++; count[d] > count[dir] {
			dir = d
		}
	}
	return path.Join(dir, "mod_"+name+".so")
}

// mpm is the way of processing: the source's own, prefork where its directives
// are used, else event.
func (m *modules) mpm() string {
	for _, x := range m.front.Modules {
		if name := short(x.Name.V); strings.HasPrefix(name, "mpm_") && name != "mpm_winnt" {
			return name
		}
	}
	if m.need["mpm_prefork"] {
		return "mpm_prefork"
	}
	return "mpm_event"
}

// builtIn are modules that some builds of httpd have inside: loading them again
// would stop it.
var builtIn = map[string]bool{"log_config": true, "logio": true, "version": true, "watchdog": true, "unixd": true, "http2": false}

// names returns the modules to load, sorted; each stands behind what it builds on.
func (m *modules) names() []string {
	for _, name := range silentModules {
		if m.loaded(name) != nil {
			m.use(name)
		}
	}
	m.use("authz_core") // without it 2.4 answers every request with 500
	if m.need["proxy_hcheck"] {
		m.use("watchdog")
	}
	for name := range m.need {
		for _, base := range []string{"proxy", "cache", "dav", "session"} {
			if strings.HasPrefix(name, base+"_") {
				m.use(base)
			}
		}
	}
	if m.need["ssl"] && m.loaded("socache_shmcb") != nil {
		m.use("socache_shmcb")
	}
	if m.manager { // its page offers what is loaded
		for _, x := range m.front.Modules {
			if name := short(x.Name.V); strings.HasPrefix(name, "lbmethod_") || name == "proxy_hcheck" {
				m.use(name)
			}
		}
	}
	if m.need["cgi"] && m.need["cgid"] {
		delete(m.need, "cgi")
	}
	var out []string
	for name := range m.need {
		if !strings.HasPrefix(name, "mpm_") && name != "unixd" && name != "so" && name != "core" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// write writes the LoadModule lines. Without any in the source the file is a part
// of a configuration that loads modules elsewhere; its own lines then count only
// where nothing is loaded yet.
func (m *modules) write(w *writer) {
	part := len(m.front.Modules) == 0
	if part {
		w.comment("Modules, for a server that has none loaded before this file")
		w.raw("<IfModule !authz_core_module>")
		w.depth++
	} else {
		w.comment("Modules")
	}
	mpm := m.mpm()
	w.raw("<IfModule !mpm_winnt_module>")
	w.depth++
	m.load(w, mpm, true)
	m.load(w, "unixd", true)
	w.depth--
	w.raw("</IfModule>")
	for _, name := range m.names() {
		m.load(w, name, builtIn[name])
	}
	if w.conn != nil {
		file := m.file(w.conn.Module())
		w.raw("LoadModule " + w.conn.Module() + "_module " + quote(file))
	}
	for _, x := range m.foreign() {
		w.from(x.Name.Place())
		w.raw("LoadModule " + quote(x.Name.V) + " " + quote(x.File.V))
	}
	if part {
		w.depth--
		w.raw("</IfModule>")
	}
}

func (m *modules) load(w *writer, name string, guarded bool) {
	if guarded {
		w.raw("<IfModule !" + name + "_module>")
		w.depth++
	}
	if x := m.loaded(name); x != nil {
		w.from(x.Name.Place())
	}
	w.raw("LoadModule " + name + "_module " + quote(m.file(name)))
	if guarded {
		w.depth--
		w.raw("</IfModule>")
	}
}
