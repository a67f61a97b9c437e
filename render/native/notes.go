package native

import (
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/target"
)

// notes lists what the TOML does not say: what neither a field of the model nor a
// kept directive holds, and of a web.xml all but its sessions.
func notes(s *model.Setup) []target.Note {
	var out []target.Note
	if len(s.FrontEnds) == 0 && len(s.Nodes) == 0 {
		note := target.Note{Loss: target.NeedsPerson, ID: "unmapped", Message: "No root file of httpd and no server.xml was read, so there is no setup to write; name one of them."}
		if len(s.Files) > 0 {
			note.Span = diag.At(s.Files[0], 0, 0)
		}
		out = append(out, note)
	}
	kept := keptPlaces(s)
	for _, u := range s.Unmapped {
		if !kept[end(u.Span)] {
			out = append(out, target.Note{Loss: target.Dropped, ID: "unmapped", Security: u.Guard || u.FileGuard, Span: u.Span, Fact: u.What,
				Message: "The TOML has no key for it."})
		}
	}
	for _, n := range s.Nodes {
		for _, svc := range n.Services {
			if svc.Engine == nil {
				continue
			}
			for _, h := range svc.Engine.Hosts {
				for _, c := range h.Contexts {
					if c.WebApp.IsValid() {
						out = append(out, target.Note{Loss: target.Dropped, ID: "tomcat", Span: c.WebApp, Fact: "web-app",
							Message: "Of a web.xml the TOML holds what it says about sessions and TLS; servlets, filters and constraints stay with the application."})
					}
				}
			}
		}
	}
	return out
}

// end tells places of one file apart by where they end: those of the list of what
// has no field may lack their indent.
func end(at diag.Span) diag.Span { return diag.Span{File: at.File, End: at.End} }

// keptPlaces are the ends of the directives that are kept as they stand.
func keptPlaces(s *model.Setup) map[diag.Span]bool {
	kept := map[diag.Span]bool{}
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
	return kept
}
