package expr

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// context is one evaluation.
type context struct {
	r     Request
	match *Match
	res   *Result
	ssl   bool
	depth int
	err   error
}

func (c *context) enter() bool {
	if c.err != nil || c.depth >= maxRecursion {
		c.fail(ErrDepth)
		return false
	}
	c.depth++
	return true
}

func (c *context) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// eval follows ap_expr_eval: chains of or, and and not cost no depth.
func (c *context) eval(n node) bool {
	if !c.enter() {
		return false
	}
	defer func() { c.depth-- }()
	flip := false
	for {
		switch x := n.(type) {
		case constant:
			return bool(x) != flip
		case not:
			flip, n = !flip, x.of
		case or:
			if c.eval(stripNot(x.a)) != isNot(x.a) {
				return !flip
			}
			n = x.b
		case and:
			if c.eval(stripNot(x.a)) == isNot(x.a) {
				return flip
			}
			n = x.b
		default:
			return c.test(n) != flip
		}
	}
}

func isNot(n node) bool {
	_, ok := n.(not)
	return ok
}

func stripNot(n node) node {
	if x, ok := n.(not); ok {
		return x.of
	}
	return n
}

func (c *context) test(n node) bool {
	switch n := n.(type) {
	case unary:
		return c.unary(n.op, c.word(n.arg))
	case matches:
		s := c.word(n.a)
		at, err := n.re.Find(s)
		if err != nil {
			c.fail(err)
			return false
		}
		if n.re.Groups() > 0 {
			c.match.Source, c.match.At = s, at
		}
		return (at != nil) != n.negated
	case in:
		s := c.word(n.a)
		return slices.ContainsFunc(n.list, func(w word) bool { return c.word(w) == s })
	case subnet:
		if n.arg == nil {
			return n.net.contains(c.r.Remote())
		}
		a, err := netip.ParseAddr(c.word(n.arg))
		return err == nil && n.net.contains(a.Unmap())
	case compare:
		return c.compare(n.op, c.word(n.a), c.word(n.b))
	}
	return false
}

func (c *context) compare(op, a, b string) bool {
	switch op {
	case "-fnmatch":
		return Fnmatch(b, a, Pathname)
	case "-strmatch":
		return Fnmatch(b, a, 0)
	case "-strcmatch":
		return Fnmatch(b, a, CaseBlind)
	}
	n := strings.Compare(a, b)
	switch {
	case c.ssl && len(a) != len(b):
		n = len(a) - len(b)
	case !c.ssl && op[0] == '-':
		n = compareInt(a, b)
	}
	switch op {
	case "==", "-eq":
		return n == 0
	case "!=", "-ne":
		return n != 0
	case "<", "-lt":
		return n < 0
	case "<=", "-le":
		return n <= 0
	case ">", "-gt":
		return n > 0
	}
	return n >= 0
}

func compareInt(a, b string) int {
	x, y := Atoi(a), Atoi(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// Atoi reads the number at the beginning of a text as apr_atoi64 does, 0 without one.
func Atoi(s string) int64 {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	n := 0
	if n < len(s) && (s[n] == '-' || s[n] == '+') {
		n++
	}
	for n < len(s) && digit(s[n]) {
		n++
	}
	v, _ := strconv.ParseInt(s[:n], 10, 64) // the nearest number when it is too large
	return v
}

func (c *context) unary(op byte, s string) bool {
	switch op {
	case 'n':
		return s != ""
	case 'z':
		return s == ""
	case 'T':
		low := strings.ToLower(s)
		return s != "" && low != "off" && low != "no" && low != "false" && s != "0"
	case 'U', 'A':
		return c.r.Allowed(s, false)
	case 'F':
		return c.r.Allowed(s, true)
	case 'L', 'h':
		st, err := os.Lstat(s)
		return err == nil && st.Mode()&os.ModeSymlink != 0
	}
	st, err := os.Stat(s)
	if err != nil {
		return false
	}
	switch op {
	case 'd':
		return st.IsDir()
	case 'f':
		return st.Mode().IsRegular()
	case 's':
		return st.Mode().IsRegular() && st.Size() > 0
	case 'x':
		return st.Mode().Perm()&0o111 != 0
	}
	return true // e
}

func (c *context) word(w word) string {
	if s, ok := w.(literal); ok && c.depth < maxRecursion {
		return string(s)
	}
	if !c.enter() {
		return ""
	}
	defer func() { c.depth-- }()
	switch w := w.(type) {
	case variable:
		return c.variable(string(w))
	case backref:
		return c.match.Group(int(w))
	case concat:
		var b strings.Builder
		for _, part := range w {
			b.WriteString(c.word(part))
		}
		return b.String()
	case call:
		return c.call(w.name, c.word(w.arg))
	}
	return ""
}

// headerVars are the variables that are request headers.
var headerVars = map[string]string{"HTTP_USER_AGENT": "User-Agent", "HTTP_PROXY_CONNECTION": "Proxy-Connection", "HTTP_REFERER": "Referer",
	"HTTP_COOKIE": "Cookie", "HTTP_FORWARDED": "Forwarded", "HTTP_HOST": "Host", "HTTP_ACCEPT": "Accept"}

func (c *context) variable(name string) string {
	if h, ok := headerVars[name]; ok {
		return c.header(h)
	}
	return c.r.Var(name)
}

// header reads a request header and notes that the answer depends on it.
func (c *context) header(name string) string {
	if c.res != nil && !strings.EqualFold(name, "Host") {
		c.res.Vary = append(c.res.Vary, name)
	}
	return c.r.Header(name)
}

func (c *context) call(name, arg string) string {
	switch name {
	case "req", "http":
		return c.header(arg)
	case "req_novary":
		return c.r.Header(arg)
	case "resp":
		return c.r.Response(arg)
	case "reqenv":
		v, _ := c.r.Env(arg)
		return v
	case "note":
		v, _ := c.r.Note(arg)
		return v
	case "env":
		if v, ok := c.r.Note(arg); ok {
			return v
		}
		if v, ok := c.r.Env(arg); ok {
			return v
		}
		return os.Getenv(arg)
	case "osenv":
		return os.Getenv(arg)
	case "ssl":
		return c.r.Var(arg)
	case "file", "filesize":
		return c.file(name, arg)
	}
	return plainCall(name, arg)
}

const maxFile = 10 << 20 // MAX_FILE_SIZE of util_expr_eval.c

func (c *context) file(name, arg string) string {
	st, err := os.Stat(arg)
	if name == "filesize" {
		if err != nil || !st.Mode().IsRegular() {
			return "0"
		}
		return strconv.FormatInt(st.Size(), 10)
	}
	if err == nil && (!st.Mode().IsRegular() || st.Size() > maxFile) {
		err = errors.New("no regular file, or too large")
	}
	if err != nil {
		c.fail(fmt.Errorf("cannot open file %s: %w", arg, err))
		return ""
	}
	f, err := os.Open(arg)
	if err != nil {
		c.fail(err)
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		c.fail(err)
	}
	text, _, _ := strings.Cut(string(b), "\x00")
	return text
}

// plainCall evaluates the functions of their argument alone.
func plainCall(name, arg string) string {
	switch name {
	case "tolower":
		return mapASCII(arg, 'A', 'Z', 0x20)
	case "toupper":
		return mapASCII(arg, 'a', 'z', -0x20)
	case "escape":
		return Escape(arg)
	case "unescape":
		return unescape(arg)
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(arg))
	case "unbase64":
		return unbase64(arg)
	case "sha1":
		sum := sha1.Sum([]byte(arg))
		return hex.EncodeToString(sum[:])
	case "md5":
		sum := md5.Sum([]byte(arg))
		return hex.EncodeToString(sum[:])
	case "ldap":
		return ldap(arg)
	}
	return ""
}

func mapASCII(s string, from, to byte, by int) string {
	b := []byte(s)
	for i, c := range b {
		if c >= from && c <= to {
			b[i] = byte(int(c) + by)
		}
	}
	return string(b)
}

// Escape is ap_os_escape_path with partial set: what a path needs as a URL.
func Escape(s string) string {
	const hexes = "0123456789abcdef"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if letter(c) || digit(c) || strings.IndexByte("$-_.+!*'(),:@&=/~;", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + string(hexes[c>>4]) + string(hexes[c&15]))
		}
	}
	return b.String()
}

// unescape decodes %XX; %2F stays, a broken sequence or %00 gives nothing.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return ""
		}
		v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		switch {
		case err != nil, v == 0:
			return ""
		case v == '/':
			b.WriteString(s[i : i+3])
		default:
			b.WriteByte(byte(v))
		}
		i += 2
	}
	return b.String()
}

// unbase64 decodes up to the first byte that is none of the alphabet.
func unbase64(s string) string {
	n := 0
	for n < len(s) && (letter(s[n]) || digit(s[n]) || s[n] == '+' || s[n] == '/') {
		n++
	}
	b, err := base64.RawStdEncoding.DecodeString(s[:n])
	if err != nil {
		b, _ = base64.RawStdEncoding.DecodeString(s[:n-n%4])
	}
	text, _, _ := strings.Cut(string(b), "\x00")
	return text
}

// ldap escapes for a distinguished name and a filter (apr_pescape_ldap, ALL).
func ldap(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < 0x20 || c >= 0x7f || strings.IndexByte(`"*()\#+,;<=>/`, c) >= 0 || c == ' ' && (i == 0 || i == len(s)-1) {
			fmt.Fprintf(&b, `\%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
