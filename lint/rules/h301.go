package rules

import (
	"fmt"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var undefinedBalancer = &lint.Rule{
	ID: "H301", Name: "undefined-balancer", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "A ProxyPass, RewriteRule [P] or SetHandler names a balancer that has no members.",
		Why:  "The line itself makes an empty balancer of that name. `httpd -t` passes, and each request gets 503.",
		Fix:  "Correct the name, or define the balancer where the line can see it.",
		Bad: `<Proxy "balancer://mycluster">
    BalancerMember "ajp://10.0.0.11:8009"
</Proxy>
ProxyPass "/app" "balancer://myclustr/app"`,
		Good: `<Proxy "balancer://mycluster">
    BalancerMember "ajp://10.0.0.11:8009"
</Proxy>
ProxyPass "/app" "balancer://mycluster/app"`,
		Notes:  "Names compare without case, and without the path of the section's name. Virtual hosts see the balancers of the main server, but not those of each other. One finding per server and name. A warning while an Include could not be read; less sure without LoadModule lines, and a warning when the files have no balancer at all besides; silent with mod_cluster, BalancerPersist On or growth=, which bring members at run time, and where H209 or H303 speaks about the balancer.",
		Source: "ap_proxy_get_balancer and merge_proxy_config in modules/proxy; message AH01171. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		view := h2Views()
		for _, f := range h30Fronts(p) {
			if f.grows {
				continue
			}
			for i, sc := range f.scopes {
				h30Undefined(p, f, i, sc, view)
			}
		}
	},
}

func h30Undefined(p *lint.Pass, f *h30Front, i int, sc h2Scope, view func(lint.Server) h2View) {
	uses := f.uses[i]
	if len(uses) == 0 {
		return
	}
	visible := view(sc.Server)
	misnamed := h30Misnamed(f.fe.Main, sc.Server.Server)
	byName := map[string][]h30Use{}
	var names []string
	for _, u := range uses {
		b := visible.get(u.name)
		switch {
		case b != nil && (len(b.Members) > 0 || b.Growth.V > 0):
		case b != nil && h30Tag(b) && !f.members[u.name]: // H303
		case misnamed[u.name], f.lines[i][u.name]:
		case f.lines[0][u.name] && h2Inherits(sc.Server): // of the main server, with lines that httpd refuses
		default:
			if byName[u.name] == nil {
				names = append(names, u.name)
			}
			byName[u.name] = append(byName[u.name], u)
		}
	}
	for _, name := range names {
		p.Report(h30Missing(p, f, name, byName[name], visible))
	}
}

func h30Missing(p *lint.Pass, f *h30Front, name string, uses []h30Use, visible h2View) lint.Finding {
	out := lint.Finding{At: uses[0].at}
	h30Absent(p, f.fe, &out)
	if len(f.fe.Modules) == 0 && len(f.members) == 0 {
		out.Severity = diag.Warning // a part of a configuration; the balancers may be in another
	}
	for _, u := range uses[1:] {
		out.Related = append(out.Related, lint.Related(u.line.Head(), "named here as well"))
	}
	var defined []string
	for _, list := range []map[string]*model.Balancer{visible.own, visible.main} {
		for key, b := range list {
			if len(b.Members) > 0 {
				defined = append(defined, key)
			}
		}
	}
	slices.Sort(defined)
	if f.members[name] {
		out.Message = fmt.Sprintf("`balancer://%s` has no members here", name)
		for _, sc := range f.scopes {
			for _, b := range sc.Balancers {
				if strings.EqualFold(b.Name.V, name) && len(b.Members) > 0 && sc.Main {
					out.Message += fmt.Sprintf(": BalancerInherit is Off, so this server does not see the one of the main server (%s); define it here", b.At.Short())
					out.Related = append(out.Related, lint.Related(b.At.Head(), "defined here"))
					return out
				}
				if strings.EqualFold(b.Name.V, name) && len(b.Members) > 0 {
					out.Message += fmt.Sprintf(": it is defined in another virtual host (%s), which this server does not see; define it outside of the virtual hosts", b.At.Short())
					out.Related = append(out.Related, lint.Related(b.At.Head(), "defined here"))
					return out
				}
			}
		}
		return out
	}
	near := diag.Suggest(name, defined)
	if near == "" {
		out.Message = fmt.Sprintf("`balancer://%s` has no members anywhere; define it with `<Proxy \"balancer://%s\">` and BalancerMember lines", name, name)
		return out
	}
	b := visible.get(near)
	out.Message = fmt.Sprintf("`balancer://%s` has no members anywhere; did you mean `balancer://%s` (%s)?", name, b.Name.V, b.At.Short())
	out.Related = append(out.Related, lint.Related(b.At.Head(), "the balancer that is defined"))
	fix := diag.Fix{Message: "write balancer://" + b.Name.V, Safe: h30Distance1(name, near)}
	for _, u := range uses {
		text := u.line.Text()
		if i := strings.Index(strings.ToLower(text), "balancer://"+name); i >= 0 {
			start := int(u.line.Start) + i + len("balancer://")
			fix.Edits = append(fix.Edits, diag.Edit{Span: diag.At(u.line.File, start, start+len(name)), New: b.Name.V})
		}
	}
	if len(fix.Edits) == len(uses) {
		out.Fixes = []diag.Fix{fix}
	}
	return out
}

// h30Distance1 reports whether one letter more, less, other or exchanged makes
// one word of the other.
func h30Distance1(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	x, y := a[i:], b[i:]
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	return len(x) <= 1 && len(y) <= 1 || len(x) == 2 && len(y) == 2 && x[0] == y[1] && x[1] == y[0]
}
