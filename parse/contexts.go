package parse

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// layer says what a context.xml or web.xml is for. The order is that of Tomcat,
// the most special first (org.apache.catalina.startup.ContextConfig): a value of
// an earlier layer stays.
type layer uint8

const (
	descriptor  layer = iota // conf/ENGINE/HOST/app.xml
	embedded                 // META-INF/context.xml; not read beside a descriptor
	application              // WEB-INF/web.xml
	hostDefault              // conf/ENGINE/HOST/context.xml.default, web.xml.default
	nodeDefault              // conf/context.xml, conf/web.xml
)

// appDoc is a document and what it is for.
type appDoc struct {
	*tomcat.Document
	layer        layer
	dir          string // of the application, else of the server.xml
	engine, host string // of a descriptor or a host's default
	app          string // path of the context
}

// placeOf finds out what a document is for by its path.
func placeOf(doc *tomcat.Document) appDoc {
	p := filepath.ToSlash(doc.File.Name)
	d := appDoc{Document: doc}
	if dir, _, ok := cutLast(p, "/WEB-INF/"); ok {
		d.layer, d.dir, d.app = application, dir, contextPath(path.Base(dir))
		return d
	}
	if dir, _, ok := cutLast(p, "/META-INF/"); ok {
		d.layer, d.dir, d.app = embedded, dir, contextPath(path.Base(dir))
		return d
	}
	dir, base := path.Dir(p), path.Base(p)
	if server := path.Dir(path.Dir(dir)); isServerDir(server) && !isServerDir(dir) {
		d.layer, d.dir, d.engine, d.host = hostDefault, server, path.Base(path.Dir(dir)), path.Base(dir)
		if !strings.HasSuffix(base, ".default") {
			d.layer, d.app = descriptor, contextPath(strings.TrimSuffix(base, ".xml"))
		}
		return d
	}
	d.layer, d.dir = nodeDefault, dir
	return d
}

func isServerDir(dir string) bool {
	st, err := os.Stat(filepath.Join(filepath.FromSlash(dir), "server.xml"))
	return err == nil && st.Mode().IsRegular()
}

// contextPath turns the base name of an application into its path
// (org.apache.catalina.util.ContextName): a#b##3 is version 3 of /a/b.
func contextPath(base string) string {
	base, _, _ = strings.Cut(base, "##")
	if base == "ROOT" {
		return ""
	}
	return "/" + strings.ReplaceAll(base, "#", "/")
}

// applications puts every context.xml and web.xml into the contexts they are for.
func (l *loader) applications() {
	docs := make([]appDoc, 0, len(l.webs))
	for _, doc := range l.webs {
		docs = append(docs, placeOf(doc))
	}
	slices.SortStableFunc(docs, func(a, b appDoc) int { return int(a.layer) - int(b.layer) })
	described := map[*model.Context]bool{}
	for _, n := range l.r.Setup.Nodes {
		for _, d := range docs {
			switch d.layer {
			case descriptor, embedded, application:
				l.application(n, d, described)
			default:
				l.defaults(n, d)
			}
		}
	}
}

// application adds a document of one application to its context.
func (l *loader) application(n *model.Node, d appDoc, described map[*model.Context]bool) {
	e := n.Engine()
	if e == nil || !ownsApplication(n, d) {
		return
	}
	h := hostFor(e, d.host)
	if h == nil || d.engine != "" && d.engine != e.Name.V {
		return
	}
	var unmapped []model.Unmapped
	var diags diag.List
	ctx := findContext(h, d.app)
	switch {
	case d.Kind() == tomcat.WebXML:
		unmapped, diags = tomcat.LowerWebXML(d.Document, ctx, l.propertyOf(nodeDir(n)))
	case d.layer == embedded && described[ctx]:
		l.r.Remarks = append(l.r.Remarks, d.File.Name+" has no effect: the application has a file of its own below conf")
		return
	default:
		described[ctx] = d.layer == descriptor
		unmapped, diags = tomcat.LowerContext(d.Document, ctx, l.propertyOf(nodeDir(n)))
	}
	l.r.Setup.Unmapped = append(l.r.Setup.Unmapped, unmapped...)
	l.add(diags)
}

// defaults adds what is said for all applications of a host or node to each of
// them, and to the root application when none is known.
func (l *loader) defaults(n *model.Node, d appDoc) {
	e := n.Engine()
	if e == nil || filepath.ToSlash(nodeDir(n)) != d.dir || d.engine != "" && d.engine != e.Name.V {
		return
	}
	property := l.propertyOf(nodeDir(n))
	for _, h := range e.Hosts {
		if d.host != "" && !strings.EqualFold(d.host, h.Name.V) {
			continue
		}
		for _, c := range h.Contexts {
			if d.Kind() == tomcat.WebXML || !overrides(c) {
				tomcat.LowerDefaults(d.Document, c, property)
			}
		}
		scratch := &model.Context{}
		diags := tomcat.LowerDefaults(d.Document, scratch, property)
		if h == hostFor(e, d.host) {
			l.add(diags)
		}
		if len(h.Contexts) == 0 && saysAboutSessions(scratch) {
			scratch.Path = model.Infer("", d.Root.Tag)
			h.Contexts = append(h.Contexts, scratch)
		}
	}
}

// overrides reports whether a context is to be free of all defaults.
func overrides(c *model.Context) bool {
	for _, a := range c.Extra {
		if a.Name == "override" {
			return strings.EqualFold(a.Value.V, "true")
		}
	}
	return false
}

// saysAboutSessions reports whether defaults hold more than Tomcat's own files do.
func saysAboutSessions(c *model.Context) bool {
	return c.SessionTimeout.IsWritten() && c.SessionTimeout.V != 30 || c.CookieName.IsWritten() || c.CookiePath.IsWritten() ||
		c.CookieDomain.IsWritten() || c.CookieSecure.IsWritten() || c.HTTPOnly.IsWritten() || c.Cookies.IsWritten() || c.Manager != nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// nodeDir returns the folder of the node's server.xml.
func nodeDir(n *model.Node) string {
	if !n.At.IsValid() {
		return ""
	}
	return filepath.Dir(n.At.File.Name)
}

// ownsApplication reports whether a descriptor stands beside the node's
// server.xml, or an application's folder lies below the node's folder, or below
// none of the nodes' folders and so belongs to all of them.
func ownsApplication(n *model.Node, d appDoc) bool {
	if d.layer == descriptor {
		return filepath.ToSlash(nodeDir(n)) == d.dir
	}
	parts := strings.Split(d.dir, "/")
	for _, p := range parts[:max(0, len(parts)-1)] {
		if p == n.Name.V {
			return true
		}
	}
	home := filepath.ToSlash(nodeDir(n))
	if path.Base(home) == "conf" {
		home = path.Dir(home)
	}
	if home != "." && strings.HasPrefix(d.dir, home+"/") {
		return true
	}
	return !strings.Contains(d.dir, "/webapps/")
}

// hostFor returns the host of that name; "" is the default host, else the first.
func hostFor(e *model.Engine, name string) *model.Host {
	if name == "" {
		for _, x := range e.Hosts {
			if x.Name.V == e.DefaultHost.V {
				return x
			}
		}
		if len(e.Hosts) > 0 {
			return e.Hosts[0]
		}
		return nil
	}
	for _, x := range e.Hosts {
		if strings.EqualFold(x.Name.V, name) {
			return x
		}
	}
	return nil
}

func findContext(h *model.Host, path string) *model.Context {
	for _, c := range h.Contexts {
		if strings.TrimSuffix(c.Path.V, "/") == path {
			return c
		}
	}
	c := &model.Context{Path: model.Infer(path, diag.Span{})}
	h.Contexts = append(h.Contexts, c)
	return c
}

// The system property that lists, with commas, where Tomcat looks for ${name}, and
// the sources that may stand there; system properties come last when they are not
// listed (org.apache.tomcat.util.digester.Digester).
const (
	propertySourceKey = "org.apache.tomcat.util.digester.PROPERTY_SOURCE"
	systemSource      = "org.apache.tomcat.util.digester.SystemPropertySource"
	environmentSource = "org.apache.tomcat.util.digester.EnvironmentPropertySource"
)

// propertyOf returns how the files of a folder resolve ${name}: from the environment
// when that is a configured source, and from catalina.properties, which sets system
// properties over those of the command line, and -D NAME=VALUE.
func (l *loader) propertyOf(dir string) func(string) (string, bool) {
	props := l.properties[dir]
	defines := map[string]string{}
	for _, d := range l.o.Defines {
		if name, value, ok := strings.Cut(d, "="); ok {
			defines[name] = value
		}
	}
	system := func(k string) (string, bool) {
		if p, ok := props[k]; ok {
			return p.Value, true
		}
		v, ok := defines[k]
		return v, ok
	}
	var sources []func(string) (string, bool)
	listed, _ := system(propertySourceKey)
	haveSystem := false
	for _, name := range strings.Split(listed, ",") {
		switch strings.TrimSpace(name) {
		case environmentSource:
			sources = append(sources, os.LookupEnv)
		case systemSource:
			haveSystem = true
			sources = append(sources, system)
		}
	}
	if !haveSystem {
		sources = append(sources, system)
	}
	return func(k string) (string, bool) {
		for _, source := range sources {
			if v, ok := source(k); ok {
				return v, true
			}
		}
		return "", false
	}
}
