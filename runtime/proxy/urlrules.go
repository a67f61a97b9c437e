package proxy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/runtime/expr"
)

// addURLRules gives a server what mod_rewrite, mod_alias and expressions in access
// rules need, beside what conf holds for each URL.
func (p *Proxy) addURLRules(s *server, main, v *model.Server) error {
	s.root = p.front.ServerRoot.V
	s.types = mimeTypes(slices.Concat(main.Settings.Extras, v.Settings.Extras), s.root)
	for _, h := range s.base.headers {
		s.hasEarly = s.hasEarly || h.early
	}
	if err := s.addRewrite(main, v); err != nil {
		return err
	}
	lists := slices.Clone(v.PathAlias)
	if main != v {
		lists = append(lists, main.PathAlias...)
	}
	var err error
	if s.aliases, err = newAliases(lists, s.root); err != nil {
		return err
	}
	for _, m := range []*model.Server{main, v} {
		for _, set := range eachSettings(m) {
			if set.Access != nil {
				if err := checkExprs(set.Access.Require); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// eachSettings lists the settings of a server and its sections.
func eachSettings(m *model.Server) []*model.Settings {
	out := []*model.Settings{&m.Settings}
	for _, sec := range m.Sections {
		out = append(out, &sec.Settings)
	}
	return out
}

// addRewrite takes the server's rules over from the layers that conf was made of. A
// virtual host without any directive of mod_rewrite has no rules, whatever the main
// server says (hook_uri2file, conf->server).
func (s *server) addRewrite(main, v *model.Server) error {
	s.maps = map[string]*rewriteMap{}
	own := v.Settings.Rewrite != nil || hasMap(v)
	rules := s.base.rewrite
	s.base.rewrite = nil // sections inherit from sections only
	inherits := false
	if rules != nil {
		inherits = rules.options["inherit"] || rules.options["inheritbefore"]
		s.base.rewrite = &rewriteConf{options: rules.options, given: rules.given}
	}
	if mr := main.Settings.Rewrite; mr != nil && !inherits {
		for _, o := range mr.Options {
			inherits = inherits || strings.HasPrefix(strings.ToLower(o.V), "inheritdown")
		}
	}
	if main != v && inherits {
		if err := s.addMaps(main); err != nil {
			return err
		}
	}
	if err := s.addMaps(v); err != nil {
		return err
	}
	if own && rules != nil && len(rules.rules) > 0 {
		if v.Settings.Rewrite == nil {
			rules = (&rewriteConf{options: rewriteOptions{}}).over(rules)
		}
		s.rewrite = rules
	}
	return s.checkMaps(main, v)
}

func hasMap(m *model.Server) bool {
	return slices.ContainsFunc(m.Settings.Extras, isMap)
}

func isMap(d *model.Directive) bool { return strings.EqualFold(d.Name.V, "RewriteMap") }

func (s *server) addMaps(m *model.Server) error {
	for _, d := range m.Settings.Extras {
		if !isMap(d) {
			continue
		}
		r, err := newRewriteMap(d, s.root)
		if err != nil {
			return at(d.At, err)
		}
		s.maps[d.Arg(0)] = r
	}
	return nil
}

// checkMaps refuses rules with a map that nothing is known of: it may decide who is
// refused.
func (s *server) checkMaps(main, v *model.Server) error {
	known := maps.Clone(s.maps)
	if main != v {
		for _, d := range main.Settings.Extras {
			if isMap(d) {
				known[d.Arg(0)] = nil // without keys here, as in httpd
			}
		}
	}
	for _, set := range eachSettings(v) {
		if set.Rewrite == nil {
			continue
		}
		for _, r := range set.Rewrite.Rules {
			for _, name := range mapNames(r) {
				if _, ok := known[name]; !ok {
					return at(r.At, fmt.Errorf("RewriteRule: no RewriteMap %q is known", name))
				}
			}
		}
	}
	return nil
}

// checkExprs reads the expressions of a tree of Require lines.
func checkExprs(r *model.Require) error {
	if r == nil {
		return nil
	}
	if len(r.Args) > 1 && strings.EqualFold(r.Args[0].V, "expr") {
		var words []string
		for _, a := range r.Args[1:] {
			words = append(words, a.V)
		}
		if _, err := expr.Parse(strings.Join(words, " "), 0); err != nil {
			return at(r.At, fmt.Errorf("Require expr: %w", err))
		}
	}
	for _, k := range r.Children {
		if err := checkExprs(k); err != nil {
			return err
		}
	}
	return nil
}
