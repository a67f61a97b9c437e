package rules

import (
	"path/filepath"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

var sameSiteNoneNotSecure = &lint.Rule{
	ID: "T603", Name: "samesite-none-not-secure", Severity: diag.Error, Confidence: diag.Likely, Category: lint.Sticky,
	Versions: lint.Versions{Tomcat: lint.Range{From: "8.5"}, Text: "Tomcat 8.5 9 10.1 11"},
	Doc: lint.Doc{
		What: "A CookieProcessor sets SameSite=None, and nothing makes the session cookie Secure.",
		Why:  "Browsers throw a cookie with SameSite=None away unless it is Secure: each request begins a new session.",
		Fix:  "Write <cookie-config><secure>true</secure></cookie-config> in web.xml, or tell Tomcat about the TLS in front of it.",
		Bad: `-- server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080"/>
  <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine>
</Service></Server>
-- context.xml --
<Context><CookieProcessor sameSiteCookies="none"/></Context>`,
		Good: `-- server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" scheme="https" secure="true" proxyPort="443"/>
  <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine>
</Service></Server>
-- context.xml --
<Context><CookieProcessor sameSiteCookies="none"/></Context>`,
		Notes:  "Secure may come from cookie-config, from scheme or secure or TLS on a connector, from a RemoteIpValve, or by AJP from a virtual host with TLS: then silent. A warning when nothing is known about the way in.",
		Source: "Cookie Processor reference, sameSiteCookies; Tomcat bug 64921; the cookie specification's draft on SameSite.",
	},
	Check: func(p *lint.Pass) {
		if oldTomcats(p, "8.5") {
			return
		}
		var uses map[*model.Member]frontUse
		for _, d := range p.Docs {
			if d.Kind() != tomcat.Context && d.Kind() != tomcat.Server || d.Template {
				continue
			}
			d.Root.Walk(func(e *tomcat.Element) bool {
				a := e.Attr("sameSiteCookies")
				if e.Name != "CookieProcessor" || a == nil || !strings.EqualFold(strings.TrimSpace(a.Value), "none") {
					return true
				}
				if uses == nil {
					uses = frontUses(p)
				}
				checkSameSite(p, d, e, uses)
				return true
			})
		}
	},
}

// oldTomcats reports whether each node is declared to be older than the version.
func oldTomcats(p *lint.Pass, version string) bool {
	for _, n := range p.Setup.Nodes {
		if v, declared := p.TomcatVersion(n); !declared || lint.AtLeast(v, version) {
			return false
		}
	}
	return len(p.Setup.Nodes) > 0
}

func checkSameSite(p *lint.Pass, d *tomcat.Document, e *tomcat.Element, uses map[*model.Member]frontUse) {
	for _, w := range p.Docs {
		if s := cookieConfig(w, "secure"); s != nil && appFolder(w.File.Name) == appFolder(d.File.Name) && !strings.EqualFold(strings.TrimSpace(s.Text), "false") {
			return
		}
	}
	f := lint.Finding{
		At: e.Tag, Severity: diag.Warning,
		Message: "sameSiteCookies=\"none\" needs Secure cookies; browsers drop the session cookie otherwise",
	}
	places := sameSitePlaces(p, d, e)
	if len(places) == 0 && len(p.Setup.Nodes) > 0 {
		return // overruled by the contexts themselves
	}
	insecure := len(places) == 0
	for _, pl := range places {
		if pl.x != nil && pl.x.CookieSecure.V {
			continue
		}
		switch secureCookies(p, pl.n, uses) {
		case diag.Certain:
			continue
		case diag.Possible:
			f.Severity = diag.Error
			f.Related = append(f.Related, lint.Related(pl.n.At.Head(), "nothing tells this Tomcat about TLS"))
		}
		insecure = true
	}
	if insecure {
		f.Message += "; write <secure>true</secure> in cookie-config"
		p.Report(f)
	}
}

type sameSitePlace struct {
	n *model.Node
	x *model.Context // nil: no application is known
}

// sameSitePlaces returns the applications for which the CookieProcessor counts: the
// first one of a context is its own, that of the defaults comes behind it.
func sameSitePlaces(p *lint.Pass, d *tomcat.Document, e *tomcat.Element) []sameSitePlace {
	var out, loose []sameSitePlace
	dir := filepath.Dir(d.File.Name)
	for _, n := range p.Setup.Nodes {
		mentioned := false
		for _, s := range n.Services {
			if s.Engine == nil {
				continue
			}
			for _, h := range s.Engine.Hosts {
				for _, x := range h.Contexts {
					first := true
					for _, c := range x.Extras {
						if c.Element.V != "CookieProcessor" {
							continue
						}
						if c.At == e.Tag {
							mentioned = true
							if first {
								out = append(out, sameSitePlace{n, x})
							}
						}
						first = false
					}
				}
			}
		}
		if !mentioned && n.At.IsValid() {
			home := filepath.Dir(n.At.File.Name)
			if home == dir || d.Kind() == tomcat.Context && dir != home && len(p.Setup.Nodes) == 1 {
				loose = append(loose, sameSitePlace{n, nil})
			}
		} else if mentioned {
			loose = append(loose, sameSitePlace{})
		}
	}
	if len(out) == 0 {
		for _, l := range loose {
			if l.n != nil {
				out = append(out, l)
			}
		}
		if len(out) == 0 && len(loose) == 0 {
			for _, n := range p.Setup.Nodes {
				out = append(out, sameSitePlace{n, nil})
			}
		}
	}
	return out
}

// secureCookies says whether Tomcat knows that browsers come by TLS: Certain when
// something says so, Possible when the way in is known and has no TLS, else Likely.
func secureCookies(p *lint.Pass, n *model.Node, uses map[*model.Member]frontUse) diag.Confidence {
	remote, plain := false, false
	for _, s := range n.Services {
		remote = remote || remoteIPValve(s.Engine)
		for _, c := range s.Connectors {
			if c.Secure.V || c.SSLEnabled.V || strings.EqualFold(c.Scheme.V, "https") ||
				attributeUnknown(p, c.At, "secure") || attributeUnknown(p, c.At, "scheme") {
				return diag.Certain
			}
			plain = plain || c.Kind() == "http" && c.Port.V >= 0
		}
	}
	if len(p.Setup.FrontEnds) == 0 {
		switch {
		case remote:
			return diag.Certain
		case plain:
			return diag.Possible
		}
		return diag.Likely
	}
	linked := false
	for _, l := range p.Links() {
		if l.Node != n {
			continue
		}
		linked = true
		if uses[l.Member].tls && (l.Scheme == "ajp" || remote) {
			return diag.Certain
		}
	}
	if linked || plain && !remote {
		return diag.Possible
	}
	return diag.Likely
}
