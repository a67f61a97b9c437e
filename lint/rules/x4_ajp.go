package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// secretSince is the first httpd whose mod_proxy_ajp can send a secret.
const secretSince = "2.4.42"

// ajpLinks returns the links of AJP members that lead to an AJP connector.
func ajpLinks(p *lint.Pass) []model.Link {
	var out []model.Link
	for _, l := range distinctLinks(p) {
		if l.Scheme == "ajp" && l.Connector.Kind() == "ajp" {
			out = append(out, l)
		}
	}
	return out
}

// distinctLinks returns the links that lead to a connector, one for each place:
// the same line makes many members when a macro or mod_jk's virtual hosts repeat it.
func distinctLinks(p *lint.Pass) []model.Link {
	type key struct {
		at        diag.Span
		connector *model.Connector
	}
	var out []model.Link
	seen := map[key]bool{}
	for _, l := range p.Links() {
		if k := (key{l.Member.At, l.Connector}); l.Connector != nil && !seen[k] {
			seen[k] = true
			out = append(out, l)
		}
	}
	return out
}

// connectorSecret returns the secret that the connector asks for and the place
// where it is asked for. Tomcat compares it even with secretRequired="false"
// (AjpProcessor.prepareRequest). The old name requiredSecret counts up to 9.0.
func connectorSecret(p *lint.Pass, l *model.Link) (string, diag.Span) {
	c := l.Connector
	if strings.TrimSpace(c.Secret.V) != "" {
		return c.Secret.V, c.Secret.Span
	}
	if a := extraAttr(c.Extra, "requiredSecret"); a != nil && a.Value.V != "" {
		if version, declared := p.TomcatVersion(l.Node); declared && !lint.AtLeast(version, "10") {
			return a.Value.V, a.At
		}
	}
	return "", diag.Span{}
}

// cannotSend reports whether the httpd of the link is known to be too old to
// send a secret; mod_jk always could.
func cannotSend(p *lint.Pass, l *model.Link) (version string, too bool) {
	version, sure := p.HTTPDVersion(l.FrontEnd)
	return version, sure && !lint.AtLeast(version, secretSince) && !ofModJK(l.Member) && !p.Features["ajp-secret"]
}

// ofModJK reports whether the member is a worker of mod_jk.
func ofModJK(m *model.Member) bool {
	text := strings.ToLower(strings.TrimSpace(m.At.Head().Text()))
	return strings.HasPrefix(text, "worker.") || strings.HasPrefix(text, "jk")
}

// memberPlace is the line of the member, from its first letter.
func memberPlace(m *model.Member) diag.Span { return m.At.Head() }
