package proxy

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/runtime/expr"
	"clowder/runtime/htpasswd"
)

// verdict is what a Require line or group says (authz_status of mod_auth.h).
type verdict uint8

const (
	neutral  verdict = iota // it has nothing to say, as a "not" that does not apply
	granted                 //
	denied                  //
	needUser                // denied, and a user may change that
	failed                  // not known: nobody gets in
)

// authz is a tree of Require lines, ready to be asked by many goroutines.
type authz struct {
	at   diag.Span
	ask  func(*client) verdict // of a line
	kids []*authz
	all  bool // the kids of a group count together, not one of them alone
	not  bool

	methods []*methodSet // of <Limit>; nil: every method
}

// newAuthz compiles a tree, nil for an empty one. What cannot be asked here
// becomes a line that fails, and is told by odd.
func newAuthz(r *model.Require, odd func(diag.Span, string)) *authz {
	if r == nil || len(r.Args) == 0 && len(r.Children) == 0 {
		return nil
	}
	a := &authz{at: r.At, not: r.Not.V}
	if args := r.Args; len(args) > 0 {
		for len(args) > 1 && strings.EqualFold(args[0].V, "not") {
			a.not, args = !a.not, args[1:]
		}
		a.ask = newProvider(args)
		if a.ask == nil {
			odd(r.At, "Require "+args[0].V)
			a.ask = func(*client) verdict { return failed }
		}
		return a
	}
	switch strings.ToLower(r.Group.V) {
	case "all":
		a.all = true
	case "none":
		a.not = !a.not
	}
	for _, k := range r.Children {
		kid := newAuthz(k, odd)
		if kid == nil {
			kid = &authz{at: k.At, ask: func(*client) verdict { return failed }}
		}
		a.kids = append(a.kids, kid)
	}
	return a
}

// eval is apply_authz_sections of mod_authz_core.c; all tells that the rule counts
// together with others of its group.
func (a *authz) eval(c *client, all bool) verdict {
	if a.methods != nil && !a.about(c.x.Req.Method) {
		if all {
			return granted
		}
		return neutral
	}
	v := neutral
	if a.ask != nil {
		v = a.ask(c)
	} else {
		v = a.group(c)
	}
	if !a.not {
		return v
	}
	switch v {
	case granted:
		return denied
	case denied, needUser:
		return neutral // nobody is let in because he is not refused
	}
	return v
}

func (a *authz) group(c *client) verdict {
	sum := neutral
	for _, k := range a.kids {
		v := k.eval(c, a.all)
		switch {
		case v == failed:
			return failed
		case v == neutral:
		case a.all && v == denied, !a.all && v == granted:
			return v
		case sum == neutral,
			v == needUser: // a user may change the sum
			sum = v
		}
	}
	return sum
}

// plainText is a text of the configuration that may be an expression.
func plainText(text string) (constant string, eval func(*call) (string, error), ok bool) {
	if !strings.Contains(text, "%{") && !strings.ContainsAny(text, "$\\") {
		return text, nil, true
	}
	t, err := expr.ParseText(text)
	if err != nil {
		return "", nil, false
	}
	if constant, ok := t.Constant(); ok {
		return constant, nil, true
	}
	return "", func(c *call) (string, error) { return t.Eval(vars{c}, nil) }, true
}

// wordsOf returns how to get the words behind a provider, which may be an
// expression; nil when they cannot be had.
func wordsOf(args []model.String) func(*client) ([]string, bool) {
	list := make([]string, len(args))
	quoted := make([]string, len(args))
	for i, a := range args {
		list[i], quoted[i] = a.V, model.QuoteWord(a.V)
	}
	constant := true
	for _, w := range list {
		if _, eval, ok := plainText(w); !ok {
			return nil
		} else if eval != nil {
			constant = false
		}
	}
	if constant {
		return func(*client) ([]string, bool) { return list, true }
	}
	_, eval, ok := plainText(strings.Join(quoted, " "))
	if !ok || eval == nil {
		return nil
	}
	return func(c *client) ([]string, bool) {
		text, err := eval(c.call)
		if err != nil {
			c.p.log.Error("Require: the expression cannot be evaluated", "path", c.path, "reason", err)
			return nil, false
		}
		return slices.Collect(htpasswd.Words(text)), true
	}
}

// fitting makes a provider that grants when one of its words fits.
func fitting(args []model.String, fits func(c *client, word string) bool) func(*client) verdict {
	words := wordsOf(args)
	if words == nil {
		return nil
	}
	return func(c *client) verdict {
		list, ok := words(c)
		if ok && slices.ContainsFunc(list, func(w string) bool { return fits(c, w) }) {
			return granted
		}
		return denied
	}
}

// newProvider compiles the words of one line, nil for what cannot be asked here.
func newProvider(args []model.String) func(*client) verdict {
	words := args[1:]
	switch strings.ToLower(args[0].V) {
	case "all":
		switch {
		case len(words) == 1 && strings.EqualFold(words[0].V, "granted"):
			return func(*client) verdict { return granted }
		case len(words) == 1 && strings.EqualFold(words[0].V, "denied"):
			return func(*client) verdict { return denied }
		}
	case "ip":
		return ipProvider(words)
	case "local":
		return func(c *client) verdict { return grantIf(c.addr.IsLoopback() || c.addr == c.local) }
	case "host":
		return fitting(hostWords(words), func(c *client, w string) bool { return hostSuffix(c.hostName(), w) })
	case "forward-dns":
		return fitting(hostWords(words), func(c *client, w string) bool { return resolves(w, c.addr) })
	case "env":
		return func(c *client) verdict {
			return grantIf(slices.ContainsFunc(words, func(w model.String) bool { return c.hasEnv(w.V) }))
		}
	case "method":
		return func(c *client) verdict {
			m := c.x.Req.Method
			return grantIf(slices.ContainsFunc(words, func(w model.String) bool {
				return w.V == m || m == "HEAD" && w.V == "GET" || m == "GET" && w.V == "HEAD" // one number in httpd
			}))
		}
	case "ssl":
		return func(c *client) verdict { return grantIf(c.x.Req.TLS != nil) }
	case "ssl-verify-client":
		// The handshake ends with a certificate that is not valid (tlsconf's verifier).
		return func(c *client) verdict { return grantIf(c.x.Req.TLS != nil && len(c.x.Req.TLS.PeerCertificates) > 0) }
	case "valid-user":
		return withUser(func(*client) verdict { return granted })
	case "user":
		return withUser(fitting(words, func(c *client, w string) bool { return w == c.user }))
	case "group":
		return groupProvider(words)
	case "expr":
		return exprProvider(words)
	}
	return nil
}

func grantIf(yes bool) verdict {
	if yes {
		return granted
	}
	return denied
}

func withUser(ask func(*client) verdict) func(*client) verdict {
	if ask == nil {
		return nil
	}
	return func(c *client) verdict {
		if !c.hasUser {
			return needUser
		}
		return ask(c)
	}
}

func ipProvider(words []model.String) func(*client) verdict {
	var nets []netip.Prefix
	for _, w := range words {
		n, ok := parseNet(w.V)
		if !ok {
			return nil
		}
		nets = append(nets, n)
	}
	if len(nets) == 0 {
		return nil
	}
	return func(c *client) verdict {
		return grantIf(slices.ContainsFunc(nets, func(n netip.Prefix) bool { return n.Contains(c.addr) }))
	}
}

// hostWords ends the names before a comment, as mod_authz_host.c does.
func hostWords(words []model.String) []model.String {
	for i, w := range words {
		if before, _, found := strings.Cut(w.V, "#"); found {
			out := slices.Clone(words[:i])
			if before != "" {
				w.V = before
				out = append(out, w)
			}
			return out
		}
	}
	return words
}

// resolves reports whether the name leads to the address now.
func resolves(name string, a netip.Addr) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	return err == nil && slices.ContainsFunc(list, func(b netip.Addr) bool { return b.Unmap() == a })
}

// groupProvider asks the file of groups; without one nobody is in a group.
func groupProvider(words []model.String) func(*client) verdict {
	list := wordsOf(words)
	if list == nil {
		return nil
	}
	return withUser(func(c *client) verdict {
		file := c.conf.auth.groupFile
		if file == "" {
			c.p.log.Error("AH01664: No group file was specified in the configuration", "path", c.path)
			return denied
		}
		groups, ok := list(c)
		if !ok {
			return denied
		}
		in, err := c.p.files.groups(c.p.serverPath(file)).Member(c.p.ctx, c.user, groups)
		if err != nil {
			c.p.log.Error("AH01665: Could not open group file", "file", file, "reason", err)
			return failed // with "not" in front it would let in
		}
		return grantIf(in)
	})
}

// exprProvider is expr_check_authorization of mod_authz_core.c.
func exprProvider(words []model.String) func(*client) verdict {
	if len(words) == 0 {
		return nil
	}
	text := make([]string, len(words))
	for i, w := range words {
		text[i] = w.V
	}
	cond, err := expr.Parse(strings.Join(text, " "), 0)
	if err != nil {
		return nil
	}
	user := false
	cond.Walk(func(name, _ string) { user = user || name == "REMOTE_USER" })
	return func(c *client) verdict {
		var res expr.Result
		yes, err := cond.Eval(vars{c.call}, nil, &res)
		c.addVary(res.Vary)
		switch {
		case err != nil:
			c.p.log.Error("AH02320: Error evaluating expression in 'Require expr'", "path", c.path, "reason", err)
			return failed
		case !yes && user:
			return needUser
		}
		return grantIf(yes)
	}
}
