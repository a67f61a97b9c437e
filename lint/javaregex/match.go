package javaregex

import "slices"

// maxSteps bounds the work of one match.
const maxSteps = 200_000

// machine is one match in progress.
type machine struct {
	text   []rune
	groups []int // start and end of each group, -1 for none
	steps  int
}

// step matches from a place on and calls next with each place it can end at,
// until next is content.
type step func(m *machine, at int, next func(int) bool) bool

type tooLong struct{}

// MatchAll reports whether the whole string matches, as Matcher.matches does.
// When sure is false nobody knows.
func (r *Regexp) MatchAll(s string) (match, sure bool) {
	if r.run == nil || r.unsure {
		return false, false
	}
	m := &machine{text: []rune(s), groups: make([]int, 2*r.groups)}
	for i := range m.groups {
		m.groups[i] = -1
	}
	defer func() {
		switch x := recover().(type) {
		case nil:
		case tooLong:
			match, sure = false, false
		default:
			panic(x)
		}
	}()
	return r.run(m, 0, func(at int) bool { return at == len(m.text) }), true
}

func (m *machine) tick() {
	if m.steps++; m.steps > maxSteps {
		panic(tooLong{})
	}
}

func empty(_ *machine, at int, next func(int) bool) bool { return next(at) }

func one(s set) step {
	return func(m *machine, at int, next func(int) bool) bool {
		m.tick()
		return at < len(m.text) && s(m.text[at]) && next(at+1)
	}
}

func then(a, b step) step {
	return func(m *machine, at int, next func(int) bool) bool {
		return a(m, at, func(at int) bool { return b(m, at, next) })
	}
}

func either(a, b step) step {
	return func(m *machine, at int, next func(int) bool) bool {
		m.tick()
		return a(m, at, next) || b(m, at, next)
	}
}

func atStart(_ *machine, at int, next func(int) bool) bool { return at == 0 && next(at) }

func atEnd(m *machine, at int, next func(int) bool) bool { return at == len(m.text) && next(at) }

func boundary(wanted bool) step {
	word := predefined('w')
	return func(m *machine, at int, next func(int) bool) bool {
		before := at > 0 && word(m.text[at-1])
		after := at < len(m.text) && word(m.text[at])
		return (before != after) == wanted && next(at)
	}
}

type kind uint8

const (
	greedy kind = iota
	lazy
	possessive
)

// repeat matches low to high times; high below 0 is without end.
func repeat(x step, low, high int, k kind) step {
	if k == possessive {
		return atomic(repeat(x, low, high, greedy))
	}
	return func(m *machine, at int, next func(int) bool) bool {
		var round func(n, at int) bool
		round = func(n, at int) bool {
			m.tick()
			again := func() bool {
				return (high < 0 || n < high) && x(m, at, func(to int) bool {
					if to == at { // no progress: one empty round counts for all
						return n < low && next(at)
					}
					return round(n+1, to)
				})
			}
			switch {
			case n < low:
				return again()
			case k == lazy:
				return next(at) || again()
			}
			return again() || next(at)
		}
		return round(0, at)
	}
}

// first returns where x ends at first, or -1.
func first(m *machine, x step, at int) int {
	to := -1
	x(m, at, func(e int) bool { to = e; return true })
	return to
}

func atomic(x step) step {
	return func(m *machine, at int, next func(int) bool) bool {
		saved := slices.Clone(m.groups)
		if to := first(m, x, at); to >= 0 && next(to) {
			return true
		}
		copy(m.groups, saved)
		return false
	}
}

func ahead(x step, wanted bool) step {
	return func(m *machine, at int, next func(int) bool) bool {
		saved := slices.Clone(m.groups)
		if (first(m, x, at) >= 0) == wanted && next(at) {
			return true
		}
		copy(m.groups, saved)
		return false
	}
}

func behind(x step, wanted bool) step {
	return func(m *machine, at int, next func(int) bool) bool {
		found := false
		for from := at; from >= 0 && !found; from-- {
			m.tick()
			found = x(m, from, func(to int) bool { return to == at })
		}
		return found == wanted && next(at)
	}
}

func remember(x step, n int) step {
	return func(m *machine, at int, next func(int) bool) bool {
		start, stop := m.groups[2*n], m.groups[2*n+1]
		if x(m, at, func(to int) bool {
			a, b := m.groups[2*n], m.groups[2*n+1]
			m.groups[2*n], m.groups[2*n+1] = at, to
			if next(to) {
				return true
			}
			m.groups[2*n], m.groups[2*n+1] = a, b
			return false
		}) {
			return true
		}
		m.groups[2*n], m.groups[2*n+1] = start, stop
		return false
	}
}

func again(n int) step {
	return func(m *machine, at int, next func(int) bool) bool {
		if 2*n+1 >= len(m.groups) || m.groups[2*n] < 0 {
			return false
		}
		for _, r := range m.text[m.groups[2*n]:m.groups[2*n+1]] {
			m.tick()
			if at >= len(m.text) || m.text[at] != r {
				return false
			}
			at++
		}
		return next(at)
	}
}
