package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var encryptionMismatch = &lint.Rule{
	ID: "X307", Name: "encryption-mismatch", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: lint.Versions{Tomcat: lint.Range{From: "8.5"}, Text: "Tomcat 8.5 9 10.1 11"},
	Doc: lint.Doc{
		What: "The nodes of one cluster do not encrypt alike: only some have an EncryptInterceptor, or key or algorithm differ.",
		Why:  "A node cannot read what the others send: \"Failed to decrypt message\" or \"Unable to deserialize message\" per message, nothing is replicated, and starts wait 60 s for the state.",
		Fix:  "Write the same EncryptInterceptor with the same key and algorithm on all nodes.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080" route=s1
    BalancerMember "http://10.0.0.12:8080" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.EncryptInterceptor" encryptionKey="00112233445566778899aabbccddeeff"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.EncryptInterceptor" encryptionKey="ffeeddccbbaa99887766554433221100"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080" route=s1
    BalancerMember "http://10.0.0.12:8080" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.EncryptInterceptor" encryptionKey="00112233445566778899aabbccddeeff"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.EncryptInterceptor" encryptionKey="00112233445566778899aabbccddeeff"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "Hexadecimal keys are compared without case. ${...} of one name counts as equal; one against a written key is not judged. Keys are never printed. A missing algorithm is AES/GCM/NoPadding in 10.1.60 and AES/CBC/PKCS5Padding in older releases; without a declared version it is compared with another missing one only. When most nodes agree, the others are reported.",
		Source: "Interceptor reference, EncryptInterceptor. Tried with Tomcat 10.1.60.",
	},
	Check: checkEncryption,
}

func checkEncryption(p *lint.Pass) {
	for _, g := range clusterGroups(p) {
		if version, declared := p.TomcatVersion(g[0].Node); declared && !p.Rule.Versions.Tomcat.Contains(version) {
			continue
		}
		reported := map[int]bool{}
		for _, what := range []string{"", "encryptionAlgorithm", "encryptionKey"} {
			ref, odd := oddOnes(len(g), func(i int) (string, bool) { return encryption(p, g[i], what) })
			for _, i := range odd {
				if reported[i] || unknownSide(p, g[i], what) || unknownSide(p, g[ref], what) {
					continue
				}
				reported[i] = true
				reportEncryption(p, g[i], g[ref], what)
			}
		}
	}
}

func reportEncryption(p *lint.Pass, x, y peer, what string) {
	subject := what + " differs between %s and %s (%s)"
	switch {
	case what != "":
	case interceptor(x.cluster, "EncryptInterceptor") == nil:
		subject = "%s has no EncryptInterceptor, %s (%s) has one"
	default:
		subject = "%s has an EncryptInterceptor, %s (%s) has none"
	}
	reportPeer(p, x, y, lint.Finding{
		At:      encryptPlace(x.cluster),
		Message: fmt.Sprintf(subject, x.Name.V, y.Name.V, encryptPlace(y.cluster).Short()) + ": messages cannot be read, no replication; write the same on all nodes",
		Related: []diag.Related{lint.Related(encryptPlace(y.cluster), "node "+y.Name.V)},
	})
}

// defaultEncryption is the encryptionAlgorithm of a node that writes none
// (EncryptInterceptor.DEFAULT_ENCRYPTION_ALGORITHM, changed in 2026). 10.1.60
// has the new one; where the version does not tell on which side of the change the
// node is, the answer is a ${...}, which is compared with its like only.
func defaultEncryption(p *lint.Pass, n *model.Node) string {
	const before, since, open = "aes/cbc/pkcs5padding", "aes/gcm/nopadding", "${default}"
	version, declared := p.TomcatVersion(n)
	switch {
	case !declared:
		return open
	case !lint.AtLeast(version, "9"):
		return before
	case lint.AtLeast(version, "11"):
		return pick(version, "11.0.20", "11.0.30", before, since, open)
	case lint.AtLeast(version, "10"):
		return pick(version, "10.1.50", "10.1.60", before, since, open)
	}
	return pick(version, "9.0.110", "9.0.125", before, since, open)
}

// pick chooses by version: before below the first, since from the second on.
func pick(version, first, second, before, since, between string) string {
	switch {
	case !lint.AtLeast(version, first):
		return before
	case lint.AtLeast(version, second):
		return since
	}
	return between
}

// encryption returns one attribute of the cluster's EncryptInterceptor in a form
// for comparison, or whether there is one for "".
func encryption(p *lint.Pass, x peer, what string) (string, bool) {
	i := interceptor(x.cluster, "EncryptInterceptor")
	if what == "" {
		return fmt.Sprint(i != nil), true
	}
	if i == nil {
		return "", false
	}
	value := ""
	if a := i.Attribute(what); a != nil {
		value = a.Value.V
	} else if what == "encryptionAlgorithm" {
		value = defaultEncryption(p, x.Node)
	}
	if !unknown(value) {
		value = strings.ToLower(strings.TrimSpace(value))
	}
	return value, true
}

func unknownSide(p *lint.Pass, x peer, what string) bool {
	value, _ := encryption(p, x, what)
	return what != "" && unknown(value)
}

// encryptPlace is the tag of the EncryptInterceptor, else of what lacks it.
func encryptPlace(c *model.Cluster) diag.Span {
	if i := interceptor(c, "EncryptInterceptor"); i != nil {
		return i.At.Head()
	}
	if c.Channel != nil {
		return c.Channel.At.Head()
	}
	return c.At.Head()
}
