package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var parametersInSectionName = &lint.Rule{
	ID: "H209", Name: "parameters-in-section-name", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "The quotes of a <Proxy> tag hold the URL of the balancer and parameters.",
		Why:  "All that stands in the quotes is the name of the balancer. The one that ProxyPass names has no members then: `httpd -t` passes and requests get 503.",
		Fix:  "Write the parameters in a ProxySet line inside of the section.",
		Bad: `<Proxy "balancer://c stickysession=JSESSIONID">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    ProxySet stickysession=JSESSIONID
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Notes:  "H301, H302 and H303 are silent about the same name.",
		Source: "mod_proxy, <Proxy> and ProxySet; proxysection in modules/proxy/mod_proxy.c. Tried with httpd 2.4.71: AH01171, no workers in balancer.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range p.Servers() {
			for _, sec := range sv.Sections {
				if name, params, ok := h2NameWithParameters(sec); ok {
					h2ReportName(p, sec, name, params)
				}
			}
		}
	},
}

// h2NameWithParameters takes the argument of a <Proxy> tag apart that holds more
// than the balancer's URL.
func h2NameWithParameters(sec *model.Section) (name, params string, ok bool) {
	if sec.Kind.V != "Proxy" {
		return "", "", false
	}
	url := strings.TrimSpace(sec.Path.V)
	i := strings.IndexAny(url, " \t")
	if i < 0 || h2Scheme(url) != "balancer" {
		return "", "", false
	}
	name = strings.TrimPrefix(url[:i], url[:len("balancer://")])
	name, _, _ = strings.Cut(name, "/")
	return name, strings.TrimSpace(url[i:]), name != ""
}

func h2ReportName(p *lint.Pass, sec *model.Section, name, params string) {
	f := lint.Finding{At: h2At(sec.Path.Span, sec.At), Subject: sec}
	var keys []string
	for w := range strings.FieldsSeq(params) {
		k, _, _ := strings.Cut(w, "=")
		keys = append(keys, k)
	}
	f.Message = fmt.Sprintf("`<Proxy \"balancer://%s %s...\">`: parameters do not belong into the section name; the balancer is then a different one and `balancer://%s` has no members; use ProxySet", name, strings.Join(keys, " "), name)
	// The name must stand in the file as it was read.
	text := sec.Path.Span.Text()
	if i := strings.Index(text, sec.Path.V); i >= 0 && sec.Path.Span.IsValid() && !strings.Contains(strings.ToLower(params), "nonce=") {
		url, _, _ := strings.Cut(strings.TrimSpace(sec.Path.V), " ")
		url, _, _ = strings.Cut(url, "\t")
		start := int(sec.Path.Span.Start) + i
		line := lineAfter(sec.At, "    ProxySet "+params)
		f.Fixes = []diag.Fix{{Message: "move the parameters into a ProxySet line", Safe: true, Edits: []diag.Edit{
			{Span: diag.At(sec.Path.Span.File, start, start+len(sec.Path.V)), New: url}, line,
		}}}
	}
	p.Report(f)
}
