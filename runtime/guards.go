package runtime

import (
	"errors"
	"fmt"

	"clowder/parse/model"
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
	var errs []error
	for _, u := range s.Unmapped {
		if u.Guard {
			errs = append(errs, fmt.Errorf("%s: the access rules of %s are not enforced by clowder run", u.Span, u.What))
		}
	}
	if errs == nil {
		return nil
	}
	return errors.Join(append(errs, ErrUnguarded)...)
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
