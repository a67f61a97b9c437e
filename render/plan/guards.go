package plan

import (
	"clowder/parse/diag"
	"clowder/parse/model"
)

// UnknownGuards lists what restricts requests of httpd and has no place in
// the model at all, so that nobody can tell which requests it is about. A target
// then refuses all.
func UnknownGuards(s *model.Setup) []model.Unmapped {
	kept := map[diag.Span]bool{} // by file and end: the place of some is without their indent
	end := func(at diag.Span) diag.Span { return diag.Span{File: at.File, End: at.End} }
	var add func(list []*model.Directive)
	add = func(list []*model.Directive) {
		for _, d := range list {
			kept[end(d.At)] = true
			add(d.Children)
		}
	}
	for _, f := range s.FrontEnds {
		for _, srv := range append([]*model.Server{f.Main}, f.VHosts...) {
			if srv == nil {
				continue
			}
			add(srv.Settings.Extras)
			for _, sec := range srv.Sections {
				add(sec.Settings.Extras)
			}
		}
	}
	var out []model.Unmapped
	for _, u := range s.Unmapped {
		if u.Guard && !kept[end(u.Span)] {
			out = append(out, u)
		}
	}
	return out
}
