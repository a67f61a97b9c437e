package runtime

import (
	"errors"
	"fmt"
	"strings"

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
		if u.Guard && !strings.EqualFold(u.What, "ProxyBlock") || changesUser(u.What) { // the balancer carries ProxyBlock out
			errs = append(errs, fmt.Errorf("%s: the access rules of %s are not enforced by clowder run", u.Span, u.What))
		}
	}
	for _, f := range c.fronts {
		for _, srv := range append([]*model.Server{f.Main}, f.VHosts...) {
			errs = append(errs, serverGuards(srv)...)
		}
	}
	if errs == nil {
		return nil
	}
	return errors.Join(append(errs, ErrUnguarded)...)
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

// serverGuards lists what of one server protects and is not done by the balancer:
// TLS. What of other protections cannot be carried out stops proxy.New.
func serverGuards(srv *model.Server) []error {
	if srv == nil {
		return nil
	}
	var errs []error
	if t := srv.TLS; t != nil && !strings.EqualFold(t.Engine.V, "off") && t.Engine.V != "" {
		errs = append(errs, fmt.Errorf("%s: SSLEngine %s: clowder run does not serve TLS, the requests would come in the clear", t.Engine.Span, t.Engine.V))
	}
	return errs
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
