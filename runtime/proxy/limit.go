package proxy

import (
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// methodSet are the methods that a <Limit> or <LimitExcept> is about, as
// ap_limit_section of server/core.c has them: names have case, HEAD is GET.
type methodSet struct {
	names  []string
	except bool
	outer  *methodSet // of the section around it
}

func (s *methodSet) has(method string) bool {
	if method == "HEAD" {
		method = "GET"
	}
	for ; s != nil; s = s.outer {
		if slices.Contains(s.names, method) == s.except {
			return false
		}
	}
	return true
}

// limit is what one <Limit> or <LimitExcept> says about access.
type limit struct {
	methods *methodSet
	access  *model.Access
}

// limitSection reports whether the section is one of the two.
func limitSection(d *model.Directive) bool {
	return d.Section.V && (strings.EqualFold(d.Name.V, "Limit") || strings.EqualFold(d.Name.V, "LimitExcept"))
}

// readLimit reads a section with those inside of it, in the order of the file. It
// reports whether all that stands there is understood.
func readLimit(d *model.Directive, outer *methodSet) ([]*limit, bool) {
	set := &methodSet{except: strings.EqualFold(d.Name.V, "LimitExcept"), outer: outer}
	for _, a := range d.Args {
		name := a.V
		switch name {
		case "HEAD":
			name = "GET"
		case "TRACE":
			if !set.except {
				return nil, false // httpd does not start
			}
		}
		set.names = append(set.names, name)
	}
	if len(set.names) == 0 {
		return nil, false
	}
	var out []*limit
	for _, c := range d.Children {
		if limitSection(c) {
			inner, ok := readLimit(c, set)
			if !ok {
				return nil, false
			}
			out = append(out, inner...)
			continue
		}
		l := &limit{methods: set}
		if !keptAccess(&l.access, c) {
			return nil, false
		}
		out = append(out, l)
	}
	return out, true
}

// withLimits adds to the access control of a section what its limits say. What is
// not about methods, such as AuthType, counts for all of them (mod_authn_core).
// The result is m where there are none; ok is false when it is not known which of
// two lines comes last.
func withLimits(m *model.Access, limits []*limit, section diag.Span) (out *model.Access, ok bool) {
	if len(limits) == 0 {
		return m, true
	}
	if m == nil {
		m = &model.Access{}
	}
	all := *m
	ok = true
	for _, l := range limits {
		a := l.access
		ok = latest(&all.AuthType, a.AuthType, section) && ok
		ok = latest(&all.AuthName, a.AuthName, section) && ok
		ok = latest(&all.AuthFile, a.AuthFile, section) && ok
		ok = latest(&all.GroupFile, a.GroupFile, section) && ok
		ok = latest(&all.Authoritative, a.Authoritative, section) && ok
		ok = latest(&all.Forbid, a.Forbid, section) && ok
		ok = latest(&all.Merging, a.Merging, section) && ok
		all.Providers = append(all.Providers[:len(all.Providers):len(all.Providers)], a.Providers...)
		_, order := later(m.Order, a.Order, section)
		_, satisfy := later(m.Satisfy, a.Satisfy, section)
		ok = ok && order && satisfy
	}
	return &all, ok
}

func latest[T model.Scalar](to *model.Value[T], v model.Value[T], section diag.Span) bool {
	last, ok := later(*to, v, section)
	*to = last
	return ok
}

// methodOrder is Order or Satisfy of a limit.
type methodOrder struct {
	methods    *methodSet
	order      bool // Order is given, else Satisfy
	allowFirst bool
	any        bool
}

// limited adds the rules of the limits for hosts (mod_access_compat keeps Order and
// Satisfy by method, and the methods with each word of Allow and Deny).
func (h *hostRules) limited(m *model.Access, limits []*limit, section diag.Span) error {
	for _, l := range limits {
		a := l.access
		if last, _ := later(m.Order, a.Order, section); given(a.Order) && last.V == a.Order.V {
			h.byMethod = append(h.byMethod, methodOrder{methods: l.methods, order: true, allowFirst: allowFirst(a.Order.V)})
		}
		if last, _ := later(m.Satisfy, a.Satisfy, section); given(a.Satisfy) && last.V == a.Satisfy.V {
			h.byMethod = append(h.byMethod, methodOrder{methods: l.methods, any: strings.EqualFold(a.Satisfy.V, "any")})
		}
		for i, list := range [][]model.String{a.Allow, a.Deny} {
			for _, w := range list {
				r, err := newHostRule(w.V)
				if err != nil {
					return at(w.Span, err)
				}
				only := func(c *client) bool { return l.methods.has(c.x.Req.Method) && r(c) }
				if i == 0 {
					h.allow = append(h.allow, only)
				} else {
					h.deny = append(h.deny, only)
				}
			}
		}
	}
	return nil
}

// ways are Order and Satisfy for a method.
func (h *hostRules) ways(method string) (allowFirst, any bool) {
	allowFirst, any = h.allowFirst, h.any
	for _, o := range h.byMethod {
		switch {
		case !o.methods.has(method):
		case o.order:
			allowFirst = o.allowFirst
		default:
			any = o.any
		}
	}
	return allowFirst, any
}

// limitRules puts the Require lines of the limits beside those of the section
// (add_authz_provider of mod_authz_core.c): a group is about the methods that any
// of its lines is about.
func limitRules(root *authz, limits []*limit, odd func(diag.Span, string)) *authz {
	for _, l := range limits {
		inner := newAuthz(l.access.Require, odd)
		if inner == nil {
			continue
		}
		switch {
		case root == nil:
			root = &authz{at: inner.at, methods: []*methodSet{}}
		case root.ask != nil || root.all || root.not:
			root = &authz{at: root.at, kids: []*authz{root}}
		}
		for _, k := range inner.kids {
			k.methods = []*methodSet{l.methods}
			root.kids = append(root.kids, k)
		}
		if root.methods != nil {
			root.methods = append(root.methods, l.methods)
		}
	}
	return root
}

// about reports whether the rule is about the method; without limits it is about
// all of them.
func (a *authz) about(method string) bool {
	return a.methods == nil || slices.ContainsFunc(a.methods, func(s *methodSet) bool { return s.has(method) })
}

// bothMethods are those of two rules that stand in one group.
func bothMethods(a, b *authz) []*methodSet {
	if a.methods == nil || b.methods == nil {
		return nil
	}
	return slices.Concat(a.methods, b.methods)
}
