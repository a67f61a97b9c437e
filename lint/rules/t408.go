package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/lint/javaregex"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

func exampleFilter(filter string) string {
	return inEngine(exampleCluster, `  <Valve className="org.apache.catalina.ha.tcp.ReplicationValve" filter="`+filter+`"/>`, "  "+routeBinderTag, "</Cluster>")
}

var replicationFilterTooWide = &lint.Rule{
	ID: "T408", Name: "replication-filter-too-wide", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	YieldsTo: []string{"T409"},
	Doc: lint.Doc{
		What: "The filter of ReplicationValve matches pages that change sessions, not only static files.",
		Why:  "What a request whose path matches the filter does to its session is not sent to the other nodes. It is lost at a failover, without a word in any log.",
		Fix:  "Let the filter match the endings of static files alone.",
		Bad:  exampleFilter(".*"),
		Good: exampleFilter(`.*\.(gif|js|css|png|jpe?g|ico|txt)`),
		Notes: "The filter must match the whole path. It is tried on /app/, /app/login, /app/login.do and /app/index.jsp, and the same below the applications that are known. " +
			"Endings .htm and .html are taken for static files; info when a servlet-mapping of a known application serves them.",
		Source: "Cluster valve reference, filter; ReplicationValve.isRequestWithoutSessionChange. Tried with Tomcat 10.1.60: filter=\".*\" stops replication.",
	},
	Check: func(p *lint.Pass) {
		var apps []webApp
		for i, v := range replicationFilters(p) {
			if i == 0 {
				apps = webApps(p)
			}
			re, err := javaregex.Parse(v.value)
			if err != nil {
				continue // T410
			}
			f := lint.Finding{At: v.at, Subject: v.valve}
			if sample := firstMatch(re, samples(v.node)); sample != "" {
				f.Message = fmt.Sprintf("filter `%s` matches %s: changes made by such requests are not replicated; let it match the endings of static files alone", v.value, sample)
				p.Report(f)
				continue
			}
			if a, pattern := htmlServlet(re, apps, v.node); pattern != nil {
				f.Severity = diag.Info
				f.Message = fmt.Sprintf("filter `%s` matches pages of %s that a servlet serves (%s, %s): what they change in sessions is not replicated; leave that ending out", v.value, a.title(), strings.TrimSpace(pattern.Text), pattern.Tag.Short())
				f.Related = []diag.Related{lint.Related(pattern.Tag, "the servlet-mapping")}
				p.Report(f)
			}
		}
	},
}

// valveFilter is a written filter of a ReplicationValve.
type valveFilter struct {
	node  *model.Node
	valve *model.Component
	at    diag.Span
	value string
}

// replicationFilters returns the filters of all nodes, each place once.
func replicationFilters(p *lint.Pass) []valveFilter {
	var out []valveFilter
	seen := map[diag.Span]bool{}
	add := func(n *model.Node, list []*model.Component) {
		for _, v := range list {
			a := v.Attribute("filter")
			if a == nil || !isClass(v.Class.V, "ReplicationValve") || a.Value.V == "" || unknown(a.Value.V) || seen[a.Value.Span] {
				continue
			}
			seen[a.Value.Span] = true
			out = append(out, valveFilter{n, v, a.Value.Span, a.Value.V})
		}
	}
	for _, c := range placedClusters(p) {
		add(c.node, c.Valves)
		add(c.node, c.engine.Valves)
		for _, h := range c.hosts() {
			add(c.node, h.Valves)
			for _, x := range h.Contexts {
				add(c.node, x.Valves)
			}
		}
	}
	return out
}

var pages = []string{"/", "/login", "/login.do", "/index.jsp"}

// samples are paths of pages, below a name that anybody may give an application
// and below those that are known.
func samples(n *model.Node) []string {
	var out []string
	seen := map[string]bool{}
	add := func(app string) {
		app = strings.TrimSuffix(app, "/")
		if app == "" || seen[app] {
			return
		}
		seen[app] = true
		for _, page := range pages {
			out = append(out, app+page)
		}
	}
	add("/app")
	if e := n.Engine(); e != nil {
		for _, h := range e.Hosts {
			for _, x := range h.Contexts {
				if len(out) < 400 {
					add(x.Path.V)
				}
			}
		}
	}
	return out
}

func firstMatch(re *javaregex.Regexp, paths []string) string {
	for _, s := range paths {
		if match, sure := re.MatchAll(s); match && sure {
			return s
		}
	}
	return ""
}

// htmlServlet returns an application of the node that serves .html or .htm by a
// servlet while the filter takes them for files.
func htmlServlet(re *javaregex.Regexp, apps []webApp, n *model.Node) (webApp, *tomcat.Element) {
	for _, a := range apps {
		if a.node != n {
			continue
		}
		for _, m := range a.doc.Root.Children {
			if m.Local() != "servlet-mapping" {
				continue
			}
			for _, u := range m.Children {
				ending, ok := strings.CutPrefix(strings.TrimSpace(u.Text), "*")
				if ok && u.Local() == "url-pattern" && (ending == ".html" || ending == ".htm") && firstMatch(re, []string{"/app/page" + ending}) != "" {
					return a, u
				}
			}
		}
	}
	return webApp{}, nil
}

var replicationFilterOldSyntax = &lint.Rule{
	ID: "T409", Name: "replication-filter-old-syntax", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What:   "The filter of ReplicationValve is a list with semicolons, as Tomcat 5.5 had it.",
		Why:    "Since Tomcat 6 it is one regular expression that must match the whole path. With semicolons it matches no path, so that requests for pictures and scripts cost replication too.",
		Fix:    "Write | in place of the semicolons, and none at the end.",
		Bad:    exampleFilter(`.*\.gif;.*\.js;`),
		Good:   exampleFilter(`.*\.gif|.*\.js`),
		Notes:  "Only when every part between semicolons is an expression of its own. It does no harm to sessions.",
		Source: "Cluster valve reference, filter, of Tomcat 5.5 and of later versions.",
	},
	Check: func(p *lint.Pass) {
		for _, v := range replicationFilters(p) {
			parts := oldFilter(v.value)
			if parts == nil {
				continue
			}
			better := strings.Join(parts, "|")
			f := lint.Finding{
				At: v.at, Subject: v.valve,
				Message: "filter uses `;` between patterns (Tomcat 5.5 style); since 6 it is one regular expression, and this one matches no path; use `|`",
			}
			value := valueOf(v.at)
			f.Fixes = safeFix("write "+better, value.Text() == v.value, diag.Edit{Span: value, New: better})
			p.Report(f)
		}
	},
}

// oldFilter splits a filter of the old form into its patterns; nil when it is none.
func oldFilter(filter string) []string {
	if !strings.Contains(filter, ";") {
		return nil
	}
	if _, err := javaregex.Parse(filter); err != nil {
		return nil
	}
	var out []string
	for part := range strings.SplitSeq(filter, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if _, err := javaregex.Parse(part); err != nil || !strings.ContainsAny(part[:1], `./\^(`) {
			return nil
		}
		out = append(out, part)
	}
	return out
}
