package rules

import (
	"fmt"
	"net/netip"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var mcastAddressNotMulticast = &lint.Rule{
	ID: "T201", Name: "mcast-address-not-multicast", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "The address of a multicast Membership is blank or not a multicast address.",
		Why:  "The join fails with \"Not a multicast address\", and the whole Tomcat stops, not only its cluster.",
		Fix:  "Write an address from 224.0.1.0 to 239.255.255.255, or leave the attribute out for 228.0.0.4.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6">
    <Channel className="org.apache.catalina.tribes.group.GroupChannel">
      <Membership className="org.apache.catalina.tribes.membership.McastService" address="" port="45564"/>
    </Channel>
  </Cluster>
</Engine></Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6">
    <Channel className="org.apache.catalina.tribes.group.GroupChannel">
      <Membership className="org.apache.catalina.tribes.membership.McastService" address="228.0.0.4" port="45564"/>
    </Channel>
  </Cluster>
</Engine></Service></Server>`,
		Notes:  "Host names are not checked. Silent when channelStartOptions does not run the membership service. 224.0.0.0/24 is reserved for routers and not forwarded: a warning.",
		Source: "Membership reference; McastServiceImpl.setupSocket. Tried with Tomcat 10.1.60: \"\" and 10.1.2.3 both stop the server.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			if m := c.membership(); m != nil && c.mcast() {
				checkMcast(p, m)
			}
		}
	},
}

var linkLocalMulticast = netip.MustParsePrefix("224.0.0.0/24")

func checkMcast(p *lint.Pass, m *model.Membership) {
	if !m.Address.IsWritten() || m.Class.V != "" && model.SimpleClass(m.Class.V) != "McastService" {
		return
	}
	value := strings.TrimSpace(m.Address.V)
	f := lint.Finding{At: m.Address.Span, Subject: m}
	if value == "" {
		f.Message = "Membership address \"\" is not a multicast address (224.0.0.0-239.255.255.255, ff00::/8), it is blank; Tomcat does not start"
		if e, ok := removeAttribute(m.Address.Span, "address"); ok {
			f.Fixes = []diag.Fix{{Message: "remove the attribute: the default is 228.0.0.4", Safe: true, Edits: []diag.Edit{e}}}
		}
		p.Report(f)
		return
	}
	a, err := netip.ParseAddr(value)
	switch {
	case err != nil:
		return
	case !a.IsMulticast():
		f.Message = fmt.Sprintf("Membership address `%s` is not a multicast address (224.0.0.0-239.255.255.255, ff00::/8); Tomcat does not start", value)
	case linkLocalMulticast.Contains(a):
		f.Severity = diag.Warning
		f.Message = fmt.Sprintf("Membership address `%s` is in 224.0.0.0/24, which is reserved for the link and never forwarded; choose one from 228.0.0.0/8 or 239.0.0.0/8", value)
	default:
		return
	}
	p.Report(f)
}

// removeAttribute deletes an attribute, whose place is given, with the blanks in
// front of it.
func removeAttribute(at diag.Span, name string) (diag.Edit, bool) {
	if !strings.HasPrefix(at.Text(), name) {
		return diag.Edit{}, false
	}
	start := int(at.Start)
	for start > 0 && strings.IndexByte(" \t\r\n", at.File.Data[start-1]) >= 0 {
		start--
	}
	return diag.Edit{Span: diag.At(at.File, start, int(at.End))}, true
}

// clusters returns all clusters of a node: of its engines and their hosts.
func clusters(n *model.Node) []*model.Cluster {
	var out []*model.Cluster
	for _, s := range n.Services {
		if s.Engine == nil {
			continue
		}
		if s.Engine.Cluster != nil {
			out = append(out, s.Engine.Cluster)
		}
		for _, h := range s.Engine.Hosts {
			if h.Cluster != nil {
				out = append(out, h.Cluster)
			}
		}
	}
	return out
}
