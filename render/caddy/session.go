package caddy

import (
	"regexp"
	"strings"

	"clowder/render/plan"
)

// sticky is one way of telling the route of a session, and the matchers of the
// routes that the pools with it have.
type sticky struct {
	key      plan.Sticky
	variable string            // placeholder with the route
	matchers map[string]string // by route
}

// sessions writes, for each way in which the pools of the site tell the route of a
// session, a map from the request to its route and a matcher for each route.
//
// mod_proxy_balancer looks for the parameter anywhere in path and query, and looks
// at the cookie only when there is none; the route follows the first separator
// (mod_proxy_balancer.c, find_session_route). The map's source is the request target
// as sent, which holds no blank, then the cookies.
func (c *siteGen) sessions() {
	c.routes = map[string]*sticky{}
	for _, p := range c.pools() {
		if p.Sticky == nil || p.Balancer == nil {
			continue
		}
		b := p.Balancer
		s := c.routes[stickyKey(p)]
		if s == nil {
			if s = c.newSticky(p); s == nil {
				c.l.Drop("the names of the session cannot be written for Caddy", "", b.Sticky)
				continue
			}
			c.routes[stickyKey(p)] = s
		}
		c.l.Exact(b.Sticky, b.StickySep, b.ScolonDelim)
		for _, m := range p.Usable() {
			if m.Route == "" || s.matchers[m.Route] != "" || m.Down && m.Source.Redirect.V == "" && !b.NoFailover.V {
				continue
			}
			t, ok := quoteLiteral(m.Route)
			if !ok || strings.Contains(m.Route, "*") {
				c.l.Drop("the route cannot be written for Caddy", "", m.Source.Route)
				continue
			}
			s.matchers[m.Route] = c.when("route_"+m.Route, "vars", s.variable, t)
		}
	}
}

// session returns how the pool tells the route of a session, nil when it does not.
func (c *siteGen) session(p *plan.Pool) *sticky {
	if p.Sticky == nil {
		return nil
	}
	return c.routes[stickyKey(p)]
}

func stickyKey(p *plan.Pool) string {
	key := p.Sticky.Cookie + "\x00" + p.Sticky.Param + "\x00" + p.Sticky.Sep
	if p.Balancer.ScolonDelim.V {
		key += "\x00;"
	}
	return key
}

// newSticky writes the map.
func (c *siteGen) newSticky(p *plan.Pool) *sticky {
	end := `\s?&`
	if p.Balancer.ScolonDelim.V {
		end += ";"
	}
	param, cookie := regexp.QuoteMeta(p.Sticky.Param), regexp.QuoteMeta(p.Sticky.Cookie)
	value := func(end string) string { // the text up to the separator, and the route as a group
		if strings.EqualFold(p.Sticky.Sep, "off") || p.Sticky.Sep == "" {
			return "([^" + end + "]+)"
		}
		sep := regexp.QuoteMeta(p.Sticky.Sep[:1])
		if strings.Contains(`]\^-`, p.Sticky.Sep[:1]) {
			sep = `\` + p.Sticky.Sep[:1]
		}
		return "[^" + end + sep + "]*" + sep + "([^" + end + "]*)"
	}
	url, ok1 := pattern(`^\S*?` + param + `=[?&;]*` + value(end))
	has, ok2 := pattern(`^\S*?` + param + `=\S`)
	jar, ok3 := pattern(`^\S* (?:.*[;,\s])?` + cookie + `\s*=\s*` + value(";,"))
	if !ok1 || !ok2 || !ok3 {
		return nil
	}
	variable := "{" + c.name("route") + "}"
	c.out.comment("the route of a session, of " + orWord(p.Sticky.Param, p.Sticky.Cookie) + "= in the URL, else of the cookie " + p.Sticky.Cookie)
	m := c.block()
	m.add(tilde(url), "$1")
	m.add(tilde(has), "none")
	m.add(tilde(jar), "$1")
	c.out.nest(m, "map", `"{http.request.orig_uri} {http.request.header.Cookie}"`, variable)
	c.out.from(p.Balancer.Sticky.Place())
	return &sticky{key: *p.Sticky, variable: variable, matchers: map[string]string{}}
}

// tilde marks a pattern for map.
func tilde(token string) string {
	if token[0] == '"' || token[0] == '`' {
		return token[:1] + "~" + token[1:]
	}
	return "~" + token
}

// pools lists the pools that requests of the site can go to, in order.
func (c *siteGen) pools() []*plan.Pool {
	used := map[*plan.Pool]bool{}
	for _, o := range c.outcomes() {
		if o.Kind == plan.Proxy {
			used[o.Pool] = true
		}
	}
	for _, p := range c.proxies {
		used[p.rule.Pool] = true
	}
	var out []*plan.Pool
	for _, p := range c.plan.Pools {
		if used[p] {
			out = append(out, p)
		}
	}
	return out
}
