package tomcat

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// names are the elements of the model's structs, by the key of the field that
// holds them. A component that says its own element's name keeps it.
var names = map[string]string{
	"listener": "Listener", "service": "Service", "connector": "Connector", "executor": "Executor", "engine": "Engine",
	"cluster": "Cluster", "realm": "Realm", "valve": "Valve", "accesslog": "Valve", "host": "Host", "context": "Context",
	"manager": "Manager", "channel": "Channel", "membership": "Membership", "receiver": "Receiver", "sender": "Sender",
	"transport": "Transport", "interceptor": "Interceptor", "member": "Member", "localmember": "LocalMember",
	"clusterlistener": "ClusterListener", "deployer": "Deployer", "resource": "Resource", "alias": "Alias",
}

// order is the order of the fields that hold elements, where that of the model is
// not the one to write: an Executor must stand above the connectors that use it.
var order = map[reflect.Type][]string{
	reflect.TypeFor[model.Node]():    {"listener", "resource", "extra", "service"},
	reflect.TypeFor[model.Service](): {"extra", "executor", "connector", "engine"},
	reflect.TypeFor[model.Engine]():  {"cluster", "realm", "valve", "accesslog", "extra", "host"},
	reflect.TypeFor[model.Host]():    {"alias", "cluster", "realm", "valve", "accesslog", "extra", "context"},
	reflect.TypeFor[model.Context](): {"extra", "manager", "valve", "accesslog"},
}

// ownFields are fields of the model that no attribute of the element stands for:
// the first three tell about the node, the others stand in web.xml only.
var ownFields = map[reflect.Type][]string{
	reflect.TypeFor[model.Node]():      {"name", "version", "host"},
	reflect.TypeFor[model.Component](): {"element", "text"},
	reflect.TypeFor[model.Context]():   {"distributable", "sessionTimeout", "cookieSecure", "transportGuarantee"},
}

// lifter makes elements of the model.
type lifter struct {
	keep       func(diag.Span) bool // whether a fact at the place belongs into this file
	properties map[string]bool      // ${name} that values still refer to
}

// lift makes an element of a struct of the model; p is a pointer to it.
func (l *lifter) lift(name string, p any) *element {
	v := reflect.ValueOf(p).Elem()
	t := v.Type()
	e := &element{name: name, at: model.PlaceOf(v), source: p}
	fields := model.Fields(t)
	for _, f := range fields {
		fv := v.FieldByIndex(f.Index)
		switch {
		case slices.Contains(ownFields[t], f.Key):
		case f.Kind == model.ScalarField:
			l.scalar(e, f.Key, model.Any(fv))
		case f.Kind == model.AttrsField:
			for _, a := range fv.Interface().([]*model.Attr) {
				if l.keep(a.At) {
					e.attrs = append(e.attrs, attribute{a.Name, l.written(a.Value.Span, a.Name, a.Value.V), a.At})
				}
			}
		}
	}
	if c, ok := p.(*model.Component); ok {
		if c.Element.V != "" {
			e.name = c.Element.V
		}
		e.text = c.Text.V
	}
	l.children(e, v, fields)
	return e
}

// scalar adds a written value as an attribute. A class that only follows from the
// place of the element is not written.
func (l *lifter) scalar(e *element, key string, v model.AnyValue) {
	if v.Origin == model.Written && l.keep(v.Span) {
		e.attrs = append(e.attrs, attribute{key, l.written(v.Span, key, model.FormatScalar(v.V)), v.Span})
	}
}

func (l *lifter) children(e *element, v reflect.Value, fields []model.Field) {
	keys := order[v.Type()]
	if keys == nil {
		for _, f := range fields {
			keys = append(keys, f.Key)
		}
	}
	for _, key := range keys {
		i := slices.IndexFunc(fields, func(f model.Field) bool { return f.Key == key })
		f, fv := fields[i], v.FieldByIndex(fields[i].Index)
		var list []*element
		switch f.Kind {
		case model.ListField:
			for _, s := range fv.Interface().([]model.String) {
				if l.keep(s.Span) {
					list = append(list, &element{name: names[key], text: s.V, at: s.Span, source: &model.Component{Text: s}})
				}
			}
		case model.StructField:
			if !fv.IsNil() && l.keep(model.PlaceOf(fv.Elem())) {
				list = append(list, l.lift(names[key], fv.Interface()))
			}
		case model.ArrayField:
			for j := range fv.Len() {
				if l.keep(model.PlaceOf(fv.Index(j).Elem())) {
					list = append(list, l.lift(names[key], fv.Index(j).Interface()))
				}
			}
		}
		if key == "resource" && len(list) > 0 {
			list = []*element{{name: "GlobalNamingResources", children: list, source: &model.Component{}}}
		}
		e.children = append(e.children, list...)
	}
	sortValves(e)
}

// sortValves brings valves and access logs, which the model keeps apart, back into
// the order of the file: it is the order in which Tomcat calls them.
func sortValves(e *element) {
	first := slices.IndexFunc(e.children, func(c *element) bool { return c.name == "Valve" })
	if first < 0 {
		return
	}
	last := first
	for last < len(e.children) && e.children[last].name == "Valve" {
		last++
	}
	slices.SortStableFunc(e.children[first:last], func(a, b *element) int {
		if !a.at.IsValid() || !b.at.IsValid() || a.at.File != b.at.File {
			return 0
		}
		return cmp.Compare(a.at.Start, b.at.Start)
	})
}

var (
	property  = regexp.MustCompile(`\$\{([^{}]*)\}`)
	reference = regexp.MustCompile(`&(#[0-9]+|#x[0-9A-Fa-f]+|[A-Za-z]+);`)
)

// written returns a value as its file has it, with the ${name} that the model has
// replaced already: what comes from a property goes on doing so, a secret above all.
func (l *lifter) written(at diag.Span, name, value string) string {
	if raw, ok := rawValue(at, name); ok {
		value = raw
	}
	for _, m := range property.FindAllStringSubmatch(value, -1) {
		if n, _, _ := strings.Cut(m[1], ":-"); !builtin(n) {
			l.properties[n] = true
		}
	}
	return value
}

// builtin reports whether Tomcat or its JVM always sets the property.
func builtin(name string) bool {
	for _, p := range []string{"catalina.", "java.", "user.", "os.", "file.", "line.", "path."} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// rawValue takes the value of an attribute with a ${name} out of the XML file that
// it was read from.
func rawValue(at diag.Span, name string) (string, bool) {
	if !at.IsValid() || strings.HasSuffix(at.File.Name, ".toml") {
		return "", false
	}
	text := at.Text()
	rest, ok := strings.CutPrefix(text, name)
	if !ok || !strings.Contains(text, "${") || !utf8.ValidString(text) {
		return "", false
	}
	rest = strings.TrimLeft(rest, " \t\r\n")
	rest, ok = strings.CutPrefix(rest, "=")
	rest = strings.TrimLeft(rest, " \t\r\n")
	if !ok || len(rest) < 2 || rest[0] != '"' && rest[0] != '\'' || rest[len(rest)-1] != rest[0] {
		return "", false
	}
	known := true
	rest = strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ", "\r", " ").Replace(rest[1 : len(rest)-1])
	rest = reference.ReplaceAllStringFunc(rest, func(ref string) string {
		s, ok := character(ref[1 : len(ref)-1])
		known = known && ok
		return s
	})
	return rest, known
}

// character resolves a reference to a character or a predefined entity.
func character(ref string) (string, bool) {
	switch ref {
	case "amp":
		return "&", true
	case "lt":
		return "<", true
	case "gt":
		return ">", true
	case "quot":
		return `"`, true
	case "apos":
		return "'", true
	}
	digits, base := strings.TrimPrefix(ref, "#"), 10
	if h, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = h, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || !strings.HasPrefix(ref, "#") {
		return "", false
	}
	return fmt.Sprintf("%c", rune(n)), true
}
