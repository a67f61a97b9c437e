package rules

import (
	"bytes"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// Bits of channelStartOptions, from org.apache.catalina.tribes.Channel.
const (
	startMembership = 4 | 8 // MBR_RX_SEQ, MBR_TX_SEQ
	startDefault    = 15
)

// clusterAt is one cluster and the node that it belongs to.
type clusterAt struct {
	*model.Cluster
	node *model.Node
}

// allClusters returns the clusters of all nodes whose class is Tomcat's own.
func allClusters(p *lint.Pass) []clusterAt {
	var out []clusterAt
	for _, n := range p.Setup.Nodes {
		for _, c := range clusters(n) {
			if c.Class.V == "" || strings.HasSuffix(c.Class.V, ".ha.tcp.SimpleTcpCluster") {
				out = append(out, clusterAt{c, n})
			}
		}
	}
	return out
}

// membership returns the written membership service, nil when there is none.
func (c clusterAt) membership() *model.Membership {
	if c.Channel == nil {
		return nil
	}
	return c.Channel.Membership
}

// mcast reports whether the cluster finds its members by multicast: the service is
// McastService, the default, and the start options run it.
func (c clusterAt) mcast() bool {
	m := c.membership()
	return (m == nil || isMcast(m)) && c.StartOptions.Or(startDefault)&startMembership != 0
}

func isMcast(m *model.Membership) bool {
	return m.Class.V == "" || model.SimpleClass(m.Class.V) == "McastService"
}

// interceptor returns the first interceptor of that simple class and its place in
// the list, or nil and -1.
func (c clusterAt) interceptor(class string) (*model.Interceptor, int) {
	if c.Channel != nil {
		for i, x := range c.Channel.Interceptors {
			if model.SimpleClass(x.Class.V) == class {
				return x, i
			}
		}
	}
	return nil, -1
}

// hasForeignInterceptor reports whether the channel has an interceptor of somebody
// else, which may do what Tomcat's own are missed for.
func (c clusterAt) hasForeignInterceptor() bool {
	if c.Channel != nil {
		for _, x := range c.Channel.Interceptors {
			if !tomcatOwn(x.Class.V) {
				return true
			}
		}
	}
	return false
}

// wholeLines returns the place of an element from its start tag to its end tag,
// with the lines that it has for itself; false when it shares a line with others.
func wholeLines(e *tomcat.Element) (diag.Span, bool) {
	f, from, to := e.Tag.File, int(e.Tag.Start), int(e.Tag.End)
	if !e.SelfClosed {
		if e.End.File != f {
			return diag.Span{}, false
		}
		to = int(e.End.End)
	}
	start, end := f.LineStart(f.Line(from)), f.LineStart(f.Line(to-1)+1)
	if len(bytes.TrimSpace(f.Data[start:from])) != 0 || len(bytes.TrimSpace(f.Data[to:end])) != 0 {
		return diag.Span{}, false
	}
	return diag.At(f, start, end), true
}

// moveElement is the fix that moves an element with its lines before or behind
// another one of the same parent; nil when one of them shares a line.
func moveElement(p *lint.Pass, from, to diag.Span, behind bool, message string) []diag.Fix {
	a, b := elementAt(p, from), elementAt(p, to)
	if a == nil || b == nil || a.Parent != b.Parent {
		return nil
	}
	source, ok1 := wholeLines(a)
	target, ok2 := wholeLines(b)
	if !ok1 || !ok2 || !strings.HasSuffix(source.Text(), "\n") || !strings.HasSuffix(target.Text(), "\n") {
		return nil
	}
	pos := int(target.Start)
	if behind {
		pos = int(target.End)
	}
	return []diag.Fix{{Message: message, Safe: true, Edits: []diag.Edit{
		{Span: source}, {Span: diag.At(target.File, pos, pos), New: source.Text()},
	}}}
}
