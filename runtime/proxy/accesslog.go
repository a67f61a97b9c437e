package proxy

import (
	"io"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
)

// accessLog is one CustomLog.
type accessLog struct {
	w      io.Writer
	format string
}

const common = `%h %l %u %t "%r" %>s %b`

func (p *Proxy) openLogs(s *server, main, v *model.Server) error {
	if p.o.AccessLog == nil {
		return nil
	}
	formats := map[string]string{"common": common, "combined": common + ` "%{Referer}i" "%{User-Agent}i"`}
	for _, m := range []*model.Server{main, v} {
		for _, f := range m.LogFormats {
			formats[f.Name.V] = f.Format.V
		}
	}
	list := v.CustomLogs
	if len(list) == 0 {
		list = main.CustomLogs
	}
	for _, l := range list {
		w, err := p.o.AccessLog(l.File.V)
		if err != nil {
			return at(l.At, err)
		}
		if c, ok := w.(io.Closer); ok {
			p.logs = append(p.logs, c)
		}
		f := l.Format.V
		if named, ok := formats[f]; ok {
			f = named
		} else if f == "" {
			f = common
		}
		s.logs = append(s.logs, &accessLog{w, f})
	}
	return nil
}

// logAccess writes the access log lines of a finished request.
func (c *call) logAccess() {
	for _, l := range c.srv.logs {
		io.WriteString(l.w, c.logLine(l.format)+"\n")
	}
}

func (c *call) logLine(f string) string {
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '%' || i+1 == len(f) {
			b.WriteByte(f[i])
			continue
		}
		i++
		for i < len(f)-1 && (f[i] == '>' || f[i] == '<') {
			i++
		}
		arg := ""
		if f[i] == '{' {
			j := strings.IndexByte(f[i:], '}')
			if j < 0 || i+j+1 >= len(f) {
				break
			}
			arg = f[i+1 : i+j]
			i += j + 1
		}
		b.WriteString(c.logField(f[i], arg))
	}
	return b.String()
}

func (c *call) logField(what byte, arg string) string {
	q := c.x.Req
	v := ""
	switch what {
	case '%':
		return "%"
	case 'h', 'a':
		v = q.Remote.Addr().Unmap().String()
	case 'u':
		if v = c.user; c.hasUser && v == "" {
			return `""`
		}
	case 't':
		return c.start.Format("[02/Jan/2006:15:04:05 -0700]")
	case 'r':
		v = q.Method + " " + q.Target + " " + protocol(q)
	case 's':
		return strconv.Itoa(c.status)
	case 'b':
		if c.bytes > 0 {
			v = strconv.FormatInt(c.bytes, 10)
		}
	case 'B', 'O':
		return strconv.FormatInt(c.bytes, 10)
	case 'D':
		return strconv.FormatInt(time.Since(c.start).Microseconds(), 10)
	case 'T':
		return strconv.FormatInt(int64(time.Since(c.start)/time.Second), 10)
	case 'm':
		v = q.Method
	case 'U':
		v = visible(c.path)
	case 'q':
		if q.HasQ {
			return escapeLog("?" + q.Query)
		}
		return ""
	case 'H':
		v = protocol(q)
	case 'v', 'V':
		v = c.srv.name
	case 'p':
		v = strconv.Itoa(int(q.Local.Port()))
	case 'i':
		v = q.Header.Get(arg)
	case 'o':
		v = c.sent.Get(arg)
	case 'e':
		v = c.x.Env[arg]
	}
	if v == "" {
		return "-"
	}
	return escapeLog(v)
}

// escapeLog is ap_escape_logitem: nothing a client sends can forge a line.
func escapeLog(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			b.WriteString(`\x`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
