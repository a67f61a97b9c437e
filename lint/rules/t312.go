package rules

import (
	"fmt"
	"maps"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

var duplicateInterceptor = &lint.Rule{
	ID: "T312", Name: "duplicate-interceptor", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "The same interceptor stands twice in one Channel.",
		Why:  "Every message passes it twice: detectors check twice, queues are put behind queues, encryption is done two times. Nobody wants that; most often a part was pasted.",
		Fix:  "Delete the second one.",
		Bad: inEngine(exampleCluster, exampleChannel,
			exampleInterceptor("TcpFailureDetector", ""),
			exampleInterceptor("MessageDispatchInterceptor", ""),
			exampleInterceptor("TcpFailureDetector", ""), "  </Channel>", "</Cluster>"),
		Good: inEngine(exampleCluster, exampleChannel,
			exampleInterceptor("TcpFailureDetector", ""),
			exampleInterceptor("MessageDispatchInterceptor", ""), "  </Channel>", "</Cluster>"),
		Notes:  "StaticMembershipInterceptor may be repeated, and a foreign interceptor with other attributes. The fix is offered when the attributes are equal.",
		Source: "GroupChannel.addInterceptor chains whatever it is given.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range placedClusters(p) {
			if c.Channel == nil {
				continue
			}
			first := map[string]*model.Interceptor{}
			for _, i := range c.Channel.Interceptors {
				class := i.Class.V
				if class == "" || unknown(class) || model.SimpleClass(class) == "StaticMembershipInterceptor" {
					continue
				}
				before := first[class]
				if before == nil {
					first[class] = i
					continue
				}
				doc := p.Tomcat[c.node]
				equal := sameAttributes(elementOf(doc, before.At), elementOf(doc, i.At))
				if isForeign(class) && !equal {
					continue
				}
				f := lint.Finding{
					At: i.At.Head(), Subject: i,
					Message: fmt.Sprintf("%s is listed twice (%s); every message passes both; delete one", model.SimpleClass(class), before.At.Short()),
					Related: []diag.Related{lint.Related(before.At.Head(), "the first one")},
				}
				if equal {
					e, ok := removeElement(elementOf(doc, i.At))
					f.Fixes = safeFix("delete the second one", ok, e)
				}
				p.Report(f)
			}
		}
	},
}

// sameAttributes reports whether two elements without children have the same attributes.
func sameAttributes(a, b *tomcat.Element) bool {
	if a == nil || b == nil || len(a.Children)+len(b.Children) > 0 {
		return false
	}
	return maps.Equal(attributeMap(a), attributeMap(b))
}

func attributeMap(e *tomcat.Element) map[string]string {
	m := map[string]string{}
	for i := range e.Attrs {
		m[e.Attrs[i].Name] = e.Attrs[i].Value
	}
	return m
}
