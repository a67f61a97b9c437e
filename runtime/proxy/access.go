package proxy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// client is what access rules look at. It is used by one goroutine.
type client struct {
	*call
	addr  netip.Addr
	local netip.Addr
	name  *string // by reverse lookup, confirmed; nil until asked for
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

// hasEnv reports whether a variable is set; names have no case (apr_table_get).
func (c *client) hasEnv(name string) bool {
	if _, ok := c.x.Env[name]; ok {
		return true
	}
	for k := range c.x.Env {
		if strings.EqualFold(k, name) {
			return true
		}
	}
	return false
}

// hostRules are Order, Allow, Deny and Satisfy of one section (mod_access_compat).
type hostRules struct {
	allow, deny []hostRule
	allowFirst  bool // Order allow,deny or mutual-failure
	any         bool // Satisfy any
	byMethod    []methodOrder
}

// hostRule is one word behind "from".
type hostRule func(*client) bool

func hasHostRules(a *model.Access) bool {
	return given(a.Order) || given(a.Satisfy) || len(a.Allow)+len(a.Deny) > 0
}

// allowFirst reports whether all are refused but those that are allowed.
func allowFirst(order string) bool {
	return strings.EqualFold(order, "allow,deny") || strings.EqualFold(order, "mutual-failure")
}

// newHostRules returns nil when the section has none of the directives.
func newHostRules(a *model.Access, limits []*limit, section diag.Span) (*hostRules, error) {
	if !hasHostRules(a) && !slices.ContainsFunc(limits, func(l *limit) bool { return hasHostRules(l.access) }) {
		return nil, nil
	}
	h := &hostRules{any: strings.EqualFold(a.Satisfy.V, "any"), allowFirst: allowFirst(a.Order.V)}
	for i, list := range [][]model.String{a.Allow, a.Deny} {
		for _, w := range list {
			r, err := newHostRule(w.V)
			if err != nil {
				return nil, at(w.Span, err)
			}
			if i == 0 {
				h.allow = append(h.allow, r)
			} else {
				h.deny = append(h.deny, r)
			}
		}
	}
	return h, h.limited(a, limits, section)
}

// newHostRule reads a word as allow_cmd of mod_access_compat.c does.
func newHostRule(w string) (hostRule, error) {
	switch lower := strings.ToLower(w); {
	case strings.HasPrefix(lower, "env=!"):
		return func(c *client) bool { return !c.hasEnv(w[5:]) }, nil
	case strings.HasPrefix(lower, "env="):
		return func(c *client) bool { return c.hasEnv(w[4:]) }, nil
	case lower == "all":
		return func(*client) bool { return true }, nil
	}
	if n, ok := parseNet(w); ok {
		return func(c *client) bool { return n.Contains(c.addr) }, nil
	}
	if strings.Contains(w, "/") || strings.Contains(w, ":") || strings.Trim(w, "0123456789.") == "" {
		return nil, fmt.Errorf("%q is no address or network", w)
	}
	return func(c *client) bool { return hostSuffix(c.hostName(), w) }, nil
}

// allows is check_dir_access of mod_access_compat.c.
func (h *hostRules) allows(c *client, allowFirst bool) bool {
	from := func(list []hostRule) bool { return slices.ContainsFunc(list, func(r hostRule) bool { return r(c) }) }
	if allowFirst {
		return from(h.allow) && !from(h.deny)
	}
	return !from(h.deny) || from(h.allow)
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
