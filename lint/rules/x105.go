package rules

import (
	"fmt"
	"sort"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var stickyCookieName = &lint.Rule{
	ID: "X105", Name: "sticky-cookie-name", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Sticky, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "The balancer follows a cookie of another name than the one in which the application keeps its session ID.",
		Why:  "httpd finds no route in the requests and balances each of them anew; sessions are lost, or travel between the nodes.",
		Fix:  "Write the name of the session cookie as stickysession; case matters.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>
-- s1/context.xml --
<Context sessionCookieName="SHOPSID"/>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    ProxySet stickysession=SHOPSID
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>
-- s1/context.xml --
<Context sessionCookieName="SHOPSID"/>`,
		Notes:  "Tomcat takes sessionCookieName of the Context first, then the name in web.xml, then JSESSIONID. Applications that no mapping leads to do not count, nor does the default while the web.xml of an application was not read; jsessionid in small letters is then still wrong. Silent when httpd sets the cookie itself, and for an application whose nodes disagree (X106).",
		Source: "Context reference, sessionCookieName; mod_proxy_balancer, stickysession; SessionConfig.getSessionCookieName.",
	},
	Check: func(p *lint.Pass) {
		links := map[*model.Balancer][]model.Link{}
		own := cookieMemo{}
		for _, l := range p.Links() {
			if l.Balancer != nil && l.Node != nil && l.Balancer.Sticky.V != "" && !unknown(l.Balancer.Sticky.V) && !own.has(l) {
				links[l.Balancer] = append(links[l.Balancer], l)
			}
		}
		if len(links) == 0 {
			return
		}
		names := newCookieNames(p)
		for _, fe := range p.Setup.FrontEnds {
			targets := balancerTargets(fe)
			servers := fe.VHosts
			if fe.Main != nil {
				servers = append([]*model.Server{fe.Main}, fe.VHosts...)
			}
			for _, sv := range servers {
				for _, b := range sv.Balancers {
					if len(links[b]) > 0 {
						checkStickyCookie(p, b, links[b], names, targets["balancer "+strings.ToLower(b.Name.V)])
					}
				}
			}
		}
	},
}

// appCookie is what the nodes of a balancer say about one application.
type appCookie struct {
	path string
	sessionCookie
}

// agreedCookies returns the cookies of the applications behind a balancer, by path;
// those about which the nodes disagree are left out.
func agreedCookies(nodes []*model.Node, names *cookieNames, paths []string) []appCookie {
	byPath, split := map[string]sessionCookie{}, map[string]bool{}
	for _, n := range nodes {
		for app, c := range names.of(n) {
			if !isBehind(app, paths) {
				continue
			}
			if have, ok := byPath[app]; ok && have.name != c.name {
				split[app] = true
			} else if !ok || c.sure && !have.sure {
				byPath[app] = c
			}
		}
	}
	var out []appCookie
	for app, c := range byPath {
		if !split[app] && !unknown(c.name) {
			out = append(out, appCookie{app, c})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].path < out[j].path })
	return out
}

func checkStickyCookie(p *lint.Pass, b *model.Balancer, links []model.Link, names *cookieNames, paths []string) {
	cookie, _, _ := strings.Cut(b.Sticky.V, "|")
	var nodes []*model.Node
	by := model.NoEvidence
	seen := map[*model.Node]bool{}
	for _, l := range links {
		if !seen[l.Node] {
			seen[l.Node] = true
			nodes = append(nodes, l.Node)
		}
		by = max(by, l.By)
	}
	apps := agreedCookies(nodes, names, paths)
	var lose []appCookie
	known, same, named := 0, true, false
	for _, a := range apps {
		named = named || a.name == cookie
		if !a.sure && !(a.written && len(apps) == 1) {
			same = false
			continue
		}
		known++
		if a.name != cookie {
			lose = append(lose, a)
			same = same && a.name == lose[0].name
		} else {
			same = false
		}
	}
	f := lint.Finding{At: b.At.Head(), Subject: b}
	if b.Sticky.Span.IsValid() {
		f.At = wholeDirective(b.Sticky.Span)
	}
	switch {
	case len(lose) > 0:
		f.Message = fmt.Sprintf("balancer is sticky on `%s`, but %s names its session cookie `%s` (%s)", cookie, appName(lose[0].path), lose[0].name, lose[0].at.Short())
		for i, a := range lose {
			if i > 0 {
				f.Message += fmt.Sprintf(", %s `%s`", appName(a.path), a.name)
			}
			f.Related = append(f.Related, lint.Related(a.at, "the session cookie of "+appName(a.path)))
		}
		f.Message += "; write its name"
		if same && !strings.ContainsAny(lose[0].name, " \t\"'|") {
			f.Fixes = stickyNameFix(b, lose[0].name)
		}
	case known == 0 && !named && cookie != defaultCookie && strings.EqualFold(cookie, defaultCookie):
		f.Message = fmt.Sprintf("balancer is sticky on `%s`, but Tomcat names its session cookie `%s`; case matters", cookie, defaultCookie)
		f.Related = []diag.Related{lint.Related(nodes[0].At.Head(), "a Tomcat behind the balancer")}
		f.Lower = 1
		f.Fixes = stickyNameFix(b, defaultCookie+"|jsessionid")
	default:
		return
	}
	for i := range f.Related {
		if !f.Related[i].Span.IsValid() {
			f.Related[i].Span = nodes[0].At.Head()
		}
	}
	weaken(&f, by)
	p.Report(f)
}

func appName(path string) string {
	switch path {
	case everyApp:
		return "the application"
	case "":
		return "the root application"
	}
	return "the application " + path
}

// stickyNameFix replaces the value of stickysession; the name counts for the
// parameter in the URL as well.
func stickyNameFix(b *model.Balancer, name string) []diag.Fix {
	if !b.Sticky.Span.IsValid() {
		return nil
	}
	text := b.Sticky.Span.Text()
	i := strings.LastIndex(text, b.Sticky.V)
	if i < 0 || strings.Trim(text[i+len(b.Sticky.V):], `"'`) != "" {
		return nil
	}
	start := int(b.Sticky.Span.Start) + i
	return []diag.Fix{{
		Message: "follow " + name, Safe: true,
		Edits: []diag.Edit{{Span: diag.At(b.Sticky.Span.File, start, start+len(b.Sticky.V)), New: name}},
	}}
}
