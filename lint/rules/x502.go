package rules

import (
	"fmt"
	"net/netip"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var remoteIPDoesNotTrust = &lint.Rule{
	ID: "X502", Name: "remoteip-does-not-trust-httpd", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyBoth,
	Doc: lint.Doc{
		What: "A RemoteIpValve does not trust the address that httpd connects from.",
		Why:  "The valve leaves requests from unknown addresses alone: the scheme and the client's address that httpd forwards are ignored.",
		Fix:  "Add the address of httpd to internalProxies; it must match as a whole.",
		Bad: strings.ReplaceAll(tlsExample(httpsHeader, "", fmt.Sprintf(remoteIP, `protocolHeader="X-Forwarded-Proto" internalProxies="192\.168\.7\.\d+"`)),
			"10.0.0.11", "127.0.0.1"),
		Good: strings.ReplaceAll(tlsExample(httpsHeader, "", fmt.Sprintf(remoteIP, `protocolHeader="X-Forwarded-Proto" internalProxies="127\.0\.0\.1"`)),
			"10.0.0.11", "127.0.0.1"),
		Notes:  "Only when the address of httpd is known: from the setup file, from ProxySourceAddress, or because the member is a loopback address. trustedProxies counts as well. Without internalProxies the valve trusts the private ranges and loopback. Expressions that only Java understands are not judged.",
		Source: "RemoteIpValve reference, internalProxies and trustedProxies; RemoteIpValve.invoke.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 {
			return
		}
		valves, bound := remoteIPs{}, sourceAddresses(p)
		said := map[*model.Component]bool{}
		for _, l := range p.Links() {
			if l.Node == nil || !overHTTP(&l) {
				continue
			}
			for _, v := range valves.of(l.Node) {
				if !said[v] && distrusts(p, &l, v, sourceOf(&l, bound)) {
					said[v] = true
				}
			}
		}
	},
}

// sourceAddresses returns the ProxySourceAddress of front ends that have one.
func sourceAddresses(p *lint.Pass) map[*model.FrontEnd][]netip.Addr {
	out := map[*model.FrontEnd][]netip.Addr{}
	for d := range p.Directives {
		if strings.EqualFold(d.Name, "ProxySourceAddress") {
			a, err := netip.ParseAddr(strings.Trim(d.Node.Arg(0), "[]"))
			if out[d.FrontEnd] == nil {
				out[d.FrontEnd] = []netip.Addr{}
			}
			if err == nil {
				out[d.FrontEnd] = append(out[d.FrontEnd], a.Unmap())
			}
		}
	}
	return out
}

// sourceOf returns the addresses that httpd may connect from, as Tomcat sees them.
func sourceOf(l *model.Link, bound map[*model.FrontEnd][]netip.Addr) []netip.Addr {
	if list, ok := bound[l.FrontEnd]; ok {
		return list
	}
	if model.IsLoopback(l.Host) {
		if a, err := netip.ParseAddr(l.Host); err == nil {
			return []netip.Addr{a.Unmap()}
		}
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	a, err := netip.ParseAddr(strings.Trim(l.FrontEnd.Host.V, "[]"))
	if err != nil || a.IsLoopback() || !l.FrontEnd.Host.IsWritten() {
		return nil
	}
	return []netip.Addr{a.Unmap()}
}

// distrusts reports the valve when it does not trust the httpd of the link, which
// connects from one of the addresses.
func distrusts(p *lint.Pass, l *model.Link, v *model.Component, from []netip.Addr) bool {
	if len(from) == 0 {
		return false
	}
	value, at, written := valveValue(v, "internalProxies", "")
	yes, known := trusts(value, from)
	said := value
	if !written {
		known, said = true, "the private address ranges"
		for _, a := range from {
			yes = yes || defaultProxies.contains(a)
		}
	}
	if more, _, has := valveValue(v, "trustedProxies", ""); has && !yes {
		ok, sure := trusts(more, from)
		yes, known = ok, known && sure
	}
	if yes || !known {
		return false
	}
	f := lint.Finding{
		At: at, Subject: v,
		Message: fmt.Sprintf("RemoteIpValve of %s trusts %s, which does not match httpd at %s: forwarded headers are ignored; add the address to internalProxies", l.Node.Name.V, said, from[0]),
		Related: []diag.Related{lint.Related(l.Member.At.Head(), "httpd connects from here")},
	}
	weaken(&f, l.By)
	p.Report(f)
	return true
}
