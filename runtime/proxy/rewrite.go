package proxy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/model"
	"clowder/runtime/expr"
	"clowder/runtime/pcre"
)

// ruleFlag are the flags of RewriteRule (cmd_rewriterule_setflag in
// modules/mappers/mod_rewrite.c).
type ruleFlag uint32

const (
	flagRedirect  ruleFlag = 1 << iota // R
	flagLast                           // L
	flagNext                           // N
	flagChain                          // C
	flagProxy                          // P
	flagPass                           // PT
	flagEnd                            // END
	flagNoSub                          // no substitution
	flagStatus                         // answers with a status that is no redirect
	flagNoEscape                       // NE
	flagAppend                         // QSA
	flagDiscard                        // QSD
	flagQueryLast                      // QSL
	flagQueryNone                      // the query goes
	flagNoInfo                         // DPI
	flagEscape                         // B
	flagNoPlus                         // BNP
	flagCtls                           // BCTLS
	flagAllow3F                        // UnsafeAllow3F
	flagPrefix                         // UnsafePrefixStat
	flagUNC                            // UNC
	flagNoSubreq                       // NS
)

// maxRounds is how often [N] starts again (REWRITE_MAX_ROUNDS).
const maxRounds = 32000

// rewriteRule is one RewriteRule ready to run.
type rewriteRule struct {
	m         *model.RewriteRule
	conds     []*rewriteCond
	not       bool
	re        *pcre.Regexp
	out       string
	flags     ruleFlag
	status    int
	skip      int
	rounds    int
	escapes   string // B=…: only these
	noEscapes string // BNE=…
	env       []string
	cookies   []string
	handler   string
	mime      string
}

func (r *rewriteRule) has(f ruleFlag) bool { return r.flags&f != 0 }

// condKind is what a RewriteCond tests.
type condKind uint8

const (
	condRegex condKind = iota
	condExpr
	condFile // -f -s -d -x -h -L -l, the letter is in text
	condURL  // -U
	condSub  // -F
	condLess // < <= > >= =
	condLessEq
	condGreater
	condGreaterEq
	condEqual
	condIntLess // -lt …
	condIntLessEq
	condIntGreater
	condIntGreaterEq
	condIntEqual
)

// rewriteCond is one RewriteCond ready to run.
type rewriteCond struct {
	m      *model.RewriteCond
	kind   condKind
	not    bool
	fold   bool
	or     bool
	noVary bool
	re     *pcre.Regexp
	expr   *expr.Bool
	text   string
}

// rewriteOptions are the words of RewriteOptions.
type rewriteOptions map[string]bool

// rewriteConf is mod_rewrite of a server or a section.
type rewriteConf struct {
	rules   []*rewriteRule
	options rewriteOptions
	given   bool   // options were written
	base    string // RewriteBase
	dir     string // of a section: its path with a slash behind it; "" for a server
}

func newRewrite(m *model.Rewrite, dir string) (*rewriteConf, error) {
	rw := &rewriteConf{options: rewriteOptions{}, base: m.Base.V}
	if dir != "" {
		rw.dir = strings.TrimSuffix(dir, "/") + "/"
	}
	for _, o := range m.Options {
		rw.options[strings.ToLower(o.V)] = true
		rw.given = true
	}
	for _, r := range m.Rules {
		n, err := newRewriteRule(r)
		if err != nil {
			return nil, at(r.At, err)
		}
		rw.rules = append(rw.rules, n)
	}
	return rw, nil
}

// over merges the rules over those of an outer scope (config_server_merge and
// config_perdir_merge). The engine is merged by [layer.over].
func (rw *rewriteConf) over(outer *rewriteConf) *rewriteConf {
	if outer == nil {
		return rw
	}
	out := *rw
	if !rw.given {
		out.options, out.given = outer.options, outer.given
	}
	if out.options["mergebase"] && out.base == "" {
		out.base = outer.base
	}
	ignore := out.options["ignoreinherit"]
	switch {
	case out.options["inherit"], outer.options["inheritdown"] && !ignore:
		out.rules = slices.Concat(rw.rules, outer.rules)
	case out.options["inheritbefore"], outer.options["inheritdownbefore"] && !ignore:
		out.rules = slices.Concat(outer.rules, rw.rules)
	}
	return &out
}

func newRewriteRule(m *model.RewriteRule) (*rewriteRule, error) {
	r := &rewriteRule{m: m, status: 302, rounds: maxRounds, out: m.Target.V}
	for f := range strings.SplitSeq(m.Flags.V, ",") {
		key, val, _ := strings.Cut(strings.TrimSpace(f), "=")
		if err := r.flag(strings.ToLower(strings.TrimSpace(key)), val); err != nil {
			return nil, err
		}
	}
	pattern, not := strings.CutPrefix(m.Pattern.V, "!")
	r.not = not
	var fold pcre.Flags
	if r.flags&flagNoCase != 0 {
		fold = pcre.ICase
	}
	var err error
	if r.re, err = pcre.Compile(pattern, fold); err != nil {
		return nil, err
	}
	if r.out == "-" {
		r.flags |= flagNoSub
	}
	switch {
	case strings.HasSuffix(r.out, "?") && r.has(flagAppend):
		r.flags |= flagQueryLast
	case strings.HasSuffix(r.out, "?"):
		r.flags |= flagQueryNone
		r.out = r.out[:len(r.out)-1]
	case r.has(flagDiscard) && !strings.Contains(r.out, "?"):
		r.flags |= flagQueryNone
	}
	for _, c := range m.Conds {
		n, err := newRewriteCond(c)
		if err != nil {
			return nil, at(c.At, err)
		}
		r.conds = append(r.conds, n)
	}
	return r, nil
}

const flagNoCase ruleFlag = 1 << 31

// plainFlags are the flags without a value.
var plainFlags = map[string]ruleFlag{
	"": 0, "bnp": flagNoPlus, "backrefnoplus": flagNoPlus, "bctls": flagCtls | flagEscape, "c": flagChain, "chain": flagChain,
	"d": flagNoInfo, "dpi": flagNoInfo, "discardpath": flagNoInfo, "end": flagEnd, "l": flagLast, "last": flagLast,
	"ne": flagNoEscape, "noescape": flagNoEscape, "ns": flagNoSubreq, "nosubreq": flagNoSubreq, "nc": flagNoCase, "nocase": flagNoCase,
	"p": flagProxy, "proxy": flagProxy, "pt": flagPass, "passthrough": flagPass, "qsa": flagAppend, "qsappend": flagAppend,
	"qsd": flagDiscard, "qsdiscard": flagDiscard, "qsl": flagQueryLast, "qslast": flagQueryLast,
	"unsafeprefixstat": flagPrefix, "unsafeallow3f": flagAllow3F, "unc": flagUNC,
}

func (r *rewriteRule) flag(key, val string) error {
	if f, ok := plainFlags[key]; ok {
		r.flags |= f
		return nil
	}
	switch key {
	case "b", "backrefescaping":
		r.flags |= flagEscape
		r.escapes = val
	case "bne":
		r.noEscapes = val
	case "co", "cookie":
		r.cookies = append(r.cookies, val)
	case "e", "env":
		r.env = append(r.env, val)
	case "f", "forbidden":
		r.flags |= flagStatus | flagNoSub
		r.status = 403
	case "g", "gone":
		r.flags |= flagStatus | flagNoSub
		r.status = 410
	case "h", "handler":
		r.handler = val
	case "n", "next":
		r.flags |= flagNext
		if val != "" {
			r.rounds = int(expr.Atoi(val))
		}
	case "r", "redirect":
		return r.redirect(val)
	case "s", "skip":
		r.skip = int(expr.Atoi(val))
	case "t", "type":
		r.mime = val
	default:
		return fmt.Errorf("RewriteRule: unknown flag %q", key)
	}
	return nil
}

// redirect reads the value of [R=…].
func (r *rewriteRule) redirect(val string) error {
	r.flags |= flagRedirect
	switch low := strings.ToLower(val); {
	case val == "":
		return nil
	case low == "permanent":
		r.status = 301
	case low == "temp":
		r.status = 302
	case low == "seeother":
		r.status = 303
	default:
		n, err := strconv.Atoi(val)
		if err != nil || n < 100 || n > 599 {
			return fmt.Errorf("RewriteRule: invalid status %q of flag R", val)
		}
		r.status = n
		if n < 300 || n > 399 || n == 304 {
			r.flags |= flagStatus | flagNoSub
		}
	}
	return nil
}

func newRewriteCond(m *model.RewriteCond) (*rewriteCond, error) {
	c := &rewriteCond{m: m}
	for f := range strings.SplitSeq(m.Flags.V, ",") {
		switch strings.ToLower(strings.TrimSpace(f)) {
		case "nc", "nocase":
			c.fold = true
		case "or", "ornext":
			c.or = true
		case "nv", "novary":
			c.noVary = true
		}
	}
	var p string
	p, c.not = strings.CutPrefix(m.Pattern.V, "!")
	c.text = p
	if strings.EqualFold(m.Test.V, "expr") {
		c.kind = condExpr
		var err error
		c.expr, err = expr.Parse(p, 0)
		return c, err
	}
	c.classify(p)
	if c.kind != condRegex {
		return c, nil
	}
	var fold pcre.Flags
	if c.fold {
		fold = pcre.ICase
	}
	var err error
	c.re, err = pcre.Compile(p, fold)
	return c, err
}

// classify finds the kind of test (cmd_rewritecond).
func (c *rewriteCond) classify(p string) {
	if len(p) < 2 {
		return
	}
	if p[0] == '-' {
		c.dashed(p)
		return
	}
	for _, op := range []struct {
		text string
		kind condKind
	}{{">=", condGreaterEq}, {">", condGreater}, {"<=", condLessEq}, {"<", condLess}, {"=", condEqual}} {
		if rest, ok := strings.CutPrefix(p, op.text); ok {
			if op.kind == condEqual && rest == `""` {
				rest = ""
			}
			c.kind, c.text = op.kind, rest
			return
		}
	}
}

func (c *rewriteCond) dashed(p string) {
	if len(p) == 2 {
		switch {
		case strings.IndexByte("fsdxhLl", p[1]) >= 0:
			c.kind, c.text = condFile, p[1:]
		case p[1] == 'U':
			c.kind = condURL
		case p[1] == 'F':
			c.kind = condSub
		}
		return
	}
	if len(p) == 3 {
		return
	}
	ints := map[string]condKind{"-lt": condIntLess, "-le": condIntLessEq, "-gt": condIntGreater, "-ge": condIntGreaterEq, "-eq": condIntEqual, "-ne": condIntEqual}
	if k, ok := ints[p[:3]]; ok {
		c.kind, c.text = k, p[3:]
		if p[:3] == "-ne" {
			c.not = !c.not
		}
	}
}
