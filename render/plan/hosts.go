package plan

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/model"
)

func unique(used map[string]bool, name string) string {
	for try, i := name, 2; ; i++ {
		if !used[try] {
			used[try] = true
			return try
		}
		try = name + "_" + strconv.Itoa(i)
	}
}

// listeners makes the sockets and their sites, as server/vhost.c chooses a
// virtual host: those with the connection's address, else those with *, else the
// main server; among them by name, else the first.
func (b *builder) listeners() {
	f := b.plan.Front
	sites := map[*model.Server]*Site{}
	site := func(s *model.Server) *Site {
		if sites[s] == nil {
			sites[s] = b.site(s)
		}
		return sites[s]
	}
	for _, li := range f.Listens {
		for _, l := range b.sockets(li) {
			if i := slices.IndexFunc(b.plan.Listeners, func(o *Listener) bool { return o.Address == l.Address && o.Port == l.Port }); i >= 0 {
				if l.Family == "" {
					b.plan.Listeners[i].Family = ""
				}
				continue
			}
			for _, vh := range choose(f.VHosts, l) {
				l.Sites = append(l.Sites, site(vh))
			}
			if len(l.Sites) == 0 {
				l.Sites = []*Site{site(f.Main)}
			}
			l.TLS = l.Sites[0].TLS != nil
			b.plan.Listeners = append(b.plan.Listeners, l)
		}
	}
	for _, s := range append(slices.Clone(f.VHosts), f.Main) {
		if sites[s] != nil {
			b.plan.Sites = append(b.plan.Sites, sites[s])
		}
	}
}

// sockets returns the listener of a Listen line, and before one on every address
// those of virtual hosts that name an address.
func (b *builder) sockets(li *model.Listen) []*Listener {
	addr, family := li.Address.V, ""
	if addr == "0.0.0.0" {
		family = "4"
	}
	if model.IsWildcard(addr) {
		addr = ""
	}
	var out []*Listener
	if addr == "" {
		seen := map[string]bool{}
		for _, vh := range b.plan.Front.VHosts {
			for _, a := range vh.Addresses {
				host, port := splitAddress(a.V)
				if _, err := netip.ParseAddr(host); err == nil && !model.IsWildcard(host) && (port == 0 || port == li.Port.V) && !seen[host] {
					seen[host] = true
					out = append(out, &Listener{Source: li, Address: host, Port: li.Port.V})
				}
			}
		}
	}
	return append(out, &Listener{Source: li, Address: addr, Family: family, Port: li.Port.V})
}

// splitAddress takes an address of <VirtualHost> apart; host "" is every address,
// port 0 every port.
func splitAddress(a string) (host string, port int) {
	host = a
	if i := strings.LastIndexByte(a, ':'); i >= 0 && !strings.HasSuffix(a, "]") {
		host = a[:i]
		port, _ = strconv.Atoi(a[i+1:])
	}
	host = strings.Trim(host, "[]")
	if host == "*" || strings.EqualFold(host, "_default_") || model.IsWildcard(host) {
		host = ""
	}
	return host, port
}

// choose returns the virtual hosts of a socket: those that name its address, else
// those on every address. A host name in the place of an address is taken for
// every address, for only the resolver of its machine knows better.
func choose(vhosts []*model.Server, l *Listener) []*model.Server {
	var own, every []*model.Server
	for _, vh := range vhosts {
		for _, a := range vh.Addresses {
			host, port := splitAddress(a.V)
			if port != 0 && port != l.Port {
				continue
			}
			if host == l.Address && host != "" {
				own = append(own, vh)
				break
			}
			if _, err := netip.ParseAddr(host); err != nil {
				every = append(every, vh)
				break
			}
		}
	}
	if len(own) > 0 {
		return own
	}
	return every
}

// site lays out one server.
func (b *builder) site(s *model.Server) *Site {
	f := b.plan.Front
	st := &Site{Source: s, Server: f.Effective(s), Main: s == f.Main}
	name := hostOf(st.Server.ServerName.V)
	if st.Main && name == "" {
		name = "main"
	}
	if host := hostOf(s.ServerName.V); host != "" {
		st.Names = append(st.Names, host)
	} else if host := hostOf(st.Server.ServerName.V); host != "" && !st.Main && slices.ContainsFunc(s.Addresses, everyAddress) {
		st.Names = append(st.Names, host) // of the main server (ap_fini_vhost_config of server/vhost.c)
	}
	for _, a := range s.Aliases {
		st.Names = append(st.Names, strings.ToLower(a.V))
	}
	st.Name = b.identifier(name)
	if t := st.Server.TLS; t != nil && t.Engine.IsSet() && !strings.EqualFold(t.Engine.V, "off") {
		st.TLS = t
	}
	b.cells(st)
	return st
}

func everyAddress(a model.String) bool { host, _ := splitAddress(a.V); return host == "" }

// hostOf returns the host of a ServerName: without scheme and port, lower case.
func hostOf(name string) string {
	if i := strings.Index(name, "://"); i >= 0 {
		name = name[i+3:]
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	return strings.ToLower(name)
}
