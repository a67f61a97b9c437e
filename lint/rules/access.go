package rules

import (
	"strings"

	"clowder/parse/model"
)

// hasAccess reports whether the section says anything about access.
func hasAccess(a *model.Access) bool {
	return a != nil && (usesOrder(a) || a.Require != nil && (len(a.Require.Children) > 0 || len(a.Require.Args) > 0))
}

func usesOrder(a *model.Access) bool {
	return a.Order.IsWritten() || len(a.Allow) > 0 || len(a.Deny) > 0
}

// isOpen reports whether an access block lets anybody in. When both styles stand
// in one section both must let the client in, unless Satisfy is any.
func isOpen(a *model.Access) bool {
	hasOrder, hasRequire := usesOrder(a), a.Require != nil
	switch {
	case hasOrder && hasRequire:
		if strings.EqualFold(a.Satisfy.V, "any") {
			return orderOpen(a) || requireOpen(a.Require)
		}
		return orderOpen(a) && requireOpen(a.Require)
	case hasRequire:
		return requireOpen(a.Require)
	}
	return orderOpen(a)
}

// orderOpen evaluates Order, Allow and Deny as find_allowdeny in
// modules/aaa/mod_access_compat.c does, for a client no host list knows.
func orderOpen(a *model.Access) bool {
	denied := effectiveDeny(a)
	switch strings.ToLower(strings.ReplaceAll(a.Order.V, " ", "")) {
	case "allow,deny", "mutual-failure":
		return contains(a.Allow, "all") && !denied
	}
	return contains(a.Allow, "all") || !denied
}

// effectiveDeny reports whether a Deny can match anybody. "none" is taken as the
// name of a host.
func effectiveDeny(a *model.Access) bool {
	for _, d := range a.Deny {
		if !strings.EqualFold(d.V, "none") {
			return true
		}
	}
	return false
}

func contains(list []model.String, word string) bool {
	for _, v := range list {
		if strings.EqualFold(v.V, word) {
			return true
		}
	}
	return false
}

// requireOpen evaluates a tree of Require for an unknown client.
func requireOpen(r *model.Require) bool {
	if r.Group.V == "" {
		return !r.Not.V && len(r.Args) >= 2 && strings.EqualFold(r.Args[0].V, "all") && strings.EqualFold(r.Args[1].V, "granted")
	}
	switch strings.ToLower(r.Group.V) {
	case "all":
		for _, c := range r.Children {
			if !requireOpen(c) {
				return false
			}
		}
		return len(r.Children) > 0
	case "none":
		return false
	}
	for _, c := range r.Children {
		if requireOpen(c) {
			return true
		}
	}
	return false
}
