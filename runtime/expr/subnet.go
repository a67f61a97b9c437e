package expr

import (
	"net/netip"
	"strings"
)

// network is an address under a mask, which may have holes (apr_ipsubnet_create).
type network struct {
	addr, mask netip.Addr
}

func (n network) contains(a netip.Addr) bool {
	if a.BitLen() != n.addr.BitLen() {
		return false
	}
	x, y, m := a.AsSlice(), n.addr.AsSlice(), n.mask.AsSlice()
	for i := range x {
		if (x[i]^y[i])&m[i] != 0 {
			return false
		}
	}
	return true
}

// parseNet reads an address, a network with bits or a mask, or the first octets of
// an IPv4 address.
func parseNet(s string) (network, bool) {
	addr, mask, has := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return partialNet(addr, has)
	}
	a = a.Unmap().WithZone("")
	if !has {
		return bitsNet(a, a.BitLen()), true
	}
	if mask != "" && strings.Trim(mask, "0123456789") == "" && len(mask) < 4 {
		n := 0
		for _, c := range mask {
			n = n*10 + int(c-'0')
		}
		return bitsNet(a, min(n, a.BitLen())), n > 0 && n <= a.BitLen()
	}
	m, err := netip.ParseAddr(mask)
	return network{a, m}, err == nil && a.Is4() && m.Is4()
}

func bitsNet(a netip.Addr, bits int) network {
	m := make([]byte, a.BitLen()/8)
	for i := range bits {
		m[i/8] |= 0x80 >> (i % 8)
	}
	mask, _ := netip.AddrFromSlice(m)
	return network{a, mask}
}

// partialNet reads "10", "10." or "10.1".
func partialNet(s string, masked bool) (network, bool) {
	parts := strings.Split(strings.TrimSuffix(s, "."), ".")
	if masked || len(parts) > 3 {
		return network{}, false
	}
	var b [4]byte
	for i, p := range parts {
		n := 0
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return network{}, false
		}
		for _, c := range p {
			n = n*10 + int(c-'0')
		}
		if n > 255 {
			return network{}, false
		}
		b[i] = byte(n)
	}
	return bitsNet(netip.AddrFrom4(b), 8*len(parts)), true
}
