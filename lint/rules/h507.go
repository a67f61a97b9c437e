package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var allowListWithoutDeny = &lint.Rule{
	ID: "H507", Name: "allow-list-without-deny", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Access, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "Order deny,allow with a list of allowed hosts, but no Deny that can match.",
		Why:  "With this order everybody is let in whom no Deny names. `Deny from none` means a host called none. The allow list changes nothing, and the page is open to all.",
		Fix:  "Write Deny from all in front of the list, or Require with the list in httpd 2.4.",
		Bad: `<Location "/balancer-manager">
    SetHandler balancer-manager
    Order deny,allow
    Deny from none
    Allow from localhost
</Location>`,
		Good: `<Location "/balancer-manager">
    SetHandler balancer-manager
    Order deny,allow
    Deny from all
    Allow from localhost
</Location>`,
		Notes:  "A warning for <Proxy> sections of a pure reverse proxy. Silent with Allow from all or env=, with Satisfy any and a login, and when a Require in the section restricts access.",
		Source: "mod_access_compat, Order. Tried with httpd 2.4.71: Deny from none plus a foreign allow list serves the page with 200.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range p.Servers() {
			for _, sec := range sv.Sections {
				if a := sec.Settings.Access; a != nil && listWithoutDeny(a) {
					reportAllowList(p, sv, sec, a)
				}
			}
		}
		checkOtherSections(p)
	},
}

func listWithoutDeny(a *model.Access) bool {
	order := strings.ToLower(strings.ReplaceAll(a.Order.V, " ", ""))
	if order != "" && order != "deny,allow" || len(a.Allow) == 0 || effectiveDeny(a) {
		return false
	}
	for _, v := range a.Allow {
		if strings.EqualFold(v.V, "all") || strings.HasPrefix(strings.ToLower(v.V), "env=") {
			return false
		}
	}
	if a.Require != nil && !requireOpen(a.Require) && !strings.EqualFold(a.Satisfy.V, "any") {
		return false
	}
	return !strings.EqualFold(a.Satisfy.V, "any") || !a.AuthType.IsWritten()
}

// checkOtherSections looks at the sections that the model does not hold:
// Directory, Files and alike.
func checkOtherSections(p *lint.Pass) {
	for _, a := range areas(p) {
		if len(a.old) == 0 || strings.HasPrefix(a.kind, "location") || strings.HasPrefix(a.kind, "proxy") || a.owner == nil {
			continue
		}
		x := a.access
		for _, n := range a.owner.Children {
			switch {
			case n.Is("Satisfy"):
				x.Satisfy = model.Is(n.Arg(0), n.Span)
			case n.Is("AuthType"):
				x.AuthType = model.Is(n.Arg(0), n.Span)
			}
		}
		if listWithoutDeny(&x) && (len(a.new) == 0 || a.open) {
			f := allowListFinding(&x)
			f.At, f.Subject = directiveSpan(a.at()), a.owner
			p.Report(f)
		}
	}
}

func reportAllowList(p *lint.Pass, sv lint.Server, sec *model.Section, a *model.Access) {
	f := allowListFinding(a)
	f.Subject = sec
	if strings.HasPrefix(sec.Kind.V, "Proxy") && !forwardProxy(sv) {
		f.Severity = diag.Warning
	}
	p.Report(f)
}

func allowListFinding(a *model.Access) lint.Finding {
	var hosts []string
	for _, v := range a.Allow {
		hosts = append(hosts, v.V)
	}
	list, deny := strings.Join(hosts, " "), "there is none"
	if len(a.Deny) > 0 {
		deny = "`Deny from none` names a host called none"
	}
	require := "Require ip …"
	if len(hosts) == 1 && (strings.EqualFold(hosts[0], "localhost") || hosts[0] == "127.0.0.1") {
		require = "Require local"
	}
	f := lint.Finding{
		At:      directiveOf(a.Order.Span),
		Message: fmt.Sprintf("`Order deny,allow` lets everybody in unless a Deny matches, and %s; so `Allow from %s` changes nothing; write `Deny from all` (2.4: `%s`)", deny, list, require),
	}
	if !f.At.IsValid() {
		f.At = directiveOf(a.Allow[0].Span)
	}
	fix := diag.Fix{Message: "deny everybody who is not in the list"}
	if len(a.Deny) == 1 && a.Deny[0].Span.IsValid() {
		fix.Edits = []diag.Edit{{Span: a.Deny[0].Span, New: "all"}}
	} else if len(a.Deny) == 0 {
		fix.Edits = []diag.Edit{lineBefore(a.Allow[0].Span, "Deny from all")}
	}
	if fix.Edits != nil {
		f.Fixes = []diag.Fix{fix}
	}
	return f
}

// forwardProxy reports whether the server takes forward requests; httpd's default is not to.
func forwardProxy(sv lint.Server) bool {
	if sv.ProxyRequests.IsWritten() || sv.FrontEnd.Main == nil {
		return sv.ProxyRequests.V
	}
	return sv.FrontEnd.Main.ProxyRequests.V
}
