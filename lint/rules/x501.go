package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

const httpNode = `-- s1/server.xml --
<Server port="-1"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"%s/>
  <Engine name="Catalina" defaultHost="localhost">%s
    <Host name="localhost" appBase="webapps"/>
  </Engine>
</Service></Server>
`

const remoteIP = "\n    <Valve className=\"org.apache.catalina.valves.RemoteIpValve\" %s/>"

// tlsExample is a TLS virtual host in front of one Tomcat that speaks HTTP.
func tlsExample(header, connector, valve string) string {
	if header != "" {
		header = "    " + header + "\n"
	}
	return "-- httpd.conf --\n<VirtualHost *:443>\n    SSLEngine on\n    ProxyPreserveHost On\n" + header +
		"    ProxyPass \"/app\" \"http://10.0.0.11:8080/app\"\n</VirtualHost>\n" + fmt.Sprintf(httpNode, connector, valve)
}

const httpsHeader = `RequestHeader set X-Forwarded-Proto "https"`

var tlsUnknownToTomcat = &lint.Rule{
	ID: "X501", Name: "tls-unknown-to-tomcat", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What:   "httpd ends TLS and speaks plain HTTP to a Tomcat that cannot know it.",
		Why:    "Applications build their redirects and links with http://, and session cookies lack Secure.",
		Fix:    "Let httpd set X-Forwarded-Proto and add RemoteIpValve to the Engine, or give the connector scheme=\"https\" secure=\"true\" proxyPort=\"443\".",
		Bad:    tlsExample(httpsHeader, "", ""),
		Good:   tlsExample(httpsHeader, "", fmt.Sprintf(remoteIP, `protocolHeader="X-Forwarded-Proto"`)),
		Notes:  "Silent for members by AJP (which carries it) and https, for connectors that name a scheme, with a filter such as RemoteIpFilter in a web.xml of the setup or features = [\"forwarded-by-app\"] in [lint] of clowder.toml, and for nodes about which X503 or X505 speaks. One finding for each balancer; H406 is silent then. The fix is offered when no plain virtual host uses the node.",
		Source: "Tomcat proxy how-to; RemoteIpValve and HTTP connector references, scheme, secure, proxyPort.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 || proxyFilter(p) {
			return
		}
		uses, valves := usesOf(p), remoteIPs{}
		loops := map[*model.Node]bool{}
		for _, c := range confidentialLoops(uses, valves) {
			loops[c.link.Node] = true
		}
		plain := plainConnectors(uses)
		said := map[any]bool{}
		for i := range uses {
			u := &uses[i]
			if !u.tls {
				continue
			}
			var blind []blindLink
			for j := range u.links {
				l := &u.links[j]
				if !overHTTP(l) || loops[l.Node] {
					continue
				}
				if t := toldTLS(u, l, valves.of(l.Node)); !t.ok && !t.mismatch {
					blind = append(blind, blindLink{l, t})
				}
			}
			if len(blind) == 0 {
				continue
			}
			var key any = blind[0].Connector
			if u.balancer != nil {
				key = u.balancer
			}
			if !said[key] {
				said[key] = true
				reportBlind(p, u, blind, plain)
			}
		}
	},
}

// blindLink is a link whose node cannot know about TLS.
type blindLink struct {
	*model.Link
	told
}

// plainConnectors returns the connectors that sites without TLS use.
func plainConnectors(uses []use) map[*model.Connector]bool {
	out := map[*model.Connector]bool{}
	for i := range uses {
		if !uses[i].tls && !uses[i].redirect {
			for _, l := range uses[i].links {
				out[l.Connector] = true
			}
		}
	}
	return out
}

func reportBlind(p *lint.Pass, u *use, blind []blindLink, plain map[*model.Connector]bool) {
	first := blind[0]
	todo := "set X-Forwarded-Proto and add RemoteIpValve, or give the connector scheme=\"https\" secure=\"true\" proxyPort=\"443\""
	switch {
	case first.header != nil:
		todo = fmt.Sprintf("%s is set (%s), but the node has no RemoteIpValve to take it over", first.header.Name.V, first.header.At.Short())
	case first.valve != nil:
		name, at, _ := valveValue(first.valve, "protocolHeader", protocolHeader)
		todo = fmt.Sprintf("its RemoteIpValve (%s) waits for the header %s, which httpd does not set here", at.Short(), name)
	}
	at := u.at.Head()
	if first.Balancer != nil && first.Server == u.owner {
		at = first.Member.At.Head() // the half that is nearest to the node
	}
	f := lint.Finding{
		At: at, Lower: absence(p),
		Message: fmt.Sprintf("TLS ends at httpd, but %s (%s) cannot know: redirects go to http:// and session cookies lack Secure; %s", first.Node.Name.V, first.Connector.At.Short(), todo),
	}
	if u.mapping != nil {
		f.Subject = u.mapping
	}
	for _, b := range blind {
		f.Related = append(f.Related, lint.Related(b.Connector.At.Head(), "the connector of "+b.Node.Name.V))
	}
	if u.owner != u.Server.Server {
		f.Related = append(f.Related, lint.Related(u.Server.At.Head(), "the virtual host with TLS"))
	}
	if by := linkEvidence(u.links); by.Confidence() < diag.Certain {
		f.Lower++
	}
	f.Fixes = forwardFix(p, u, blind, plain)
	p.Report(f)
}

// forwardFix is both halves: the header in the virtual host and the valve in the
// Engines. It is offered when nobody reaches the nodes without TLS.
func forwardFix(p *lint.Pass, u *use, blind []blindLink, plain map[*model.Connector]bool) []diag.Fix {
	if u.owner != u.Server.Server || untrustedAddress(u.FrontEnd.Host.V) || ofModJK(&model.Member{At: u.at}) {
		return nil
	}
	var edits []diag.Edit
	name, done := protocolHeader, map[*model.Node]bool{}
	for _, b := range blind {
		if b.valve != nil {
			name, _, _ = valveValue(b.valve, "protocolHeader", protocolHeader)
		} else if b.header != nil {
			name = b.header.Name.V
			if schemeWord(b.header) != "https" && schemeWord(b.header) != "*" {
				return nil
			}
		}
	}
	for _, b := range blind {
		if plain[b.Connector] || name == "" {
			return nil
		}
		if b.valve != nil || done[b.Node] {
			continue
		}
		done[b.Node] = true
		e, ok := firstChild(b.Node.Engine().At, fmt.Sprintf(`<Valve className="org.apache.catalina.valves.RemoteIpValve" protocolHeader="%s"/>`, name))
		if !ok {
			return nil
		}
		edits = append(edits, e)
	}
	if blind[0].header == nil {
		if len(u.FrontEnd.Modules) > 0 && !u.FrontEnd.HasModule("headers_module") {
			return nil
		}
		edits = append([]diag.Edit{lineBefore(u.at, "RequestHeader set "+name+` "https"`)}, edits...)
	}
	return []diag.Fix{{Message: "tell Tomcat about TLS", Safe: true, Edits: edits}}
}

// firstChild inserts an element as the first child behind a start tag, on a line
// of its own when the tag ends its line.
func firstChild(tag diag.Span, element string) (diag.Edit, bool) {
	if !tag.IsValid() {
		return diag.Edit{}, false
	}
	text := tag.Text()
	end := tagEnd(text)
	if end < 1 || text[end-1] == '/' {
		return diag.Edit{}, false
	}
	f, pos := tag.File, int(tag.Start)+end+1
	line := f.Line(pos - 1)
	next := f.LineStart(line + 1)
	if pos > next || strings.TrimSpace(string(f.Data[pos:next])) != "" {
		return diag.Edit{Span: diag.At(f, pos, pos), New: element}, true
	}
	indent := indentOf(f, tag.Start) + "  "
	if below := f.LineText(line + 1); strings.HasPrefix(strings.TrimLeft(below, " \t"), "<") && !strings.HasPrefix(strings.TrimLeft(below, " \t"), "</") {
		indent = below[:len(below)-len(strings.TrimLeft(below, " \t"))]
	}
	return diag.Edit{Span: diag.At(f, pos, pos), New: eol(f) + indent + element}, true
}
