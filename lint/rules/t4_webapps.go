package rules

import (
	"path"
	"path/filepath"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// webApp is an application whose web.xml was read, on one node.
type webApp struct {
	*model.Context
	node          *model.Node
	cluster       *model.Cluster // that serves it, or nil
	doc           *tomcat.Document
	dir           string          // of the application, with a slash at its end; "" for the working folder
	distributable *tomcat.Element // nil when web.xml has none
}

// webApps returns the applications of all nodes, without those that Tomcat brings.
func webApps(p *lint.Pass) []webApp {
	docs := map[*diag.File]*tomcat.Document{}
	for _, d := range p.Docs {
		docs[d.File] = d
	}
	var out []webApp
	eachContext(p, func(n *model.Node, e *model.Engine, h *model.Host, x *model.Context) {
		doc := docs[x.WebApp.File]
		if !x.WebApp.IsValid() || doc == nil || !doc.WellFormed || bundled(x, doc) {
			return
		}
		name := filepath.ToSlash(doc.File.Name)
		dir, ok := strings.CutSuffix(name, "WEB-INF/web.xml")
		if !ok {
			return
		}
		a := webApp{Context: x, node: n, cluster: clusterFor(e, h), doc: doc, dir: dir}
		if a.cluster != nil && !isTcpCluster(a.cluster) {
			return
		}
		a.distributable = child(doc.Root, "distributable")
		out = append(out, a)
	})
	return out
}

// bundled reports whether an application is one of those in Tomcat's own webapps.
func bundled(x *model.Context, doc *tomcat.Document) bool {
	name := child(doc.Root, "display-name")
	return bundledPath(x.Path.V) || name != nil && strings.TrimSpace(name.Text) == "Welcome to Tomcat"
}

func bundledPath(path string) bool {
	switch strings.Trim(path, "/") {
	case "manager", "host-manager", "docs", "examples":
		return true
	}
	return false
}

// ownSessions reports whether a manager of the application keeps its sessions in
// a store, or may do so.
func (a webApp) ownSessions() bool {
	if a.Manager == nil {
		return false
	}
	k := keepsSessions(a.Manager)
	return k == elsewhere || k == perhaps
}

// title names the application for people.
func (a webApp) title() string {
	if a.Path.V == "" || a.Path.V == "/" {
		return "the root application"
	}
	return a.Path.V
}

// child returns the first child of that local name, or nil.
func child(e *tomcat.Element, local string) *tomcat.Element {
	for _, c := range e.Children {
		if c.Local() == local {
			return c
		}
	}
	return nil
}

// fragment is a web-fragment.xml of a library.
type fragment struct {
	doc *tomcat.Document
	jar string // name of the jar
}

// fragmentsOf returns the fragments by the folder of their application, as in
// [webApp.dir].
func fragmentsOf(p *lint.Pass) map[string][]fragment {
	out := map[string][]fragment{}
	for _, d := range p.Docs {
		if !d.IsFragment() || !d.WellFormed {
			continue
		}
		name := filepath.ToSlash(d.File.Name)
		i := strings.LastIndex(name, "WEB-INF/lib/")
		if i < 0 || i > 0 && name[i-1] != '/' {
			continue
		}
		jar, rest, ok := strings.Cut(name[i+len("WEB-INF/lib/"):], "/")
		if ok && rest == "META-INF/web-fragment.xml" {
			out[name[:i]] = append(out[name[:i]], fragment{d, strings.TrimSuffix(jar, "!")})
		}
	}
	return out
}

// Which jars the scanner for fragments leaves out, and which of them it takes all
// the same, when catalina.properties does not say otherwise.
const (
	jarsToSkip = "annotations-api.jar,ant-junit*.jar,ant-launcher*.jar,ant*.jar,asm-*.jar,aspectj*.jar,bcel*.jar,biz.aQute.bnd*.jar," +
		"bootstrap.jar,catalina*.jar,cglib-*.jar,cobertura-*.jar,commons-beanutils*.jar,commons-codec*.jar,commons-collections*.jar," +
		"commons-compress*.jar,commons-daemon.jar,commons-dbcp*.jar,commons-digester*.jar,commons-fileupload*.jar,commons-httpclient*.jar," +
		"commons-io*.jar,commons-lang*.jar,commons-logging*.jar,commons-math*.jar,commons-pool*.jar,derby-*.jar,dom4j-*.jar,easymock-*.jar," +
		"ecj-*.jar,el-api.jar,geronimo-spec-jaxrpc*.jar,h2*.jar,ha-api-*.jar,hamcrest-*.jar,hibernate*.jar,httpclient*.jar,icu4j-*.jar," +
		"jasper.jar,jasper-el.jar,jaspic-api.jar,jaxb-*.jar,jaxen-*.jar,jaxws-rt-*.jar,jdom-*.jar,jetty-*.jar,jmx.jar,jmx-tools.jar," +
		"jsp-api.jar,jstl.jar,jta*.jar,junit-*.jar,junit.jar,log4j*.jar,mail*.jar,objenesis-*.jar,oro-*.jar,servlet-api*.jar,slf4j*.jar," +
		"taglibs-standard-spec-*.jar,tagsoup-*.jar,tomcat-*.jar,tools.jar,websocket-api.jar,wsdl4j*.jar,xercesImpl.jar,xml-apis.jar," +
		"xmlParserAPIs*.jar,xom-*.jar"
	jarsToScan = "log4j-web*.jar,log4j-jakarta-web*.jar,log4j-taglib*.jar,log4javascript*.jar,slf4j-taglib*.jar"

	jarFilter = "tomcat.util.scan.StandardJarScanFilter."
)

// scanned reports whether a node looks for a fragment in a jar of that name
// (org.apache.tomcat.util.scan.StandardJarScanFilter).
func scanned(p *lint.Pass, n *model.Node, jar string) bool {
	skip, scan := jarsToSkip, jarsToScan
	for _, f := range p.Files {
		if n.At.IsValid() && path.Base(filepath.ToSlash(f.Name)) == "catalina.properties" && filepath.Dir(f.Name) == filepath.Dir(n.At.File.Name) {
			props, _ := tomcat.Properties(f)
			if v, ok := props[jarFilter+"jarsToSkip"]; ok {
				skip, scan = v.Value, props[jarFilter+"jarsToScan"].Value
			}
		}
	}
	return !anyGlob(skip, jar) || anyGlob(scan, jar)
}

func anyGlob(list, name string) bool {
	for pattern := range strings.SplitSeq(list, ",") {
		if ok, err := path.Match(strings.TrimSpace(pattern), name); ok && err == nil {
			return true
		}
	}
	return false
}
