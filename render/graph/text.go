package graph

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// tree is a line of the text form with the lines below it.
type tree struct {
	line string
	kids []*tree
}

func (t *tree) add(line string) *tree {
	k := &tree{line: line}
	t.kids = append(t.kids, k)
	return k
}

// write prints what is below a line.
func (t *tree) write(w io.Writer, indent string) {
	for i, k := range t.kids {
		branch, below := "├─ ", "│  "
		if i == len(t.kids)-1 {
			branch, below = "└─ ", "   "
		}
		fmt.Fprintf(w, "%s%s%s\n", indent, branch, k.line)
		k.write(w, indent+below)
	}
}

// WriteText writes the graph as trees for a terminal: the front ends down to the
// Tomcats that members lead to, then the clusters, then the findings.
func WriteText(w io.Writer, g *Graph) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, g.Summary())
	if v := g.Verdict(); v != "" {
		fmt.Fprintln(b, v)
	}
	for _, f := range g.Fronts {
		fmt.Fprintf(b, "\n%s\n", phrase(f.Title, f.Notes, f.Marks))
		frontTree(f).write(b, "")
	}
	for _, gr := range g.Groups {
		t := &tree{}
		for _, n := range gr.Nodes {
			t.add(phrase(n.Title, n.Notes, n.Marks))
		}
		if gr.Title == "" {
			fmt.Fprintf(b, "\n%s\n", t.kids[0].line)
			continue
		}
		fmt.Fprintf(b, "\n%s\n", phrase(gr.Title, gr.Notes, nil))
		t.write(b, "")
	}
	if len(g.Findings) > 0 {
		fmt.Fprintln(b)
	}
	for i := range g.Findings {
		f := &g.Findings[i]
		fmt.Fprintf(b, "%s %s: %s\n    %s\n", f.Severity, f.ID, f.where(), f.Message)
	}
	return b.Flush()
}

// phrase joins a name, its notes and its findings.
func phrase(title string, notes []string, m Marks) string {
	words := []string{title}
	if len(notes) > 0 {
		words = append(words, strings.Join(notes, " · "))
	}
	for _, k := range m {
		words = append(words, fmt.Sprintf("[%s %s]", k.Severity, k.ID))
	}
	return strings.Join(words, "  ")
}

// frontTree unfolds servers and balancers where they are named first.
func frontTree(f *Front) *tree {
	root, seen := &tree{}, map[*Card]bool{}
	for _, l := range f.Listeners {
		t := root.add(phrase(l.Title, l.Notes, l.Marks))
		for _, sv := range l.To {
			serverTree(t, sv, seen)
		}
	}
	for _, sv := range f.Servers {
		if !seen[sv] {
			serverTree(root.add("no listener leads to"), sv, seen)
		}
	}
	for _, p := range f.Pools {
		if !seen[p] {
			poolTree(root.add("no mapping leads to "+poolName(p)+poolFacts(p)), p, seen)
		}
	}
	return root
}

func serverTree(t *tree, sv *Card, seen map[*Card]bool) {
	if seen[sv] {
		t.add(sv.Title + "  (above)")
		return
	}
	seen[sv] = true
	t = t.add(phrase(sv.Title, sv.Notes, sv.Marks))
	for _, r := range sv.Rows {
		line := phrase(r.Label, r.Notes, r.Marks)
		if r.To == nil {
			t.add(line)
			continue
		}
		line += "  → " + poolName(r.To)
		if seen[r.To] && r.To.Kind == Balancer {
			t.add(line + " (above)")
			continue
		}
		poolTree(t.add(line+poolFacts(r.To)), r.To, seen)
	}
}

func poolName(p *Card) string {
	if p.Kind == Worker {
		return memberLine(p.Rows[0])
	}
	return "balancer " + p.Title
}

func poolFacts(p *Card) string {
	if p.Kind == Worker {
		return ""
	}
	return strings.TrimRight(phrase("", p.Notes, p.Marks), " ")
}

func poolTree(t *tree, p *Card, seen map[*Card]bool) {
	seen[p] = true
	if p.Kind == Worker {
		return
	}
	for _, r := range p.Rows {
		t.add(memberLine(r))
	}
}

func memberLine(r *Row) string {
	line := phrase(r.Label, r.Notes, r.Marks)
	if r.To != nil {
		line += "  → " + r.To.Title
	}
	return line
}
