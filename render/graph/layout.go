package graph

import (
	"math"
	"slices"
	"strings"
)

// layout places everything.
func (g *Graph) layout() *scene {
	l := &layouter{g: g, s: &scene{}, at: map[*Card]*placed{}}
	nodes := 0
	for _, gr := range g.Groups {
		nodes += len(gr.Nodes)
	}
	order := g.arrange()
	for k := range order {
		for _, frame := range order[k] {
			for _, c := range frame {
				p := measure(c, nodes > manyNodes)
				l.at[c] = p
				l.wide[k] = max(l.wide[k], p.w)
			}
		}
	}
	l.fronts(order)
	l.groups(order)
	l.columns()
	l.draw()
	return l.s
}

// layouter is the work of one layout. Heights are found first, from 0 down, then
// the columns, then all is moved below the title.
type layouter struct {
	g    *Graph
	s    *scene
	at   map[*Card]*placed
	wide [4]float64 // of the cards of each layer
	gap  [5]float64 // left of each layer, and left of the first: after the clients
	x    [5]float64

	bands  []band // front ends
	frames []band // groups
}

// band is a frame around cards; without a title it is not drawn.
type band struct {
	top, bottom float64 // of the cards
	head        float64 // above them
	title       string
	notes       []string
	marks       Marks
	cols        [][]*placed
	titled      bool
}

func (l *layouter) placedOf(cards []*Card) []*placed {
	out := make([]*placed, len(cards))
	for i, c := range cards {
		out[i] = l.at[c]
	}
	return out
}

// fronts stacks the front ends; inside of one, the highest layer is a plain stack
// and the others lie beside it so that edges are short.
func (l *layouter) fronts(order layers) {
	byListener := map[*Card]*Front{}
	for _, f := range l.g.Fronts {
		for _, c := range f.Listeners {
			byListener[c] = f
		}
	}
	top := 0.0
	for i := range order[0] {
		f := byListener[order[0][i][0]]
		b := band{head: frameHead, title: f.Title, notes: f.Notes, marks: f.Marks, titled: true}
		base, highest := 0, 0.0
		for k := range 3 {
			col := l.placedOf(order[k][i])
			b.cols = append(b.cols, col)
			if h := stack(col); h > highest {
				base, highest = k, h
			}
		}
		for k := base - 1; k >= 0; k-- {
			if k > 0 || highest <= tall {
				l.beside(b.cols[k], l.rightward(b.cols[k]), nil)
			}
		}
		for k := base + 1; k < 3; k++ {
			l.beside(b.cols[k], l.leftward(b.cols[k-1]), nil)
		}
		least, most := extent(b.cols)
		b.top = top + frameHead
		for _, col := range b.cols {
			shift(col, b.top-least)
		}
		b.bottom = b.top + most - least
		top = b.bottom + framePad + frameGap
		l.bands = append(l.bands, b)
	}
}

// groups places the Tomcats beside the members that lead to them.
func (l *layouter) groups(order layers) {
	byNode := map[*Card]*Group{}
	for _, g := range l.g.Groups {
		for _, n := range g.Nodes {
			byNode[n] = g
		}
	}
	var all []*placed
	space := map[*placed]float64{} // above a card
	for _, cards := range order[3] {
		g := byNode[cards[0]]
		b := band{title: g.Title, notes: g.Notes, titled: g.Title != "", cols: [][]*placed{l.placedOf(cards)}}
		if b.titled {
			b.head = groupHead
		}
		above := b.head + gapY
		if len(l.frames) > 0 && (b.titled || l.frames[len(l.frames)-1].titled) {
			above = b.head + framePad + frameGap
		}
		for i, p := range b.cols[0] {
			space[p] = gapOf(p)
			if i == 0 {
				space[p] = above
			}
			all = append(all, p)
		}
		l.frames = append(l.frames, b)
	}
	y := 0.0
	for i, p := range all {
		if i > 0 {
			y += space[p]
		}
		p.y = y
		y += p.h
	}
	var from []*placed
	for _, b := range l.bands {
		from = append(from, b.cols[2]...)
	}
	if len(from) > 0 {
		l.beside(all, l.leftward(from), space)
	}
	for i := range l.frames {
		b := &l.frames[i]
		gather(b.cols[0])
		b.top, b.bottom = extent(b.cols)
	}
}

func gapOf(p *placed) float64 {
	switch {
	case p.tight:
		return tightGap
	case p.card.Kind == Worker:
		return gapY / 2
	}
	return gapY
}

// gather closes wide gaps between the Tomcats of one frame, towards its middle.
func gather(col []*placed) {
	mid := len(col) / 2
	for i := mid - 1; i >= 0; i-- {
		col[i].y = max(col[i].y, col[i+1].y-col[i].h-widestGap)
	}
	for i := mid + 1; i < len(col); i++ {
		col[i].y = min(col[i].y, col[i-1].bottom()+widestGap)
	}
}

// stack puts cards below each other from 0 and returns the height.
func stack(col []*placed) float64 {
	y := 0.0
	for i, p := range col {
		if i > 0 {
			y += gapOf(p)
		}
		p.y = y
		y += p.h
	}
	return y
}

func shift(col []*placed, by float64) {
	for _, p := range col {
		p.y += by
	}
}

func extent(cols [][]*placed) (top, bottom float64) {
	top, bottom = math.Inf(1), math.Inf(-1)
	for _, col := range cols {
		for _, p := range col {
			top, bottom = min(top, p.y), max(bottom, p.bottom())
		}
	}
	if math.IsInf(top, 1) {
		return 0, 0
	}
	return top, bottom
}

// wishes are the heights at which single edges of a card would be straight.
type wishes map[*Card][]float64

// median returns the middle of a list that is not empty; it orders the list.
func median(list []float64) float64 {
	slices.Sort(list)
	n := len(list)
	return (list[n/2] + list[(n-1)/2]) / 2
}

// leftward gives for each card at the right end of edges where it would best be.
func (l *layouter) leftward(from []*placed) wishes {
	m := wishes{}
	for _, p := range from {
		p.outs(func(y float64, _ *Row, to *Card) { m[to] = append(m[to], p.y+y-l.at[to].inY()) })
	}
	return m
}

// rightward gives for each card at the left end of edges where it would best be.
func (l *layouter) rightward(col []*placed) wishes {
	m := wishes{}
	for _, p := range col {
		p.outs(func(y float64, _ *Row, to *Card) {
			t := l.at[to]
			m[p.card] = append(m[p.card], t.y+t.inY()-y)
		})
	}
	return m
}

// beside moves the cards of a column as near to their wishes as their order and
// the gaps between them allow (least squares, by pooling adjacent violators).
// Cards without a wish hardly count.
func (l *layouter) beside(col []*placed, wish wishes, space map[*placed]float64) {
	type block struct{ sum, weight, n float64 }
	offset := make([]float64, len(col)) // of a card from the first one, closely packed
	var blocks []block
	for i, p := range col {
		if i > 0 {
			gap, ok := space[p]
			if !ok {
				gap = gapOf(p)
			}
			offset[i] = offset[i-1] + col[i-1].h + gap
		}
		w, want := 1e-3, p.y
		if list := wish[p.card]; len(list) > 0 {
			w, want = 1, median(list)
		}
		b := block{(want - offset[i]) * w, w, 1}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if last.sum/last.weight <= b.sum/b.weight {
				break
			}
			b = block{b.sum + last.sum, b.weight + last.weight, b.n + last.n}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	i := 0
	for _, b := range blocks {
		for range int(b.n) {
			col[i].y = math.Round(b.sum/b.weight + offset[i])
			i++
		}
	}
	for i := 1; i < len(col); i++ { // rounding
		if least := col[i-1].y + offset[i] - offset[i-1]; col[i].y < least {
			col[i].y = least
		}
	}
}

// columns finds the places of the layers from left to right. Gaps are wide where
// edges are steep.
func (l *layouter) columns() {
	var steep [5]float64
	layer := func(k int, cols []*placed) {
		for _, p := range cols {
			p.outs(func(y float64, _ *Row, to *Card) {
				t := l.at[to]
				steep[k+1] = max(steep[k+1], math.Abs(p.y+y-t.y-t.inY()))
			})
		}
	}
	for _, b := range l.bands {
		for k, col := range b.cols {
			layer(k, col)
		}
	}
	for k := range l.gap {
		l.gap[k] = min(200, 56+steep[k]/16)
	}
	for _, b := range l.frames {
		w := 2*padX + width(b.title, titleSize, true)
		w = max(w, 2*padX+width(strings.Join(b.notes, " · "), noteSize, false))
		if b.titled {
			l.wide[3] = max(l.wide[3], w-2*framePad)
		}
	}
	x := margin
	if len(l.bands) > 0 {
		x += clientsW + 40
		if len(l.bands) > 1 {
			x += 32 // edges to the lower front ends pass the upper ones
		}
		x = l.frontColumns(x)
	}
	if len(l.frames) > 0 {
		x += framePad
		l.x[3] = x
		x += math.Ceil(l.wide[3]) + framePad
	}
	l.s.w = max(x+margin, minWidth)
	for _, b := range l.bands {
		for k, col := range b.cols {
			l.setX(col, k)
		}
	}
	for _, b := range l.frames {
		l.setX(b.cols[0], 3)
	}
}

// frontColumns places the three layers of the front ends and returns where the
// groups can begin. Their frame has room for a beginning of its title and for badges.
func (l *layouter) frontColumns(x float64) float64 {
	left, last := x, 0
	x += framePad
	for k := range 3 {
		if l.wide[k] == 0 {
			continue
		}
		if k > 0 {
			x += l.gap[k]
		}
		l.x[k], last = x, k
		l.wide[k] = math.Ceil(l.wide[k])
		x += l.wide[k]
	}
	x += framePad
	for _, b := range l.bands {
		if more := 2*framePad + 90 + math.Ceil(badgesWidth(b.marks)) - (x - left); more > 0 {
			l.wide[last] += more
			x += more
		}
	}
	if len(l.frames) > 0 {
		x += l.gap[3] - 10
	}
	return x
}

func (l *layouter) setX(col []*placed, k int) {
	for _, p := range col {
		p.x, p.w = l.x[k], math.Ceil(l.wide[k])
	}
}
