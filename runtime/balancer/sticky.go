package balancer

import (
	"strings"

	"clowder/runtime/exchange"
)

// StickyRequest is what the route of a request is read from.
type StickyRequest struct {
	URL    string // target before canonical encoding: decoded path, "?" and the raw query
	Header exchange.Header
}

// cookies returns all Cookie lines as httpd joins them.
func (r *StickyRequest) cookies() string {
	s, n := "", 0
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, "Cookie") {
			if n++; n > 1 {
				s += ", " + f.Value
			} else {
				s = f.Value
			}
		}
	}
	return s
}

// pathParam finds name= anywhere in the URL (get_path_param of
// mod_proxy_balancer.c): there is no left boundary, and leading delimiters of
// the value are skipped.
func pathParam(url, name string, semicolon bool) (string, bool) {
	delims := "?&"
	if semicolon {
		delims = ";?&"
	}
	for rest := url; name != ""; {
		i := strings.Index(rest, name)
		if i < 0 {
			break
		}
		rest = rest[i+len(name):]
		if len(rest) > 1 && rest[0] == '=' {
			v := strings.TrimLeft(rest[1:], delims)
			if j := strings.IndexAny(v, delims); j >= 0 {
				v = v[:j]
			}
			return v, v != ""
		}
		if rest == "" {
			break
		}
		rest = rest[1:]
	}
	return "", false
}

func space(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// cookieParam finds the first cookie of the name that has a value
// (get_cookie_param of mod_proxy_balancer.c). Quotes are part of the value.
func cookieParam(cookies, name string) (string, bool) {
	for at := 0; name != "" && at < len(cookies); {
		i := strings.Index(cookies[at:], name)
		if i < 0 {
			break
		}
		i += at
		at = i + 1
		if i > 0 && cookies[i-1] != ';' && cookies[i-1] != ',' && !space(cookies[i-1]) {
			continue
		}
		j := i + len(name)
		for j < len(cookies) && space(cookies[j]) {
			j++
		}
		at = j
		if j+1 < len(cookies) && cookies[j] == '=' {
			v := cookies[j+1:]
			if k := strings.IndexAny(v, ";,"); k >= 0 {
				v = v[:k]
			}
			return v, true
		}
	}
	return "", false
}

// stickyNames splits NAME or NAME|PARAM; blanks belong to the names.
func stickyNames(s string) (cookie, param string) {
	cookie, param, ok := strings.Cut(s, "|")
	if !ok {
		param = cookie
	}
	return cookie, param
}

// route returns the route that the request asks for, "" for none, and the name
// it was found by. A value in the URL hides the cookie, with a route or without.
func (c *config) route(r *StickyRequest) (route, name string) {
	if c.sticky == "" {
		return "", ""
	}
	cookie, param := stickyNames(c.sticky)
	v, ok := pathParam(r.URL, param, c.scolon)
	name = param
	if !ok {
		v, _ = cookieParam(r.cookies(), cookie)
		name = cookie
	}
	if c.sep != 0 {
		_, v, _ = strings.Cut(v, string(c.sep))
	}
	if v == "" {
		return "", ""
	}
	return v, name
}
