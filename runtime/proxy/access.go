package proxy

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
)

// verdict of access control.
type verdict uint8

const (
	granted verdict = iota
	denied
	needUser // 401
)

// client is what access rules look at.
type client struct {
	addr   netip.Addr
	local  netip.Addr
	method string
	env    map[string]string
	expr   func(string) bool
	name   *string // by reverse lookup, confirmed; nil until asked for
}

// hostName returns the client's confirmed name, "" without one.
func (c *client) hostName() string {
	if c.name == nil {
		s := lookupName(c.addr)
		c.name = &s
	}
	return *c.name
}

func lookupName(a netip.Addr) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, a.String())
	if err != nil {
		return ""
	}
	for _, n := range names {
		n = strings.TrimSuffix(n, ".")
		back, err := net.DefaultResolver.LookupNetIP(ctx, "ip", n)
		if err == nil && slices.ContainsFunc(back, func(b netip.Addr) bool { return b.Unmap() == a }) {
			return strings.ToLower(n)
		}
	}
	return ""
}

// access decides for the merged settings (mod_access_compat and mod_authz_core).
func (cf *conf) access(c *client) verdict {
	compat := cf.compat == nil || compatAllows(cf.compat, c)
	if cf.compat != nil && strings.EqualFold(cf.compat.Satisfy.V, "any") && cf.require != nil {
		if compat {
			return granted
		}
		return c.require(cf.require)
	}
	if !compat {
		return denied
	}
	if cf.require == nil {
		return granted
	}
	return c.require(cf.require)
}

func compatAllows(a *model.Access, c *client) bool {
	allow := slices.ContainsFunc(a.Allow, func(w model.String) bool { return c.from(w.V) })
	deny := slices.ContainsFunc(a.Deny, func(w model.String) bool { return c.from(w.V) })
	switch strings.ToLower(a.Order.V) {
	case "allow,deny", "mutual-failure":
		return allow && !deny
	}
	return allow || !deny
}

// from matches a word behind "Allow from".
func (c *client) from(w string) bool {
	switch lower := strings.ToLower(w); {
	case lower == "all":
		return true
	case strings.HasPrefix(lower, "env="):
		name, not := strings.CutPrefix(w[4:], "!")
		_, ok := c.env[name]
		return ok != not
	}
	if n, ok := parseNet(w); ok {
		return n.Contains(c.addr)
	}
	return hostSuffix(c.hostName(), w)
}

// hostSuffix matches whole labels; a leading dot demands a subdomain.
func hostSuffix(host, want string) bool {
	want = strings.ToLower(want)
	rest, ok := strings.CutSuffix(host, want)
	return host != "" && want != "" && ok && (rest == "" && want[0] != '.' || want[0] == '.' && rest != "" || strings.HasSuffix(rest, "."))
}

// parseNet reads an address, a network with bits or mask, or the first octets of IPv4.
func parseNet(w string) (netip.Prefix, bool) {
	addr, mask, has := strings.Cut(w, "/")
	bits := -1
	if a, err := netip.ParseAddr(addr); err == nil {
		a = a.Unmap()
		bits = a.BitLen()
		if has {
			if n, err := strconv.Atoi(mask); err == nil && n >= 0 && n <= a.BitLen() {
				bits = n
			} else if bits = maskBits(mask); bits < 0 {
				return netip.Prefix{}, false
			}
		}
		return netip.PrefixFrom(a, bits).Masked(), true
	}
	parts := strings.Split(strings.TrimSuffix(addr, "."), ".")
	if len(parts) > 3 {
		return netip.Prefix{}, false
	}
	var b [4]byte
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return netip.Prefix{}, false
		}
		b[i] = byte(n)
	}
	bits = 8 * len(parts)
	if has {
		n, err := strconv.Atoi(mask)
		if err != nil || n < 0 || n > 32 {
			return netip.Prefix{}, false
		}
		bits = n
	}
	return netip.PrefixFrom(netip.AddrFrom4(b), bits).Masked(), true
}

// maskBits returns the length of a dotted mask, -1 if it has holes.
func maskBits(mask string) int {
	m, err := netip.ParseAddr(mask)
	if err != nil || !m.Is4() {
		return -1
	}
	n, ended := 0, false
	for _, b := range m.As4() {
		for i := 7; i >= 0; i-- {
			if b>>i&1 == 0 {
				ended = true
			} else if ended {
				return -1
			} else {
				n++
			}
		}
	}
	return n
}

// require evaluates a tree of Require lines; an unnamed group is RequireAny.
func (c *client) require(r *model.Require) verdict {
	v := c.requireOne(r)
	if !r.Not.V {
		return v
	}
	if v == granted {
		return denied
	}
	return granted
}

func (c *client) requireOne(r *model.Require) verdict {
	if len(r.Args) > 0 {
		return c.provider(r.Args)
	}
	worst := denied
	switch strings.ToLower(r.Group.V) {
	case "all":
		for _, k := range r.Children {
			if v := c.require(k); v != granted {
				return v
			}
		}
		return granted
	case "none":
		for _, k := range r.Children {
			if c.require(k) == granted {
				return denied
			}
		}
		return granted
	}
	for _, k := range r.Children {
		switch c.require(k) {
		case granted:
			return granted
		case needUser:
			worst = needUser
		}
	}
	if len(r.Children) == 0 {
		return granted
	}
	return worst
}

// provider evaluates one Require line. What clowder cannot check is denied.
func (c *client) provider(args []model.String) verdict {
	words := args[1:]
	any := func(f func(string) bool) verdict {
		if slices.ContainsFunc(words, func(w model.String) bool { return f(w.V) }) {
			return granted
		}
		return denied
	}
	switch strings.ToLower(args[0].V) {
	case "all":
		return any(func(w string) bool { return strings.EqualFold(w, "granted") })
	case "ip":
		return any(func(w string) bool {
			n, ok := parseNet(w)
			return ok && n.Contains(c.addr)
		})
	case "host":
		return any(func(w string) bool { return hostSuffix(c.hostName(), w) })
	case "local":
		if c.addr.IsLoopback() || c.addr == c.local {
			return granted
		}
	case "env":
		return any(func(w string) bool { _, ok := c.env[w]; return ok })
	case "expr":
		return any(c.expr)
	case "method":
		return any(func(w string) bool { return w == c.method || w == "GET" && c.method == "HEAD" })
	case "not":
		if c.provider(words) != granted {
			return granted
		}
	case "valid-user", "user", "group":
		return needUser
	}
	return denied
}
