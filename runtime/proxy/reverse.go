package proxy

import (
	"strings"

	"clowder/runtime/exchange"
)

// mapBack applies ProxyPassReverse and the cookie rules to an answer.
func (c *call) mapBack(h exchange.Header) {
	for i := range h {
		switch strings.ToLower(h[i].Name) {
		case "location", "content-location", "uri", "destination":
			if len(c.conf.reverses) > 0 {
				h[i].Value = c.reverseURL(h[i].Value)
			}
		case "set-cookie":
			v := cookieAttr(h[i].Value, "path", c.conf.cookiePaths, false)
			h[i].Value = cookieAttr(v, "domain", c.conf.cookieDomains, true)
		}
	}
}

// reverseURL is ap_proxy_location_reverse_map.
func (c *call) reverseURL(v string) string {
	for _, r := range c.conf.reverses {
		if out, ok := c.reverseOne(r, v); ok {
			if strings.Contains(out, "://") {
				return out
			}
			return c.selfURL() + out
		}
	}
	return v
}

func (c *call) reverseOne(r reverse, v string) (string, bool) {
	if c.conf.interp {
		r.from, r.to = interpolate(r.from, c.x.Env), interpolate(r.to, c.x.Env)
	}
	if rest, ok := cutFold(r.to, "balancer://"); ok {
		name, path := rest, ""
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			name, path = rest[:i], rest[i:]
		}
		b := c.srv.balancers[strings.ToLower(name)]
		if b == nil {
			return "", false
		}
		for _, m := range b.Members() {
			if path == "" || path == "/" {
				if rest, ok := cutFold(v, m.URL); ok {
					if r.from == "/" && strings.HasPrefix(rest, "/") {
						return rest, true
					}
					return r.from + rest, true
				}
				continue
			}
			if rest, ok := cutFold(v, strings.TrimSuffix(m.URL, "/")); ok {
				if rest, ok := strings.CutPrefix(rest, path); ok {
					return r.from + rest, true
				}
			}
		}
		return "", false
	}
	if strings.HasPrefix(r.to, "/") {
		if i := strings.Index(v, "://"); i >= 0 {
			j := strings.IndexByte(v[i+3:], '/')
			if j < 0 {
				return "", false
			}
			v = v[i+3+j:]
		}
		rest, ok := cutFold(v, r.to)
		return r.from + rest, ok
	}
	rest, ok := cutFold(v, c.p.shift(r.to))
	return r.from + rest, ok
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// cookieAttr replaces the value of the last attribute of that name if a rule's
// text is its prefix.
func cookieAttr(v, name string, rules []reverse, fold bool) string {
	if len(rules) == 0 {
		return v
	}
	from, to := -1, -1
	for i := strings.IndexByte(v, ';'); i >= 0 && i < len(v); {
		i++
		end := strings.IndexByte(v[i:], ';')
		if end < 0 {
			end = len(v)
		} else {
			end += i
		}
		j := i
		for j < end && (v[j] == ' ' || v[j] == '\t') {
			j++
		}
		if k := j + len(name); k < end && v[k] == '=' && strings.EqualFold(v[j:k], name) {
			from, to = k+1, end
		}
		i = end
	}
	if from < 0 {
		return v
	}
	for _, r := range rules {
		ok := strings.HasPrefix(v[from:to], r.from)
		if fold {
			_, ok = cutFold(v[from:to], r.from)
		}
		if ok {
			return v[:from] + r.to + v[to:]
		}
	}
	return v
}
