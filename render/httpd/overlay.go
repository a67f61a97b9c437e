package httpd

import (
	"slices"
	"strings"

	"clowder/parse/model"
)

// accessPlan says which access rules keep the style of 2.2.
//
// Of the sections that apply to one request the later one replaces the rules of
// the earlier one, each style its own: mod_access_compat and mod_authz_core do not
// know of each other. Written with Require alone, host rules of an early section
// would be replaced by the passwords of a later one, and the other way round. That
// means the same only if the later section has every style that the earlier one has.
type accessPlan struct {
	keep map[*model.Access]bool
	made map[*model.Directive]*model.Access // access rules in kept sections
}

// The order in which httpd merges the kinds of sections (ap_process_request_internal
// in server/request.c): files, then what is proxied, then URLs, then conditions.
const (
	rankDirectory = iota
	rankFiles
	rankProxy
	rankLocation
	rankIf
)

// scope is one section with access rules.
type scope struct {
	access *model.Access
	rank   int
	order  int           // among those of its rank
	path   string        // plain path, without a slash at the end; "" may be anything
	srv    *model.Server // nil: main server, whose sections hold for all
	odd    bool          // rules for some methods only, or in conditions
	group  int
}

func planAccess(f *model.FrontEnd) *accessPlan {
	p := &accessPlan{keep: map[*model.Access]bool{}, made: map[*model.Directive]*model.Access{}}
	var list []*scope
	for _, srv := range servers(f) {
		owner := srv
		if srv == f.Main {
			owner = nil
		}
		list = p.extras(list, srv.Settings.Extras, owner, rankIf, "")
		for _, sec := range srv.Sections {
			rank, path := rankLocation, ""
			if !isLocation(sec) {
				rank = rankProxy
			} else if sec.Kind.V == "Location" && !strings.ContainsAny(sec.Path.V, "*?[") {
				path = strings.TrimRight(sec.Path.V, "/") + "/"
			}
			if sec.Settings.Access != nil {
				list = append(list, &scope{access: sec.Settings.Access, rank: rank, path: path, srv: owner})
			}
			list = p.extras(list, sec.Settings.Extras, owner, rankIf, "")
		}
	}
	any22 := false
	for i, s := range list {
		s.order, s.group = i, i
		any22 = any22 || hasHosts(s.access)
	}
	// Rules that AuthMerging joins would be joined with host rules of 2.2 as well.
	if any22 && slices.ContainsFunc(list, func(s *scope) bool { return s.access.Merging.IsSet() }) {
		for _, s := range list {
			if hasHosts(s.access) {
				p.keep[s.access] = true
			}
		}
		return p
	}
	if any22 {
		p.decide(list)
	}
	return p
}

// extras finds the access rules in sections that are kept as they stand.
func (p *accessPlan) extras(list []*scope, dirs []*model.Directive, srv *model.Server, rank int, path string) []*scope {
	for _, d := range dirs {
		if !d.Section.V {
			continue
		}
		s := &scope{rank: rank, path: path, srv: srv, odd: true}
		switch strings.ToLower(d.Name.V) {
		case "directory":
			s.rank, s.odd = rankDirectory, false
			if len(d.Args) == 1 && !strings.ContainsAny(d.Args[0].V, "*?[") {
				s.path = strings.TrimRight(d.Args[0].V, "/") + "/"
			}
		case "directorymatch":
			s.rank, s.odd = rankDirectory, false
		case "files", "filesmatch":
			s.rank, s.odd = rankFiles, false
		}
		if a := accessOf(d); a != nil {
			p.made[d] = a
			s.access = a
			list = append(list, s)
		}
		list = p.extras(list, d.Children, srv, max(s.rank, rankFiles), "")
	}
	return list
}

// decide keeps the style of 2.2 in all sections that meet, when one of them needs it.
func (p *accessPlan) decide(list []*scope) {
	find := func(i int) int {
		for list[i].group != i {
			i = list[i].group
		}
		return i
	}
	bad := map[int]bool{}
	for i, a := range list {
		bad[i] = a.odd && hasHosts(a.access)
	}
	broken := map[int]bool{}
	for i, a := range list {
		for k := range i {
			b := list[k]
			if !meet(a, b) {
				continue
			}
			first, second := b, a
			if a.rank < b.rank {
				first, second = a, b
			}
			if !covers(second.access, first.access) || unordered(a, b) && !covers(first.access, second.access) {
				bad[i] = true
			}
			if x, y := find(i), find(k); x != y {
				list[x].group = y
			}
		}
	}
	for i := range list {
		if bad[i] {
			broken[find(i)] = true
		}
	}
	for i, s := range list {
		if broken[find(i)] && hasHosts(s.access) {
			p.keep[s.access] = true
		}
	}
}

// meet reports whether both sections may apply to one request.
func meet(a, b *scope) bool {
	if a.srv != b.srv && a.srv != nil && b.srv != nil {
		return false
	}
	if a.rank > b.rank {
		a, b = b, a
	}
	if a.rank <= rankFiles && b.rank == rankProxy {
		return false // what is proxied is no file
	}
	if a.rank == b.rank && a.path != "" && b.path != "" {
		return strings.HasPrefix(a.path, b.path) || strings.HasPrefix(b.path, a.path)
	}
	return true
}

// unordered reports whether it depends on the request which section comes last:
// folders are merged from the shortest to the longest, patterns behind them.
func unordered(a, b *scope) bool {
	if a.rank != b.rank || a.rank != rankDirectory {
		return a.rank == b.rank && a.rank == rankIf
	}
	return !(a.path != "" && b.path != "" && len(a.path) > len(b.path))
}

// covers reports whether the later rules replace all styles of the earlier ones.
func covers(later, earlier *model.Access) bool {
	return (hasHosts(later) || !hasHosts(earlier)) && (later.Require != nil || earlier.Require == nil)
}
