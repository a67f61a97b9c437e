package rules

import (
	"fmt"
	"slices"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var proxypassShadowed = &lint.Rule{
	ID: "H202", Name: "proxypass-shadowed", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	YieldsTo: []string{"H206"},
	Doc: lint.Doc{
		What: "A ProxyPass stands behind another one that takes all of its URLs.",
		Why:  "httpd asks the lines in their order and takes the first that fits, so the later one never gets a request: its URLs go to the other backend.",
		Fix:  "Put the longer path first.",
		Bad: `ProxyPass "/app" "http://10.0.0.11:8080/app"
ProxyPass "/app/api" "http://10.0.0.12:8080/api"`,
		Good: `ProxyPass "/app/api" "http://10.0.0.12:8080/api"
ProxyPass "/app" "http://10.0.0.11:8080/app"`,
		Notes:  "Whole parts of the path count: /app does not hide /apple, and /app/ does not hide /app. The lines of the main server come before those of each virtual host, ProxyPassInherit Off or not. Of <Location> sections the last one in the files counts. Info when both lead to the same URL; silent about ws:// lines in front, which take only requests to upgrade. Hidden exclusions are H203.",
		Source: "mod_proxy, \"Ordering ProxyPass Directives\"; proxy_trans, merge_proxy_config and merge_proxy_dir_config in modules/proxy/mod_proxy.c. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		h2Hidden(p, func(h h2HiddenPass) {
			if h.m.Excludes() {
				return
			}
			f := h.finding("`%s` is never used: `%s` (%s) matches first; put the longer path first")
			if h2SameResult(h.by, h.m) {
				f.Severity = diag.Info
			}
			p.Report(f)
		})
	},
}

var exclusionTooLate = &lint.Rule{
	ID: "H203", Name: "exclusion-too-late", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	YieldsTo: []string{"H206"},
	Doc: lint.Doc{
		What: "A ProxyPass with ! stands behind a ProxyPass that takes its URLs.",
		Why:  "The first line that fits decides, so nothing is excluded: the backend gets the requests and mostly answers 404.",
		Fix:  "Move the exclusion up.",
		Bad: `ProxyPass "/" "http://10.0.0.11:8080/"
ProxyPass "/static" "!"`,
		Good: `ProxyPass "/static" "!"
ProxyPass "/" "http://10.0.0.11:8080/"`,
		Notes:  "As H202; an exclusion behind another exclusion of the same URLs is no mistake.",
		Source: "mod_proxy, ProxyPass, \"!\"; proxy_trans in modules/proxy/mod_proxy.c. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		h2Hidden(p, func(h h2HiddenPass) {
			if h.m.Excludes() {
				p.Report(h.finding("exclusion `%s` comes after `%s` (%s) and has no effect; move it up"))
			}
		})
	},
}

// h2HiddenPass is a mapping that another one hides.
type h2HiddenPass struct {
	m, by    *model.Mapping
	location bool // both stand in <Location> sections; the later one hides
	movable  bool
}

func (h h2HiddenPass) finding(format string) lint.Finding {
	shown, other := h2Shown(h.m), h2Shown(h.by)
	f := lint.Finding{At: h2At(h.m.Path.Span, h.m.At), Subject: h.m, Related: []diag.Related{lint.Related(h.by.At.Head(), "this one takes the requests")}}
	f.Message = fmt.Sprintf(format, shown, other, h.by.At.Short())
	if h.location {
		f.At = h.m.At.Head()
		f.Message = fmt.Sprintf("`ProxyPass` of `<Location \"%s\">` is never used: that of `<Location \"%s\">` (%s) comes later and counts; put the section with the longer path behind it", h.m.Path.V, h.by.Path.V, h.by.At.Short())
	}
	if h.movable {
		f.Fixes = []diag.Fix{h2Move(h.m.At, h.by.At, "move the line up")}
	}
	return f
}

// h2Hidden calls report for each mapping that never gets a request because
// another one takes all of its URLs first.
func h2Hidden(p *lint.Pass, report func(h2HiddenPass)) {
	blocks := h2Blocks{}
	for _, fe := range p.Setup.FrontEnds {
		var main h2Pair
		if fe.Main != nil {
			h2HiddenIn(p, fe.Main, nil, &main, blocks, report)
		}
		for _, vh := range fe.VHosts {
			var own h2Pair
			h2HiddenIn(p, vh, &main, &own, blocks, report)
		}
		h2HiddenLocations(fe, report)
	}
}

func h2HiddenIn(p *lint.Pass, sv *model.Server, main, own *h2Pair, blocks h2Blocks, report func(h2HiddenPass)) {
	for _, m := range sv.Mappings {
		r, ok := h2ReachOf(m)
		if !ok || !h2IsPass(m) {
			continue
		}
		var by *model.Mapping
		if main != nil {
			by = main.of(m).first(r)
		}
		if by == nil {
			by = own.of(m).first(r)
		}
		if by != nil && !(by.Excludes() && m.Excludes()) {
			plain := !m.Regex.V && !by.Regex.V && !h2SameResult(by, m) && len(by.Path.V) < len(m.Path.V)
			report(h2HiddenPass{m: m, by: by, movable: (plain || m.Excludes()) && blocks.same(p, m.At, by.At)})
		}
		if !m.Own.V {
			own.of(m).add(m)
		}
	}
}

// h2HiddenLocations does the same for the mappings of Location sections, of which
// the last one that covers a URL counts.
func h2HiddenLocations(fe *model.FrontEnd, report func(h2HiddenPass)) {
	servers := fe.VHosts
	if fe.Main != nil {
		servers = append([]*model.Server{fe.Main}, fe.VHosts...)
	}
	for _, sv := range servers {
		var later h2Pair
		for _, sec := range slices.Backward(sv.Sections) {
			m := sec.Mapping
			if m == nil || sec.Kind.V != "Location" || m.Regex.V || !h2IsPass(m) {
				continue
			}
			r, ok := h2ReachOf(m)
			if !ok {
				continue
			}
			if by := later.of(m).first(r); by != nil && m.Excludes() != by.Excludes() ||
				by != nil && !m.Excludes() && !h2SameResult(by, m) {
				report(h2HiddenPass{m: m, by: by, location: true})
			}
			later.of(m).add(m)
		}
	}
}
