package parse

import (
	"strings"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

// finish adds to the setup what only becomes known when all files were read:
// applications, versions, defaults and the machines that nodes run on.
func (l *loader) finish() {
	l.fragments()
	l.applications()
	s := l.r.Setup
	for _, f := range s.FrontEnds {
		l.frontVersion(f)
		f.ApplyDefaults()
	}
	for _, n := range s.Nodes {
		l.nodeVersion(n)
		l.startOptions(n)
		n.ApplyDefaults()
	}
	l.hosts()
	l.unusedNames()
	l.r.Diags.Sort(s.Files)
}

func (l *loader) frontVersion(f *model.FrontEnd) {
	v := model.String{}
	if l.o.HTTPD != "" {
		v = model.Is(l.o.HTTPD, diag.Span{})
	} else {
		v = l.settingVersion("httpd")
	}
	switch {
	case v.IsWritten():
		f.Version = v
	case f.Version.IsWritten():
	default:
		f.Version = guessHTTPD(f, l.configOf(f))
	}
	if f.Version.IsWritten() {
		l.r.HTTPDDeclared = true
	}
}

// configOf returns the tree that the front end came from, or nil.
func (l *loader) configOf(f *model.FrontEnd) *httpd.Config {
	for i, x := range l.r.Setup.FrontEnds {
		if x == f && i < len(l.r.HTTPD) {
			return l.r.HTTPD[i]
		}
	}
	return nil
}

// guessHTTPD reads the signs of a version that rules 2.2 or 2.4 out: modules and
// directives that only one of them has, and Order lines beside NameVirtualHost
// without anything of 2.4.
func guessHTTPD(f *model.FrontEnd, cfg *httpd.Config) model.String {
	for _, m := range f.Modules {
		switch m.Name.V {
		case "access_compat_module", "authz_core_module", "slotmem_shm_module", "unixd_module", "mpm_event_module":
			return model.Infer("2.4", m.At)
		case "authz_default_module", "disk_cache_module", "mem_cache_module":
			return model.Infer("2.2", m.At)
		}
	}
	if cfg == nil {
		return model.Def("2.4")
	}
	var names, order, new diag.Span
	httpd.Walk(cfg.Nodes, func(n *httpd.Node) bool {
		switch {
		case n.Is("NameVirtualHost"):
			names = n.Span
		case n.Is("Order"):
			order = n.Span
		case !new.IsValid() && (n.Is("Mutex") || n.Is("Require") && strings.EqualFold(n.Arg(0), "all")):
			new = n.Span
		}
		return true
	})
	switch {
	case new.IsValid():
		return model.Infer("2.4", new)
	case names.IsValid() && order.IsValid():
		return model.Infer("2.2", names)
	}
	return model.Def("2.4")
}

func (l *loader) nodeVersion(n *model.Node) {
	if v := l.tomcatVersion(n.Name.V); v.IsWritten() {
		n.Version = v
	}
	if n.Version.IsWritten() {
		l.r.TomcatDeclared = true
		return
	}
	n.Version = model.Def("10.1")
	for _, c := range n.Listeners {
		if model.SimpleClass(c.Class.V) == "JasperListener" {
			n.Version = model.Infer("7", c.Class.Span)
		}
	}
}

// hosts says on which machine each node runs: as declared, else by the members
// that lead to it.
func (l *loader) hosts() {
	said := func(keys ...string) (model.String, bool) {
		for _, k := range keys {
			if v, ok := l.o.Hosts[k]; ok {
				return model.Is(v, diag.Span{}), true
			}
		}
		if l.r.Native != nil {
			for _, k := range keys {
				if v, ok := l.r.Native.Settings.Hosts[k]; ok {
					return v, true
				}
			}
		}
		return model.String{}, false
	}
	for _, f := range l.r.Setup.FrontEnds {
		if v, ok := said(l.frontKeys(f)...); ok {
			f.Host = v
		}
	}
	for _, n := range l.r.Setup.Nodes {
		if v, ok := said(l.nodeKeys(n)...); ok {
			n.Host = v
		}
	}
	l.r.Setup.InferHosts()
}
