package diff

import (
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/model"
)

// derived are keys of elements that are made of several values.
var derived = map[string]func(any) string{
	"Listen.socket": func(x any) string {
		l := x.(*model.Listen)
		return socket(l.Address.V, l.Port.V)
	},
	"Connector.socket": func(x any) string {
		c := x.(*model.Connector)
		if c.Address.IsWritten() {
			return socket(c.Address.V, c.Port.V)
		}
		return strconv.Itoa(c.Port.V)
	},
	"Connector.kind":  func(x any) string { return x.(*model.Connector).Kind() },
	"HeaderRule.rule": headerTitle,
	"Env.variable":    envTitle,
	"Directive.title": directiveTitle,
	"Component.title": componentTitle,
	"Section.title": func(x any) string {
		s := x.(*model.Section)
		return strings.TrimSuffix("<"+s.Kind.V+" "+s.Path.V, " ") + ">"
	},
	"Server.title":      func(x any) string { return serverTitle(x.(*model.Server)) },
	"Server.ports":      func(x any) string { return ports(x.(*model.Server)) },
	"Context.place":     func(x any) string { return "/" + strings.TrimPrefix(x.(*model.Context).Path.V, "/") },
	"Interceptor.class": func(x any) string { return model.SimpleClass(x.(*model.Interceptor).Class.V) },
	"Node.jvmRoute": func(x any) string {
		if e := x.(*model.Node).Engine(); e != nil {
			return e.JVMRoute.V
		}
		return ""
	},
}

func socket(address string, port int) string {
	if address == "" {
		return strconv.Itoa(port)
	}
	return net.JoinHostPort(strings.ToLower(address), strconv.Itoa(port))
}

func headerTitle(x any) string {
	h := x.(*model.HeaderRule)
	words := []string{"Header"}
	if h.Request.V {
		words[0] = "RequestHeader"
	}
	if h.Always.V {
		words = append(words, "always")
	}
	return strings.Join(append(words, h.Action.V, h.Name.V), " ")
}

func envTitle(x any) string {
	e := x.(*model.Env)
	if len(e.Args) == 0 {
		return e.Directive.V
	}
	return e.Directive.V + " " + e.Args[0].V
}

// directiveTitle is the directive's name, and the argument of a section.
func directiveTitle(x any) string {
	d := x.(*model.Directive)
	if !d.Section.V {
		return d.Name.V
	}
	out := "<" + d.Name.V
	for _, a := range d.Args {
		out += " " + model.QuoteWord(a.V)
	}
	return out + ">"
}

// componentTitle is the element's name, its class and what it is called.
func componentTitle(x any) string {
	c := x.(*model.Component)
	out := c.Element.V
	if c.Class.V != "" {
		out += " " + model.SimpleClass(c.Class.V)
	}
	for _, key := range []string{"name", "hostName", "id", "type"} {
		if a := c.Attribute(key); a != nil {
			return out + " " + a.Value.V
		}
	}
	return out
}

func serverTitle(s *model.Server) string {
	var out []string
	for _, a := range s.Addresses {
		out = append(out, a.V)
	}
	if s.ServerName.V != "" {
		out = append(out, s.ServerName.V)
	}
	return strings.Join(out, " ")
}

// ports are those of the addresses of a virtual host.
func ports(s *model.Server) string {
	var out []string
	for _, a := range s.Addresses {
		if i := strings.LastIndexByte(a.V, ':'); i >= 0 {
			out = append(out, a.V[i:])
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}

// pathRange is what URLs an element is about.
type pathRange struct {
	family string
	prefix string
	any    bool // may be about every URL
}

// meetBy says that the order of two elements matters when they may be about one URL.
func meetBy(of func(any) pathRange) func(x, y any) bool {
	return func(x, y any) bool {
		a, b := of(x), of(y)
		return a.family == b.family && (a.any || b.any || strings.HasPrefix(a.prefix, b.prefix) || strings.HasPrefix(b.prefix, a.prefix))
	}
}

func mappingPath(x any) pathRange {
	m := x.(*model.Mapping)
	return pathRange{prefix: m.Path.V, any: m.Regex.V}
}

func aliasPath(x any) pathRange {
	a := x.(*model.Alias)
	return pathRange{prefix: a.Path.V, any: a.Regex.V}
}

func redirectPath(x any) pathRange {
	r := x.(*model.Redirect)
	return pathRange{prefix: r.Path.V, any: r.Regex.V}
}

func reversePath(x any) pathRange { return pathRange{prefix: x.(*model.Reverse).To.V} }

func sectionPath(x any) pathRange {
	s := x.(*model.Section)
	kind, match := strings.CutSuffix(s.Kind.V, "Match")
	return pathRange{kind, s.Path.V, match || strings.ContainsAny(s.Path.V, "*?[")}
}

func always(_, _ any) bool { return true }

// sameHeader: the order of rules matters for one header, and where a name is a
// regular expression.
func sameHeader(x, y any) bool {
	a, b := x.(*model.HeaderRule), y.(*model.HeaderRule)
	return a.Request.V == b.Request.V && (a.Action.V == "echo" || b.Action.V == "echo" || strings.EqualFold(a.Name.V, b.Name.V))
}

func sameStatus(x, y any) bool {
	return x.(*model.ErrorDoc).Status.V == y.(*model.ErrorDoc).Status.V
}

func sameName(x, y any) bool {
	return strings.EqualFold(x.(*model.Directive).Name.V, y.(*model.Directive).Name.V)
}

// bothValves: requests go through valves in their order; no other component has one.
func bothValves(x, y any) bool {
	return x.(*model.Component).Element.V == "Valve" && y.(*model.Component).Element.V == "Valve"
}

// relevant leaves out elements that change nothing: sections without content, and
// what loads modules.
func relevant(list []reflect.Value) []reflect.Value {
	return slices.DeleteFunc(list, func(v reflect.Value) bool {
		switch x := v.Interface().(type) {
		case *model.Section:
			return x.Mapping == nil && emptySettings(&x.Settings)
		case *model.Directive:
			return modules[strings.ToLower(x.Name.V)]
		}
		return false
	})
}

func emptySettings(s *model.Settings) bool {
	v := reflect.ValueOf(s).Elem()
	for _, f := range model.Fields(v.Type()) {
		fv := v.FieldByIndex(f.Index)
		switch f.Kind {
		case model.ScalarField:
			if !unset(fv) {
				return false
			}
		case model.StructField:
			if !fv.IsNil() {
				return false
			}
		default:
			if fv.Len() > 0 {
				return false
			}
		}
	}
	return true
}

// prepared returns a pointer to the element as the server sees it: a copy with
// what follows from its other values, or the element itself.
func prepared(p reflect.Value) reflect.Value {
	switch x := p.Interface().(type) {
	case *model.Cluster:
		y := *x
		y.Channel, y.Manager = x.EffectiveChannel(), x.EffectiveManager()
		return reflect.ValueOf(&y)
	case *model.Listen:
		y := *x
		if !y.Protocol.IsSet() { // server/listen.c
			y.Protocol = model.Def("http")
			if y.Port.V == 443 {
				y.Protocol = model.Def("https")
			}
		}
		return reflect.ValueOf(&y)
	case *model.Access:
		y := *x
		if y.Order.IsSet() || y.Satisfy.IsSet() || len(y.Allow)+len(y.Deny) > 0 { // mod_access_compat.c
			setDefault(&y.Order, "deny,allow")
			setDefault(&y.Satisfy, "all")
		}
		return reflect.ValueOf(&y)
	}
	return p
}

func setDefault[T model.Scalar](v *model.Value[T], d T) {
	if !v.IsSet() {
		*v = model.Def(d)
	}
}

// rendered is a struct as one value: for people, and in the form that is compared.
type rendered struct{ text, means string }

// asText are fields that are compared as one value.
var asText = map[string]func(any) rendered{
	"Access.Require": func(x any) rendered { return requirement(x.(*model.Require)) },
}

// requirement writes a tree of Require lines. Groups have no order, and one of a
// single line, unless it is a RequireNone, says what the line says.
func requirement(r *model.Require) rendered {
	if r == nil {
		return rendered{}
	}
	if r.Group.V == "" {
		line := make([]string, 0, len(r.Args)+1)
		if r.Not.V {
			line = append(line, "not")
		}
		for _, a := range r.Args {
			line = append(line, model.QuoteWord(a.V))
		}
		text := strings.Join(line, " ")
		means := text
		if len(r.Args) > 0 {
			provider := strings.ToLower(r.Args[0].V)
			means = strings.Replace(text, model.QuoteWord(r.Args[0].V), provider, 1)
			if provider == "all" {
				means = strings.ToLower(means)
			}
		}
		return rendered{text, means}
	}
	var texts, means []string
	for _, c := range r.Children {
		if x := requirement(c); x.means != "" {
			texts, means = append(texts, x.text), append(means, x.means)
		}
	}
	switch {
	case len(texts) == 0:
		return rendered{}
	case len(texts) == 1 && r.Group.V != "none":
		return rendered{texts[0], means[0]}
	}
	slices.Sort(means)
	return rendered{r.Group.V + "(" + strings.Join(texts, ", ") + ")", r.Group.V + "(" + strings.Join(means, ", ") + ")"}
}

// covered are the keys that the name of an element tells.
var covered = map[string][]string{
	"Listen": {"address", "port"}, "Balancer": {"name"}, "Member": {"url"}, "Mapping": {"path"}, "Alias": {"path"}, "Redirect": {"path"},
	"Section": {"kind", "path"}, "Reverse": {"from"}, "HeaderRule": {"request", "always", "action", "name"}, "Env": {"directive"},
	"ErrorDoc": {"status"}, "Log": {"file", "name"}, "RewriteRule": {"pattern"}, "RewriteCond": {"test", "pattern"}, "Directive": {"name"},
	"Server": {"ServerName"}, "Service": {"name"}, "Connector": {"address", "port"}, "Host": {"name"}, "Context": {"path"},
	"AccessLog": {"prefix"}, "Interceptor": {"className"}, "StaticMember": {"host", "port"}, "Component": {"element", "className"},
}

// maxBrief bounds the values that stand beside what was added or removed, in bytes.
const maxBrief = 120

// brief lists what is written in an element that only one side has, without what
// its name says and without secrets.
func brief(v reflect.Value) string {
	t := v.Type()
	shown := covered[t.Name()]
	var out []string
	size := 0
	for _, f := range fieldsOf(t) {
		if f.skip || f.Kind != model.ScalarField || slices.Contains(shown, f.Key) {
			continue
		}
		x := model.Any(v.FieldByIndex(f.Index))
		if x.Origin != model.Written || x.V == false && plainFlags[t.Name()] {
			continue
		}
		value := quote(model.FormatScalar(x.V))
		if f.Secret || secretIn(f.Key, value) {
			value = "(hidden)"
		}
		if size += len(value) + len(f.Key); size > maxBrief {
			out = append(out, "…")
			break
		}
		out = append(out, f.Key+"="+value)
	}
	return strings.Join(out, " ")
}
