package lint

import (
	"clowder/parse"
	"clowder/parse/httpd"
)

// NewInput makes the input of a run from what parse.Load read.
func NewInput(r *parse.Result) *Input {
	in := &Input{
		Setup: r.Setup, Files: r.Setup.Files, Diags: r.Diags,
		HTTPDDeclared: r.HTTPDDeclared, TomcatDeclared: r.TomcatDeclared, Broken: r.Broken,
		Configs: r.HTTPD, Docs: r.Docs, Tomcat: r.Tomcat, Options: r.Options,
	}
	if r.Native != nil {
		in.Features = map[string]bool{}
		for _, f := range r.Native.Settings.Lint.Features {
			in.Features[f.V] = true
		}
	}
	return in
}

// Directives gives the directives and sections of all front ends, expanded, in
// the order of the files; what is inside a section follows it.
func (in *Input) Directives(yield func(Directive) bool) {
	for i, cfg := range in.Configs {
		if cfg == nil || i >= len(in.Setup.FrontEnds) {
			continue
		}
		more := true
		httpd.Walk(cfg.Nodes, func(n *httpd.Node) bool {
			if n.Skipped || !more {
				return false
			}
			if n.Kind == httpd.Directive || n.Kind == httpd.Section {
				more = yield(Directive{FrontEnd: in.Setup.FrontEnds[i], Name: n.Name, Span: n.Span, Node: n})
			}
			return more
		})
		if !more {
			return
		}
	}
}
