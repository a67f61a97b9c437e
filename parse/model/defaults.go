package model

import (
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ApplyDefaults fills every unset value that httpd has a default for: the
// default tags of the structs, from the manual pages of core, mod_proxy and
// mod_proxy_hcheck. Virtual hosts keep unset what they inherit.
func (f *FrontEnd) ApplyDefaults() {
	if f.Main == nil {
		f.Main = &Server{At: f.At}
	}
	applyTags(reflect.ValueOf(f.Main).Elem())
	for _, s := range append([]*Server{f.Main}, f.VHosts...) {
		s.Settings.Access.defaultGroup()
		for _, sec := range s.Sections {
			sec.Settings.Access.defaultGroup()
		}
		for _, b := range s.Balancers {
			applyTags(reflect.ValueOf(b).Elem())
		}
		for _, w := range s.Workers {
			applyTags(reflect.ValueOf(w).Elem())
		}
	}
}

// defaultGroup names the group that the Require lines of a section make without
// saying so (mod_authz_core).
func (a *Access) defaultGroup() {
	if a != nil && a.Require != nil && len(a.Require.Args) == 0 {
		fill(&a.Require.Group, "any")
	}
}

// ApplyDefaults fills every unset value that this version of Tomcat has a
// default for: the default tags, from the configuration reference, and the few
// that depend on the version or the protocol.
func (n *Node) ApplyDefaults() {
	for _, c := range n.Connectors() {
		c.applyDefaults(n.Version.V)
	}
	applyTags(reflect.ValueOf(n).Elem())
	if e := n.Engine(); e != nil {
		e.defaultManagers()
	}
}

// applyDefaults sets what the protocol decides. AJP: secretRequired is true and
// the address loopback since 7.0.100, 8.5.51, 9.0.31 and 10.0 (the Ghostcat
// change, AbstractAjpProtocol); connectionTimeout is infinite for AJP and 60 s
// for HTTP when the attribute is absent.
func (c *Connector) applyDefaults(version string) {
	fill(&c.Protocol, "HTTP/1.1")
	if c.Kind() != "ajp" {
		fill(&c.ConnTimeout, 60000)
		fill(&c.MaxHeaderSize, 8192)
		if c.SSLEnabled.V {
			fill(&c.Scheme, "http")
		}
		fill(&c.RedirectPort, 443)
		return
	}
	fill(&c.ConnTimeout, -1)
	fill(&c.RedirectPort, 443)
	fill(&c.PacketSize, 8192)
	fill(&c.TomcatAuth, true)
	strict := VersionAtLeast(version, "10") ||
		VersionAtLeast(version, "9.0.31") || sameBranchAtLeast(version, "8.5", "8.5.51") || sameBranchAtLeast(version, "7", "7.0.100")
	fill(&c.SecretRequired, strict)
	if strict {
		fill(&c.Address, "localhost")
	}
}

// defaultManagers gives each Manager element the class that its place implies.
func (e *Engine) defaultManagers() {
	clusters := []*Cluster{e.Cluster}
	for _, h := range e.Hosts {
		clusters = append(clusters, h.Cluster)
		for _, x := range h.Contexts {
			if x.Manager != nil {
				fill(&x.Manager.Class, "org.apache.catalina.session.StandardManager")
			}
		}
	}
	for _, c := range clusters {
		if c != nil && c.Manager != nil {
			fill(&c.Manager.Class, "org.apache.catalina.ha.session.DeltaManager")
		}
	}
}

func fill[T Scalar](v *Value[T], d T) {
	if v.Origin == Unset {
		*v = Def(d)
	}
}

// applyTags fills the unset scalars below a struct that have a default tag.
func applyTags(v reflect.Value) {
	for _, f := range defaultsOf(v.Type()) {
		fv := v.FieldByIndex(f.Index)
		switch f.Kind {
		case ScalarField:
			if Origin(fv.Field(1).Uint()) == Unset {
				fv.Field(0).Set(f.value)
				fv.Field(1).SetUint(uint64(Default))
			}
		case StructField:
			if !fv.IsNil() {
				applyTags(fv.Elem())
			}
		case ArrayField:
			for i := range fv.Len() {
				applyTags(fv.Index(i).Elem())
			}
		}
	}
}

// defaultField is a field that has a default, or that may hold such fields.
type defaultField struct {
	Field
	value reflect.Value // the default of a scalar
}

var defaultCache sync.Map // reflect.Type -> []defaultField

// defaultsOf lists the fields of a struct type that [applyTags] has to look at.
func defaultsOf(t reflect.Type) []defaultField {
	if f, ok := defaultCache.Load(t); ok {
		return f.([]defaultField)
	}
	var fields []defaultField
	for _, f := range Fields(t) {
		switch {
		case f.Kind == StructField || f.Kind == ArrayField:
			fields = append(fields, defaultField{Field: f})
		case f.Kind == ScalarField && f.Default != "":
			fields = append(fields, defaultField{f, reflect.ValueOf(ParseDefault(f.Default, f.Type))})
		}
	}
	defaultCache.Store(t, fields)
	return fields
}

// ParseDefault reads a default tag as a value of the field's scalar type (see
// [Field]); a tag of the wrong form is a mistake of this
// package that its test finds.
func ParseDefault(s string, t reflect.Type) any {
	var x any
	var err error
	switch t {
	case reflect.TypeFor[string]():
		return s
	case reflect.TypeFor[bool]():
		x, err = strconv.ParseBool(s)
	case reflect.TypeFor[int]():
		x, err = strconv.Atoi(s)
	case reflect.TypeFor[float64]():
		x, err = strconv.ParseFloat(s, 64)
	default:
		var d time.Duration
		d, err = time.ParseDuration(s)
		x = d
	}
	if err != nil {
		panic("model: default tag " + strconv.Quote(s) + ": " + err.Error())
	}
	return x
}

// VersionAtLeast compares dotted version numbers; missing parts count as 0, so
// "9" is at least "9" but not at least "9.0.31". An empty version is at least nothing.
func VersionAtLeast(version, floor string) bool {
	if version == "" {
		return false
	}
	v, f := strings.Split(version, "."), strings.Split(floor, ".")
	for i := range max(len(v), len(f)) {
		if a, b := part(v, i), part(f, i); a != b {
			return a > b
		}
	}
	return true
}

func part(p []string, i int) int {
	if i >= len(p) {
		return 0
	}
	digits := strings.TrimLeft(p[i], " ")
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(digits[:end])
	return n
}

// sameBranchAtLeast reports whether version lies in the branch and is at least floor.
func sameBranchAtLeast(version, branch, floor string) bool {
	return (version == branch || strings.HasPrefix(version, branch+".")) && VersionAtLeast(version, floor)
}
