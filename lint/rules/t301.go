package rules

import (
	"fmt"
	"net/netip"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
)

var receiverAddressAuto = &lint.Rule{
	ID: "T301", Name: "receiver-address-auto", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, YieldsTo: []string{"X311"},
	Doc: lint.Doc{
		What:   "The Receiver of the cluster has the address auto, or none, which is the same.",
		Why:    "It is what the host name resolves to. Where /etc/hosts gives it a loopback address, the node announces one that other machines cannot reach, and everything looks well.",
		Fix:    "Write the address of the network between the nodes.",
		Bad:    inCluster("", `    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="auto" port="4000"/>`),
		Good:   inCluster("", `    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.11" port="4000"/>`),
		Notes:  "An info: 25 of 33 public receivers read say auto. Silent when all nodes are on one host, and where X311 speaks.",
		Source: "Cluster how-to; ReceiverBase.getBind. Tried with Tomcat 10.1.60 in a container: bound to 127.0.0.1:4000.",
	},
	Check: func(p *lint.Pass) {
		if oneMachine(p) {
			return
		}
		for _, c := range allClusters(p) {
			if !strings.EqualFold(c.EffectiveChannel().Receiver.Address.V, "auto") {
				continue
			}
			f := lint.Finding{At: c.At.Head(), Subject: c.Cluster,
				Message: "Receiver address auto is what the host name resolves to; on many systems that is a loopback address, which other machines cannot reach"}
			if c.Channel != nil && c.Channel.Receiver != nil {
				f.At = c.Channel.Receiver.At.Head()
			}
			p.Report(f)
		}
	},
}

var autoBindOne = &lint.Rule{
	ID: "T302", Name: "autobind-one", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What:   "The autoBind of a Receiver is below 1.",
		Why:    "It does not turn binding off, and gives no range: the Receiver tries its port once, as with 1, and Tomcat does not start when the port is taken.",
		Fix:    "Write autoBind=\"1\", which says what happens.",
		Bad:    inCluster("", `    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.11" port="4000" autoBind="0"/>`),
		Good:   inCluster("", `    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.11" port="4000" autoBind="1"/>`),
		Notes:  "One try is a good choice when ports are given out by hand.",
		Source: "ReceiverBase.setAutoBind. Tried with Tomcat 10.1.60: with 0 a second node on a taken port does not start.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			if c.Channel == nil || c.Channel.Receiver == nil {
				continue
			}
			if r := c.Channel.Receiver; r.AutoBind.IsWritten() && r.AutoBind.V < 1 {
				p.Report(lint.Finding{At: r.AutoBind.Span, Subject: r,
					Message: fmt.Sprintf("autoBind=\"%d\" means one try only (values below 1 count as 1)", r.AutoBind.V)})
			}
		}
	},
}

const (
	exampleEncrypt = `    <Interceptor className="org.apache.catalina.tribes.group.interceptors.EncryptInterceptor" encryptionKey="cafebabedeadbeef0123456789abcdef"/>`
	exampleNoKey   = `    <Interceptor className="org.apache.catalina.tribes.group.interceptors.EncryptInterceptor"/>`
)

var encryptAfterDetector = &lint.Rule{
	ID: "T303", Name: "encrypt-after-detector", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What:   "An EncryptInterceptor is listed behind the TcpFailureDetector.",
		Why:    "Tomcat refuses to start: \"EncryptInterceptor must be upstream of TcpFailureDetector\".",
		Fix:    "List it before the detector.",
		Bad:    inCluster("", exampleDetector+"\n"+exampleEncrypt),
		Good:   inCluster("", exampleEncrypt+"\n"+exampleDetector),
		Notes:  "Releases of a branch from before the check corrupt messages instead.",
		Source: "EncryptInterceptor.start, in all branches. Tried with Tomcat 10.1.60: ChannelConfigException, and the server stops.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			detector, first := c.interceptor("TcpFailureDetector")
			encrypt, at := c.interceptor("EncryptInterceptor")
			if detector == nil || encrypt == nil || at < first {
				continue
			}
			p.Report(lint.Finding{At: encrypt.At.Head(), Subject: encrypt,
				Message: fmt.Sprintf("EncryptInterceptor must be listed before TcpFailureDetector (line %d); Tomcat refuses to start", detector.At.Begin().Line),
				Related: []diag.Related{lint.Related(detector.At.Head(), "the detector")},
				Fixes:   moveElement(p, encrypt.At, detector.At, false, "move it before TcpFailureDetector")})
		}
	},
}

var encryptKeyBad = &lint.Rule{
	ID: "T304", Name: "encrypt-key-bad", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What:   "An EncryptInterceptor has no encryptionKey, or one that is not 16, 24 or 32 bytes in hexadecimal digits.",
		Why:    "Tomcat does not start: \"Encryption key is required\", or the cipher refuses the length.",
		Fix:    "Write 32, 48 or 64 hexadecimal digits, the same on all nodes, best by a ${property} from a file that only Tomcat reads.",
		Bad:    inCluster("", exampleNoKey+"\n"+exampleDetector),
		Good:   inCluster("", exampleEncrypt+"\n"+exampleDetector),
		Notes:  "The key is never shown. Silent for a ${...} that is not known. The length is checked for AES, the default algorithm, only.",
		Source: "EncryptInterceptor: setEncryptionKey, createEncryptionManager. Tried with Tomcat 10.1.60.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			if c.Channel == nil {
				continue
			}
			for _, i := range c.Channel.Interceptors {
				if !strings.HasSuffix(i.Class.V, ".EncryptInterceptor") {
					continue
				}
				key, algorithm := "", "AES"
				if a := i.Attribute("encryptionKey"); a != nil {
					key = a.Value.V
				}
				if a := i.Attribute("encryptionAlgorithm"); a != nil {
					algorithm = a.Value.V
				}
				if what := keyFault(key, algorithm); what != "" {
					p.Report(lint.Finding{At: i.At.Head(), Subject: i,
						Message: fmt.Sprintf("encryptionKey is %s; it must be hex of 16, 24 or 32 bytes, or Tomcat does not start", what)})
				}
			}
		}
	},
}

// keyFault says what is wrong with a key, without showing it.
func keyFault(key, algorithm string) string {
	key = strings.TrimSpace(key)
	digits := strings.Trim(key, "0123456789abcdefABCDEF")
	name, _, _ := strings.Cut(strings.ToUpper(algorithm), "/")
	switch n := len(key); {
	case unknown(key):
		return ""
	case n == 0:
		return "missing"
	case digits != "":
		return "not written in hexadecimal digits"
	case n%2 == 1:
		return fmt.Sprintf("of %d hexadecimal digits, which is no whole number of bytes", n)
	case name == "AES" && n != 32 && n != 48 && n != 64:
		return fmt.Sprintf("of %d bytes", n/2)
	}
	return ""
}

// publicAddress reports whether a literal address can be reached from the Internet:
// not private, loopback, link-local or the wildcard. Names and ${...} are not.
func publicAddress(address string) bool {
	a, err := netip.ParseAddr(strings.Trim(strings.TrimSpace(address), "[]"))
	return err == nil && a.Unmap().IsGlobalUnicast() && !a.Unmap().IsPrivate()
}

var clusterNotEncrypted = &lint.Rule{
	ID: "T305", Name: "cluster-not-encrypted", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, YieldsTo: []string{"T306"},
	Doc: lint.Doc{
		What:   "The channel of a cluster has no EncryptInterceptor.",
		Why:    "Whoever reaches the Receiver can read sessions, and send objects that Tomcat deserializes.",
		Fix:    "Keep the Receivers in a network of their own, or list an EncryptInterceptor before the TcpFailureDetector on all nodes.",
		Bad:    inCluster("", exampleDetector),
		Good:   inCluster("", exampleEncrypt+"\n"+exampleDetector),
		Notes:  "An info: 58 of 59 public clusters read have none. One finding for all nodes with the same multicast group or static members. A warning when the multicast leaves by a public address. Silent where the Receiver has a public address, which is T306, and with an interceptor that is not Tomcat's own.",
		Source: "Cluster how-to and security considerations, Cluster.",
	},
	Check: func(p *lint.Pass) {
		said := map[string]bool{}
		for _, c := range allClusters(p) {
			if encrypt, _ := c.interceptor("EncryptInterceptor"); encrypt != nil || c.hasForeignInterceptor() {
				continue
			}
			group := "static"
			if m := c.EffectiveChannel().Membership; c.mcast() {
				group = fmt.Sprintf("%s:%d", m.Address.V, m.Port.V)
			}
			if said[group] {
				continue
			}
			ch := c.EffectiveChannel()
			if publicAddress(ch.Receiver.Address.V) {
				continue // T306
			}
			said[group] = true
			f := lint.Finding{At: c.At.Head(), Subject: c.Cluster,
				Message: "cluster messages are neither encrypted nor authenticated; fine only on a trusted network"}
			if publicAddress(ch.Membership.Bind.V) {
				f.Severity = diag.Warning
				f.Message += fmt.Sprintf(", and the heartbeats leave by the public address %s", ch.Membership.Bind.V)
			}
			p.Report(f)
		}
	},
}
