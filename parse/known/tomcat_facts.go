package known

import (
	"slices"
	"strings"
	"sync"
)

// corrections are defaults that the manual words otherwise than the generator
// understands, leaves out, or has wrong: class, attribute and what a new object of
// the class answers in Tomcat 10.1.60. Those with versions hold for these only.
// The manual has the buffer sizes of the receiver's datagrams the wrong way round
// and says that sockets of senders linger, which none does.
var corrections = []struct {
	class, attribute, value string
	versions                Tomcat // 0: all
}{
	{"NioReceiver", "direct", "true", 0},
	{"NioReceiver", "ooBInline", "true", 0},
	{"NioReceiver", "securePort", "-1", 0},
	{"NioReceiver", "soKeepAlive", "false", 0},
	{"NioReceiver", "soReuseAddress", "true", 0},
	{"NioReceiver", "udpPort", "-1", 0},
	{"NioReceiver", "udpRxBufSize", "65536", T85 | T9 | T101 | T11},
	{"NioReceiver", "udpTxBufSize", "25188", T85 | T9 | T101 | T11},
	{"NioReceiver", "useBufferPool", "true", 0},
	{"BioReceiver", "securePort", "-1", 0},
	{"BioReceiver", "udpPort", "-1", 0},
	{"PooledParallelSender", "ooBInline", "true", 0},
	{"PooledParallelSender", "soKeepAlive", "false", 0},
	{"PooledParallelSender", "soLingerOn", "false", 0},
	{"PooledParallelSender", "soReuseAddress", "true", 0},
	{"PooledParallelSender", "soTrafficClass", "28", 0},
	{"PooledMultiSender", "soLingerOn", "false", 0},
	{"PooledMultiSender", "soTrafficClass", "28", 0},
	{"DeltaManager", "notifyContainerListenersOnReplication", "true", 0},
	{"DeltaManager", "notifyListenersOnReplication", "true", 0},
	{"DeltaManager", "notifySessionListenersOnReplication", "true", 0},
	{"BackupManager", "notifyListenersOnReplication", "true", 0},
	{"PersistentManager", "maxIdleBackup", "-1", 0},
	{"PersistentManager", "maxIdleSwap", "-1", 0},
	{"PersistentManager", "processExpiresFrequency", "6", 0},
	{"ReplicationValve", "primaryIndicator", "false", 0},
	{"HTTP/1.1", "compression", "off", 0},
	{"HTTP/1.1", "enableLookups", "false", 0},
	{"HTTP/1.1", "proxyPort", "0", 0},
	{"HTTP/1.1", "redirectPort", "443", 0},
	{"HTTP/1.1", "maxHttpRequestHeaderSize", "maxHttpHeaderSize", 0},
	{"HTTP/1.1", "maxHttpResponseHeaderSize", "maxHttpHeaderSize", 0},
	{"AJP/1.3", "enableLookups", "false", 0},
	{"AJP/1.3", "keepAliveTimeout", "connectionTimeout", 0},
	{"AJP/1.3", "proxyPort", "0", 0},
	{"AJP/1.3", "redirectPort", "443", 0},
	{"StandardContext", "backgroundProcessorDelay", "-1", 0},
	{"StandardContext", "cookies", "true", 0},
	{"StandardContext", "override", "false", 0},
	{"StandardContext", "privileged", "false", 0},
	{"StandardContext", "reloadable", "false", 0},
	{"StandardContext", "sendRedirectBody", "false", 0},
	{"StandardContext", "tldValidation", "false", 0},
	{"StandardContext", "useRelativeRedirects", "true", T85 | T9 | T101 | T11},
	{"StandardContext", "xmlNamespaceAware", "false", 0},
	{"StandardContext", "xmlValidation", "false", 0},
	{"StandardEngine", "backgroundProcessorDelay", "10", 0},
	{"StandardHost", "backgroundProcessorDelay", "-1", 0},
	{"RemoteIpValve", "internalProxies", "", T11},
}

// elementTable is the generated table with the corrections.
var elementTable = sync.OnceValue(func() []ElementInfo {
	table := slices.Clone(elements[:])
	for i := range table {
		e := &table[i]
		copied := false
		for _, c := range corrections {
			if c.class != e.SimpleClass() && c.class != e.Class {
				continue
			}
			if !copied {
				copied, e.Attributes = true, slices.Clone(e.Attributes)
			}
			for j := range e.Attributes {
				if a := &e.Attributes[j]; strings.EqualFold(a.Name, c.attribute) {
					a.Facts = correct(a.Facts, c.value, c.versions)
				}
			}
		}
	}
	return table
})

// correct gives facts another default in the versions (0: all of them).
func correct(facts []Fact, value string, versions Tomcat) []Fact {
	if versions == 0 {
		versions = AllTomcat
	}
	var out []Fact
	for _, f := range facts {
		if rest := f.Versions &^ versions; rest != 0 {
			out = append(out, Fact{rest, f.Required, f.Default})
		}
		if same := f.Versions & versions; same != 0 {
			n := len(out) - 1
			if n >= 0 && out[n].Default == value && out[n].Required == f.Required {
				out[n].Versions |= same
				continue
			}
			out = append(out, Fact{same, f.Required, value})
		}
	}
	return out
}
