package httpd

import (
	"strconv"
	"strings"

	"clowder/parse/model"
)

// section writes a Location, LocationMatch, Proxy or ProxyMatch.
func (w *writer) section(s *model.Section, p *workerPlan) {
	path := s.Path.V
	if path == "" && s.Kind.V == "Proxy" {
		path = "proxy:" // every backend; httpd compares what is behind it
	}
	if !writable(path) || path == "" {
		w.led.Person("httpd cannot have a section of that path; it was left out", "", s)
		w.leftOut(s)
		return
	}
	title := map[string]string{"Location": "URLs below", "LocationMatch": "URLs like", "Proxy": "Backends", "ProxyMatch": "Backends like"}[s.Kind.V]
	if title == "" {
		w.led.Person("httpd has no section of that kind; it was left out", "", s)
		w.leftOut(s)
		return
	}
	if !isLocation(s) {
		w.mods.use("proxy")
	}
	w.comment(title + " " + s.Path.V)
	w.open(s.At, s.Kind.V, path)
	w.led.Exact(s.Kind, s.Path)
	if s.Mapping != nil && w.conn == nil {
		w.mapping(s.Mapping, p, false)
	}
	w.settings(&s.Settings, s)
	w.close(s.Kind.V)
}

// leftOut closes everything when a section with access rules could not be written.
func (w *writer) leftOut(s *model.Section) {
	guarded := s.Settings.Access != nil
	for _, d := range s.Settings.Extras {
		guarded = guarded || d.Guard.V
	}
	if guarded {
		w.lost = true
		w.led.Closed("its section could not be written; every request is refused", "", s)
	}
}

// settings writes what may stand in a server and in a section; sec is nil in a server.
func (w *writer) settings(s *model.Settings, sec *model.Section) {
	w.sec = sec
	w.extras(s.Extras)
	if s.LimitBody.IsSet() {
		w.bound(s.LimitBody, "LimitRequestBody", 0)
	}
	w.accessRules(s.Access, sec != nil)
	w.handler(s, sec)
	if w.conn == nil {
		w.proxySettings(s, sec)
	}
	for _, e := range s.SetEnv {
		w.env(e)
	}
	for _, h := range s.Headers {
		w.header(h)
	}
	for _, e := range s.ErrorDocs {
		w.put(e, "ErrorDocument", strconv.Itoa(e.Status.V), always(e.Document.V))
	}
	for _, r := range s.Redirects {
		w.redirect(r)
	}
	w.rewrite(s.Rewrite, sec != nil)
}

// proxySettings writes the values of mod_proxy.
func (w *writer) proxySettings(s *model.Settings, sec *model.Section) {
	for _, f := range []struct {
		name string
		v    model.Bool
	}{{"ProxyPreserveHost", s.PreserveHost}, {"ProxyAddHeaders", s.AddHeaders}, {"Proxy100Continue", s.Continue100}, {"ProxyPassInterpolateEnv", s.InterpolEnv}} {
		if stated(f.v.Origin) {
			w.mods.use("proxy")
			w.put(f.v, f.name, scalar(f.v.V))
		}
	}
	if v := s.ErrorOverride; stated(v.Origin) && strings.TrimSpace(v.V) != "" {
		w.mods.use("proxy")
		w.fact(v, "ProxyErrorOverride", strings.Fields(v.V)...)
	}
	w.reverses(s, sec)
}

// handlerModules are the modules of httpd's own handlers.
var handlerModules = map[string]string{
	"balancer-manager": "proxy_balancer", "server-status": "status", "server-info": "info", "ldap-status": "ldap",
	"cgi-script": "cgid", "send-as-is": "asis", "imap-file": "imagemap", "type-map": "negotiation",
}

// handler writes SetHandler. The status page of mod_jk becomes the manager of
// mod_proxy_balancer, for this machine alone when no rule restricts it.
func (w *writer) handler(s *model.Settings, sec *model.Section) {
	v := s.Handler
	if !stated(v.Origin) {
		return
	}
	if w.conn != nil && (v.V == "jk-status" || strings.EqualFold(v.V, "balancer-manager")) {
		w.page(s, sec)
		return
	}
	if w.conn != nil && strings.HasPrefix(strings.ToLower(v.V), "proxy:") {
		w.mods.use("authz_core")
		w.lost = true
		w.led.Closed("mod_proxy is not there; every request is refused until somebody decides", "JkMount", v)
		return
	}
	if v.V == "jk-status" {
		w.jkStatus(s)
		return
	}
	if v.V == "" {
		w.led.Person("a handler needs a name; the line was left out", "SetHandler", v)
		return
	}
	if name := handlerModules[strings.ToLower(v.V)]; name != "" {
		w.mods.use(name)
		if name == "proxy_balancer" {
			w.mods.manager = true
			w.mods.use("proxy", "slotmem_shm", "lbmethod_byrequests")
		}
	}
	if rest, ok := strings.CutPrefix(strings.ToLower(v.V), "proxy:"); ok {
		w.mods.url(rest)
	}
	w.fact(v, "SetHandler", v.V)
}

func (w *writer) jkStatus(s *model.Settings) {
	w.mods.use("proxy", "proxy_balancer", "slotmem_shm", "lbmethod_byrequests")
	w.mods.manager = true
	w.raw("SetHandler balancer-manager")
	for _, u := range w.unmapped {
		if strings.HasSuffix(u.What, ".read_only") {
			w.mods.use("authz_core")
			w.raw("Require all denied")
			w.led.Person("the page may only be looked at there, balancer-manager changes the balancer as well: it is refused until somebody decides who may", "SetHandler balancer-manager", s.Handler)
			return
		}
	}
	if s.Access == nil {
		w.mods.use("authz_core", "authz_host")
		w.raw("Require local")
		w.led.Approx("balancer-manager takes its place, for this machine alone", "SetHandler balancer-manager", s.Handler)
		return
	}
	w.led.Approx("balancer-manager takes its place, with the same rules", "SetHandler balancer-manager", s.Handler)
}

// reverses writes ProxyPassReverse and the cookie rules. In a section
// ProxyPassReverse has the section's path.
func (w *writer) reverses(s *model.Settings, sec *model.Section) {
	interp := func(r *model.Reverse, words []string) []string {
		if r.Interp.V {
			words = append(words, "interpolate")
		}
		return words
	}
	for _, r := range s.Reverses {
		w.mods.use("proxy")
		words := []string{always(r.From.V), always(r.To.V)}
		if sec != nil {
			if r.From.V != sec.Path.V {
				w.led.Person("httpd refuses a path of its own inside of a section; the line was left out", "ProxyPassReverse", r)
				continue
			}
			words = words[1:]
		}
		if r.To.V == "" || r.From.V == "" {
			w.led.Person("the rule needs a path and a URL; the line was left out", "ProxyPassReverse", r)
			continue
		}
		w.put(r, "ProxyPassReverse", interp(r, words)...)
	}
	for i, list := range [][]*model.Reverse{s.CookiePaths, s.CookieDomains} {
		name := []string{"ProxyPassReverseCookiePath", "ProxyPassReverseCookieDomain"}[i]
		for _, r := range list {
			w.mods.use("proxy")
			w.put(r, name, interp(r, []string{always(r.From.V), always(r.To.V)})...)
		}
	}
}

// env writes SetEnv and its kin as they stand.
func (w *writer) env(e *model.Env) {
	w.mods.directive(e.Directive.V)
	if len(e.Args) == 0 {
		w.led.Person("the directive needs words; it was left out", e.Directive.V, e)
		return
	}
	w.fact(e, e.Directive.V, texts(e.Args)...)
}

func texts(list []model.String) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.V
	}
	return out
}

// header writes Header and RequestHeader (header_cmd in modules/metadata/mod_headers.c).
func (w *writer) header(h *model.HeaderRule) {
	w.mods.use("headers")
	name := "Header"
	var out []string
	if h.Request.V {
		name = "RequestHeader"
	} else if h.Always.V {
		out = append(out, "always")
	} else if h.Always.IsWritten() {
		out = append(out, "onsuccess")
	}
	out = append(out, quote(h.Action.V), quote(h.Name.V))
	switch action := h.Action.V; {
	case strings.HasPrefix(action, "edit"):
		pattern, replacement := h.Edit()
		out = append(out, always(pattern), always(replacement))
	case action == "echo" || action == "unset":
	default:
		out = append(out, always(h.Value.V))
	}
	if h.Cond.IsSet() {
		out = append(out, quote(h.Cond.V))
	}
	w.put(h, name, out...)
}

// redirect writes mod_alias's answers.
func (w *writer) redirect(r *model.Redirect) {
	w.mods.use("alias")
	name := "Redirect"
	if r.Regex.V {
		name = "RedirectMatch"
	}
	var out []string
	if r.Status.IsSet() {
		out = append(out, strconv.Itoa(r.Status.V))
	}
	if r.Path.IsSet() {
		out = append(out, always(r.Path.V))
	}
	if r.Target.IsSet() {
		out = append(out, always(r.Target.V))
	}
	w.put(r, name, out...)
}

// rewrite writes mod_rewrite. sec says that it stands in a section.
func (w *writer) rewrite(r *model.Rewrite, sec bool) {
	if r == nil {
		return
	}
	w.mods.use("rewrite")
	if !sec {
		w.comment("Rewriting")
	}
	if stated(r.Engine.Origin) {
		w.put(r.Engine, "RewriteEngine", scalar(r.Engine.V))
	}
	if len(r.Options) > 0 {
		w.put(r.Options, "RewriteOptions", quoteAll(texts(r.Options))...)
	}
	switch {
	case !stated(r.Base.Origin):
	case !sec:
		w.led.Person("RewriteBase may stand in sections only; it was left out", "", r.Base)
	default:
		w.fact(r.Base, "RewriteBase", r.Base.V)
	}
	for _, rule := range r.Rules {
		w.rewriteRule(rule)
	}
}

// rewriteRule writes the conditions and the rule. A rule that cannot be written
// goes with its conditions; one that refuses leaves everything refused.
func (w *writer) rewriteRule(r *model.RewriteRule) {
	var lines [][]string
	for _, c := range r.Conds {
		lines = append(lines, []string{"RewriteCond", c.Test.V, c.Pattern.V, c.Flags.V})
	}
	if r.Pattern.IsSet() {
		lines = append(lines, []string{"RewriteRule", r.Pattern.V, r.Target.V, r.Flags.V})
	}
	var out []string
	for _, l := range lines {
		text := l[0]
		for _, x := range l[1:3] {
			q, ok := rewriteWord(x)
			if !ok {
				w.unwritableRule(r)
				return
			}
			text += " " + q
		}
		if l[3] != "" {
			q, ok := rewriteWord("[" + l[3] + "]")
			if !ok {
				w.unwritableRule(r)
				return
			}
			text += " " + q
		}
		out = append(out, text)
	}
	w.from(r.At)
	for _, l := range out {
		w.raw(l)
	}
	w.led.Exact(r)
	if r.HasFlag("P", "proxy") {
		w.mods.use("proxy", "proxy_http")
		w.mods.url(r.Target.V)
	}
}

func (w *writer) unwritableRule(r *model.RewriteRule) {
	if r.HasFlag("F", "forbidden") || r.HasFlag("G", "gone") {
		w.lost = true
		w.led.Closed("no line of httpd can hold its words; every request is refused", "RewriteRule", r)
		return
	}
	w.led.Person("no line of httpd can hold its words; the rule was left out with its conditions", "RewriteRule", r)
}

// rewriteWord quotes a word as parseargline in modules/mappers/mod_rewrite.c
// reads it: quotes of both kinds end at their like, a blank behind a backslash
// belongs to the word, and a backslash escapes nothing else.
func rewriteWord(s string) (string, bool) {
	if !writable(s) {
		return "", false
	}
	ends := func(quote byte) bool { // whether the word ends early, or not at its end
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] == '\\' && i+1 < len(s) && isBlank(s[i+1]):
				i++
			case quote == 0 && s[i] == '\\' && i+1 == len(s):
				return true // would join the next line, or take the blank behind it
			case quote == 0 && isBlank(s[i]), quote != 0 && s[i] == quote:
				return true
			}
		}
		return false
	}
	switch {
	case s != "" && s[0] != '"' && s[0] != '\'' && !ends(0):
		return s, true
	case !ends('"'):
		return `"` + s + `"`, true
	case !ends('\''):
		return "'" + s + "'", true
	}
	return "", false
}
