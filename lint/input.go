package lint

import (
	"strings"
	"sync"

	"clowder/parse"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// Input is what the rules look at: the model, and the trees it was lowered from.
type Input struct {
	Setup *model.Setup
	Files []*diag.File // all files read, in load order; nil: those of the setup
	Diags diag.List    // found while reading: H001, T001, …

	HTTPDDeclared  bool // the version stands on the command line or in the setup file
	TomcatDeclared bool

	// Features are what clowder.toml says about the servers and the application that
	// no file shows: ajp-secret, forwarded-by-app.
	Features map[string]bool

	Broken map[*diag.File]bool // has H001 or T001: X rules are silent about it

	// The trees that the model was lowered from, for rules about spelling and for
	// what the model does not hold. Configs is parallel to Setup.FrontEnds, nil for
	// one that did not come from httpd files; Docs are all XML files.
	Configs []*httpd.Config
	Docs    []*tomcat.Document
	Tomcat  map[*model.Node]*tomcat.Document // the server.xml of each node

	Options map[*model.Node][]parse.Define // -D options of the start scripts of each node
}

// facts is what all rules of one run share.
type facts struct {
	*Input
	links []model.Link
	hosts *model.Hosts
	memo  sync.Map // of Pass.Once
}

func newFacts(in *Input) *facts {
	if in.Setup == nil {
		in.Setup = &model.Setup{}
	}
	if in.Files == nil {
		in.Files = in.Setup.Files
	}
	f := &facts{Input: in, links: in.Setup.Links()}
	f.hosts = model.NewHosts(in.Setup, f.links)
	return f
}

// ParserFound reports whether the parser already reported the finding inside the
// span, or anywhere in its file when the span is empty, with the word in its message.
func (in *Input) ParserFound(id, word string, at diag.Span) bool {
	for i := range in.Diags {
		d := &in.Diags[i]
		if d.ID != id || d.Span.File != at.File || !strings.Contains(d.Message, word) {
			continue
		}
		if at.Start == at.End || d.Span.Start < at.End && at.Start < d.Span.End {
			return true
		}
	}
	return false
}

// Server is one server of a front end together with it.
type Server struct {
	*model.Server
	FrontEnd *model.FrontEnd
	Main     bool
}

// Servers returns the main server and the virtual hosts of all front ends.
func (in *Input) Servers() []Server {
	var out []Server
	for _, fe := range in.Setup.FrontEnds {
		if fe.Main != nil {
			out = append(out, Server{fe.Main, fe, true})
		}
		for _, v := range fe.VHosts {
			out = append(out, Server{v, fe, false})
		}
	}
	return out
}

// Directive is one directive or section that is in force, after conditions,
// includes and macros.
type Directive struct {
	FrontEnd *model.FrontEnd
	Name     string
	Span     diag.Span
	Node     *httpd.Node // with its arguments and the sections around it
}
