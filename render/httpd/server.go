package httpd

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"clowder/parse/model"
)

// virtualHost writes one <VirtualHost>.
func (w *writer) virtualHost(v *model.Server) {
	title := "Virtual host"
	if v.ServerName.V != "" {
		title += " " + v.ServerName.V
	}
	w.comment(title)
	words := make([]string, len(v.Addresses))
	for i, a := range v.Addresses {
		words[i] = a.V
	}
	if len(words) == 0 {
		words = []string{"*"}
	}
	if !writable(words...) {
		w.led.Person(unwritable, "", v)
		return
	}
	w.led.Exact(v.Addresses)
	w.from(v.At)
	w.raw("<VirtualHost " + strings.Join(quoteAll(words), " ") + ">")
	w.depth++
	w.server(v)
	w.close("VirtualHost")
}

// server writes what stands in a server. Definitions come before what uses them;
// otherwise the order of each kind is that of the model, as far as it counts.
func (w *writer) server(s *model.Server) {
	w.unmounted, w.srv = nil, s
	w.values(s)
	w.readTimes(s)
	w.tls(s.TLS)
	w.logs(s)
	w.settings(&s.Settings, nil)
	w.aliases(s)
	plan := planWorkers(s, w.front.Main)
	if w.conn != nil {
		w.connector(s)
	} else {
		w.balancers(s, plan)
		w.mappings(s, plan)
	}
	for _, sec := range s.Sections {
		if isLocation(sec) {
			w.section(sec, plan)
		}
	}
	w.refusal(s)
}

// refusal closes what is lost: rules about requests in every server, rules about
// files in the main one, which the others inherit.
func (w *writer) refusal(s *model.Server) {
	w.refuseUnmounted()
	section, what := "", ""
	switch {
	case w.lost:
		section, what = "Location", "Rules of the source could not be carried over: everything is refused until they are written here"
	case s == w.front.Main && w.filesLost:
		section, what = "Directory", "Rules for files could not be carried over: no file is served until they are written here"
	default:
		return
	}
	w.mods.use("authz_core")
	w.comment(what)
	w.open(s.At, section, "/")
	w.raw("Require all denied")
	if w.mods.need["access_compat"] {
		w.raw("Satisfy All")
	}
	w.close(section)
}

// values writes the single values of a server: their keys are the directives.
func (w *writer) values(s *model.Server) {
	for _, p := range pairs(s) {
		if w.conn != nil && (strings.HasPrefix(p.key, "Proxy") || p.key == "BalancerInherit") {
			continue // mod_proxy is not there
		}
		switch x := p.value.(type) {
		case time.Duration:
			if p.key == "Timeout" && x%time.Second != 0 {
				x = (x + time.Second - 1).Truncate(time.Second)
				w.led.Approx("httpd counts whole seconds; rounded up", "Timeout "+duration(x), p.fact)
			}
			w.put(p.fact, p.key, duration(x))
		case string:
			w.text(p, x)
		case int:
			if strings.HasPrefix(p.key, "Limit") && x < 0 {
				w.led.Person("httpd refuses such a number; the line was left out", p.key, p.fact)
				continue
			}
			w.put(p.fact, p.key, scalar(p.value))
		default:
			w.put(p.fact, p.key, scalar(p.value))
		}
		if known := strings.HasPrefix(p.key, "Proxy") || p.key == "BalancerInherit"; known {
			w.mods.use("proxy")
		}
		if p.key == "BalancerInherit" {
			w.mods.use(schemes["balancer"]...)
		}
	}
	if s.ProxyRequests.V && w.conn == nil {
		w.forward()
	}
	if len(s.Aliases) > 0 {
		var words []string
		for _, a := range s.Aliases {
			words = append(words, quote(a.V))
		}
		w.put(s.Aliases, "ServerAlias", words...)
	}
}

// forward asks for the modules of a forward proxy that the source has.
func (w *writer) forward() {
	w.mods.use("proxy")
	for _, name := range []string{"proxy_http", "proxy_connect", "proxy_ftp"} {
		if len(w.front.Modules) == 0 && name != "proxy_ftp" || w.mods.loaded(name) != nil {
			w.mods.use(name)
		}
	}
}

// text writes a server's text; what httpd 2.4 refuses is for a person.
func (w *writer) text(p pair, v string) {
	if list := serverWords[p.key]; list != "" && !slices.ContainsFunc(strings.Fields(list), func(s string) bool { return strings.EqualFold(s, v) }) {
		w.led.Person("httpd accepts only one of "+strings.ReplaceAll(list, " ", ", ")+"; the line was left out", p.key, p.fact)
		return
	}
	if v == "" {
		w.led.Person("httpd refuses an empty text here; the line was left out", p.key, p.fact)
		return
	}
	switch p.key {
	case "DocumentRoot", "ErrorLog":
		w.put(p.fact, p.key, always(v))
	default:
		w.fact(p.fact, p.key, v)
	}
}

// serverWords are what single values of a server may be.
var serverWords = map[string]string{
	"ProxyVia": "off on full block", "ProxyStatus": "off on full", "ProxyBadHeader": "IsError Ignore StartBody",
	"UseCanonicalName": "off on dns", "AllowEncodedSlashes": "off on nodecode", "TraceEnable": "off on extended",
}

// logs writes formats before the logs that name them.
func (w *writer) logs(s *model.Server) {
	if len(s.LogFormats)+len(s.CustomLogs) == 0 {
		return
	}
	w.mods.use("log_config")
	for _, l := range s.LogFormats {
		words := []string{always(l.Format.V)}
		if l.Name.IsSet() {
			words = append(words, quote(l.Name.V))
		}
		w.put(l, "LogFormat", words...)
		w.formatModules(l.Format.V)
	}
	for _, l := range s.CustomLogs {
		words := []string{always(l.File.V)}
		name := "TransferLog"
		if l.Format.IsSet() {
			name, words = "CustomLog", append(words, quote(l.Format.V))
			w.formatModules(l.Format.V)
			if l.Cond.IsSet() {
				words = append(words, quote(l.Cond.V))
			}
		}
		w.put(l, name, words...)
	}
}

// formatModules asks for modules that give letters of log formats.
func (w *writer) formatModules(format string) {
	for _, part := range strings.Split(format, "%")[1:] {
		part = strings.TrimLeft(part, "<>!,0123456789")
		if strings.HasPrefix(part, "{") {
			_, part, _ = strings.Cut(part, "}")
		}
		switch {
		case part == "":
		case strings.ContainsAny(part[:1], "IOS") || strings.HasPrefix(part, "^FB"):
			w.mods.use("logio")
		case part[0] == 'x' || part[0] == 'c':
			w.mods.use("ssl")
		}
	}
}

// tlsLists are the directives of mod_ssl that take words out of a list.
var tlsLists = map[string]bool{"SSLProtocol": true, "SSLOptions": true, "SSLProxyProtocol": true}

// tls writes mod_ssl's values: their keys are the directives.
func (w *writer) tls(t *model.TLS) {
	if t == nil || reflect.DeepEqual(*t, model.TLS{At: t.At}) {
		return
	}
	w.mods.use("ssl")
	w.comment("TLS")
	for _, p := range pairs(t) {
		text := scalar(p.value)
		switch {
		case text == "":
			w.led.Person("httpd refuses an empty text here; the line was left out", p.key, p.fact)
		case p.key == "SSLProtocol" || p.key == "SSLProxyProtocol":
			w.protocols(p, text)
		case tlsLists[p.key]:
			w.put(p.fact, p.key, quoteAll(strings.Fields(text))...)
		case strings.HasSuffix(p.key, "File") || strings.HasSuffix(p.key, "Path"):
			w.put(p.fact, p.key, always(text))
		default:
			w.fact(p.fact, p.key, text)
		}
	}
}

// protocols leaves out what 2.4 and its libraries no longer speak; taking it away
// is accepted still (ssl_cmd_protocol_parse in modules/ssl/ssl_engine_config.c).
func (w *writer) protocols(p pair, text string) {
	var keep, gone []string
	for _, f := range strings.Fields(text) {
		if strings.EqualFold(strings.TrimPrefix(f, "+"), "SSLv2") || strings.EqualFold(strings.TrimPrefix(f, "+"), "SSLv3") {
			gone = append(gone, f)
		} else {
			keep = append(keep, f)
		}
	}
	if len(gone) > 0 {
		w.led.Person(strings.Join(gone, " ")+" is not offered by httpd 2.4 and was left out; old clients cannot connect then", p.key, p.fact)
	}
	if len(keep) > 0 {
		w.put(p.fact, p.key, quoteAll(keep)...)
	}
}

// aliases writes mod_alias's maps to files.
func (w *writer) aliases(s *model.Server) {
	if len(s.PathAlias) == 0 {
		return
	}
	w.mods.use("alias")
	w.comment("Files")
	for _, a := range s.PathAlias {
		name := "Alias"
		if a.Script.V {
			name = "ScriptAlias"
			if w.mods.loaded("cgi") == nil {
				w.mods.use("cgid")
			}
		}
		if a.Regex.V {
			name += "Match"
		}
		w.put(a, name, always(a.Path.V), always(a.File.V))
	}
}
