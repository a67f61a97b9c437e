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
	kept := s.Kept()
	for _, u := range s.Unmapped {
		if !kept(u.Span) {
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
