package proxy

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// What httpd 2.4 says of its interface for modules (include/ap_mmn.h).
const (
	apiVersion = "20120211"
	apiMinor   = "133"
)

// vars gives an expression what it asks about a request (expr.Request).
type vars struct{ c *call }

func (v vars) Var(name string) string    { return v.c.variable(name) }
func (v vars) Header(name string) string { s, _ := joined(v.c.x.Req.Header, name); return s }

func (v vars) Response(name string) string {
	if v.c.answering != nil {
		if s, ok := v.c.answering.Lookup(name); ok {
			return s
		}
	}
	return v.c.errHeader.Get(name)
}

func (v vars) Env(name string) (string, bool) {
	s, ok := v.c.x.Env[name]
	return s, ok
}

func (v vars) Note(name string) (string, bool) {
	s, ok := v.c.notes[name]
	return s, ok
}

func (v vars) Remote() netip.Addr                  { return plainAddr(v.c.x.Req.Remote) }
func (v vars) Allowed(path string, file bool) bool { return v.c.allowed(path, file) }

// variable is %{NAME} of an expression (request_var_fn, conn_var_fn and
// misc_var_fn in server/util_expr_eval.c); the name is in upper case.
func (c *call) variable(name string) string {
	q := c.x.Req
	switch name {
	case "REQUEST_METHOD":
		return q.Method
	case "REQUEST_SCHEME":
		return c.scheme()
	case "REQUEST_URI", "DOCUMENT_URI":
		return visible(c.path)
	case "REQUEST_FILENAME", "SCRIPT_FILENAME":
		if c.walking == walkBefore && c.url == "" {
			return ""
		}
		return visible(c.fileName())
	case "REMOTE_ADDR", "REMOTE_HOST", "CONN_REMOTE_ADDR":
		return plainAddr(q.Remote).String()
	case "REMOTE_PORT":
		return strconv.Itoa(int(q.Remote.Port()))
	case "SERVER_ADMIN":
		if c.srv.admin == "" {
			return "[no address given]"
		}
		return c.srv.admin
	case "SERVER_NAME":
		return c.serverName()
	case "SERVER_PORT":
		return strconv.Itoa(c.serverPort())
	case "SERVER_PROTOCOL":
		return protocol(q)
	case "PATH_INFO":
		if c.walking == walkBefore {
			return ""
		}
		if c.url != "" || c.filename != "" {
			return c.info
		}
		_, info := c.mapFile()
		return visible(info)
	case "QUERY_STRING":
		return q.Query
	case "IS_SUBREQ":
		return strconv.FormatBool(c.sub)
	case "DOCUMENT_ROOT", "CONTEXT_DOCUMENT_ROOT":
		return c.srv.documentRoot()
	case "THE_REQUEST":
		return q.Method + " " + q.Target + " " + protocol(q)
	case "HANDLER":
		return c.handlerName()
	case "REQUEST_STATUS":
		if c.first != nil && c.status <= 200 {
			return strconv.Itoa(c.first.status)
		}
		return strconv.Itoa(max(c.status, 200))
	case "CONTENT_TYPE":
		if c.answering != nil {
			return c.answering.Get("Content-Type")
		}
		return ""
	case "HTTPS":
		return onOff(q.TLS != nil)
	case "HTTP2":
		return onOff(q.Major == 2)
	case "IPV6":
		return onOff(!plainAddr(q.Remote).Is4())
	case "SERVER_SOFTWARE":
		return c.p.o.Server
	case "API_VERSION":
		return apiVersion
	case "LAST_MODIFIED":
		return "19700101000000"
	}
	if strings.HasPrefix(name, "TIME") {
		return timeVariable(name)
	}
	if strings.HasPrefix(name, "SSL_") {
		v, _ := tlsVar(c.x, name)
		return v
	}
	return c.userVariable(name)
}

// userVariable is what a signed-in user has.
func (c *call) userVariable(name string) string {
	switch name {
	case "REMOTE_USER":
		return c.user
	case "AUTH_TYPE":
		return c.authType
	}
	return ""
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func timeVariable(name string) string {
	now := time.Now()
	layout := map[string]string{"TIME": "20060102150405", "TIME_YEAR": "2006", "TIME_MON": "01", "TIME_DAY": "02",
		"TIME_HOUR": "15", "TIME_MIN": "04", "TIME_SEC": "05"}[name]
	if name == "TIME_WDAY" {
		return strconv.Itoa(int(now.Weekday()))
	}
	if layout == "" {
		return ""
	}
	return now.Format(layout)
}

// handlerName is r->handler.
func (c *call) handlerName() string {
	switch {
	case c.forcedHandler != "":
		return c.forcedHandler
	case c.url != "":
		return "proxy-server"
	case c.walking != walkNone:
		return ""
	case c.conf.handler != "" || c.answering == nil:
		return c.conf.handler
	}
	// The type of the answer stands for the handler that made it.
	t, _, _ := strings.Cut(c.answering.Get("Content-Type"), ";")
	return cmp.Or(t, "default-handler")
}

// addVary notes request headers that the answer depends on.
func (c *call) addVary(names []string) {
	if len(names) == 0 || c.sub {
		return
	}
	h := &c.outHeader
	if c.answering != nil {
		h = c.answering
	}
	appendValue(h, "Vary", strings.Join(names, ", "))
}

// note sets what %{note:…} reads.
func (c *call) note(name, v string) {
	if c.notes == nil {
		c.notes = map[string]string{}
	}
	c.notes[name] = v
}
