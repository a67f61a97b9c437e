package rules

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var vhostWithoutListen = &lint.Rule{
	ID: "H701", Name: "vhost-without-listen", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Ports, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "No Listen opens the port of a virtual host.",
		Why:  "VirtualHost chooses among the connections that arrive; it opens no port. httpd starts without a word and nobody reaches the virtual host.",
		Fix:  "Add a Listen for the port.",
		Bad: `Listen 80
<VirtualHost *:8443>
    ServerName www.example.com
</VirtualHost>`,
		Good: `Listen 80
Listen 8443
<VirtualHost *:8443>
    ServerName www.example.com
</VirtualHost>`,
		Notes:  "Silent for virtual hosts without a port, when one of several addresses is listened on, and when the files hold no Listen at all or include a file with ports that is not there (Debian's ports.conf). Less sure when another Include could not be read, and for a lone file without ServerRoot and MPM, which may be a part of a configuration.",
		Source: "httpd manual, Listen. Tried with httpd 2.4.71: -t says Syntax OK.",
	},
	Check: func(p *lint.Pass) {
		elsewhere := listensElsewhere(p)
		for i, fe := range p.Setup.FrontEnds {
			if i >= len(p.Configs) || p.Configs[i] == nil || len(fe.Listens) == 0 || elsewhere[fe] {
				continue
			}
			open := map[int]bool{}
			for _, l := range fe.Listens {
				open[l.Port.V] = true
			}
			offered := map[int]bool{}
			for _, vh := range fe.VHosts {
				if port := closedPort(vh, open); port != 0 {
					reportClosed(p, fe, vh, port, !offered[port])
					offered[port] = true
				}
			}
		}
	},
}

// listensElsewhere returns the front ends with a Listen that could not be read:
// of an unknown port, or in a file of ports that is missing.
func listensElsewhere(p *lint.Pass) map[*model.FrontEnd]bool {
	out := map[*model.FrontEnd]bool{}
	for d := range p.Directives {
		if strings.EqualFold(d.Name, "Listen") && unknown(d.Node.Text()) {
			out[d.FrontEnd] = true
		}
	}
	for i := range p.Diags {
		d := &p.Diags[i]
		if d.ID != "H010" || strings.Contains(d.Message, "was read in its place") {
			continue
		}
		name := strings.ToLower(d.Span.Text())
		if !strings.Contains(name, "port") && !strings.Contains(name, "listen") {
			continue
		}
		for k, fe := range p.Setup.FrontEnds {
			if k < len(p.Configs) && p.Configs[k] != nil {
				for _, f := range p.Configs[k].Files {
					if f == d.Span.File {
						out[fe] = true
					}
				}
			}
		}
	}
	return out
}

// closedPort returns the first port of the virtual host when none of its
// addresses has an open one, else 0.
func closedPort(vh *model.Server, open map[int]bool) int {
	first := 0
	for _, a := range vh.Addresses {
		port, ok := vhostPort(a.V)
		if !ok || open[port] {
			return 0
		}
		if first == 0 {
			first = port
		}
	}
	return first
}

// vhostPort returns the port of an address of <VirtualHost>; false when it has
// none, or one that is not known.
func vhostPort(a string) (int, bool) {
	i := strings.LastIndexByte(a, ':')
	if i < 0 || strings.HasSuffix(a, "]") || strings.Count(a, ":") > 1 && !strings.HasPrefix(a, "[") {
		return 0, false
	}
	port, err := strconv.Atoi(a[i+1:])
	return port, err == nil && port > 0
}

func reportClosed(p *lint.Pass, fe *model.FrontEnd, vh *model.Server, port int, fix bool) {
	last := fe.Listens[len(fe.Listens)-1]
	f := lint.Finding{
		At: vh.At.Head(), Subject: vh, Lower: absence(p) + fragmentary(p, fe),
		Message: fmt.Sprintf("no Listen for port %d: this virtual host is never reached; add `Listen %d` (the last one is at %s)", port, port, last.At.Short()),
		Related: []diag.Related{lint.Related(last.At, "the last Listen")},
	}
	if fix && absence(p) == 0 {
		f.Fixes = []diag.Fix{{Message: "listen on the port", Safe: true, Edits: []diag.Edit{lineAfter(last.At, fmt.Sprintf("Listen %d", port))}}}
	}
	p.Report(f)
}

// fragmentary is 1 for a front end of one file that does not look like the main
// file of an httpd: that may have more Listen lines.
func fragmentary(p *lint.Pass, fe *model.FrontEnd) int {
	for i, f := range p.Setup.FrontEnds {
		if f == fe && len(p.Configs[i].Files) > 1 {
			return 0
		}
	}
	if fe.ServerRoot.IsWritten() {
		return 0
	}
	for _, m := range fe.Modules {
		if strings.HasPrefix(m.Name.V, "mpm_") {
			return 0
		}
	}
	return 1
}

var duplicateListen = &lint.Rule{
	ID: "H702", Name: "duplicate-listen", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Ports, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "Two Listen lines want the same port of the same address.",
		Why:  "httpd does not start: \"Cannot define multiple Listeners on the same IP:port\", or \"Address already in use\" when the addresses are written in different ways.",
		Fix:  "Delete one of them. A file of ports that is included twice is the usual reason.",
		Bad: `Listen 80
Listen 10.0.0.1:80`,
		Good: `Listen 10.0.0.1:80
Listen 10.0.0.2:80`,
		Notes:  "A line without address takes all addresses. Different specific addresses do not collide, nor do IPv4 and IPv6 ones; 0.0.0.0 beside [::] is right. A warning for 0.0.0.0 or [::] beside a line without address: httpd starts on machines with IPv6, where it drops the second, and not on others.",
		Source: "alloc_listener and open_listeners in server/listen.c. Tried with httpd 2.4.71 on Linux for all these pairs.",
	},
	Check: func(p *lint.Pass) {
		for i, fe := range p.Setup.FrontEnds {
			if i >= len(p.Configs) || p.Configs[i] == nil {
				continue
			}
			byPort := map[int][]*model.Listen{}
			for _, l := range fe.Listens {
				for _, first := range byPort[l.Port.V] {
					if sev := listenClash(first.Address.V, l.Address.V); sev != 0 {
						reportListen(p, first, l, sev)
						break
					}
				}
				byPort[l.Port.V] = append(byPort[l.Port.V], l)
			}
		}
	},
}

// listenClash says whether two addresses with one port exclude each other: 0
// when not, Warning when httpd copes on some machines.
func listenClash(a, b string) diag.Severity {
	if strings.EqualFold(a, b) {
		return diag.Error
	}
	if a == "" || b == "" {
		if other := a + b; isAny4(other) || isAny6(other) {
			return diag.Warning
		}
		return diag.Error
	}
	four, six := family(a), family(b)
	switch {
	case isAny4(a) && isAny6(b), isAny6(a) && isAny4(b):
		return 0
	case isAny6(a) || isAny6(b): // takes IPv4 connections too
		return diag.Error
	case isAny4(a):
		return when(six != 6)
	case isAny4(b):
		return when(four != 6)
	case strings.EqualFold(a, "localhost"):
		return when(model.IsLoopback(b))
	case strings.EqualFold(b, "localhost"):
		return when(model.IsLoopback(a))
	}
	x, err := netip.ParseAddr(a)
	y, err2 := netip.ParseAddr(b)
	return when(err == nil && err2 == nil && x == y)
}

func when(clash bool) diag.Severity {
	if clash {
		return diag.Error
	}
	return 0
}

func isAny4(a string) bool { return a == "0.0.0.0" }

func isAny6(a string) bool {
	x, err := netip.ParseAddr(a)
	return err == nil && x.Is6() && x.IsUnspecified()
}

// family returns 4 or 6 for addresses, 0 for names.
func family(a string) int {
	x, err := netip.ParseAddr(a)
	switch {
	case err != nil:
		return 0
	case x.Is4():
		return 4
	}
	return 6
}

func reportListen(p *lint.Pass, first, second *model.Listen, sev diag.Severity) {
	f := lint.Finding{
		At: second.At, Severity: sev, Subject: second,
		Message: fmt.Sprintf("port %d is already in a Listen (%s); httpd does not start; delete one of them", second.Port.V, first.At.Short()),
		Related: []diag.Related{lint.Related(first.At, "the first Listen of the port")},
	}
	switch {
	case sev == diag.Warning:
		f.Message = fmt.Sprintf("port %d is already in a Listen (%s) for all addresses; httpd starts without one of them, or not at all where there is no IPv6; delete one", second.Port.V, first.At.Short())
	case first.At == second.At:
		f.Message = fmt.Sprintf("port %d is already in a Listen: this very line, whose file is included twice; httpd does not start; include it once", second.Port.V)
	case strings.EqualFold(strings.Join(strings.Fields(first.At.Text()), " "), strings.Join(strings.Fields(second.At.Text()), " ")):
		f.Fixes = []diag.Fix{{Message: "delete the second one", Safe: true, Edits: []diag.Edit{deleteLine(second.At)}}}
	}
	p.Report(f)
}

var managerNeedsServerLevel = &lint.Rule{
	ID: "H703", Name: "balancer-manager-needs-server-level", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Balancing,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What: "A balancer comes to be by a ProxyPass inside of a Location, beside a balancer-manager.",
		Why:  "The balancer-manager changes only balancers that are defined at the level of the server or virtual host.",
		Fix:  "Define the balancer with <Proxy \"balancer://...\"> in front of the Location.",
		Bad: `<Location "/app">
    ProxyPass "balancer://c/app" lbmethod=byrequests
</Location>
BalancerMember "balancer://c" "ajp://10.0.0.11:8009"
<Location "/balancer-manager">
    SetHandler balancer-manager
    Require local
</Location>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
</Proxy>
<Location "/app">
    ProxyPass "balancer://c/app"
</Location>
<Location "/balancer-manager">
    SetHandler balancer-manager
    Require local
</Location>`,
		Notes:  "Only when a balancer-manager is there. BalancerMember itself is refused in a Location.",
		Source: "mod_proxy_balancer, \"Enabling Balancer Manager Support\". Tried with httpd 2.4.71: \"Bad syntax for a balancer name\" for BalancerMember in a Location.",
	},
	Check: func(p *lint.Pass) {
		managed := map[*model.FrontEnd]*model.Section{}
		servers := proxyServers(p)
		for _, sv := range servers {
			for _, sec := range sv.Sections {
				if managed[sv.FrontEnd] == nil && strings.EqualFold(sec.Settings.Handler.V, "balancer-manager") {
					managed[sv.FrontEnd] = sec
				}
			}
		}
		ix := newBalancerIndex()
		for _, sv := range servers {
			manager := managed[sv.FrontEnd]
			v, _ := p.HTTPDVersion(sv.FrontEnd)
			if manager == nil || !p.Rule.Versions.HTTPD.Contains(v) {
				continue
			}
			for _, m := range passes(sv) {
				base, _ := splitBackend(m.Target.V)
				name, ok := strings.CutPrefix(base, "balancer://")
				if m.section == nil || !ok {
					continue
				}
				if b := ix.find(sv, name); b != nil && b.At == m.Target.Span {
					p.Report(lint.Finding{
						At: m.At, Subject: b,
						Message: fmt.Sprintf("balancer `%s` is defined inside `<Location>` and cannot be changed in the balancer manager (%s); define it with `<Proxy>` at the level of the server", b.Name.V, manager.At.Short()),
						Related: []diag.Related{lint.Related(manager.At.Head(), "the balancer manager")},
					})
				}
			}
		}
	},
}
