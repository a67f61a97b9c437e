package rules

import (
	"fmt"
	"regexp/syntax"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var clientControlsBackendHost = &lint.Rule{
	ID: "H208", Name: "client-controls-backend-host", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "In the URL of a ProxyPassMatch or RewriteRule [P] a part of the request stands in the place of the host, or follows it without a slash between.",
		Why:  "A client can send a path that goes on with the name of the host or makes the real host a user name, and so have httpd fetch from a server of its choice inside your network. For honest requests the port and the path run together.",
		Fix:  "Put a slash behind the host.",
		Bad:  `ProxyPassMatch "^/(.*)$" "http://10.0.0.11:8080$1"`,
		Good: `ProxyPassMatch "^/(.*)$" "http://10.0.0.11:8080/$1"`,
		Notes: "Silent when the group always begins with a slash, as in ^(/app/.*)$, or can only be one of a list of words. " +
			"A plain ProxyPass \"/\" to a URL without a slash is H204.",
		Source: "mod_proxy, ProxyPassMatch, the security warning; CVE-2011-3368. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range p.Servers() {
			for _, m := range sv.Mappings {
				if m.Regex.V && !m.Excludes() && h2IsPass(m) {
					h2HostOf(p, m.At, m.Path, m.Target, nil)
				}
			}
			h2RewrittenHosts(p, sv.Settings.Rewrite)
			for _, sec := range sv.Sections {
				if m := sec.Mapping; m != nil && (m.Regex.V || sec.Kind.V == "LocationMatch") && !m.Excludes() {
					h2HostOf(p, m.At, m.Path, m.Target, nil)
				}
				h2RewrittenHosts(p, sec.Settings.Rewrite)
			}
		}
	},
}

func h2RewrittenHosts(p *lint.Pass, r *model.Rewrite) {
	if r == nil {
		return
	}
	for _, rule := range r.Rules {
		if rule.HasFlag("P", "proxy") {
			h2HostOf(p, rule.At, rule.Pattern, rule.Target, rule.Conds)
		}
	}
}

// h2HostOf looks at the URL from the host on: literal text, then references, up
// to the first slash.
func h2HostOf(p *lint.Pass, line diag.Span, pattern, target model.String, conds []*model.RewriteCond) {
	scheme, rest, ok := strings.Cut(target.V, "://")
	if !ok || scheme == "" || strings.ContainsAny(scheme, "$%") || strings.HasPrefix(strings.ToLower(scheme), "unix:") {
		return
	}
	host := len(scheme) + 3
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '/' || c == '?' || c == '#':
			return
		case c == '\\':
			i++
		case (c == '$' || c == '%') && i+1 < len(rest) && rest[i+1] == '{':
			end := strings.IndexByte(rest[i:], '}')
			if end < 0 || strings.HasPrefix(rest[i:], "%{REQUEST_URI}") {
				return
			}
			i += end // a map or a variable: the server's choice, as far as can be told
		case (c == '$' || c == '%' && conds != nil) && i+1 < len(rest) && rest[i+1] >= '0' && rest[i+1] <= '9':
			re := pattern.V
			if c == '%' {
				re = h2LastCond(conds)
			}
			switch h2Group(re, int(rest[i+1]-'0')) {
			case h2Free:
				h2ReportHost(p, line, pattern, target, host+i)
				return
			case h2Slash:
				if i > 0 {
					return
				}
			}
			i++
		}
	}
}

// h2LastCond is the pattern that %1 belongs to.
func h2LastCond(conds []*model.RewriteCond) string {
	if len(conds) == 0 || strings.HasPrefix(conds[len(conds)-1].Pattern.V, "!") {
		return ""
	}
	return conds[len(conds)-1].Pattern.V
}

// What a group of a regular expression can hold.
const (
	h2Unsure = iota // cannot be told, or nothing that does harm
	h2Free          // may begin with something else than a slash
	h2Slash         // begins with a slash, always
	h2Empty         // is empty or begins with a slash
)

func h2Group(pattern string, n int) int {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || pattern == "" {
		return h2Unsure
	}
	if n == 0 {
		if pattern[0] == '^' && len(pattern) > 1 && pattern[1] == '/' {
			return h2Slash
		}
		return h2Free
	}
	var group *syntax.Regexp
	var find func(*syntax.Regexp)
	find = func(r *syntax.Regexp) {
		if r.Op == syntax.OpCapture && r.Cap == n {
			group = r.Sub[0]
		}
		for _, s := range r.Sub {
			find(s)
		}
	}
	find(re)
	if group == nil || h2Words(group) {
		return h2Unsure
	}
	empty, ok := h2Starts(group)
	switch {
	case !ok:
		return h2Free
	case empty:
		return h2Empty
	}
	return h2Slash
}

// h2Words reports whether an expression matches only words of a list.
func h2Words(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral, syntax.OpEmptyMatch:
		return true
	case syntax.OpCharClass:
		n := 0
		for i := 0; i+1 < len(re.Rune); i += 2 {
			n += int(re.Rune[i+1]-re.Rune[i]) + 1
		}
		return n <= 10
	case syntax.OpCapture, syntax.OpConcat, syntax.OpAlternate, syntax.OpQuest:
		for _, s := range re.Sub {
			if !h2Words(s) {
				return false
			}
		}
		return true
	}
	return false
}

// h2Starts reports whether all that an expression matches is empty or begins
// with a slash, and whether it can be empty.
func h2Starts(re *syntax.Regexp) (empty, ok bool) {
	switch re.Op {
	case syntax.OpLiteral:
		return false, re.Rune[0] == '/'
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return true, true
	case syntax.OpCharClass:
		return false, len(re.Rune) == 2 && re.Rune[0] == '/' && re.Rune[1] == '/'
	case syntax.OpCapture, syntax.OpPlus:
		return h2Starts(re.Sub[0])
	case syntax.OpStar, syntax.OpQuest:
		_, ok = h2Starts(re.Sub[0])
		return true, ok
	case syntax.OpRepeat:
		empty, ok = h2Starts(re.Sub[0])
		return empty || re.Min == 0, ok
	case syntax.OpAlternate:
		ok = true
		for _, s := range re.Sub {
			e, o := h2Starts(s)
			empty, ok = empty || e, ok && o
		}
		return empty, ok
	case syntax.OpConcat:
		for _, s := range re.Sub {
			if e, o := h2Starts(s); !e || !o {
				return false, o
			}
		}
		return true, true
	}
	return false, false
}

func h2ReportHost(p *lint.Pass, line diag.Span, pattern, target model.String, at int) {
	f := lint.Finding{At: h2At(target.Span, line)}
	ref := target.V[at : at+2]
	next := target.V[at+2:]
	inside := next != "" && !strings.ContainsAny(next[:1], "/$%?") // the host goes on behind it
	if strings.HasSuffix(target.V[:at], "://") || strings.HasSuffix(target.V[:at], ".") || inside {
		f.Message = fmt.Sprintf("the client can choose the backend host: `%s` takes `%s` out of the request for the host; write the host out, or a list of hosts such as `(a|b)` for the group", target.V, ref)
		p.Report(f)
		return
	}
	fixed := target.V[:at] + "/" + target.V[at:]
	f.Message = fmt.Sprintf("the client can choose the backend host: `%s` has `%s` right after the host; write `%s`", target.V, ref, fixed)
	if i := strings.Index(target.Span.Text(), target.V); i >= 0 {
		pos := int(target.Span.Start) + i + at
		fix := diag.Fix{Message: "put a slash behind the host", Safe: true, Edits: []diag.Edit{{Span: diag.At(target.Span.File, pos, pos), New: "/"}}}
		// Where the group holds the whole path, the slash is taken out of it.
		if k := strings.Index(pattern.Span.Text(), "^("); ref == "$1" && k >= 0 && strings.HasPrefix(pattern.V, "^(") {
			k += int(pattern.Span.Start) + 1
			fix.Edits = append(fix.Edits, diag.Edit{Span: diag.At(pattern.Span.File, k, k), New: "/"})
		}
		f.Fixes = []diag.Fix{fix}
	}
	p.Report(f)
}
