package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var httpsNotForwarded = &lint.Rule{
	ID: "H406", Name: "https-not-forwarded", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "TLS ends in a virtual host with HTTP backends, and no header tells them so.",
		Why:  "Tomcat takes the request for a plain one: redirects and links go to http://, isSecure() is false, cookies lack Secure, and a CONFIDENTIAL constraint redirects for ever.",
		Fix:  "Set X-Forwarded-Proto here, and add RemoteIpValve in Tomcat.",
		Bad: `<VirtualHost *:443>
    SSLEngine on
    SSLCertificateFile "conf/server.crt"
    ProxyPass "/app" "http://10.0.0.11:8080/app"
    ProxyPassReverse "/app" "http://10.0.0.11:8080/app"
</VirtualHost>`,
		Good: `<VirtualHost *:443>
    SSLEngine on
    SSLCertificateFile "conf/server.crt"
    RequestHeader set X-Forwarded-Proto "https"
    ProxyPass "/app" "http://10.0.0.11:8080/app"
    ProxyPassReverse "/app" "http://10.0.0.11:8080/app"
</VirtualHost>`,
		Notes:  "Any RequestHeader that carries the scheme counts, set, add, setifempty, from an expression or a variable; one with the value http does not. Silent for AJP, which carries it, and https:// backends, and when the files of a Tomcat are given: X501 looks at both sides then. One finding for each server.",
		Source: "Tomcat proxy how-to; RemoteIpValve.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) > 0 {
			return // X501
		}
		ix := newBalancerIndex()
		for _, sv := range proxyServers(p) {
			if !tlsOn(sv) || tellsScheme(sv) {
				continue
			}
			list := passes(sv)
			if inherits(sv) {
				list = append(list, passes(mainOf(sv))...)
			}
			for _, m := range list {
				if b := ix.resolve(sv, m.Target.V); b.any("http", "h2c") {
					reportScheme(p, sv, m)
					break
				}
			}
		}
	},
}

func reportScheme(p *lint.Pass, sv lint.Server, m mapped) {
	f := lint.Finding{
		At: m.At, Subject: m.Mapping, Lower: absence(p),
		Message: "TLS ends in this virtual host, but http:// backends are not told: add `RequestHeader set X-Forwarded-Proto \"https\"` (and RemoteIpValve in Tomcat)",
	}
	tls := sv.TLS
	if tls == nil || !tls.Engine.IsWritten() {
		tls = sv.FrontEnd.Main.TLS
	}
	f.Related = []diag.Related{lint.Related(tls.Engine.Span, "TLS ends here")}
	own := m.At.File == tls.Engine.Span.File && sv.Server.At.Start <= m.At.Start
	if sv.FrontEnd.HasModule("headers_module") && own {
		f.Fixes = []diag.Fix{{Message: "tell the backends", Safe: true, Edits: []diag.Edit{lineBefore(m.place(), `RequestHeader set X-Forwarded-Proto "https"`)}}}
	}
	p.Report(f)
}

// tellsScheme reports whether a request header in force carries the scheme.
func tellsScheme(sv lint.Server) bool {
	for _, s := range settingsOf(sv) {
		for _, h := range s.Headers {
			if h.Request.V && carriesScheme(h) {
				return true
			}
		}
	}
	return false
}

func carriesScheme(h *model.HeaderRule) bool {
	name, value := strings.ToLower(h.Name.V), strings.ToLower(h.Value.V)
	if h.Action.V == "unset" || value == "http" {
		return false
	}
	for _, word := range []string{"proto", "scheme", "https", "ssl"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return name == "forwarded" && strings.Contains(value, "proto") || value == "https" || strings.Contains(value, "request_scheme")
}
