package httpd

import (
	"slices"
	"strings"

	"clowder/parse/model"
)

// sharing returns the longest worker of a list whose name is a prefix of the URL
// and holds at least its scheme, host and port, as ap_proxy_get_worker_ex. owner
// is the server or balancer that has the list.
func (l *lowerer) sharing(owner any, list []*model.Member, u string) *model.Member {
	u = lowerHost(u)
	least := hostEnd(u)
	if len(list) > fewWorkers {
		return l.index(owner, list).find(u, least)
	}
	var best *model.Member
	size := 0
	for _, m := range list {
		name := lowerHost(m.URL.V)
		if len(name) >= least && len(name) > size && strings.HasPrefix(u, name) {
			best, size = m, len(name)
		}
	}
	return best
}

// fewWorkers are compared one by one; more have an index.
const fewWorkers = 16

// workerIndex finds the workers of one list by name.
type workerIndex struct {
	known   int // so many of the list
	byName  map[string]*model.Member
	lengths map[string][]int // of names, ascending, by scheme, host and port
}

// index returns the index of a list, with all that was appended to it.
func (l *lowerer) index(owner any, list []*model.Member) *workerIndex {
	x := l.indexes[owner]
	if x == nil {
		if l.indexes == nil {
			l.indexes = map[any]*workerIndex{}
		}
		x = &workerIndex{byName: map[string]*model.Member{}, lengths: map[string][]int{}}
		l.indexes[owner] = x
	}
	for ; x.known < len(list); x.known++ {
		name := lowerHost(list[x.known].URL.V)
		if x.byName[name] == nil {
			x.byName[name] = list[x.known]
		}
		host := name[:hostEnd(name)]
		if k, found := slices.BinarySearch(x.lengths[host], len(name)); !found {
			x.lengths[host] = slices.Insert(x.lengths[host], k, len(name))
		}
	}
	return x
}

// find returns the worker with the longest name that is a prefix of u.
func (x *workerIndex) find(u string, least int) *model.Member {
	for _, n := range slices.Backward(x.lengths[u[:least]]) {
		if n > len(u) {
			continue
		}
		if m := x.byName[u[:n]]; m != nil {
			return m
		}
	}
	return nil
}

// hostEnd returns where scheme, host and port of a URL end.
func hostEnd(u string) int {
	if k := strings.Index(u, "://"); k >= 0 {
		if e := strings.IndexByte(u[k+3:], '/'); e >= 0 {
			return k + 3 + e
		}
	}
	return len(u)
}

// lowerHost puts scheme and host into lower case.
func lowerHost(u string) string {
	if !strings.Contains(u, "://") {
		return u
	}
	e := hostEnd(u)
	if low := strings.ToLower(u[:e]); low != u[:e] {
		return low + u[e:]
	}
	return u
}
