package graph

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Mermaid draws at most 500 edges and 50,000 characters (maxEdges, maxTextSize in
// its configuration, which a chart cannot raise).
const (
	mermaidEdges = 500
	mermaidBytes = 50_000
)

// WriteMermaid writes the graph as a flowchart. Too large a setup is folded: first
// the members and Tomcats, so that a balancer says how many members it has in each
// cluster, then the mappings.
func WriteMermaid(w io.Writer, g *Graph) error {
	var m *mermaid
	for fold := keepAll; fold <= foldMappings; fold++ {
		m = &mermaid{g: g, fold: fold, classes: map[string][]string{}}
		m.write()
		if m.edgeCount <= mermaidEdges && m.w.Len() <= mermaidBytes {
			break
		}
	}
	_, err := w.Write(m.w.Bytes())
	return err
}

// fold says what is summed up.
type fold uint8

const (
	keepAll fold = iota
	foldMembers
	foldMappings // and members
)

type mermaid struct {
	w         bytes.Buffer
	g         *Graph
	fold      fold
	classes   map[string][]string // nodes by severity
	edgeCount int
}

func (m *mermaid) folds(what fold) bool { return m.fold >= what }

func (m *mermaid) edge(format string, args ...any) {
	m.edgeCount++
	fmt.Fprintf(&m.w, format+"\n", args...)
}

func (m *mermaid) write() {
	fmt.Fprintf(&m.w, "flowchart LR\n%%%% %s\n", mermaidComment(m.g.Summary()))
	if m.folds(foldMembers) {
		fmt.Fprintf(&m.w, "%%%% folded: Mermaid refuses charts with more than %d edges or %d characters\n", mermaidEdges, mermaidBytes)
	}
	if len(m.g.Fronts) > 0 {
		fmt.Fprintln(&m.w, `clients(["clients"])`)
	}
	for i, f := range m.g.Fronts {
		m.open("f", i, f.Title, f.Notes, f.Marks)
		for _, c := range f.Listeners {
			m.node(c.ID, "  ", c.Title, c.Notes, c.Marks)
		}
		for _, c := range f.Servers {
			m.card(c, foldMappings, "mapping")
		}
		for _, c := range f.Pools {
			if c.Kind == Worker {
				m.node(c.ID, "  ", c.Rows[0].Label, c.Rows[0].Notes, c.Rows[0].Marks)
				continue
			}
			m.card(c, foldMembers, "member")
		}
		fmt.Fprintln(&m.w, "end")
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
	label := mermaidLabel(strings.Join(append([]string{title}, notes...), " · "), nil, marks) // one line, more would overlap
	fmt.Fprintf(&m.w, "subgraph %s[\"%s\"]\n", id, label)
	m.class(id, marks)
}

func (m *mermaid) node(id, indent, title string, notes []string, marks Marks) {
	fmt.Fprintf(&m.w, "%s%s[\"%s\"]\n", indent, id, mermaidLabel(title, notes, marks))
	m.class(id, marks)
}

func (m *mermaid) class(id string, marks Marks) {
	if s := marks.worst(); s > 0 {
		m.classes[s.String()] = append(m.classes[s.String()], id)
	}
}

// card writes a card and its rows, or their number.
func (m *mermaid) card(c *Card, when fold, row string) {
	if m.folds(when) {
		all := slices.Clone(c.Marks)
		for _, r := range c.Rows {
			for _, k := range r.Marks {
				all.join(k)
			}
		}
		m.node(c.ID, "  ", c.Title, append(slices.Clone(c.Notes), plural(len(c.Rows), row)), all)
		return
	}
	m.node(c.ID, "  ", c.Title, c.Notes, c.Marks)
	for j, r := range c.Rows {
		m.node(rowID(c, j), "  ", r.Label, r.Notes, r.Marks)
	}
}

func (m *mermaid) group(i int, gr *Group) {
	if m.folds(foldMembers) {
		var all Marks
		for _, n := range gr.Nodes {
			for _, k := range n.Marks {
				all.join(k)
			}
		}
		title, notes := gr.Title, append(slices.Clone(gr.Notes), plural(len(gr.Nodes), "Tomcat"))
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
		fmt.Fprintln(&m.w, "end")
	}
}

func rowID(c *Card, i int) string { return fmt.Sprintf("%s_%d", c.ID, i+1) }

func (m *mermaid) edges() {
	for _, gr := range m.g.loose() { // without a link they would stand at the left
		if len(m.g.Fronts) > 0 {
			m.edge("f1 ~~~ %s", m.groupID(gr))
		}
	}
	groupOf := map[*Card]string{}
	for i, gr := range m.g.Groups {
		for _, n := range gr.Nodes {
			groupOf[n] = m.groupID(i)
		}
	}
	for _, f := range m.g.Fronts {
		for _, c := range f.Listeners {
			m.edge("clients --> %s", c.ID)
			for _, t := range c.To {
				m.edge("%s --> %s", c.ID, t.ID)
			}
		}
		for _, c := range f.Servers {
			if m.folds(foldMappings) {
				m.sums(c, func(t *Card) string { return t.ID })
				continue
			}
			m.rowEdges(c)
		}
		for _, c := range f.Pools {
			switch {
			case m.folds(foldMembers):
				m.sums(c, func(t *Card) string { return groupOf[t] })
			case c.Kind == Balancer:
				m.rowEdges(c)
			case c.Rows[0].To != nil:
				m.edge("%s %s %s", c.ID, mermaidArrow(c.Rows[0].State), c.Rows[0].To.ID)
			}
		}
	}
}

// rowEdges joins a card to its rows and these to where they lead.
func (m *mermaid) rowEdges(c *Card) {
	for j, r := range c.Rows {
		m.edge("%s --- %s", c.ID, rowID(c, j))
		if r.To != nil {
			m.edge("%s %s %s", rowID(c, j), mermaidArrow(r.State), r.To.ID)
		}
	}
}

// sums writes one edge for all rows that lead to one place, with their number.
func (m *mermaid) sums(c *Card, place func(*Card) string) {
	count := map[string]int{}
	var order []string
	for _, r := range c.Rows {
		if r.To == nil {
			continue
		}
		id := place(r.To)
		if count[id]++; count[id] == 1 {
			order = append(order, id)
		}
	}
	for _, id := range order {
		m.edge("%s -->|\"%d\"| %s", c.ID, count[id], id)
	}
}

func mermaidArrow(s State) string { return [...]string{"-->", "-.->", "-.-x"}[s] }

// findings colours what they fall on and lists them: a node for each with its
// places, and the sentences as comments.
func (m *mermaid) findings() {
	if len(m.g.Findings) > 0 {
		fmt.Fprintf(&m.w, "subgraph findings[\"%s\"]\n  direction LR\n", mermaidText(m.g.Verdict()))
		for i := range m.g.Findings {
			f := &m.g.Findings[i]
			fmt.Fprintf(&m.w, "  %%%% %s: %s\n", f.ID, mermaidComment(f.Message))
			id := fmt.Sprintf("x%d", i+1)
			fmt.Fprintf(&m.w, "  %s[\"%s %s<br/>%s\"]\n", id, f.Severity, f.ID, mermaidText(f.where()))
			m.classes[f.Severity.String()] = append(m.classes[f.Severity.String()], id)
		}
		fmt.Fprintln(&m.w, "end")
		m.edge("%s ~~~ findings", m.last())
	}
	for _, c := range []struct{ name, colour string }{{"error", "#cf222e"}, {"warning", "#bf8700"}, {"info", "#0969da"}} {
		if ids := m.classes[c.name]; len(ids) > 0 {
			fmt.Fprintf(&m.w, "classDef %s stroke:%s,stroke-width:2px\nclass %s %s\n", c.name, c.colour, strings.Join(ids, ","), c.name)
		}
	}
}

// last is the rightmost thing, which the findings are drawn behind.
func (m *mermaid) last() string {
	if n := len(m.g.Groups); n > 0 {
		return m.groupID(n - 1)
	}
	return fmt.Sprintf("f%d", len(m.g.Fronts))
}

func (m *mermaid) groupID(i int) string {
	if gr := m.g.Groups[i]; m.folds(foldMembers) || gr.Title != "" {
		return fmt.Sprintf("g%d", i+1)
	}
	return m.g.Groups[i].Nodes[0].ID
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
	return mermaidWords.Replace(b.String())
}

// mermaidWords are the words behind which Mermaid takes the last ; of a line away,
// wherever they stand.
var mermaidWords = strings.NewReplacer("style", "#115;tyle", "classDef", "#99;lassDef")

// mermaidComment keeps a text in its comment: %%{ would begin a directive.
func mermaidComment(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "%", "% "), "{", "( ")
}
