package tomcat

import (
	"fmt"
	"strings"

	"clowder/parse/known"
	"clowder/parse/model"
	"clowder/render/target"
)

// connector brings a connector into the form of the target version: its protocol,
// the protection of AJP, TLS. The result is the element, or what stands in its place.
func (c *conversion) connector(e *element) *element {
	c.protocol(e)
	if isAJP(e) {
		return c.ajp(e)
	}
	return c.tls(e)
}

// isAJP reports whether the connector speaks AJP, as [model.Connector.Kind] does.
func isAJP(e *element) bool { return strings.Contains(strings.ToLower(e.value("protocol")), "ajp") }

// protocol replaces the classes of protocols that the target version does not have.
func (c *conversion) protocol(e *element) {
	a := e.attr("protocol")
	if a == nil {
		return
	}
	if strings.HasPrefix(a.value, "org.apache.jk.") {
		c.ledger.Approx("the connector of Tomcat 5 is gone", "AJP/1.3", a.place)
		a.value = "AJP/1.3"
		return
	}
	if !known.TomcatOwn(a.value) {
		if strings.Contains(a.value, ".") && !strings.Contains(a.value, "${") && a.value != "HTTP/1.1" && a.value != "AJP/1.3" && c.from.branch() != c.to.branch() {
			c.person(e, fmt.Sprintf("the protocol %s is no class of Tomcat: see that it works with Tomcat %s", a.value, c.to.text), "", a.place)
		}
		return
	}
	if _, gone := c.to.gone(a.value); !gone {
		return
	}
	simple, successor := model.SimpleClass(a.value), "Http11NioProtocol"
	if isAJP(e) {
		successor = "AjpNioProtocol"
	}
	message := simple + " is gone; connections are handled without blocking"
	if strings.Contains(simple, "Apr") && !isAJP(e) {
		message = simple + " is gone; NIO does its work, with OpenSSL where the AprLifecycleListener finds tcnative"
	}
	c.ledger.Approx(message, successor, a.place)
	a.value = a.value[:len(a.value)-len(simple)] + successor
}

// ajp keeps an AJP connector as reachable as it was, and no more. Since the change
// after CVE-2020-1938 (Ghostcat) a connector without a secret does not start unless
// secretRequired is false, and it listens on loopback unless it has an address.
func (c *conversion) ajp(e *element) *element {
	was, is := c.from.strictAJP(), c.to.strictAJP()
	if was && !is {
		return c.leaveOut(e, fmt.Sprintf("AJP of Tomcat %s lets its peer set any attribute of a request (CVE-2020-1938), which %s does not: write for the newest release of the branch", c.to.text, c.from.text), "")
	}
	if is {
		c.secretName(e)
	}
	secret := strings.TrimSpace(e.value("secret")) != ""
	off := strings.EqualFold(e.value("secretRequired"), "false")
	switch place := e.attr("protocol").place; {
	case !is || secret && was:
	case was && !off:
		c.person(e, "as before the connector does not start: it has no secret; give the same one to the connector and to httpd (secret= of the member)", "secret", place)
	case was:
	default:
		c.openAJP(e, secret, off)
	}
	return e
}

// secretName gives the secret its name of today.
func (c *conversion) secretName(e *element) {
	old := e.attr("requiredSecret")
	if old == nil {
		return
	}
	if e.attr("secret") == nil {
		old.name = "secret"
		return
	}
	c.ledger.Drop("secret stands beside it and counts", "", old.place)
	e.remove("requiredSecret")
}

// openAJP writes what was the default before the change, as far as it is needed:
// no secret, and every address unless all known members come by loopback.
func (c *conversion) openAJP(e *element, secret, off bool) {
	place := e.attr("protocol").place
	address, local := e.value("address"), false
	switch {
	case e.attr("address") != nil:
		local = model.IsLoopback(strings.Trim(strings.TrimSpace(address), "[]"))
	case c.loopbackOnly(e):
		local, address = true, "127.0.0.1"
		e.add("address", address)
	default:
		address = "0.0.0.0"
		e.add("address", address)
	}
	c.ledger.Add(target.Note{Loss: target.Approximated, ID: "secret", Span: e.at.Head(), Fact: e.label(),
		Message: fmt.Sprintf("Tomcat %s answers 403 to requests with attributes that it does not know", c.to.text), Means: "allowedRequestAttributesPattern"})
	if secret {
		return
	}
	switch {
	case e.attr("secretRequired") == nil:
		e.add("secretRequired", "false")
	case !off:
		c.person(e, "the connector does not start: it requires a secret and has none, which Tomcat "+c.from.text+" did not look at", "secret", place)
		return
	}
	if local {
		c.person(e, "no secret, as before, and only this machine can connect; give the same secret to the connector and to httpd", "secret", place)
		c.ledger.File("secret", place)
		return
	}
	message := fmt.Sprintf("without a secret whoever reaches %s can send requests as anybody, as before; give the same secret to the connector and to httpd, or bind it to loopback", address)
	c.guarded(e, message, "secret", place)
	c.ledger.File("secret", place)
}

// loopbackOnly reports whether members of the setup lead to the connector, and each
// of them by loopback.
func (c *conversion) loopbackOnly(e *element) bool {
	found := false
	for _, l := range c.links {
		if k, ok := e.source.(*model.Connector); !ok || l.Connector != k {
			continue
		}
		if !model.IsLoopback(l.Host) {
			return false
		}
		found = true
	}
	return found
}
