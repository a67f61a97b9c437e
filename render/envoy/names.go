package envoy

import (
	"regexp"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// hostNames is who answers for which name on a listener. httpd asks the sites in
// their order (server/vhost.c); Envoy takes the exact name, then the longest
// *suffix, then "*" (config.route.v3.VirtualHost.domains).
type hostNames struct {
	domains [][]any  // of each site
	before  []string // of each site: an expression for hosts that Envoy may give to it and httpd to an earlier one
	after   []string // the same for a later one, unless the site has the name itself
	own     []string // of each site: an expression for the names that are its own, "" for none
	unsaid  []bool   // of each site: a name of it cannot be said
}

// assign gives each name to the first site that has it. The first site takes every
// other name, unless one has the name *.
func assign(sites []*plan.Site) hostNames {
	h := hostNames{domains: make([][]any, len(sites)), before: make([]string, len(sites)), after: make([]string, len(sites)), own: make([]string, len(sites)), unsaid: make([]bool, len(sites))}
	var taken, odd []string
	oddOf := []int{}
	every := 0
	for i, s := range sites {
		var own []string
		for _, n := range s.Names {
			if n == "" || strings.ContainsRune(n, ':') && !strings.HasPrefix(n, "[") || coveredBy(taken, n) {
				continue // no host is called so, or an earlier site has it
			}
			taken, own = append(taken, n), append(own, n)
			switch {
			case strings.Trim(n, "*") == "":
				every = i
			case strings.Contains(n, "?") || strings.Contains(n[1:], "*"):
				h.unsaid[i] = true
				odd, oddOf = append(odd, n), append(oddOf, i)
			default:
				h.domains[i] = append(h.domains[i], n)
			}
		}
		h.own[i] = hostRegex(own)
	}
	if len(sites) > 0 {
		h.domains[every] = append([]any{"*"}, h.domains[every]...)
	}
	for j := range sites {
		var before, after []string
		for k, n := range odd {
			switch {
			case oddOf[k] < j:
				before = append(before, n)
			case oddOf[k] > j && j == every:
				after = append(after, n)
			}
		}
		h.before[j], h.after[j] = hostRegex(before), hostRegex(after)
	}
	return h
}

// guard are the routes of a site that refuse hosts which another one answers for in
// httpd.
func (h hostNames) guard(i int) []any {
	if h.domains[i] == nil {
		return nil
	}
	authority := func(regex string) obj {
		return obj{"name": ":authority", "string_match": obj{"safe_regex": obj{"regex": regex}}}
	}
	var out []any
	refuse := func(match ...any) {
		out = append(out, obj{"match": obj{"prefix": "/", "headers": match}, "direct_response": obj{"status": 421}})
	}
	if h.before[i] != "" {
		refuse(authority(h.before[i]))
	}
	switch {
	case h.after[i] == "":
	case h.own[i] == "":
		refuse(authority(h.after[i]))
	default:
		own := authority(h.own[i])
		own["invert_match"] = true
		refuse(authority(h.after[i]), own)
	}
	return out
}

// hostRegex matches a Host header that has one of the names, "" for none.
func hostRegex(names []string) string {
	if len(names) == 0 {
		return ""
	}
	var all []string
	for _, n := range names {
		all = append(all, strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(n)))
	}
	return "(?is)(?:" + strings.Join(all, "|") + `)\.?(?::[0-9]*)?`
}

// coveredBy reports whether one of the names, with * and ?, takes all that a name takes.
func coveredBy(taken []string, name string) bool {
	for _, t := range taken {
		if t == name || globCovers(t, name) {
			return true
		}
	}
	return false
}

// globCovers is a match of * and ? in which the letters of name stand for
// themselves, so that its own wildcards are taken by * alone.
func globCovers(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' && name[n] != '*' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// sniNames are the names of a site that Envoy can tell apart by SNI: exact ones and *.suffix.
func sniNames(domains []any) []any {
	var out []any
	for _, d := range domains {
		n, _ := d.(string)
		if rest := strings.TrimPrefix(n, "*."); !strings.ContainsAny(rest, "*?[") {
			out = append(out, n)
		}
	}
	return out
}

// mayServe reports whether requests of a connection with the TLS settings of one
// site may be for another: httpd answers 421 for a host whose settings of TLS
// differ from those of the connection's (ssl_server_compatible of mod_ssl). own is
// nil for a connection without TLS.
func mayServe(own, other *plan.Site) bool {
	if own == nil || own == other {
		return own == other || other.TLS == nil
	}
	if own.TLS == nil || other.TLS == nil || verifies(other) || verifies(own) {
		return false
	}
	a, b := own.TLS, other.TLS
	for _, pair := range [][2]model.String{{a.Protocol, b.Protocol}, {a.CipherSuite, b.CipherSuite}, {a.CertFile, b.CertFile}, {a.KeyFile, b.KeyFile}} {
		if pair[0].V != pair[1].V {
			return false
		}
	}
	return true
}

func verifies(s *plan.Site) bool {
	v := strings.ToLower(s.TLS.VerifyClient.V)
	return v != "" && v != "none"
}
