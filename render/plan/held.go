package plan

import "clowder/parse/model"

// Held reports whether the directive is kept in its place, where the plan
// closes what it is about.
func Held(s *model.Setup, u model.Unmapped) bool {
	var in func([]*model.Directive) bool
	in = func(list []*model.Directive) bool {
		for _, d := range list {
			if d.At.File == u.Span.File && d.At.Start <= u.Span.Start && u.Span.End <= d.At.End || in(d.Children) {
				return true
			}
		}
		return false
	}
	for _, f := range s.FrontEnds {
		for _, srv := range append([]*model.Server{f.Main}, f.VHosts...) {
			if srv == nil {
				continue
			}
			if in(srv.Settings.Extras) {
				return true
			}
			for _, sec := range srv.Sections {
				if in(sec.Settings.Extras) {
					return true
				}
			}
		}
	}
	return false
}
