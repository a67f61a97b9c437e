package rules

import (
	"fmt"
	"strconv"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/known"
	"clowder/parse/tomcat"
)

var badValue = &lint.Rule{
	ID: "T006", Name: "bad-value", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Syntax, Versions: everyTomcat,
	Doc: lint.Doc{
		What:   "An attribute that takes a number has another text, a port is out of range, or a truth value is neither true nor false.",
		Why:    "Tomcat warns and goes on with the default, so that nobody listens where httpd connects. Every text but \"true\" counts as false without a word.",
		Fix:    "Write a whole number, a port from 0 to 65535, or true or false.",
		Bad:    `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Connector port="8O09" protocol="AJP/1.3" secret="a-long-word"/></Service></Server>`,
		Good:   `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Connector port="8009" protocol="AJP/1.3" secret="a-long-word"/></Service></Server>`,
		Notes:  "A truth value is a warning. -1 as a port means none, 0 any free one. Values of templates, such as @PORT@ or HTTP_PORT, are passed over. Values with ${...} are looked at after substitution only, and not at all when a property is not known. channelSendOptions may be names from Tomcat 9 on. Silent for somebody else's classes.",
		Source: "IntrospectionUtils.setProperty: Integer.valueOf, Long.valueOf, Boolean.valueOf. Tried with Tomcat 10.1.60.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range configs(p) {
			c.elements(func(e *tomcat.Element, classes []*known.ClassInfo) {
				for i := range e.Attrs {
					a := &e.Attrs[i]
					if kind, versions, skip := c.property(e, classes, a.Name); !skip && versions&c.bits != 0 && !unknown(a.Value) {
						checkValue(p, a, kind)
					}
				}
			})
		}
	},
}

// checkValue reports a value that the digester cannot turn into its kind. Numbers
// that the lowering needed have been reported by it.
func checkValue(p *lint.Pass, a *tomcat.Attr, kind known.Kind) {
	if tomcat.Placeholder(a.Value) {
		return
	}
	var err error
	switch kind {
	case known.Whole:
		_, err = strconv.ParseInt(a.Value, 10, 32)
	case known.Long:
		_, err = strconv.ParseInt(a.Value, 10, 64)
	case known.Truth:
		if !strings.EqualFold(a.Value, "true") && !strings.EqualFold(a.Value, "false") {
			p.Report(lint.Finding{At: a.Span, Subject: a, Severity: diag.Warning,
				Message: fmt.Sprintf("`%s=\"%s\"` counts as false: only the word true is true", a.Name, a.Value)})
		}
		return
	}
	if err == nil || p.ParserFound("T006", "`"+a.Name+"=", a.Span) {
		return
	}
	what := tomcat.NumberFault(a.Value)
	p.Report(lint.Finding{At: a.Span, Subject: a,
		Message: fmt.Sprintf("`%s=\"%s\"` %s; Tomcat warns and goes on with the default", a.Name, a.Value, what)})
}

var undefinedProperty = &lint.Rule{
	ID: "T008", Name: "undefined-property", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Syntax, Versions: everyTomcat,
	Doc: lint.Doc{
		What:   "A ${name} has no default and is in none of the property files given.",
		Why:    "Tomcat leaves the text as it is, which is no port and no address. clowder cannot tell what the value will be.",
		Fix:    "Give catalina.properties too, set the property with -D in CATALINA_OPTS, or write a default: ${name:-value}.",
		Bad:    `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Connector port="${ajp.port}" protocol="AJP/1.3" secret="a-long-word"/></Service></Server>`,
		Good:   `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Connector port="${ajp.port:-8009}" protocol="AJP/1.3" secret="a-long-word"/></Service></Server>`,
		Notes:  "Properties that begin with catalina., java., user. or os. are set by Tomcat and its JVM.",
		Source: "Tomcat's configuration reference, introduction; IntrospectionUtils.replaceProperties.",
	},
}
