package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
)

var encryptMalleable = &lint.Rule{
	ID: "T307", Name: "encrypt-malleable", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster,
	Versions: lint.Versions{Text: "Tomcat 8.5 9 10.1 11"},
	Doc: lint.Doc{
		What: "EncryptInterceptor is set to a cipher mode without authentication, such as CBC.",
		Why:  "A message can be changed on its way without the key, so the protection against replayed messages is worth nothing. New versions warn about CBC and refuse the other modes: Tomcat does not start.",
		Fix:  "Write AES/GCM/NoPadding on all nodes at the same time; nodes with different algorithms do not understand each other.",
		Bad: inEngine(exampleCluster, exampleChannel,
			exampleInterceptor("EncryptInterceptor", ` encryptionKey="${cluster.key}" encryptionAlgorithm="AES/CBC/PKCS5Padding"`),
			exampleInterceptor("TcpFailureDetector", ""), "  </Channel>", "</Cluster>"),
		Good: inEngine(exampleCluster, exampleChannel,
			exampleInterceptor("EncryptInterceptor", ` encryptionKey="${cluster.key}" encryptionAlgorithm="AES/GCM/NoPadding"`),
			exampleInterceptor("TcpFailureDetector", ""), "  </Channel>", "</Cluster>"),
		Notes:  "Only for a written algorithm whose mode is known. Not for a declared Tomcat 7, which has no such interceptor.",
		Source: "Channel interceptor reference, EncryptInterceptor. Tried with the class of Tomcat 10.1.60: CBC gives a warning, CTR, OFB, CFB, ECB, PCBC and CTS an exception.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range placedClusters(p) {
			version, declared := p.TomcatVersion(c.node)
			if c.Channel == nil || declared && !lint.AtLeast(version, "8.5") {
				continue
			}
			for _, i := range c.Channel.Interceptors {
				a := i.Attribute("encryptionAlgorithm")
				if a == nil || !isClass(i.Class.V, "EncryptInterceptor") || unknown(a.Value.V) {
					continue
				}
				if what := weakMode(a.Value.V); what != "" {
					p.Report(lint.Finding{
						At: a.Value.Span, Subject: i,
						Message: fmt.Sprintf("%s %s; write AES/GCM/NoPadding on all nodes at once", strings.TrimSpace(a.Value.V), what),
					})
				}
			}
		}
	},
}

// weakMode says what is wrong with the mode of a transformation NAME/MODE/PADDING,
// "" when nothing is known to be.
func weakMode(transformation string) string {
	parts := strings.Split(strings.ToUpper(strings.TrimSpace(transformation)), "/")
	if len(parts) < 2 {
		return ""
	}
	switch mode := strings.TrimRight(parts[1], "0123456789"); mode {
	case "CBC", "CTR", "OFB", "CFB":
		if mode == "CBC" {
			return "is malleable, so the protection against replayed messages does not work"
		}
		return "is malleable, so the protection against replayed messages does not work, and new versions do not start with it"
	case "ECB", "PCBC", "CTS":
		return "is no mode that EncryptInterceptor supports; Tomcat does not start"
	}
	return ""
}
