package graph

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clowder/parse"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// estate is a setup to be written as files.
type estate struct {
	fronts, vhosts, balancers, members, nodes, clusters int
}

// load writes the files of the estate and reads them back. Member m of balancer b
// leads to node b*members+m, modulo the number of nodes.
func (e estate) load(t *testing.T) *model.Setup {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	toml := "[frontends]\n"
	for f := range e.fronts {
		var b strings.Builder
		fmt.Fprintf(&b, "Listen 80\nListen 443 https\nServerName www%d.example.org\n", f)
		for i := range e.balancers {
			fmt.Fprintf(&b, "<Proxy balancer://pool%d>\n", i)
			for m := range e.members {
				n := (i*e.members + m) % e.nodes
				fmt.Fprintf(&b, "BalancerMember ajp://10.0.%d.%d:8009 route=n%d", n/250, n%250+1, n)
				switch {
				case m == e.members-1 && m > 2:
					b.WriteString(" status=+H")
				case m == 1:
					b.WriteString(" status=D loadfactor=3")
				}
				b.WriteString("\n")
			}
			b.WriteString("ProxySet stickysession=JSESSIONID|jsessionid\n</Proxy>\n")
		}
		for v := range e.vhosts {
			fmt.Fprintf(&b, "<VirtualHost *:%d>\nServerName app%d.example.org\nProxyPass /static !\n", []int{80, 443}[v%2], v)
			fmt.Fprintf(&b, "ProxyPass /app balancer://pool%d/app\nProxyPass / balancer://pool%d/\n</VirtualHost>\n", v%e.balancers, v*3%e.balancers)
		}
		write(fmt.Sprintf("front%d/httpd.conf", f), b.String())
		toml += fmt.Sprintf("front%d = \"front%d/httpd.conf\"\n", f, f)
	}
	write("clowder.toml", toml)
	for n := range e.nodes {
		write(fmt.Sprintf("n%d/server.xml", n), fmt.Sprintf(`<Server port="8005"><Service name="Catalina"><Connector port="8080"/>`+
			`<Connector port="8009" protocol="AJP/1.3" address="10.0.%d.%d"/><Engine name="Catalina" defaultHost="localhost" jvmRoute="n%d">`+
			`<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"><Channel className="org.apache.catalina.tribes.group.GroupChannel">`+
			`<Membership className="org.apache.catalina.tribes.membership.McastService" address="228.0.0.%d"/></Channel></Cluster>`+
			`<Host name="localhost"/></Engine></Service></Server>`, n/250, n%250+1, n, 4+n*e.clusters/e.nodes))
	}
	r, err := parse.Load(parse.Options{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Setup
}

// findings are made up: one for every third file and for the first lines.
func findings(s *model.Setup) diag.List {
	list := diag.List{}
	for i, f := range s.Files {
		for k := range 1 + i%4 {
			list.Add(diag.Diagnostic{ID: fmt.Sprintf("T%d0%d", i%9, k), Severity: diag.Severity(1 + (i+k)%3), Span: diag.At(f, len(f.Data)/2, len(f.Data)/2+1),
				Message: strings.Repeat("a sentence about this file ", 1+i%7)})
		}
	}
	return list
}

func TestGeometry(t *testing.T) {
	for _, e := range []estate{
		{1, 1, 1, 3, 3, 1},
		{1, 5, 3, 4, 12, 2},
		{2, 3, 2, 6, 12, 3},
		{1, 20, 15, 20, 300, 3},
		{1, 1, 1, 300, 300, 1},
		{3, 40, 30, 10, 100, 2},
		{1, 200, 2, 2, 4, 2},
	} {
		t.Run(fmt.Sprintf("%d-%d-%d-%d-%d-%d", e.fronts, e.vhosts, e.balancers, e.members, e.nodes, e.clusters), func(t *testing.T) {
			s := e.load(t)
			g := Build(s, findings(s))
			if got := len(g.Groups); got != e.clusters {
				t.Errorf("%d clusters, want %d", got, e.clusters)
			}
			members, linked := 0, 0
			for _, f := range g.Fronts {
				for _, p := range f.Pools {
					for _, r := range p.Rows {
						members++
						if r.To != nil {
							linked++
						}
					}
				}
			}
			if want := e.fronts * e.balancers * e.members; members != want || linked != want {
				t.Errorf("%d members, %d of them lead to a node, want %d", members, linked, want)
			}
			checkScene(t, g.layout(), g)
		})
	}
}

// TestGeometryRandom lays out graphs of odd shapes: long words, empty cards, cards
// that nothing leads to, all to all.
func TestGeometryRandom(t *testing.T) {
	for seed := range uint64(300) {
		g := randomGraph(rand.New(rand.NewPCG(seed, 1)))
		checkScene(t, g.layout(), g)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func randomGraph(r *rand.Rand) *Graph {
	g := &Graph{Checked: true}
	word := func() string {
		return strings.Repeat([]string{"a", "W", "mm ", "/路", "é.", "_-"}[r.IntN(6)], 1+r.IntN(1+r.IntN(60)))
	}
	words := func() (list []string) {
		for range r.IntN(5) {
			list = append(list, word())
		}
		return list
	}
	marks := func() (m Marks) {
		for range r.IntN(1 + r.IntN(7)) {
			m.join(Mark{fmt.Sprintf("H%03d", r.IntN(600)), diag.Severity(1 + r.IntN(3)), 1 + r.IntN(3)})
		}
		return m
	}
	var nodes []*Card
	for range r.IntN(1 + r.IntN(40)) {
		if len(g.Groups) == 0 || r.IntN(4) == 0 {
			g.Groups = append(g.Groups, &Group{Title: []string{"", word()}[r.IntN(2)], Notes: words()})
		}
		gr := g.Groups[len(g.Groups)-1]
		if gr.Title == "" && len(gr.Nodes) == 1 {
			continue
		}
		c := &Card{Kind: Tomcat, Title: word(), Notes: words(), Marks: marks()}
		gr.Nodes = append(gr.Nodes, c)
		nodes = append(nodes, c)
	}
	for range 1 + r.IntN(3) {
		f := &Front{Title: word(), Notes: words(), Marks: marks()}
		for i := range r.IntN(8) {
			p := &Card{Kind: Balancer, Title: word(), Notes: words(), Marks: marks(), Hue: i}
			rows := r.IntN(12)
			if r.IntN(3) == 0 {
				p.Kind, p.Title, rows = Worker, "", 1
			}
			for range rows {
				row := &Row{Label: word(), Notes: words(), State: State(r.IntN(3)), Marks: marks()}
				if len(nodes) > 0 && r.IntN(5) > 0 {
					row.To = nodes[r.IntN(len(nodes))]
				}
				p.Rows = append(p.Rows, row)
			}
			f.Pools = append(f.Pools, p)
		}
		for range r.IntN(8) {
			sv := &Card{Kind: Server, Title: word(), Notes: words(), Marks: marks()}
			for range r.IntN(6) {
				row := &Row{Label: word(), Notes: words(), Marks: marks()}
				if len(f.Pools) > 0 && r.IntN(4) > 0 {
					row.To = f.Pools[r.IntN(len(f.Pools))]
				}
				sv.Rows = append(sv.Rows, row)
			}
			f.Servers = append(f.Servers, sv)
		}
		for range 1 + r.IntN(3) {
			l := &Card{Kind: Listener, Title: word(), Notes: words(), Marks: marks()}
			for _, sv := range f.Servers {
				if r.IntN(2) == 0 {
					l.To = append(l.To, sv)
				}
			}
			f.Listeners = append(f.Listeners, l)
		}
		g.Fronts = append(g.Fronts, f)
	}
	for range r.IntN(8) {
		g.Findings = append(g.Findings, Finding{ID: "H201", Severity: diag.Severity(1 + r.IntN(3)), Message: strings.Repeat(word()+" ", 1+r.IntN(5)), Places: words()})
	}
	return g
}

const eps = 0.01

// within reports whether a lies in b.
func within(a, b rect) bool {
	return a.x >= b.x-eps && a.y >= b.y-eps && a.right() <= b.right()+eps && a.bottom() <= b.bottom()+eps
}

// apart reports whether the boxes do not overlap.
func apart(a, b rect) bool {
	return a.right() <= b.x+eps || b.right() <= a.x+eps || a.bottom() <= b.y+eps || b.bottom() <= a.y+eps
}

// checkScene looks at the geometry: boxes do not overlap, words fit, edges begin
// and end at their boxes and pass below no other.
func checkScene(t *testing.T, s *scene, g *Graph) {
	t.Helper()
	page := rect{0, 0, s.w, s.h}
	for i, c := range s.cards {
		if !within(c.rect, page) {
			t.Errorf("card %d at %v is outside of the page %v", i, c.rect, page)
		}
		for j := range i {
			if !apart(c.rect, s.cards[j].rect) {
				t.Errorf("cards %d and %d overlap: %v %v", j, i, s.cards[j].rect, c.rect)
			}
		}
		framed := 0
		for _, f := range s.frames {
			if within(c.rect, f.rect) {
				framed++
			} else if !apart(c.rect, f.rect) {
				t.Errorf("card %d at %v lies across the frame %v", i, c.rect, f.rect)
			}
		}
		if framed > 1 {
			t.Errorf("card %d is in %d frames", i, framed)
		}
	}
	for i, f := range s.frames {
		if !within(f.rect, page) {
			t.Errorf("frame %d at %v is outside of the page %v", i, f.rect, page)
		}
		for j := range i {
			if !apart(f.rect, s.frames[j].rect) {
				t.Errorf("frames %d and %d overlap: %v %v", j, i, s.frames[j].rect, f.rect)
			}
		}
	}
	checkWords(t, s, page)
	checkWires(t, s, g)
}

// checkWords looks at texts and badges: each is in its box and none on another.
func checkWords(t *testing.T, s *scene, page rect) {
	t.Helper()
	type word struct {
		rect
		text string
	}
	var all []word
	for i := range s.labels {
		l := &s.labels[i]
		r := rect{l.x, l.y - 0.72*l.size, l.width(), 0.93 * l.size} // ascenders to descenders
		if !within(r, l.in) || !within(r, page) {
			t.Errorf("%q at %v does not fit in %v", l.text, r, l.in)
		}
		all = append(all, word{r, l.text})
	}
	for _, b := range s.badges {
		if !within(b.rect, b.in) || width(b.text, badgeSize, true) > b.w {
			t.Errorf("badge %s at %v does not fit in %v", b.text, b.rect, b.in)
		}
		all = append(all, word{b.rect, b.text})
	}
	slices.SortFunc(all, func(a, b word) int { return int(a.y*100) - int(b.y*100) })
	for i, a := range all {
		for _, b := range all[i+1:] {
			if b.y > a.bottom() {
				break
			}
			if !apart(a.rect, b.rect) {
				t.Errorf("%q at %v and %q at %v overlap", a.text, a.rect, b.text, b.rect)
			}
		}
	}
}

// checkWires follows each edge as it is drawn.
func checkWires(t *testing.T, s *scene, g *Graph) {
	t.Helper()
	want := 0
	for _, f := range g.Fronts {
		want += len(f.Listeners)
	}
	for _, c := range g.Cards() {
		want += len(c.targets())
	}
	if len(s.wires) != want {
		t.Errorf("%d edges are drawn, want %d", len(s.wires), want)
	}
	for _, w := range s.wires {
		from, to := s.cards[w.from].rect, s.cards[w.to].rect
		if w.x1 != from.right() || w.y1 < from.y || w.y1 > from.bottom() {
			t.Errorf("%s begins at %v,%v, not at the right side of %v", w.tip, w.x1, w.y1, from)
		}
		if w.x2 != to.x || w.y2 < to.y || w.y2 > to.bottom() {
			t.Errorf("%s ends at %v,%v, not at the left side of %v", w.tip, w.x2, w.y2, to)
		}
		if w.x2-w.x1 < 20 {
			t.Errorf("%s is only %v wide", w.tip, w.x2-w.x1)
		}
		for i := 0; i <= 20; i++ {
			x, y := w.point(float64(i) / 20)
			for j, c := range s.cards {
				if j != w.from && j != w.to && x > c.x && x < c.right() && y > c.y && y < c.bottom() {
					t.Fatalf("%s passes below card %d", w.tip, j)
				}
			}
		}
	}
}

// TestCrossings: two vhosts that name balancers crosswise are put in order.
func TestCrossings(t *testing.T) {
	a, b := &Card{Kind: Balancer, Title: "a"}, &Card{Kind: Balancer, Title: "b"}
	x := &Card{Kind: Server, Title: "x", Rows: []*Row{{Label: "/", To: b}}}
	y := &Card{Kind: Server, Title: "y", Rows: []*Row{{Label: "/", To: a}}}
	l := &Card{Kind: Listener, Title: "*:80", To: []*Card{x, y}}
	g := &Graph{Fronts: []*Front{{Title: "httpd", Listeners: []*Card{l}, Servers: []*Card{x, y}, Pools: []*Card{a, b}}}}
	before := g.layers()
	if n := before.crossings(); n != 1 {
		t.Errorf("%d crossings before, want 1", n)
	}
	after := g.arrange()
	if n := after.crossings(); n != 0 {
		t.Errorf("%d crossings after, want 0", n)
	}
}

func TestInversions(t *testing.T) {
	for _, tt := range []struct {
		list []int
		want int
	}{{nil, 0}, {[]int{0, 1, 2}, 0}, {[]int{2, 1, 0}, 3}, {[]int{1, 1, 0, 2, 0}, 5}} {
		if got := inversions(tt.list, 3); got != tt.want {
			t.Errorf("inversions(%v) = %d, want %d", tt.list, got, tt.want)
		}
	}
}

// TestDeterministic: one setup gives the same bytes each time, in each form.
func TestDeterministic(t *testing.T) {
	s := estate{2, 6, 4, 5, 30, 3}.load(t)
	list := findings(s)
	for _, f := range Formats {
		var first string
		for i := range 5 {
			var b strings.Builder
			if err := f.Write(&b, Build(s, list)); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = b.String()
			} else if b.String() != first {
				t.Errorf("%s differs from run to run", f.Name)
			}
		}
	}
}
