package diff

import (
	"reflect"
	"sort"
	"strings"

	"clowder/parse/model"
)

// pass is one way to find what belongs together in two lists: elements with equal
// keys; with unique only where one element alone of each list has the key.
type pass struct {
	key    func(reflect.Value) string // "" belongs to nothing
	unique bool
}

// pair returns for each element of a the index of its counterpart in b, or -1.
// Elements of one key go together in their order.
func pair(a, b []reflect.Value, passes []pass) []int {
	to := make([]int, len(a))
	for i := range to {
		to[i] = -1
	}
	taken := make([]bool, len(b))
	left := min(len(a), len(b))
	for _, p := range passes {
		if left == 0 {
			break
		}
		free := make(map[string][]int, len(b))
		for j, y := range b {
			if !taken[j] {
				if k := p.key(y); k != "" {
					free[k] = append(free[k], j)
				}
			}
		}
		keys := make([]string, len(a))
		count := make(map[string]int, len(a))
		for i, x := range a {
			if to[i] < 0 {
				keys[i] = p.key(x)
				count[keys[i]]++
			}
		}
		for i, k := range keys {
			if k == "" || len(free[k]) == 0 || p.unique && (len(free[k]) != 1 || count[k] != 1) {
				continue
			}
			to[i] = free[k][0]
			taken[to[i]] = true
			free[k] = free[k][1:]
			left--
		}
	}
	return to
}

// maxCrossings bounds how many pairs of elements are asked whether their order
// matters; beyond it the order counts.
const maxCrossings = 20_000_000

// misplaced says which elements of a stand elsewhere in b: those outside of the
// longest run that keeps its order, when their order against an element that they
// passed, and that is not itself said to stand elsewhere, matters. meet nil means
// that the list has no order.
func misplaced(a []reflect.Value, to []int, meet func(x, y any) bool) []bool {
	out := make([]bool, len(a))
	if meet == nil {
		return out
	}
	keeps := longestRun(to)
	asked := 0
	for i, x := range a {
		if to[i] < 0 || keeps[i] {
			continue
		}
		for k, y := range a {
			if to[k] < 0 || out[k] || k == i || (k < i) == (to[k] < to[i]) {
				continue
			}
			if asked++; asked > maxCrossings || meet(x.Interface(), y.Interface()) {
				out[i] = true
				break
			}
		}
	}
	return out
}

// longestRun marks a longest increasing subsequence of the indices that are not
// negative.
func longestRun(to []int) []bool {
	var tails []int // for each length the element that ends the run with the least index
	before := make([]int, len(to))
	for i, t := range to {
		if t < 0 {
			continue
		}
		n := sort.Search(len(tails), func(k int) bool { return to[tails[k]] >= t })
		before[i] = -1
		if n > 0 {
			before[i] = tails[n-1]
		}
		if n == len(tails) {
			tails = append(tails, i)
		} else {
			tails[n] = i
		}
	}
	keep := make([]bool, len(to))
	if len(tails) > 0 {
		for i := tails[len(tails)-1]; i >= 0; i = before[i] {
			keep[i] = true
		}
	}
	return keep
}

// fingerprint writes down what an element means: equal ones say the same.
func fingerprint(v reflect.Value) string {
	var b strings.Builder
	print(&b, v)
	return b.String()
}

func print(b *strings.Builder, v reflect.Value) {
	v = prepared(v).Elem()
	put := func(key, text string) {
		b.WriteString(key)
		b.WriteByte('=')
		b.WriteString(model.QuoteWord(text))
		b.WriteByte(' ')
	}
	for _, f := range fieldsOf(v.Type()) {
		if f.skip {
			continue
		}
		fv := v.FieldByIndex(f.Index)
		switch f.Kind {
		case model.ScalarField:
			if x := f.said(fv); x.Origin != model.Unset {
				put(f.Key, f.meaning(model.FormatScalar(x.V)))
			}
		case model.ListField:
			if fv.Len() > 0 {
				put(f.Key, f.list(fv))
			}
		case model.StructField:
			if f.text != nil {
				put(f.Key, f.text(fv.Interface()).means)
			} else if !fv.IsNil() {
				nested(b, f.Key, fv)
			}
		case model.ArrayField:
			for i := range fv.Len() {
				nested(b, f.Key, fv.Index(i))
			}
		case model.AttrsField:
			for _, x := range fv.Interface().([]*model.Attr) {
				put("@"+x.Name, x.Value.V)
			}
		}
	}
}

func nested(b *strings.Builder, key string, v reflect.Value) {
	b.WriteString(key + "{")
	print(b, v)
	b.WriteString("} ")
}
