package tomcat

import (
	"fmt"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/known"
	"clowder/parse/model"
	"clowder/render/target"
)

// convert brings an element and what is below it into the form of the target
// version; parent is nil for the root. The element itself stays: whoever holds it
// asked [conversion.fits] before.
func (c *conversion) convert(parent, e *element) {
	outer := ""
	if parent != nil {
		outer = parent.name
	}
	c.unique(e)
	if !c.same() {
		c.rewrite(e)
		c.attributes(outer, e)
		c.defaults(e)
	}
	if e.source == nil && parent != nil {
		return // closed
	}
	var children []*element
	for _, k := range e.children {
		if k = c.fits(outer, e, k); k != nil {
			children = append(children, k)
		}
	}
	e.children = children
	for _, k := range slices.Clone(e.children) {
		if k.name != "" && k.source != nil {
			c.convert(e, k)
		}
	}
}

// fits returns the element as it can stand in its parent: itself, what takes its
// place, or nil.
func (c *conversion) fits(outer string, parent, e *element) *element {
	if bad := unwritable(e, !c.toml()); bad != "" {
		return c.leaveOut(e, bad+" holds a character that XML 1.0 has no way to write: put it in by hand", "")
	}
	if e.name == "Cluster" && c.losesEncryption(e) {
		return c.leaveOut(e, "the key of EncryptInterceptor holds a character that XML 1.0 has no way to write: without it sessions would be sent in clear text", "")
	}
	if c.same() || e.source == nil {
		return e
	}
	if versions := known.Children(outer, parent.name)[e.name]; !parent.foreign() && (versions&c.to.bits == 0 || c.lacks(e)) {
		return c.misplaced(parent, e, versions)
	}
	if e.name == "Connector" {
		return c.connector(e)
	}
	if e.class() == "" || e.foreign() {
		c.ownClass(e)
		return e
	}
	return c.class(e)
}

// lacks knows of 8.0, which the tables do not have, that it is as 7.0 in these.
func (c *conversion) lacks(e *element) bool {
	return c.to.branch() == "8.0" && (e.name == "SSLHostConfig" || e.name == "UpgradeProtocol")
}

// losesEncryption reports whether the interceptor that encrypts a cluster cannot be
// written: then there must be no cluster.
func (c *conversion) losesEncryption(e *element) bool {
	if e.is("EncryptInterceptor") && unwritable(e, !c.toml()) != "" {
		return true
	}
	return slices.ContainsFunc(e.children, c.losesEncryption)
}

// misplaced leaves out an element that the digester of the target version has no
// rule for in that place.
func (c *conversion) misplaced(parent, e *element, versions known.Tomcat) *element {
	if versions&c.from.bits != 0 && c.fromKnown {
		return c.leaveOut(e, fmt.Sprintf("Tomcat %s knows no <%s> inside <%s>", c.to.text, e.name, parent.name), "")
	}
	// Without effect in the source as well: nothing was lost, and nothing is closed.
	c.ledger.Drop(fmt.Sprintf("Tomcat ignores a <%s> inside <%s>", e.name, parent.name), "", e.source)
	return nil
}

// class looks whether the target version has the class of an element.
func (c *conversion) class(e *element) *element {
	a := e.attr("className")
	rm, gone := c.to.gone(e.class())
	if !gone {
		if _, ok := known.Class(strings.SplitN(e.class(), "$", 2)[0]); !ok && known.TomcatOwn(e.class()) {
			return c.unknownClass(e)
		}
		c.ownClass(e)
		return e
	}
	simple := model.SimpleClass(e.class())
	switch {
	case simple == "LegacyCookieProcessor":
		c.ledger.Approx("LegacyCookieProcessor is gone; cookies are read by RFC 6265", "Rfc6265CookieProcessor", a.place)
		a.value = strings.Replace(e.class(), simple, "Rfc6265CookieProcessor", 1)
	case rm.New == "":
		c.ledger.Approx(fmt.Sprintf("%s is gone since Tomcat %s and nothing is needed instead", simple, rm.Since), "", e.source)
		return nil
	case rm.New == "-":
		return c.leaveOut(e, fmt.Sprintf("Tomcat %s has no %s: %s", c.to.text, simple, rm.Instead), "")
	default:
		full := rm.New
		if !strings.Contains(full, ".") {
			full = strings.TrimSuffix(e.class(), simple) + rm.New
		}
		if simple == "MessageDispatch15Interceptor" {
			c.ledger.Exact(a.place)
		} else {
			c.ledger.Approx(simple+" is gone", model.SimpleClass(full), a.place)
		}
		a.value = full
	}
	return e
}

// unknownClass handles a class of a package of Tomcat that no version of the
// tables has: Tomcat 5.5's clusters, or something that came beside Tomcat.
func (c *conversion) unknownClass(e *element) *element {
	if strings.HasPrefix(e.class(), "org.apache.catalina.cluster.") || strings.HasPrefix(e.class(), "org.apache.catalina.mbeans.") {
		return c.leaveOut(e, fmt.Sprintf("no Tomcat since 6.0 has the class %s", e.class()), "")
	}
	c.ownClass(e)
	return e
}

// ownClass asks for the jar of a class that is not Tomcat's own.
func (c *conversion) ownClass(e *element) {
	class := e.class()
	if class == "" || c.from.branch() == c.to.branch() && c.fromKnown {
		return
	}
	if _, ok := known.Class(strings.SplitN(class, "$", 2)[0]); ok {
		return
	}
	c.ledger.Person(fmt.Sprintf("%s is no class of Tomcat: see that it is in lib and works with Tomcat %s, else the server does not start", class, c.to.text), "", e.attr("className").place)
	if !c.foreign[class] {
		c.foreign[class] = true
		e.comments = append(e.comments, "Not a class of Tomcat: it must be in lib and be made for Tomcat "+c.to.text+".")
	}
}

// guards reports whether an element decides who may send requests, or from where
// these seem to come, which others rely on. Valves of other people count as such.
func guards(e *element) bool {
	switch {
	case e.name == "Realm", e.name == "Context": // deployed by Tomcat itself, it would lack its own guards
		return true
	case e.name != "Valve":
		return false
	case e.foreign():
		return true
	}
	simple := model.SimpleClass(e.class())
	switch simple {
	case "RemoteAddrValve", "RemoteHostValve", "RemoteCIDRValve", "RemoteIpValve", "SSLValve", "RewriteValve", "FilterValve":
		return true
	}
	return strings.HasSuffix(simple, "Authenticator")
}

// protective are elements whose loss is one of security, and its area.
var protective = map[string]string{"Cluster": "cluster", "Connector": "tls", "SSLHostConfig": "tls", "Certificate": "tls", "CredentialHandler": "authentication"}

// leaveOut takes an element out of the file. In the place of one that protects
// stands one that lets nobody in.
func (c *conversion) leaveOut(e *element, message, means string) *element {
	gap := &element{comments: []string{"Left out: " + e.label() + ". " + sentence(message)}}
	switch {
	case guards(e) && e.name == "Realm":
		c.ledger.Guarded(message+"; until then nobody can log in", means, e.source)
		c.ledger.File("authentication", e.source)
		gap.name = "Realm"
		gap.attrs = []attribute{{name: "className", value: "org.apache.catalina.realm.NullRealm"}}
	case guards(e):
		c.ledger.Guarded(message+"; until then all requests are refused", means, e.source)
		c.ledger.File("access", e.source)
		gap.name = "Valve"
		gap.attrs = []attribute{{name: "className", value: "org.apache.catalina.valves.RemoteAddrValve"}, {name: "deny", value: ".*"}}
	case protective[e.name] != "":
		area := protective[e.name]
		if isAJP(e) {
			area = "secret"
		}
		c.ledger.Guarded(message, means, e.source)
		c.ledger.File(area, e.source)
	default:
		c.ledger.Person(message, means, e.source)
	}
	return gap
}

// person asks for a decision about facts, in the notes and in the file.
func (c *conversion) person(e *element, message, means string, facts ...any) {
	c.ledger.Person(message, means, facts...)
	e.comments = append(e.comments, sentence(message))
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// unwritable returns what of the element itself cannot be written in XML, else "".
// Names beyond ASCII are right when they were read from XML.
func unwritable(e *element, fromXML bool) string {
	bad := func(name string) bool { return !isName(name) && !(fromXML && name != "" && writable(name)) }
	switch {
	case e.name == "":
		return ""
	case bad(e.name):
		return "the name of the element"
	case !writable(e.text):
		return "the text"
	}
	for _, a := range e.attrs {
		if bad(a.name) {
			return "the name of an attribute"
		}
		if !writable(a.value) {
			return "the attribute " + a.name
		}
	}
	return ""
}

// renamed are attributes that go by another name in other versions, by element.
var renamed = map[string][][2]string{
	"Connector": {
		{"compressableMimeType", "compressibleMimeType"}, {"compressableMimeTypes", "compressibleMimeType"},
		{"noCompressionStrongEtag", "noCompressionStrongETag"}, {"rejectIllegalHeaderName", "rejectIllegalHeader"},
		{"backlog", "acceptCount"}, {"soLinger", "connectionLinger"}, {"soTimeout", "connectionTimeout"},
	},
	"Membership": {
		{"mcastAddr", "address"}, {"mcastPort", "port"}, {"mcastFrequency", "frequency"}, {"mcastDropTime", "dropTime"},
		{"mcastBindAddress", "bind"}, {"mcastTTL", "ttl"}, {"mcastSoTimeout", "soTimeout"},
	},
	"Receiver": {
		{"tcpListenAddress", "address"}, {"tcpListenPort", "port"}, {"tcpSelectorTimeout", "selectorTimeout"}, {"tcpThreadCount", "maxThreads"},
	},
	"Manager": {{"sessionAttributeFilter", "sessionAttributeNameFilter"}},
}

// unique takes out attributes that the TOML has twice, under attributes as well.
func (c *conversion) unique(e *element) {
	seen := map[string]bool{}
	e.attrs = slices.DeleteFunc(e.attrs, func(a attribute) bool {
		if seen[a.name] {
			c.ledger.Drop("the attribute is written twice", "", a.place)
			return true
		}
		seen[a.name] = true
		return false
	})
}

// attributes renames and drops attributes that the classes of the target version
// have no setter for.
func (c *conversion) attributes(outer string, e *element) {
	class := e.class()
	if e.name == "Connector" {
		class = e.value("protocol")
		if a := e.attr("className"); a != nil {
			c.ledger.Drop("no Tomcat since 5.0 looks at the class of a Connector", "protocol", a.place)
			e.remove("className")
		}
	}
	if e.name != "Connector" && e.foreign() {
		return
	}
	now := known.Implementations(outer, e.name, class, c.to.bits)
	before := known.Implementations(outer, e.name, class, c.from.bits)
	if len(now) == 0 {
		return
	}
	var kept []attribute
	for _, a := range e.attrs {
		if c.attribute(e, &a, now, before) {
			kept = append(kept, a)
		}
		if e.source == nil {
			return // closed as a whole
		}
	}
	e.attrs = kept
}

// attribute reports whether the attribute stays, under whatever name.
func (c *conversion) attribute(e *element, a *attribute, now, before []*known.ClassInfo) bool {
	_, versions, skip := known.Setter(e.name, now, a.name, c.to.bits, false)
	if skip || versions&c.to.bits != 0 {
		return true
	}
	for _, r := range renamed[e.name] {
		if r[0] != a.name && r[1] != a.name {
			continue
		}
		other := r[0]
		if other == a.name {
			other = r[1]
		}
		if _, v, skip := known.Setter(e.name, now, other, c.to.bits, false); !skip && v&c.to.bits != 0 && e.attr(other) == nil {
			a.name = other
			return true
		}
	}
	all := known.Implementations("", e.name, e.class(), known.AllTomcat)
	if e.name == "Connector" {
		all = known.Implementations("", e.name, e.value("protocol"), known.AllTomcat)
	}
	_, ever, _ := known.Setter(e.name, append(all, before...), a.name, known.AllTomcat, true)
	if ever == 0 {
		c.ledger.Drop("no Tomcat since 7.0 has that attribute here: it is ignored", "", a.place)
		return false
	}
	message := fmt.Sprintf("Tomcat %s has no such attribute here (it is in %s)", c.to.text, ever)
	if guards(e) && e.name != "Context" && !harmless[a.name] && (ever&c.from.bits != 0 || !c.fromKnown) {
		c.close(e, message)
		return false
	}
	if e.is("EncryptInterceptor") {
		c.guarded(e, message, "", a.place)
		return false
	}
	c.ledger.Drop(message, lost[a.name], a.place)
	return false
}

// harmless are attributes of valves and realms that do not decide who is let in.
var harmless = map[string]bool{"denyStatus": true, "trimCredentials": true, "charset": true, "asyncSupported": true, "sendAuthInfoResponseHeaders": true,
	"transportGuaranteeRedirectStatus": true, "jaspicCallbackHandlerClass": true, "secureRandomClass": true}

// lost says for attributes that went what does their work now.
var lost = map[string]string{
	"resolveHosts": "enableLookups of the Connector", "maxInactiveInterval": "session-timeout in web.xml", "processTlds": "JarScanner",
}

// close turns an element that protects into one that lets nobody in, because it
// cannot say all that it said.
func (c *conversion) close(e *element, message string) {
	g := c.leaveOut(e, message, "")
	e.name, e.attrs, e.children, e.source, e.text = g.name, g.attrs, nil, nil, ""
	e.comments = append(e.comments, g.comments...)
}

// added notes what was written without standing in the source.
func (c *conversion) added(at diag.Span, fact, message string) {
	c.ledger.Add(target.Note{Loss: target.Exact, ID: "tomcat", Span: at.Head(), Fact: fact, Message: message})
}
