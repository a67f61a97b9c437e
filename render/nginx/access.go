package nginx

import (
	"net/netip"
	"regexp"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// access writes who may get in (ngx_http_access_module, ngx_http_auth_basic_module).
func (c *conf) access(l *loc, o *plan.Outcome) {
	a := &o.Access
	if a.Open() {
		return
	}
	var out []*dir
	switch {
	case !a.NeedsAuth():
		out = addresses(a.Free)
	case a.Free.Empty():
		// An address and a password: both are asked for.
		if !a.Auth.All() {
			out = addresses(a.Auth)
		}
		out = append(out, d("auth_basic", c.realm(a.Realm)))
	case a.Free.Or(a.Auth).All():
		out = append([]*dir{d("satisfy", "any")}, allowOnly(a.Free)...)
		out = append(out, d("auth_basic", c.realm(a.Realm)))
	default:
		// Some get in freely, some with a password, the rest not at all.
		out = addresses(a.Free.Or(a.Auth))
		out = append(out, d("auth_basic", c.geo("realm", a.Free, "off", c.realm(a.Realm))))
	}
	if a.NeedsAuth() {
		out = append(out, d("auth_basic_user_file", c.users(a)))
		for _, f := range a.Facts {
			if v, ok := f.(model.String); ok && v.V == a.File {
				c.l.Approx("nginx reads the file as it is; entries of bcrypt ($2y$) need a crypt() that knows them, as Debian's does", "auth_basic_user_file", f)
			}
		}
	}
	l.add("access", false, out...)
}

// addresses writes a set as rules of which the first match counts.
func addresses(s plan.Set) []*dir {
	nets, allow := s.Rules()
	var out []*dir
	for _, n := range nets {
		out = append(out, d(word(allow, "allow", "deny"), plan.Short(n)))
	}
	if allow {
		out = append(out, d("deny", "all"))
	}
	return out
}

// allowOnly writes a set as what is allowed: with "satisfy any" a list without
// "deny all" would let everybody else in.
func allowOnly(s plan.Set) []*dir {
	var out []*dir
	for _, n := range s.Prefixes() {
		out = append(out, d("allow", plan.Short(n)))
	}
	return append(out, d("deny", "all"))
}

func word(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// geo makes a variable that depends on the client's address
// (ngx_http_geo_module; its values are literal, so a value with a variable goes
// through a map).
func (c *conf) geo(name string, s plan.Set, in, out string) string {
	one := []*dir{d("default", "0")}
	for _, n := range s.Prefixes() {
		one = append(one, d(n.String(), "1"))
	}
	free := c.variable("geo", "", "from", one...)
	return c.variable("map", free, name, d("default", out), d("1", in))
}

// realm writes the text that a password is asked with; the word off would ask for
// none.
func (c *conf) realm(s string) string {
	if s == "off" {
		return "off "
	}
	return c.lit(s)
}

// users returns the file of passwords. Where only some of its users may log in, the
// others are looked up in an empty one.
func (c *conf) users(a *plan.Access) string {
	file := c.lit(c.file(a.File))
	if a.Users == nil {
		return file
	}
	list := []*dir{d("default", "/dev/null")}
	for _, u := range a.Users {
		list = append(list, d("~^"+regexp.QuoteMeta(u)+"$", file))
	}
	return c.variable("map", "$remote_user", "users", list...)
}

// realIP carries mod_remoteip (ngx_http_realip_module): which address counts as the
// client's. ok is false when nginx cannot know it as httpd did, and rules about
// addresses cannot be kept.
func (c *conf) realIP(s *model.Server) (out []*dir, ok bool) {
	var trusted []string
	var facts []any
	header, named := "", false
	ok = true
	for _, x := range s.Settings.Extras {
		name := strings.ToLower(x.Name.V)
		if !strings.HasPrefix(name, "remoteip") {
			continue
		}
		facts = append(facts, x)
		switch name {
		case "remoteipheader":
			header = x.Arg(0)
		case "remoteiptrustedproxy", "remoteipinternalproxy":
			named = true
			for _, a := range x.Args {
				if _, err := netip.ParsePrefix(a.V); err == nil {
					trusted = append(trusted, a.V)
				} else if _, err := netip.ParseAddr(a.V); err == nil {
					trusted = append(trusted, a.V)
				} else {
					ok = false
				}
			}
		case "remoteipproxiesheader":
		default:
			ok = false
		}
	}
	if len(facts) == 0 {
		return nil, true
	}
	if header == "" || !headerName.MatchString(header) {
		ok = false
	}
	if !ok {
		c.l.Closed("nginx would take another address for the client's: whoever has to come from certain addresses is refused", "real_ip_header, set_real_ip_from", facts...)
		return nil, false
	}
	c.l.Exact(facts...)
	if !named {
		trusted = []string{"0.0.0.0/0", "::/0"}
	}
	for _, t := range trusted {
		out = append(out, d("set_real_ip_from", t))
	}
	return append(out, d("real_ip_header", header), d("real_ip_recursive", "on")), true
}
