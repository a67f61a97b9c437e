package rules

import (
	"fmt"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
)

var workerSharingDropsParameters = &lint.Rule{
	ID: "H207", Name: "worker-sharing-drops-parameters", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Mapping,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What: "A ProxyPass or BalancerMember has parameters, but an earlier line with a leading part of its URL made the worker already.",
		Why:  "Lines whose URLs begin alike share one worker, with the parameters of the first line. httpd drops those of the later one and says so only in the log at start. A BalancerMember that shares adds no member at all.",
		Fix:  "Put the line with the longer URL first, or give both lines the same parameters.",
		Bad: `ProxyPass "/a" "http://10.0.0.11:8080/" timeout=60
ProxyPass "/b" "http://10.0.0.11:8080/b" timeout=10`,
		Good: `ProxyPass "/b" "http://10.0.0.11:8080/b" timeout=10
ProxyPass "/a" "http://10.0.0.11:8080/" timeout=60`,
		Notes:  "Only when the parameters differ. Workers of one server are compared; members of balancers and other workers are apart. The same URL twice in a balancer is H304.",
		Source: "mod_proxy, \"Worker Sharing\"; ap_proxy_get_worker_ex in modules/proxy/proxy_util.c; messages AH01146 and AH01150. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		for _, sc := range h2Scopes(p) {
			if v, _ := p.HTTPDVersion(sc.FrontEnd); p.Rule.Versions.HTTPD.Contains(v) {
				h2Sharing(p, sc)
			}
		}
	},
}

// h2Worker is the line that made a worker, and its key=value words.
type h2Worker struct {
	node   *httpd.Node
	params map[string]string
}

// h2Sharing follows the lines of a server in their order. Each line is compared
// with those whose URLs are leading parts of its own.
func h2Sharing(p *lint.Pass, sc h2Scope) {
	spaces := map[string]map[string]*h2Worker{} // by balancer, "" for direct workers, "~" for those of regular expressions
	for _, n := range sc.Nodes {
		space, url, args := h2WorkerLine(n)
		if url == "" {
			continue
		}
		key := h2LowerHost(url)
		workers := spaces[space]
		if workers == nil {
			workers = map[string]*h2Worker{}
			spaces[space] = workers
		}
		old := h2SharedWith(workers, key, space == "~")
		if old == nil {
			workers[key] = &h2Worker{n, h2Params(args)}
			continue
		}
		switch {
		case n.Is("Proxy"), n.Is("ProxySet"): // sets the parameters of the worker that is there
			for key, val := range h2Params(args) {
				old.params[key] = val
			}
		case old.node.Span != n.Span:
			h2ReportSharing(p, n, old, url, space, args)
		}
	}
}

// h2WorkerLine returns what a line says about a worker; url is "" when nothing.
func h2WorkerLine(n *httpd.Node) (space, url string, args []httpd.Arg) {
	switch {
	case n.Is("ProxyPass"), n.Is("ProxyPassMatch"):
		t, ok := h2TargetOf(n)
		if !ok {
			return "", "", nil
		}
		for i, a := range n.Args {
			if a.Span == t.At && a.Text == t.URL { // unix: URLs are left out: their sockets tell them apart
				url, args = a.Text, n.Args[i+1:]
			}
		}
		if n.Is("ProxyPassMatch") || strings.Contains(url, "$") || len(n.Args) > 0 && n.Args[0].Text == "~" {
			space = "~"
		}
	case n.Is("BalancerMember"):
		t, ok := h2TargetOf(n)
		name, isBalancer := h2MemberBalancer(n)
		if !ok || !isBalancer {
			return "", "", nil
		}
		space, url, args = "balancer://"+name, t.URL, n.Args
		if strings.HasPrefix(strings.ToLower(strings.Trim(t.At.Text(), `"'`)), "unix:") {
			url = ""
		}
	case n.Is("Proxy") && n.Kind == httpd.Section && len(n.Args) > 1 && !strings.ContainsAny(n.Arg(0), "*?["):
		url, args = n.Arg(0), n.Args[1:]
	case n.Is("ProxySet") && h2InSection(n) && n.Parent.Is("Proxy") && !strings.ContainsAny(n.Parent.Arg(0), "*?["):
		url, args = strings.TrimPrefix(n.Parent.Arg(0), "proxy:"), n.Args
	}
	if s := h2Scheme(url); s == "" || s == "balancer" || unknown(url) {
		return "", "", nil
	}
	return space, url, args
}

// h2MemberBalancer returns the balancer of a BalancerMember line in lower case.
func h2MemberBalancer(n *httpd.Node) (string, bool) {
	u := n.Arg(0)
	if h2InSection(n) {
		u = strings.TrimPrefix(n.Parent.Arg(0), "proxy:")
	}
	name, _, ok := h2BalancerName(u)
	return name, ok
}

// h2LowerHost puts scheme and host into lower case, as httpd does to compare.
func h2LowerHost(u string) string {
	k := strings.Index(u, "://")
	if k < 0 {
		return u
	}
	if e := strings.IndexByte(u[k+3:], '/'); e >= 0 {
		return strings.ToLower(u[:k+3+e]) + u[k+3+e:]
	}
	return strings.ToLower(u)
}

// h2SharedWith returns the worker with the longest name that is a leading part
// of the URL and holds at least its scheme, host and port.
func h2SharedWith(workers map[string]*h2Worker, url string, exact bool) *h2Worker {
	least := len(url)
	if k := strings.Index(url, "://"); k >= 0 && !exact {
		if e := strings.IndexByte(url[k+3:], '/'); e >= 0 {
			least = k + 3 + e
		}
	}
	for i := len(url); i >= least; i-- {
		if w := workers[url[:i]]; w != nil {
			return w
		}
	}
	return nil
}

func h2ReportSharing(p *lint.Pass, n *httpd.Node, old *h2Worker, url, space string, args []httpd.Arg) {
	member := strings.HasPrefix(space, "balancer://")
	first, _ := h2TargetOf(old.node)
	other := first.URL
	switch {
	case old.node.Is("Proxy"):
		other = old.node.Arg(0)
	case old.node.Is("ProxySet"):
		other = old.node.Parent.Arg(0)
	}
	if member && h2SameWorker(other) == h2SameWorker(url) {
		return // H304
	}
	var lost []string
	for key, val := range h2Params(args) {
		if was, ok := old.params[key]; key != "mapping" && (!ok || was != val) {
			lost = append(lost, key)
		}
	}
	slices.Sort(lost)
	if len(lost) == 0 && !member {
		return
	}
	f := lint.Finding{At: n.Span.Head(), Related: []diag.Related{lint.Related(old.node.Span.Head(), "this line made the worker")}}
	where := old.node.Span.Short()
	switch {
	case member:
		f.Message = fmt.Sprintf("`%s` adds no member: it shares the worker of `%s` (%s), a leading part of it, and its parameters are ignored; put the longer URL first", url, other, where)
	case h2LowerHost(other) == h2LowerHost(url):
		f.Message = fmt.Sprintf("parameters `%s` are ignored: `%s` has its worker from %s already; give them there", strings.Join(lost, " "), url, where)
	default:
		f.Message = fmt.Sprintf("parameters `%s` are ignored: worker `%s` shares the worker of %s (`%s` is a leading part of it); put the longer URL first", strings.Join(lost, " "), url, where, other)
	}
	p.Report(f)
}
