package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var proxypassShadowsHandler = &lint.Rule{
	ID: "H201", Name: "proxypass-shadows-handler", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "A Location has a handler of httpd itself, such as balancer-manager, but a ProxyPass sends its URLs to the backend.",
		Why:  "mod_proxy takes the request before the handler is asked. The page is answered by a Tomcat, mostly with 404, or with 503 when none runs.",
		Fix:  "Exclude the location in front of the ProxyPass: ProxyPass \"/balancer-manager\" \"!\".",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
</Proxy>
ProxyPass "/" "balancer://c/"
<Location "/balancer-manager">
    SetHandler balancer-manager
    Require local
</Location>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
</Proxy>
ProxyPass "/balancer-manager" "!"
ProxyPass "/" "balancer://c/"
<Location "/balancer-manager">
    SetHandler balancer-manager
    Require local
</Location>`,
		Notes:  "Silent for proxy: handlers, none and default-handler; when an earlier exclusion, ProxyPass ! inside the Location or SetEnvIf no-proxy (2.4.26) covers it; and across virtual hosts, except that the main server's ProxyPass lines come before their own, ProxyPassInherit Off or not. A RewriteRule [P] without conditions counts as well, less sure. Only literal alternatives of LocationMatch are looked at.",
		Source: "mod_proxy, ProxyPass, \"!\"; proxy_trans in modules/proxy/mod_proxy.c. Tried with httpd 2.4.71: 503 from the proxy.",
	},
	Check: checkShadowedHandlers,
}

func checkShadowedHandlers(p *lint.Pass) {
	compiled := map[string]*regexp.Regexp{}
	for _, sv := range p.Servers() {
		for _, sec := range sv.Sections {
			if !localHandler(sec.Settings.Handler.V) || sec.Mapping != nil {
				continue
			}
			for _, loc := range locations(sec) {
				if by, sure := shadow(sv, compiled, loc); by != nil && !noProxy(p, sv, sec, loc) {
					reportShadow(p, sec, loc, by, sure)
					break
				}
			}
		}
	}
}

func reportShadow(p *lint.Pass, sec *model.Section, loc string, by *model.Mapping, sure bool) {
	directive := h2Name(by)
	if strings.HasPrefix(strings.ToLower(strings.TrimLeft(by.At.Text(), " \t")), "rewriterule") {
		directive = "RewriteRule"
	}
	f := lint.Finding{
		At: sec.At.Head(), Subject: sec,
		Message: fmt.Sprintf("`%s \"%s\"` (%s) sends `%s` to the backend, so `SetHandler %s` here is never reached; add `ProxyPass \"%s\" \"!\"` before it",
			directive, by.Path.V, by.At.Short(), loc, sec.Settings.Handler.V, loc),
		Related: []diag.Related{lint.Related(by.At, "this mapping takes the request first")},
		Fixes: []diag.Fix{{
			Message: "exclude " + loc + " from the proxy", Safe: true,
			Edits: []diag.Edit{lineBefore(by.At, fmt.Sprintf("ProxyPass \"%s\" \"!\"", loc))},
		}},
	}
	if !sure {
		f.Lower, f.Fixes = 1, nil
	}
	if directive == "RewriteRule" {
		f.Message = fmt.Sprintf("`RewriteRule %s` (%s) sends `%s` to the backend, so `SetHandler %s` here is never reached; add `RewriteRule ^%s - [END]` before it",
			by.Path.V, by.At.Short(), loc, sec.Settings.Handler.V, loc)
	}
	p.Report(f)
}

func localHandler(h string) bool {
	h = strings.ToLower(h)
	return h != "" && h != "none" && h != "default-handler" && !strings.HasPrefix(h, "proxy:") && !strings.HasPrefix(h, "proxy-") && !unknown(h)
}

var alternatives = regexp.MustCompile(`^\^?(/[A-Za-z0-9_/-]*)(?:\(\??:?([A-Za-z0-9_/|-]+)\))?([A-Za-z0-9_/-]*)\$?$`)

// locations returns the URLs of a section that can be told: the prefix of a
// Location, the literal alternatives of a LocationMatch.
func locations(sec *model.Section) []string {
	path := sec.Path.V
	switch sec.Kind.V {
	case "Location":
		if strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "*?[") && !unknown(path) {
			return []string{path}
		}
	case "LocationMatch":
		m := alternatives.FindStringSubmatch(path)
		if m == nil {
			return nil
		}
		var out []string
		for alt := range strings.SplitSeq(m[2], "|") {
			out = append(out, m[1]+alt+m[3])
		}
		return out
	}
	return nil
}

// shadow returns the mapping that takes a request for the location, nil when
// none does or an exclusion comes first; sure is false when it rests on another
// section or a regular expression.
func shadow(sv lint.Server, compiled map[string]*regexp.Regexp, loc string) (by *model.Mapping, sure bool) {
	// Per-directory mappings are asked before those of the server; the last section
	// that covers the URL counts, and those of the main server come first.
	sections := [][]*model.Section{sv.Sections}
	if main := sv.FrontEnd.Main; !sv.Main && main != nil {
		sections = append(sections, main.Sections)
	}
	for _, list := range sections {
		for _, sec := range slices.Backward(list) {
			if sec.Mapping != nil && sec.Kind.V == "Location" && covers(sec.Path.V, loc) {
				if sec.Mapping.Excludes() {
					return nil, true
				}
				return sec.Mapping, false
			}
		}
	}
	if by := rewritten(sv, loc); by != nil {
		return by, false
	}
	// merge_proxy_config in mod_proxy.c puts the mappings of the main server before
	// those of a virtual host, ProxyPassInherit Off or not.
	lists := [][]*model.Mapping{sv.Mappings}
	if main := sv.FrontEnd.Main; !sv.Main && main != nil {
		lists = [][]*model.Mapping{main.Mappings, sv.Mappings}
	}
	for i, list := range lists {
		for _, m := range list {
			if i+1 < len(lists) && m.Own.V || unknown(m.Path.V) || !takes(m, compiled, loc) {
				continue
			}
			if m.Excludes() {
				return nil, true
			}
			return m, !m.Regex.V
		}
	}
	return nil, true
}

// takes reports whether the mapping matches the URL.
func takes(m *model.Mapping, compiled map[string]*regexp.Regexp, url string) bool {
	if !m.Regex.V {
		return covers(m.Path.V, url)
	}
	re, seen := compiled[m.Path.V]
	if !seen {
		re, _ = regexp.Compile(m.Path.V)
		compiled[m.Path.V] = re
	}
	return re != nil && re.MatchString(url)
}

// rewritten returns the RewriteRule with the flag P that takes the location, as a
// mapping, or nil. mod_rewrite is asked before mod_proxy. Rules with conditions
// are left out, for these exclude such pages as a rule.
func rewritten(sv lint.Server, loc string) *model.Mapping {
	r := sv.Settings.Rewrite
	if r == nil || !r.Engine.V {
		return nil
	}
	for _, rule := range r.Rules {
		re, err := regexp.Compile(strings.TrimPrefix(rule.Pattern.V, "!"))
		if err != nil || len(rule.Conds) > 0 || re.MatchString(loc) == strings.HasPrefix(rule.Pattern.V, "!") {
			continue
		}
		if rule.HasFlag("P", "proxy") {
			return &model.Mapping{At: rule.At, Path: rule.Pattern, Target: rule.Target, Regex: model.Def(true)}
		}
		if rule.Target.V != "-" || rule.HasFlag("L", "last") || rule.HasFlag("END", "end") {
			return nil
		}
	}
	return nil
}

// covers reports whether a path of ProxyPass or Location matches the URL, as
// alias_match in mod_proxy does: whole segments only.
func covers(prefix, url string) bool {
	if !strings.HasPrefix(url, prefix) {
		return false
	}
	return len(url) == len(prefix) || strings.HasSuffix(prefix, "/") || url[len(prefix)] == '/'
}

// noProxy reports whether SetEnvIf Request_URI … no-proxy covers the location.
func noProxy(p *lint.Pass, sv lint.Server, sec *model.Section, loc string) bool {
	if version, _ := p.HTTPDVersion(sv.FrontEnd); !lint.AtLeast(version, "2.4.26") {
		return false
	}
	envs := append(sec.Settings.SetEnv[:len(sec.Settings.SetEnv):len(sec.Settings.SetEnv)], sv.Settings.SetEnv...)
	if main := sv.FrontEnd.Main; main != nil && !sv.Main {
		envs = append(envs, main.Settings.SetEnv...)
	}
	for _, e := range envs {
		switch args := e.Args; {
		case strings.EqualFold(e.Directive.V, "SetEnv") && len(args) > 0 && args[0].V == "no-proxy":
			return true
		case strings.HasPrefix(strings.ToLower(e.Directive.V), "setenvif") && len(args) > 2 && strings.EqualFold(args[0].V, "Request_URI"):
			for _, a := range args[2:] {
				if name, _, _ := strings.Cut(a.V, "="); name == "no-proxy" {
					re, err := regexp.Compile(args[1].V)
					if err != nil || re.MatchString(loc) {
						return true
					}
				}
			}
		}
	}
	return false
}
