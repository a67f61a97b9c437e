package httpd

import (
	"regexp"
	"strconv"
	"strings"
)

// builtinModules are compiled into every build, or into the usual ones.
var builtinModules = strings.Fields(`core so http mpm_event log_config unixd version watchdog logio`)

// stockModules are taken as loaded when no LoadModule line exists anywhere.
var stockModules = strings.Fields(`access_compat actions alias allowmethods auth_basic auth_digest authn_anon
	authn_core authn_dbd authn_dbm authn_file authn_socache authz_core authz_dbd authz_dbm authz_groupfile authz_host
	authz_owner authz_user autoindex cache cache_disk cgi cgid data dav deflate dir dumpio env expires ext_filter
	file_cache filter headers imagemap include info lbmethod_bybusyness lbmethod_byrequests lbmethod_bytraffic
	lbmethod_heartbeat ldap macro mime mime_magic negotiation proxy proxy_ajp proxy_balancer proxy_connect proxy_express
	proxy_fcgi proxy_ftp proxy_hcheck proxy_html proxy_http proxy_http2 proxy_scgi proxy_uwsgi proxy_wstunnel ratelimit
	remoteip reqtimeout request rewrite sed session session_cookie setenvif slotmem_plain slotmem_shm socache_dbm
	socache_memcache socache_shmcb speling ssl status substitute suexec unique_id userdir usertrack vhost_alias xml2enc http2`)

func (l *loader) addModule(name string) {
	name = strings.TrimSuffix(name, "_module")
	m := l.c.Modules
	if len(m) > maxModules {
		return
	}
	m[name+"_module"] = true
	m["mod_"+name+".c"] = true
	switch name {
	case "core", "http":
		m[name+".c"], m["http_core.c"] = true, true
	case "mpm_event", "mpm_worker", "mpm_prefork":
		m[strings.TrimPrefix(name, "mpm_")+".c"] = true
	case "log_config", "so":
	}
}

// condition evaluates an <IfX> section as start_ifmod, start_ifdefine,
// start_ifversion, … of httpd do.
func (l *loader) condition(n *Node) bool {
	if n.noAngle {
		return true
	}
	if len(n.Args) == 0 {
		l.syntax(n.Span, "`<%s>` needs an argument", n.Name)
		return false
	}
	if n.Is("IfVersion") {
		return l.ifVersion(n)
	}
	ln := n.line()
	_, _, _, at := ln.word(0)
	not := false
	if at < len(ln.text) && ln.text[at] == '!' {
		not = true
		at++
	}
	end := strings.LastIndexByte(ln.text, '>')
	if end < at {
		end = len(ln.text)
	}
	cut := ln
	cut.text = ln.text[:end]
	arg, _, _, _ := cut.word(at)
	if arg == "" {
		l.syntax(n.Span, "`<%s>` needs an argument", n.Name)
		return false
	}
	return l.holds(n, arg) != not
}

func (l *loader) holds(n *Node, arg string) bool {
	switch n.key() {
	case "ifmodule":
		return l.c.Modules[arg]
	case "ifdefine":
		return l.defined[arg]
	case "iffile":
		_, err := l.o.Stat(l.locate(arg))
		return err == nil
	case "ifsection":
		return l.c.hasCommand("<" + arg)
	}
	return l.c.hasCommand(arg)
}

func (l *loader) ifVersion(n *Node) bool {
	op, arg := "=", n.Arg(0)
	if len(n.Args) > 1 {
		op, arg = n.Arg(0), n.Arg(1)
	}
	text := n.line().text
	if k := strings.LastIndexByte(text, '>'); len(n.Args) == 1 && strings.TrimSpace(text[k+1:]) != "" {
		l.syntax(n.Span, "`<IfVersion>`: text behind its `>`") // the words are cut before the ">" is looked for
		return false
	}
	not := strings.HasPrefix(op, "!")
	op = strings.TrimPrefix(op, "!")
	if op == "" {
		op = "!"
	}
	if op == "~" || op == "=" && strings.HasPrefix(arg, "/") {
		if op == "=" {
			if len(arg) < 2 || !strings.HasSuffix(arg, "/") {
				l.syntax(n.Span, "`<IfVersion>`: the regular expression lacks its closing `/`")
				return false
			}
			arg = arg[1 : len(arg)-1]
		}
		re, err := regexp.Compile(arg)
		if err != nil {
			l.syntax(n.Span, "`<IfVersion>`: the regular expression cannot be compiled: %v", err)
			return false
		}
		return re.MatchString(l.o.Version) != not
	}
	want, ok := version(arg)
	if !ok {
		l.syntax(n.Span, "`<IfVersion>`: `%s` is not of the form major[.minor[.patch]]", arg)
		return false
	}
	have, _ := version(l.o.Version)
	c := 0
	for i := range have {
		if c == 0 {
			c = have[i] - want[i]
		}
	}
	switch op {
	case "=", "==":
		return (c == 0) != not
	case ">":
		return (c > 0) != not
	case ">=":
		return (c >= 0) != not
	case "<":
		return (c < 0) != not
	case "<=":
		return (c <= 0) != not
	}
	l.syntax(n.Span, "`<IfVersion>`: unknown operator `%s`", n.Arg(0))
	return false
}

func version(s string) (v [3]int, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 3 {
		return v, false
	}
	for i, p := range parts {
		x, err := strconv.Atoi(p)
		if err != nil || x < 0 {
			return v, false
		}
		v[i] = x
	}
	return v, true
}
