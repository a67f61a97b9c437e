package rules

import (
	"fmt"
	"reflect"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var classRemoved = &lint.Rule{
	ID: "T004", Name: "class-removed", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "A className or protocol names a class that this version of Tomcat no longer has.",
		Why:  "The digester cannot make the object and the server does not start: \"Cannot start server. Server instance is not configured.\"",
		Fix:  "Delete the element, or write the class that took over, as the message says.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN">
  <Listener className="org.apache.catalina.core.JasperListener"/>
</Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN">
</Server>`,
		Notes:  "Without a declared version a warning that names the version of the removal. A Listener with optional=\"true\" is skipped by Tomcat and here.",
		Source: "Class lists of the release branches; 98 of 292 public server.xml files read still have JasperListener. Tried with Tomcat 10.1.60.",
	},
	Check: checkClasses,
}

// removal says since when a class is gone and what to do. New is the simple name
// that replaces it, "" when the element is to be deleted, "-" when there is no
// replacement that an edit could write.
type removal struct{ since, new, instead string }

var removals = map[string]removal{
	"JasperListener":                  {"8.5", "", "delete the element, nothing is needed instead"},
	"JvmRouteSessionIDBinderListener": {"8.5", "", "delete the element, JvmRouteBinderValve does it alone"},
	"MessageDispatch15Interceptor":    {"8.5", "MessageDispatchInterceptor", "write MessageDispatchInterceptor"},
	"VirtualWebappLoader":             {"8.5", "-", "use <Resources> with PreResources or JarResources"},
	"VirtualDirContext":               {"8.5", "-", "use <Resources> with PreResources or PostResources"},
	"JmxRemoteLifecycleListener":      {"9.0", "-", "set the JMX ports by the system properties of the JDK"},
	"Http11Protocol":                  {"9.0", "Http11NioProtocol", "write Http11NioProtocol"},
	"AjpProtocol":                     {"9.0", "AjpNioProtocol", "write AjpNioProtocol"},
	"JDBCRealm":                       {"10.1", "-", "use DataSourceRealm"},
	"JDBCStore":                       {"10.1", "-", "use DataSourceStore"},
	"BioReceiver":                     {"10.1", "-", "use org.apache.catalina.tribes.transport.nio.NioReceiver"},
	"PooledMultiSender":               {"10.1", "-", "use org.apache.catalina.tribes.transport.nio.PooledParallelSender"},
	"Http11AprProtocol":               {"10.1", "Http11NioProtocol", "write Http11NioProtocol"},
	"AjpAprProtocol":                  {"10.1", "AjpNioProtocol", "write AjpNioProtocol"},
	"LegacyCookieProcessor":           {"10.1", "-", "use Rfc6265CookieProcessor, the default"},
}

func checkClasses(p *lint.Pass) {
	for _, n := range p.Setup.Nodes {
		version, declared := p.TomcatVersion(n)
		eachClass(reflect.ValueOf(n), func(class model.String, element diag.Span, c *model.Component) {
			r, ok := removals[model.SimpleClass(class.V)]
			if !ok || !tomcatOwn(class.V) || declared && !lint.AtLeast(version, r.since) {
				return
			}
			if c != nil && c.Element.V == "Listener" {
				if a := c.Attribute("optional"); a != nil && a.Value.V == "true" {
					return
				}
			}
			f := lint.Finding{
				At: class.Span, Subject: element,
				Message: fmt.Sprintf("%s was removed in Tomcat %s; the server does not start; %s", model.SimpleClass(class.V), r.since, r.instead),
				Fixes:   removalFix(r, class, element),
			}
			if !declared {
				f.Message = fmt.Sprintf("%s was removed in Tomcat %s: from then on the server does not start; %s", model.SimpleClass(class.V), r.since, r.instead)
				lint.Undeclared(&f, "Tomcat")
			}
			p.Report(f)
		})
	}
}

func removalFix(r removal, class model.String, element diag.Span) []diag.Fix {
	switch r.new {
	case "-":
		return nil
	case "":
		if e, ok := deleteElement(element); ok {
			return []diag.Fix{{Message: "delete the element", Safe: true, Edits: []diag.Edit{e}}}
		}
		return nil
	}
	full := class.V[:len(class.V)-len(model.SimpleClass(class.V))] + r.new
	at := valueOf(class.Span)
	if at.Text() != class.V {
		return nil // written with references or variables
	}
	return []diag.Fix{{Message: "write " + r.new, Safe: true, Edits: []diag.Edit{{Span: at, New: full}}}}
}

// tomcatOwn keeps classes of other people that share a simple name out.
func tomcatOwn(class string) bool {
	for _, prefix := range []string{"org.apache.catalina.", "org.apache.coyote.", "org.apache.naming.", "org.apache.tomcat."} {
		if len(class) > len(prefix) && class[:len(prefix)] == prefix {
			return true
		}
	}
	return false
}

// eachClass calls f for every written class name below a part of the model: the
// Class fields of all structs, and the protocol of connectors.
func eachClass(v reflect.Value, f func(class model.String, element diag.Span, c *model.Component)) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || v.Elem().Kind() != reflect.Struct {
			return
		}
		s := v.Elem()
		for _, name := range []string{"Class", "Protocol"} {
			field := s.FieldByName(name)
			if !field.IsValid() {
				continue
			}
			if class, ok := field.Interface().(model.String); ok && class.IsWritten() {
				at, _ := s.FieldByName("At").Interface().(diag.Span)
				c, _ := v.Interface().(*model.Component)
				f(class, at, c)
			}
		}
		for i := range s.NumField() {
			eachClass(s.Field(i), f)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Pointer {
			return
		}
		for i := range v.Len() {
			eachClass(v.Index(i), f)
		}
	}
}
