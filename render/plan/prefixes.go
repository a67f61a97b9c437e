package plan

import "slices"

// prefixes finds which of many directives apply to a cell, by the cell's path, so
// that thousands of them do not have to be compared with each other.
type prefixes struct {
	plain map[string][]int
	regex []regexAt
}

type regexAt struct {
	regex string
	at    int
}

// add takes directive number i with its prefix or pattern. Numbers must rise.
func (p *prefixes) add(i int, path string, regex bool) {
	if regex {
		p.regex = append(p.regex, regexAt{path, i})
		return
	}
	if path = cleanPrefix(path); path == "" {
		return
	}
	if p.plain == nil {
		p.plain = map[string][]int{}
	}
	p.plain[path] = append(p.plain[path], i)
}

// hits returns the numbers, in order, of the directives whose prefix covers the
// cell or whose pattern is in on.
func (p *prefixes) hits(cell string, on []string) []int {
	var out []int
	for i := range len(cell) {
		if cell[i] != '/' {
			continue
		}
		if i > 0 {
			out = append(out, p.plain[cell[:i]]...)
		}
		if i+1 < len(cell) {
			out = append(out, p.plain[cell[:i+1]]...)
		}
	}
	out = append(out, p.plain[cell]...)
	if len(on) > 0 {
		for _, r := range p.regex {
			if slices.Contains(on, r.regex) {
				out = append(out, r.at)
			}
		}
	}
	slices.Sort(out)
	return out
}
