package node

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"clowder/parse/model"
)

// accessLog is one AccessLogValve. A file is opened for each day.
type accessLog struct {
	pattern []element
	dir     string // "": nothing is written
	prefix  string
	suffix  string
	rotate  bool
	fail    func(error)

	mu   sync.Mutex
	day  string
	file *os.File
	buf  []byte
}

// line is what the elements of a pattern print from.
type line struct {
	x *exchangeInfo
	r *http.Request
	h *host
}

type element func(b []byte, l *line) []byte

// Patterns by name (AbstractAccessLogValve).
var patternNames = map[string]string{
	"common":   `%h %l %u %t "%r" %s %b`,
	"combined": `%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-Agent}i"`,
}

func (n *Node) newLogs(list []*model.AccessLog) ([]*accessLog, error) {
	var out []*accessLog
	for _, m := range list {
		micros := n.model.Version.V == "" || model.VersionAtLeast(n.model.Version.V, "10")
		l := &accessLog{pattern: parsePattern(m.Pattern.Or("common"), micros), prefix: m.Prefix.Or("access_log"), suffix: m.Suffix.V, rotate: true}
		for _, a := range m.Extra {
			switch {
			case a.Name == "enabled" && a.Value.V == "false":
				l = nil
			case a.Name == "rotatable" && l != nil:
				l.rotate = a.Value.V != "false"
			}
		}
		if l == nil {
			continue
		}
		l.fail = func(err error) { n.log.Error("access log", "err", err) }
		if n.opts.LogDir != "" {
			if l.dir = m.Directory.Or("logs"); !filepath.IsAbs(l.dir) {
				l.dir = filepath.Join(n.opts.LogDir, l.dir)
			}
		}
		out = append(out, l)
	}
	return out, nil
}

func (l *accessLog) write(x *exchangeInfo, r *http.Request, h *host) {
	if l.dir == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = l.format(l.buf[:0], &line{x, r, h})
	day := ""
	if l.rotate {
		day = x.end.Format(".2006-01-02")
	}
	if l.file == nil || day != l.day {
		l.closeFile()
		if err := os.MkdirAll(l.dir, 0o755); err != nil {
			l.fail(err)
			return
		}
		f, err := os.OpenFile(filepath.Join(l.dir, l.prefix+day+l.suffix), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
		if err != nil {
			l.fail(err)
			return
		}
		l.file, l.day = f, day
	}
	if _, err := l.file.Write(l.buf); err != nil {
		l.fail(err)
	}
}

func (l *accessLog) format(b []byte, n *line) []byte {
	for _, e := range l.pattern {
		b = e(b, n)
	}
	return append(b, '\n')
}

func (l *accessLog) closeFile() {
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			l.fail(err)
		}
		l.file = nil
	}
}

func (l *accessLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeFile()
}

// parsePattern compiles a pattern. A code that is not known prints as Tomcat
// prints it: "???X???".
func parsePattern(p string, micros bool) []element {
	if full, ok := patternNames[p]; ok {
		p = full
	}
	var out []element
	for p != "" {
		i := strings.IndexByte(p, '%')
		if i < 0 || i == len(p)-1 {
			return append(out, literal(p))
		}
		if i > 0 {
			out = append(out, literal(p[:i]))
		}
		p = p[i+1:]
		if p[0] == '{' {
			if end := strings.IndexByte(p, '}'); end > 0 && end+1 < len(p) {
				out = append(out, named(p[1:end], p[end+1]))
				p = p[end+2:]
				continue
			}
		}
		out = append(out, code(p[0], micros))
		p = p[1:]
	}
	return out
}

func literal(s string) element {
	return func(b []byte, _ *line) []byte { return append(b, s...) }
}

// escape appends text of the client as AbstractAccessLogValve.escapeAndAppend does.
func escape(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c < 32 || c > 126:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, byte(c))
		}
	}
	return b
}

func text(get func(*line) string) element {
	return func(b []byte, l *line) []byte { return escape(b, get(l)) }
}

func (l *line) status() int {
	if l.x.writer.status == 0 {
		return http.StatusOK
	}
	return l.x.writer.status
}

func (l *line) query() string {
	if _, q, ok := strings.Cut(l.r.RequestURI, "?"); ok {
		return "?" + q
	}
	return ""
}

func (l *line) remoteHost() string {
	if l.x.info != nil && l.x.info.RemoteHost != "" {
		return l.x.info.RemoteHost
	}
	return remoteIP(l.r)
}

func (l *line) user() string {
	if l.x.info != nil {
		return l.x.info.RemoteUser
	}
	return ""
}

func (l *line) localAddr() string {
	if l.x.info != nil && l.x.info.LocalAddr != "" {
		return l.x.info.LocalAddr
	}
	if a, ok := l.r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return a.IP.String()
	}
	return ""
}

// serverName is the host that the request is for (Request.getServerName).
func (l *line) serverName() string {
	if h, _, err := net.SplitHostPort(l.r.Host); err == nil {
		return h
	}
	return l.r.Host
}

// serverPort is the port that the client used (Request.getServerPort).
func (l *line) serverPort() int {
	if _, p, err := net.SplitHostPort(l.r.Host); err == nil {
		if n, err := strconv.Atoi(p); err == nil {
			return n
		}
	}
	if l.x.info != nil {
		if l.x.info.TLS {
			return 443
		}
		return 80
	}
	if l.r.TLS != nil {
		return 443
	}
	return 80
}

func code(c byte, micros bool) element {
	switch c {
	case '%':
		return literal("%")
	case 'a':
		return text(func(l *line) string { return remoteIP(l.r) })
	case 'A':
		return text((*line).localAddr)
	case 'b':
		return func(b []byte, l *line) []byte {
			if l.x.writer.bytes == 0 {
				return append(b, '-')
			}
			return strconv.AppendInt(b, l.x.writer.bytes, 10)
		}
	case 'B':
		return func(b []byte, l *line) []byte { return strconv.AppendInt(b, l.x.writer.bytes, 10) }
	case 'D':
		if micros {
			return elapsed("us")
		}
		return elapsed("ms")
	case 'F':
		return func(b []byte, l *line) []byte {
			if l.x.writer.commit.IsZero() {
				return append(b, '-')
			}
			return strconv.AppendInt(b, l.x.writer.commit.Sub(l.x.begin).Milliseconds(), 10)
		}
	case 'h':
		return text((*line).remoteHost)
	case 'H':
		return text(func(l *line) string { return l.r.Proto })
	case 'I':
		return text(func(l *line) string { return l.x.connector.name })
	case 'l':
		return literal("-")
	case 'm':
		return text(func(l *line) string { return l.r.Method })
	case 'p':
		return func(b []byte, l *line) []byte { return strconv.AppendInt(b, int64(l.serverPort()), 10) }
	case 'q':
		return func(b []byte, l *line) []byte {
			if q := l.query(); q != "" {
				return escape(b, q)
			}
			return b
		}
	case 'r':
		return text(func(l *line) string { return l.r.Method + " " + l.x.uri + l.query() + " " + l.r.Proto })
	case 's':
		return func(b []byte, l *line) []byte { return strconv.AppendInt(b, int64(l.status()), 10) }
	case 'S':
		return text(func(l *line) string { return l.x.session })
	case 't':
		return func(b []byte, l *line) []byte { return l.x.begin.AppendFormat(b, "[02/Jan/2006:15:04:05 -0700]") }
	case 'T':
		return elapsed("fracsec")
	case 'u':
		return text((*line).user)
	case 'U':
		return text(func(l *line) string { return l.x.uri })
	case 'v':
		return text((*line).serverName)
	}
	return literal("???" + string(rune(c)) + "???")
}

func elapsed(unit string) element {
	return func(b []byte, l *line) []byte {
		d := l.x.end.Sub(l.x.begin)
		switch unit {
		case "us":
			return strconv.AppendInt(b, d.Microseconds(), 10)
		case "ms":
			return strconv.AppendInt(b, d.Milliseconds(), 10)
		case "ns":
			return strconv.AppendInt(b, d.Nanoseconds(), 10)
		case "fracsec":
			return fmt.Appendf(b, "%d.%03d", d/time.Second, d%time.Second/time.Millisecond)
		}
		return strconv.AppendInt(b, int64(d/time.Second), 10)
	}
}

// named is an element with an argument: %{name}c.
func named(name string, c byte) element {
	switch c {
	case 'i':
		return text(func(l *line) string {
			if strings.EqualFold(name, "host") {
				return l.r.Host
			}
			return strings.Join(l.r.Header.Values(name), ",")
		})
	case 'o':
		return text(func(l *line) string { return strings.Join(l.x.writer.Header().Values(name), ",") })
	case 'c':
		return text(func(l *line) string {
			k, err := l.r.Cookie(name)
			if err != nil {
				return ""
			}
			return k.Value
		})
	case 'a':
		if name == "peer" {
			return text(func(l *line) string { return remoteIP(l.r) })
		}
		return text(func(l *line) string { return remoteIP(l.r) })
	case 'p':
		return func(b []byte, l *line) []byte {
			switch name {
			case "local":
				return strconv.AppendInt(b, int64(l.x.connector.port), 10)
			case "remote":
				_, p, _ := net.SplitHostPort(l.r.RemoteAddr)
				return append(b, p...)
			}
			return strconv.AppendInt(b, int64(l.serverPort()), 10)
		}
	case 'T':
		return elapsed(name)
	case 't':
		return dateElement(name)
	case 'r', 's':
		return literal("-") // request and session attributes of servlets
	}
	return literal("???" + string(rune(c)) + "???")
}

// dateElement prints %{format}t: begin: or end: first, then sec, msec, msec_frac
// or a SimpleDateFormat.
func dateElement(format string) element {
	format, end := strings.TrimPrefix(format, "begin:"), strings.HasPrefix(format, "end:")
	format = strings.TrimPrefix(format, "end:")
	layout := javaLayout(format)
	return func(b []byte, l *line) []byte {
		t := l.x.begin
		if end {
			t = l.x.end
		}
		switch format {
		case "sec":
			return strconv.AppendInt(b, t.Unix(), 10)
		case "msec":
			return strconv.AppendInt(b, t.UnixMilli(), 10)
		case "msec_frac":
			return fmt.Appendf(b, "%03d", t.UnixMilli()%1000)
		}
		return t.AppendFormat(b, layout)
	}
}

var javaFields = strings.NewReplacer("yyyy", "2006", "MMM", "Jan", "MM", "01", "dd", "02", "HH", "15", "hh", "03",
	"mm", "04", "ss", "05", "SSS", "000", "XXX", "Z07:00", "zzz", "MST", "EEE", "Mon", "yy", "06", "Z", "-0700", "a", "PM", "'", "")

// javaLayout turns the common fields of a SimpleDateFormat into a layout of Go.
func javaLayout(f string) string { return javaFields.Replace(f) }
