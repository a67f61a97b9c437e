package rules

import (
	"fmt"
	"regexp"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var regexInProxypass = &lint.Rule{
	ID: "H205", Name: "regex-in-proxypass", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What:   "The path of a ProxyPass is a regular expression, or does not begin with a slash.",
		Why:    "ProxyPass compares its path letter by letter with the beginning of the URL, so the line never matches and httpd answers the requests itself, mostly with 404. `httpd -t` says Syntax OK.",
		Fix:    "Use ProxyPassMatch, or write the plain path.",
		Bad:    `ProxyPass "^/app/(.*)$" "http://10.0.0.11:8080/app/$1"`,
		Good:   `ProxyPassMatch "^/app/(.*)$" "http://10.0.0.11:8080/app/$1"`,
		Notes:  "Signs of a regular expression: ^ in front, $ at the end, or one of ( ) * [. ProxyPass ~ is ProxyPassMatch.",
		Source: "mod_proxy, ProxyPass and ProxyPassMatch; alias_match in modules/proxy/mod_proxy.c. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range p.Servers() {
			for _, m := range sv.Mappings {
				if !m.Regex.V && h2IsPass(m) && !unknown(m.Path.V) {
					h2RegexPath(p, m)
				}
			}
		}
	},
}

// h2LooksLikeRegex reports whether a path has signs of a regular expression.
func h2LooksLikeRegex(path string) bool {
	return strings.HasPrefix(path, "^") || strings.HasSuffix(path, "$") || strings.ContainsAny(path, "()*[")
}

var (
	h2PlainPath = regexp.MustCompile(`^\^(/[A-Za-z0-9_~/-]*)$`)
	h2BackRef   = regexp.MustCompile(`\$[0-9]`)
)

func h2RegexPath(p *lint.Pass, m *model.Mapping) {
	f := lint.Finding{At: h2At(m.Path.Span, m.At), Subject: m}
	switch {
	case h2LooksLikeRegex(m.Path.V):
		f.Message = fmt.Sprintf("`ProxyPass` takes a plain path; `%s` looks like a regular expression and never matches; use ProxyPassMatch", m.Path.V)
	case !strings.HasPrefix(m.Path.V, "/"):
		f.Message = fmt.Sprintf("`ProxyPass %s` never matches: the path must start with `/`", m.Path.V)
	default:
		return
	}
	if !strings.HasPrefix(m.Path.V, "^") {
		p.Report(f)
		return
	}
	text := m.At.Text()
	at := int(m.At.Start) + len(text) - len(strings.TrimLeft(text, " \t"))
	switch plain := h2PlainPath.FindStringSubmatch(m.Path.V); {
	case m.Excludes() || h2BackRef.MatchString(m.Target.V):
		f.Fixes = []diag.Fix{{Message: "write ProxyPassMatch", Safe: true, Edits: []diag.Edit{{Span: diag.At(m.At.File, at, at+len("ProxyPass")), New: "ProxyPassMatch"}}}}
	case plain != nil && strings.Contains(m.Path.Span.Text(), m.Path.V):
		// Without $1 ProxyPassMatch would put the whole URL behind the target.
		i := int(m.Path.Span.Start) + strings.Index(m.Path.Span.Text(), m.Path.V)
		f.Fixes = []diag.Fix{{Message: "write the plain path", Safe: true, Edits: []diag.Edit{{Span: diag.At(m.At.File, i, i+1)}}}}
	}
	p.Report(f)
}
