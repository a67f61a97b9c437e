package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var idleTimeoutsFight = &lint.Rule{
	ID: "X601", Name: "idle-timeouts-fight", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Connectors, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What:   "Tomcat closes idle connections earlier than httpd forgets them.",
		Why:    "httpd takes a connection from its pool that Tomcat has just closed: now and then a request ends with 502 or 503.",
		Fix:    "Set ttl= on the member below the time of the connector, or raise keepAliveTimeout above ttl.",
		Bad:    ajpExample(" secret=a-long-word ttl=120", `secret="a-long-word" connectionTimeout="20000"`),
		Good:   ajpExample(" secret=a-long-word ttl=15", `secret="a-long-word" connectionTimeout="20000"`),
		Notes:  "keepAliveTimeout counts, else connectionTimeout, both in milliseconds and only when written; -1 is never. Silent with disablereuse=On, with ping= on an AJP member, and with SetEnv proxy-nokeepalive. For HTTP without ttl= an info.",
		Source: "mod_proxy, ttl; AJP and HTTP connector references, keepAliveTimeout and connectionTimeout.",
	},
	Check: func(p *lint.Pass) {
		short := shortLived(p)
		for _, l := range distinctLinks(p) {
			if short[l.Server] || l.FrontEnd.Main != nil && short[l.FrontEnd.Main] {
				continue
			}
			checkIdle(p, &l)
		}
	},
}

// shortLived returns the servers with a variable that ends each connection after
// one answer.
func shortLived(p *lint.Pass) map[*model.Server]bool {
	out := map[*model.Server]bool{}
	sets := func(envs []*model.Env) bool {
		return slices.ContainsFunc(envs, func(e *model.Env) bool {
			return !strings.EqualFold(e.Directive.V, "UnsetEnv") &&
				slices.ContainsFunc(e.Args, func(a model.String) bool {
					name, _, _ := strings.Cut(a.V, "=")
					return strings.EqualFold(name, "proxy-nokeepalive")
				})
		})
	}
	for _, sv := range p.Servers() {
		found := sets(sv.Settings.SetEnv)
		for _, sec := range sv.Sections {
			found = found || sets(sec.Settings.SetEnv)
		}
		if found {
			out[sv.Server] = true
		}
	}
	return out
}

func checkIdle(p *lint.Pass, l *model.Link) {
	m, c := l.Member, l.Connector
	ajp := c.Kind() == "ajp"
	limit := c.KeepAliveTime
	if !limit.IsWritten() {
		limit = c.ConnTimeout
	}
	if !limit.IsWritten() || limit.V <= 0 || m.DisableReuse.V || m.EnableReuse.IsWritten() && !m.EnableReuse.V || ajp && m.Ping.IsWritten() {
		return
	}
	closes := time.Duration(limit.V) * time.Millisecond
	f := lint.Finding{At: m.At.Head(), Subject: m}
	keeps := "for ever"
	switch hasTTL := m.TTL.IsWritten() && m.TTL.V > 0; {
	case hasTTL && m.TTL.V <= closes:
		return
	case hasTTL:
		keeps = "for " + inSeconds(m.TTL.V) + " s"
	case !ajp:
		f.Severity = diag.Info
	}
	word := "ttl"
	if ofModJK(m) {
		word = "connection_pool_timeout"
	}
	f.Message = fmt.Sprintf("%s closes idle connections after %s s (%s), httpd keeps them %s: a reused connection may be dead (502 or 503 now and then); set %s below %s",
		l.Node.Name.V, inSeconds(closes), limit.Span.Short(), keeps, word, inSeconds(closes))
	f.Related = []diag.Related{lint.Related(limit.Span, "the time of "+l.Node.Name.V)}
	f.Fixes = ttlFix(m, closes)
	if l.By.Confidence() < diag.Certain {
		f.Lower++
	}
	p.Report(f)
}

func inSeconds(d time.Duration) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0")
}

// ttlFix writes a ttl of three quarters of Tomcat's time.
func ttlFix(m *model.Member, closes time.Duration) []diag.Fix {
	n := int((closes * 3 / 4).Seconds())
	if n < 1 || ofModJK(m) {
		return nil
	}
	e := appendWord(m.At, fmt.Sprintf("ttl=%d", n))
	if m.TTL.IsWritten() {
		text := m.TTL.Span.Text()
		k := strings.IndexByte(text, '=')
		if k < 0 || !strings.EqualFold(strings.Trim(text[:k], `"`), "ttl") {
			return nil
		}
		end := m.TTL.Span.End
		if strings.HasSuffix(text, `"`) {
			end--
		}
		e = diag.Edit{Span: diag.At(m.TTL.Span.File, int(m.TTL.Span.Start)+k+1, int(end)), New: fmt.Sprint(n)}
	}
	return []diag.Fix{{Message: fmt.Sprintf("write ttl=%d", n), Safe: true, Edits: []diag.Edit{e}}}
}
