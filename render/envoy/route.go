package envoy

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"clowder/render/plan"
	"clowder/render/target"
)

// hidden finds what a path encodes and could hide from a route, for Envoy compares
// paths as they are encoded, httpd as they are decoded. Where nothing is protected
// these are the letters that need no encoding; else all of ASCII, and everything
// where a path or pattern of the source goes beyond ASCII itself.
func (w *writer) hidden(s *plan.Site) string {
	strict, foreign := false, false
	look := func(o *plan.Outcome) { strict = strict || o.Kind != plan.Proxy || !o.Access.Open() }
	for _, c := range s.Cells {
		look(&c.Outcome)
		foreign = foreign || strings.ContainsFunc(c.Path, beyondASCII)
		strict = strict || url.PathEscape(c.Path) != strings.ReplaceAll(c.Path, "/", "%2F")
		for _, b := range c.Branches {
			look(&b.Outcome)
			for _, p := range b.Patterns {
				foreign = foreign || p.RE2 && !encodedAlike(p.Regex) // what is no RE2 is refused as a whole
			}
		}
	}
	for _, e := range s.Early {
		foreign = foreign || !e.Path.Always && !e.Path.Not && e.Path.RE2 && !encodedAlike(e.Path.Regex)
	}
	if !strict && len(s.Early) == 0 {
		return `(?s).*%([01][0-9A-Fa-f]|2[dDeE]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9AaFf]|7[eE]).*`
	}
	w.l.Add(target.Note{Loss: target.Approximated, ID: "mappings", Span: s.Source.At,
		Message: "Envoy compares paths as they are encoded: where something is protected, paths with an encoded letter of ASCII are answered with 400"})
	if foreign {
		w.l.Add(target.Note{Loss: target.Approximated, ID: "mappings", Span: s.Source.At,
			Message: "a path or pattern here asks about bytes beyond ASCII, which come as %XX: every path with a % is answered with 400"})
		return `(?s).*%.*`
	}
	return `(?s).*%[0-7][0-9A-Fa-f].*`
}

func beyondASCII(r rune) bool { return r > 0x7E }

// routes lists the routes of a site, in the order of their choice.
func (w *writer) routes(s *plan.Site) []any {
	refuse := obj{"status": 403}
	if w.unknown || w.unverified(s) {
		return []any{obj{"match": obj{"prefix": "/"}, "direct_response": refuse}}
	}
	out := []any{obj{"match": obj{"safe_regex": obj{"regex": w.hidden(s)}}, "direct_response": obj{"status": 400}}}
	if strings.EqualFold(s.Server.TraceEnable.V, "off") {
		trace := []any{obj{"name": ":method", "string_match": obj{"exact": "TRACE"}}}
		out = append(out, obj{"match": obj{"prefix": "/", "headers": trace}, "direct_response": obj{"status": 405}})
	}
	if len(s.Early) > 0 || slices.ContainsFunc(s.Cells, func(c *plan.Cell) bool { return c.Branches != nil }) {
		out = append(out, obj{"match": obj{"prefix": "/", "headers": []any{beyond(":path")}}, "direct_response": obj{"status": 400}})
	}
	for _, e := range s.Early {
		out = append(out, w.early(s, e)...)
	}
	for _, c := range s.Cells {
		if strings.ContainsAny(c.Path, "?#") {
			continue // no path has these letters before it is decoded, and those with an encoded one are refused
		}
		for _, b := range c.Branches {
			match, rest := obj{}, b.Outcome
			for _, p := range b.Patterns {
				if p.RE2 && compiles(whole(p.Regex)) && match["safe_regex"] == nil {
					match["safe_regex"] = obj{"regex": whole(p.Regex)}
					continue
				}
				w.l.Closed("Envoy matches one expression of RE2 at a time: everything below "+c.Path+" that the others match is refused", "", p.Fact)
				rest.Access = plan.Access{}
			}
			if match["safe_regex"] == nil {
				match = cellMatch(c.Path)
			} else if c.Path != "/" {
				match["headers"] = []any{obj{"name": ":path", "string_match": obj{"safe_regex": obj{"regex": cellRegex(c.Path)}}}}
			}
			out = append(out, w.outcome(s, match, &rest)...)
		}
		out = append(out, w.outcome(s, cellMatch(c.Path), &c.Outcome)...)
	}
	return out
}

// whole makes an expression that matches anywhere one that matches all.
func whole(re string) string { return "(?s).*(?:" + re + ").*" }

// cellMatch matches the paths of a cell.
func cellMatch(p string) obj {
	if strings.HasSuffix(p, "/") {
		return obj{"prefix": p}
	}
	return obj{"path_separated_prefix": p}
}

// cellRegex matches the paths of a cell with their query.
func cellRegex(p string) string {
	if strings.HasSuffix(p, "/") {
		return "(?s)" + regexp.QuoteMeta(p) + ".*"
	}
	return "(?s)" + regexp.QuoteMeta(p) + "([/?].*)?"
}

// outcome writes the routes of an outcome.
func (w *writer) outcome(s *plan.Site, match obj, o *plan.Outcome) []any {
	route := obj{"match": match}
	if o.Mapping != nil {
		w.l.Exact(o.Mapping)
	}
	a := &o.Access
	if a.NeedsAuth() {
		w.l.Closed("Envoy's basic_auth reads SHA hashes only: nobody who would have to log in gets in", "envoy.filters.http.basic_auth", o.Settings.Access.AuthType, o.Settings.Access.AuthFile)
	}
	if a.Free.Empty() {
		route["direct_response"] = obj{"status": 403}
		return []any{route}
	}
	if !a.Open() {
		route["typed_per_filter_config"] = obj{"envoy.filters.http.rbac": typed("extensions.filters.http.rbac.v3.RBACPerRoute", obj{"rbac": obj{"rules": rules(a.Free)}})}
	}
	switch o.Kind {
	case plan.Proxy:
		if w.turnedAway(o) {
			route["direct_response"] = obj{"status": 403}
			return []any{route}
		}
		return w.forward(s, route, o)
	case plan.Redirect:
		w.redirect(route, o)
	case plan.Handler:
		w.l.Drop("the page is not there: 404", "the admin interface", o.Settings.Handler)
		route["direct_response"] = obj{"status": 404}
	case plan.Refuse:
		status := o.Status
		if status < 200 || status > 599 {
			status = 403
		}
		if o.Redirect != nil {
			w.l.Exact(o.Redirect)
		}
		route["direct_response"] = obj{"status": status}
	default:
		if o.Root != "" {
			w.l.Drop("Envoy serves no files: 404", "a web server beside it", s.Server.DocRoot)
		}
		route["direct_response"] = obj{"status": 404}
	}
	return []any{route}
}

// rules lets the addresses of a set in. The address is that of the connection: what
// a client says in X-Forwarded-For does not count.
func rules(set plan.Set) obj {
	var who []any
	for _, p := range set.Prefixes() {
		who = append(who, obj{"direct_remote_ip": obj{"address_prefix": p.Addr().String(), "prefix_len": p.Bits()}})
	}
	return obj{"action": "ALLOW", "policies": obj{"access": obj{"permissions": []any{obj{"any": true}}, "principals": who}}}
}

// forward writes the routes to a pool: one for each session's member, then the rest.
func (w *writer) forward(s *plan.Site, route obj, o *plan.Outcome) []any {
	if !w.pool(o.Pool) || w.untrusted(s, o.Pool) {
		route["direct_response"] = obj{"status": 503}
		return []any{route}
	}
	action := w.action(s, o)
	headers(w, route, o)
	var out []any
	for _, m := range stickyMembers(o.Pool) {
		for _, h := range sessionHeaders(o.Pool.Sticky, m.Route) {
			match := obj{"headers": append(list(route["match"].(obj)["headers"]), h)}
			for k, v := range route["match"].(obj) {
				if k != "headers" {
					match[k] = v
				}
			}
			out = append(out, variant(route, match, action, w.via(o.Pool, m)))
		}
	}
	return append(out, variant(route, route["match"].(obj), action, o.Pool.Name))
}

func list(v any) []any {
	l, _ := v.([]any)
	return l[:len(l):len(l)]
}

// variant is a route with another match and cluster.
func variant(route, match, action obj, cluster string) obj {
	to := obj{"cluster": cluster}
	for k, v := range action {
		to[k] = v
	}
	out := obj{"route": to}
	for k, v := range route {
		out[k] = v
	}
	out["match"] = match
	return out
}

// sessionHeaders match a session of a route: by the path parameter, by the cookie.
func sessionHeaders(s *plan.Sticky, route string) []any {
	end := regexp.QuoteMeta(s.Sep + route)
	return []any{
		obj{"name": ":path", "string_match": obj{"safe_regex": obj{"regex": "(?s).*[;?&]" + regexp.QuoteMeta(s.Param) + "=[^/?;&]*" + end + "([/?;&].*)?"}}},
		obj{"name": "cookie", "string_match": obj{"safe_regex": obj{"regex": "(?s)(.*;[ ]*)?" + regexp.QuoteMeta(s.Cookie) + "=\"?[^;\"]*" + end + "\"?([ ]*;.*)?"}}},
	}
}

// action is what is common to the routes of an outcome.
func (w *writer) action(s *plan.Site, o *plan.Outcome) obj {
	idle := s.Server.Timeout
	if s.Server.ProxyTimeout.IsSet() {
		idle = s.Server.ProxyTimeout
	}
	w.l.Approx("it bounds the time that nothing moves on a stream", "idle_timeout", s.Server.ProxyTimeout, s.Server.Timeout)
	out := obj{"timeout": "0s", "retry_policy": obj{"retry_on": "connect-failure", "num_retries": max(1, len(o.Pool.Usable())-1),
		"retry_host_predicate": []any{obj{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": typed("extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate", nil)}}}}
	if idle.V > 0 {
		out["idle_timeout"] = seconds(idle.V)
	}
	if o.Settings.PreserveHost.IsWritten() {
		w.l.Exact(o.Settings.PreserveHost)
	}
	if !o.Settings.PreserveHost.V && !o.Pool.AJP {
		if m := o.Pool.Usable(); len(m) == 1 {
			out["host_rewrite_literal"] = m[0].Address()
		} else {
			out["auto_host_rewrite"] = true
		}
	}
	if o.Pool.Upgrade {
		out["upgrade_configs"] = []any{obj{"upgrade_type": "websocket"}}
	}
	rewritePath(out, o)
	return out
}

// rewritePath changes the path as the mapping does.
func rewritePath(action obj, o *plan.Outcome) {
	to := strings.ReplaceAll(o.To, `\`, `\\`)
	pattern := ""
	switch {
	case o.Regex != nil:
		pattern = "(?s)^.*?(?:" + o.Regex.Regex + ").*$"
		to = groupRef.ReplaceAllString(to, `\$1`)
	case o.Strip == o.To, o.Strip == "" && o.To == "":
		return
	case o.To == "":
		pattern, to = "(?s)^"+regexp.QuoteMeta(o.Strip)+"/?(.*)$", `/\1`
	default:
		pattern, to = "(?s)^"+regexp.QuoteMeta(o.Strip)+"(.*)$", to+`\1`
	}
	action["regex_rewrite"] = obj{"pattern": obj{"regex": pattern}, "substitution": to}
}

var groupRef = regexp.MustCompile(`\$([0-9])`)

var redirectCodes = map[int]string{301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT", 308: "PERMANENT_REDIRECT"}

// redirect sends requests elsewhere.
func (w *writer) redirect(route obj, o *plan.Outcome) {
	code, known := redirectCodes[o.Status]
	to, ok := location(o.Location)
	if !known || !ok {
		w.l.Drop("Envoy cannot say this target: 403", "redirect", o.Redirect)
		route["direct_response"] = obj{"status": 403}
		return
	}
	to["response_code"] = code
	path, _ := to["path_redirect"].(string)
	switch {
	case o.Regex != nil && groupRef.MatchString(path):
		if !o.Regex.RE2 {
			w.l.Drop("RE2 cannot say this expression: 403", "", o.Redirect)
			route["direct_response"] = obj{"status": 403}
			return
		}
		delete(to, "path_redirect")
		to["regex_rewrite"] = obj{"pattern": obj{"regex": "(?s)^.*?(?:" + o.Regex.Regex + ").*$"}, "substitution": groupRef.ReplaceAllString(strings.ReplaceAll(path, `\`, `\\`), `\$1`)}
	case o.Regex == nil:
		delete(to, "path_redirect")
		to["regex_rewrite"] = obj{"pattern": obj{"regex": "(?s)^" + regexp.QuoteMeta(o.Strip) + "(.*)$"}, "substitution": strings.ReplaceAll(path, `\`, `\\`) + `\1`}
	}
	w.l.Exact(o.Redirect)
	route["redirect"] = to
}

// location takes the target of a redirect apart; ok is false for one with
// variables or a query.
func location(url string) (to obj, ok bool) {
	to = obj{}
	rest := url
	if scheme, after, found := strings.Cut(url, "://"); found {
		host, path, _ := strings.Cut(after, "/")
		if scheme != "http" && scheme != "https" || strings.ContainsAny(host, "$%?#") || host == "" {
			return nil, false
		}
		to["scheme_redirect"], to["host_redirect"] = scheme, host
		if name, port, has := strings.Cut(host, ":"); has && !strings.HasPrefix(host, "[") {
			n := 0
			if _, err := fmt.Sscanf(port, "%d", &n); err != nil || n < 1 || n > 65535 {
				return nil, false
			}
			to["host_redirect"], to["port_redirect"] = name, n
		}
		rest = "/" + path
	}
	if !strings.HasPrefix(rest, "/") || strings.ContainsAny(rest, "%?#") {
		return nil, false
	}
	to["path_redirect"] = rest
	return to, true
}
