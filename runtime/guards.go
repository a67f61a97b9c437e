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
		if u.Guard && !strings.EqualFold(u.What, "ProxyBlock") { // which the balancer carries out
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
// TLS, rewrite rules that refuse requests, and Redirect with a status that does so
// in a section. (Outside of sections ProxyPass comes before it.)
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
	for _, sec := range srv.Sections {
		for _, r := range sec.Settings.Redirects {
			if r.Refuses() {
				errs = append(errs, fmt.Errorf("%s: Redirect %d refuses requests and is not carried out by clowder run", r.At, r.Status.V))
			}
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

// NotDone lists the rewrite rules, redirections and aliases of the setup, which the
// balancer does not carry out: requests that they would redirect, proxy or answer
// with a file go on as if they were not there.
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
			out = append(out, redirects(srv.Settings.Redirects)...)
			for _, sec := range srv.Sections {
				out = append(out, redirects(sec.Settings.Redirects)...)
			}
			for _, a := range srv.PathAlias {
				out = append(out, model.Unmapped{Span: a.At, What: aliasName(a) + " " + a.Path.V})
			}
		}
	}
	return out
}

func redirects(list []*model.Redirect) []model.Unmapped {
	var out []model.Unmapped
	for _, r := range list {
		what := "Redirect"
		if r.Regex.V {
			what = "RedirectMatch"
		}
		for _, w := range []string{r.Path.V, r.Target.V} {
			if w != "" {
				what += " " + w
			}
		}
		out = append(out, model.Unmapped{Span: r.At, What: what})
	}
	return out
}

func aliasName(a *model.Alias) string {
	name := "Alias"
	if a.Script.V {
		name = "ScriptAlias"
	}
	if a.Regex.V {
		name += "Match"
	}
	return name
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
