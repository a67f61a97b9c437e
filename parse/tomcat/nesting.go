package tomcat

import "strings"

// nesting lists the elements that Tomcat's digester rules accept inside each
// element (org.apache.catalina.startup.Catalina, EngineRuleSet, HostRuleSet,
// ContextRuleSet, NamingRuleSet, RealmRuleSet, ha.ClusterRuleSet). It serves to
// close elements whose end tag is missing.
var nesting = parseNesting(`
Server: Listener GlobalNamingResources Service
GlobalNamingResources: Ejb Environment LocalEjb Resource ResourceEnvRef ResourceLink ServiceRef Transaction
Service: Connector Executor Engine Listener
Connector: Listener UpgradeProtocol SSLHostConfig
SSLHostConfig: Certificate OpenSSLConf
OpenSSLConf: OpenSSLConfCmd
Engine: Cluster Realm Host Valve Listener
Host: Alias Cluster Context Listener Realm Valve
Context: Ejb Environment LocalEjb Resource ResourceEnvRef ResourceLink ServiceRef Transaction Listener Loader Manager Parameter Realm Resources Valve WatchedResource WrapperLifecycle WrapperListener JarScanner CookieProcessor InstanceListener
Manager: Store SessionIdGenerator
Cluster: Manager Channel Valve Deployer Listener ClusterListener
Channel: Membership Sender Receiver Interceptor Listener ChannelListener MembershipListener
Membership: Member LocalMember
Interceptor: Member LocalMember
Sender: Transport
Realm: Realm CredentialHandler
CredentialHandler: CredentialHandler
Resources: PreResources JarResources PostResources
JarScanner: JarScanFilter
Listener:
Executor:
Valve:
ClusterListener:
Deployer:
Transport:
Receiver:
Alias:
Member:
LocalMember:
Store:
Resource:
Environment:
UpgradeProtocol:
Certificate:
`)

var nestingChildren = func() map[string]bool {
	all := map[string]bool{}
	for _, kids := range nesting {
		for k := range kids {
			all[k] = true
		}
	}
	return all
}()

func parseNesting(s string) map[string]map[string]bool {
	m := map[string]map[string]bool{}
	for line := range strings.Lines(s) {
		parent, kids, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		m[parent] = map[string]bool{}
		for _, k := range strings.Fields(kids) {
			m[parent][k] = true
		}
	}
	return m
}

// accepts reports whether child may stand in parent as far as that is known.
func accepts(parent, child string) bool {
	kids, known := nesting[parent]
	return !known || !nestingChildren[child] || kids[child]
}
