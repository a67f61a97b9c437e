package rules

import (
	"fmt"
	"net/netip"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var ajpOpen = &lint.Rule{
	ID: "T502", Name: "ajp-open", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "An AJP connector takes connections from other machines and asks for no secret.",
		Why:  "AJP trusts its peer: whoever reaches the port says who the user is, sets attributes of the request and, in versions before the change of 2020, reads any file of the application.",
		Fix:  "Write address=\"127.0.0.1\" when httpd is on the same machine; else a secret here and on the httpd members.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="0.0.0.0" secretRequired="false"/>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="127.0.0.1" secretRequired="false"/>
</Service></Server>`,
		Notes:  "An error on every address or a public one, a warning on a private one or a name. Silent on loopback, which no address means since 7.0.100, 8.5.51, 9.0.31 and in 10; before, no address means all of them: an info. A connector that does not start for want of a secret is T501's.",
		Source: "AJP connector reference, address and secretRequired; security how-to; CVE-2020-1938. Tomcat 10.1.60 starts such a connector without a word.",
	},
	Check: func(p *lint.Pass) {
		var links map[*model.Connector][]model.Link
		for _, n := range p.Setup.Nodes {
			version, declared := p.TomcatVersion(n)
			for _, c := range n.Connectors() {
				if c.Kind() != "ajp" || strings.TrimSpace(c.Secret.V) != "" || oldSecret(c) || c.Port.V < 0 {
					continue
				}
				level, where := ajpExposure(c, version, declared)
				if level == 0 || attributeUnknown(p, c.At, "secretRequired") {
					continue
				}
				if links == nil {
					links = linksByConnector(p)
				}
				p.Report(lint.Finding{
					At: c.At.Head(), Severity: level, Subject: c, Fixes: loopbackFix(c, links[c]),
					Message: fmt.Sprintf("AJP on %s without a secret: whoever reaches the port can set request attributes and, where CVE-2020-1938 (Ghostcat) is unpatched, read files of the application; bind it to loopback or set a secret", where),
				})
			}
		}
	},
}

// ajpExposure says how bad the address of a connector without secret is, 0 when
// it is not open or not running.
func ajpExposure(c *model.Connector, version string, declared bool) (diag.Severity, string) {
	off := c.SecretRequired.IsWritten() && !c.SecretRequired.V
	old := declared && !requiresSecret(version)
	if !off && !old {
		return 0, ""
	}
	address := strings.Trim(strings.TrimSpace(c.Address.V), "[]")
	if !c.Address.IsWritten() {
		if old {
			return diag.Info, "all addresses (none is written, and this version then takes all)"
		}
		return 0, ""
	}
	if address == "" || unknown(address) || model.IsLoopback(address) {
		return 0, ""
	}
	a, err := netip.ParseAddr(address)
	switch {
	case err != nil:
		return diag.Warning, address
	case a.IsUnspecified() && !off:
		return diag.Info, address + " (every address)"
	case a.IsUnspecified():
		return diag.Error, address + " (every address)"
	case privateAddress(a) && !off:
		return diag.Info, address
	case privateAddress(a):
		return diag.Warning, address
	}
	return diag.Error, address
}

var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func privateAddress(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a)
}

// loopbackFix binds a connector to loopback when each member that reaches it
// already goes there.
func loopbackFix(c *model.Connector, links []model.Link) []diag.Fix {
	if len(links) == 0 {
		return nil
	}
	for _, l := range links {
		if !model.IsLoopback(l.Host) {
			return nil
		}
	}
	var written diag.Span
	if c.Address.IsWritten() {
		written = c.Address.Span
	}
	e, ok := setFlag(c.At, written, "address", "127.0.0.1")
	if !ok {
		return nil
	}
	return []diag.Fix{{Message: "listen on loopback only", Safe: true, Edits: []diag.Edit{e}}}
}
