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

var accessCompatMissing = &lint.Rule{
	ID: "H106", Name: "access-compat-missing", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Modules, Fixable: true,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What: "Order, Allow, Deny or Satisfy is used, and mod_access_compat is not loaded.",
		Why:  "These directives of httpd 2.2 are in a module of their own in 2.4. Without it httpd refuses to start: \"Invalid command 'Order'\".",
		Fix:  "Write Require, or load mod_access_compat until the files are converted.",
		Bad: `LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_host_module modules/mod_authz_host.so
<Location "/balancer-manager">
    Order deny,allow
    Deny from all
    Allow from 127.0.0.1
</Location>`,
		Good: `LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_host_module modules/mod_authz_host.so
<Location "/balancer-manager">
    Require ip 127.0.0.1
</Location>`,
		Notes:  "One finding per file, in place of H003 and H506. Only when the files hold LoadModule lines. The fix converts the file when each block in it has one of the shapes of the upgrade guide; a block that also has Require, Satisfy or env= is left to you. A warning while nothing shows that the files are for 2.4, or when an Include could not be read.",
		Source: "httpd manual, Upgrading to 2.4 from 2.2, \"Access control\". Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		h1Lines(p, false, func(fe *model.FrontEnd, nodes []*httpd.Node) {
			version, sure := p.HTTPDVersion(fe)
			if fe.HasModule("access_compat_module") || !p.Rule.Versions.HTTPD.Contains(version) {
				return
			}
			byFile := map[*diag.File][]*httpd.Node{}
			var files []*diag.File
			for _, n := range nodes {
				if n.Kind == httpd.Directive && (n.Is("Order") || n.Is("Allow") || n.Is("Deny") || n.Is("Satisfy")) {
					if byFile[n.Span.File] == nil {
						files = append(files, n.Span.File)
					}
					byFile[n.Span.File] = append(byFile[n.Span.File], n)
				}
			}
			for _, file := range files {
				f := h1OldAccess(byFile[file])
				f.Subject = file
				h1Absent(p, fe, &f)
				if !sure {
					lint.Undeclared(&f, "httpd")
				}
				p.Report(f)
			}
		})
	},
}

// h1OldAccess makes the finding about the lines of one file.
func h1OldAccess(lines []*httpd.Node) lint.Finding {
	f := lint.Finding{At: lines[0].Span.Head()}
	blocks := map[*httpd.Node][]*httpd.Node{}
	var parents []*httpd.Node
	for _, n := range lines {
		if blocks[n.Parent] == nil {
			parents = append(parents, n.Parent)
		}
		blocks[n.Parent] = append(blocks[n.Parent], n)
	}
	write := "Require …"
	fix := diag.Fix{Message: "write Require", Safe: true}
	complete := true
	done := map[diag.Span]bool{}
	for i, parent := range parents {
		require, ok := h1Require(parent, blocks[parent])
		if i == 0 && ok {
			write = strings.Join(require, "`, `")
		}
		complete = complete && ok && parent != nil
		for k, n := range blocks[parent] {
			if done[n.Span] {
				complete = false // two blocks out of one text: a macro or a file that is read twice
				continue
			}
			done[n.Span] = true
			if k > 0 {
				fix.Edits = append(fix.Edits, h2DeleteLines(n.Span))
				continue
			}
			fix.Edits = append(fix.Edits, h1Replace(n.Span, require))
		}
	}
	if complete {
		f.Fixes = []diag.Fix{fix}
	}
	f.Message = fmt.Sprintf("`%s` is httpd 2.2 access control and mod_access_compat is not loaded; write `%s`", lines[0].Name, write)
	return f
}

// h1Replace writes lines in the place of a directive.
func h1Replace(at diag.Span, lines []string) diag.Edit {
	text := at.Text()
	start := int(at.Start) + len(text) - len(strings.TrimLeft(text, " \t"))
	end := int(at.Start) + len(strings.TrimRight(text, " \t\r\n"))
	return diag.Edit{Span: diag.At(at.File, start, end), New: strings.Join(lines, eol(at.File)+indentOf(at.File, at.Start))}
}

// h1Require translates the lines of one block, false when it has not one of the
// plain shapes: all denied, all granted, a list.
func h1Require(parent *httpd.Node, lines []*httpd.Node) ([]string, bool) {
	if parent != nil {
		for _, c := range parent.Children {
			if c.Is("Require") || c.Is("AuthType") || c.Kind == httpd.Section && strings.HasPrefix(strings.ToLower(c.Name), "require") {
				return nil, false
			}
		}
	}
	order, allow, deny := "deny,allow", []string(nil), []string(nil)
	for _, n := range lines {
		switch {
		case strings.Contains(n.Span.Text(), "${"), n.Is("Satisfy"):
			return nil, false
		case n.Is("Order"):
			order = strings.ToLower(n.Arg(0))
		case !strings.EqualFold(n.Arg(0), "from"):
			return nil, false
		default:
			for _, a := range n.Args[1:] {
				if n.Is("Allow") {
					allow = append(allow, strings.ToLower(a.Text))
				} else {
					deny = append(deny, strings.ToLower(a.Text))
				}
			}
		}
	}
	allowAll, denyAll := len(allow) == 1 && allow[0] == "all", len(deny) == 1 && deny[0] == "all"
	switch {
	case order == "deny,allow" && (allowAll || len(deny) == 0 && len(allow) == 0),
		order == "allow,deny" && allowAll && len(deny) == 0:
		return []string{"Require all granted"}, true
	case denyAll && (len(allow) == 0 || order == "allow,deny"),
		order == "allow,deny" && len(allow) == 0:
		return []string{"Require all denied"}, true
	case order == "deny,allow" && denyAll, order == "allow,deny" && len(deny) == 0, order == "mutual-failure" && len(deny) == 0:
		return h1RequireList(allow)
	}
	return nil, false
}

// h1RequireList writes the hosts of an Allow list.
func h1RequireList(hosts []string) ([]string, bool) {
	var ips, names []string
	for _, h := range hosts {
		switch _, err := netip.ParseAddr(h); {
		case h == "all" || strings.HasPrefix(h, "env="):
			return nil, false
		case err == nil, strings.Trim(h, "0123456789./") == "", strings.Contains(h, "/"):
			ips = append(ips, strings.TrimSuffix(h, "."))
		default:
			names = append(names, h)
		}
	}
	if len(ips) == 0 && len(names) == 1 && names[0] == "localhost" {
		return []string{"Require local"}, true
	}
	var out []string
	if len(ips) > 0 {
		out = append(out, "Require ip "+strings.Join(ips, " "))
	}
	if len(names) > 0 {
		out = append(out, "Require host "+strings.Join(names, " "))
	}
	return out, len(out) > 0
}
