package plan

import "clowder/parse/model"

// UnknownGuards lists what restricts requests of httpd and has no place in
// the model at all, so that nobody can tell which requests it is about. A target
// then refuses all.
func UnknownGuards(s *model.Setup) []model.Unmapped {
	kept := s.Kept()
	var out []model.Unmapped
	for _, u := range s.Unmapped {
		if u.Guard && !kept(u.Span) {
			out = append(out, u)
		}
	}
	return out
}
