package httpd

import (
	"regexp"
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
		if w.unmounted = append(w.unmounted, first); both {
			w.unmounted = append(w.unmounted, first+rest)
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
	w.comment("URLs that mod_jk passed on to workers that are not among the files")
	done := map[string]bool{}
	for _, p := range w.unmounted {
		if !writable(p) || done[p] {
			continue
		}
		done[p] = true
		re := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(p))
		w.raw("<LocationMatch " + always("^"+re+"$") + ">")
		w.depth++
		w.raw("Require all denied")
		if w.mods.need["access_compat"] {
			w.raw("Satisfy All")
		}
		w.close("LocationMatch")
	}
	w.unmounted = nil
}
