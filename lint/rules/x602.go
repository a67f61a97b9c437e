package rules

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var proxyGivesUpFirst = &lint.Rule{
	ID: "X602", Name: "proxy-gives-up-first", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Connectors, Versions: everyBoth,
	Doc: lint.Doc{
		What:   "httpd waits for an answer for a shorter time than Tomcat gives asynchronous requests.",
		Why:    "Users get 502 or 504 while Tomcat still works on the request.",
		Fix:    "Raise ProxyTimeout (or timeout= of the member) above asyncTimeout, or lower asyncTimeout.",
		Bad:    "-- httpd.conf --\nProxyTimeout 10\nProxyPass \"/app\" \"http://10.0.0.11:8080/app\"\n" + fmt.Sprintf(httpNode, ` asyncTimeout="60000"`, ""),
		Good:   "-- httpd.conf --\nProxyTimeout 90\nProxyPass \"/app\" \"http://10.0.0.11:8080/app\"\n" + fmt.Sprintf(httpNode, ` asyncTimeout="60000"`, ""),
		Notes:  "Only for a written asyncTimeout above 0. timeout= of the member counts before ProxyTimeout, and that before Timeout, which is 60 s (300 s in 2.2); one finding for each place, or for the default. connectionTimeout is about reading the request and never compared.",
		Source: "HTTP connector reference, asyncTimeout; mod_proxy, timeout and ProxyTimeout.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 {
			return
		}
		type finding struct {
			lint.Finding
			nodes map[*model.Node]bool
		}
		var order []*finding
		found := map[any]*finding{} // by the place, or by the front end whose default it is
		uses := usesOf(p)
		for i := range uses {
			u := &uses[i]
			for j := range u.links {
				l := &u.links[j]
				a := extraAttr(l.Connector.Extra, "asyncTimeout")
				if a == nil {
					continue
				}
				ms, err := strconv.Atoi(strings.TrimSpace(a.Value.V))
				waits, at := answerTimeout(p, u, l)
				if allowed := time.Duration(ms) * time.Millisecond; err != nil || ms <= 0 || waits <= 0 || waits >= allowed {
					continue
				}
				var key any = at
				if at == l.Member.At.Head() {
					key = u.FrontEnd
				}
				f := found[key]
				if f == nil {
					f = &finding{nodes: map[*model.Node]bool{}}
					f.At, f.Subject = at, l.Member
					f.Message = fmt.Sprintf("httpd waits %s s for an answer, but %s (%s) allows %s s for asynchronous requests (asyncTimeout): users see 504 or 502 while Tomcat works on",
						inSeconds(waits), l.Node.Name.V, a.At.Short(), inSeconds(time.Duration(ms)*time.Millisecond))
					if l.By.Confidence() < diag.Certain {
						f.Lower++
					}
					found[key] = f
					order = append(order, f)
				}
				if !f.nodes[l.Node] {
					f.nodes[l.Node] = true
					f.Related = append(f.Related, lint.Related(a.Value.Span, "asyncTimeout of "+l.Node.Name.V))
				}
			}
		}
		for _, f := range order {
			p.Report(f.Finding)
		}
	},
}

// answerTimeout returns how long httpd waits for an answer, and the place that
// says so (ap_proxy_connection_create and ap_proxy_determine_connection in
// modules/proxy/proxy_util.c). Durations of 0 mean that it cannot be told.
func answerTimeout(p *lint.Pass, u *use, l *model.Link) (time.Duration, diag.Span) {
	main := u.FrontEnd.Main
	if main == nil {
		main = &model.Server{}
	}
	switch {
	case ofModJK(l.Member):
		return 0, diag.Span{} // no reply_timeout: mod_jk waits for ever
	case l.Member.Timeout.IsWritten():
		return l.Member.Timeout.V, l.Member.Timeout.Span
	case u.ProxyTimeout.IsWritten():
		return u.ProxyTimeout.V, directiveOf(u.ProxyTimeout.Span)
	case main.ProxyTimeout.IsWritten():
		return main.ProxyTimeout.V, directiveOf(main.ProxyTimeout.Span)
	case u.Timeout.IsWritten():
		return u.Timeout.V, directiveOf(u.Timeout.Span)
	case main.Timeout.IsWritten():
		return main.Timeout.V, directiveOf(main.Timeout.Span)
	}
	standard := 60 * time.Second
	if v, _ := p.HTTPDVersion(u.FrontEnd); !lint.AtLeast(v, "2.4") {
		standard = 300 * time.Second
	}
	return standard, l.Member.At.Head()
}
