package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var forwardedHeaderName = &lint.Rule{
	ID: "X503", Name: "forwarded-header-name", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What:   "RemoteIpValve reads another header, or waits for another word in it, than httpd sets.",
		Why:    "The valve finds nothing, and Tomcat goes on as if there were no TLS, or logs the address of httpd for every client.",
		Fix:    "Write one name on both sides; case does not matter.",
		Bad:    tlsExample(httpsHeader, "", fmt.Sprintf(remoteIP, `protocolHeader="X-Forwarded-Protocol"`)),
		Good:   tlsExample(httpsHeader, "", fmt.Sprintf(remoteIP, `protocolHeader="x-forwarded-proto"`)),
		Notes:  "protocolHeader and protocolHeaderHttpsValue are compared in virtual hosts with TLS, remoteIpHeader wherever httpd speaks HTTP: mod_proxy sends X-Forwarded-For by itself, and headers of well-known content networks may come from the client's side. When httpd sets no header about the scheme at all, X501 speaks.",
		Source: "RemoteIpValve reference, protocolHeader, protocolHeaderHttpsValue, remoteIpHeader; mod_proxy, \"Reverse Proxy Request Headers\".",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 {
			return
		}
		uses, valves := usesOf(p), remoteIPs{}
		said := map[diag.Span]bool{}
		for i := range uses {
			u := &uses[i]
			for j := range u.links {
				l := &u.links[j]
				if !overHTTP(l) {
					continue
				}
				list := valves.of(l.Node)
				for _, f := range append(schemeMismatch(u, l, list), addressMismatch(u, l, list)...) {
					if said[f.At] {
						continue
					}
					said[f.At] = true
					weaken(&f, l.By)
					p.Report(f)
				}
			}
		}
	},
}

// schemeMismatch compares what the valves wait for with what httpd sets about
// the scheme. One valve that understands it is enough.
func schemeMismatch(u *use, l *model.Link, valves []*model.Component) []lint.Finding {
	if !u.tls || len(valves) == 0 {
		return nil
	}
	t := toldTLS(u, l, valves)
	if t.ok || !t.mismatch {
		return nil
	}
	var out []lint.Finding
	for _, v := range valves {
		name, at, written := valveValue(v, "protocolHeader", protocolHeader)
		f := lint.Finding{
			At: at, Subject: v,
			Related: []diag.Related{lint.Related(t.header.At.Head(), "httpd sets this header")},
			Message: fmt.Sprintf("RemoteIpValve reads `%s`, httpd sets `%s` (%s); the scheme is not taken over", name, t.header.Name.V, t.header.At.Short()),
		}
		word := schemeWord(t.header)
		if strings.EqualFold(name, t.header.Name.V) {
			f.Message = schemeValueMessage(&f, v, t.header)
		} else if written && (word == "https" || word == "*") && v.Attribute("protocolHeaderHttpsValue") == nil {
			f.Fixes = []diag.Fix{{Message: "read " + t.header.Name.V, Safe: true, Edits: []diag.Edit{{Span: valueOf(at), New: t.header.Name.V}}}}
		}
		out = append(out, f)
	}
	return out
}

// schemeValueMessage is about a header of the right name with another word.
func schemeValueMessage(f *lint.Finding, v *model.Component, h *model.HeaderRule) string {
	word, at, written := valveValue(v, "protocolHeaderHttpsValue", "https")
	if written {
		f.At = at
		if w := schemeWord(h); w == "https" {
			f.Fixes = []diag.Fix{{Message: "wait for " + w, Safe: true, Edits: []diag.Edit{{Span: valueOf(at), New: w}}}}
		}
	}
	return fmt.Sprintf("RemoteIpValve takes `%s` for TLS when it is `%s`, but httpd sets it to `%s` (%s); the scheme is not taken over", h.Name.V, word, h.Value.V, h.At.Short())
}

// outside are headers with the client's address that networks in front of httpd
// add; httpd passes them on.
var outside = []string{"cf-connecting-ip", "true-client-ip", "fastly-client-ip", "x-azure-clientip", "x-azure-socketip", "incap-client-ip",
	"x-appengine-user-ip", "fly-client-ip", "x-envoy-external-address", "x-original-forwarded-for", "x-sucuri-clientip", "x-akamai"}

func addressMismatch(u *use, l *model.Link, valves []*model.Component) []lint.Finding {
	var out []lint.Finding
	for _, v := range valves {
		name, at, written := valveValue(v, "remoteIpHeader", remoteIPHeader)
		key := strings.ToLower(name)
		if !written || unknown(name) || strings.EqualFold(name, remoteIPHeader) || u.requestHeaders()[key] != nil || hasWordPrefix(outside, key) {
			continue
		}
		f := lint.Finding{
			At: at, Subject: v,
			Message: fmt.Sprintf("RemoteIpValve reads the client's address from `%s`, httpd sends `%s` (%s); Tomcat goes on with the address of httpd", name, remoteIPHeader, u.at.Short()),
			Related: []diag.Related{lint.Related(u.at.Head(), "requests come through here")},
			Fixes:   []diag.Fix{{Message: "read " + remoteIPHeader, Safe: true, Edits: []diag.Edit{{Span: valueOf(at), New: remoteIPHeader}}}},
		}
		out = append(out, f)
	}
	return out
}

func hasWordPrefix(list []string, word string) bool {
	for _, w := range list {
		if strings.HasPrefix(word, w) {
			return true
		}
	}
	return false
}
