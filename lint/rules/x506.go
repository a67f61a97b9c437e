package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// cookieApp is an application whose session cookie is declared secure or not.
func cookieApp(secure string) string {
	return tlsExample(httpsHeader, "", fmt.Sprintf(remoteIP, `protocolHeader="X-Forwarded-Proto"`)) + `-- s1/webapps/app/WEB-INF/web.xml --
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
  <session-config>
    <cookie-config>
      <secure>` + secure + `</secure>
    </cookie-config>
  </session-config>
</web-app>
`
}

var cookieNotSecure = &lint.Rule{
	ID: "X506", Name: "cookie-not-secure-behind-tls", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What:   "All virtual hosts in front of an application use TLS, and its web.xml declares the session cookie not Secure.",
		Why:    "Where Tomcat takes a request for plain HTTP the cookie goes out without Secure, and browsers send it over plain HTTP as well.",
		Fix:    "Write <secure>true</secure>.",
		Bad:    cookieApp("false"),
		Good:   cookieApp("true"),
		Notes:  "Only an explicit false. Silent when a virtual host without TLS leads to the application too, save one whose rewrite rule sends everything to https.",
		Source: "Servlet specification, cookie-config; ApplicationSessionCookieConfig, which sets Secure for requests that are known to be secure in any case.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 {
			return
		}
		type app struct {
			context *model.Context
			use     *use
			link    *model.Link
			plain   bool
		}
		uses := usesOf(p)
		var order []*app
		apps := map[diag.Span]*app{}
		for i := range uses {
			u := &uses[i]
			for j := range u.links {
				l := &u.links[j]
				nodeContexts(l.Node, func(h *model.Host, c *model.Context) {
					if !c.CookieSecure.IsWritten() || c.CookieSecure.V || !u.reaches(l, h, c) {
						return
					}
					a := apps[c.CookieSecure.Span]
					if a == nil {
						a = &app{context: c}
						apps[c.CookieSecure.Span] = a
						order = append(order, a)
					}
					switch {
					case u.tls && a.use == nil:
						a.use, a.link = u, l
					case !u.tls && !u.redirect:
						a.plain = true
					}
				})
			}
		}
		for _, a := range order {
			if a.plain || a.use == nil {
				continue
			}
			name := contextPath(a.context)
			if name == "" {
				name = "the root application"
			}
			at := a.context.CookieSecure.Span
			f := lint.Finding{
				At: at, Subject: a.context, Lower: absence(p),
				Message: fmt.Sprintf("the site is TLS only (%s), but the session cookie of %s is declared not Secure; write <secure>true</secure>", a.use.at.Short(), name),
				Related: []diag.Related{lint.Related(a.use.at.Head(), "TLS ends here")},
			}
			if e, ok := replaceText(at, "false", "true"); ok {
				f.Fixes = []diag.Fix{{Message: "declare the cookie Secure", Safe: true, Edits: []diag.Edit{e}}}
			}
			if a.link.By.Confidence() < diag.Certain {
				f.Lower++
			}
			p.Report(f)
		}
	},
}

// nodeContexts calls f for every context of the node.
func nodeContexts(n *model.Node, f func(*model.Host, *model.Context)) {
	for _, s := range n.Services {
		if s.Engine == nil {
			continue
		}
		for _, h := range s.Engine.Hosts {
			for _, c := range h.Contexts {
				f(h, c)
			}
		}
	}
}

// replaceText replaces a word that stands alone behind a start tag.
func replaceText(tag diag.Span, old, text string) (diag.Edit, bool) {
	if !tag.IsValid() {
		return diag.Edit{}, false
	}
	rest := string(tag.File.Data[tag.End:])
	trimmed := strings.TrimLeft(rest, " \t\r\n")
	if len(trimmed) < len(old) || !strings.EqualFold(trimmed[:len(old)], old) || !strings.HasPrefix(strings.TrimLeft(trimmed[len(old):], " \t\r\n"), "<") {
		return diag.Edit{}, false
	}
	start := int(tag.End) + len(rest) - len(trimmed)
	return diag.Edit{Span: diag.At(tag.File, start, start+len(old)), New: text}, true
}
