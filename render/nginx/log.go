package nginx

import (
	"path"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// logFolder is where nginx's packages put logs; those of httpd stay with httpd.
const logFolder = "/var/log/nginx/"

// logs carries CustomLog and ErrorLog (ngx_http_log_module, ngx_core_module).
func (c *conf) logs(site *plan.Site) []*dir {
	var out []*dir
	s := site.Server
	for _, lg := range s.CustomLogs {
		file, ok := logName(lg.File.V, "access.log")
		if !ok {
			c.l.Drop("nginx pipes no logs", "access_log with syslog:, or a file and logrotate", lg)
			continue
		}
		x := d("access_log", file).from(lg.At)
		name, exact := c.format(s, lg.Format.V)
		if name != "combined" {
			x.args = append(x.args, name)
		}
		switch {
		case lg.Cond.IsSet() && lg.Cond.V != "":
			c.l.Approx("it goes to "+file+", with every request", "access_log … if=", lg)
		case !exact:
			c.l.Approx("it goes to "+file+"; what nginx does not know in its format became -", "log_format", lg)
		default:
			c.l.Approx("it goes to "+file, "", lg)
		}
		out = append(out, x)
	}
	if v := s.ErrorLog; v.IsSet() {
		if file, ok := logName(v.V, "error.log"); ok {
			out = append(out, d("error_log", file, "warn").from(v.Place()))
			c.l.Approx("it goes to "+file, "", v)
		} else {
			c.l.Drop("nginx pipes no logs", "error_log with syslog:, or a file and logrotate", v)
		}
	}
	for _, f := range s.LogFormats {
		c.l.Exact(f)
	}
	return out
}

// logName returns the file of a log in nginx's folder.
func logName(s, fallback string) (string, bool) {
	if strings.HasPrefix(s, "|") || strings.HasPrefix(s, "syslog") {
		return "", false
	}
	name := path.Base(strings.ReplaceAll(s, `\`, "/"))
	if !writable(name) || strings.ContainsAny(name, "$:\"' ;{}%") || name == "." || name == "/" || name == "null" {
		name = fallback
	}
	return logFolder + name, true
}

// format returns the name of a log format; exact is false when something of it is
// not known to nginx.
func (c *conf) format(s *model.Server, word string) (name string, exact bool) {
	format := word
	if !strings.Contains(word, "%") {
		found := false
		for _, f := range s.LogFormats {
			if f.Name.V == word {
				format, found = f.Format.V, true
			}
		}
		if !found {
			return "combined", strings.EqualFold(word, "combined")
		}
	}
	text, exact := c.logFormat(format)
	const combined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`
	if text == combined || !writable(text) {
		return "combined", exact && text == combined
	}
	if n := c.formats[text]; n != "" {
		return n, exact
	}
	want := "format"
	if word != format && headerName.MatchString(word) && !strings.EqualFold(word, "combined") {
		want = word
	}
	name = unique(c.names, want)
	c.formats[text] = name
	c.top = append(c.top, d("log_format", name, text))
	return name, exact
}

// logVars are the letters of mod_log_config.
var logVars = map[byte]string{
	'a': "$remote_addr", 'h': "$remote_addr", 'l': "-", 'u': "$remote_user", 't': "[$time_local]", 'r': "$request", 's': "$status",
	'b': "$body_bytes_sent", 'B': "$body_bytes_sent", 'O': "$bytes_sent", 'I': "$request_length", 'D': "$request_time", 'T': "$request_time", 'v': "$server_name",
	'V': "$host", 'p': "$server_port", 'm': "$request_method", 'U': "$uri", 'q': "$is_args$args", 'H': "$server_protocol", 'A': "$server_addr", 'k': "$connection_requests",
}

// logFormat turns a format of mod_log_config into one of nginx.
func (c *conf) logFormat(f string) (out string, exact bool) {
	exact = true
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			b.WriteString(c.lit(f[i : i+1]))
			continue
		}
		i++
		for i < len(f) && strings.IndexByte("<>!,0123456789", f[i]) >= 0 {
			exact = exact && f[i] == '>'
			i++
		}
		arg := ""
		if i < len(f) && f[i] == '{' {
			end := strings.IndexByte(f[i:], '}')
			if end < 0 {
				return b.String(), false
			}
			arg = f[i+1 : i+end]
			i += end + 1
		}
		if i >= len(f) {
			return b.String(), false
		}
		v := logVars[f[i]]
		switch known := headerName.MatchString(arg); {
		case f[i] == '%':
			v = "%"
		case arg == "" && (f[i] == 'D' || f[i] == 'h'):
			exact = exact && f[i] == 'h'
		case arg == "":
		case f[i] == 'i' && known:
			v = "$http_" + strings.ReplaceAll(strings.ToLower(arg), "-", "_")
		case f[i] == 'o' && known:
			v = "$sent_http_" + strings.ReplaceAll(strings.ToLower(arg), "-", "_")
		case f[i] == 'C' && known && !strings.Contains(arg, "-"):
			v = "$cookie_" + arg
		case f[i] == 'x' && serverVars[arg] != "":
			v = serverVars[arg]
		case f[i] == 'p' && arg == "remote":
			v = "$remote_port"
		default:
			exact, v = false, "-"
		}
		if v == "" {
			exact, v = false, "-"
		}
		if i+1 < len(f) && strings.HasPrefix(v, "$") && isNameByte(f[i+1]) {
			v = "${" + v[1:] + "}"
			if strings.Contains(v[2:], "$") {
				v = "$is_args${args}"
			}
		}
		b.WriteString(v)
	}
	return b.String(), exact
}

func isNameByte(ch byte) bool {
	return ch == '_' || ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z'
}
