package nginx

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// redirect answers with another place (ngx_http_rewrite_module). rewrite encodes
// what it takes from the path, return does not; so return is only used with what
// the client wrote itself.
func (c *conf) redirect(l *loc, cell *plan.Cell, o *plan.Outcome) {
	r := o.Redirect
	c.l.Exact(r, o.Mapping)
	if !c.redirectAccess(l, o) {
		return
	}
	to := o.Location
	flag := map[int]string{301: "permanent", 302: "redirect"}[o.Status]
	code := itoa(o.Status)
	refuse := func() {
		l.head = []*dir{d("return", "404")}
		c.l.Drop("nginx cannot make that target: the requests are answered with 404", "return, rewrite", r)
	}
	switch {
	case !writable(to) || strings.ContainsAny(to, " \t") || strings.Contains(to, "%{"):
		refuse()
	case !r.Path.IsSet():
		query := "$is_args$args"
		if strings.Contains(to, "?") {
			query = ""
		}
		l.head = append(l.head, d("return", code, c.lit(to)+query).from(r.At))
	case o.Regex != nil:
		re, ok := pcre(o.Regex.Regex)
		target, ok2 := c.substitute(to, groups(re))
		if !ok || !ok2 || target == "" {
			refuse()
			return
		}
		if flag == "" {
			flag = "redirect"
			c.l.Approx("it is sent with the status 302", "", r)
		}
		l.head = append(l.head, d("rewrite", re, endQuery(target), flag).from(r.At), d("return", "404"))
	case o.Strip == "/" && strings.HasSuffix(to, "/") && !strings.Contains(to, "?"):
		l.head = append(l.head, d("return", code, c.lit(strings.TrimSuffix(to, "/"))+"$request_uri").from(r.At))
	default:
		re := "^" + regexp.QuoteMeta(o.Strip) + "(.*)$"
		if flag == "" && !strings.Contains(to, "?") {
			l.head = append(l.head, blk("if", []string{"$request_uri", "~", re}, d("return", code, c.lit(to)+"$1").from(r.At)))
			c.l.Approx("a path with unusual encoding gets the status 302", "", r)
		}
		l.head = append(l.head, d("rewrite", re, endQuery(c.lit(to)+"$1"), cmp.Or(flag, "redirect")).from(r.At))
	}
}

// redirectAccess lets only those be redirected who may get in: return and rewrite
// come before allow and deny. With a password nobody is.
func (c *conf) redirectAccess(l *loc, o *plan.Outcome) bool {
	a := &o.Access
	if a.Open() {
		return true
	}
	if a.NeedsAuth() {
		l.head = []*dir{d("return", "403")}
		c.l.Closed("nginx redirects before it asks for a password: everybody is refused", "", o.Redirect)
		return false
	}
	v := c.geo("allowed", a.Free, "1", "0")
	l.head = append(l.head, blk("if", []string{v, "=", "0"}, d("return", "403")))
	return true
}

// endQuery keeps nginx from adding the query of the request to a target that has one.
func endQuery(target string) string {
	if strings.Contains(target, "?") && !strings.HasSuffix(target, "?") {
		return target + "?"
	}
	return target
}

// earlyRules carries the rewrite rules of a server.
func (c *conf) earlyRules(s *server, site *plan.Site) []*dir {
	var out []*dir
	rw := site.Server.Settings.Rewrite
	if rw == nil {
		return nil
	}
	c.l.Exact(rw.Engine, rw.Options, rw.Base)
	if !rw.Engine.V {
		for _, r := range rw.Rules {
			c.l.Exact(r)
		}
		return nil
	}
	jumped := false
	for n, e := range site.Early {
		list, why := c.earlyRule(s, site, e, n+1, jumped)
		switch {
		case why == "":
			if e.Unknown {
				c.l.Approx("a condition that nginx does not know was left out: more requests are refused", "", e.Source)
				for _, cond := range e.Conds {
					if cond.What == "" {
						c.l.Approx("it was left out: more requests are refused", "", cond.Source)
					}
				}
			}
			c.l.Exact(e.Source)
			for _, cond := range e.Source.Conds {
				c.l.Exact(cond)
			}
			c.firstOnly(e)
		case e.Kind == plan.EarlyRefuse:
			c.l.Closed(why, "", e.Source)
		default:
			if list == nil && e.Target != "-" {
				list, why = refuseEarly(e), why+": what its pattern matches is refused"
			}
			mark := c.l.Closed
			if list == nil {
				mark = c.l.Drop
			}
			mark(why, "rewrite, return, map", e.Source)
			for _, cond := range e.Source.Conds {
				mark(why, "", cond)
			}
		}
		out = append(out, list...)
		r := e.Source
		jumped = jumped || r.HasFlag("S", "skip") || r.HasFlag("C", "chain") || r.HasFlag("N", "next")
	}
	return out
}

// firstOnly tells of conditions that a client can get around: of several headers of a
// name nginx before 1.23 knows the first only, httpd looks at all of them.
func (c *conf) firstOnly(e *plan.Early) {
	for _, cond := range e.Conds {
		if low := strings.ToLower(cond.Name); e.Kind == plan.EarlyRefuse && cond.What == plan.CondHeader && low != "cookie" && low != "x-forwarded-for" {
			c.l.Weaker("of several headers of that name nginx before 1.23 looks at the first one only", "nginx 1.23 or later", cond.Source)
		}
	}
}

// refuseEarly refuses what a rule is about that would have led a request elsewhere:
// without it a member would see what httpd shows to none.
func refuseEarly(e *plan.Early) []*dir {
	re, ok := pcre(e.Path.Regex)
	if !ok || e.Path.Not || e.Path.Always {
		return []*dir{d("return", "403").from(e.Source.At)}
	}
	return []*dir{blk("if", []string{"$uri", "~", re}, d("return", "403").from(e.Source.At))}
}

// earlyRule carries one rule; why tells what is missing. Rules that refuse are
// always stated, with fewer conditions where it has to be.
func (c *conf) earlyRule(s *server, site *plan.Site, e *plan.Early, n int, jumped bool) (out []*dir, why string) {
	refuses := e.Kind == plan.EarlyRefuse
	if jumped && !refuses {
		return nil, "another rule decides whether it is reached, which nginx cannot say"
	}
	re, ok := pcre(e.Path.Regex)
	if !ok && !refuses {
		return nil, "nginx does not understand the pattern"
	}
	if !ok && !e.Path.Always {
		return []*dir{d("return", "403")}, "nginx does not understand the pattern: everything is refused"
	}
	action, why := c.earlyAction(s, site, e, re, n)
	if why != "" && action == nil {
		return nil, why
	}
	t := &tests{c: c, prefix: "$rule" + itoa(n)}
	for i := 0; i < len(e.Conds); i++ {
		var alternatives []*dir
		known := true
		for ; ; i++ {
			x, ok := c.test(e.Conds[i])
			known = known && ok
			alternatives = append(alternatives, x)
			if !e.Conds[i].Or || i+1 == len(e.Conds) {
				break
			}
		}
		if !known {
			if !refuses {
				return nil, "nginx does not understand one of the conditions"
			}
			continue // refuse more
		}
		t.add(alternatives...)
	}
	if itself := len(action) == 1 && action[0].name == "rewrite" && action[0].args[0] == re; !e.Path.Always && !itself {
		t.add(match("$uri", e.Path.Not, re))
	}
	return t.write(action), why
}

// earlyAction is what a rule does once its conditions hold.
func (c *conf) earlyAction(s *server, site *plan.Site, e *plan.Early, re string, n int) (action []*dir, why string) {
	r := e.Source
	at := r.At
	switch e.Kind {
	case plan.EarlyRefuse:
		return []*dir{d("return", itoa(max(400, e.Status))).from(at)}, ""
	case plan.EarlyRedirect:
		return c.earlyRedirect(e, re)
	case plan.EarlyProxy:
		return c.earlyProxy(s, site, e, re, n)
	}
	if e.Unknown {
		return nil, e.Why
	}
	if r.Target.V == "-" {
		if e.Last {
			return []*dir{d("break").from(at)}, ""
		}
		return nil, e.Why
	}
	if !r.HasFlag("PT", "passthrough") {
		return nil, e.Why + "; without [PT] it would lead to a file"
	}
	to, ok := c.target(e, re)
	if !ok || !strings.HasPrefix(to, "/") {
		return nil, "nginx cannot make its target"
	}
	if e.Path.Not {
		re = "^"
	}
	x := d("rewrite", re, endQuery(to)).from(at)
	if e.Last {
		x.args = append(x.args, "last")
	}
	return []*dir{x}, ""
}

// earlyRedirect is [R].
func (c *conf) earlyRedirect(e *plan.Early, re string) (action []*dir, why string) {
	r := e.Source
	if e.Path.Not {
		re = "^"
	}
	flag := map[int]string{301: "permanent", 302: "redirect"}[e.Status]
	// The whole path as the client wrote it, which is the usual case.
	rest := strings.TrimSuffix(strings.TrimSuffix(e.Target, "$1"), "%{REQUEST_URI}")
	if e.Path.Always && rest != e.Target && !strings.ContainsAny(rest, "$?") && !r.HasFlag("QSD", "qsdiscard") && (!strings.HasSuffix(e.Target, "$1") || groups(re) == 1) {
		slash := strings.HasPrefix(e.Path.Regex, "^/?(") || strings.HasPrefix(e.Path.Regex, "^/(") || strings.HasPrefix(e.Path.Regex, "/(")
		if strings.HasSuffix(e.Target, "$1") && slash {
			if !strings.HasSuffix(rest, "/") {
				rest = ""
			}
			rest = strings.TrimSuffix(rest, "/")
		}
		if v, ok := c.expand(rest, false); ok && v != "" {
			return []*dir{d("return", itoa(e.Status), v+"$request_uri").from(r.At)}, ""
		}
	}
	to, ok := c.target(e, re)
	if !ok {
		return nil, "nginx cannot make its target"
	}
	if strings.Contains(to, "$clowder_path") {
		if !e.Path.Always {
			return nil, "nginx cannot make its target"
		}
		re, to = "^(.*)$", strings.ReplaceAll(to, "$clowder_path", "$1")
	}
	if flag == "" {
		flag = "redirect"
		c.l.Approx("it is sent with the status 302", "", r)
	}
	if r.HasFlag("QSA", "qsappend") {
		to = strings.TrimSuffix(to, "?")
	} else if to = endQuery(to); r.HasFlag("QSD", "qsdiscard") && !strings.HasSuffix(to, "?") {
		to += "?"
	}
	return []*dir{d("rewrite", re, to, flag).from(r.At)}, ""
}

// target writes the target of a rule, with variables of nginx in place of those of
// mod_rewrite.
func (c *conf) target(e *plan.Early, re string) (string, bool) {
	n := groups(re)
	if e.Path.Not {
		n = 0
	}
	var b strings.Builder
	for part := e.Target; part != ""; {
		i := strings.Index(part, "%{")
		head := part
		if i >= 0 {
			head = part[:i]
		}
		if hasGroupOfCondition(head) {
			return "", false
		}
		x, ok := c.substitute(head, n)
		if !ok {
			return "", false
		}
		b.WriteString(x)
		if i < 0 {
			break
		}
		end := strings.IndexByte(part[i:], '}')
		if end < 0 {
			return "", false
		}
		v, ok := c.expand(part[i:i+end+1], true)
		if !ok {
			return "", false
		}
		b.WriteString(v)
		part = part[i+end+1:]
	}
	out := b.String()
	return out, out != "" && writable(out) && !strings.ContainsAny(out, " \t")
}

func hasGroupOfCondition(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '%' && s[i+1] >= '0' && s[i+1] <= '9' {
			return true
		}
	}
	return false
}

// expand writes text with variables of mod_rewrite. A path is only taken through a
// group, for nginx does not encode variables.
func (c *conf) expand(s string, path bool) (string, bool) {
	var b strings.Builder
	for s != "" {
		i := strings.Index(s, "%{")
		if i < 0 {
			if strings.Contains(s, "%") && hasGroupOfCondition(s) {
				return "", false
			}
			b.WriteString(c.lit(s))
			break
		}
		b.WriteString(c.lit(s[:i]))
		name, rest, ok := strings.Cut(s[i+2:], "}")
		if !ok {
			return "", false
		}
		switch strings.ToUpper(name) {
		case "HTTP_HOST", "HTTP:HOST":
			b.WriteString("$http_host")
		case "SERVER_NAME":
			b.WriteString("$host")
		case "SERVER_PORT":
			b.WriteString("$server_port")
		case "QUERY_STRING":
			b.WriteString("$args")
		case "REQUEST_SCHEME":
			b.WriteString("$scheme")
		case "REMOTE_ADDR":
			b.WriteString("$remote_addr")
		case "REQUEST_URI":
			if !path {
				return "", false
			}
			b.WriteString("$clowder_path")
		default:
			return "", false
		}
		s = rest
	}
	return b.String(), writable(b.String())
}

// earlyProxy is [P]: a location of its own, which is entered by an error page that
// no request sees. It is only made where nothing has to be guarded.
func (c *conf) earlyProxy(s *server, site *plan.Site, e *plan.Early, re string, n int) (action []*dir, why string) {
	guarded := false
	each(site, func(o *plan.Outcome) { guarded = guarded || !o.Access.Open() })
	for _, sec := range site.Server.Sections {
		guarded = guarded || slices.ContainsFunc(sec.Settings.Headers, func(r *model.HeaderRule) bool { return r.Request.V })
		guarded = guarded || strings.HasPrefix(sec.Kind.V, "Proxy") && sec.Settings.Access != nil && !grantsAll(sec.Settings.Access)
	}
	closed := []*dir{d("return", "403").from(e.Source.At)}
	if guarded {
		c.l.Closed("it is not known which access rules and request headers of sections hold for its requests: they are refused", "", e.Source)
		return closed, ""
	}
	u := c.upstream(e.Pool)
	to, ok := c.substitute(e.Target, groups(re))
	if u.pass == "" || !ok || strings.Contains(e.Target, "%") || strings.Contains(e.Target, "?") || e.Path.Not || !strings.HasPrefix(e.Target, "/") && !strings.HasPrefix(e.Target, "$") {
		c.l.Person("its target cannot be written for nginx: such requests are answered with 503", "", e.Source)
		return []*dir{d("return", "503")}, ""
	}
	name := "@rule" + itoa(n)
	status := itoa(460 + n%30)
	o := &plan.Outcome{Kind: plan.Proxy, Pool: e.Pool, Settings: site.Server.Settings, Access: plan.Access{Free: plan.Everyone()}}
	l := &loc{match: []string{name}, proxy: true, head: []*dir{d("rewrite", re, to, "break")}}
	l.add("proxy_set_header", true, c.requestHeaders(site, o, u)...)
	c.settings(l, site, o, u)
	l.tail = []*dir{d("proxy_pass", u.pass)}
	s.locs = append(s.locs, l)
	s.early = append(s.early, d("error_page", status, "=", name))
	return []*dir{d("return", status).from(e.Source.At)}, ""
}

// grantsAll reports whether access rules let everybody in.
func grantsAll(a *model.Access) bool {
	if len(a.Deny) > 0 || a.AuthType.IsSet() {
		return false
	}
	for _, w := range a.Allow {
		if !strings.EqualFold(w.V, "all") {
			return false
		}
	}
	if a.Order.IsSet() && len(a.Allow) == 0 && strings.EqualFold(a.Order.V, "allow,deny") {
		return false
	}
	if r := a.Require; r != nil {
		for _, ch := range r.Children {
			if len(ch.Args) != 2 || !strings.EqualFold(ch.Args[0].V, "all") || !strings.EqualFold(ch.Args[1].V, "granted") || ch.Not.V {
				return false
			}
		}
		return len(r.Children) > 0 && !strings.EqualFold(r.Group.V, "none")
	}
	return true
}

// test is the if of one condition.
func (c *conf) test(cond plan.Cond) (*dir, bool) {
	source := map[string]string{plan.CondHost: "$http_host", plan.CondPath: "$uri", plan.CondQuery: "$args", plan.CondMethod: "$request_method",
		plan.CondAddr: "$remote_addr"}[cond.What]
	switch cond.What {
	case plan.CondHTTPS:
		return blk("if", []string{"$https", word(cond.Not, "!=", "="), "on"}), true
	case plan.CondHeader:
		if !headerName.MatchString(cond.Name) {
			return nil, false
		}
		source = "$http_" + strings.ReplaceAll(strings.ToLower(cond.Name), "-", "_")
	case "":
		return nil, false
	}
	re, ok := pcre(cond.Regex)
	return match(source, cond.Not, re), ok
}

// match is the if of an expression; (?i) before it becomes a star.
func match(source string, not bool, re string) *dir {
	op := word(not, "!~", "~")
	if rest, ok := strings.CutPrefix(re, "(?i)"); ok && rest != "" {
		op, re = op+"*", rest
	}
	return blk("if", []string{source, op, re})
}

// tests collects conditions that must all hold. nginx's if knows one only, so
// several are counted in a variable.
type tests struct {
	c      *conf
	prefix string
	list   [][]*dir
}

func (t *tests) add(alternatives ...*dir) { t.list = append(t.list, alternatives) }

func (t *tests) write(action []*dir) []*dir {
	if len(t.list) == 0 {
		return action
	}
	if len(t.list) == 1 && len(t.list[0]) == 1 {
		x := t.list[0][0]
		x.block = action
		return []*dir{x}
	}
	out := []*dir{d("set", t.prefix, "")}
	for n, alternatives := range t.list {
		for _, x := range alternatives {
			x.block = []*dir{d("set", t.prefix, strings.Repeat("1", n+1))}
			if n > 0 {
				// Only if those before it hold.
				x.block = []*dir{d("set", t.prefix+"_"+itoa(n+1), "1")}
			}
		}
		if n == 0 {
			out = append(out, alternatives...)
			continue
		}
		out = append(out, d("set", t.prefix+"_"+itoa(n+1), ""))
		out = append(out, alternatives...)
	}
	all := t.prefix
	want := "1"
	for n := 1; n < len(t.list); n++ {
		all += t.prefix + "_" + itoa(n+1)
		want += "1"
	}
	return append(out, d("set", t.prefix, all), blk("if", []string{t.prefix, "=", want}, action...))
}
