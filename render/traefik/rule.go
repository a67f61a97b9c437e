package traefik

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"clowder/render/plan"
)

func seconds(d time.Duration) string { return d.String() }

// quote writes a word of a rule. Rules are Go expressions (pkg/rules of Traefik):
// raw quotes as long as all letters may stand there, for a router whose rule cannot
// be read is left out, and others take its requests.
func quote(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '`' }) < 0 {
		return "`" + s + "`"
	}
	return strconv.QuoteToASCII(s)
}

// pattern writes an expression as a word of a rule, which must not be empty.
func pattern(re string) string {
	if re == "" {
		re = "(?:)"
	}
	return quote(re)
}

// hostPattern is pattern for HostRegexp, which takes ASCII only.
func hostPattern(re string) string {
	var b strings.Builder
	for _, r := range re {
		if r > '~' {
			fmt.Fprintf(&b, `\x{%x}`, r)
			continue
		}
		b.WriteRune(r)
	}
	return pattern(b.String())
}

// hostRules returns the condition for the names of a site that Host can say, and the
// one for its wildcards, "" without any. Host looks away from a dot at the end of a
// name, as httpd does; HostRegexp does not. An address in brackets stands there
// without them (pkg/middlewares/requestdecorator of Traefik).
func hostRules(s *plan.Site) (plain, wildcards string) {
	var hosts, res []string
	for _, n := range s.Names {
		if inner, ok := strings.CutPrefix(n, "["); ok {
			n = strings.TrimSuffix(inner, "]")
		}
		if !isWild(n) && strings.IndexFunc(n, func(r rune) bool { return r > '~' }) < 0 {
			hosts = append(hosts, "Host("+pattern(n)+")")
			continue
		}
		res = append(res, "HostRegexp("+hostPattern(nameRegex(n))+")")
	}
	if len(hosts) > 0 {
		plain = group(hosts)
	}
	if len(res) > 0 {
		wildcards = group(res)
	}
	return plain, wildcards
}

// nameRegex is the expression for a name with wildcards. No name matches none of
// them, as in httpd.
func nameRegex(n string) string {
	if strings.Trim(n, "*") == "" {
		return "^.+$"
	}
	return "^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(n)) + `\.?$`
}

func isWild(name string) bool { return strings.ContainsAny(name, "*?") }

// wild reports whether one of the site's names is a wildcard.
func wild(s *plan.Site) bool { return slices.ContainsFunc(s.Names, isWild) }

// overlap reports whether a name may belong to both sites.
func overlap(a, b *plan.Site) bool {
	for _, n := range a.Names {
		for _, m := range b.Names {
			if n == m || isWild(n) && isWild(m) || isWild(n) && matches(n, m) || isWild(m) && matches(m, n) {
				return true
			}
		}
	}
	return false
}

func matches(wildcard, name string) bool {
	re, err := regexp.Compile(nameRegex(wildcard))
	return err != nil || re.MatchString(name)
}

// group joins alternatives.
func group(alts []string) string {
	if len(alts) == 1 {
		return alts[0]
	}
	return "(" + strings.Join(alts, " || ") + ")"
}

// both joins conditions.
func both(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, " && ")
}

// pathRule is the condition for a cell.
func pathRule(p string) string {
	switch {
	case p == "/":
		return "PathPrefix(`/`)"
	case strings.HasSuffix(p, "/"):
		return "PathPrefix(" + quote(p) + ")"
	}
	return "(Path(" + quote(p) + ") || PathPrefix(" + quote(p+"/") + "))"
}

// sessionRule finds a route behind the identifier of a session: in the path
// parameter or the cookie.
func sessionRule(s *plan.Sticky, route string) string {
	end := regexp.QuoteMeta(s.Sep + route)
	return "(PathRegexp(" + quote(";"+regexp.QuoteMeta(s.Param)+"=[^/?;]*"+end+"($|[/;?])") + ") || HeaderRegexp(`Cookie`, " +
		quote("(^|;[ ]*)"+regexp.QuoteMeta(s.Cookie)+"=\"?[^;\"]*"+end+"(\"?[ ]*;|\"?$)") + "))"
}
