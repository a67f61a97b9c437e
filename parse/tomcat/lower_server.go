package tomcat

import (
	"strings"

	"clowder/parse/model"
)

func (l *lowering) server(n *model.Node, e *Element) {
	l.attrs(n, e)
	// The model's own fields are no attributes of Server.
	n.Name, n.Host, n.Version = model.String{}, model.String{}, model.String{}
	for _, c := range e.Children {
		switch c.Name {
		case "Listener":
			n.Listeners = append(n.Listeners, l.component(c))
		case "GlobalNamingResources":
			n.Resources = append(n.Resources, l.components(c.Children)...)
		case "Service":
			n.Services = append(n.Services, l.service(c))
		default:
			n.Extras = append(n.Extras, l.component(c))
		}
	}
}

func (l *lowering) service(e *Element) *model.Service {
	s := &model.Service{}
	l.attrs(s, e)
	for _, c := range e.Children {
		switch c.Name {
		case "Connector":
			k := &model.Connector{}
			l.attrs(k, c)
			k.Children = l.components(c.Children)
			s.Connectors = append(s.Connectors, k)
		case "Executor":
			s.Executors = append(s.Executors, l.component(c))
		case "Engine":
			if l.single(s.Engine != nil, c) {
				s.Engine = l.engine(c)
			}
		default:
			s.Extras = append(s.Extras, l.component(c))
		}
	}
	return s
}

// single reports whether an element that may stand once is the first of its kind.
func (l *lowering) single(have bool, e *Element) bool {
	if have {
		l.drop(e.Tag, "second "+e.Name)
	}
	return !have
}

func (l *lowering) engine(e *Element) *model.Engine {
	g := &model.Engine{}
	l.attrs(g, e)
	for _, c := range e.Children {
		switch c.Name {
		case "Cluster":
			if l.single(g.Cluster != nil, c) {
				g.Cluster = l.cluster(c)
			}
		case "Realm":
			g.Realms = append(g.Realms, l.component(c))
		case "Valve":
			l.valve(c, &g.Valves, &g.AccessLogs)
		case "Host":
			g.Hosts = append(g.Hosts, l.host(c))
		default:
			g.Extras = append(g.Extras, l.component(c))
		}
	}
	return g
}

func (l *lowering) host(e *Element) *model.Host {
	h := &model.Host{}
	l.attrs(h, e)
	for _, c := range e.Children {
		switch c.Name {
		case "Alias":
			h.Aliases = append(h.Aliases, model.Is(l.substitute(strings.TrimSpace(c.Text), c.Tag), c.Tag))
		case "Cluster":
			if l.single(h.Cluster != nil, c) {
				h.Cluster = l.cluster(c)
			}
		case "Realm":
			h.Realms = append(h.Realms, l.component(c))
		case "Valve":
			l.valve(c, &h.Valves, &h.AccessLogs)
		case "Context":
			x := &model.Context{}
			l.context(x, c)
			h.Contexts = append(h.Contexts, x)
		default:
			h.Extras = append(h.Extras, l.component(c))
		}
	}
	return h
}

func (l *lowering) context(x *model.Context, e *Element) {
	at := x.At
	distributable := x.Distributable
	l.attrs(x, e)
	x.Distributable = distributable // only web.xml decides: ContextConfig sets it again
	if at.IsValid() {
		x.At = at
	}
	for _, c := range e.Children {
		switch c.Name {
		case "Manager":
			if l.single(x.Manager != nil, c) {
				x.Manager = l.manager(c)
			}
		case "Valve":
			l.valve(c, &x.Valves, &x.AccessLogs)
		default:
			x.Extras = append(x.Extras, l.component(c))
		}
	}
}

// valve keeps an access log apart from the other valves.
func (l *lowering) valve(e *Element, valves *[]*model.Component, logs *[]*model.AccessLog) {
	if a := e.Attr("className"); a != nil && model.SimpleClass(a.Value) == "AccessLogValve" {
		log := &model.AccessLog{}
		l.attrs(log, e)
		*logs = append(*logs, log)
		return
	}
	*valves = append(*valves, l.component(e))
}

func (l *lowering) cluster(e *Element) *model.Cluster {
	k := &model.Cluster{}
	l.attrs(k, e)
	for _, c := range e.Children {
		switch c.Name {
		case "Manager":
			if l.single(k.Manager != nil, c) {
				k.Manager = l.manager(c)
			}
		case "Channel":
			if l.single(k.Channel != nil, c) {
				k.Channel = l.channel(c)
			}
		case "Valve":
			k.Valves = append(k.Valves, l.component(c))
		case "ClusterListener":
			k.Listeners = append(k.Listeners, l.component(c))
		case "Deployer":
			if l.single(k.Deployer != nil, c) {
				k.Deployer = l.component(c)
			}
		default:
			k.Extras = append(k.Extras, l.component(c))
		}
	}
	return k
}

func (l *lowering) manager(e *Element) *model.Manager {
	m := &model.Manager{}
	l.attrs(m, e)
	m.Children = l.components(e.Children)
	return m
}

func (l *lowering) channel(e *Element) *model.Channel {
	ch := &model.Channel{}
	l.attrs(ch, e)
	for _, c := range e.Children {
		switch c.Name {
		case "Membership":
			if l.single(ch.Membership != nil, c) {
				ch.Membership = l.membership(c)
			}
		case "Receiver":
			if l.single(ch.Receiver != nil, c) {
				ch.Receiver = &model.Receiver{}
				l.attrs(ch.Receiver, c)
				l.dropAll(c.Children)
			}
		case "Sender":
			if l.single(ch.Sender != nil, c) {
				ch.Sender = l.sender(c)
			}
		case "Interceptor":
			ch.Interceptors = append(ch.Interceptors, l.interceptor(c))
		default:
			ch.Extras = append(ch.Extras, l.component(c))
		}
	}
	return ch
}

func (l *lowering) membership(e *Element) *model.Membership {
	m := &model.Membership{}
	l.attrs(m, e)
	for _, c := range e.Children {
		if c.Name == "Member" {
			m.Members = append(m.Members, l.member(c))
		} else {
			l.dropAll([]*Element{c})
		}
	}
	return m
}

func (l *lowering) sender(e *Element) *model.Sender {
	s := &model.Sender{}
	l.attrs(s, e)
	for _, c := range e.Children {
		if c.Name != "Transport" {
			l.dropAll([]*Element{c})
		} else if l.single(s.Transport != nil, c) {
			s.Transport = &model.Transport{}
			l.attrs(s.Transport, c)
			l.dropAll(c.Children)
		}
	}
	return s
}

func (l *lowering) interceptor(e *Element) *model.Interceptor {
	i := &model.Interceptor{}
	l.attrs(i, e)
	for _, c := range e.Children {
		switch {
		case c.Name == "Member":
			i.Members = append(i.Members, l.member(c))
		case c.Name == "LocalMember" && i.Local == nil:
			i.Local = l.member(c)
		default:
			l.dropAll([]*Element{c})
		}
	}
	return i
}

func (l *lowering) member(e *Element) *model.StaticMember {
	m := &model.StaticMember{}
	l.attrs(m, e)
	return m
}

// dropAll notes elements that the model has no place for.
func (l *lowering) dropAll(list []*Element) {
	for _, e := range list {
		what := e.Name
		if e.Parent != nil {
			what += " inside " + e.Parent.Name
		}
		l.drop(e.Tag, what)
	}
}

func (l *lowering) components(list []*Element) []*model.Component {
	var out []*model.Component
	for _, e := range list {
		out = append(out, l.component(e))
	}
	return out
}

// component keeps an element as it stands.
func (l *lowering) component(e *Element) *model.Component {
	c := &model.Component{At: e.Tag, Element: model.Is(e.Name, e.NameSpan)}
	for i := range e.Attrs {
		a := &e.Attrs[i]
		if a.Name == "className" && !c.Class.IsSet() {
			c.Class = model.Is(l.substitute(a.Value, a.Span), a.Span)
			continue
		}
		c.Attrs = append(c.Attrs, newAttr(a, l.substitute(a.Value, a.Span)))
	}
	if t := strings.TrimSpace(e.Text); t != "" {
		c.Text = model.Is(l.substitute(t, e.Tag), e.Tag)
	}
	c.Children = l.components(e.Children)
	return c
}
