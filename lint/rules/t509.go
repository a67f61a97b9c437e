package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
)

// Bounds of an AJP packet in bytes: the size that both sides take without any
// setting, and the most that its length field and httpd allow.
const (
	ajpPacketMin = 8192
	ajpPacketMax = 65536
)

var packetSizeOutOfRange = &lint.Rule{
	ID: "T509", Name: "packetsize-out-of-range", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "packetSize of an AJP connector is below 8192 or above 65536 bytes.",
		Why:  "A smaller value is not used, 8192 is the least. A larger one does not fit the two bytes in which a packet carries its length; httpd does not send more than 65536.",
		Fix:  "Write a value from 8192 to 65536, and the same as ProxyIOBufferSize or max_packet_size on the other side.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" secret="a-long-word" packetSize="131072"/>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" secret="a-long-word" packetSize="65536"/>
</Service></Server>`,
		Notes:  "Only for AJP; what is no number is T006's.",
		Source: "AJP connector reference, packetSize; AbstractAjpProtocol.setPacketSize. Tomcat 10.1.60 starts with 131072 without a message.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			for _, c := range n.Connectors() {
				if c.Kind() != "ajp" || !c.PacketSize.IsWritten() {
					continue
				}
				what := ""
				switch size := c.PacketSize.V; {
				case size > ajpPacketMax:
					what = "more than 65536 bytes do not fit into an AJP packet; write 65536"
				case size < ajpPacketMin:
					what = "less than 8192 bytes is ignored, Tomcat uses 8192"
				default:
					continue
				}
				p.Report(lint.Finding{At: c.PacketSize.Span, Subject: c, Message: fmt.Sprintf("packetSize=\"%d\": %s", c.PacketSize.V, what)})
			}
		}
	},
}
