package rules

import (
	"fmt"
	"net/netip"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var connectorNotReachable = &lint.Rule{
	ID: "X004", Name: "connector-not-reachable", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "A member goes to an address of its Tomcat on which the connector does not listen.",
		Why:  "The connection is refused, httpd takes the member out and answers 503 when no other is left. AJP without address listens on loopback only in all versions since the change of 2020.",
		Fix:  "Write the address that httpd uses on the connector, for AJP together with a secret.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.12:8009" route=s2 secret=a-long-word
</Proxy>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2"><Host name="localhost"/></Engine>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.12:8009" route=s2 secret=a-long-word
</Proxy>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2"><Host name="localhost"/></Engine>
</Service></Server>`,
		Notes:  "A member on localhost reaches loopback and a connector on every address. HTTP without address listens on every one, as AJP did before 7.0.100, 8.5.51 and 9.0.31. Host names that the setup file does not resolve are passed over.",
		Source: "AJP connector reference, address; AbstractAjpProtocol. Tried with Tomcat 10.1.60: no address is 127.0.0.1 for AJP, address=\"\" is 127.0.0.1 for both.",
	},
	Check: func(p *lint.Pass) {
		said := map[*model.Connector]bool{}
		for _, l := range p.Links() {
			c := l.Connector
			if c == nil || said[c] || !speaks(l.Scheme, c) {
				continue
			}
			version, declared := p.TomcatVersion(l.Node)
			address, how := listenAddress(c, version)
			if unknown(address) || unknown(l.Host) || reaches(l, address) {
				continue
			}
			said[c] = true
			f := lint.Finding{
				At: c.At.Head(), Subject: c,
				Message: fmt.Sprintf("member goes to %s (%s), but the connector listens on %s%s; set address=\"%s\"", l.Host, l.Member.At.Short(), address, how, l.Host),
				Related: []diag.Related{lint.Related(l.Member.At.Head(), "the member")},
				Fixes:   addressFix(c, l.Host),
			}
			if c.Kind() == "ajp" {
				f.Message += " (with a secret)"
			}
			weaken(&f, l.By)
			if how != "" && !declared && c.Kind() == "ajp" && !c.Address.IsWritten() {
				lint.Undeclared(&f, "Tomcat")
			}
			p.Report(f)
		}
	},
}

// listenAddress returns the address that a connector listens on, "" for every one,
// and a remark when it is a default.
func listenAddress(c *model.Connector, version string) (address, how string) {
	address = strings.Trim(strings.TrimSpace(c.Address.V), "[]")
	switch {
	case c.Address.IsWritten() && address == "":
		return "localhost", " (an empty address)"
	case c.Address.IsWritten():
		if a, err := netip.ParseAddr(address); err == nil && a.IsUnspecified() || address == "*" {
			return "", ""
		}
		return address, ""
	case c.Kind() == "ajp" && requiresSecret(version):
		return "localhost", ", the default for AJP"
	}
	return "", ""
}

// reaches reports whether connections of the member get to a connector on the
// address, or nobody can tell.
func reaches(l model.Link, address string) bool {
	if address == "" {
		return true
	}
	here, there := model.IsLoopback(l.Host), model.IsLoopback(address)
	if here || there {
		if here == there {
			return true
		}
		if here {
			_, err := netip.ParseAddr(address)
			return err != nil
		}
		_, err := netip.ParseAddr(l.Host)
		return err != nil && l.By != model.BySetup
	}
	_, err1 := netip.ParseAddr(l.Host)
	_, err2 := netip.ParseAddr(address)
	return err1 != nil || err2 != nil || model.AddressesCollide(l.Host, address)
}

// addressFix suggests to listen on the member's address: it opens a port, so
// somebody has to agree.
func addressFix(c *model.Connector, host string) []diag.Fix {
	if _, err := netip.ParseAddr(host); err != nil {
		return nil
	}
	var written diag.Span
	if c.Address.IsWritten() {
		written = c.Address.Span
	}
	e, ok := setFlag(c.At, written, "address", host)
	if !ok {
		return nil
	}
	return []diag.Fix{{Message: "listen on " + host, Edits: []diag.Edit{e}}}
}
