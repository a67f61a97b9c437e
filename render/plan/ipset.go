package plan

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Set is a set of client addresses, IPv4 and IPv6 apart. The zero value is empty.
type Set struct{ v4, v6 []span }

// span is a range of addresses of one family, both ends included.
type span struct{ lo, hi netip.Addr }

var (
	low4, high4 = netip.AddrFrom4([4]byte{}), netip.AddrFrom4([4]byte{255, 255, 255, 255})
	low6, high6 = netip.IPv6Unspecified(), lastOf(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
)

// Everyone returns the set of all addresses.
func Everyone() Set { return Set{[]span{{low4, high4}}, []span{{low6, high6}}} }

// SetOf returns the set of the addresses in the networks.
func SetOf(nets ...netip.Prefix) Set {
	var s Set
	for _, p := range nets {
		p = p.Masked()
		if one := (span{p.Addr(), lastOf(p)}); p.Addr().Is4() {
			s.v4 = append(s.v4, one)
		} else {
			s.v6 = append(s.v6, one)
		}
	}
	return Set{merge(s.v4), merge(s.v6)}
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// Empty reports whether nobody is in the set.
func (s Set) Empty() bool { return len(s.v4)+len(s.v6) == 0 }

// All reports whether everybody is in the set.
func (s Set) All() bool { return s.Not().Empty() }

// Equal reports whether both sets hold the same addresses.
func (s Set) Equal(o Set) bool { return slices.Equal(s.v4, o.v4) && slices.Equal(s.v6, o.v6) }

// Contains reports whether the address is in the set.
func (s Set) Contains(a netip.Addr) bool {
	list := s.v6
	if a = a.Unmap(); a.Is4() {
		list = s.v4
	}
	return slices.ContainsFunc(list, func(r span) bool { return r.lo.Compare(a) <= 0 && a.Compare(r.hi) <= 0 })
}

// Or returns the union.
func (s Set) Or(o Set) Set {
	return Set{merge(slices.Concat(s.v4, o.v4)), merge(slices.Concat(s.v6, o.v6))}
}

// And returns the intersection.
func (s Set) And(o Set) Set { return s.Not().Or(o.Not()).Not() }

// Not returns the complement.
func (s Set) Not() Set { return Set{gaps(s.v4, low4, high4), gaps(s.v6, low6, high6)} }

// merge sorts ranges and joins those that touch.
func merge(list []span) []span {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b span) int { return a.lo.Compare(b.lo) })
	var out []span
	for _, r := range list {
		if n := len(out); n > 0 && (r.lo.Compare(out[n-1].hi) <= 0 || r.lo == out[n-1].hi.Next()) {
			if r.hi.Compare(out[n-1].hi) > 0 {
				out[n-1].hi = r.hi
			}
			continue
		}
		out = append(out, r)
	}
	return out
}

func gaps(list []span, low, high netip.Addr) []span {
	var out []span
	next := low
	for _, r := range list {
		if next.Compare(r.lo) < 0 {
			out = append(out, span{next, r.lo.Prev()})
		}
		if r.hi == high {
			return out
		}
		next = r.hi.Next()
	}
	return append(out, span{next, high})
}

// Prefixes writes the set as the fewest networks, IPv4 first, in order.
func (s Set) Prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, r := range slices.Concat(s.v4, s.v6) {
		for at := r.lo; ; {
			bits := at.BitLen()
			for bits > 0 {
				p, _ := at.Prefix(bits - 1)
				if p.Addr() != at || lastOf(p).Compare(r.hi) > 0 {
					break
				}
				bits--
			}
			p := netip.PrefixFrom(at, bits)
			out = append(out, p)
			end := lastOf(p)
			if end.Compare(r.hi) >= 0 {
				break
			}
			at = end.Next()
		}
	}
	return out
}

// Rules writes the set as a list of which the first match counts: the networks,
// whether they are allowed, and what holds for everybody else. It is the shorter
// one of both lists.
func (s Set) Rules() (nets []netip.Prefix, allow bool) {
	in, out := s.Prefixes(), s.Not().Prefixes()
	if len(out) < len(in) {
		return out, false
	}
	return in, true
}

// Short writes a network as people do: a single address without its length.
func Short(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// parseNet reads what Allow, Deny and Require ip take: an address, a network with
// a length or a mask, or the first octets of an IPv4 address
// (apr_ipsubnet_create).
func parseNet(w string) (netip.Prefix, bool) {
	addr, mask, has := strings.Cut(w, "/")
	var a netip.Addr
	bits := 0
	if x, err := netip.ParseAddr(addr); err == nil {
		a = x.WithZone("").Unmap()
		bits = a.BitLen()
	} else {
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
		a, bits = netip.AddrFrom4(b), 8*len(parts)
	}
	if has {
		if n, err := strconv.Atoi(mask); err == nil {
			if n < 0 || n > a.BitLen() {
				return netip.Prefix{}, false
			}
			bits = n
		} else if bits = maskBits(mask); bits < 0 || !a.Is4() {
			return netip.Prefix{}, false
		}
	}
	return netip.PrefixFrom(a, bits).Masked(), true
}

// maskBits returns the length of a dotted mask, -1 when it is none.
func maskBits(mask string) int {
	m, err := netip.ParseAddr(mask)
	if err != nil || !m.Is4() {
		return -1
	}
	for bits := 0; bits <= 32; bits++ {
		if p := netip.PrefixFrom(high4, bits).Masked(); p.Addr() == m {
			return bits
		}
	}
	return -1
}
