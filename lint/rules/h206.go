package rules

import (
	"fmt"
	"slices"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var locationBeatsExclusion = &lint.Rule{
	ID: "H206", Name: "location-beats-exclusion", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "A ProxyPass of the server, an exclusion above all, concerns URLs that the ProxyPass of a <Location> takes.",
		Why:  "httpd asks the ProxyPass of the Location first, whatever the order in the file, so the line of the server has no effect.",
		Fix:  "Write a Location of its own with ProxyPass inside, behind the other one.",
		Bad: `ProxyPass "/app/images" "!"
<Location "/app">
    ProxyPass "http://10.0.0.11:8080/app"
</Location>`,
		Good: `<Location "/app">
    ProxyPass "http://10.0.0.11:8080/app"
</Location>
<Location "/app/images">
    ProxyPass "!"
</Location>`,
		Notes:  "Silent when the Location excludes as well, or leads to the same URL. The variable no-proxy (2.4.26) excludes in any case.",
		Source: "mod_proxy, ProxyPass, on mixed contexts; proxy_trans in modules/proxy/mod_proxy.c asks the alias of the directory first. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		for _, fe := range p.Setup.FrontEnds {
			var inherited []*model.Section
			if fe.Main != nil {
				inherited = fe.Main.Sections
				h2LocationFirst(p, fe.Main, h2Locations(fe.Main.Sections))
			}
			main := h2Locations(inherited)
			for _, vh := range fe.VHosts {
				h2LocationFirst(p, vh, append(h2Locations(vh.Sections), main...))
			}
		}
	},
}

// h2Locations returns the mappings of Location sections, the last one first, for
// the last that covers a URL counts.
func h2Locations(sections []*model.Section) []*model.Mapping {
	var out []*model.Mapping
	for _, sec := range slices.Backward(sections) {
		if sec.Mapping != nil && sec.Kind.V == "Location" && !sec.Mapping.Regex.V && h2IsPass(sec.Mapping) {
			out = append(out, sec.Mapping)
		}
	}
	return out
}

func h2LocationFirst(p *lint.Pass, sv *model.Server, locations []*model.Mapping) {
	if len(locations) == 0 || len(sv.Mappings) == 0 {
		return
	}
	var table h2Pair
	for _, m := range locations {
		table.of(m).add(m)
	}
	for _, m := range sv.Mappings {
		r, ok := h2ReachOf(m)
		if !ok || !h2IsPass(m) {
			continue
		}
		by := table.of(m).first(r)
		if by == nil || m.Excludes() && by.Excludes() || !m.Excludes() && h2SameResult(by, m) {
			continue
		}
		f := lint.Finding{At: h2At(m.Path.Span, m.At), Subject: m, Related: []diag.Related{lint.Related(by.At.Head(), "this one is asked first")}}
		if m.Excludes() {
			f.Message = fmt.Sprintf("`%s` at server level cannot exclude from the ProxyPass inside `<Location \"%s\">` (%s), which is evaluated first; use `<Location \"%s\"> ProxyPass \"!\"`", h2Shown(m), by.Path.V, by.At.Short(), m.Path.V)
		} else {
			f.Message = fmt.Sprintf("`%s` at server level is never used: the ProxyPass inside `<Location \"%s\">` (%s) is evaluated first; write it into a `<Location \"%s\">` behind that one", h2Shown(m), by.Path.V, by.At.Short(), m.Path.V)
		}
		p.Report(f)
	}
}
