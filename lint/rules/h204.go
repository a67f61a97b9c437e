package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var trailingSlashMismatch = &lint.Rule{
	ID: "H204", Name: "trailing-slash-mismatch", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "Of the path and the URL of a ProxyPass or ProxyPassReverse one ends with a slash and the other does not.",
		Why:  "httpd puts what is left of the request behind the URL as it is. With a slash too few the words run together, at a URL without a path even into the name of the host; with one too many the backend sees two.",
		Fix:  "End both with a slash, or neither.",
		Bad:  `ProxyPass "/" "http://10.0.0.11:8080"`,
		Good: `ProxyPass "/" "http://10.0.0.11:8080/"`,
		Notes: "A path with a slash and a URL without: error. A path without and a URL with a path and a slash: warning. A path without and a URL that ends with the slash of the root: info, since httpd 2.4 makes the right URL of it. " +
			"ProxyPassReverse: warning. Silent about exclusions, regular expressions, unix: URLs and URLs with a query.",
		Source: "mod_proxy, ProxyPass, the note on trailing slashes; ap_proxy_trans_match in modules/proxy/mod_proxy.c, ap_proxy_location_reverse_map in proxy_util.c. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range p.Servers() {
			for _, m := range sv.Mappings {
				h2PassSlash(p, m)
			}
			h2ReverseSlash(p, sv.Settings.Reverses)
			for _, sec := range sv.Sections {
				if sec.Mapping != nil && sec.Kind.V == "Location" {
					h2PassSlash(p, sec.Mapping)
				}
				if sec.Kind.V == "Location" {
					h2ReverseSlash(p, sec.Settings.Reverses)
				}
			}
		}
	},
}

// h2Slashes compares the ends of a path and a URL; ok is false when nothing is wrong
// or nothing can be said.
func h2Slashes(path, url string) (sev diag.Severity, ok bool) {
	if path == "" || path[0] != '/' || h2LooksLikeRegex(path) || strings.HasSuffix(path, "}") && unknown(path) || strings.HasSuffix(url, "}") && unknown(url) {
		return 0, false
	}
	scheme, rest, found := strings.Cut(url, "://")
	if !found || strings.Contains(scheme, "|") || strings.HasPrefix(strings.ToLower(scheme), "unix:") || strings.ContainsAny(rest, "?$") {
		return 0, false
	}
	slash := strings.HasSuffix(url, "/")
	switch {
	case strings.HasSuffix(path, "/") == slash:
		return 0, false
	case !slash:
		return diag.Error, true
	case strings.Count(rest, "/") == 1:
		return diag.Info, true
	}
	return diag.Warning, true
}

func h2PassSlash(p *lint.Pass, m *model.Mapping) {
	if m.Regex.V || m.Excludes() || !h2IsPass(m) || h2Name(m) == "ProxyPassMatch" {
		return
	}
	sev, ok := h2Slashes(m.Path.V, m.Target.V)
	if !ok {
		return
	}
	sample := "x"
	if !strings.HasSuffix(m.Path.V, "/") {
		sample = "/x"
	}
	f := lint.Finding{At: h2At(m.Target.Span, m.At), Severity: sev, Subject: m}
	f.Message = fmt.Sprintf("`%s` and `%s` must both end with `/` or both not: `%s` would become `%s`", m.Path.V, m.Target.V, m.Path.V+sample, m.Target.V+sample)
	if sev == diag.Info {
		f.Message = fmt.Sprintf("`%s` has no slash at its end and `%s` has one; httpd 2.4 mends it, but the manual asks for both or neither", m.Path.V, m.Target.V)
	}
	f.Fixes = h2SlashFix(m.Path, m.Target)
	p.Report(f)
}

// h2SlashFix adds the slash that the URL lacks, or takes off the one that is too much.
func h2SlashFix(path, url model.String) []diag.Fix {
	text := url.Span.Text()
	i := strings.LastIndex(text, url.V)
	if i < 0 {
		return nil
	}
	end := int(url.Span.Start) + i + len(url.V)
	if !strings.HasSuffix(url.V, "/") {
		return []diag.Fix{{Message: "end the URL with a slash", Safe: path.V == "/", Edits: []diag.Edit{{Span: diag.At(url.Span.File, end, end), New: "/"}}}}
	}
	return []diag.Fix{{Message: "take the slash off the URL", Edits: []diag.Edit{{Span: diag.At(url.Span.File, end-1, end)}}}}
}

// h2ReverseSlash looks at ProxyPassReverse, which replaces the URL in front of a
// Location header by the path. httpd takes care of `/` and a balancer itself.
func h2ReverseSlash(p *lint.Pass, list []*model.Reverse) {
	for _, r := range list {
		if _, ok := h2Slashes(r.From.V, r.To.V); !ok {
			continue
		}
		_, rest, _ := strings.Cut(r.To.V, "://")
		if r.From.V == "/" && h2Scheme(r.To.V) == "balancer" && !strings.Contains(rest, "/") {
			continue
		}
		sample := "x"
		if !strings.HasSuffix(r.To.V, "/") {
			sample = "/x"
		}
		p.Report(lint.Finding{
			At: h2At(r.To.Span, r.At), Severity: diag.Warning,
			Message: fmt.Sprintf("`%s` and `%s` must both end with `/` or both not: a redirect to `%s` would become one to `%s`", r.From.V, r.To.V, r.To.V+sample, r.From.V+sample),
			Fixes:   h2SlashFix(r.From, r.To),
		})
	}
}
