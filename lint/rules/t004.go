package rules

import (
	"fmt"
	"reflect"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/known"
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
		Notes:  "Some classes went in the middle of a branch: JmxRemoteLifecycleListener in 8.5.75 and 9.0.58. Without a declared version a warning that names the version of the removal. A Listener with optional=\"true\" is skipped by Tomcat and here.",
		Source: "Class lists of the release branches; 98 of 292 public server.xml files read still have JasperListener. Tried with Tomcat 10.1.60.",
	},
	Check: checkClasses,
}

// removal says since when a class is gone and what to do. New is the class that
// replaces it: a simple name in the same package or a full name; "" when the element
// is to be deleted, "-" when there is no replacement that an edit could write.
// Branches name the release of a branch that lost it between two minor versions.
type removal struct {
	since, new, instead string
	branches            map[string]string
}

var removals = map[string]removal{
	"ServerLifecycleListener":         {since: "7.0", instead: "delete the element, nothing is needed instead"},
	"JasperListener":                  {since: "8.0", instead: "delete the element, nothing is needed instead"},
	"JvmRouteSessionIDBinderListener": {since: "8.0", instead: "delete the element, JvmRouteBinderValve does it alone"},
	"MessageDispatch15Interceptor":    {since: "8.0", new: "MessageDispatchInterceptor", instead: "write MessageDispatchInterceptor"},
	"VirtualWebappLoader":             {since: "8.0", new: "-", instead: "use <Resources> with PreResources or JarResources"},
	"VirtualDirContext":               {since: "8.0", new: "-", instead: "use <Resources> with PreResources or PostResources"},
	"JmxRemoteLifecycleListener":      {since: "10.0", new: "-", instead: "set the JMX ports by the system properties of the JDK", branches: map[string]string{"8": "8.5.75", "9": "9.0.58"}},
	"Http11Protocol":                  {since: "9.0", new: "Http11NioProtocol", instead: "write Http11NioProtocol"},
	"AjpProtocol":                     {since: "9.0", new: "AjpNioProtocol", instead: "write AjpNioProtocol"},
	"JDBCRealm":                       {since: "10.0", new: "-", instead: "use DataSourceRealm"},
	"JDBCStore":                       {since: "10.0", new: "-", instead: "use DataSourceStore"},
	"BioReceiver":                     {since: "10.0", new: "org.apache.catalina.tribes.transport.nio.NioReceiver", instead: "use org.apache.catalina.tribes.transport.nio.NioReceiver"},
	"PooledMultiSender":               {since: "10.0", new: "org.apache.catalina.tribes.transport.nio.PooledParallelSender", instead: "use org.apache.catalina.tribes.transport.nio.PooledParallelSender"},
	"Http11AprProtocol":               {since: "10.1", new: "Http11NioProtocol", instead: "write Http11NioProtocol"},
	"AjpAprProtocol":                  {since: "10.1", new: "AjpNioProtocol", instead: "write AjpNioProtocol"},
	"LegacyCookieProcessor":           {since: "10.1", new: "-", instead: "use Rfc6265CookieProcessor, the default"},
}

// removedIn returns the version from which on the class is gone, "" when the
// version still has it; without a declared version that of the newest branch.
func (r removal) removedIn(version string, declared bool) string {
	if declared {
		major, _, _ := strings.Cut(version, ".")
		if since, ok := r.branches[major]; ok && lint.AtLeast(version, since) {
			return since
		}
		if !lint.AtLeast(version, r.since) {
			return ""
		}
	}
	return r.since
}

// removalOf finds what is known about a class that is gone: the list above, else
// the classes of the branches.
func removalOf(class string) (removal, bool) {
	if !tomcatOwn(class) {
		return removal{}, false
	}
	if r, ok := removals[model.SimpleClass(class)]; ok {
		return r, true
	}
	info, ok := known.Class(class)
	if !ok || info.Versions&known.T11 != 0 {
		return removal{}, false
	}
	since := ""
	for _, b := range []struct {
		bit     known.Tomcat
		version string
	}{{known.T11, "11.0"}, {known.T101, "10.1"}, {known.T9, "9.0"}, {known.T85, "8.5"}} {
		if info.Versions&b.bit != 0 {
			break
		}
		since = b.version
	}
	return removal{since: since, new: "-", instead: "it has no successor of that name"}, true
}

func checkClasses(p *lint.Pass) {
	for _, n := range p.Setup.Nodes {
		version, declared := p.TomcatVersion(n)
		eachClass(reflect.ValueOf(n), func(class model.String, element diag.Span, c *model.Component) {
			r, ok := removalOf(class.V)
			since := r.removedIn(version, declared)
			if !ok || since == "" {
				return
			}
			if c != nil && c.Element.V == "Listener" {
				if a := c.Attribute("optional"); a != nil && a.Value.V == "true" {
					return
				}
			}
			f := lint.Finding{
				At: class.Span, Subject: element,
				Message: fmt.Sprintf("%s was removed in Tomcat %s; the server does not start; %s", model.SimpleClass(class.V), since, r.instead),
				Fixes:   removalFix(r, class, element),
			}
			if !declared {
				f.Message = fmt.Sprintf("%s was removed in Tomcat %s: from then on the server does not start; %s", model.SimpleClass(class.V), since, r.instead)
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
	full := r.new
	if !strings.Contains(full, ".") {
		full = class.V[:len(class.V)-len(model.SimpleClass(class.V))] + r.new
	}
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
