package model

import "clowder/parse/diag"

// Kept returns a test of whether the directive at a place is among the Extras of a
// server or section, the directives that are kept as they stand. A place is known
// by its file and end: the places of Unmapped may lack the indent.
func (s *Setup) Kept() func(diag.Span) bool {
	end := func(at diag.Span) diag.Span { return diag.Span{File: at.File, End: at.End} }
	kept := map[diag.Span]bool{}
	var add func(list []*Directive)
	add = func(list []*Directive) {
		for _, d := range list {
			kept[end(d.At)] = true
			add(d.Children)
		}
	}
	for _, f := range s.FrontEnds {
		for _, srv := range append([]*Server{f.Main}, f.VHosts...) {
			if srv == nil {
				continue
			}
			add(srv.Settings.Extras)
			for _, sec := range srv.Sections {
				add(sec.Settings.Extras)
			}
		}
	}
	return func(at diag.Span) bool { return kept[end(at)] }
}
