package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var packetSizeMismatch = &lint.Rule{
	ID: "X604", Name: "packetsize-mismatch", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What:   "httpd and Tomcat have different sizes of AJP packets.",
		Why:    "A request whose headers need a larger packet than Tomcat takes breaks the connection: users with large cookies get an error.",
		Fix:    "Write the value of ProxyIOBufferSize as packetSize of every connector.",
		Bad:    "-- httpd.conf --\nProxyIOBufferSize 65536\nProxyPass \"/app\" \"ajp://10.0.0.11:8009/app\" secret=a-long-word\n" + fmt.Sprintf(ajpNode, `secret="a-long-word"`),
		Good:   "-- httpd.conf --\nProxyIOBufferSize 65536\nProxyPass \"/app\" \"ajp://10.0.0.11:8009/app\" secret=a-long-word\n" + fmt.Sprintf(ajpNode, `secret="a-long-word" packetSize="65536"`),
		Notes:  "8192 is the default and the least on both sides. A larger packetSize than httpd's is a warning: only answers of Tomcat can grow. iobuffersize= of a member counts before ProxyIOBufferSize, but not up to httpd 2.4.63; max_packet_size of mod_jk counts.",
		Source: "mod_proxy, ProxyIOBufferSize; ap_proxy_ajp_request in modules/proxy/mod_proxy_ajp.c; AbstractAjpProtocol.setPacketSize. Tried with httpd 2.4.71 and Tomcat 10.1: a header of 12000 bytes passes with 65536 on both sides (or on the member) and fails with 8192 on one.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 {
			return
		}
		var order []*packetClash
		found := map[diag.Span]*packetClash{}
		uses := usesOf(p)
		for i := range uses {
			u := &uses[i]
			for j := range u.links {
				l := &u.links[j]
				if l.Scheme != "ajp" || l.Connector.Kind() != "ajp" {
					continue
				}
				size, at := packetSize(p, u, l)
				tomcat := max(8192, l.Connector.PacketSize.Or(8192))
				if size == tomcat {
					continue
				}
				where := at
				if l.Connector.PacketSize.IsWritten() || !at.IsValid() {
					where = l.Connector.PacketSize.Span
				}
				c := found[where]
				if c == nil {
					c = &packetClash{at: where, httpd: size, tomcat: tomcat, from: at, link: l, use: u}
					found[where] = c
					order = append(order, c)
				}
				c.add(l.Node, l.Connector)
			}
		}
		for _, c := range order {
			c.report(p)
		}
	},
}

// packetSize returns the size of httpd's AJP packets and the place that says so.
// The mod_proxy_ajp.c of 2.4.63 does not look at the member's.
func packetSize(p *lint.Pass, u *use, l *model.Link) (int, diag.Span) {
	v := l.Member.IOBufferSize
	at := v.Span
	if version, sure := p.HTTPDVersion(u.FrontEnd); sure && !lint.AtLeast(version, "2.4.64") {
		v = model.Int{}
	}
	if ofModJK(l.Member) {
		v = l.Member.IOBufferSize
	} else if !v.IsWritten() {
		v = u.IOBufferSize
		if main := u.FrontEnd.Main; !v.IsWritten() && main != nil {
			v = main.IOBufferSize
		}
		at = directiveOf(v.Span)
	}
	if !v.IsWritten() {
		return 8192, diag.Span{}
	}
	n := min(max(v.V, 8192), 65536)
	return (n + 1023) / 1024 * 1024, at
}

// packetClash is one place whose size does not fit the other side.
type packetClash struct {
	at, from      diag.Span
	httpd, tomcat int
	link          *model.Link
	use           *use
	nodes         []*model.Node
	connectors    []*model.Connector
}

func (c *packetClash) add(n *model.Node, k *model.Connector) {
	for _, x := range c.connectors {
		if x == k {
			return
		}
	}
	c.nodes, c.connectors = append(c.nodes, n), append(c.connectors, k)
}

func (c *packetClash) report(p *lint.Pass) {
	f := lint.Finding{
		At: c.at, Subject: c.connectors[0],
		Message: fmt.Sprintf("AJP packet size is %d in httpd (ProxyIOBufferSize) and %d on %s (%s); large headers break the connection; use one value",
			c.httpd, c.tomcat, c.nodes[0].Name.V, c.connectors[0].At.Short()),
	}
	var edits []diag.Edit
	for i, k := range c.connectors {
		if !k.PacketSize.IsWritten() {
			f.Related = append(f.Related, lint.Related(k.At.Head(), c.nodes[i].Name.V+" has the default of 8192"))
			if e, ok := addAttribute(k.At, fmt.Sprintf(`packetSize="%d"`, c.httpd)); ok {
				edits = append(edits, e)
			}
			continue
		}
		edits = append(edits, diag.Edit{Span: valueOf(k.PacketSize.Span), New: fmt.Sprint(c.httpd)})
		if c.from.IsValid() {
			f.Related = append(f.Related, lint.Related(c.from, "the size of httpd"))
		} else {
			f.Related = append(f.Related, lint.Related(c.link.Member.At.Head(), "httpd has the default of 8192"))
		}
	}
	if len(edits) == len(c.connectors) {
		f.Fixes = []diag.Fix{{Message: fmt.Sprintf("write packetSize %d", c.httpd), Safe: c.tomcat < c.httpd, Edits: edits}}
	}
	if c.tomcat > c.httpd {
		f.Severity = diag.Warning
		f.Message = fmt.Sprintf("AJP packet size is %d on %s and %d in httpd (ProxyIOBufferSize): answers with larger headers end in an error; use one value", c.tomcat, c.nodes[0].Name.V, c.httpd)
	}
	weaken(&f, c.link.By)
	p.Report(f)
}
