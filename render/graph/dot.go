package graph

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"clowder/parse/diag"
)

// severityColour is the colour of a severity in the DOT form.
var severityColour = [...]string{"", "#0969da", "#9a6700", "#cf222e"}

// WriteDOT writes the graph for Graphviz: a table for each card, with a port for
// each row, and clusters for front ends and groups.
func WriteDOT(w io.Writer, g *Graph) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, `digraph clowder {
  graph [rankdir=LR, fontname="Helvetica", fontsize=12, ranksep=0.9, nodesep=0.25, labeljust=l, color="#c4ccd5"]
  node [shape=plain, fontname="Helvetica", fontsize=11]
  edge [color="#7d8590", arrowsize=0.6, fontname="Helvetica", fontsize=10]`)
	dotLegend(b, g)
	if len(g.Fronts) > 0 {
		fmt.Fprintln(b, `  clients [shape=box, style=rounded, label="clients"]`)
	}
	for i, f := range g.Fronts {
		fmt.Fprintf(b, "  subgraph cluster_f%d {\n    style=rounded\n    labelloc=t\n    label=<%s>\n", i+1, dotWords(f.Title, f.Notes, f.Marks))
		for _, layer := range [][]*Card{f.Listeners, f.Servers, f.Pools} {
			for _, c := range layer {
				dotCard(b, c, "    ")
			}
		}
		fmt.Fprintln(b, "  }")
	}
	for i, gr := range g.Groups {
		indent := "  "
		if gr.Title != "" {
			fmt.Fprintf(b, "  subgraph cluster_g%d {\n    style=rounded\n    labelloc=t\n    label=<%s>\n", i+1, dotWords(gr.Title, gr.Notes, nil))
			indent = "    "
		}
		for _, c := range gr.Nodes {
			dotCard(b, c, indent)
		}
		if gr.Title != "" {
			fmt.Fprintln(b, "  }")
		}
	}
	dotEdges(b, g)
	fmt.Fprintln(b, "}")
	return b.Flush()
}

func dotWords(title string, notes []string, m Marks) string {
	text := "<b>" + escape(title) + "</b>"
	if len(notes) > 0 {
		text += `  <font point-size="9">` + escape(strings.Join(notes, " · ")) + "</font>"
	}
	return text + dotMarks(m)
}

func dotMarks(m Marks) string {
	text := ""
	for _, k := range m {
		text += fmt.Sprintf(` <font color="%s"><b>%s</b></font>`, severityColour[k.Severity], k.ID)
	}
	return text
}

func dotCard(w io.Writer, c *Card, indent string) {
	colour := "#8c959f"
	if s := c.worst(); s > diag.Info {
		colour = severityColour[s]
	}
	fmt.Fprintf(w, `%s%s [label=<<table border="0" cellborder="1" cellspacing="0" cellpadding="5" color="%s">`, indent, c.ID, colour)
	if c.Title != "" {
		fmt.Fprintf(w, `<tr><td port="head" align="left"><b>%s</b>%s`, escape(c.Title), dotMarks(c.Marks))
		for _, n := range pack(c.Notes, noteRoom) {
			fmt.Fprintf(w, `<br align="left"/><font point-size="9">%s</font>`, escape(n))
		}
		fmt.Fprint(w, `<br align="left"/></td></tr>`)
	}
	for i, r := range c.Rows {
		fmt.Fprintf(w, `<tr><td port="r%d" align="left">%s`, i+1, escape(r.Label))
		if len(r.Notes) > 0 {
			fmt.Fprintf(w, `  <font point-size="9">%s</font>`, escape(strings.Join(r.Notes, " · ")))
		}
		fmt.Fprintf(w, "%s</td></tr>", dotMarks(r.Marks))
	}
	fmt.Fprintln(w, "</table>>]")
}

// port is where edges into a card end.
func port(c *Card) string {
	if c.Title == "" {
		return c.ID + ":r1:w"
	}
	return c.ID + ":head:w"
}

func dotEdges(w io.Writer, g *Graph) {
	for _, i := range g.loose() { // without a link they would stand at the left
		if cards := g.Cards(); len(g.Fronts) > 0 {
			fmt.Fprintf(w, "  %s -> %s [style=invis]\n", cards[0].ID, g.Groups[i].Nodes[0].ID)
		}
	}
	for _, f := range g.Fronts {
		for _, c := range f.Listeners {
			fmt.Fprintf(w, "  clients -> %s\n", port(c))
			for _, t := range c.To {
				fmt.Fprintf(w, "  %s:head:e -> %s\n", c.ID, port(t))
			}
		}
		for _, layer := range [][]*Card{f.Servers, f.Pools} {
			for _, c := range layer {
				for i, r := range c.Rows {
					if r.To != nil {
						fmt.Fprintf(w, "  %s:r%d:e -> %s%s\n", c.ID, i+1, port(r.To), [...]string{"", " [style=dashed]", " [style=dotted]"}[r.State])
					}
				}
			}
		}
	}
}

// dotLegend makes the title of the graph, with the findings below it.
func dotLegend(w io.Writer, g *Graph) {
	fmt.Fprintf(w, `  labelloc=b`+"\n"+`  label=<<table border="0" cellborder="0" cellspacing="2"><tr><td align="left" colspan="2"><b>%s</b></td></tr>`,
		escape(strings.Join(nonEmpty(g.Summary(), g.Verdict()), " · ")))
	for i := range g.Findings {
		f := &g.Findings[i]
		fmt.Fprintf(w, `<tr><td align="left" valign="top"><font color="%s"><b>%s</b></font></td><td align="left">%s`, severityColour[f.Severity], f.ID, escape(f.where()))
		for _, line := range wrap(f.Message, noteSize, 700) {
			fmt.Fprintf(w, `<br align="left"/>%s`, escape(line))
		}
		fmt.Fprint(w, `<br align="left"/></td></tr>`)
	}
	fmt.Fprintln(w, "</table>>")
}
