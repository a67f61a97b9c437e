package graph

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Mermaid draws at most 500 edges and 50,000 characters (maxEdges, maxTextSize in
// its configuration, which a chart cannot raise).
const (
	mermaidEdges = 450
	mermaidRows  = 400
)

// WriteMermaid writes the graph as a flowchart. Too large a setup is folded: a
// balancer then says how many members it has in each cluster.
func WriteMermaid(w io.Writer, g *Graph) error {
	m := &mermaid{w: bufio.NewWriter(w), g: g, classes: map[string][]string{}}
	rows, edges := 0, 0
	for _, c := range g.Cards() {
		rows += 1 + len(c.Rows)
		edges += len(c.To) + 2*len(c.Rows)
	}
	m.folded = edges > mermaidEdges || rows > mermaidRows
	m.write()
	return m.w.Flush()
}

type mermaid struct {
	w       *bufio.Writer
	g       *Graph
	folded  bool
	classes map[string][]string
}

func (m *mermaid) write() {
	fmt.Fprintf(m.w, "flowchart LR\n%%%% %s\n", mermaidComment(m.g.Summary()))
	if m.folded {
		fmt.Fprintln(m.w, "%% members and Tomcats are folded: Mermaid refuses charts with more than 500 edges")
	}
	if len(m.g.Fronts) > 0 {
		fmt.Fprintln(m.w, `clients(["clients"])`)
	}
	for i, f := range m.g.Fronts {
		m.open("f", i, f.Title, f.Notes, f.Marks)
		for _, c := range f.Listeners {
			m.node(c.ID, "  ", c.Title, c.Notes, c.Marks)
		}
		for _, c := range f.Servers {
			m.node(c.ID, "  ", c.Title, c.Notes, c.Marks)
			for j, r := range c.Rows {
				m.node(rowID(c, j), "  ", r.Label, r.Notes, r.Marks)
			}
		}
		for _, c := range f.Pools {
			m.pool(c)
		}
		fmt.Fprintln(m.w, "end")
	}
	for i, gr := range m.g.Groups {
		m.group(i, gr)
	}
	m.edges()
	m.findings()
}

// open begins a subgraph.
func (m *mermaid) open(kind string, i int, title string, notes []string, marks Marks) {
	id := fmt.Sprintf("%s%d", kind, i+1)
	fmt.Fprintf(m.w, "subgraph %s[\"%s\"]\n", id, mermaidLabel(title, notes, marks))
	m.class(id, marks)
}

func (m *mermaid) node(id, indent, title string, notes []string, marks Marks) {
	fmt.Fprintf(m.w, "%s%s[\"%s\"]\n", indent, id, mermaidLabel(title, notes, marks))
	m.class(id, marks)
}

func (m *mermaid) class(id string, marks Marks) {
	if s := marks.worst(); s > 0 {
		m.classes[s.String()] = append(m.classes[s.String()], id)
	}
}

func (m *mermaid) pool(c *Card) {
	if c.Kind == Worker {
		m.node(c.ID, "  ", c.Rows[0].Label, c.Rows[0].Notes, c.Rows[0].Marks)
		return
	}
	if m.folded {
		all := append(Marks(nil), c.Marks...)
		for _, r := range c.Rows {
			for _, k := range r.Marks {
				all.join(k)
			}
		}
		m.node(c.ID, "  ", c.Title, append(append([]string(nil), c.Notes...), plural(len(c.Rows), "member")), all)
		return
	}
	m.node(c.ID, "  ", c.Title, c.Notes, c.Marks)
	for j, r := range c.Rows {
		m.node(rowID(c, j), "  ", r.Label, r.Notes, r.Marks)
	}
}

func (m *mermaid) group(i int, gr *Group) {
	if m.folded {
		var all Marks
		for _, n := range gr.Nodes {
			for _, k := range n.Marks {
				all.join(k)
			}
		}
		title, notes := gr.Title, append(append([]string(nil), gr.Notes...), plural(len(gr.Nodes), "Tomcat"))
		if title == "" {
			title, notes = gr.Nodes[0].Title, gr.Nodes[0].Notes
		}
		m.node(fmt.Sprintf("g%d", i+1), "", title, notes, all)
		return
	}
	indent := ""
	if gr.Title != "" {
		m.open("g", i, gr.Title, gr.Notes, nil)
		indent = "  "
	}
	for _, n := range gr.Nodes {
		m.node(n.ID, indent, n.Title, n.Notes, n.Marks)
	}
	if gr.Title != "" {
		fmt.Fprintln(m.w, "end")
	}
}

func rowID(c *Card, i int) string { return fmt.Sprintf("%s_%d", c.ID, i+1) }

func (m *mermaid) edges() {
	groupOf := map[*Card]string{}
	for i, gr := range m.g.Groups {
		for _, n := range gr.Nodes {
			groupOf[n] = fmt.Sprintf("g%d", i+1)
		}
	}
	for _, f := range m.g.Fronts {
		for _, c := range f.Listeners {
			fmt.Fprintf(m.w, "clients --> %s\n", c.ID)
			for _, t := range c.To {
				fmt.Fprintf(m.w, "%s --> %s\n", c.ID, t.ID)
			}
		}
		for _, c := range f.Servers {
			for j, r := range c.Rows {
				fmt.Fprintf(m.w, "%s --- %s\n", c.ID, rowID(c, j))
				if r.To != nil {
					fmt.Fprintf(m.w, "%s --> %s\n", rowID(c, j), r.To.ID)
				}
			}
		}
		for _, c := range f.Pools {
			if m.folded {
				m.foldedEdges(c, groupOf)
				continue
			}
			for j, r := range c.Rows {
				from := c.ID
				if c.Kind == Balancer {
					from = rowID(c, j)
					fmt.Fprintf(m.w, "%s --- %s\n", c.ID, from)
				}
				if r.To != nil {
					fmt.Fprintf(m.w, "%s %s %s\n", from, mermaidArrow(r.State), r.To.ID)
				}
			}
		}
	}
}

func (m *mermaid) foldedEdges(c *Card, groupOf map[*Card]string) {
	count := map[string]int{}
	for _, r := range c.Rows {
		if r.To != nil {
			count[groupOf[r.To]]++
		}
	}
	for i := range m.g.Groups {
		if id := fmt.Sprintf("g%d", i+1); count[id] > 0 {
			fmt.Fprintf(m.w, "%s -->|\"%d\"| %s\n", c.ID, count[id], id)
		}
	}
}

func mermaidArrow(s State) string { return [...]string{"-->", "-.->", "-.-x"}[s] }

// findings colours what they fall on and lists them: a node for each with its
// places, and the sentences as comments.
func (m *mermaid) findings() {
	if len(m.g.Findings) > 0 {
		fmt.Fprintf(m.w, "subgraph findings[\"%s\"]\n  direction TB\n", mermaidText(m.g.Verdict()))
		for i := range m.g.Findings {
			f := &m.g.Findings[i]
			fmt.Fprintf(m.w, "  %%%% %s: %s\n", f.ID, mermaidComment(f.Message))
			id := fmt.Sprintf("x%d", i+1)
			fmt.Fprintf(m.w, "  %s[\"%s %s<br/>%s\"]\n", id, f.Severity, f.ID, mermaidText(f.where()))
			m.classes[f.Severity.String()] = append(m.classes[f.Severity.String()], id)
		}
		fmt.Fprintln(m.w, "end")
	}
	for _, c := range []struct{ name, colour string }{{"error", "#cf222e"}, {"warning", "#bf8700"}, {"info", "#0969da"}} {
		if ids := m.classes[c.name]; len(ids) > 0 {
			fmt.Fprintf(m.w, "classDef %s stroke:%s,stroke-width:2px\nclass %s %s\n", c.name, c.colour, strings.Join(ids, ","), c.name)
		}
	}
}

func mermaidLabel(title string, notes []string, marks Marks) string {
	lines := []string{mermaidText(title)}
	if len(notes) > 0 {
		lines = append(lines, mermaidText(strings.Join(notes, " · ")))
	}
	for i := 0; i < len(marks); {
		words := []string{marks[i].Severity.String()}
		for s := marks[i].Severity; i < len(marks) && marks[i].Severity == s; i++ {
			words = append(words, marks[i].ID)
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, "<br/>")
}

// mermaidText writes a text for a quoted label: all that ends a label, begins an
// entity, HTML or Markdown (Mermaid 11 reads every label as Markdown, and knows
// neither links nor lists) becomes an entity of Mermaid, #NN;.
func mermaidText(s string) string {
	r := []rune(s)
	digits := true // only digits so far
	var b strings.Builder
	for i, c := range r {
		next := rune(0)
		if i+1 < len(r) {
			next = r[i+1]
		}
		escape := false
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == ' ', c == ',', c == '/', c > '~':
		case c == '-', c == '+', c == '=':
			escape = i == 0
		case c == ':':
			escape = next == '/'
		case c == '.':
			escape = digits && (next == ' ' || next == 0) || i >= 3 && strings.EqualFold(string(r[i-3:i]), "www")
		default:
			escape = true
		}
		digits = digits && c >= '0' && c <= '9'
		if escape {
			fmt.Fprintf(&b, "#%d;", c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// mermaidComment keeps a text in its comment: %%{ would begin a directive.
func mermaidComment(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "%", "% "), "{", "( ")
}
