package model

import (
	"reflect"
	"slices"
	"strings"
)

// Effective returns the server as httpd sees it at run time: the virtual host
// merged over the main server, with httpd's defaults for what neither writes.
// vh nil or f.Main gives the main server. The result is a copy; what it points
// to is shared with the setup and must not be changed. It is safe for concurrent use.
//
// The rules are those of merge_proxy_config and merge_proxy_dir_config in
// modules/proxy/mod_proxy.c: the main server's mappings and sections come
// first; its balancers and workers are inherited unless BalancerInherit and
// ProxyPassInherit are both Off; a single value counts where it is set last.
func (f *FrontEnd) Effective(vh *Server) *Server {
	main := f.Main
	if main == nil {
		main = &Server{At: f.At}
	}
	if vh == nil || vh == f.Main {
		out := *main
		out.fillDefaults()
		return &out
	}
	out := *vh
	mergeScalars(reflect.ValueOf(&out).Elem(), reflect.ValueOf(main).Elem())
	out.fillDefaults()
	out.Mappings = join(inherited(main.Mappings), vh.Mappings)
	out.Sections = join(main.Sections, vh.Sections)
	out.PathAlias = join(vh.PathAlias, main.PathAlias)
	out.LogFormats = join(main.LogFormats, vh.LogFormats)
	if len(vh.CustomLogs) == 0 {
		out.CustomLogs = main.CustomLogs
	}
	if out.BalancerInherit.V || out.PassInherit.V {
		out.Balancers = mergeBalancers(main.Balancers, vh.Balancers)
		out.Workers = mergeWorkers(main.Workers, vh.Workers)
	}
	switch {
	case vh.TLS == nil:
		out.TLS = main.TLS
	case main.TLS != nil:
		tls := *vh.TLS
		mergeScalars(reflect.ValueOf(&tls).Elem(), reflect.ValueOf(main.TLS).Elem())
		out.TLS = &tls
	}
	switch {
	case vh.ReadTime == nil:
		out.ReadTime = main.ReadTime
	case main.ReadTime != nil:
		t := *vh.ReadTime
		mergeScalars(reflect.ValueOf(&t).Elem(), reflect.ValueOf(main.ReadTime).Elem())
		out.ReadTime = &t
	}
	out.HTTPOptions = join(main.HTTPOptions, vh.HTTPOptions)
	out.Settings = vh.Settings.Over(&main.Settings)
	out.fillDefaults()
	return &out
}

// Over returns the settings merged over those of an outer or earlier scope:
// single values count where they are set, lists are joined, outer first. Of access
// control each style replaces its own; rewrite rules are joined only when
// RewriteOptions ask for it, their engine is inherited.
func (s *Settings) Over(outer *Settings) Settings {
	out := *s
	mergeScalars(reflect.ValueOf(&out).Elem(), reflect.ValueOf(outer).Elem())
	out.Reverses = join(outer.Reverses, s.Reverses)
	out.CookiePaths = join(outer.CookiePaths, s.CookiePaths)
	out.CookieDomains = join(outer.CookieDomains, s.CookieDomains)
	out.Headers = join(outer.Headers, s.Headers)
	out.SetEnv = join(outer.SetEnv, s.SetEnv)
	out.ErrorDocs = join(outer.ErrorDocs, s.ErrorDocs)
	out.Redirects = join(s.Redirects, outer.Redirects)
	out.Access = s.Access.over(outer.Access)
	out.Rewrite = s.Rewrite.over(outer.Rewrite)
	out.Extras = join(outer.Extras, s.Extras)
	return out
}

// over merges the access control of a section over that of an outer one
// (mod_access_compat has no merge of its own: Order, Allow, Deny and Satisfy are
// taken as a whole). Require replaces Require unless AuthMerging is And or Or; with
// Off it does so even if there is none (merge_authz_core_dir_config in
// mod_authz_core.c).
func (a *Access) over(outer *Access) *Access {
	if a == nil || outer == nil {
		if a == nil {
			return outer
		}
		return a
	}
	out := *a
	mergeScalars(reflect.ValueOf(&out).Elem(), reflect.ValueOf(outer).Elem())
	if a.Order.IsSet() || a.Satisfy.IsSet() || len(a.Allow)+len(a.Deny) > 0 {
		out.Order, out.Satisfy = a.Order, a.Satisfy
	} else {
		out.Allow, out.Deny = outer.Allow, outer.Deny
	}
	if len(a.Providers) == 0 {
		out.Providers = outer.Providers
	}
	out.Require, out.Merging = a.Require, a.Merging
	switch group := a.mergeGroup(); {
	case a.Require == nil && !a.Merging.IsSet():
		out.Require, out.Merging = outer.Require, outer.Merging
	case group != "" && outer.Require != nil && a.Require != nil:
		out.Require = &Require{At: a.Require.At, Group: Infer(group, a.Merging.Span), Children: []*Require{outer.Require, a.Require}}
	case group != "" && a.Require == nil:
		out.Require = outer.Require
	}
	return &out
}

// mergeGroup is the kind of group that AuthMerging makes of both rules, "" for none.
func (a *Access) mergeGroup() string {
	switch strings.ToLower(a.Merging.V) {
	case "and":
		return "all"
	case "or":
		return "any"
	}
	return ""
}

// over merges mod_rewrite as config_server_merge of mod_rewrite.c: the engine and
// the options are inherited, rules with Inherit (behind the own ones) and
// InheritBefore, or when the outer ones say InheritDown or InheritDownBefore.
func (r *Rewrite) over(outer *Rewrite) *Rewrite {
	if outer == nil {
		return r
	}
	out := Rewrite{At: outer.At}
	if r != nil {
		out = *r
	}
	if !out.Engine.IsSet() {
		out.Engine = outer.Engine
	}
	if len(out.Options) == 0 {
		out.Options = outer.Options
	}
	ignore := out.has("ignoreinherit")
	switch own := out.Rules; {
	case out.has("inherit"), outer.has("inheritdown") && !ignore:
		out.Rules = join(own, outer.Rules)
	case out.has("inheritbefore"), outer.has("inheritdownbefore") && !ignore:
		out.Rules = join(outer.Rules, own)
	}
	return &out
}

func (r *Rewrite) has(option string) bool {
	return slices.ContainsFunc(r.Options, func(o String) bool { return strings.EqualFold(o.V, option) })
}

// inherited leaves out the mappings that belong to the main server alone.
func inherited(list []*Mapping) []*Mapping {
	own := func(m *Mapping) bool { return m.Own.V }
	if !slices.ContainsFunc(list, own) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), own)
}

func join[T any](a, b []T) []T {
	if len(a) == 0 {
		return b
	}
	return append(a[:len(a):len(a)], b...)
}

// mergeBalancers joins the lists. A balancer of both keeps the main server's
// members; parameters of the virtual host win.
func mergeBalancers(main, vh []*Balancer) []*Balancer {
	out := make([]*Balancer, 0, len(main)+len(vh))
	used := map[string]*Balancer{}
	for _, b := range vh {
		used[strings.ToLower(b.Name.V)] = b
	}
	for _, b := range main {
		own := used[strings.ToLower(b.Name.V)]
		if own == nil {
			out = append(out, b)
			continue
		}
		delete(used, strings.ToLower(b.Name.V))
		both := *own
		mergeScalars(reflect.ValueOf(&both).Elem(), reflect.ValueOf(b).Elem())
		both.Name, both.Members = b.Name, b.Members
		out = append(out, &both)
	}
	for _, b := range vh {
		if used[strings.ToLower(b.Name.V)] == b {
			out = append(out, b)
		}
	}
	return out
}

func mergeWorkers(main, vh []*Member) []*Member {
	out := make([]*Member, 0, len(main)+len(vh))
	for _, w := range main {
		shadowed := false
		for _, v := range vh {
			shadowed = shadowed || v.URL.V == w.URL.V
		}
		if !shadowed {
			out = append(out, w)
		}
	}
	return append(out, vh...)
}

// mergeScalars fills what dst does not write from src; a default of dst yields
// to anything that src has.
func mergeScalars(dst, src reflect.Value) {
	for _, field := range Fields(dst.Type()) {
		if field.Kind != ScalarField {
			continue
		}
		d, s := dst.FieldByIndex(field.Index), src.FieldByIndex(field.Index)
		if o := Any(d).Origin; o == Unset || o == Default && Any(s).Origin != Unset {
			d.Set(s)
		}
	}
}

// fillDefaults sets the defaults of the server's own scalars and of its
// settings, which carry no tags because an unset one in a section inherits.
func (s *Server) fillDefaults() {
	v := reflect.ValueOf(s).Elem()
	for _, field := range Fields(v.Type()) {
		fv := v.FieldByIndex(field.Index)
		if field.Kind == ScalarField && field.Default != "" && Any(fv).Origin == Unset {
			fv.Field(0).Set(reflect.ValueOf(ParseDefault(field.Default, field.Type)))
			fv.Field(1).Set(reflect.ValueOf(Default))
		}
	}
	fill(&s.Settings.PreserveHost, false)
	fill(&s.Settings.ErrorOverride, "Off")
	fill(&s.Settings.AddHeaders, true)
	fill(&s.Settings.Continue100, true)
	fill(&s.Settings.InterpolEnv, false)
}
