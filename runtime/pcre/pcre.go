// Package pcre runs the regular expressions of httpd's configuration, which are
// PCRE patterns over bytes, on Go's linear-time engine where that means the same,
// and on a backtracking engine with a time limit where a pattern needs look-around,
// back references or atomic groups.
//
// As httpd's default (RegexDefaultOptions, AP_REG_DEFAULT in include/ap_regex.h) a
// dot matches every byte, newlines included, and "$" matches at the very end only.
// Letters fold in ASCII only; bytes above 0x7f are bytes, not characters.
package pcre

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/dlclark/regexp2"
)

// Limit is how long one match of a backtracking pattern may take.
const Limit = 50 * time.Millisecond

// ErrTimeout is the error of a match that took longer than [Limit]. What guards
// something must take it as a refusal.
var ErrTimeout = errors.New("regular expression took too long")

// Flags change what a pattern means.
type Flags uint8

// ICase ignores the case of ASCII letters.
const ICase Flags = 1

// Regexp is a compiled pattern. It is safe for concurrent use.
type Regexp struct {
	pattern string
	fast    *regexp.Regexp
	slow    *regexp2.Regexp // only when fast is nil
	names   []string        // by number of the group; "" without a name
}

// Compile reads a pattern. The error names what cannot be run.
func Compile(pattern string, f Flags) (*Regexp, error) {
	t := &translator{in: pattern}
	if err := t.run(); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	r := &Regexp{pattern: pattern, names: t.names}
	flags := "(?s)"
	if f&ICase != 0 {
		flags = "(?is)"
	}
	if !t.backtracks {
		re, err := regexp.Compile(flags + t.out.String())
		if err == nil && re.NumSubexp() == len(t.names)-1 {
			r.fast = re
			return r, nil
		}
	}
	options := regexp2.Singleline
	if f&ICase != 0 {
		options |= regexp2.IgnoreCase
	}
	re, err := regexp2.Compile(t.out.String(), regexp2.RegexOptions(options))
	if err != nil {
		return nil, fmt.Errorf("pattern %q cannot be run: %w", pattern, err)
	}
	re.MatchTimeout = Limit
	r.slow = re
	return r, nil
}

// MustCompile is Compile for patterns that are part of the program.
func MustCompile(pattern string, f Flags) *Regexp {
	r, err := Compile(pattern, f)
	if err != nil {
		panic(err)
	}
	return r
}

// String returns the pattern as it was written.
func (r *Regexp) String() string { return r.pattern }

// Groups returns the number of groups in parentheses.
func (r *Regexp) Groups() int { return len(r.names) - 1 }

// Names returns the names of the groups by their numbers, "" for those without;
// the first is the whole match. It must not be changed.
func (r *Regexp) Names() []string { return r.names }

// Backtracks reports whether the pattern runs on the engine with the time limit.
func (r *Regexp) Backtracks() bool { return r.slow != nil }

// Match reports whether the pattern matches somewhere in s. The error is ErrTimeout.
func (r *Regexp) Match(s string) (bool, error) {
	if r.fast != nil {
		m, _ := mapped(s)
		return r.fast.MatchString(m), nil
	}
	ok, err := r.slow.MatchRunes(runes(s))
	if err != nil {
		return false, ErrTimeout
	}
	return ok, nil
}

// MatchString is Match where a time-out counts as no match.
func (r *Regexp) MatchString(s string) bool {
	ok, _ := r.Match(s)
	return ok
}

// Find returns the byte offsets of the first match and of its groups in pairs, -1
// for groups that took no part, and nil without a match. The error is ErrTimeout.
func (r *Regexp) Find(s string) ([]int, error) {
	if r.fast != nil {
		m, wide := mapped(s)
		at := r.fast.FindStringSubmatchIndex(m)
		if wide && at != nil {
			unmap(m, at)
		}
		return at, nil
	}
	m, err := r.slow.FindRunesMatch(runes(s))
	if err != nil {
		return nil, ErrTimeout
	}
	if m == nil {
		return nil, nil
	}
	at := make([]int, 2*len(r.names))
	for i := range at {
		at[i] = -1
	}
	for i, g := range m.Groups() {
		if len(g.Captures) > 0 && 2*i+1 < len(at) {
			at[2*i], at[2*i+1] = g.Index, g.Index+g.Length
		}
	}
	return at, nil
}

// high is where bytes from 0x80 stand as runes: private characters, which have no
// case and belong to no class.
const high = 0xE000

// mapped returns s with each byte as one rune, and whether that changed it.
func mapped(s string) (string, bool) {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return string(runes(s)), true
		}
	}
	return s, false
}

func runes(s string) []rune {
	out := make([]rune, len(s))
	for i := range len(s) {
		out[i] = runeOf(s[i])
	}
	return out
}

func runeOf(b byte) rune {
	if b < 0x80 {
		return rune(b)
	}
	return high + rune(b)
}

// unmap turns offsets into the mapped text into those of the original.
func unmap(m string, at []int) {
	offset := make(map[int]int, len(at))
	n := 0
	for i := range m {
		offset[i] = n
		n++
	}
	offset[len(m)] = n
	for i, v := range at {
		if v >= 0 {
			at[i] = offset[v]
		}
	}
}
