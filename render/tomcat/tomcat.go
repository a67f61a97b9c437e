// Package tomcat writes the nodes of a setup as server.xml for one version of
// Tomcat, whatever version or format they come from.
//
// A node is lifted into a tree of elements (lift.go), which passes the rules of the
// target version from the root down (convert.go and the files of each subject), and is
// printed (write.go). What changed between versions is taken from the classes of
// each branch (parse/known) and from Tomcat's migration guides. What cannot be said
// in the target version and protects something leaves its place closed.
package tomcat

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/known"
	"clowder/parse/model"
	"clowder/render/ledger"
	"clowder/render/target"
)

// Target writes NODE/conf/server.xml for each node.
var Target = target.Target{
	Name:   "tomcat",
	Doc:    "server.xml of each node, for the Tomcat of --tomcat VERSION",
	Render: render,
}

func render(s *model.Setup, o target.Options) (*target.Result, error) {
	to, err := targetRelease(o.Tomcat)
	if err != nil {
		return nil, err
	}
	if len(s.Nodes) == 0 {
		return nil, errors.New("the setup has no Tomcat: no server.xml was read and no [[node]]")
	}
	l := ledger.New("Tomcat " + to.text)
	links := s.Links()
	res := &target.Result{}
	used := map[string]bool{}
	for _, n := range s.Nodes {
		c := newConversion(n, to, l, links)
		c.provenance = o.Provenance
		res.Files = append(res.Files, c.files(folder(n.Name.V, used))...)
	}
	unmapped(l, s)
	res.Notes = l.Notes(s.Nodes)
	return res, nil
}

// folder makes a name for the node's folder that no path can hide in; used are
// those that are taken, without regard to case.
func folder(name string, used map[string]bool) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, name)
	if strings.Trim(clean, ".") == "" {
		clean = "tomcat"
	}
	unique := clean
	for i := 2; used[strings.ToLower(unique)]; i++ {
		unique = fmt.Sprintf("%s-%d", clean, i)
	}
	used[strings.ToLower(unique)] = true
	return unique
}

// unmapped notes what the model has no place for in the files of the nodes.
func unmapped(l *ledger.Ledger, s *model.Setup) {
	spans, files := map[diag.Span]bool{}, map[*diag.File]bool{}
	for _, n := range s.Nodes {
		files[n.At.File] = true
		places(reflect.ValueOf(n).Elem(), spans)
	}
	for at := range spans {
		files[at.File] = true
	}
	for _, u := range s.Unmapped {
		if u.Span.IsValid() && files[u.Span.File] {
			l.Add(target.Note{Loss: target.Dropped, ID: "unmapped", Span: u.Span, Fact: diag.HideSecrets(u.What),
				Security: u.Guard, Message: "Tomcat makes nothing of it where or as it stands, or clowder has no form for it"})
		}
	}
}

// files returns server.xml and the descriptors of contexts.
func (c *conversion) files(dir string) []target.File {
	root := c.server()
	head := fmt.Sprintf("%s: server.xml for Tomcat %s", c.node.Name.V, c.to.text)
	if c.from.text != c.to.text && c.fromKnown {
		head += ", from one for " + c.from.text
	}
	if c.node.Host.IsWritten() {
		head += "; runs on " + c.node.Host.V
	}
	files := []target.File{c.file(path.Join(dir, "conf", "server.xml"), head, root)}
	for _, d := range c.descriptors {
		files = append(files, c.file(path.Join(dir, "conf", d.path), fmt.Sprintf("%s: %s for Tomcat %s", c.node.Name.V, d.path, c.to.text), d.root))
	}
	return files
}

func (c *conversion) file(name, head string, root *element) target.File {
	private := false
	c.finish(root, &private)
	return target.File{Name: name, Data: document(head, root, c.provenance), Private: private}
}

// finish marks all that is written as carried over, and finds secrets in clear text.
func (c *conversion) finish(e *element, private *bool) {
	if k, ok := e.source.(*model.Component); ok {
		c.ledger.Exact(k.Element, k.Text)
	}
	for _, a := range e.attrs {
		if a.place.IsValid() {
			c.ledger.Exact(a.place)
		}
		if isSecret(a.name) && a.value != "" && !strings.Contains(a.value, "${") {
			*private = true
		}
	}
	for _, k := range e.children {
		c.finish(k, private)
	}
}

// conversion is that of one node.
type conversion struct {
	node       *model.Node
	from, to   release
	fromKnown  bool // the version of the source is said or concluded, not assumed
	ledger     *ledger.Ledger
	links      []model.Link
	lifter     lifter
	provenance bool

	descriptors []descriptor
	foreign     map[string]bool // classes of other people that were noted
}

// descriptor is a file with one context.
type descriptor struct {
	path string // below conf
	root *element
}

func newConversion(n *model.Node, to release, l *ledger.Ledger, links []model.Link) *conversion {
	c := &conversion{node: n, to: to, ledger: l, links: links, foreign: map[string]bool{}}
	c.from = parseRelease(n.Version.V)
	c.fromKnown = len(c.from.parts) > 0 && (n.Version.IsWritten() || n.Version.Origin == model.Inferred)
	if len(c.from.parts) == 0 {
		c.from = to
	}
	c.lifter = lifter{keep: func(at diag.Span) bool { return true }, properties: map[string]bool{}}
	return c
}

// same reports whether nothing is to be converted: what the source says is written
// as it stands.
func (c *conversion) same() bool { return c.fromKnown && c.from.text == c.to.text }

// toml reports whether the node comes from clowder's own format.
func (c *conversion) toml() bool {
	return !c.node.At.IsValid() || strings.HasSuffix(c.node.At.File.Name, ".toml")
}

// server makes the tree of server.xml.
func (c *conversion) server() *element {
	contexts := c.contexts()
	root := c.lifter.lift("Server", c.node)
	c.placeContexts(root, contexts)
	if c.toml() {
		giveClasses(nil, root)
	}
	c.rootAttributes(root)
	c.convert(nil, root)
	for i := range c.descriptors {
		c.convert(&element{name: "Host"}, c.descriptors[i].root)
	}
	c.nodeNotes(root)
	return root
}

// rootAttributes handles what no other element has: a shutdown command that XML
// cannot hold, and portOffset, which came with 9.0.
func (c *conversion) rootAttributes(root *element) {
	for _, a := range slices.Clone(root.attrs) {
		if isName(a.name) && writable(a.value) {
			continue
		}
		c.guarded(root, "an attribute of Server holds a character that XML 1.0 has no way to write: no shutdown port is opened", "", a.place)
		root.remove(a.name)
		root.add("port", "-1")
	}
	offset := root.attr("portOffset")
	if offset == nil || c.same() || c.to.bits&(known.T7|known.T85) == 0 || c.to.bits&known.T9 != 0 {
		return
	}
	n, err := strconv.Atoi(offset.value)
	if err != nil {
		c.person(root, fmt.Sprintf("Tomcat %s has no portOffset: write the ports as they are with it", c.to.text), "", offset.place)
	} else {
		c.ledger.Approx(fmt.Sprintf("Tomcat %s has no portOffset: it is added to the ports", c.to.text), "port", offset.place)
		shiftPorts(root, n)
	}
	root.remove("portOffset")
}

// shiftPorts adds an offset to the ports of the server and its connectors, as
// getPortWithOffset and getRedirectPortWithOffset do.
func shiftPorts(e *element, offset int) {
	if a := e.attr("port"); a != nil && (e.name == "Server" || e.name == "Connector") {
		if n, err := strconv.Atoi(a.value); err == nil && n > 0 {
			a.value = strconv.Itoa(n + offset)
		}
	}
	switch redirect := e.attr("redirectPort"); {
	case e.name == "Server" && e.attr("port") == nil:
		e.add("port", strconv.Itoa(8005+offset))
	case e.name == "Connector" && redirect == nil:
		e.add("redirectPort", strconv.Itoa(443+offset))
	case e.name == "Connector":
		if n, err := strconv.Atoi(redirect.value); err == nil {
			redirect.value = strconv.Itoa(n + offset)
		}
	}
	for _, k := range e.children {
		if k.name == "Service" || k.name == "Connector" {
			shiftPorts(k, offset)
		}
	}
}

// classes are those that Tomcat's digester demands and that the TOML may leave
// out: what a Cluster is made of by itself (SimpleTcpCluster.checkDefaults).
var classes = map[string]string{
	"Cluster":         "org.apache.catalina.ha.tcp.SimpleTcpCluster",
	"Cluster/Manager": "org.apache.catalina.ha.session.DeltaManager",
	"Channel":         "org.apache.catalina.tribes.group.GroupChannel",
	"Membership":      "org.apache.catalina.tribes.membership.McastService",
	"Receiver":        "org.apache.catalina.tribes.transport.nio.NioReceiver",
	"Sender":          "org.apache.catalina.tribes.transport.ReplicationTransmitter",
	"Transport":       "org.apache.catalina.tribes.transport.nio.PooledParallelSender",
	"Member":          "org.apache.catalina.tribes.membership.StaticMember",
	"LocalMember":     "org.apache.catalina.tribes.membership.StaticMember",
}

func giveClasses(parent, e *element) {
	class := classes[e.name]
	if parent != nil && classes[parent.name+"/"+e.name] != "" {
		class = classes[parent.name+"/"+e.name]
	}
	if _, ok := e.source.(*model.AccessLog); ok {
		class = "org.apache.catalina.valves.AccessLogValve"
	}
	if class != "" && e.attr("className") == nil {
		e.attrs = slices.Insert(e.attrs, 0, attribute{name: "className", value: class})
	}
	for _, k := range e.children {
		giveClasses(e, k)
	}
}

// slash is a path with slashes.
func slash(name string) string { return filepath.ToSlash(name) }
