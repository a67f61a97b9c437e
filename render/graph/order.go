package graph

import (
	"cmp"
	"math"
	"slices"
)

// layers are the columns of the picture while their order is looked for. A layer
// is a list of frames, each a list of cards.
type layers [4][][]*Card

func (g *Graph) layers() layers {
	var l layers
	for _, f := range g.Fronts {
		l[0] = append(l[0], slices.Clone(f.Listeners))
		l[1] = append(l[1], slices.Clone(f.Servers))
		l[2] = append(l[2], slices.Clone(f.Pools))
	}
	for _, gr := range g.Groups {
		l[3] = append(l[3], slices.Clone(gr.Nodes))
	}
	return l
}

func (l layers) clone() layers {
	for i := range l {
		frames := slices.Clone(l[i])
		for j := range frames {
			frames[j] = slices.Clone(frames[j])
		}
		l[i] = frames
	}
	return l
}

// targets returns where the edges of a card end, in the order of their beginnings.
func (c *Card) targets() []*Card {
	if c.Kind == Listener {
		return c.To
	}
	var out []*Card
	for _, r := range c.Rows {
		if r.To != nil {
			out = append(out, r.To)
		}
	}
	return out
}

const sweeps = 6

// arrange orders the cards inside of their frames, and the frames, so that few
// edges cross: sweeps to and fro that sort by the mean place of the neighbours
// (Sugiyama's barycentre method), begun at the left and at the right end; the best
// order counts. The order of the files stays where nothing is gained.
func (g *Graph) arrange() layers {
	best := g.layers()
	least := best.crossings()
	for _, fromRight := range []bool{false, true} {
		l := g.layers()
		for i := 0; i < sweeps && least > 0; i++ {
			if !fromRight || i > 0 {
				for k := 1; k < 4; k++ {
					l.sort(k, l.fromLeft(k), k == 3)
				}
			}
			for k := 2; k >= 0; k-- {
				l.sort(k, l.fromRight(k), false)
			}
			l.sortFronts()
			if n := l.crossings(); n < least {
				best, least = l.clone(), n
			}
			l.sort(3, l.fromLeft(3), true)
			if n := l.crossings(); n < least {
				best, least = l.clone(), n
			}
		}
	}
	return best
}

// places numbers the rows of a layer from the top; a card is where its middle is.
func (l *layers) places(k int) map[*Card]float64 {
	at := map[*Card]float64{}
	n := 0.0
	for _, frame := range l[k] {
		for _, c := range frame {
			h := float64(max(1, len(c.Rows)))
			at[c] = n + h/2
			n += h
		}
	}
	return at
}

// mean collects the mean of what is added for each card.
type mean map[*Card][2]float64

func (m mean) add(c *Card, v float64) { m[c] = [2]float64{m[c][0] + v, m[c][1] + 1} }

func (m mean) of(c *Card, otherwise float64) float64 {
	if s := m[c]; s[1] > 0 {
		return s[0] / s[1]
	}
	return otherwise
}

func (l *layers) fromLeft(k int) mean {
	m := mean{}
	n := 0.0
	for _, frame := range l[k-1] {
		for _, c := range frame {
			if c.Kind == Listener {
				for _, t := range c.To {
					m.add(t, n)
				}
				n++
				continue
			}
			for _, r := range c.Rows {
				if r.To != nil {
					m.add(r.To, n)
				}
				n++
			}
		}
	}
	return m
}

func (l *layers) fromRight(k int) mean {
	at := l.places(k + 1)
	m := mean{}
	for _, frame := range l[k] {
		for _, c := range frame {
			for _, t := range c.targets() {
				m.add(c, at[t])
			}
		}
	}
	return m
}

// sort orders the cards of a layer inside of their frames, and the frames if asked.
// Cards without a neighbour stay where they are.
func (l *layers) sort(k int, m mean, frames bool) {
	at := l.places(k)
	scale := 1.0
	if n := len(at); n > 0 && len(m) > 0 {
		top := 0.0
		for _, s := range m {
			top = math.Max(top, s[0]/s[1])
		}
		rows := 0.0
		for _, v := range at {
			rows = math.Max(rows, v)
		}
		scale = (top + 1) / (rows + 1)
	}
	by := func(c *Card) float64 { return m.of(c, at[c]*scale) }
	for _, frame := range l[k] {
		slices.SortStableFunc(frame, func(a, b *Card) int { return cmp.Compare(by(a), by(b)) })
	}
	if frames {
		slices.SortStableFunc(l[k], func(a, b []*Card) int { return cmp.Compare(middle(a, by), middle(b, by)) })
	}
}

func middle(cards []*Card, by func(*Card) float64) float64 {
	if len(cards) == 0 {
		return 0
	}
	sum := 0.0
	for _, c := range cards {
		sum += by(c)
	}
	return sum / float64(len(cards))
}

// sortFronts orders the front ends by the Tomcats that they lead to.
func (l *layers) sortFronts() {
	m, at := l.fromRight(2), l.places(2)
	by := func(c *Card) float64 { return m.of(c, at[c]) }
	index := make([]int, len(l[2]))
	for i := range index {
		index[i] = i
	}
	slices.SortStableFunc(index, func(a, b int) int { return cmp.Compare(middle(l[2][a], by), middle(l[2][b], by)) })
	for k := range 3 {
		frames := make([][]*Card, len(index))
		for i, j := range index {
			frames[i] = l[k][j]
		}
		l[k] = frames
	}
}

// crossings counts the pairs of edges that cross between neighbouring layers.
func (l *layers) crossings() int {
	total := 0
	for k := range 3 {
		rank := map[*Card]int{}
		for _, frame := range l[k+1] {
			for _, c := range frame {
				n := len(rank)
				rank[c] = n
			}
		}
		var ends []int // in the order of the beginnings
		for _, frame := range l[k] {
			for _, c := range frame {
				var own []int
				for _, t := range c.targets() {
					own = append(own, rank[t])
				}
				if c.Kind == Listener {
					slices.Sort(own) // they begin at one point
				}
				ends = append(ends, own...)
			}
		}
		total += inversions(ends, len(rank))
	}
	return total
}

// inversions counts the pairs that are in the wrong order, with a tree of sums.
func inversions(list []int, n int) int {
	tree := make([]int, n+1)
	total := 0
	for seen, v := range list {
		notAbove := 0
		for i := v + 1; i > 0; i -= i & -i {
			notAbove += tree[i]
		}
		total += seen - notAbove
		for i := v + 1; i <= n; i += i & -i {
			tree[i]++
		}
	}
	return total
}
