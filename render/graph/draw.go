package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const (
	clientsW = 68.0
	clientsH = 34.0
	minWidth = 640.0
	hues     = 6
	lineH    = 16.0
)

// draw puts title, legend and picture below each other into the scene.
func (l *layouter) draw() {
	s := l.s
	s.title = l.g.Summary()
	s.desc = l.g.describe()
	y := margin + 10
	page := rect{margin, margin, s.w - 2*margin, 20}
	s.line(page, y, fit(s.title, 15, true, page.w), s.title, 15, true, "t", margin)
	y += 22
	key := l.g.key()
	if v := strings.Join(nonEmpty(l.g.Verdict(), key), " · "); v != "" {
		page.y += 20
		s.line(page, y, fit(v, textSize, false, page.w), v, textSize, false, "m", margin)
		y += 14
	}
	y += 16
	least, most := l.extent()
	if most-least > tall {
		y = l.legend(y) + 16
	}
	l.picture(y - least)
	y += most - least
	if most-least <= tall && len(l.g.Findings) > 0 {
		y = l.legend(y + 22)
	}
	s.h = y + margin
}

func nonEmpty(list ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

// key explains the kinds of edges that occur.
func (g *Graph) key() string {
	standby, off := false, false
	for _, c := range g.Cards() {
		for _, r := range c.Rows {
			standby = standby || r.State == Standby
			off = off || r.State == Off
		}
	}
	var words []string
	if standby {
		words = append(words, "dashed: hot standby")
	}
	if off {
		words = append(words, "dotted: takes no new sessions")
	}
	return strings.Join(words, " · ")
}

// extent is what the frames and cards take, from top to bottom.
func (l *layouter) extent() (top, bottom float64) {
	first := true
	for _, b := range append(slices.Clone(l.bands), l.frames...) {
		t, u := b.top-b.head, b.bottom
		if b.titled {
			u += framePad
		}
		if first || t < top {
			top = t
		}
		if first || u > bottom {
			bottom = u
		}
		first = false
	}
	return top, bottom
}

// picture moves everything down and draws it.
func (l *layouter) picture(by float64) {
	s := l.s
	for i := range l.bands {
		b := &l.bands[i]
		b.top, b.bottom = b.top+by, b.bottom+by
		for _, col := range b.cols {
			shift(col, by)
		}
		right := l.x[0]
		for k := range b.cols {
			if l.wide[k] > 0 {
				right = l.x[k] + l.wide[k]
			}
		}
		frame := rect{l.x[0] - framePad, b.top - b.head, right - l.x[0] + 2*framePad, b.bottom - b.top + b.head + framePad}
		s.frames = append(s.frames, panel{frame, "frame", ""})
		l.caption(frame, b, b.head/2)
	}
	for i := range l.frames {
		b := &l.frames[i]
		b.top, b.bottom = b.top+by, b.bottom+by
		shift(b.cols[0], by)
		if b.titled {
			frame := rect{l.x[3] - framePad, b.top - b.head, l.wide[3] + 2*framePad, b.bottom - b.top + b.head + framePad}
			s.frames = append(s.frames, panel{frame, "frame cluster", ""})
			l.caption(frame, b, 16)
		}
	}
	for _, b := range l.bands {
		for _, col := range b.cols {
			for _, p := range col {
				p.draw(s)
			}
		}
	}
	for _, b := range l.frames {
		for _, p := range b.cols[0] {
			p.draw(s)
		}
	}
	l.clients()
	l.wires()
}

// caption writes title and notes of a frame; the notes of a group go below.
func (l *layouter) caption(frame rect, b *band, y float64) {
	s := l.s
	notes := strings.Join(b.notes, " · ")
	room := frame.w - 2*framePad - badgesWidth(b.marks)
	head := rect{frame.x, frame.y, frame.w, b.head}
	title := fit(b.title, titleSize, true, room)
	x := s.line(head, frame.y+y, title, b.title, titleSize, true, "t", frame.x+framePad)
	if b.head == groupHead {
		s.line(head, frame.y+y+noteH+1, fit(notes, noteSize, false, room), notes, noteSize, false, "m", frame.x+framePad)
	} else if left := frame.x + framePad + room - x - 10; left > 30 {
		s.line(head, frame.y+y, fit(notes, noteSize, false, left), notes, noteSize, false, "m", x+10)
	}
	if len(b.marks) > 0 {
		s.addBadges(b.marks, rect{head.x, head.y, head.w - framePad + padX, head.h}, frame.y+y)
	}
}

// clients draws where requests come from, with an edge to every listener.
func (l *layouter) clients() {
	if len(l.bands) == 0 {
		return
	}
	var at []float64
	for _, b := range l.bands {
		for _, p := range b.cols[0] {
			at = append(at, p.y+p.h/2)
		}
	}
	y := median(at)
	if top, bottom := l.extent(); bottom-top > tall {
		y = at[0]
	}
	r := rect{margin, y - clientsH/2, clientsW, clientsH}
	index := len(l.s.cards)
	l.s.cards = append(l.s.cards, panel{r, "card clients", ""})
	l.s.line(r, r.y+r.h/2, "clients", "clients", titleSize, true, "t", r.x+(r.w-width("clients", titleSize, true))/2)
	for _, b := range l.bands {
		for _, p := range b.cols[0] {
			l.s.wires = append(l.s.wires, wire{x1: r.right(), y1: r.y + r.h/2, x2: p.x, y2: p.y + p.h/2, hue: -1,
				tip: "clients → " + p.card.Title, from: index, to: p.index})
		}
	}
}

// wires draws the edges between the cards. Those that end at one card are spread
// a little, in the order in which they come.
func (l *layouter) wires() {
	incoming := map[*placed][]int{}
	for _, b := range l.bands {
		for _, col := range b.cols {
			for _, p := range col {
				p.outs(func(y float64, row *Row, to *Card) {
					t := l.at[to]
					w := wire{x1: p.right(), y1: p.y + y, x2: t.x, y2: t.y + t.inY(), hue: -1, from: p.index, to: t.index}
					from := p.card.Title
					switch {
					case row != nil && p.card.Kind == Server:
						w.hue, from = to.Hue%hues, from+" "+row.Label
					case row != nil:
						w.hue, w.state, from = p.card.Hue%hues, row.State, row.Label
					}
					w.tip = from + " → " + to.name()
					incoming[t] = append(incoming[t], len(l.s.wires))
					l.s.wires = append(l.s.wires, w)
				})
			}
		}
	}
	for t, list := range incoming {
		slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(l.s.wires[a].y1, l.s.wires[b].y1) })
		room := 2*min(t.inY(), t.h-t.inY()) - 12
		step := 0.0
		if n := float64(len(list) - 1); n > 0 {
			step = min(7, max(0, room)/n)
		}
		for i, w := range list {
			l.s.wires[w].y2 += step * (float64(i) - float64(len(list)-1)/2)
		}
	}
}

func (c *Card) name() string {
	if c.Title == "" && len(c.Rows) > 0 {
		return c.Rows[0].Label
	}
	return c.Title
}

// legend lists the findings and returns where it ends.
func (l *layouter) legend(y float64) float64 {
	s := l.s
	left, room := margin, min(s.w-2*margin, 1100)
	badgeW := 0.0
	for _, f := range l.g.Findings {
		badgeW = max(badgeW, width(f.ID, badgeSize, true)+10)
	}
	x := left + badgeW + 10
	for _, f := range l.g.Findings {
		in := rect{left, y, room, 0}
		where := wrap(f.where(), textSize, left+room-x)
		message := wrap(f.Message, textSize, left+room-x)
		in.h = lineH * float64(len(where)+len(message))
		s.badges = append(s.badges, badge{rect: rect{left, y + (lineH-badgeH)/2, width(f.ID, badgeSize, true) + 10, badgeH},
			text: f.ID, severity: f.Severity, tip: fmt.Sprintf("%s %s", f.Severity, f.ID), in: rect{left, y, room, max(in.h, lineH)}})
		for i, t := range where {
			s.line(in, y+lineH*(float64(i)+0.5), t, t, textSize, false, "m", x)
		}
		y += lineH * float64(len(where))
		for i, t := range message {
			s.line(in, y+lineH*(float64(i)+0.5), t, t, textSize, false, "t", x)
		}
		y += lineH*float64(len(message)) + 10
	}
	return y
}

// sentencesShown bounds the description.
const sentencesShown = 30

// describe says in words what the picture shows, for who cannot see it.
func (g *Graph) describe() string {
	var list []string
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, f := range g.Fronts {
		for _, sv := range f.Servers {
			for _, r := range sv.Rows {
				if r.To != nil {
					say("%s %s goes to %s.", sv.Title, r.Label, r.To.name())
				}
			}
		}
		for _, p := range f.Pools {
			if p.Kind == Balancer {
				say("Balancer %s has %s.", p.Title, plural(len(p.Rows), "member"))
			}
		}
	}
	for _, gr := range g.Groups {
		if gr.Title != "" {
			say("%s has %s.", gr.Title, plural(len(gr.Nodes), "Tomcat"))
		}
	}
	if n := len(list) - sentencesShown; n > 0 {
		list = append(list[:sentencesShown], fmt.Sprintf("And %d more facts.", n))
	}
	if v := g.Verdict(); v != "" {
		list = append(list, "Lint: "+v+".")
	}
	return strings.Join(list, " ")
}
