package tomcat

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/ledger"
	"clowder/render/target"
)

// origin says which file of a Tomcat a fact about an application stands in.
type origin uint8

const (
	inServer     origin = iota // server.xml, or the TOML
	inDescriptor               // conf/ENGINE/HOST/app.xml
	inContextXML               // META-INF/context.xml, conf/context.xml, context.xml.default
	inWebXML                   // web.xml, web.xml.default
)

func (c *conversion) originOf(at diag.Span) origin {
	if !at.IsValid() || c.toml() || at.File == c.node.At.File {
		return inServer
	}
	p := slash(at.File.Name)
	base := path.Base(p)
	switch {
	case base == "web.xml" || base == "web.xml.default" || strings.Contains(p, "/WEB-INF/"):
		return inWebXML
	case base == "context.xml" || base == "context.xml.default" || strings.Contains(p, "/META-INF/"):
		return inContextXML
	case path.Dir(path.Dir(path.Dir(p))) == path.Dir(slash(c.node.At.File.Name)) && strings.HasSuffix(p, ".xml"):
		return inDescriptor
	}
	return inServer // a file that server.xml includes as an entity
}

// contexts returns the contexts of all hosts and sets the lifter to what belongs
// into server.xml. The facts of web.xml and of files inside applications stay where
// they are; those of descriptors get a descriptor again.
func (c *conversion) contexts() []*model.Context {
	c.lifter.keep = func(at diag.Span) bool { return c.originOf(at) == inServer }
	var all []*model.Context
	for _, s := range c.node.Services {
		if s.Engine == nil {
			continue
		}
		for _, h := range s.Engine.Hosts {
			for _, x := range h.Contexts {
				all = append(all, x)
				if c.toml() {
					continue
				}
				if c.originOf(x.At) == inDescriptor {
					c.descriptor(x)
				}
				c.elsewhere(x)
			}
		}
	}
	return all
}

// descriptor makes the file of a context that has one.
func (c *conversion) descriptor(x *model.Context) {
	l := c.lifter
	l.keep = func(at diag.Span) bool { return !at.IsValid() || at.File == x.At.File }
	name := strings.TrimPrefix(slash(x.At.File.Name), path.Dir(slash(c.node.At.File.Name))+"/")
	c.descriptors = append(c.descriptors, descriptor{name, l.lift("Context", x)})
}

// elsewhere accounts for facts in files that are not written anew: they stay, and
// what the target version would not take in a context.xml is left to a person.
func (c *conversion) elsewhere(x *model.Context) {
	spans := map[diag.Span]bool{}
	places(reflect.ValueOf(x).Elem(), spans)
	trial := *c
	trial.ledger = ledger.New("Tomcat " + c.to.text)
	trial.foreign = map[string]bool{}
	trial.lifter.keep = func(at diag.Span) bool { return c.originOf(at) == inContextXML }
	e := trial.lifter.lift("Context", x)
	before, after := map[diag.Span]string{}, map[diag.Span]string{}
	spelling(e, before)
	trial.convert(&element{name: "Host"}, e)
	trial.finish(e, new(bool))
	spelling(e, after)
	for at, now := range after {
		if now != before[at] {
			trial.ledger.Person("Tomcat "+c.to.text+" wants it in other words", now, at)
		}
	}
	fates := map[diag.Span]target.Note{}
	for _, n := range trial.ledger.Notes(x) {
		fates[n.Span] = n
	}
	for at := range spans {
		o := c.originOf(at)
		n, noted := fates[at]
		switch {
		case o == inServer || o == inDescriptor && at.File == x.At.File:
		case o == inContextXML && noted && n.Loss != target.Exact:
			message := "change it in its file, which is not written anew: " + n.Message
			if n.Security {
				c.ledger.Guarded(message, n.Means, at)
			} else {
				c.ledger.Person(message, n.Means, at)
			}
		default:
			c.ledger.Exact(at)
		}
	}
}

// spelling collects how each fact is written, by its place.
func spelling(e *element, into map[diag.Span]string) {
	for _, a := range e.attrs {
		if a.place.IsValid() {
			into[a.place] = diag.HideSecrets(fmt.Sprintf("<%s %s=%q>", e.name, a.name, a.value))
		}
	}
	for _, k := range e.children {
		spelling(k, into)
	}
}

// places collects the places of the facts in a struct.
func places(v reflect.Value, into map[diag.Span]bool) {
	if a, ok := v.Addr().Interface().(*model.Attr); ok {
		into[a.At] = true
		return
	}
	for _, f := range model.Fields(v.Type()) {
		fv := v.FieldByIndex(f.Index)
		switch f.Kind {
		case model.ScalarField:
			if x := model.Any(fv); x.Origin == model.Written {
				into[x.Span] = true
			}
		case model.StructField:
			if !fv.IsNil() {
				places(fv.Elem(), into)
			}
		case model.ArrayField, model.AttrsField:
			for i := range fv.Len() {
				places(fv.Index(i).Elem(), into)
			}
		}
	}
}

// placeContexts takes the contexts out of the hosts that server.xml does not hold,
// and notes what of the others stands in web.xml alone.
func (c *conversion) placeContexts(root *element, contexts []*model.Context) {
	byModel := map[any]*element{}
	var walk func(e *element)
	walk = func(e *element) {
		e.children = slices.DeleteFunc(e.children, func(k *element) bool {
			x, ok := k.source.(*model.Context)
			if !ok {
				return false
			}
			if c.toml() {
				c.webFacts(k, x)
				return len(k.children) == 0 && !slices.ContainsFunc(k.attrs, func(a attribute) bool { return a.name != "path" })
			}
			return !x.At.IsValid()
		})
		for _, k := range e.children {
			byModel[k.source] = k
			walk(k)
		}
	}
	walk(root)
	if !c.toml() {
		return
	}
	for _, x := range contexts {
		if byModel[x] == nil {
			c.ledger.Exact(x.Path) // Tomcat deploys it by itself
		}
	}
}

// webFacts asks for what only an application's own web.xml can say.
func (c *conversion) webFacts(e *element, x *model.Context) {
	const where = "it stands in the application's own web.xml, which is not written: see that it has "
	if x.Distributable.IsWritten() {
		if x.Distributable.V {
			c.person(e, where+"<distributable/>", "<distributable/>", x.Distributable)
		} else {
			c.ledger.Exact(x.Distributable)
		}
	}
	if x.SessionTimeout.IsWritten() {
		timeout := fmt.Sprintf("<session-config><session-timeout>%d</session-timeout></session-config>", x.SessionTimeout.V)
		c.person(e, where+timeout, timeout, x.SessionTimeout)
	}
	if x.CookieSecure.IsWritten() {
		secure := fmt.Sprintf("<session-config><cookie-config><secure>%t</secure></cookie-config></session-config>", x.CookieSecure.V)
		if x.CookieSecure.V {
			c.guarded(e, where+secure, secure, x.CookieSecure)
		} else {
			c.person(e, where+secure, secure, x.CookieSecure)
		}
	}
	if x.Transport.IsWritten() {
		guarantee := fmt.Sprintf("a security-constraint with <transport-guarantee>%s</transport-guarantee>", x.Transport.V)
		c.guarded(e, where+guarantee, guarantee, x.Transport)
	}
}

// guarded is person for what protects.
func (c *conversion) guarded(e *element, message, means string, facts ...any) {
	c.ledger.Guarded(message, means, facts...)
	e.comments = append(e.comments, sentence(message))
}
