package front

import (
	"bytes"
	"net/netip"
	"strings"
	"unsafe"

	"clowder/runtime/exchange"
)

// Character classes of the head.
const (
	cToken  = 1 << iota // RFC 9110 tchar: methods and field names
	cTarget             // what httpd 2.4 takes in a request target
	cValue              // field values: HTAB, SP, VCHAR, obs-text
	cHex
	cHost // reg-name as httpd's strict host check takes it
)

var class = func() (t [256]uint8) {
	for c := range 256 {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if alnum || c < 128 && strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0 {
			t[c] |= cToken
		}
		if c > ' ' && c != '#' && c != 0x7f {
			t[c] |= cTarget
		}
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= cValue
		}
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' {
			t[c] |= cHex
		}
		if alnum || c == '-' || c == '.' || c == '_' {
			t[c] |= cHost
		}
	}
	return t
}()

func all(s []byte, want uint8) bool {
	for _, c := range s {
		if class[c]&want == 0 {
			return false
		}
	}
	return true
}

func allString(s string, want uint8) bool {
	for i := range len(s) {
		if class[s[i]]&want == 0 {
			return false
		}
	}
	return true
}

// limits bound a request head, as httpd's LimitRequestLine,
// LimitRequestFieldSize and LimitRequestFields do.
type limits struct{ line, field, fields int }

// maxBlankLines is how many empty lines may stand before a request line.
const maxBlankLines = 4

// span is a piece of the head buffer.
type span struct{ from, to int32 }

type fieldSpan struct{ name, value span }

// refusal says why a request is refused and with which status.
type refusal struct {
	status int
	why    string
}

func (r *refusal) Error() string { return r.why }

func bad(why string) *refusal { return &refusal{400, why} }

// The refusals are values: refusing costs no allocation.
var (
	errLineLong     = &refusal{414, "request line too long"}
	errFieldLong    = bad("header field too long")
	errFieldCount   = bad("too many header fields")
	errBareLF       = bad("line does not end in CRLF")
	errBlankLines   = bad("empty lines before the request line")
	errRequestLine  = bad("malformed request line")
	errMethod       = bad("invalid character in the method")
	errTarget       = bad("invalid request target")
	errEscape       = bad("invalid percent-encoding in the path")
	errVersion      = &refusal{505, "protocol version not supported"}
	errVersionForm  = bad("malformed protocol version")
	errFold         = bad("folded header field")
	errNoColon      = bad("header field without a colon")
	errFieldName    = bad("invalid character in a header field name")
	errFieldValue   = bad("invalid character in a header field value")
	errHostMissing  = bad("no Host header field")
	errHostTwice    = bad("more than one Host header field")
	errHost         = bad("invalid Host header field")
	errLength       = bad("invalid Content-Length")
	errLengthTwice  = bad("more than one Content-Length")
	errCoding       = bad("Transfer-Encoding other than chunked")
	errCodingTwice  = bad("more than one Transfer-Encoding")
	errBothLengths  = bad("both Transfer-Encoding and Content-Length")
	errCodingOld    = bad("Transfer-Encoding in an HTTP/1.0 request")
	errUnderscore   = bad("framing field with an underscore for its dash")
	errTrailerField = bad("framing field in the trailers")
)

// headParser reads a head line by line while it comes in. It keeps offsets, so
// that the buffer may grow between calls, and never looks at a byte twice.
type headParser struct {
	scan, line int
	blank      int
	haveLine   bool
	method     span
	target     span
	minor      int
	fields     []fieldSpan
}

func (p *headParser) reset() {
	f := p.fields[:0]
	*p = headParser{fields: f}
}

// feed parses what is new in buf. It returns the head's length once it is
// complete, 0 while it is not.
func (p *headParser) feed(buf []byte, l *limits) (int, *refusal) {
	for {
		limit, long := l.field, errFieldLong
		if !p.haveLine {
			limit, long = l.line, errLineLong
		}
		i := bytes.IndexByte(buf[p.scan:], '\n')
		if i < 0 {
			p.scan = len(buf)
			if len(buf)-p.line > limit+1 {
				return 0, long
			}
			return 0, nil
		}
		lf := p.scan + i
		start := p.line
		p.scan, p.line = lf+1, lf+1
		if lf == start || buf[lf-1] != '\r' {
			return 0, errBareLF
		}
		end := lf - 1
		if end-start > limit {
			return 0, long
		}
		var err *refusal
		switch {
		case !p.haveLine && end == start:
			if p.blank++; p.blank > maxBlankLines {
				err = errBlankLines
			}
		case !p.haveLine:
			p.haveLine = true
			err = p.requestLine(buf, start, end)
		case end == start:
			return lf + 1, nil
		case len(p.fields) >= l.fields:
			err = errFieldCount
		default:
			var f fieldSpan
			if f, err = parseField(buf, start, end); err == nil {
				p.fields = append(p.fields, f)
			}
		}
		if err != nil {
			return 0, err
		}
	}
}

func (p *headParser) requestLine(buf []byte, start, end int) *refusal {
	line := buf[start:end]
	sp := bytes.IndexByte(line, ' ')
	if sp <= 0 {
		return errRequestLine
	}
	if !all(line[:sp], cToken) {
		return errMethod
	}
	rest := line[sp+1:]
	sp2 := bytes.IndexByte(rest, ' ')
	if sp2 <= 0 {
		return errRequestLine
	}
	if !all(rest[:sp2], cTarget) {
		return errTarget
	}
	v := rest[sp2+1:]
	if len(v) != 8 || string(v[:5]) != "HTTP/" || v[6] != '.' || v[5] < '0' || v[5] > '9' || v[7] < '0' || v[7] > '9' {
		return errVersionForm
	}
	if v[5] == '0' {
		return errVersionForm
	}
	if v[5] != '1' || v[7] > '1' {
		return errVersion
	}
	p.minor = int(v[7] - '0')
	p.method = span{int32(start), int32(start + sp)}
	p.target = span{int32(start + sp + 1), int32(start + sp + 1 + sp2)}
	return nil
}

// parseField takes one field line apart.
func parseField(buf []byte, start, end int) (fieldSpan, *refusal) {
	line := buf[start:end]
	if line[0] == ' ' || line[0] == '\t' {
		return fieldSpan{}, errFold
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return fieldSpan{}, errNoColon
	}
	if colon == 0 || !all(line[:colon], cToken) {
		return fieldSpan{}, errFieldName
	}
	from, to := colon+1, len(line)
	for from < to && (line[from] == ' ' || line[from] == '\t') {
		from++
	}
	for to > from && (line[to-1] == ' ' || line[to-1] == '\t') {
		to--
	}
	if !all(line[from:to], cValue) {
		return fieldSpan{}, errFieldValue
	}
	return fieldSpan{
		name:  span{int32(start), int32(start + colon)},
		value: span{int32(start + from), int32(start + to)},
	}, nil
}

func alias(buf []byte, s span) string {
	if s.from >= s.to {
		return ""
	}
	return unsafe.String(&buf[s.from], int(s.to-s.from))
}

// framing is what the connection needs to know of a head.
type framing struct {
	chunked   bool
	length    int64 // -1 without Content-Length
	close     bool  // Connection: close
	keepAlive bool  // Connection: keep-alive
	expect    bool  // Expect: 100-continue
}

// build fills the request from a complete head; its strings alias buf.
func (p *headParser) build(buf []byte, req *exchange.Request) (framing, *refusal) {
	fr := framing{length: -1}
	req.Method = alias(buf, p.method)
	req.Target = alias(buf, p.target)
	req.Major, req.Minor = 1, p.minor
	hosts := 0
	h := req.Header[:0]
	for _, f := range p.fields {
		name, value := alias(buf, f.name), alias(buf, f.value)
		h = append(h, exchange.Field{Name: name, Value: value})
		if err := fr.field(name, value); err != nil {
			return fr, err
		}
		if len(name) == 4 && strings.EqualFold(name, "Host") {
			hosts++
			req.Host = value
		}
	}
	req.Header = h
	switch {
	case hosts > 1:
		return fr, errHostTwice
	case hosts == 0 && p.minor >= 1:
		return fr, errHostMissing
	case hosts == 1 && !validHost(req.Host):
		return fr, errHost
	case fr.chunked && fr.length >= 0:
		return fr, errBothLengths
	case fr.chunked && p.minor == 0:
		return fr, errCodingOld
	}
	return fr, splitTarget(req)
}

// field looks at one field that decides about framing or the connection.
func (fr *framing) field(name, value string) *refusal {
	switch len(name) {
	case 6:
		if strings.EqualFold(name, "Expect") && strings.EqualFold(value, "100-continue") {
			fr.expect = true
		}
	case 10:
		if strings.EqualFold(name, "Connection") {
			fr.connection(value)
		}
	case 14:
		if strings.EqualFold(name, "Content_Length") {
			return errUnderscore
		}
		if strings.EqualFold(name, "Content-Length") {
			if fr.length >= 0 {
				return errLengthTwice
			}
			n, ok := parseLength(value)
			if !ok {
				return errLength
			}
			fr.length = n
		}
	case 17:
		if strings.EqualFold(name, "Transfer_Encoding") {
			return errUnderscore
		}
		if strings.EqualFold(name, "Transfer-Encoding") {
			if fr.chunked {
				return errCodingTwice
			}
			if !strings.EqualFold(value, "chunked") {
				return errCoding
			}
			fr.chunked = true
		}
	}
	return nil
}

func (fr *framing) connection(value string) {
	for value != "" {
		tok, rest, _ := strings.Cut(value, ",")
		value = rest
		tok = strings.Trim(tok, " \t")
		switch {
		case strings.EqualFold(tok, "close"):
			fr.close = true
		case strings.EqualFold(tok, "keep-alive"):
			fr.keepAlive = true
		}
	}
}

// parseLength takes digits only and at most 18 of them.
func parseLength(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// splitTarget finds path and query in the four forms of a request target.
func splitTarget(req *exchange.Request) *refusal {
	t := req.Target
	switch {
	case req.Method == "CONNECT":
		if !validHost(t) || !strings.Contains(t[strings.LastIndexByte(t, ']')+1:], ":") {
			return errTarget
		}
		req.Host = t
		return nil
	case t[0] == '/':
	case t == "*":
		if req.Method != "OPTIONS" {
			return errTarget
		}
		req.Path = t
		return nil
	default:
		n := len("http://")
		if len(t) > n && strings.EqualFold(t[:n], "http://") {
		} else if n++; len(t) <= n || !strings.EqualFold(t[:n], "https://") {
			return errTarget
		}
		t = t[n:]
		host := t
		if i := strings.IndexAny(t, "/?"); i >= 0 {
			host = t[:i]
		}
		if !validHost(host) {
			return errTarget
		}
		req.Host, t = host, t[len(host):]
	}
	if i := strings.IndexByte(t, '?'); i >= 0 {
		req.HasQ, req.Query, t = true, t[i+1:], t[:i]
	}
	for i := 0; ; i += 3 {
		j := strings.IndexByte(t[min(i, len(t)):], '%')
		if j < 0 {
			break
		}
		if i += j; i+2 >= len(t) || class[t[i+1]]&cHex == 0 || class[t[i+2]]&cHex == 0 {
			return errEscape
		}
	}
	if req.Path = t; t == "" {
		req.Path = "/"
	}
	return nil
}

// validHost reports whether s is a host name, an IPv4 address or a bracketed
// IPv6 address, with or without a port.
func validHost(s string) bool {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
		if port == "" || len(port) > 5 {
			return false
		}
		n := 0
		for k := range len(port) {
			if port[k] < '0' || port[k] > '9' {
				return false
			}
			n = n*10 + int(port[k]-'0')
		}
		if n == 0 || n > 65535 {
			return false
		}
	}
	if host == "" {
		return false
	}
	if host[0] == '[' {
		if host[len(host)-1] != ']' {
			return false
		}
		a, err := netip.ParseAddr(host[1 : len(host)-1])
		return err == nil && a.Is6() && a.Zone() == ""
	}
	return allString(host, cHost) && !strings.Contains(host, "..") && notNumeric(host)
}

// notNumeric refuses names that a careless parser takes for an address: digits and
// dots that are no IPv4 address, and a last label that begins with anything but a
// letter (strict_hostname_check of server/vhost.c in httpd; RFC 1123 2.1).
func notNumeric(host string) bool {
	for i := range len(host) {
		if c := host[i]; c != '.' && (c < '0' || c > '9') {
			last := host[strings.LastIndexByte(host, '.')+1:]
			return len(last) == len(host) || last == "" || last[0] >= 'A' && last[0] != '_'
		}
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Is4()
}
