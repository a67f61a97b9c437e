package tomcat

import (
	"fmt"
	"slices"
	"strings"

	"clowder/parse/model"
)

// rewrite says in other words what the target version has other words for.
func (c *conversion) rewrite(e *element) {
	switch e.name {
	case "Realm":
		c.realm(e)
	case "Valve":
		c.valve(e)
	case "Manager":
		c.manager(e)
	case "Connector":
		c.emptySessionPath(e)
	case "Context":
		c.contextResources(e)
	case "SSLHostConfig":
		c.hostConfigCertificate(e)
	case "Resource":
		c.resource(e)
	}
}

// combined are realms that ask others and compare no password themselves.
func combined(e *element) bool { return e.is("LockOutRealm") || e.is("CombinedRealm") }

// realm makes a CredentialHandler of the attribute digest, which Tomcat 8.5 no
// longer has: without either the digest itself would be taken for the password.
func (c *conversion) realm(e *element) {
	if h := e.child("CredentialHandler"); h != nil && !c.to.atLeast("8.5") && !combined(e) && !e.foreign() {
		c.oldDigest(e, h)
		return
	}
	digest := e.attr("digest")
	if digest == nil || !c.to.atLeast("8.5") || e.foreign() {
		return
	}
	switch {
	case combined(e):
		c.ledger.Drop("a realm that asks others compares no passwords itself", "", digest.place)
	case e.child("CredentialHandler") != nil:
		c.ledger.Drop("the realm has a CredentialHandler, which counts", "", digest.place)
	default:
		h := &element{name: "CredentialHandler", attrs: []attribute{
			{name: "className", value: "org.apache.catalina.realm.MessageDigestCredentialHandler"},
			{name: "algorithm", value: digest.value, place: digest.place}}}
		if enc := e.attr("digestEncoding"); enc != nil {
			h.attrs = append(h.attrs, attribute{"encoding", enc.value, enc.place})
			e.remove("digestEncoding")
		}
		e.children = append([]*element{h}, e.children...)
	}
	e.remove("digest")
}

// oldDigest makes the attribute digest of Tomcat 7 and 8.0 of a CredentialHandler, or
// closes the realm when its passwords are stored as these cannot check them.
func (c *conversion) oldDigest(e, h *element) {
	plain := h.is("MessageDigestCredentialHandler") && h.value("algorithm") != "" && len(h.children) == 0
	for _, a := range h.attrs {
		switch a.name {
		case "className", "algorithm", "encoding":
		case "iterations":
			plain = plain && a.value == "1"
		case "saltLength":
			plain = plain && a.value == "0"
		default:
			plain = false
		}
	}
	if !plain {
		c.close(e, fmt.Sprintf("Tomcat %s cannot check passwords that are stored this way", c.to.text))
		return
	}
	e.attrs = append(e.attrs, attribute{"digest", h.value("algorithm"), h.attr("algorithm").place})
	encoding := attribute{name: "digestEncoding", value: "UTF-8"} // the handler's default; the realm's is that of the machine
	if enc := h.attr("encoding"); enc != nil {
		encoding.value, encoding.place = enc.value, enc.place
	}
	e.attrs = append(e.attrs, encoding)
	c.ledger.Exact(h.source)
	e.children = slices.DeleteFunc(e.children, func(k *element) bool { return k == h })
}

// valve handles expressions of addresses.
func (c *conversion) valve(e *element) {
	switch {
	case (e.is("RemoteAddrValve") || e.is("RemoteHostValve")) && !c.from.atLeast("7.0") && c.fromKnown:
		// A list of expressions with commas became one expression in 7.0 (RequestFilterValve).
		for _, name := range []string{"allow", "deny"} {
			if a := e.attr(name); a != nil && strings.Contains(a.value, ",") {
				words := strings.Split(a.value, ",")
				for i := range words {
					words[i] = strings.TrimSpace(words[i])
				}
				c.ledger.Approx("a list became one expression in Tomcat 7", "|", a.place)
				a.value = strings.Join(words, "|")
			}
		}
	case e.is("RemoteIpValve") && !c.to.atLeast("11.0"):
		// Lists of networks came with 11.0; before an expression alone is read.
		for _, name := range []string{"internalProxies", "trustedProxies"} {
			if a := e.attr(name); a != nil && strings.Contains(a.value, "/") && (c.from.atLeast("11.0") || !c.fromKnown) {
				c.close(e, fmt.Sprintf("Tomcat %s reads %s as an expression, not as a list of networks", c.to.text, name))
				return
			}
		}
	}
}

// manager moves the length of session IDs to a generator (8.0).
func (c *conversion) manager(e *element) {
	a := e.attr("sessionIdLength")
	if a == nil || !c.to.atLeast("8.0") || e.foreign() {
		return
	}
	gen := e.child("SessionIdGenerator")
	if gen == nil {
		gen = &element{name: "SessionIdGenerator", attrs: []attribute{{name: "className", value: "org.apache.catalina.util.StandardSessionIdGenerator"}}}
		e.children = append(e.children, gen)
	}
	if gen.attr("sessionIdLength") == nil {
		gen.attrs = append(gen.attrs, attribute{"sessionIdLength", a.value, a.place})
	}
	e.remove("sessionIdLength")
}

// emptySessionPath was an attribute of the connector up to Tomcat 6; it is a matter
// of each context since.
func (c *conversion) emptySessionPath(e *element) {
	if a := e.attr("emptySessionPath"); a != nil {
		if strings.EqualFold(a.value, "true") {
			c.person(e, `one session cookie for all applications is a matter of the contexts: write sessionCookiePath="/" in conf/context.xml`, `sessionCookiePath="/"`, a.place)
		} else {
			c.ledger.Exact(a.place)
		}
		e.remove("emptySessionPath")
	}
}

// javaTypes are packages of Java EE that are named otherwise in Jakarta EE.
var javaTypes = []string{"javax.mail.", "javax.jms.", "javax.transaction.", "javax.persistence.", "javax.ejb.", "javax.servlet.", "javax.activation."}

// resource renames the settings of connection pools, which DBCP 2 of Tomcat 8 calls
// otherwise, and types of Java EE.
func (c *conversion) resource(e *element) {
	if a := e.attr("type"); a != nil && crosses(c.from, c.to, "10.0") {
		for _, p := range javaTypes {
			jakarta := "jakarta." + strings.TrimPrefix(p, "javax.")
			switch {
			case strings.HasPrefix(a.value, "javax.transaction.xa."):
			case c.to.atLeast("10.0") && strings.HasPrefix(a.value, p):
				a.value = jakarta + a.value[len(p):]
			case !c.to.atLeast("10.0") && strings.HasPrefix(a.value, jakarta):
				a.value = p + a.value[len(jakarta):]
			}
		}
	}
	if !crosses(c.from, c.to, "8.0") || e.value("type") != "javax.sql.DataSource" {
		return
	}
	const one, two = "org.apache.tomcat.dbcp.dbcp.", "org.apache.tomcat.dbcp.dbcp2."
	factory := e.attr("factory")
	if factory != nil && !strings.HasPrefix(factory.value, one) && !strings.HasPrefix(factory.value, two) {
		return // another pool, with its own names
	}
	from, to := 0, 1
	if !c.to.atLeast("8.0") {
		from, to = 1, 0
	}
	if factory != nil {
		factory.value = strings.Replace(factory.value, []string{one, two}[from], []string{one, two}[to], 1)
	}
	for _, pair := range [][2]string{{"maxActive", "maxTotal"}, {"maxWait", "maxWaitMillis"}, {"removeAbandoned", "removeAbandonedOnBorrow"}} {
		if a := e.attr(pair[from]); a != nil && e.attr(pair[to]) == nil {
			a.name = pair[to]
		}
	}
}

// contextResources moves what a Context of Tomcat 7 says about its files to the
// Resources of Tomcat 8.
func (c *conversion) contextResources(e *element) {
	if !c.to.atLeast("8.0") {
		return
	}
	res := e.child("Resources")
	if res != nil && res.class() != "" && model.SimpleClass(res.class()) != "StandardRoot" {
		return
	}
	need := func() *element {
		if res == nil {
			res = &element{name: "Resources"}
			e.children = append([]*element{res}, e.children...)
		}
		return res
	}
	var kept []attribute
	for _, a := range e.attrs {
		switch a.name {
		case "allowLinking", "cacheMaxSize", "cacheObjectMaxSize", "cacheTTL", "cachingAllowed":
			if a.name == "cacheTTL" {
				a.name = "cacheTtl"
			}
			need().attrs = append(need().attrs, a)
		case "aliases":
			c.aliases(need(), a)
		default:
			kept = append(kept, a)
		}
	}
	e.attrs = kept
}

// aliases makes PreResources of "/path=/folder,/other=/folder": both come before the
// application's own files.
func (c *conversion) aliases(res *element, a attribute) {
	for word := range strings.SplitSeq(a.value, ",") {
		path, base, ok := strings.Cut(strings.TrimSpace(word), "=")
		if !ok {
			c.ledger.Drop("it is no list of aliases", "", a.place)
			continue
		}
		class := "DirResourceSet"
		if low := strings.ToLower(base); strings.HasSuffix(low, ".jar") || strings.HasSuffix(low, ".war") {
			class = "JarResourceSet"
		}
		res.children = append(res.children, &element{name: "PreResources", attrs: []attribute{
			{name: "className", value: "org.apache.catalina.webresources." + class},
			{name: "base", value: strings.TrimSpace(base), place: a.place}, {name: "webAppMount", value: strings.TrimSpace(path), place: a.place}}})
	}
}
