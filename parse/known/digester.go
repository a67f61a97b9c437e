package known

import (
	"slices"
	"strings"
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

func parseDigester(table string) (rules map[string]map[string]Tomcat, parents map[string][]string) {
	rules, parents = map[string]map[string]Tomcat{}, map[string][]string{}
	for line := range strings.Lines(strings.TrimSpace(table)) {
		key, list, _ := strings.Cut(strings.TrimSpace(line), ":")
		rules[key] = map[string]Tomcat{}
		for _, word := range strings.Fields(list) {
			child, span, limited := strings.Cut(word, ":")
			versions := AllTomcat
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
func versionsFrom(version string) Tomcat {
	first := ParseTomcat(version)
	return AllTomcat &^ (first - 1)
}

// Children returns what Tomcat's digester accepts inside an element that stands in
// outer ("" when that does not matter), with the versions that do.
func Children(outer, element string) map[string]Tomcat { return digester[digesterKey(outer, element)] }

// Containers returns the elements that an element may stand in, nil when the
// digester knows none of that name.
func Containers(element string) []string { return digesterParents[element] }

// digesterKey names the rules for the children of an element.
func digesterKey(outer, element string) string {
	if key := outer + "/" + element; digester[key] != nil {
		return key
	}
	return element
}

// TableBits maps a version to the versions of the tables. 8.0 and 10.0 stand
// between two of them; exact is false for these and for releases that are named
// to the third part, which may be older than the one of the table.
func TableBits(version string) (bits Tomcat, exact bool) {
	switch {
	case version == "8.0" || strings.HasPrefix(version, "8.0."):
		return T7 | T85, false
	case version == "10.0" || strings.HasPrefix(version, "10.0."):
		return T9 | T101, false
	}
	return ParseTomcat(version), strings.Count(version, ".") < 2 || strings.HasSuffix(version, ".x")
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

// fixedClass reports whether the digester looks at no className of the element.
func fixedClass(element string) bool {
	switch element {
	case "SSLHostConfig", "Certificate", "Connector", "Parameter":
		return true
	}
	return strings.HasPrefix(element, "OpenSSL")
}

// Implementations returns the classes of Tomcat in the versions that the element,
// standing in outer, may be of: className as written, "" for none; for a Connector
// its protocol. It returns nil when that cannot be told or no table has one.
func Implementations(outer, element, class string, versions Tomcat) []*ClassInfo {
	names := defaultClasses[element]
	switch {
	case element == "Connector":
		names = connectorClasses(class)
	case digesterKey(outer, element) == "Cluster/Manager":
		names = nil
	}
	if class != "" && !fixedClass(element) {
		names = []string{strings.TrimSpace(class)}
	}
	var out []*ClassInfo
	for _, n := range names {
		if info, ok := Class(n); ok && info.Versions&versions != 0 {
			out = append(out, info)
		}
	}
	return out
}

// connectorClasses returns the classes that share the attributes of a connector:
// itself, its protocol handlers and their endpoints; nil for a protocol of
// somebody else (org.apache.catalina.connector.Connector.setProperty,
// org.apache.coyote.AbstractProtocol.setProperty).
func connectorClasses(protocol string) []string {
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

// connectorAliases are attributes that older versions pass on under another name.
var connectorAliases = map[string]string{"acceptCount": "backlog", "connectionLinger": "soLinger", "connectionTimeout": "soTimeout", "rootFile": "rootfile"}

// Setter returns the kind of an attribute of an element that is of one of the
// classes, and the versions among all that have it; skip is true for names that
// the digester lets pass. With anyVersion the kind is that of some version when the
// asked ones have none.
func Setter(element string, classes []*ClassInfo, name string, versions Tomcat, anyVersion bool) (kind Kind, in Tomcat, skip bool) {
	if name == "className" || name == "optional" || name == "xmlns" || strings.Contains(name, ":") {
		return NoKind, 0, true
	}
	switch element {
	case "Connector":
		switch name {
		case "executor", "sslImplementationName", "protocol", "portOffset":
			return NoKind, 0, true
		}
		if option, ok := strings.CutPrefix(name, "socket."); ok {
			name = option
			if s, ok := Class("org.apache.tomcat.util.net.SocketProperties"); ok {
				classes = []*ClassInfo{s}
			}
		}
	case "Certificate":
		if name == "type" {
			return NoKind, 0, true
		}
	case "Context", "Host", "Engine":
		switch name {
		case "source", "path", "docBase", "configClass", "hostConfigClass", "engineConfigClass":
			return NoKind, 0, true
		}
	}
	kind, in, skip = setter(element, classes, name, versions, anyVersion)
	if alias := connectorAliases[name]; element == "Connector" && alias != "" {
		k, v, _ := setter(element, classes, alias, versions, anyVersion)
		in |= v
		if kind == NoKind {
			kind = k
		}
	}
	return kind, in, skip
}

func setter(element string, classes []*ClassInfo, name string, versions Tomcat, anyVersion bool) (kind Kind, in Tomcat, skip bool) {
	for _, info := range classes {
		if element != "Connector" && info.TakesAny(versions) && !dynamicOnly(info, name, versions) {
			return NoKind, 0, true
		}
		k, v := info.Property(name, AllTomcat)
		in |= v
		if here, v := info.Property(name, versions); v != 0 && (kind == NoKind || here == Text || kind == Other) {
			kind = here
		} else if v == 0 && k != NoKind && anyVersion {
			kind = k
		}
	}
	return kind, in, false
}

// dynamicOnly reports whether the class's setProperty refuses the name:
// SimpleTcpCluster of Tomcat 7 refuses all, ErrorReportValve all but two prefixes.
func dynamicOnly(info *ClassInfo, name string, versions Tomcat) bool {
	switch {
	case info.Is("org.apache.catalina.ha.tcp.SimpleTcpCluster", versions):
		return true
	case info.Is("org.apache.catalina.valves.ErrorReportValve", versions):
		return !strings.HasPrefix(name, "errorCode.") && !strings.HasPrefix(name, "exceptionType.")
	}
	return false
}
