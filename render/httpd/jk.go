package httpd

import (
	"regexp"
	"slices"
	"strings"

	"clowder/parse/model"
)

// jkMeans are the nearest means for directives of mod_jk.
var jkMeans = map[string]string{
	"jklogfile": "ErrorLog", "jklogstampformat": "ErrorLogFormat", "jkloglevel": "LogLevel proxy:info", "jkrequestlogformat": "LogFormat", "jkmount": "ProxyPass", "jkunmount": "ProxyPass PATH !",
}

// jkLeft deals with a directive of mod_jk that is not in the model: its mounts are
// there as mappings, apart from those whose worker is not among the files.
func (w *writer) jkLeft(name string, d *model.Directive) {
	if w.conn != nil && !slices.Contains([]string{"jkmount", "jkunmount", "jkautoalias", "jkworkersfile", "jkmountfile", "jkmountcopy", "jkworkerproperty"}, name) {
		w.fact(d, d.Name.V, texts(d.Args)...)
		return
	}
	switch name {
	case "jklogfile", "jkloglevel", "jklogstampformat":
		w.led.Approx("mod_proxy writes into the log of httpd", jkMeans[name], d)
	case "jkworkersfile", "jkmountfile", "jkshmfile", "jkwatchdoginterval", "jkmountcopy", "jkworkerproperty":
		w.led.Approx("mod_proxy needs no such line", "", d)
	case "jkmount", "jkautoalias":
		pattern := d.Arg(0)
		if w.sec != nil && len(d.Args) == 1 {
			pattern = w.sec.Path.V
		}
		if name == "jkautoalias" {
			pattern = "/*"
		}
		first, rest, both := strings.Cut(pattern, "|") // "/a|/*" stands for "/a" and "/a/*"
		if w.unmounted = append(w.unmounted, globRegex(first)); both {
			w.unmounted = append(w.unmounted, globRegex(first+rest))
		}
		w.led.Person("its worker is not among the files; requests for it are refused, so that no source of a page is served as a file", "ProxyPass", d)
	default:
		w.led.Drop("mod_jk is not used any more", jkMeans[name], d)
	}
}

// refuseUnmounted refuses what mod_jk would have passed on.
func (w *writer) refuseUnmounted() {
	if len(w.unmounted) == 0 {
		return
	}
	w.mods.use("authz_core")
	w.comment("URLs that cannot be passed on: they are refused")
	done := map[string]bool{}
	for _, p := range w.unmounted {
		if !writable(p) || done[p] {
			continue
		}
		done[p] = true
		w.raw("<LocationMatch " + always(p) + ">")
		w.depth++
		w.raw("Require all denied")
		if w.mods.need["access_compat"] {
			w.raw("Satisfy All")
		}
		w.close("LocationMatch")
	}
	w.unmounted = nil
}

// globRegex is the regular expression of a pattern of mod_jk.
func globRegex(p string) string {
	return "^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(p)) + "$"
}

// connector writes the lines of another way to the Tomcats. Sections about
// backends are mod_proxy's: rules in them that keep anybody out are lost with
// them, and everything is refused.
func (w *writer) connector(s *model.Server) {
	if s == w.front.Main || w.front.Main == nil {
		for _, l := range w.conn.Head() {
			w.raw(l)
		}
	}
	for _, sec := range s.Sections {
		if isLocation(sec) {
			continue
		}
		w.led.Exact(sec.Kind, sec.Path)
		if a := sec.Settings.Access; a != nil {
			if (!hasHosts(a) || w.grants(hostRule(a))) && grantsAll(a.Require) {
				w.led.Exact(a)
			} else {
				w.lost = true
				w.led.Closed("it is about backends of mod_proxy; every request is refused until the rule stands in a Location", "Location", a)
			}
		}
		for _, d := range sec.Settings.Extras {
			w.loseExtra(d, "it is about backends of mod_proxy")
		}
	}
	lines, refused := w.conn.Mounts(s)
	if len(lines) > 0 {
		w.comment("URLs: of the lines that fit the longest one decides")
	}
	for _, l := range lines {
		w.raw(l)
	}
	w.unmounted = append(w.unmounted, refused...)
}

// grantsAll reports whether the lines let everybody in.
func grantsAll(r *model.Require) bool {
	if r == nil {
		return true
	}
	for _, k := range r.Children {
		if len(k.Args) == 2 && strings.EqualFold(k.Args[0].V, "all") && strings.EqualFold(k.Args[1].V, "granted") && !k.Not.V {
			return true
		}
	}
	return false
}

// page deals with a Location of balancer-manager. The status page of mod_jk takes
// its place, under the same rules, or for this machine alone when there are none.
func (w *writer) page(s *model.Settings, sec *model.Section) {
	if sec == nil || !w.conn.Page(w.srv, sec) {
		w.led.Approx("no request comes to it: an earlier mapping takes its URL, or its place has no counterpart; it was left out", "JkMount", s.Handler)
		return
	}
	why := "the status page of mod_jk takes its place, with the same rules"
	if s.Access == nil {
		w.mods.use("authz_core", "authz_host")
		w.raw("Require local")
		why = "the status page of mod_jk takes its place, for this machine alone"
	}
	w.led.Approx(why, "jkstatus", s.Handler)
}
