package lint

import (
	"clowder/parse"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

// NewInput makes the input of a run from what parse.Load read.
func NewInput(r *parse.Result) *Input {
	in := &Input{
		Setup: r.Setup, Files: r.Setup.Files, Diags: r.Diags,
		HTTPDDeclared: r.HTTPDDeclared, TomcatDeclared: r.TomcatDeclared, Broken: r.Broken,
		Configs: r.HTTPD, Docs: r.Docs, Tomcat: r.Tomcat,
	}
	for i, cfg := range r.HTTPD {
		if cfg != nil && i < len(r.Setup.FrontEnds) {
			in.addDirectives(cfg.Nodes, r.Setup.FrontEnds[i])
		}
	}
	return in
}

func (in *Input) addDirectives(nodes []*httpd.Node, fe *model.FrontEnd) {
	httpd.Walk(nodes, func(n *httpd.Node) bool {
		if n.Skipped {
			return false
		}
		if n.Kind == httpd.Directive || n.Kind == httpd.Section {
			in.Directives = append(in.Directives, Directive{FrontEnd: fe, Name: n.Name, Span: n.Span, Node: n})
		}
		return true
	})
}
