package rules

import (
	"fmt"
	"net/netip"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
)

var clusterOnPublicAddress = &lint.Rule{
	ID: "T306", Name: "cluster-on-public-address", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "The Receiver of a cluster listens on a public address and the channel has no EncryptInterceptor.",
		Why:  "The receiver unpacks Java objects from anyone who connects: whoever reaches the port can put sessions, and worse, into the server.",
		Fix:  "Bind the Receiver to a private address. When the nodes must talk over a public network, add EncryptInterceptor in front of TcpFailureDetector and close the port in the firewall for all but the nodes.",
		Bad: inEngine(exampleCluster, exampleChannel,
			`    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="203.0.113.10" port="4000"/>`,
			"  </Channel>", "</Cluster>"),
		Good: inEngine(exampleCluster, exampleChannel,
			`    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.11" port="4000"/>`,
			"  </Channel>", "</Cluster>"),
		Notes:  "Addresses that are private (RFC 1918, RFC 6598, ULA), loopback, link-local or unspecified are not reported, host names and auto neither. The stronger form of T305.",
		Source: "Tomcat, Security Considerations, Cluster; Receiver reference, address.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range placedClusters(p) {
			if c.Channel == nil || c.Channel.Receiver == nil || hasInterceptor(c.Cluster, "Encrypt") {
				continue
			}
			r := c.Channel.Receiver
			if !r.Address.IsWritten() || !isPublic(r.Address.V) {
				continue
			}
			p.Report(lint.Finding{
				At: r.At.Head(), Subject: c.Cluster,
				Message: fmt.Sprintf("the Receiver listens on the public address %s without EncryptInterceptor: whoever reaches it can inject serialized sessions; bind it to a private address, or encrypt and close the port for others", strings.TrimSpace(r.Address.V)),
			})
		}
	},
}

var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

// isPublic reports whether a literal address is one that the Internet routes.
func isPublic(s string) bool {
	a, err := netip.ParseAddr(strings.Trim(strings.TrimSpace(s), "[]"))
	if err != nil {
		return false
	}
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !sharedAddresses.Contains(a)
}
