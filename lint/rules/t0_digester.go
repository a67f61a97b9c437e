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

// digesterTable lists what Tomcat's digester accepts inside each element
// (org.apache.catalina.startup: Catalina, EngineRuleSet, HostRuleSet,
// ContextRuleSet, NamingRuleSet, RealmRuleSet, CredentialHandlerRuleSet, and
// org.apache.catalina.ha.ClusterRuleSet). Names behind a line that stand in some
// versions only have the first and, if it was dropped, the last one behind a colon.
const digesterTable = `
Server: Listener GlobalNamingResources Service
GlobalNamingResources: Ejb Environment LocalEjb Resource ResourceEnvRef ServiceRef Transaction
Service: Listener Executor Connector Engine
Connector: Listener SSLHostConfig:8.5 UpgradeProtocol:8.5
SSLHostConfig: Certificate OpenSSLConf
OpenSSLConf: OpenSSLConfCmd
Engine: Listener Valve Cluster Realm Host
Host: Alias Listener Valve Cluster Realm Context
Context: Listener Loader Manager Parameter Resources ResourceLink Valve WatchedResource WrapperLifecycle WrapperListener JarScanner CookieProcessor:8.5 InstanceListener:7-7 Realm Ejb Environment LocalEjb Resource ResourceEnvRef ServiceRef Transaction
Manager: Store SessionIdGenerator
Cluster/Manager: SessionIdGenerator
Resources: PreResources:8.5 JarResources:8.5 PostResources:8.5 CacheStrategy:9
JarScanner: JarScanFilter:8.5
Realm: Realm CredentialHandler:8.5
CredentialHandler: CredentialHandler
Cluster: Manager Channel Valve Deployer Listener ClusterListener
Channel: Membership MembershipListener Sender Receiver Interceptor ChannelListener
Membership: Member:9 LocalMember:9
Sender: Transport
Interceptor: Member LocalMember
Valve: init-param:11
Cluster/Valve:
init-param: param-name:11 param-value:11
`

// digester is the table: for each element, by name or parent/name, the versions
// that accept each child.
var digester, digesterParents = parseDigester(digesterTable)

func parseDigester(table string) (rules map[string]map[string]known.Tomcat, parents map[string][]string) {
	rules, parents = map[string]map[string]known.Tomcat{}, map[string][]string{}
	for line := range strings.Lines(strings.TrimSpace(table)) {
		key, list, _ := strings.Cut(strings.TrimSpace(line), ":")
		rules[key] = map[string]known.Tomcat{}
		for _, word := range strings.Fields(list) {
			child, span, limited := strings.Cut(word, ":")
			versions := known.AllTomcat
			if limited {
				from, to, _ := strings.Cut(span, "-")
				versions = versionsFrom(from)
				if to != "" {
					versions &^= versionsFrom(to) << 1
				}
			}
			rules[key][child] = versions
			if parent := key[strings.IndexByte(key, '/')+1:]; !slices.Contains(parents[child], parent) {
				parents[child] = append(parents[child], parent)
			}
		}
	}
	// In the words of the manual: the containers with the narrowest one last.
	parents["Manager"] = []string{"Context", "Cluster"}
	return rules, parents
}

// versionsFrom returns the versions from the given one on.
func versionsFrom(version string) known.Tomcat {
	first := known.ParseTomcat(version)
	return known.AllTomcat &^ (first - 1)
}

// digesterKey names the rules for the children of an element.
func digesterKey(e *tomcat.Element) string {
	if e.Parent != nil {
		if key := e.Parent.Name + "/" + e.Name; digester[key] != nil {
			return key
		}
	}
	return e.Name
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
				c.bits, c.exact = tableBits(v)
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

// tableBits maps a declared version to the versions of the tables. 8.0 and 10.0
// stand between two of them; exact is false for these and for releases that are
// named to the third part, which may be older than the one of the table.
func tableBits(version string) (bits known.Tomcat, exact bool) {
	switch {
	case version == "8.0" || strings.HasPrefix(version, "8.0."):
		return known.T7 | known.T85, false
	case version == "10.0" || strings.HasPrefix(version, "10.0."):
		return known.T9 | known.T101, false
	}
	return known.ParseTomcat(version), strings.Count(version, ".") < 2 || strings.HasSuffix(version, ".x")
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
		accepted := digester[digesterKey(e)]
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

// defaultClasses are those that the digester takes for an element without
// className; the second one is that of Tomcat 7.
var defaultClasses = map[string][]string{
	"Server":             {"org.apache.catalina.core.StandardServer"},
	"Service":            {"org.apache.catalina.core.StandardService"},
	"Executor":           {"org.apache.catalina.core.StandardThreadExecutor"},
	"SSLHostConfig":      {"org.apache.tomcat.util.net.SSLHostConfig"},
	"Certificate":        {"org.apache.tomcat.util.net.SSLHostConfigCertificate"},
	"OpenSSLConf":        {"org.apache.tomcat.util.net.openssl.OpenSSLConf"},
	"OpenSSLConfCmd":     {"org.apache.tomcat.util.net.openssl.OpenSSLConfCmd"},
	"Engine":             {"org.apache.catalina.core.StandardEngine"},
	"Host":               {"org.apache.catalina.core.StandardHost"},
	"Context":            {"org.apache.catalina.core.StandardContext"},
	"Loader":             {"org.apache.catalina.loader.WebappLoader"},
	"Manager":            {"org.apache.catalina.session.StandardManager"},
	"SessionIdGenerator": {"org.apache.catalina.util.StandardSessionIdGenerator"},
	"Parameter":          {"org.apache.tomcat.util.descriptor.web.ApplicationParameter", "org.apache.catalina.deploy.ApplicationParameter"},
	"Resources":          {"org.apache.catalina.webresources.StandardRoot", "org.apache.naming.resources.FileDirContext"},
	"JarScanner":         {"org.apache.tomcat.util.scan.StandardJarScanner"},
	"JarScanFilter":      {"org.apache.tomcat.util.scan.StandardJarScanFilter"},
	"CookieProcessor":    {"org.apache.tomcat.util.http.Rfc6265CookieProcessor"},
}

// classes returns the classes that the element may be of, nil when that cannot be
// told or when no table has one.
func (c *config) classes(e *tomcat.Element) []*known.ClassInfo {
	names := defaultClasses[e.Name]
	switch {
	case e.Name == "Connector":
		names = connectorClasses(e)
	case digesterKey(e) == "Cluster/Manager":
		names = nil
	}
	fixed := e.Name == "SSLHostConfig" || e.Name == "Certificate" || e.Name == "Connector" || strings.HasPrefix(e.Name, "OpenSSL") || e.Name == "Parameter"
	if a := e.Attr("className"); a != nil && !fixed {
		names = []string{strings.TrimSpace(a.Value)}
	}
	var out []*known.ClassInfo
	for _, n := range names {
		if info, ok := known.Class(n); ok && info.Versions&c.bits != 0 {
			out = append(out, info)
		}
	}
	return out
}

// connectorClasses returns the classes that share the attributes of a connector:
// itself, its protocol handlers and their endpoints; nil for a protocol of
// somebody else (org.apache.catalina.connector.Connector.setProperty,
// org.apache.coyote.AbstractProtocol.setProperty).
func connectorClasses(e *tomcat.Element) []string {
	protocol := "HTTP/1.1"
	if a := e.Attr("protocol"); a != nil {
		protocol = a.Value
	}
	handlers := []string{"org.apache.coyote.http11.Http11Protocol", "org.apache.coyote.http11.Http11NioProtocol",
		"org.apache.coyote.http11.Http11Nio2Protocol", "org.apache.coyote.http11.Http11AprProtocol"}
	switch {
	case protocol == "AJP/1.3" || strings.HasPrefix(protocol, "org.apache.coyote.ajp."):
		handlers = []string{"org.apache.coyote.ajp.AjpProtocol", "org.apache.coyote.ajp.AjpNioProtocol",
			"org.apache.coyote.ajp.AjpNio2Protocol", "org.apache.coyote.ajp.AjpAprProtocol"}
	case protocol == "" || protocol == "HTTP/1.1" || strings.HasPrefix(protocol, "org.apache.coyote.http11."):
	default:
		return nil
	}
	return append(handlers, "org.apache.catalina.connector.Connector",
		"org.apache.tomcat.util.net.JIoEndpoint", "org.apache.tomcat.util.net.NioEndpoint",
		"org.apache.tomcat.util.net.Nio2Endpoint", "org.apache.tomcat.util.net.AprEndpoint")
}

// property returns the kind of an attribute of an element, and the versions among
// all that have it; skip is true for names that the digester lets pass.
func (c *config) property(e *tomcat.Element, classes []*known.ClassInfo, name string) (kind known.Kind, versions known.Tomcat, skip bool) {
	if name == "className" || name == "optional" || name == "xmlns" || strings.Contains(name, ":") {
		return known.NoKind, 0, true
	}
	switch e.Name {
	case "Connector":
		switch name {
		case "executor", "sslImplementationName", "protocol", "portOffset":
			return known.NoKind, 0, true
		}
		if option, ok := strings.CutPrefix(name, "socket."); ok {
			name = option
			if s, ok := known.Class("org.apache.tomcat.util.net.SocketProperties"); ok {
				classes = []*known.ClassInfo{s}
			}
		}
	case "Certificate":
		if name == "type" {
			return known.NoKind, 0, true
		}
	case "Context", "Host", "Engine":
		switch name {
		case "source", "path", "docBase", "configClass", "hostConfigClass", "engineConfigClass":
			return known.NoKind, 0, true
		}
	}
	kind, versions, skip = c.propertyOf(e, classes, name)
	if alias := connectorAliases[name]; e.Name == "Connector" && alias != "" {
		k, v, _ := c.propertyOf(e, classes, alias)
		versions |= v
		if kind == known.NoKind {
			kind = k
		}
	}
	return kind, versions, skip
}

// connectorAliases are attributes that older versions pass on under another name.
var connectorAliases = map[string]string{"acceptCount": "backlog", "connectionLinger": "soLinger", "connectionTimeout": "soTimeout", "rootFile": "rootfile"}

func (c *config) propertyOf(e *tomcat.Element, classes []*known.ClassInfo, name string) (kind known.Kind, versions known.Tomcat, skip bool) {
	for _, info := range classes {
		if e.Name != "Connector" && info.TakesAny(c.bits) && !dynamicOnly(info, name, c.bits) {
			return known.NoKind, 0, true
		}
		k, v := info.Property(name, known.AllTomcat)
		versions |= v
		if here, v := info.Property(name, c.bits); v != 0 && (kind == known.NoKind || here == known.Text || kind == known.Other) {
			kind = here
		} else if v == 0 && k != known.NoKind && !c.declared {
			kind = k
		}
	}
	return kind, versions, false
}

// dynamicOnly reports whether the class's setProperty refuses the name:
// SimpleTcpCluster of Tomcat 7 refuses all, ErrorReportValve all but two prefixes.
func dynamicOnly(info *known.ClassInfo, name string, bits known.Tomcat) bool {
	switch {
	case info.Is("org.apache.catalina.ha.tcp.SimpleTcpCluster", bits):
		return true
	case info.Is("org.apache.catalina.valves.ErrorReportValve", bits):
		return !strings.HasPrefix(name, "errorCode.") && !strings.HasPrefix(name, "exceptionType.")
	}
	return false
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
