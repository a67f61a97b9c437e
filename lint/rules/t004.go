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

// removedIn returns the version from which on the class is gone, "" when the
// version still has it; without a declared version that of the newest branch.
func removedIn(r known.Removal, version string, declared bool) string {
	if declared {
		major, _, _ := strings.Cut(version, ".")
		if since, ok := r.Branches[major]; ok && lint.AtLeast(version, since) {
			return since
		}
		if !lint.AtLeast(version, r.Since) {
			return ""
		}
	}
	return r.Since
}

func checkClasses(p *lint.Pass) {
	for _, n := range p.Setup.Nodes {
		version, declared := p.TomcatVersion(n)
		eachClass(reflect.ValueOf(n), func(class model.String, element diag.Span, c *model.Component) {
			r, ok := known.RemovalOf(class.V)
			since := removedIn(r, version, declared)
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
				Message: fmt.Sprintf("%s was removed in Tomcat %s; the server does not start; %s", model.SimpleClass(class.V), since, r.Instead),
				Fixes:   removalFix(r, class, element),
			}
			if !declared {
				f.Message = fmt.Sprintf("%s was removed in Tomcat %s: from then on the server does not start; %s", model.SimpleClass(class.V), since, r.Instead)
				lint.Undeclared(&f, "Tomcat")
			}
			p.Report(f)
		})
	}
}

func removalFix(r known.Removal, class model.String, element diag.Span) []diag.Fix {
	switch r.New {
	case "-":
		return nil
	case "":
		if e, ok := deleteElement(element); ok {
			return []diag.Fix{{Message: "delete the element", Safe: true, Edits: []diag.Edit{e}}}
		}
		return nil
	}
	full := r.New
	if !strings.Contains(full, ".") {
		full = class.V[:len(class.V)-len(model.SimpleClass(class.V))] + r.New
	}
	at := valueOf(class.Span)
	if at.Text() != class.V {
		return nil // written with references or variables
	}
	return []diag.Fix{{Message: "write " + r.New, Safe: true, Edits: []diag.Edit{{Span: at, New: full}}}}
}

// tomcatOwn keeps classes of other people that share a simple name out.
func tomcatOwn(class string) bool { return known.TomcatOwn(class) }

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
