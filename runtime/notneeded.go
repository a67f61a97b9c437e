package runtime

import "clowder/parse/model"

// notNeeded are the classes that only a Java virtual machine has a use for.
var notNeeded = map[string]bool{
	"AprLifecycleListener":              true,
	"OpenSSLLifecycleListener":          true,
	"JasperListener":                    true,
	"JreMemoryLeakPreventionListener":   true,
	"ThreadLocalLeakPreventionListener": true,
	"GlobalResourcesLifecycleListener":  true,
	"VersionLoggerListener":             true,
	"StoreConfigLifecycleListener":      true,
	"SecurityListener":                  true,
}

// NotNeeded lists what the setup holds and a run has no use for: it is kept in
// the model and in the TOML, and has no effect on the Go nodes.
func NotNeeded(s *model.Setup) []model.Unmapped {
	var out []model.Unmapped
	note := func(list []*model.Component) {
		for _, c := range list {
			if notNeeded[model.SimpleClass(c.Class.V)] {
				out = append(out, model.Unmapped{Span: c.At, What: c.Element.V + " " + model.SimpleClass(c.Class.V)})
			}
		}
	}
	for _, n := range s.Nodes {
		note(n.Listeners)
		for _, r := range n.Resources {
			out = append(out, model.Unmapped{Span: r.At, What: "JNDI " + r.Element.V + attribute(r, "name")})
		}
		e := n.Engine()
		if e == nil {
			continue
		}
		for _, r := range realms(e) {
			out = append(out, model.Unmapped{Span: r.At, What: "Realm " + model.SimpleClass(r.Class.V)})
		}
	}
	return out
}

func realms(e *model.Engine) []*model.Component {
	out := append([]*model.Component(nil), e.Realms...)
	for _, h := range e.Hosts {
		out = append(out, h.Realms...)
	}
	return out
}

func attribute(c *model.Component, name string) string {
	if a := c.Attribute(name); a != nil {
		return " " + a.Value.V
	}
	return ""
}
