package rules

import (
	"path/filepath"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/known"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// childrenOf returns what the digester accepts inside an element.
func childrenOf(e *tomcat.Element) map[string]known.Tomcat {
	return known.Children(outerName(e), e.Name)
}

func outerName(e *tomcat.Element) string {
	if e.Parent == nil {
		return ""
	}
	return e.Parent.Name
}

// config is one server.xml or context.xml as a rule about names sees it.
type config struct {
	doc      *tomcat.Document
	bits     known.Tomcat // the versions that it may be for; all when none is declared
	version  string       // as declared, else ""
	declared bool
	exact    bool // the version names one branch of the tables and no old release of it
	sound    bool // well-formed: who is inside whom can be trusted
}

// configs returns the files of Tomcat that its digester reads with warnings about
// what it does not know. Templates and versions without a table are left out.
func configs(p *lint.Pass) []config {
	var out []config
	for _, d := range p.Docs {
		if k := d.Kind(); k != tomcat.Server && k != tomcat.Context || d.Template {
			continue
		}
		c := config{doc: d, bits: known.AllTomcat, sound: d.WellFormed && !p.Broken[d.File]}
		if n := nodeOf(p, d); n != nil {
			if v, declared := p.TomcatVersion(n); declared {
				c.version, c.declared = v, true
				c.bits, c.exact = known.TableBits(v)
			}
		}
		if c.bits != 0 {
			out = append(out, c)
		}
	}
	return out
}

// nodeOf returns the node that the file belongs to: that of the server.xml, else
// the one whose folder the file is in, else any when all have one version.
func nodeOf(p *lint.Pass, d *tomcat.Document) *model.Node {
	var best *model.Node
	depth := -1
	for _, n := range p.Setup.Nodes {
		server := p.Tomcat[n]
		if server == nil {
			continue
		}
		if server == d {
			return n
		}
		dir := filepath.Dir(server.File.Name)
		if filepath.Base(dir) == "conf" {
			dir = filepath.Dir(dir)
		}
		if rel, err := filepath.Rel(dir, d.File.Name); err == nil && !strings.HasPrefix(rel, "..") && len(dir) > depth {
			best, depth = n, len(dir)
		}
	}
	if best != nil || len(p.Setup.Nodes) == 0 {
		return best
	}
	for _, n := range p.Setup.Nodes[1:] {
		if n.Version.V != p.Setup.Nodes[0].Version.V {
			return nil
		}
	}
	return p.Setup.Nodes[0]
}

// elements calls f for every element that Tomcat's digester makes something of,
// with its class ("" when it cannot be told). Elements that it does not know are
// passed over with all that is in them, and so is what is inside of an element
// of somebody else's class.
func (c *config) elements(f func(e *tomcat.Element, classes []*known.ClassInfo)) {
	var visit func(e *tomcat.Element)
	visit = func(e *tomcat.Element) {
		f(e, c.classes(e))
		if foreign(e) {
			return
		}
		accepted := childrenOf(e)
		for _, child := range e.Children {
			if accepted[child.Name]&c.bits != 0 {
				visit(child)
			}
		}
	}
	visit(c.doc.Root)
}

// foreign reports whether the element's class is not Tomcat's own or not known.
func foreign(e *tomcat.Element) bool {
	a := e.Attr("className")
	return a != nil && !strings.HasPrefix(strings.TrimSpace(a.Value), "org.apache.")
}

// classes returns the classes that the element may be of, nil when that cannot be
// told or when no table has one.
func (c *config) classes(e *tomcat.Element) []*known.ClassInfo {
	name, class := "className", ""
	if e.Name == "Connector" {
		name = "protocol"
	}
	if a := e.Attr(name); a != nil {
		if class = a.Value; class == "" && name == "className" {
			return nil
		}
	}
	return known.Implementations(outerName(e), e.Name, class, c.bits)
}

// property returns the kind of an attribute of an element, and the versions among
// all that have it; skip is true for names that the digester lets pass.
func (c *config) property(e *tomcat.Element, classes []*known.ClassInfo, name string) (kind known.Kind, versions known.Tomcat, skip bool) {
	return known.Setter(e.Name, classes, name, c.bits, !c.declared)
}

// documented returns the attributes that the manual names for the element, which
// are better proposals than all setters of its class.
func (c *config) documented(e *tomcat.Element, classes []*known.ClassInfo) []string {
	var out []string
	add := func(info known.ElementInfo) {
		for _, a := range info.Attributes {
			if a.Versions&c.bits != 0 && !slices.Contains(out, a.Name) {
				out = append(out, a.Name)
			}
		}
	}
	for _, info := range known.Elements(e.Name) {
		if info.Name != e.Name {
			continue
		}
		match := info.Class == "" || e.Name == "Connector" && (info.Class == "AJP/1.3") == ajpConnector(e)
		for _, k := range classes {
			match = match || k.Name == info.Class
		}
		if match {
			add(info)
		}
	}
	return out
}

func ajpConnector(e *tomcat.Element) bool {
	a := e.Attr("protocol")
	return a != nil && strings.Contains(strings.ToLower(a.Value), "ajp")
}

// oneOff returns the only candidate that differs from the word in case alone or by
// one letter that is missing, too many, wrong or exchanged with its neighbour.
func oneOff(word string, candidates []string) string {
	var near []string
	for _, c := range candidates {
		if c != word && (strings.EqualFold(c, word) || oneEdit(word, c)) {
			near = append(near, c)
		}
	}
	if len(near) != 1 {
		return ""
	}
	return near[0]
}

func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(b) < 4 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	return i < len(a) && (a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:])
}
