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
		if u.Guard {
			errs = append(errs, fmt.Errorf("%s: the access rules of %s are not enforced by clowder run", u.Span, u.What))
		}
	}
	for _, f := range c.fronts {
		for _, srv := range append([]*model.Server{f.Main}, f.VHosts...) {
			errs = append(errs, serverGuards(f, srv)...)
		}
	}
	if errs == nil {
		return nil
	}
	return errors.Join(append(errs, ErrUnguarded)...)
}

// serverGuards lists what of one server protects and is not done by the balancer:
// TLS, and rewrite rules that refuse requests.
func serverGuards(f *model.FrontEnd, srv *model.Server) []error {
	if srv == nil {
		return nil
	}
	var errs []error
	if t := srv.TLS; t != nil && !strings.EqualFold(t.Engine.V, "off") && t.Engine.V != "" {
		errs = append(errs, fmt.Errorf("%s: SSLEngine %s: clowder run does not serve TLS, the requests would come in the clear", t.Engine.Span, t.Engine.V))
	}
	for _, r := range activeRules(f, srv) {
		if r.HasFlag("F", "forbidden") || r.HasFlag("G", "gone") {
			errs = append(errs, fmt.Errorf("%s: this RewriteRule refuses requests and is not carried out by clowder run", r.At))
		}
	}
	return errs
}

// activeRules lists the rewrite rules of a server and its sections whose engine is
// on: RewriteEngine is inherited from the main server and by the sections.
func activeRules(f *model.FrontEnd, srv *model.Server) []*model.RewriteRule {
	on := false
	if rw := f.Effective(srv).Settings.Rewrite; rw != nil {
		on = rw.Engine.V
	}
	var out []*model.RewriteRule
	add := func(rw *model.Rewrite) {
		if rw != nil && (rw.Engine.V || on && !rw.Engine.IsSet()) {
			out = append(out, rw.Rules...)
		}
	}
	add(srv.Settings.Rewrite)
	for _, sec := range srv.Sections {
		add(sec.Settings.Rewrite)
	}
	return out
}

// NotDone lists the rewrite rules of the setup, which the balancer does not carry
// out: requests that they would redirect or proxy go on as if they were not there.
func NotDone(s *model.Setup) []model.Unmapped {
	var out []model.Unmapped
	for _, f := range s.FrontEnds {
		for _, srv := range append([]*model.Server{f.Main}, f.VHosts...) {
			if srv == nil {
				continue
			}
			for _, r := range activeRules(f, srv) {
				out = append(out, model.Unmapped{Span: r.At, What: "RewriteRule " + r.Pattern.V})
			}
		}
	}
	return out
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
