package rules

import (
	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

const detectorTag = `<Interceptor className="` + interceptors + `TcpFailureDetector"/>`

var noFailureDetector = &lint.Rule{
	ID: "T308", Name: "no-failure-detector", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "The Channel lists interceptors, but TcpFailureDetector is not among them.",
		Why:  "Tomcat adds its own interceptors only to a channel that lists none. Without the detector a member is dropped as soon as its heartbeats are late, though it is alive and answers.",
		Fix:  "Add TcpFailureDetector, behind EncryptInterceptor when there is one.",
		Bad: inEngine(exampleCluster, exampleChannel,
			exampleInterceptor("MessageDispatchInterceptor", ""), "  </Channel>", "</Cluster>"),
		Good: inEngine(exampleCluster, exampleChannel,
			exampleInterceptor("TcpFailureDetector", ""),
			exampleInterceptor("MessageDispatchInterceptor", ""), "  </Channel>", "</Cluster>"),
		Notes:  "Silent for a channel without interceptors, with a membership other than McastService, and with a foreign interceptor that is named like a failure detector.",
		Source: "SimpleTcpCluster.checkDefaults; Membership reference, dropTime.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range placedClusters(p) {
			ch := c.Channel
			if ch == nil || len(ch.Interceptors) == 0 || hasInterceptor(c.Cluster, "FailureDetector") {
				continue
			}
			if m := ch.Membership; m != nil && m.Class.V != "" && model.SimpleClass(m.Class.V) != "McastService" {
				continue
			}
			f := lint.Finding{
				At: ch.At.Head(), Subject: ch,
				Message: "the Channel lists interceptors, so the defaults are gone, and TcpFailureDetector is not among them: a few lost heartbeats drop a live member; add it",
			}
			last := ch.Interceptors[len(ch.Interceptors)-1]
			e, ok := xmlBefore(last.At, detectorTag), last.At.IsValid()
			if isClass(last.Class.V, "EncryptInterceptor") { // must stand before the detector
				e, ok = xmlAfter(elementOf(p.Tomcat[c.node], last.At), detectorTag)
			}
			f.Fixes = safeFix("add TcpFailureDetector", ok, e)
			p.Report(f)
		}
	},
}
