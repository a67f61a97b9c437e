package plan

import (
	"regexp"
	"strings"
)

// Holds reports whether a decoded path lies below the cell's path; the cell that
// counts is the first one of a site that holds it.
func (c *Cell) Holds(path string) bool { return covers(c.Path, path) }

// Find returns what is done with a decoded path, rewrite rules aside. Patterns
// that Go cannot compile match nothing here.
func (s *Site) Find(path string) *Outcome {
	for _, c := range s.Cells {
		if !c.Holds(path) {
			continue
		}
		for _, b := range c.Branches {
			if b.matches(path) {
				return &b.Outcome
			}
		}
		return &c.Outcome
	}
	return nil
}

func (b *Branch) matches(path string) bool {
	for _, p := range b.Patterns {
		if re, err := regexp.Compile(p.Regex); err != nil || !re.MatchString(path) {
			return false
		}
	}
	return true
}

// PathAt returns the path that the pool's members see for a decoded path, or the
// target of a redirect.
func (o *Outcome) PathAt(path string) string {
	to := o.To
	if o.Kind == Redirect {
		to = o.Location
	}
	if o.Regex == nil {
		if to += path[strippedLen(o.Strip, path):]; o.Kind == Proxy && to == o.Base {
			to += "/"
		}
		return to
	}
	re, err := regexp.Compile(o.Regex.Regex)
	if err != nil {
		return to
	}
	groups := re.FindStringSubmatch(path)
	var b strings.Builder
	for i := 0; i < len(to); i++ {
		if to[i] == '$' && i+1 < len(to) && to[i+1] >= '0' && to[i+1] <= '9' {
			if n := int(to[i+1] - '0'); n < len(groups) {
				b.WriteString(groups[n])
			}
			i++
			continue
		}
		b.WriteByte(to[i])
	}
	return b.String()
}

// strippedLen returns how much of the path a prefix takes.
func strippedLen(prefix, path string) int {
	if strings.HasPrefix(path, prefix) {
		return len(prefix)
	}
	return 0
}
