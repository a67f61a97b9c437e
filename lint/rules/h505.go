package rules

import (
	"fmt"
	"regexp"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

var mixedAccessControl = &lint.Rule{
	ID: "H505", Name: "mixed-access-control", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Access,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What: "Order, Allow or Deny and Require apply to the same URLs.",
		Why:  "Both styles are checked, each merged on its own: a Require further in does not lift an outer Deny, and an Allow does not lift a Require. The usual result is 403 for people who were let in, or a list that two places have to know.",
		Fix:  "Write all rules with Require.",
		Bad: `LoadModule access_compat_module modules/mod_access_compat.so
<Location "/">
    Order deny,allow
    Deny from all
</Location>
<Location "/server-status">
    SetHandler server-status
    Require local
</Location>`,
		Good: `LoadModule access_compat_module modules/mod_access_compat.so
<Location "/">
    Require all denied
</Location>
<Location "/server-status">
    SetHandler server-status
    Require local
</Location>`,
		Notes:  "Fires for both styles in one section, for a restricting old-style section around one with Require, and for an old-style section inside of one whose Require restricts. An info when both let everybody in, as files for 2.2 and 2.4 say it. Require with users or groups is not new and does not count. Silent for sections that cannot meet, for outer sections that let everybody in, and without mod_access_compat (H106).",
		Source: "Upgrading to 2.4 from 2.2, access control. Tried with httpd 2.4.71: 403 for localhost in the example of the guide.",
	},
	Check: func(p *lint.Pass) {
		list := areas(p)
		ix := newAreaIndex(list)
		servers := serversByPlace(p)
		said := map[*area]bool{}
		report := func(old, new *area, n *httpd.Node) {
			if !said[old] {
				said[old] = true
				reportMixed(p, old, new, n)
			}
		}
		for _, a := range list {
			if v, _ := p.HTTPDVersion(a.fe); !p.Rule.Versions.HTTPD.Contains(v) || !compatLoaded(a.fe) {
				continue
			}
			switch {
			case len(a.old) > 0 && len(a.new) > 0:
				report(a, a, a.new[0])
			case len(a.new) > 0:
				if old := ix.around(a, true); old != nil && len(old.new) == 0 && !old.limited() && !orderOpen(&old.access) {
					report(old, a, a.new[0])
				} else if old == nil && a.kind == "location" {
					if old := ix.directory(a, servers); old != nil && len(old.new) == 0 && !old.limited() && !orderOpen(&old.access) {
						report(old, a, a.new[0])
					}
				}
			default:
				if outer := ix.around(a, false); !a.limited() && outer != nil && len(outer.old) == 0 && !outer.open {
					report(a, outer, outer.new[0])
				}
			}
		}
	},
}

func reportMixed(p *lint.Pass, old, new *area, require *httpd.Node) {
	at := old.at()
	words := strings.Join(strings.Fields(at.Text()), " ")
	loc := new.name()
	if old != new {
		loc = old.name() + " and " + new.name()
	}
	f := lint.Finding{
		At: at.Span, Subject: old.owner,
		Message: fmt.Sprintf("2.2 style `%s %s` and `Require %s` (%s) both apply to %s; each must let the client in; use Require only", at.Name, words, strings.TrimSpace(require.Text()), require.Span.Short(), loc),
		Related: []diag.Related{lint.Related(require.Span, "the new style")},
	}
	if old == new && old.open && orderOpen(&old.access) {
		f.Severity = diag.Info // everybody is let in, in both languages
	}
	p.Report(f)
}

// areaIndex finds the areas with plain paths by server, kind and path.
type areaIndex map[areaKey]*area

type areaKey struct {
	fe    *model.FrontEnd
	vhost *httpd.Node
	kind  string
	path  string
	old   bool
}

func newAreaIndex(list []*area) areaIndex {
	ix := areaIndex{}
	for _, a := range list {
		if a.path == "" || a.kind != "directory" && a.kind != "location" {
			continue
		}
		k := areaKey{a.fe, a.vhost, a.kind, a.path, true}
		if len(a.old) > 0 {
			ix[k] = a
		}
		if k.old = false; len(a.new) > 0 {
			ix[k] = a
		}
	}
	return ix
}

// around returns the nearest area of the style around another one of the same
// kind, in its server or the main server.
func (ix areaIndex) around(a *area, old bool) *area {
	if a.path == "" {
		return nil
	}
	return ix.walk(areaKey{a.fe, a.vhost, a.kind, a.path, old}, a)
}

func (ix areaIndex) walk(k areaKey, except *area) *area {
	for {
		if x := ix[k]; x != nil && x != except {
			return x
		}
		if main := k; main.vhost != nil {
			main.vhost = nil
			if x := ix[main]; x != nil && x != except {
				return x
			}
		}
		if k.path == "/" {
			return nil
		}
		k.path = k.path[:strings.LastIndexByte(k.path, '/')]
		if k.path == "" {
			k.path = "/"
		}
	}
}

// directory returns the nearest old-style Directory that holds what httpd itself
// answers for the Location; nil when a ProxyPass takes the URL, for which no
// Directory counts.
func (ix areaIndex) directory(a *area, servers map[diag.Span]lint.Server) *area {
	sv := lint.Server{Server: a.fe.Main, FrontEnd: a.fe, Main: true}
	if a.vhost != nil {
		var ok bool
		if sv, ok = servers[a.vhost.Span]; !ok {
			return nil
		}
	}
	if sv.Server == nil || a.path == "" {
		return nil
	}
	if by, _ := shadow(sv, map[string]*regexp.Regexp{}, a.path); by != nil {
		return nil
	}
	root := sv.DocRoot.V
	if root == "" && a.fe.Main != nil {
		root = a.fe.Main.DocRoot.V
	}
	if !strings.HasPrefix(root, "/") || unknown(root) {
		root = "/"
	}
	return ix.walk(areaKey{a.fe, a.vhost, "directory", "/" + strings.Trim(root, "/"), true}, nil)
}
