// Package graph draws a setup: clients, listeners, virtual hosts with their
// mappings, balancers with their members, Tomcats and the groups they replicate
// in, with the findings of lint where they belong.
//
// [Build] makes a [Graph] out of the model, once for all forms; [Formats] is the
// table of the forms. A graph has five layers and edges only from one layer to the
// next, so that a picture needs no edge below a box that it does not belong to.
// Everything is deterministic, and no text of a graph holds a secret.
package graph

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"clowder/parse/diag"
)

// Graph is one setup as boxes and edges.
type Graph struct {
	Fronts   []*Front
	Groups   []*Group
	Findings []Finding // in the order of lint, those of one rule together
	Checked  bool      // lint was run
	Errors   int       // how many findings of each level there are
	Warnings int
	Infos    int
}

// Front is one httpd: a frame around its three layers.
type Front struct {
	Title     string
	Notes     []string
	Marks     Marks
	Listeners []*Card
	Servers   []*Card
	Pools     []*Card // balancers and plain workers
}

// Group is what replicates sessions among itself: a frame around Tomcats. A Tomcat
// without a cluster is a group without a title.
type Group struct {
	Title string
	Notes []string
	Nodes []*Card
}

// Kind says what a card stands for.
type Kind uint8

// The kinds of cards, by layer.
const (
	Listener Kind = iota
	Server
	Balancer
	Worker
	Tomcat
)

// Card is one box, with a row for each mapping or member.
type Card struct {
	ID    string // c1, c2, …, in the order of the layers
	Kind  Kind
	Title string // empty for a plain worker, which is a row only
	Notes []string
	Marks Marks
	Rows  []*Row
	To    []*Card // of a listener: the servers it leads to
	Hue   int     // of a balancer or worker: number of the colour of its edges
}

// State says how a member takes part.
type State uint8

// The states.
const (
	Normal  State = iota
	Standby       // takes requests when no other member can
	Off           // disabled, stopped or draining
)

// Row is one mapping or one member of a card.
type Row struct {
	Label string
	Notes []string
	State State
	Marks Marks
	To    *Card // nil: leads nowhere
}

// Mark says that findings of one rule fall on a thing.
type Mark struct {
	ID       string
	Severity diag.Severity
	Count    int
}

// Marks are the findings of one thing, the worst first.
type Marks []Mark

// Finding is one entry of the legend: what one rule says, and where.
type Finding struct {
	ID       string
	Severity diag.Severity
	Message  string
	Places   []string // file:line, as many as are shown
	More     int      // places, or findings of the rule, that are not shown
}

// Format is one form of a picture.
type Format struct {
	Name  string
	Doc   string
	Write func(io.Writer, *Graph) error
}

// Formats is the table of all forms, the default first.
var Formats = []Format{
	{"svg", "a picture for browsers and pages", WriteSVG},
	{"mermaid", "a flowchart for Markdown", WriteMermaid},
	{"dot", "a graph for Graphviz", WriteDOT},
	{"text", "a tree for a terminal", WriteText},
}

// FindFormat returns the form of that name.
func FindFormat(name string) (Format, bool) {
	for _, f := range Formats {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// Empty reports whether there is nothing to draw.
func (g *Graph) Empty() bool { return len(g.Fronts)+len(g.Groups) == 0 }

// Cards returns all cards, layer by layer.
func (g *Graph) Cards() []*Card {
	var out []*Card
	for _, layer := range []func(*Front) []*Card{
		func(f *Front) []*Card { return f.Listeners },
		func(f *Front) []*Card { return f.Servers },
		func(f *Front) []*Card { return f.Pools },
	} {
		for _, f := range g.Fronts {
			out = append(out, layer(f)...)
		}
	}
	for _, gr := range g.Groups {
		out = append(out, gr.Nodes...)
	}
	return out
}

// loose returns the groups that no member leads to, by number.
func (g *Graph) loose() []int {
	reached := map[*Card]bool{}
	for _, f := range g.Fronts {
		for _, p := range f.Pools {
			for _, r := range p.Rows {
				reached[r.To] = true
			}
		}
	}
	var out []int
	for i, gr := range g.Groups {
		if !slices.ContainsFunc(gr.Nodes, func(n *Card) bool { return reached[n] }) {
			out = append(out, i)
		}
	}
	return out
}

// Summary counts what the picture shows: "1 virtual host, 3 members, 3 Tomcats".
func (g *Graph) Summary() string {
	var servers, balancers, members, workers, nodes, clusters int
	for _, f := range g.Fronts {
		servers += len(f.Servers)
		for _, p := range f.Pools {
			if p.Kind == Balancer {
				balancers++
				members += len(p.Rows)
			} else {
				workers++
			}
		}
	}
	for _, gr := range g.Groups {
		nodes += len(gr.Nodes)
		if gr.Title != "" {
			clusters++
		}
	}
	var words []string
	for _, c := range []struct {
		n    int
		what string
	}{{len(g.Fronts), "httpd"}, {servers, "server"}, {balancers, "balancer"}, {members, "member"}, {workers, "plain worker"},
		{nodes, "Tomcat"}, {clusters, "cluster"}} {
		if c.n > 0 {
			words = append(words, plural(c.n, c.what))
		}
	}
	return strings.Join(words, ", ")
}

// Verdict counts the findings: "2 errors, 1 warning"; "" when lint was not run.
func (g *Graph) Verdict() string {
	if !g.Checked {
		return ""
	}
	text := ""
	for _, c := range []struct {
		n    int
		what string
	}{{g.Errors, "error"}, {g.Warnings, "warning"}, {g.Infos, "remark"}} {
		if c.n > 0 {
			if text != "" {
				text += ", "
			}
			text += plural(c.n, c.what)
		}
	}
	if text == "" {
		return "no findings"
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
