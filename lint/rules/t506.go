package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var executorUndefined = &lint.Rule{
	ID: "T506", Name: "executor-undefined", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "A connector names an Executor that its Service does not define in front of it.",
		Why:  "Tomcat says nothing and gives the connector a pool of its own with the default limits; those of the Executor are lost.",
		Fix:  "Define the Executor in the same Service, above the Connector, with exactly that name.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" executor="tomcatThreadPool"/>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Executor name="tomcatThreadPool" namePrefix="exec-" maxThreads="150"/>
  <Connector port="8080" executor="tomcatThreadPool"/>
</Service></Server>`,
		Notes:  "Names compare with case. An info when the connector has both an Executor and maxThreads, which then has no effect.",
		Source: "Executor reference; ConnectorCreateRule, which asks for the name while the element is read. Tomcat 10.1.60 prints no message.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			for _, s := range n.Services {
				for _, c := range s.Connectors {
					if name := c.Executor.V; strings.TrimSpace(name) != "" && !unknown(name) {
						checkExecutor(p, s, c)
					}
				}
			}
		}
	},
}

func checkExecutor(p *lint.Pass, s *model.Service, c *model.Connector) {
	f := lint.Finding{At: c.Executor.Span, Subject: c}
	for _, x := range s.Executors {
		name := x.Attribute("name")
		switch {
		case name == nil:
			continue
		case unknown(name.Value.V):
			return
		case name.Value.V != c.Executor.V:
			if strings.EqualFold(name.Value.V, c.Executor.V) && f.Related == nil {
				f.Related = []diag.Related{lint.Related(x.At.Head(), "written otherwise: "+name.Value.V)}
			}
			continue
		case x.At.File == c.At.File && x.At.Start > c.At.Start:
			f.Message = fmt.Sprintf("executor=\"%s\" is defined behind this Connector (%s), where Tomcat does not see it: it silently uses a pool of its own and your limits are lost; move the Executor up", c.Executor.V, x.At.Short())
			f.Related = []diag.Related{lint.Related(x.At.Head(), "the Executor")}
			p.Report(f)
			return
		}
		if c.MaxThreads.IsWritten() {
			p.Report(lint.Finding{
				At: c.MaxThreads.Span, Severity: diag.Info, Subject: c,
				Message: fmt.Sprintf("maxThreads has no effect beside executor=\"%s\" (%s): the Executor's counts", c.Executor.V, x.At.Short()),
				Related: []diag.Related{lint.Related(x.At.Head(), "the Executor")},
			})
		}
		return
	}
	f.Message = fmt.Sprintf("executor=\"%s\" is not defined in this Service; Tomcat silently uses a pool of its own and your limits are lost; define it above the Connector", c.Executor.V)
	p.Report(f)
}
