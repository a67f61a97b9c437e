package plan

import (
	"slices"
	"strings"

	"clowder/parse/model"
)

// Most conditions whose every combination becomes a branch, and most of which
// every pair does.
const (
	mostCombined = 4
	mostPaired   = 12
)

// branches adds what is done with the paths of a cell that match patterns. Where
// patterns are too many for every combination of them, paths that match more than
// are combined are refused, as nobody says what holds for them; patterns that only
// decorate the answer are then left out instead.
func (c *cutter) branches(cell *Cell) {
	path := cell.Path
	conds, weighty := c.conditions(path, &cell.Outcome)
	most := len(conds)
	switch {
	case len(conds) > mostPaired:
		most = 1
	case len(conds) > mostCombined:
		most = 2
	}
	if most < len(conds) {
		combinations(len(conds), most, func(pick []int) {
			for _, more := range joined(conds[min(pick[most-1]+1, weighty):weighty]) {
				br := &Branch{Outcome: cell.Outcome}
				for _, i := range pick {
					br.Patterns = append(br.Patterns, conds[i])
				}
				br.Patterns = append(br.Patterns, more)
				br.Kind, br.Status = Refuse, 403
				br.Access.Lost = append(slices.Clip(br.Access.Lost), Lost{Fact: more.Fact,
					Message: "too many patterns overlap here to combine them all: paths that more of them match are refused"})
				cell.Branches = append(cell.Branches, br)
			}
		})
	}
	for size := most; size > 0; size-- {
		combinations(len(conds), size, func(pick []int) {
			br := &Branch{}
			var on []string
			for _, i := range pick {
				br.Patterns = append(br.Patterns, conds[i])
				on = append(on, conds[i].Regex)
			}
			br.Outcome = c.outcome(path, on)
			cell.Branches = append(cell.Branches, br)
		})
	}
}

// joined returns patterns of which one matches where any of the conditions does.
// Those that only PCRE knows may count their groups and stand alone.
func joined(conds []Pattern) []Pattern {
	var simple []string
	var out []Pattern
	for _, p := range conds {
		if p.RE2 {
			simple = append(simple, "(?:"+p.Regex+")")
			if len(simple) == 1 {
				out = append(out, p)
			}
		}
	}
	if len(simple) > 1 {
		out[0].Regex = strings.Join(simple, "|")
	}
	for _, p := range conds {
		if !p.RE2 {
			out = append(out, p)
		}
	}
	return out
}

// decorates reports whether a section changes nothing but the answer's fields and
// pages: neither who is let in nor what a member gets.
func decorates(sec *model.Section) bool {
	s := &sec.Settings
	return sec.Mapping == nil && s.Access == nil && s.Rewrite == nil && len(s.Redirects)+len(s.SetEnv)+len(s.Extras) == 0 &&
		!s.Handler.IsSet() && !s.PreserveHost.IsSet() && !s.Continue100.IsSet() && !s.InterpolEnv.IsSet() &&
		!slices.ContainsFunc(s.Headers, func(h *model.HeaderRule) bool { return h.Request.V })
}

// combinations calls f for each choice of size out of n, in order.
func combinations(n, size int, f func([]int)) {
	pick := make([]int, size)
	var rec func(at, from int)
	rec = func(at, from int) {
		if at == size {
			f(pick)
			return
		}
		for i := from; i < n; i++ {
			pick[at] = i
			rec(at+1, i+1)
		}
	}
	rec(0, 0)
}
