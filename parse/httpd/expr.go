package httpd

import (
	"fmt"
	"strings"
)

// checkExpr reads an expression of <If> and <ElseIf> by the grammar of
// server/util_expr_parse.y. It returns where in text the first mistake is and
// what it is, or "".
//
// Names of functions and variables must be httpd's own or those of its stock
// modules (server/util_expr_eval.c), unless others may be there.
func checkExpr(text string, others bool) (at int, problem string) {
	p := &exprParser{s: text, others: others}
	p.or(0)
	if p.space(); p.problem == "" && p.i < len(p.s) {
		p.fail("unexpected `%s`", p.peek())
	}
	return p.at, p.problem
}

// maxExprDepth bounds nested parentheses and functions.
const maxExprDepth = 200

type exprParser struct {
	s       string
	i       int
	at      int
	problem string
	others  bool // modules may bring names that are not known here
}

func (p *exprParser) fail(format string, args ...any) {
	if p.problem == "" {
		p.at, p.problem = min(p.i, len(p.s)), fmt.Sprintf(format, args...)
		p.i = len(p.s)
	}
}

func (p *exprParser) space() {
	for p.i < len(p.s) && isBlank(p.s[p.i]) {
		p.i++
	}
}

// peek returns the next word for a message.
func (p *exprParser) peek() string {
	rest := p.s[p.i:]
	if k := strings.IndexAny(rest, " \t"); k > 0 {
		rest = rest[:k]
	}
	return rest[:min(len(rest), 40)]
}

func (p *exprParser) take(tok string) bool {
	p.space()
	if !strings.HasPrefix(p.s[p.i:], tok) {
		return false
	}
	if end := p.i + len(tok); isWordByte(tok[len(tok)-1]) && end < len(p.s) && (isWordByte(p.s[end])) {
		return false
	}
	p.i += len(tok)
	return true
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (p *exprParser) or(depth int) {
	for p.and(depth); p.problem == "" && p.take("||"); {
		p.and(depth)
	}
}

func (p *exprParser) and(depth int) {
	for p.not(depth); p.problem == "" && p.take("&&"); {
		p.not(depth)
	}
}

func (p *exprParser) not(depth int) {
	if depth > maxExprDepth {
		p.fail("nested too deep")
		return
	}
	for p.take("!") {
	}
	switch {
	case p.take("("):
		p.or(depth + 1)
		if !p.take(")") {
			p.fail("`)` is missing")
		}
	case p.take("true"), p.take("false"):
	case p.unary():
		p.word(depth)
	default:
		p.comparison(depth)
	}
}

// unary takes an operator such as -n that stands in front of a word.
func (p *exprParser) unary() bool {
	p.space()
	if r := p.s[p.i:]; len(r) >= 2 && r[0] == '-' && isWordByte(r[1]) && (len(r) == 2 || !isWordByte(r[2])) {
		if !strings.ContainsRune("edfsLhxUFARTnz", rune(r[1])) {
			p.fail("unknown operator `%s`", r[:2])
		}
		p.i = min(p.i+2, len(p.s))
		return true
	}
	return false
}

var comparisons = []string{"==", "!=", "<=", ">=", "<", ">", "=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-ipmatch",
	"-strmatch", "-strcmatch", "-fnmatch", "eq", "ne", "lt", "le", "gt", "ge"}

func (p *exprParser) comparison(depth int) {
	p.word(depth)
	if p.problem != "" {
		return
	}
	switch {
	case p.take("=~"), p.take("!~"):
		p.regex()
		return
	case p.take("-in"), p.take("in"):
		p.list(depth)
		return
	}
	for _, op := range comparisons {
		if p.take(op) {
			p.word(depth)
			return
		}
	}
	if p.space(); p.i == len(p.s) {
		p.fail("it ends where a comparison must follow; an expression with blanks needs quotes around it")
		return
	}
	p.fail("unexpected `%s`", p.peek())
}

func (p *exprParser) list(depth int) {
	if !p.take("{") {
		p.word(depth)
		return
	}
	for p.word(depth); p.problem == "" && p.take(","); {
		p.word(depth)
	}
	if !p.take("}") {
		p.fail("`}` is missing")
	}
}

func (p *exprParser) regex() {
	p.space()
	end := byte('/')
	if r := p.s[p.i:]; len(r) >= 2 && r[0] == 'm' && strings.IndexByte("#/$%^|?!'\",;:._-", r[1]) >= 0 {
		end = r[1]
		p.i++
	} else if len(r) == 0 || r[0] != '/' {
		p.fail("a regular expression `/…/` or `m#…#` must follow")
		return
	}
	from := p.i + 1
	k := strings.IndexByte(p.s[from:], end)
	if k < 0 {
		p.fail("the regular expression lacks its closing `%c`", end)
		return
	}
	re := p.s[from : from+k]
	if !compiles(re) {
		p.fail("`%s` is no regular expression", re)
		return
	}
	p.i = from + k + 1
	for p.i < len(p.s) && strings.IndexByte("ismgx", p.s[p.i]) >= 0 {
		p.i++
	}
}

// word reads strings, numbers, variables and function calls joined by dots.
func (p *exprParser) word(depth int) {
	for p.one(depth); p.problem == "" && p.take("."); {
		p.one(depth)
	}
}

func (p *exprParser) one(depth int) {
	p.space()
	r := p.s[p.i:]
	switch {
	case depth > maxExprDepth:
		p.fail("nested too deep")
	case r == "":
		p.fail("it ends where a value must follow")
	case r[0] == '"' || r[0] == '\'':
		for k := 1; k < len(r); k++ {
			if r[k] == '\\' {
				k++
			} else if r[k] == r[0] {
				p.i += k + 1
				return
			}
		}
		p.fail("the string lacks its closing quote")
	case strings.HasPrefix(r, "%{"):
		level := 0
		for k := 1; k < len(r); k++ {
			if r[k] == '{' {
				level++
			} else if r[k] == '}' {
				if level--; level == 0 {
					p.variable(r[2:k])
					p.i = min(p.i+k+1, len(p.s))
					return
				}
			}
		}
		p.fail("`%%{` lacks its closing `}`")
	case r[0] == '$' && len(r) > 1 && r[1] >= '0' && r[1] <= '9':
		p.i += 2
	case r[0] >= '0' && r[0] <= '9' || r[0] == '-' && len(r) > 1 && r[1] >= '0' && r[1] <= '9':
		for p.i++; p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9'; {
			p.i++
		}
	case isWordByte(r[0]):
		p.call(depth)
	default:
		p.fail("unexpected `%s`", p.peek())
	}
}

func (p *exprParser) call(depth int) {
	start := p.i
	for p.i < len(p.s) && (isWordByte(p.s[p.i])) {
		p.i++
	}
	name := p.s[start:p.i]
	if !p.take("(") {
		p.i = start
		p.fail("`%s` is neither a function nor in quotes", p.peek())
		return
	}
	if !p.others && !exprFunctions[strings.ToLower(name)] {
		p.i = start
		p.fail("there is no function `%s`", name)
		return
	}
	for p.word(depth + 1); p.problem == "" && p.take(","); {
		p.word(depth + 1)
	}
	if !p.take(")") {
		p.fail("`)` is missing")
	}
}

// exprVariables and exprFunctions are the names of server/util_expr_eval.c and
// of the stock modules.
var (
	exprVariables = names(`HTTPS IPV6 CONN_LOG_ID CONN_REMOTE_ADDR HTTP2 H2PUSH H2_PUSH H2_PUSHED H2_PUSHED_ON H2_STREAM_ID H2_STREAM_TAG
		REQUEST_METHOD REQUEST_SCHEME REQUEST_URI REQUEST_FILENAME REMOTE_HOST REMOTE_IDENT REMOTE_USER SERVER_ADMIN SERVER_NAME
		SERVER_PORT SERVER_PROTOCOL SERVER_PROTOCOL_VERSION SERVER_PROTOCOL_VERSION_MAJOR SERVER_PROTOCOL_VERSION_MINOR SCRIPT_FILENAME
		PATH_INFO QUERY_STRING IS_SUBREQ DOCUMENT_ROOT AUTH_TYPE THE_REQUEST CONTENT_TYPE HANDLER REQUEST_LOG_ID SCRIPT_USER SCRIPT_GROUP
		DOCUMENT_URI LAST_MODIFIED CONTEXT_PREFIX CONTEXT_DOCUMENT_ROOT REQUEST_STATUS REMOTE_ADDR REMOTE_PORT
		HTTP_USER_AGENT HTTP_PROXY_CONNECTION HTTP_REFERER HTTP_COOKIE HTTP_FORWARDED HTTP_HOST HTTP_ACCEPT
		TIME_YEAR TIME_MON TIME_DAY TIME_HOUR TIME_MIN TIME_SEC TIME_WDAY TIME SERVER_SOFTWARE API_VERSION`)
	exprFunctions = names(`osenv env resp req http note reqenv req_novary tolower toupper escape unescape file filesize base64
		unbase64 sha1 md5 ldap hc SSL PeerExtList`)
)

// variable checks what stands between "%{" and "}".
func (p *exprParser) variable(inner string) {
	name, _, call := strings.Cut(inner, ":")
	low := strings.ToLower(name)
	switch {
	case name == "" || !isWordByte(name[0]) || strings.Trim(low, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
		p.fail("`%%{%s}` is no variable", inner)
	case p.others:
	case call && !exprFunctions[low]:
		p.fail("there is no function `%s`", name)
	case !call && !exprVariables[low] && !strings.HasPrefix(low, "ssl_"):
		p.fail("there is no variable `%s`", name)
	}
}

// checkStringExpr reads a text with variables, as the documents of
// ErrorDocument and the targets of Redirect in a section are.
func checkStringExpr(text string, others bool) string {
	p := &exprParser{s: text, others: others}
	for rest := text; p.problem == ""; {
		k := strings.Index(rest, "%{")
		if k < 0 {
			break
		}
		rest = rest[k+2:]
		e := strings.IndexByte(rest, '}')
		if e < 0 {
			return "`%{` lacks its closing `}`"
		}
		p.variable(rest[:e])
		rest = rest[e+1:]
	}
	return p.problem
}
