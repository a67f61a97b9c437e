package traefik

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"clowder/render/plan"
)

func seconds(d time.Duration) string { return d.String() }

// quote writes a word of a rule. Rules are Go expressions: raw quotes as long as
// there is none inside.
func quote(s string) string {
	if !strings.Contains(s, "`") {
		return "`" + s + "`"
	}
	return fmt.Sprintf("%q", s)
}

// hostRule is the condition for the names of a site; it has some.
func hostRule(s *plan.Site) string {
	var alts []string
	for _, n := range s.Names {
		if strings.ContainsAny(n, "*?") {
			re := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(n))
			alts = append(alts, "HostRegexp("+quote("^"+re+"$")+")")
			continue
		}
		alts = append(alts, "Host("+quote(n)+")")
	}
	return group(alts)
}

// wild reports whether one of the site's names is a wildcard.
func wild(s *plan.Site) bool {
	return slices.ContainsFunc(s.Names, func(n string) bool { return strings.ContainsAny(n, "*?") })
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
