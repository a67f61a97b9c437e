package envoy

import (
	"regexp"
	"strings"

	"clowder/render/plan"
)

// headers carries header rules without conditions. Envoy removes first and then
// adds, so a rule that replaces takes those before it away.
func headers(w *writer, route obj, o *plan.Outcome) {
	for _, r := range o.Settings.Headers {
		kind := "response"
		if r.Request.V {
			kind = "request"
		}
		plain := strings.ReplaceAll(r.Value.V, "%%", "")
		mode := map[string]string{"set": "OVERWRITE_IF_EXISTS_OR_ADD", "add": "APPEND_IF_EXISTS_OR_ADD", "append": "APPEND_IF_EXISTS_OR_ADD", "setifempty": "ADD_IF_ABSENT"}[r.Action.V]
		name := strings.ToLower(r.Name.V)
		if !token(name) || name == "host" {
			continue
		}
		if r.Cond.V != "" || strings.Contains(plain, "%") || mode == "" && r.Action.V != "unset" || strings.ContainsFunc(r.Value.V, control) {
			if r.Request.V && (r.Action.V == "set" || r.Action.V == "unset" || strings.HasPrefix(r.Action.V, "edit")) { // members trust what httpd puts there
				replace(route, kind, name)
				route["request_headers_to_remove"] = append(list(route["request_headers_to_remove"]), r.Name.V)
				w.l.Drop("Envoy does not know the value or the condition: the header is removed from all requests", "request_headers_to_add", r)
			}
			continue
		}
		if r.Action.V == "unset" {
			replace(route, kind, name)
			key := kind + "_headers_to_remove"
			route[key] = append(list(route[key]), r.Name.V)
		} else {
			if r.Action.V == "set" {
				replace(route, kind, name)
			}
			key := kind + "_headers_to_add"
			route[key] = append(list(route[key]), obj{"header": obj{"key": r.Name.V, "value": r.Value.V}, "append_action": mode, "keep_empty_value": true})
		}
		if r.Request.V || r.Always.V {
			w.l.Exact(r)
		} else {
			w.l.Approx("it is done for answers of every status", "", r)
		}
	}
}

// replace takes away what was added to a header so far.
func replace(route obj, kind, name string) {
	key := kind + "_headers_to_add"
	var rest []any
	for _, x := range list(route[key]) {
		if h, _ := x.(obj)["header"].(obj)["key"].(string); !strings.EqualFold(h, name) {
			rest = append(rest, x)
		}
	}
	if delete(route, key); rest != nil {
		route[key] = rest
	}
}

// token reports whether a text can be the name of a header.
func token(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7F || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func compiles(re string) bool {
	_, err := regexp.Compile(re)
	return err == nil
}

func control(r rune) bool { return r < 0x20 || r == 0x7F }

// early writes a rewrite rule that comes before the mappings. One that cannot be
// said refuses what its pattern is about, when it would change where a request goes.
func (w *writer) early(s *plan.Site, e *plan.Early) []any {
	if e.Kind == plan.EarlyOther && e.Target == "-" {
		return nil // dropped: it sets variables
	}
	match, exact := earlyMatch(s, e)
	if match == nil {
		w.l.Exact(e.Source)
		return nil
	}
	before := foreignHeaders(match, e)
	return append(before, w.earlyRoute(e, obj{"match": match}, exact)...)
}

// foreignHeaders refuses requests with bytes beyond ASCII in a header that a rule
// asks about: the expression may not see them.
func foreignHeaders(match obj, e *plan.Early) []any {
	var out []any
	seen := map[string]bool{}
	for _, c := range e.Conds {
		if name := strings.ToLower(c.Name); c.What == plan.CondHeader && token(name) && !seen[name] {
			seen[name] = true
			m := obj{"headers": []any{beyond(c.Name)}}
			for k, v := range match {
				if k != "headers" {
					m[k] = v
				}
			}
			out = append(out, obj{"match": m, "direct_response": obj{"status": 400}})
		}
	}
	return out
}

// earlyRoute is the route of a rule with the match that was found for it.
func (w *writer) earlyRoute(e *plan.Early, route obj, exact bool) []any {
	switch {
	case e.Kind == plan.EarlyRefuse:
		if exact {
			w.l.Exact(e.Source)
		} else {
			w.l.Approx("a condition could not be said: more is refused", "", e.Source)
		}
		status := e.Status
		if status < 400 || status > 599 {
			status = 403
		}
		route["direct_response"] = obj{"status": status}
		return []any{route}
	case e.Kind == plan.EarlyRedirect && exact:
		if to := earlyRedirect(e); to != nil {
			w.l.Exact(e.Source)
			route["redirect"] = to
			return []any{route}
		}
	}
	w.l.Drop("Envoy has no such rule: what its pattern matches is refused", "a route of its own", e.Source)
	route["direct_response"] = obj{"status": 403}
	return []any{route}
}

// earlyMatch writes the condition of a rewrite rule, nil when it never applies; exact is false when something
// of it had to be left out, so that it matches more.
func earlyMatch(s *plan.Site, e *plan.Early) (match obj, exact bool) {
	match, exact = obj{"prefix": "/"}, !e.Unknown
	switch {
	case e.Path.Always:
	case e.Path.RE2 && !e.Path.Not && compiles(whole(e.Path.Regex)):
		match = obj{"safe_regex": obj{"regex": whole(e.Path.Regex)}}
	default:
		exact = false
	}
	var all []any
	for _, chain := range e.Chains() {
		if len(chain) == 1 && chain[0].What == plan.CondHTTPS {
			if (s.TLS != nil) == chain[0].Not {
				return nil, true
			}
			continue
		}
		h := condition(chain)
		if h == nil {
			exact = false // the whole chain is left out: half of it would demand more
			continue
		}
		all = append(all, h)
	}
	if all != nil {
		match["headers"] = all
	}
	return match, exact
}

// condition matches one condition, nil for one that Envoy cannot ask and for several
// of which one is enough.
func condition(chain []plan.Cond) obj {
	c := chain[0]
	name := map[string]string{plan.CondHost: ":authority", plan.CondHeader: c.Name, plan.CondMethod: ":method"}[c.What]
	if len(chain) > 1 || !c.RE2 || !compiles(whole(c.Regex)) || !token(strings.TrimPrefix(name, ":")) {
		return nil
	}
	h := obj{"name": name, "string_match": obj{"safe_regex": obj{"regex": whole(c.Regex)}}, "treat_missing_header_as_empty": true}
	if c.Not {
		h["invert_match"] = true
	}
	return h
}

// earlyRedirect is the redirect of a rule, nil when Envoy cannot say its target.
func earlyRedirect(e *plan.Early) obj {
	code, known := redirectCodes[e.Status]
	target := e.Target
	if !known {
		return nil
	}
	keep := strings.HasSuffix(target, "%{REQUEST_URI}")
	target = strings.TrimSuffix(target, "%{REQUEST_URI}")
	own := false
	for _, host := range []string{"%{HTTP_HOST}", "%{SERVER_NAME}"} {
		if strings.Contains(target, "://"+host) {
			own, target = true, strings.Replace(target, host, "own.invalid", 1)
		}
	}
	if keep {
		target += "/"
	}
	to, ok := location(target)
	if !ok {
		return nil
	}
	if own {
		delete(to, "host_redirect")
	}
	to["response_code"] = code
	path, _ := to["path_redirect"].(string)
	switch {
	case keep && path == "/":
		delete(to, "path_redirect")
	case keep:
		return nil
	case groupRef.MatchString(path):
		re := e.Path.Regex
		if !e.Path.RE2 {
			return nil
		}
		delete(to, "path_redirect")
		to["regex_rewrite"] = obj{"pattern": obj{"regex": "(?s)^.*?(?:" + re + ").*$"}, "substitution": groupRef.ReplaceAllString(strings.ReplaceAll(path, `\`, `\\`), `\$1`)}
	}
	return to
}
