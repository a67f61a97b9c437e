package expr

import (
	"slices"
	"strings"

	"clowder/runtime/pcre"
)

// node is a condition, word a text.
type (
	node any
	word any

	constant bool
	not      struct{ of node }
	or       struct{ a, b node }
	and      struct{ a, b node }
	unary    struct {
		op  byte
		arg word
	}
	compare struct {
		op   string
		a, b word
	}
	matches struct {
		a       word
		re      *pcre.Regexp
		negated bool
	}
	in struct {
		a    word
		list []word
	}
	subnet struct { // -R without arg, -ipmatch
		arg word
		net network
	}

	literal  string
	variable string // in upper case
	backref  int
	concat   []word
	call     struct {
		name string // in lower case
		arg  word
	}
)

// or, and and not associate to the right, as in the grammar.
func (p *parser) or(depth int) node {
	a := p.and(depth)
	if !p.take(tOr) {
		return a
	}
	if depth++; depth > maxParse*10 {
		p.fail(p.start, "nested too deep")
		return a
	}
	return or{a, p.or(depth)}
}

func (p *parser) and(depth int) node {
	a := p.not(depth)
	if !p.take(tAnd) {
		return a
	}
	if depth++; depth > maxParse*10 {
		p.fail(p.start, "nested too deep")
		return a
	}
	return and{a, p.and(depth)}
}

func (p *parser) not(depth int) node {
	if depth > maxParse*10 {
		p.fail(p.start, "nested too deep")
		return constant(false)
	}
	p.next()
	switch {
	case p.take(tNot):
		return not{p.not(depth + 10)}
	case p.take(tTrue):
		return constant(true)
	case p.take(tFalse):
		return constant(false)
	case p.take('('):
		n := p.or(depth + 10)
		if !p.take(')') {
			p.fail(p.start, "unexpected %s, expecting ')'", p.word())
		}
		return n
	case p.take(tUnary):
		return p.unary(depth)
	}
	return p.comparison(depth)
}

const unaries = "nzRTdefsLhxFUA"

func (p *parser) unary(depth int) node {
	at, op := p.start, p.val[0]
	if strings.IndexByte(unaries, op) < 0 {
		p.fail(at, "Unary operator '-%c' does not exist", op)
		return constant(false)
	}
	arg := p.operand(depth)
	if op == 'R' {
		return p.network(at, "R", nil, arg)
	}
	return unary{op, arg}
}

// network makes -R and -ipmatch, whose network must be constant.
func (p *parser) network(at int, name string, arg, text word) node {
	s, ok := text.(literal)
	if !ok {
		p.fail(at, "-%s requires subnet/netmask as constant argument", name)
		return constant(false)
	}
	n, ok := parseNet(string(s))
	if !ok {
		p.fail(at, "parsing of subnet/netmask failed")
		return constant(false)
	}
	return subnet{arg, n}
}

var binaries = []string{"ipmatch", "fnmatch", "strmatch", "strcmatch"}

func (p *parser) comparison(depth int) node {
	a := p.operand(depth)
	p.next()
	at, op := p.start, p.val
	switch {
	case p.err != nil:
		return constant(false)
	case p.take(tBinary):
		op = strings.ToLower(op)
		if !slices.Contains(binaries, op) {
			p.fail(at, "Binary operator '-%s' does not exist", op)
			return constant(false)
		}
		b := p.operand(depth)
		if op == "ipmatch" {
			return p.network(at, op, a, b)
		}
		return compare{"-" + op, a, b}
	case !p.take(tOp):
		p.fail(at, "unexpected %s, expecting a comparison", p.word())
		return constant(false)
	}
	switch op {
	case "=~", "!~":
		return p.pattern(a, op == "!~")
	case "-in":
		return p.list(a, depth)
	}
	return compare{op, a, p.operand(depth)}
}

func (p *parser) pattern(a word, negated bool) node {
	if !p.take(tRegex) {
		p.fail(p.start, "unexpected %s, expecting a regular expression", p.word())
		return constant(false)
	}
	var f pcre.Flags
	if p.fold {
		f = pcre.ICase
	}
	re, err := pcre.Compile(p.val, f)
	if err != nil {
		p.fail(p.start, "%v", err)
		return constant(false)
	}
	return matches{a, re, negated}
}

func (p *parser) list(a word, depth int) node {
	if !p.take('{') {
		if p.tok == tID {
			p.fail(p.start, "List-returning function '%s' is not supported", p.val)
		}
		p.fail(p.start, "unexpected %s, expecting '{'", p.word())
		return constant(false)
	}
	n := in{a: a}
	for {
		n.list = append(n.list, p.operand(depth))
		if !p.take(',') {
			break
		}
	}
	if !p.take('}') {
		p.fail(p.start, "unexpected %s, expecting '}'", p.word())
	}
	slices.Reverse(n.list) // httpd looks at the last one first
	return n
}

// operand reads a word: parts joined by dots.
func (p *parser) operand(depth int) word {
	w := p.part(depth)
	if !p.take('.') {
		return w
	}
	all := concat{w, p.part(depth)}
	for p.take('.') {
		all = append(all, p.part(depth))
	}
	return all
}

func (p *parser) part(depth int) word {
	if depth > maxParse*10 {
		p.fail(p.start, "nested too deep")
		return literal("")
	}
	p.next()
	at, val := p.start, p.val
	switch {
	case p.err != nil:
	case p.take(tDigit):
		return literal(val)
	case p.take(tBackref):
		return backref(val[0] - '0')
	case p.take(tVar):
		return p.variable(depth/10 + 1)
	case p.take(tStr):
		return p.text(val[0], depth/10+1)
	case p.take(tID):
		if !p.take('(') {
			p.fail(at, "unexpected %q: text stands in quotes", val)
			break
		}
		arg := p.operand(depth + 10)
		if !p.take(')') {
			p.fail(p.start, "unexpected %s, expecting ')'", p.word())
			break
		}
		return p.makeCall(at, val, arg)
	default:
		p.fail(at, "unexpected %s", p.word())
	}
	return literal("")
}

// variables are the names of util_expr_eval.c and of the modules that httpd is
// shipped with; those of mod_ssl are known by their prefix.
var variables = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(`HTTPS IPV6 CONN_LOG_ID CONN_REMOTE_ADDR HTTP2
		REQUEST_METHOD REQUEST_SCHEME REQUEST_URI REQUEST_FILENAME REMOTE_HOST REMOTE_IDENT REMOTE_USER SERVER_ADMIN SERVER_NAME
		SERVER_PORT SERVER_PROTOCOL SCRIPT_FILENAME PATH_INFO QUERY_STRING IS_SUBREQ DOCUMENT_ROOT AUTH_TYPE THE_REQUEST
		CONTENT_TYPE HANDLER REQUEST_LOG_ID SCRIPT_USER SCRIPT_GROUP DOCUMENT_URI LAST_MODIFIED CONTEXT_PREFIX
		CONTEXT_DOCUMENT_ROOT REQUEST_STATUS REMOTE_ADDR REMOTE_PORT
		HTTP_USER_AGENT HTTP_PROXY_CONNECTION HTTP_REFERER HTTP_COOKIE HTTP_FORWARDED HTTP_HOST HTTP_ACCEPT
		TIME_YEAR TIME_MON TIME_DAY TIME_HOUR TIME_MIN TIME_SEC TIME_WDAY TIME SERVER_SOFTWARE API_VERSION
		H2PUSH H2_PUSH H2_PUSHED H2_PUSHED_ON H2_STREAM_ID H2_STREAM_TAG`) {
		m[n] = true
	}
	return m
}()

var functions = map[string]bool{"osenv": true, "env": true, "resp": true, "req": true, "http": true, "note": true, "reqenv": true,
	"req_novary": true, "tolower": true, "toupper": true, "escape": true, "unescape": true, "file": true, "filesize": true,
	"base64": true, "unbase64": true, "sha1": true, "md5": true, "ldap": true, "ssl": true}

func (p *parser) makeVariable(at int, name string) word {
	up := strings.ToUpper(name)
	if !variables[up] && !strings.HasPrefix(up, "SSL_") {
		p.fail(at, "Variable '%s' does not exist", name)
		return literal("")
	}
	return variable(up)
}

func (p *parser) makeCall(at int, name string, arg word) word {
	low := strings.ToLower(name)
	if !functions[low] {
		p.fail(at, "Function '%s' does not exist", name)
		return literal("")
	}
	return call{low, arg}
}
