package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/runtime/htpasswd"
)

// remoteIP finds the client behind proxies that say who it is (mod_remoteip): its
// address counts for access control, logs and what backends are told.
type remoteIP struct {
	header  string
	list    string // RemoteIPProxiesHeader
	trusted []trustedProxy
}

type trustedProxy struct {
	net      netip.Prefix
	internal bool
}

// maxProxyList bounds a file of RemoteIPTrustedProxyList, in bytes.
const maxProxyList = 4 << 20

// newRemoteIP reads the directives of a server and of the main one, nil without
// RemoteIPHeader. A virtual host's list replaces that of the main server.
func (p *Proxy) newRemoteIP(main, v *model.Server) (*remoteIP, error) {
	r := &remoteIP{}
	servers := []*model.Server{main, v}
	if main == v {
		servers = servers[:1]
	}
	for _, s := range servers {
		var own []trustedProxy
		for _, d := range s.Settings.Extras {
			if err := p.remoteIPDirective(r, &own, d); err != nil {
				return nil, at(d.At, err)
			}
		}
		if len(own) > 0 {
			r.trusted = own
		}
		for _, sec := range s.Sections {
			for _, d := range sec.Settings.Extras {
				if strings.HasPrefix(strings.ToLower(d.Name.V), "remoteip") {
					return nil, at(d.At, fmt.Errorf("%s does not stand in a section", d.Name.V))
				}
			}
		}
	}
	if r.header == "" {
		return nil, nil
	}
	return r, nil
}

func (p *Proxy) remoteIPDirective(r *remoteIP, own *[]trustedProxy, d *model.Directive) error {
	name := strings.ToLower(d.Name.V)
	switch internal := strings.HasPrefix(name, "remoteipinternal"); name {
	case "remoteipheader":
		r.header = d.Arg(0)
	case "remoteipproxiesheader":
		r.list = d.Arg(0)
	case "remoteipinternalproxy", "remoteiptrustedproxy":
		for _, a := range d.Args {
			if err := addTrusted(own, a.V, internal); err != nil {
				return err
			}
		}
	case "remoteipinternalproxylist", "remoteiptrustedproxylist":
		return p.proxyList(own, d.Arg(0), internal)
	case "remoteipproxyprotocol":
		if !strings.EqualFold(d.Arg(0), "off") {
			return fmt.Errorf("%s %s is not carried out by clowder run: the PROXY protocol is not read", d.Name.V, d.Arg(0))
		}
	}
	return nil
}

// addTrusted adds an address, a network or the addresses of a name.
func addTrusted(own *[]trustedProxy, word string, internal bool) error {
	if n, ok := parseNet(word); ok {
		*own = append(*own, trustedProxy{n, internal})
		return nil
	}
	if strings.ContainsAny(word, "/:") || strings.Trim(word, "0123456789.") == "" {
		return fmt.Errorf("%q is no address or network", word)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", word)
	if err != nil {
		return fmt.Errorf("the addresses of %s are not known: %w", word, err)
	}
	for _, a := range found {
		a = a.Unmap()
		*own = append(*own, trustedProxy{netip.PrefixFrom(a, a.BitLen()), internal})
	}
	return nil
}

// proxyList reads a file of proxies: words, and # for the rest of a line.
func (p *Proxy) proxyList(own *[]trustedProxy, name string, internal bool) error {
	f, err := os.Open(p.serverPath(name))
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxProxyList+1))
	if err != nil {
		return err
	}
	if len(data) > maxProxyList {
		return fmt.Errorf("%s is longer than %d bytes", name, maxProxyList)
	}
	for line := range strings.Lines(string(data)) {
		for w := range htpasswd.Words(line) {
			if strings.HasPrefix(w, "#") {
				break
			}
			if err := addTrusted(own, w, internal); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// apply puts the client's address in place of the proxy's and takes out of the
// header what was used of it (remoteip_modify_request in mod_remoteip.c). Unlike
// httpd it takes no names in the header, which would be looked up for anybody.
func (r *remoteIP) apply(c *call) {
	q := c.x.Req
	rest, found := joined(q.Header, r.header)
	if !found {
		return
	}
	addr := plainAddr(q.Remote).WithZone("")
	internal := len(r.trusted) > 0
	used, more := false, true
	var proxies []string
	for more {
		if len(r.trusted) > 0 {
			i := slices.IndexFunc(r.trusted, func(t trustedProxy) bool { return t.net.Contains(addr) })
			if i < 0 {
				break
			}
			internal = internal && r.trusted[i].internal
		}
		before, word := "", rest
		i := strings.LastIndexByte(rest, ',')
		if i >= 0 {
			before, word = rest[:i], rest[i+1:]
		}
		next, err := netip.ParseAddr(strings.Trim(word, " "))
		next = next.Unmap()
		if err != nil || next.Zone() != "" || !internal && !public(next) {
			if rest = strings.TrimRight(rest, " "); i < 0 {
				rest = strings.TrimLeft(rest, " ")
			}
			break
		}
		if !internal {
			proxies = append(proxies, addr.String())
		}
		addr, used, rest, more = next, true, before, i >= 0
	}
	if !used {
		return
	}
	q.Remote = netip.AddrPortFrom(addr, 0)
	q.Header = slices.Clone(q.Header)
	if more {
		q.Header.Set(r.header, rest)
	} else {
		q.Header.Del(r.header)
	}
	if r.list != "" && len(proxies) > 0 {
		q.Header.Set(r.list, strings.Join(proxies, ", "))
	}
}

// public reports whether a proxy that is not internal may name the address: not one
// of a private network, and of IPv6 only 2000::/3.
func public(a netip.Addr) bool {
	if a.Is4() {
		b := a.As4()
		return !(b[0] == 10 || b[0] == 127 || b[0] == 169 && b[1] == 254 || b[0] == 172 && b[1]&0xf0 == 16 || b[0] == 192 && b[1] == 168)
	}
	return a.As16()[0]&0xe0 == 0x20
}
