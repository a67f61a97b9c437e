package tomcat

import (
	"errors"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// Options say how a server.xml is lowered.
type Options struct {
	Name    string // name of the node
	Version string // of Tomcat; "" when it is not known yet

	// Property gives the value of ${name}; nil knows none.
	Property func(string) (string, bool)
}

// LowerServer turns a server.xml into a node. The node is never nil; values carry
// the span from the attribute's name to its closing quote. With a version in the
// options Tomcat's defaults are filled in; without one the caller does so by
// [model.Node.ApplyDefaults] as soon as it knows the version. Findings: T006 for
// numbers that are none (the default then counts), T008 for unknown properties.
func LowerServer(d *Document, o Options) (*model.Node, []model.Unmapped, diag.List) {
	l := &lowering{doc: d, property: o.Property}
	n := &model.Node{At: d.Root.Tag}
	if d.Kind() == Server {
		l.server(n, d.Root)
	}
	if o.Name != "" && !n.Name.IsSet() {
		n.Name = model.Infer(o.Name, d.Root.Tag)
	}
	if o.Version != "" {
		n.Version = model.Is(o.Version, diag.Span{})
		n.ApplyDefaults()
	}
	return n, l.unmapped, l.diags
}

// LowerContext adds a context.xml to a context; what is written in the context
// already stays. Without property an unknown ${name} stays without a finding.
func LowerContext(d *Document, into *model.Context, property func(string) (string, bool)) ([]model.Unmapped, diag.List) {
	l := &lowering{doc: d, quiet: property == nil, property: property}
	if d.Kind() == Context {
		l.context(into, d.Root)
	}
	return l.unmapped, l.diags
}

// LowerDefaults adds what a conf/context.xml, a context.xml.default or a
// conf/web.xml says for all applications to one context; what the context has
// already stays (org.apache.catalina.startup.ContextConfig: contextConfig,
// webConfig). Elements that are there already are left out without a word, so
// are WatchedResource and <distributable/>, which has no effect there.
func LowerDefaults(d *Document, into *model.Context, property func(string) (string, bool)) diag.List {
	l := &lowering{doc: d, quiet: true, property: property}
	switch d.Kind() {
	case Context:
		root := *d.Root
		root.Children = nil
		for _, c := range d.Root.Children {
			if c.Name != "WatchedResource" {
				root.Children = append(root.Children, c)
			}
		}
		l.context(into, &root)
	case WebXML:
		for _, e := range d.Root.Children {
			switch e.Local() {
			case "session-config":
				l.sessionConfig(into, e)
			case "security-constraint":
				l.constraint(into, e)
			}
		}
	}
	return l.diags
}

// LowerWebXML adds what a web.xml says about sessions (distributable,
// session-timeout, cookie-config) and about TLS (transport-guarantee) to a context;
// what is written in the context already stays. The rest of a web.xml is for the application alone.
func LowerWebXML(d *Document, into *model.Context, property func(string) (string, bool)) ([]model.Unmapped, diag.List) {
	l := &lowering{doc: d, quiet: property == nil, property: property}
	if d.Kind() != WebXML || d.IsFragment() {
		return nil, nil
	}
	if !into.WebApp.IsValid() {
		into.WebApp = d.Root.Tag
	}
	for _, e := range d.Root.Children {
		switch e.Local() {
		case "distributable":
			if !into.Distributable.IsWritten() {
				into.Distributable = model.Is(true, e.Tag)
			}
		case "session-config":
			l.sessionConfig(into, e)
		case "security-constraint":
			l.constraint(into, e)
		}
	}
	return l.unmapped, l.diags
}

// constraint keeps the first demand for TLS; INTEGRAL means the same to Tomcat
// (RealmBase.hasUserDataPermission).
func (l *lowering) constraint(into *model.Context, e *Element) {
	for _, c := range e.Children {
		if c.Local() != "user-data-constraint" {
			continue
		}
		for _, k := range c.Children {
			word := strings.TrimSpace(k.Text)
			if k.Local() == "transport-guarantee" && (word == "CONFIDENTIAL" || word == "INTEGRAL") && !into.Transport.IsWritten() {
				l.text(&into.Transport, k)
			}
		}
	}
}

func (l *lowering) sessionConfig(into *model.Context, e *Element) {
	for _, c := range e.Children {
		switch c.Local() {
		case "session-timeout":
			l.text(&into.SessionTimeout, c)
		case "cookie-config":
			for _, k := range c.Children {
				switch k.Local() {
				case "name":
					l.text(&into.CookieName, k)
				case "domain":
					l.text(&into.CookieDomain, k)
				case "path":
					l.text(&into.CookiePath, k)
				case "http-only":
					l.text(&into.HTTPOnly, k)
				case "secure":
					l.text(&into.CookieSecure, k)
				}
			}
		}
	}
}

// lowering collects what one document gives beside the model.
type lowering struct {
	doc      *Document
	property func(string) (string, bool)
	elem     string // whose attributes are read
	quiet    bool   // no findings about unknown properties
	unmapped []model.Unmapped
	diags    diag.List
}

// text sets a value from an element's character data.
func (l *lowering) text(dst any, e *Element) {
	l.set(reflect.ValueOf(dst).Elem(), e.Local(), l.substitute(strings.TrimSpace(e.Text), e.Tag), e.Tag)
}

// attrs sets the fields of *dst whose key is an attribute of e; the others, and
// numbers and truth values that a property without a known value gives, go to the
// field of key "attributes", or are unmapped when there is none, as is what is no number.
func (l *lowering) attrs(dst any, e *Element) {
	l.elem = e.Name
	v := reflect.ValueOf(dst).Elem()
	v.FieldByName("At").Set(reflect.ValueOf(e.Tag))
	fields := model.Fields(v.Type())
	seen := make(map[string]bool, len(e.Attrs))
	for i := range e.Attrs {
		if a := &e.Attrs[i]; !seen[a.Name] {
			seen[a.Name] = true
			l.field(v, fields, e, a)
		}
	}
}

// field sets the field that an attribute is for.
func (l *lowering) field(v reflect.Value, fields []model.Field, e *Element, a *Attr) {
	value := l.substitute(a.Value, a.Span)
	for _, f := range fields {
		if f.Key != a.Name || f.Kind != model.ScalarField {
			continue
		}
		if f.Type != reflect.TypeFor[string]() && strings.Contains(value, "${") {
			break
		}
		fv := v.FieldByIndex(f.Index)
		if l.set(fv, a.Name, value, a.Span); model.Any(fv).Origin != model.Written {
			l.drop(a.Span, e.Name+" attribute "+a.Name) // no number
		}
		return
	}
	for _, f := range fields {
		if f.Kind == model.AttrsField {
			fv := v.FieldByIndex(f.Index)
			fv.Set(reflect.Append(fv, reflect.ValueOf(newAttr(a, value))))
			return
		}
	}
	l.drop(a.Span, e.Name+" attribute "+a.Name)
}

func newAttr(a *Attr, value string) *model.Attr {
	return &model.Attr{At: a.NameSpan, Name: a.Name, Value: model.Is(value, a.Span)}
}

func (l *lowering) drop(at diag.Span, what string) {
	l.unmapped = append(l.unmapped, model.Unmapped{Span: at, What: what})
}

// set gives a model.Value its written value. Values that were written before stay.
func (l *lowering) set(v reflect.Value, name, s string, at diag.Span) {
	switch p := v.Addr().Interface().(type) {
	case *model.String:
		if !p.IsWritten() {
			*p = model.Is(s, at)
		}
	case *model.Bool:
		if !p.IsWritten() && !strings.Contains(s, "${") {
			*p = model.Is(strings.EqualFold(s, "true"), at) // as Boolean.valueOf
		}
	case *model.Int:
		if p.IsWritten() || strings.Contains(s, "${") {
			return
		}
		n, ok := number(name, s)
		switch {
		case ok:
		case isSendOptions(name): // the server's value stays; lint says what is wrong
			return
		default:
			l.badNumber(name, s, at)
			return
		}
		if low, ok := l.portFloor(name); ok && (n < low || n > 65535) {
			l.badPort(name, s, at, low)
			return
		}
		*p = model.Is(n, at)
	}
}

func (l *lowering) badNumber(name, s string, at diag.Span) {
	if l.doc.Template || Placeholder(s) {
		return
	}
	what := NumberFault(s)
	l.diags.Add(diag.Diagnostic{ID: "T006", Name: "bad-value", Severity: diag.Error, Confidence: diag.Certain, Span: at,
		Message: "`" + name + `="` + s + "\"` " + what, Detail: "Tomcat warns and goes on with the default, or does not start."})
}

// NumberFault says what is wrong with a text that is no number of 32 bits.
func NumberFault(s string) string {
	switch _, err := strconv.ParseInt(s, 10, 32); {
	case s == "":
		return "is empty where a number must stand"
	case errors.Is(err, strconv.ErrRange):
		return "is too large a number: 2147483647 is the limit"
	}
	return "is not a whole number"
}

var placeholder = regexp.MustCompile(`@\w+@|%\w+%|##\w+##|__\w+__|<.*>|\{.*\}|^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)

// Placeholder reports whether a value is made for another program to replace, as
// in templates of installers: @PORT@, %PORT%, ##PORT##, {port}, HTTP_PORT.
func Placeholder(s string) bool { return placeholder.MatchString(s) }

// portFloor returns the least value of an attribute that is a port: -1 where
// Tomcat takes that for "none". ok is false for other attributes.
func (l *lowering) portFloor(name string) (low int, ok bool) {
	switch name {
	case "port":
		if l.elem == "Receiver" || l.elem == "Membership" {
			return 0, true
		}
		return -1, true
	case "securePort", "udpPort":
		return -1, true
	case "redirectPort", "proxyPort":
		return 0, true
	}
	return 0, false
}

func (l *lowering) badPort(name, s string, at diag.Span, low int) {
	if l.doc.Template {
		return
	}
	l.diags.Add(diag.Diagnostic{ID: "T006", Name: "bad-value", Severity: diag.Error, Confidence: diag.Certain, Span: at,
		Message: "`" + name + `="` + s + "\"` is no port: " + strconv.Itoa(low) + " to 65535 are allowed",
		Detail:  "Tomcat does not open a socket with such a number and reports it at its start."})
}

// sendOptions are the names that channelSendOptions and mapSendOptions may hold
// instead of a number (org.apache.catalina.tribes.Channel.getSendOptionValue).
var sendOptions = map[string]int{
	"byte_message": 1, "byte": 1, "use_ack": 2, "synchronized_ack": 4, "sync": 4,
	"asynchronous": 8, "async": 8, "secure": 16, "udp": 32, "multicast": 64,
}

func isSendOptions(name string) bool {
	return name == "channelSendOptions" || name == "mapSendOptions"
}

// ParseSendOptions reads a channelSendOptions or mapSendOptions as
// org.apache.catalina.tribes.Channel.parseSendOptions does: a whole number, else
// names in lower case with commas, and blanks around these, between them. When a
// word is no name, it is returned and ok is false. An empty value is 0.
func ParseSendOptions(s string) (value int, wrong string, ok bool) {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return int(n), "", true
	}
	if s == "" {
		return 0, "", true
	}
	words := strings.Split(s, ",")
	for len(words) > 0 && words[len(words)-1] == "" { // as String.split drops them
		words = words[:len(words)-1]
	}
	for i, word := range words {
		if i > 0 {
			word = strings.TrimLeft(word, " \t\n\v\f\r")
		}
		if i < len(words)-1 {
			word = strings.TrimRight(word, " \t\n\v\f\r")
		}
		bit, known := sendOptions[word]
		if !known {
			return 0, word, false
		}
		value |= bit
	}
	return value, "", true
}

func number(name, s string) (int, bool) {
	if isSendOptions(name) {
		n, _, ok := ParseSendOptions(s)
		return n, ok && s != ""
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= math.MinInt32 && n <= math.MaxInt32
}

// substitute resolves the properties in an attribute's value or an element's text.
func (l *lowering) substitute(s string, at diag.Span) string {
	value, unresolved := Substitute(s, l.property)
	for _, name := range unresolved {
		l.undefined(name, at)
	}
	return value
}

// undefined reports an unknown property, except those that Tomcat's start
// scripts always set.
func (l *lowering) undefined(name string, at diag.Span) {
	switch {
	case l.quiet, strings.HasPrefix(name, "catalina."), strings.HasPrefix(name, "java."), strings.HasPrefix(name, "user."), strings.HasPrefix(name, "os."):
		return
	}
	l.diags.Add(diag.Diagnostic{ID: "T008", Name: "undefined-property", Severity: diag.Info, Confidence: diag.Certain, Span: at,
		Message: "`${" + name + "}` has no default and is not in the given property files"})
}
