package rules

import (
	"fmt"
	"net/netip"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

var legacyAccessControl = &lint.Rule{
	ID: "H506", Name: "legacy-access-control", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Access, Fixable: true,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What: "A section controls access with Order, Allow and Deny only.",
		Why:  "httpd 2.4 has them for old files, through mod_access_compat. They are easily read the wrong way round and do not mix with Require.",
		Fix:  "Write the same with Require.",
		Bad: `LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_host_module modules/mod_authz_host.so
LoadModule access_compat_module modules/mod_access_compat.so
<Location "/status">
    SetHandler server-status
    Order deny,allow
    Deny from all
    Allow from 10.0.0.0/24
</Location>`,
		Good: `LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_host_module modules/mod_authz_host.so
LoadModule access_compat_module modules/mod_access_compat.so
<Location "/status">
    SetHandler server-status
    Require ip 10.0.0.0/24
</Location>`,
		Notes:  "Silent without mod_access_compat (H106), and where Require stands beside it (H505). The fix covers the shapes of the upgrade guide: deny all, allow all, a list of allowed hosts.",
		Source: "Upgrading to 2.4 from 2.2, access control.",
	},
	Check: func(p *lint.Pass) {
		var list []*area
		counts, fixable := map[*model.FrontEnd]int{}, map[*model.FrontEnd]int{}
		for _, a := range areas(p) {
			v, _ := p.HTTPDVersion(a.fe)
			if !p.Rule.Versions.HTTPD.Contains(v) || !compatLoaded(a.fe) || len(a.old) == 0 {
				continue
			}
			counts[a.fe]++
			if len(a.new) > 0 {
				continue
			}
			list = append(list, a)
			if len(requireFor(a)) > 0 && sameParent(a) && canRequire(a.fe) {
				fixable[a.fe]++
			}
		}
		for _, a := range list {
			f := lint.Finding{At: a.at().Span, Subject: a.owner}
			lines := requireFor(a)
			f.Message = "Order/Allow/Deny are kept for old files only; write the same with Require"
			if len(lines) > 0 {
				f.Message = fmt.Sprintf("Order/Allow/Deny are kept for old files only; write `%s`", strings.Join(lines, "`, `"))
			}
			if len(lines) > 0 && sameParent(a) && canRequire(a.fe) {
				// One section alone would mix with the others.
				f.Fixes = []diag.Fix{requireFix(a, lines, counts[a.fe] == fixable[a.fe])}
			}
			p.Report(f)
		}
	},
}

// sameParent reports whether the old directives stand side by side, none of them
// in a <Limit>, and nothing else in the section changes what they mean.
func sameParent(a *area) bool {
	for _, n := range a.old {
		if n.Parent != a.owner || a.owner == nil {
			return false
		}
	}
	for _, n := range a.owner.Children {
		if n.Is("Satisfy") || n.Is("AuthType") {
			return false
		}
	}
	return true
}

// requireFor returns the Require lines that say the same as the old ones, for the
// shapes of the upgrade guide; nil for others.
func requireFor(a *area) []string {
	x := &a.access
	order := strings.ToLower(x.Order.V)
	denyAll := len(x.Deny) == 1 && strings.EqualFold(x.Deny[0].V, "all")
	switch {
	case order == "deny,allow" && denyAll && len(x.Allow) == 0,
		order == "allow,deny" && denyAll && len(x.Allow) == 0:
		return []string{"Require all denied"}
	case len(x.Deny) == 0 && len(x.Allow) == 1 && strings.EqualFold(x.Allow[0].V, "all"):
		return []string{"Require all granted"}
	case order == "allow,deny" && len(x.Deny) == 0 && len(x.Allow) > 0, order == "deny,allow" && denyAll && len(x.Allow) > 0:
		return requireList(x.Allow)
	}
	return nil
}

func requireList(allow []model.String) []string {
	var ips, hosts, out []string
	for _, v := range allow {
		switch {
		case strings.EqualFold(v.V, "all"):
			return []string{"Require all granted"}
		case strings.HasPrefix(strings.ToLower(v.V), "env="):
			if strings.Contains(v.V, "!") {
				return nil
			}
			out = append(out, "Require env "+v.V[len("env="):])
		case isAddress(v.V):
			ips = append(ips, v.V)
		default:
			hosts = append(hosts, v.V)
		}
	}
	if len(ips) > 0 {
		out = append(out, "Require ip "+strings.Join(ips, " "))
	}
	if len(hosts) > 0 {
		out = append(out, "Require host "+strings.Join(hosts, " "))
	}
	return out
}

func isAddress(s string) bool {
	s, _, _ = strings.Cut(s, "/")
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return strings.Trim(s, "0123456789.") == ""
}

// requireFix puts the lines in the place of the first old directive and removes
// the others.
func requireFix(a *area, lines []string, safe bool) diag.Fix {
	fix := diag.Fix{Message: "write it with Require", Safe: safe}
	for i, n := range a.old {
		if i > 0 {
			fix.Edits = append(fix.Edits, deleteLine(n.Span))
			continue
		}
		at := directiveSpan(n)
		fix.Edits = append(fix.Edits, diag.Edit{Span: at, New: strings.Join(lines, eol(at.File)+indentOf(at.File, at.Start))})
	}
	return fix
}

// directiveSpan is the place of a directive without the blanks around it.
func directiveSpan(n *httpd.Node) diag.Span {
	at := n.Span
	text := at.Text()
	at.Start += int32(len(text) - len(strings.TrimLeft(text, " \t")))
	at.End -= int32(len(text) - len(strings.TrimRight(text, " \t\r\n")))
	return at
}
