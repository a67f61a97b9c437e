package rules

import (
	"fmt"
	"regexp"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var proxyDeniedToAll = &lint.Rule{
	ID: "H509", Name: "proxy-denied-to-all", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Access, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "A <Proxy> section denies everyone what a ProxyPass hands out.",
		Why:  "The section applies to the reverse proxy too. Every request for the backend gets 403, \"client denied by server configuration: proxy:...\".",
		Fix:  "Remove the section, or write Require with whom you want to let in.",
		Bad: `<Proxy "*">
    Require all denied
</Proxy>
ProxyPass "/app" "ajp://10.0.0.11:8009/app"`,
		Good: `<Proxy "*">
    Require all granted
</Proxy>
ProxyPass "/app" "ajp://10.0.0.11:8009/app"`,
		Notes:  "The old style, Deny from all without Allow, counts as well. Silent when a later Proxy section or a Location for the mapping lets somebody in, and when nothing is mapped to a backend.",
		Source: "mod_proxy, Proxy; proxy_walk in modules/proxy/mod_proxy.c. Tried with httpd 2.4.71: 403, AH01630.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range proxyServers(p) {
			if main := sv.FrontEnd.Main; main != nil || sv.Main {
				checkDenied(p, sv)
			}
		}
	},
}

// sent is a backend's URL and the path that leads to it, if one is known.
type sent struct {
	path, url string
	at        diag.Span
}

func sentBy(sv lint.Server) []sent {
	var out []sent
	for _, m := range passes(sv) {
		path := m.Path.V
		if m.Regex.V {
			path = ""
		}
		out = append(out, sent{path, m.Target.V, m.At})
	}
	for _, r := range rewritesToProxy(sv) {
		url := r.Target.V
		if i := strings.IndexAny(url, "$%"); i > 0 {
			url = url[:i]
		}
		out = append(out, sent{"", url, r.At})
	}
	return out
}

func checkDenied(p *lint.Pass, sv lint.Server) {
	var deny, regrant, locs []*model.Section
	for _, sec := range sectionsOf(sv) {
		a := sec.Settings.Access
		if !hasAccess(a) {
			continue
		}
		switch {
		case strings.HasPrefix(sec.Kind.V, "Location"):
			locs = append(locs, sec)
		case deniesAll(a):
			deny = append(deny, sec)
			fallthrough
		default:
			regrant = append(regrant, sec)
		}
	}
	if len(deny) == 0 {
		return
	}
	list := sentBy(sv)
	if inherits(sv) {
		list = append(list, sentBy(mainOf(sv))...)
	}
	said := map[*model.Section]bool{}
	for _, s := range list {
		sec := deniedBy(s, regrant, locs)
		if sec == nil || said[sec] {
			continue
		}
		said[sec] = true
		p.Report(lint.Finding{
			At: sec.At.Head(), Subject: sec,
			Message: fmt.Sprintf("`<%s \"%s\">` denies everyone, so every proxied request (%s) gets 403 (\"client denied by server configuration: proxy:...\"); remove it, or write `Require` with whom you want", sec.Kind.V, sec.Path.V, s.at.Short()),
			Related: []diag.Related{lint.Related(s.at, "this mapping is denied")},
		})
		if len(said) == len(deny) {
			return
		}
	}
}

// deniedBy returns the last section that denies the request to everybody, nil
// when the sections in force let somebody in.
func deniedBy(s sent, proxies, locs []*model.Section) *model.Section {
	var list []*model.Section
	var last *model.Section
	for _, sec := range proxies {
		if takesTarget(sec, s.url) {
			list = append(list, sec)
			if deniesAll(sec.Settings.Access) {
				last = sec
			}
		}
	}
	if last == nil {
		return nil
	}
	for _, sec := range locs {
		if locationFor(sec, s.path) {
			list = append(list, sec)
		}
	}
	if a := fold(list); a == nil || !deniesAll(a) {
		return nil
	}
	return last
}

// locationFor reports whether the section applies to the mapping's URLs; when its
// path is not known any section may.
func locationFor(sec *model.Section, path string) bool {
	if path == "" {
		return true
	}
	if sec.Kind.V == "LocationMatch" {
		re, err := regexp.Compile(sec.Path.V)
		return err != nil || re.MatchString(path)
	}
	return sectionTakes(sec, path) || samePath(sec.Path.V, path)
}
