package runtime

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/runtime/proxy"
	"clowder/runtime/tlsconf"
)

// ErrUnguarded ends the error of Start for a setup with access rules that the
// balancer does not enforce.
var ErrUnguarded = errors.New("not started, as it would be more open than httpd; --force runs it all the same")

// guards refuses setups with access rules that the balancer does not enforce:
// running without them would answer requests that httpd refuses.
func guards(s *model.Setup, c selection, unguarded bool) error {
	if len(c.fronts) == 0 || unguarded {
		return nil
	}
	carriedOut := proxy.CarriedOut(c.fronts)
	var errs []error
	for _, u := range s.Unmapped {
		if u.Guard && !strings.EqualFold(u.What, "ProxyBlock") && !tlsDone(c, u) && !carriedOut(u.Span) || changesUser(u.What) { // the balancer carries ProxyBlock out
			errs = append(errs, fmt.Errorf("%s: the access rules of %s are not enforced by clowder run", u.Span, u.What))
		}
	}
	for _, f := range c.fronts {
		errs = append(errs, tlsconf.Check(f)...)
	}
	if errs == nil {
		return nil
	}
	return errors.Join(append(errs, ErrUnguarded)...)
}

// tlsDone reports whether the rule is one of mod_ssl in a section that is enforced,
// or that tlsconf.Check refuses with a reason of its own.
func tlsDone(c selection, u model.Unmapped) bool {
	return slices.ContainsFunc(c.fronts, func(f *model.FrontEnd) bool { return tlsconf.Done(f, u.Span) })
}

// changesUser reports whether a directive that the model does not hold changes who
// the user of a request is, for access rules or for the backend, which would go on
// with what the client sent.
func changesUser(what string) bool {
	name, _, _ := strings.Cut(what, " ")
	switch strings.ToLower(name) {
	case "authbasicfake", "authbasicusedigestalgorithm", "sslusername":
		return true
	}
	return false
}

// hasFileGuards reports whether access rules for files exist that are not enforced.
func hasFileGuards(s *model.Setup) bool {
	for _, u := range s.Unmapped {
		if u.FileGuard {
			return true
		}
	}
	return false
}
