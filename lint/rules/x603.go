package rules

import (
	"fmt"
	"strconv"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var fewerThreads = &lint.Rule{
	ID: "X603", Name: "fewer-threads-than-workers", Severity: diag.Warning, Confidence: diag.Possible, Category: lint.Connectors, Versions: everyBoth,
	Doc: lint.Doc{
		What:   "httpd may send more requests at once than all Tomcats behind it have threads.",
		Why:    "Under load the rest waits in the backlog of the connectors, and httpd counts slow nodes as failed.",
		Fix:    "Raise maxThreads, lower MaxRequestWorkers, or set max= on the members.",
		Bad:    "-- httpd.conf --\nMaxRequestWorkers 1000\nServerLimit 40\nProxyPass \"/app\" \"http://10.0.0.11:8080/app\"\n" + fmt.Sprintf(httpNode, ` maxThreads="100"`, ""),
		Good:   "-- httpd.conf --\nMaxRequestWorkers 400\nProxyPass \"/app\" \"http://10.0.0.11:8080/app\"\n" + fmt.Sprintf(httpNode, ` maxThreads="400"`, ""),
		Notes:  "Only when both sides are written; the maxThreads of an Executor counts. Silent with max= on the members and with virtual threads. Below one and a half times an info: what httpd answers itself needs no Tomcat.",
		Source: "mpm_common, MaxRequestWorkers and ServerLimit; HTTP connector reference, maxThreads.",
	},
	Check: func(p *lint.Pass) {
		threads := map[*model.FrontEnd]*threadSum{}
		var order []*model.FrontEnd
		for _, l := range p.Links() {
			if l.Connector == nil {
				continue
			}
			t := threads[l.FrontEnd]
			if t == nil {
				t = &threadSum{seen: map[any]bool{}, known: true}
				threads[l.FrontEnd] = t
				order = append(order, l.FrontEnd)
			}
			t.add(&l)
		}
		for _, fe := range order {
			t := threads[fe]
			workers, at := requestWorkers(p, fe)
			if !t.known || t.sum == 0 || workers <= t.sum {
				continue
			}
			f := lint.Finding{
				At: at, Related: t.related,
				Message: fmt.Sprintf("httpd may send %d requests at once (MaxRequestWorkers), the nodes together run %d (maxThreads): the rest waits", workers, t.sum),
			}
			if 2*workers < 3*t.sum {
				f.Severity = diag.Info
			}
			p.Report(f)
		}
	},
}

// threadSum adds up the threads of all connectors behind a front end.
type threadSum struct {
	sum     int
	known   bool
	seen    map[any]bool // connectors and executors counted
	related []diag.Related
}

func (t *threadSum) add(l *model.Link) {
	c := l.Connector
	if l.Member.Max.IsWritten() {
		t.known = false // httpd bounds the requests itself
		return
	}
	if a := extraAttr(c.Extra, "useVirtualThreads"); a != nil && !strings.EqualFold(a.Value.V, "false") {
		t.known = false
		return
	}
	var key any = c
	n, at := c.MaxThreads, c.MaxThreads.Span
	if c.Executor.V != "" {
		e := executorOf(l.Node, c.Executor.V)
		if e == nil || strings.Contains(e.Class.V, "Virtual") {
			t.known = false
			return
		}
		key, n, at = e, model.Int{}, diag.Span{}
		if a := e.Attribute("maxThreads"); a != nil {
			if v, err := strconv.Atoi(strings.TrimSpace(a.Value.V)); err == nil {
				n, at = model.Is(v, a.Value.Span), a.Value.Span
			}
		}
	}
	if !n.IsWritten() || n.V <= 0 {
		t.known = false
		return
	}
	if !t.seen[key] {
		t.seen[key] = true
		t.sum += n.V
		t.related = append(t.related, lint.Related(at, "threads of "+l.Node.Name.V))
	}
}

// executorOf returns the Executor of that name, or nil.
func executorOf(n *model.Node, name string) *model.Component {
	for _, s := range n.Services {
		for _, e := range s.Executors {
			if a := e.Attribute("name"); a != nil && a.Value.V == name {
				return e
			}
		}
	}
	return nil
}

// requestWorkers returns the MaxRequestWorkers (MaxClients) in force and its
// place, 0 when none is written. The threaded MPMs lower a value above
// ServerLimit × ThreadsPerChild (event_check_config in server/mpm/event/event.c).
func requestWorkers(p *lint.Pass, fe *model.FrontEnd) (int, diag.Span) {
	workers, at := 0, diag.Span{}
	serverLimit, perChild := 16, 25
	for d := range p.Directives {
		if d.FrontEnd != fe {
			continue
		}
		n, err := strconv.Atoi(d.Node.Arg(0))
		if err != nil || n <= 0 {
			continue
		}
		switch strings.ToLower(d.Name) {
		case "maxrequestworkers", "maxclients":
			workers, at = n, d.Span.Head()
		case "serverlimit":
			serverLimit = n
		case "threadsperchild":
			perChild = n
		}
	}
	if fe.HasModule("mpm_event_module") || fe.HasModule("mpm_worker_module") {
		workers = min(workers, serverLimit*perChild)
	}
	return workers, at
}
