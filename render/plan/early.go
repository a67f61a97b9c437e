package plan

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/model"
)

// EarlyKind is what a rewrite rule does with a request.
type EarlyKind uint8

// The kinds of rewrite rules.
const (
	EarlyOther    EarlyKind = iota // changes the path, sets variables, …: see Why
	EarlyRedirect                  // [R]: Status and Target
	EarlyRefuse                    // [F] or [G]: Status
	EarlyProxy                     // [P]: Pool and Target, the path there
)

// Early is one RewriteRule of a server, which comes before ProxyPass
// (mod_rewrite runs its translate_name hook before mod_proxy's).
type Early struct {
	Source *model.RewriteRule
	Kind   EarlyKind
	Conds  []Cond
	Path   Test // the pattern, against the decoded path
	Status int
	Target string // of a redirect: URL; of a proxy: path. $1…$9 are groups of Path, %1…%9 of the last cond, %{NAME} variables
	Pool   *Pool
	Last   bool   // nothing after it is looked at
	Why    string // EarlyOther: what it does that has no common form

	// Unknown tells that a condition has no common form. A rule that refuses is
	// then stated without it and refuses more; any other one cannot be stated.
	Unknown bool
}

// Test is a pattern and how it is meant.
type Test struct {
	Regex  string // PCRE; (?i) stands before it when case does not matter
	Not    bool
	RE2    bool
	Always bool // matches every text: ^, .* and the like
}

// What a condition looks at.
const (
	CondHTTPS  = "https"  // TLS towards the client; Test has no pattern, only Not
	CondHost   = "host"   // the Host header with its port
	CondPath   = "path"   // the decoded path
	CondQuery  = "query"  // without the question mark
	CondHeader = "header" // Name
	CondMethod = "method"
	CondAddr   = "addr" // the client's address as text
)

// Cond is one RewriteCond of a common form.
type Cond struct {
	Source *model.RewriteCond
	What   string
	Name   string // of a header
	Test
	Or bool // [OR]: this one or the next
}

// early normalises the rewrite rules of a server.
func (b *builder) early(s *Site) {
	rw := s.Server.Settings.Rewrite
	if rw == nil || !rw.Engine.V {
		return
	}
	for _, r := range rw.Rules {
		s.Early = append(s.Early, b.earlyRule(s, r))
	}
}

func (b *builder) earlyRule(s *Site, r *model.RewriteRule) *Early {
	e := &Early{Source: r, Target: r.Target.V}
	e.Path = newTest(r.Pattern.V, r.HasFlag("NC", "nocase"))
	for _, c := range r.Conds {
		cond, ok := newCond(c)
		e.Conds = append(e.Conds, cond)
		e.Unknown = e.Unknown || !ok
	}
	e.Last = r.HasFlag("L", "last") || r.HasFlag("END", "end")
	switch status := flagValue(r, "R", "redirect"); {
	case r.HasFlag("F", "forbidden"):
		e.Kind, e.Status, e.Last = EarlyRefuse, 403, true
	case r.HasFlag("G", "gone"):
		e.Kind, e.Status, e.Last = EarlyRefuse, 410, true
	case r.HasFlag("R", "redirect"):
		e.redirect(status)
	case r.HasFlag("P", "proxy"):
		e.proxy(b, s)
	case r.Target.V == "-":
		e.Why = "it sets variables or flags only"
	default:
		e.Why = "it changes the path before it is mapped"
	}
	if e.Unknown && e.Kind != EarlyRefuse {
		e.Kind, e.Why = EarlyOther, "one of its conditions has no common form"
	}
	return e
}

// flagValue returns the value of a flag with one, "" without.
func flagValue(r *model.RewriteRule, short, long string) string {
	for flag := range strings.SplitSeq(r.Flags.V, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(flag), "=")
		if strings.EqualFold(name, short) || strings.EqualFold(name, long) {
			return value
		}
	}
	return ""
}

func (e *Early) redirect(status string) {
	e.Kind, e.Status = EarlyRedirect, 302
	switch strings.ToLower(status) {
	case "permanent":
		e.Status = 301
	case "seeother":
		e.Status = 303
	case "", "temp":
	default:
		e.Status, _ = strconv.Atoi(status)
	}
	if e.Status < 300 || e.Status > 399 {
		e.Kind = EarlyRefuse
	}
}

func (e *Early) proxy(b *builder, s *Site) {
	pool, rest, why := b.pool(s, e.Target)
	if pool == nil {
		e.Why = why
		return
	}
	e.Kind, e.Pool, e.Target, e.Last = EarlyProxy, pool, pool.Path+rest, true
}

func newTest(pattern string, nocase bool) Test {
	t := Test{Regex: pattern}
	if rest, ok := strings.CutPrefix(pattern, "!"); ok {
		t.Regex, t.Not = rest, true
	}
	switch t.Regex {
	case "", "^", ".*", "^.*$", "^.*", "(.*)", "^(.*)$", "^/?(.*)$", "^/?(.*)", "^/(.*)$", "^/(.*)", "^/", "/", "/(.*)", "^/.*$", ".?", "$":
		t.Always = !t.Not
	}
	if nocase {
		t.Regex = "(?i)" + t.Regex
	}
	t.RE2 = isRE2(t.Regex)
	return t
}

// newCond reads a RewriteCond; ok is false for one without a common form.
func newCond(c *model.RewriteCond) (cond Cond, ok bool) {
	nocase := false
	cond.Source = c
	for flag := range strings.SplitSeq(c.Flags.V, ",") {
		switch strings.ToUpper(strings.TrimSpace(flag)) {
		case "OR", "ORNEXT":
			cond.Or = true
		case "NC", "NOCASE":
			nocase = true
		}
	}
	pattern := c.Pattern.V
	if bare := strings.TrimPrefix(pattern, "!"); strings.HasPrefix(bare, "-") || strings.HasPrefix(bare, "<") || strings.HasPrefix(bare, ">") {
		return cond, false
	} else if rest, eq := strings.CutPrefix(bare, "="); eq {
		if rest = strings.Trim(rest, `"`); rest == "" {
			pattern = strings.TrimSuffix(pattern, bare) + "^$"
		} else {
			pattern = strings.TrimSuffix(pattern, bare) + "^" + regexp.QuoteMeta(rest) + "$"
		}
	}
	cond.Test = newTest(pattern, nocase)
	name, isVar := strings.CutPrefix(strings.ToUpper(c.Test.V), "%{")
	name, closed := strings.CutSuffix(name, "}")
	if !isVar || !closed {
		return cond, false
	}
	switch {
	case strings.HasPrefix(name, "HTTP:"):
		cond.What, cond.Name = CondHeader, c.Test.V[len("%{HTTP:"):len(c.Test.V)-1]
	case name == "HTTPS":
		cond.What = CondHTTPS
		return cond, cond.https()
	case name == "HTTP_HOST":
		cond.What = CondHost
	case name == "REQUEST_URI":
		cond.What = CondPath
	case name == "QUERY_STRING":
		cond.What = CondQuery
	case name == "REQUEST_METHOD":
		cond.What = CondMethod
	case name == "REMOTE_ADDR":
		cond.What = CondAddr
	case slices.Contains(headerVars, name): // httpd knows no other HTTP_… variable: those are empty
		cond.What, cond.Name = CondHeader, strings.ReplaceAll(name[len("HTTP_"):], "_", "-")
	default:
		return cond, false
	}
	return cond, true
}

// headerVars are the variables of mod_rewrite that stand for a header of the request
// (lookup_variable of mod_rewrite.c), beside HTTP_HOST.
var headerVars = []string{"HTTP_ACCEPT", "HTTP_COOKIE", "HTTP_FORWARDED", "HTTP_PROXY_CONNECTION", "HTTP_REFERER", "HTTP_USER_AGENT"}

// https settles a condition on %{HTTPS}, which is "on" or "off".
func (c *Cond) https() bool {
	switch strings.ToLower(strings.Trim(strings.TrimPrefix(c.Regex, "(?i)"), "^$")) {
	case "on":
	case "off":
		c.Not = !c.Not
	default:
		return false
	}
	c.Regex, c.RE2 = "", true
	return true
}

// Chains groups the conditions: all chains have to hold, of each one condition is
// enough. Only those joined by [OR] stand together.
func (e *Early) Chains() [][]Cond {
	var out [][]Cond
	joined := false
	for _, c := range e.Conds {
		if joined {
			out[len(out)-1] = append(out[len(out)-1], c)
		} else {
			out = append(out, []Cond{c})
		}
		joined = c.Or
	}
	return out
}

// MatchesEmpty reports whether the pattern matches an empty text, as the value of
// an absent header is for a condition.
func (t Test) MatchesEmpty() bool {
	re, err := regexp.Compile(t.Regex)
	return err != nil || re.MatchString("")
}
