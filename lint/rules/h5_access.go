package rules

import (
	"regexp"
	"strings"

	"clowder/lint"
	"clowder/parse/model"
)

// fold merges the access control of the sections in order, the later over the
// earlier, each of both styles on its own (ap_location_walk, proxy_walk).
func fold(sections []*model.Section) *model.Access {
	var out model.Settings
	for _, sec := range sections {
		if sec.Settings.Access != nil {
			s := model.Settings{Access: sec.Settings.Access}
			out = s.Over(&model.Settings{Access: out.Access})
		}
	}
	return out.Access
}

// sectionTakes reports whether a Location or LocationMatch applies to the URL path.
func sectionTakes(sec *model.Section, url string) bool {
	switch sec.Kind.V {
	case "Location":
		if strings.ContainsAny(sec.Path.V, "*?[") {
			return globMatch(sec.Path.V, url, false)
		}
		return covers(sec.Path.V, url)
	case "LocationMatch":
		re, err := regexp.Compile(sec.Path.V)
		return err == nil && re.MatchString(url)
	}
	return false
}

// takesTarget reports whether a Proxy or ProxyMatch section applies to the URL of
// a backend, as proxy_walk in modules/proxy/mod_proxy.c.
func takesTarget(sec *model.Section, url string) bool {
	switch sec.Kind.V {
	case "Proxy":
		if strings.ContainsAny(sec.Path.V, "*?[") {
			return globMatch(sec.Path.V, url, true)
		}
		return strings.HasPrefix(url, sec.Path.V)
	case "ProxyMatch":
		re, err := regexp.Compile(sec.Path.V)
		return err == nil && re.MatchString(url)
	}
	return false
}

// globMatch matches as apr_fnmatch; slashes says whether * and ? match a slash.
func globMatch(pattern, s string, slashes bool) bool {
	any, one := "[^/]*", "[^/]"
	if slashes {
		any, one = ".*", "."
	}
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			b.WriteString(any)
		case '?':
			b.WriteString(one)
		case '[':
			end := strings.IndexByte(pattern[i+1:], ']')
			if end < 1 {
				b.WriteString(`\[`)
				continue
			}
			b.WriteString(strings.Replace(pattern[i:i+end+2], "[!", "[^", 1))
			i += end + 1
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	re, err := regexp.Compile("(?s)" + b.String() + "$")
	return err == nil && re.MatchString(s)
}

// reachable reports whether anybody can open the section's page: what it says
// itself, and what other Locations in force for its URL say in front and behind.
func reachable(sv lint.Server, sec *model.Section) bool {
	locs := locations(sec)
	if len(locs) == 0 {
		return !hasAccess(sec.Settings.Access) || isOpen(sec.Settings.Access)
	}
	for _, loc := range locs {
		var list []*model.Section
		for _, o := range sectionsOf(sv) {
			if o == sec || hasAccess(o.Settings.Access) && sectionTakes(o, loc) {
				list = append(list, o)
			}
		}
		if a := fold(list); a == nil || !hasAccess(a) || isOpen(a) {
			return true
		}
	}
	return false
}

// deniesAll reports whether the access control lets nobody in at all.
func deniesAll(a *model.Access) bool {
	hasOrder, hasRequire := usesOrder(a), a.Require != nil
	switch {
	case hasOrder && hasRequire && strings.EqualFold(a.Satisfy.V, "any"):
		return orderDenies(a) && requireDenies(a.Require)
	case hasOrder && hasRequire:
		return orderDenies(a) || requireDenies(a.Require)
	case hasRequire:
		return requireDenies(a.Require)
	}
	return hasOrder && orderDenies(a)
}

// orderDenies evaluates Order, Allow and Deny for the best of all clients.
func orderDenies(a *model.Access) bool {
	switch strings.ReplaceAll(strings.ToLower(a.Order.V), " ", "") {
	case "allow,deny":
		return contains(a.Deny, "all") || len(a.Allow) == 0
	case "mutual-failure":
		return contains(a.Deny, "all") || len(a.Allow) == 0
	}
	return contains(a.Deny, "all") && len(a.Allow) == 0
}

// requireDenies evaluates a tree of Require for the best of all clients.
func requireDenies(r *model.Require) bool {
	if r.Group.V == "" {
		if len(r.Args) < 2 || !strings.EqualFold(r.Args[0].V, "all") {
			return false
		}
		return strings.EqualFold(r.Args[1].V, "denied") != r.Not.V
	}
	denied, granted := 0, 0
	for _, c := range r.Children {
		if requireDenies(c) {
			denied++
		}
		if requireOpen(c) {
			granted++
		}
	}
	switch strings.ToLower(r.Group.V) {
	case "all":
		return denied > 0
	case "none":
		return granted > 0
	}
	return len(r.Children) > 0 && denied == len(r.Children)
}

// openPage reports a page of httpd itself that anybody can open, with the fix to
// add Require local when the section says nothing about access.
func openPage(p *lint.Pass, sv lint.Server, sec *model.Section, f lint.Finding) {
	if !reachable(sv, sec) {
		return
	}
	if !hasAccess(sec.Settings.Access) {
		f.Fixes = requireLocal(p, sv, sec)
	}
	p.Report(f)
}
