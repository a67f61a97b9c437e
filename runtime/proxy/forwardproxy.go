package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/runtime/balancer"
)

// remote are the settings of a server about where it may connect to, and of the
// forward proxy (ProxyRequests On).
type remote struct {
	requests bool     // ProxyRequests
	domain   string   // ProxyDomain
	ports    []string // AllowCONNECT: ports and ranges
	blocks   []block  // ProxyBlock
}

// block is one word of ProxyBlock: part of a host's name, "*", or the addresses
// that it had at start.
type block struct {
	word  string
	addrs []netip.Addr
}

// newRemote reads the settings; the last server's come after those of the others.
func newRemote(servers []*model.Server) remote {
	var r remote
	for _, m := range servers {
		if given(m.ProxyRequests) {
			r.requests = m.ProxyRequests.V
		}
		for _, d := range m.Settings.Extras {
			switch strings.ToLower(d.Name.V) {
			case "proxydomain":
				r.domain = d.Arg(0)
			case "allowconnect":
				for _, a := range d.Args {
					r.ports = append(r.ports, a.V)
				}
			case "proxyblock":
				for _, a := range d.Args {
					r.blocks = append(r.blocks, block{a.V, addresses(a.V)})
				}
			}
		}
	}
	return r
}

// addresses looks a name up; there are none for "*" and unknown names.
func addresses(name string) []netip.Addr {
	if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return []netip.Addr{a.Unmap()}
	}
	if name == "*" || !strings.Contains(name, ".") {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil
	}
	for i := range list {
		list[i] = list[i].Unmap()
	}
	return list
}

// blocked returns the word of ProxyBlock that forbids the host, "" for none
// (ap_proxy_checkproxyblock of proxy_util.c).
func (r *remote) blocked(host string) string {
	var own []netip.Addr
	for i, b := range r.blocks {
		if b.word == "*" || strings.Contains(host, b.word) {
			return b.word
		}
		if i == 0 {
			own = addresses(host)
		}
		for _, x := range own {
			for _, y := range b.addrs {
				if x == y {
					return b.word
				}
			}
		}
	}
	return ""
}

var errNoTunnel = errors.New("tunnels for CONNECT are not made")

const remoteBlocked = "Connect to remote machine blocked"

// checkBlock refuses a backend that ProxyBlock names.
func (a *attempt) checkBlock() *problem {
	host, _ := hostPort(a.authority, 0)
	word := a.c.srv.forward.blocked(strings.ToLower(strings.Trim(host, "[]")))
	if word == "" {
		return nil
	}
	return failure("AH00916", "connect to remote machine "+host+" blocked: name "+word+" matched", "connect",
		problem{status: 403, phrase: proxyErr, reason: remoteBlocked, warn: true})
}

// forwardTarget handles what a forward proxy is asked for: absolute URLs of other
// servers, and CONNECT (proxy_detect of mod_proxy.c). done says that q is such a
// request; then c.url has its target, or p is the answer.
func (c *call) forwardTarget() (done bool, p *problem) {
	q := c.x.Req
	if !c.srv.forward.requests || q.Target == "" || q.Target[0] == '/' || q.Target == "*" {
		return false, nil
	}
	if q.Method == "CONNECT" {
		return true, c.connect()
	}
	scheme, authority, rest, ok := splitTarget(q.Target)
	if !ok || authority == "" || scheme == c.scheme() && c.isOurs(authority) {
		return false, nil
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		return true, &problem{status: 400} // a name and password belong into fields
	}
	c.url, c.literal, c.forwarding = scheme+"://"+authority+rest, true, true
	c.path = q.Target
	c.locate(q.Target, "", walkAfter)
	if host, _ := hostPort(authority, 0); c.srv.forward.domain != "" && q.Method == "GET" && !strings.ContainsAny(host, ".:") && host != "localhost" {
		full := scheme + "://" + host + c.srv.forward.domain + strings.TrimPrefix(authority, host) + rest
		return true, &problem{status: 301, location: full}
	}
	return true, nil
}

// isOurs reports whether host and port are those of this server, so that the
// request is no one for others.
func (c *call) isOurs(authority string) bool {
	host, port := hostPort(authority, balancer.DefaultPort(c.scheme()))
	if port != int(c.x.Req.Local.Port()) {
		return false
	}
	if strings.EqualFold(host, c.srv.name) {
		return true
	}
	for _, a := range c.srv.m.Aliases {
		if matchText(strings.ToLower(a.V), host, true) {
			return true
		}
	}
	return false
}

// connect answers CONNECT. Tunnels are not made: what AllowCONNECT lets pass is
// refused as well, in the same words.
func (c *call) connect() *problem {
	_, port := hostPort(c.x.Req.Target, 0)
	p := &problem{status: 403, phrase: proxyErr, reason: remoteBlocked}
	if c.srv.forward.allowsPort(port) {
		p.err = errNoTunnel
	}
	return p
}

func (r *remote) allowsPort(port int) bool {
	ports := r.ports
	if len(ports) == 0 {
		ports = []string{"443", "563"}
	}
	for _, s := range ports {
		from, to, is := strings.Cut(s, "-")
		if !is {
			to = from
		}
		lo, err1 := strconv.Atoi(from)
		hi, err2 := strconv.Atoi(to)
		if err1 == nil && err2 == nil && port >= lo && port <= hi {
			return true
		}
	}
	return false
}

// lacking lists the schemes whose module a setup with LoadModule lines does not
// load; nil when all are there. httpd answers 500 for them.
func (p *Proxy) lacking() map[string]bool {
	var out map[string]bool
	for scheme, module := range map[string]string{"http": "proxy_http_module", "https": "proxy_http_module", "ajp": "proxy_ajp_module", "balancer": "proxy_balancer_module"} {
		if !p.has(module) {
			if out == nil {
				out = map[string]bool{}
			}
			out[scheme] = true
		}
	}
	return out
}
