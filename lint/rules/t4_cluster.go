package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// placedCluster is a cluster of Tomcat's own class and where it stands.
type placedCluster struct {
	*model.Cluster
	node   *model.Node
	engine *model.Engine
	host   *model.Host // nil: the cluster stands in the engine
}

// placedClusters returns the clusters of all nodes. Those of a foreign class are
// left out: nobody knows what they do.
func placedClusters(p *lint.Pass) []placedCluster {
	var out []placedCluster
	add := func(n *model.Node, e *model.Engine, h *model.Host, c *model.Cluster) {
		if c != nil && isTcpCluster(c) {
			out = append(out, placedCluster{c, n, e, h})
		}
	}
	for _, n := range p.Setup.Nodes {
		for _, s := range n.Services {
			if s.Engine == nil {
				continue
			}
			add(n, s.Engine, nil, s.Engine.Cluster)
			for _, h := range s.Engine.Hosts {
				add(n, s.Engine, h, h.Cluster)
			}
		}
	}
	return out
}

// isTcpCluster tells Tomcat's cluster from foreign ones, and from that of Tomcat
// 5.5, which had another package and worked otherwise.
func isTcpCluster(c *model.Cluster) bool {
	return c.Class.V == "" || c.Class.V == "org.apache.catalina.ha.tcp.SimpleTcpCluster"
}

// clusterFor returns the cluster that serves a host, as ContainerBase.getCluster
// finds it: its own, else that of the engine, else nil.
func clusterFor(e *model.Engine, h *model.Host) *model.Cluster {
	if h != nil && h.Cluster != nil {
		return h.Cluster
	}
	return e.Cluster
}

// hostsOf returns the hosts that a cluster serves.
func (c placedCluster) hosts() []*model.Host {
	if c.host != nil {
		return []*model.Host{c.host}
	}
	var out []*model.Host
	for _, h := range c.engine.Hosts {
		if h.Cluster == nil {
			out = append(out, h)
		}
	}
	return out
}

// hasInterceptor reports whether the channel lists an interceptor with the word
// in its simple class name, so that subclasses of a usual name count too.
func hasInterceptor(c *model.Cluster, word string) bool {
	if c.Channel == nil {
		return false
	}
	for _, i := range c.Channel.Interceptors {
		if strings.Contains(model.SimpleClass(i.Class.V), word) {
			return true
		}
	}
	return false
}

// isClass reports whether a class is the given one of Tomcat, in the package
// where it is now or where Tomcat 5.5 had it.
func isClass(class, simple string) bool {
	return model.SimpleClass(class) == simple && (tomcatOwn(class) || class == simple)
}

// isForeign reports whether a class is not one of Tomcat's, or not known at all.
func isForeign(class string) bool { return !tomcatOwn(class) }

// elementOf returns the element of a document whose start tag stands at the
// place, or nil.
func elementOf(d *tomcat.Document, tag diag.Span) *tomcat.Element {
	if d == nil || !tag.IsValid() {
		return nil
	}
	var found *tomcat.Element
	d.Root.Walk(func(e *tomcat.Element) bool {
		if e.Tag == tag {
			found = e
		}
		return found == nil
	})
	return found
}

// xmlBefore inserts an element in front of the one that begins at the place, on a
// line of its own when that one has a line of its own.
func xmlBefore(tag diag.Span, text string) diag.Edit {
	at := diag.At(tag.File, int(tag.Start), int(tag.Start))
	if ownLine(tag) {
		text += eol(tag.File) + indentOf(tag.File, tag.Start)
	}
	return diag.Edit{Span: at, New: text}
}

// xmlAfter inserts an element behind the given one; false when it has no end.
func xmlAfter(e *tomcat.Element, text string) (diag.Edit, bool) {
	whole, ok := wholeElement(e)
	if !ok {
		return diag.Edit{}, false
	}
	if ownLine(e.Tag) {
		text = eol(e.Tag.File) + indentOf(e.Tag.File, e.Tag.Start) + text
	}
	return diag.Edit{Span: diag.At(whole.File, int(whole.End), int(whole.End)), New: text}, true
}

// ownLine reports whether nothing but blanks stands in front of the tag in its line.
func ownLine(tag diag.Span) bool {
	start := tag.File.LineStart(tag.Begin().Line)
	return strings.TrimLeft(string(tag.File.Data[start:tag.Start]), " \t") == ""
}

// wholeElement returns the place of an element from its start tag to its end.
func wholeElement(e *tomcat.Element) (diag.Span, bool) {
	switch {
	case e == nil || !e.Tag.IsValid():
		return diag.Span{}, false
	case e.SelfClosed:
		return e.Tag, true
	case e.End.IsValid() && e.End.File == e.Tag.File:
		return diag.At(e.Tag.File, int(e.Tag.Start), int(e.End.End)), true
	}
	return diag.Span{}, false
}

// removeElement deletes an element with its content, and its lines when nothing
// else stands on them.
func removeElement(e *tomcat.Element) (diag.Edit, bool) {
	at, ok := wholeElement(e)
	if !ok {
		return diag.Edit{}, false
	}
	f := at.File
	next := f.LineStart(f.Line(int(at.End)-1) + 1)
	if ownLine(at) && strings.TrimSpace(string(f.Data[at.End:next])) == "" {
		at = diag.At(f, f.LineStart(at.Begin().Line), next)
	}
	return diag.Edit{Span: at}, true
}

// safeFix is a list with one safe fix, or none when the edit could not be made.
func safeFix(message string, ok bool, edits ...diag.Edit) []diag.Fix {
	if !ok {
		return nil
	}
	return []diag.Fix{{Message: message, Safe: true, Edits: edits}}
}

// inEngine makes a server.xml of an example: what it holds stands in the Engine.
func inEngine(lines ...string) string {
	var b strings.Builder
	b.WriteString("<Server port=\"8005\" shutdown=\"SHUTDOWN\"><Service name=\"Catalina\">\n<Engine name=\"Catalina\" defaultHost=\"localhost\" jvmRoute=\"s1\">\n")
	for _, l := range lines {
		b.WriteString("  " + l + "\n")
	}
	b.WriteString("</Engine>\n</Service></Server>")
	return b.String()
}

const (
	exampleCluster = `<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6">`
	exampleChannel = `  <Channel className="org.apache.catalina.tribes.group.GroupChannel">`
	exampleHost    = `<Host name="localhost" appBase="webapps"/>`
	interceptors   = "org.apache.catalina.tribes.group.interceptors."
)

func exampleInterceptor(class, attributes string) string {
	return `    <Interceptor className="` + interceptors + class + `"` + attributes + `/>`
}
