package node

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/runtime/ajp"
	"clowder/runtime/session"
)

// webContext is one web application.
type webContext struct {
	path    string // "" for ROOT
	model   *model.Context
	app     http.Handler
	manager session.Manager
	started bool
	// distributable contexts have a manager that replicates
	distributable bool
	route         string // the engine's jvmRoute
	valves        valves
	logs          []*accessLog

	cookieName, cookiePath string
}

// newContext makes the context and its session manager. A context of which no
// web.xml is known counts as distributable when there is a cluster: the app is
// this program's own.
func (e *engine) newContext(h *host, hm *model.Host, m *model.Context, cl *clusterRun, inHost bool) (*webContext, error) {
	n := e.node
	c := &webContext{path: contextPath(m), model: m, route: e.model.JVMRoute.V, app: n.opts.App}
	if c.app == nil {
		c.app = counter{n.model.Name.V}
	}
	var err error
	if c.logs, err = n.newLogs(m.AccessLogs); err != nil {
		return nil, err
	}
	if c.cookieName = m.CookieName.V; c.cookieName == "" {
		c.cookieName = "JSESSIONID"
	}
	if c.cookiePath = m.CookiePath.V; c.cookiePath == "" {
		c.cookiePath = c.path
	}
	if c.cookiePath == "" {
		c.cookiePath = "/"
	}
	mm := m.Manager
	distributable := cl != nil && (m.Distributable.V || m.Distributable.Origin <= model.Default)
	if mm != nil && mm.Class.V != "" {
		cluster := map[string]bool{"DeltaManager": true, "BackupManager": true}[model.SimpleClass(mm.Class.V)]
		distributable = distributable && cluster
	} else if mm == nil && cl != nil && distributable {
		mm = cl.model.Manager
	}
	cfg := sessionConfig(m, mm, c.route)
	name := h.name + "#" + c.path
	if inHost {
		name = c.path
	}
	cfg.Context, cfg.Log = name, n.log
	if !distributable {
		c.manager = session.NewStandard(cfg)
		return c, nil
	}
	c.distributable = true
	if mm != nil && model.SimpleClass(mm.Class.V) == "BackupManager" {
		n.log.Warn("BackupManager runs as DeltaManager: every member holds every session", "context", name)
	}
	cfg.SendOptions = cl.model.SendOptions.Or(8)
	c.manager = cl.cluster.NewDelta(cfg)
	if c.valves, err = valvesOf(cl.model); err != nil {
		return nil, fmt.Errorf("valve filter: %w", err)
	}
	// The binder may also stand as a valve of the engine, host or context.
	for _, list := range [][]*model.Component{e.model.Valves, hm.Valves, m.Valves} {
		for _, v := range list {
			if model.SimpleClass(v.Class.V) == "JvmRouteBinderValve" {
				c.valves.bind = true
			}
		}
	}
	return c, nil
}

// sessionConfig reads a Manager element; nil stands for one without attributes.
func sessionConfig(m *model.Context, mm *model.Manager, route string) session.Config {
	if mm == nil {
		mm = &model.Manager{}
	}
	cfg := session.Config{
		JVMRoute: route, IDLength: mm.SessionIDLength.Or(16), MaxActive: mm.MaxActive.Or(-1),
		MaxInactive:          time.Duration(m.SessionTimeout.Or(30)) * time.Minute,
		StateTransferTimeout: time.Duration(mm.StateTimeout.Or(60)) * time.Second,
		ExpireOnShutdown:     mm.ExpireOnShutdown.V, SendAllSessions: mm.SendAllSessions.Or(true),
		SendAllSize: mm.SendAllSize.Or(1000), SendAllWait: ms(mm.SendAllWait, 2000),
		StateTimestampDrop: mm.StateTimestamp.Or(true), RecordAllActions: mm.RecordAllActions.V,
		NameFilter: mm.AttrNameFilter.V,
	}
	if mm.MaxInactive.IsWritten() && !m.SessionTimeout.IsWritten() {
		cfg.MaxInactive = time.Duration(mm.MaxInactive.V) * time.Second
	}
	return cfg
}

// serve answers one request of the context: Tomcat's order is session id,
// JvmRouteBinderValve, servlet, ReplicationValve, end of the answer.
func (c *webContext) serve(x *exchangeInfo, r *http.Request, path string, params []string) {
	w := &x.writer
	if path == c.path && path != "" {
		// Mapper: the root of a context ends with a slash.
		to := (c.path + "/")
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
		return
	}
	r.URL.Path = path
	b := &session.Binding{Manager: c.manager}
	b.Requested, b.FromCookie, b.FromURL = c.requested(r, params)
	secure := r.TLS != nil || x.info != nil && x.info.TLS || x.connector.model.Secure.V
	b.OnCreate = func(s *session.Session) { x.session = s.ID(); c.setCookie(w, s.ID(), secure) }
	if c.valves.bind && c.route != "" {
		if id, old := c.rebind(b.Requested); id != "" {
			b.Requested = id
			r = r.WithContext(context.WithValue(r.Context(), originalKey{}, old))
			c.setCookie(w, id, secure)
		}
	}
	r = session.Bind(r, b)
	c.app.ServeHTTP(w, r)
	if s := session.Current(r); s != nil {
		x.session = s.ID()
		c.replicate(x, s)
	}
}

func (c *webContext) replicate(x *exchangeInfo, s *session.Session) {
	if c.distributable && (!c.valves.replicate || c.valves.filter != nil && c.valves.filter.MatchString(x.uri)) {
		s.EndAccess()
		return
	}
	if err := c.manager.EndRequest(s); err != nil {
		x.connector.engine.node.log.Warn("session was not replicated", "context", c.manager.Context(), "err", err)
	}
}

type originalKey struct{}

// OriginalSessionID returns the session id that the client sent when the node
// has just given the session its own route, else "". In Tomcat it is the request
// attribute org.apache.catalina.ha.session.JvmRouteOriginalSessionID.
func OriginalSessionID(r *http.Request) string {
	s, _ := r.Context().Value(originalKey{}).(string)
	return s
}

// rebind takes over a session of another node (JvmRouteBinderValve): it returns
// the id with the local route, or "" when there is nothing to do.
func (c *webContext) rebind(requested string) (id, old string) {
	base, route, ok := strings.Cut(requested, ".")
	if !ok || route == c.route {
		return "", ""
	}
	id = base + "." + c.route
	if s := c.manager.Find(requested); s != nil {
		c.manager.ChangeID(s, id)
		return id, requested
	}
	if c.manager.Find(id) != nil { // another request was faster
		return id, requested
	}
	return "", ""
}

// maxSessionCookies bounds how many cookies of one name are tried.
const maxSessionCookies = 16

// requested finds the session id the client asks for: of the cookies the first
// that names a session, else the path parameter (CoyoteAdapter.postParseRequest,
// parseSessionCookiesId).
func (c *webContext) requested(r *http.Request, params []string) (id string, cookie, url bool) {
	param := "jsessionid="
	if c.cookieName != "JSESSIONID" {
		param = c.cookieName + "="
	}
	for _, p := range params {
		if v, ok := strings.CutPrefix(p, param); ok && v != "" {
			id, url = v, true
			break
		}
	}
	if c.model.Cookies.IsSet() && !c.model.Cookies.V {
		return id, false, url
	}
	tried := 0
	for _, k := range r.CookiesNamed(c.cookieName) {
		if tried++; k.Value == "" || tried > maxSessionCookies {
			continue
		}
		if !cookie || c.manager.Find(id) == nil {
			id, cookie, url = k.Value, true, false
		}
	}
	return id, cookie, url
}

// setCookie puts the session cookie into the answer, instead of an earlier one
// (Response.addSessionCookieInternal), written as Rfc6265CookieProcessor does.
func (c *webContext) setCookie(w http.ResponseWriter, id string, secure bool) {
	if c.model.Cookies.IsSet() && !c.model.Cookies.V {
		return
	}
	h := w.Header()
	var keep []string
	for _, v := range h["Set-Cookie"] {
		if !strings.HasPrefix(v, c.cookieName+"=") {
			keep = append(keep, v)
		}
	}
	v := c.cookieName + "=" + id
	if d := c.model.CookieDomain.V; d != "" {
		v += "; Domain=" + d
	}
	v += "; Path=" + c.cookiePath
	if secure || c.model.CookieSecure.V {
		v += "; Secure"
	}
	if c.model.HTTPOnly.Or(true) {
		v += "; HttpOnly"
	}
	h["Set-Cookie"] = append(keep, v)
}

// exchangeInfo is what the access log wants to know about a request.
type exchangeInfo struct {
	connector  *connector
	info       *ajp.Info // nil for HTTP
	uri        string    // raw path
	session    string
	begin, end time.Time
	writer     recorder
}

// recorder remembers status and size of the answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	commit time.Time
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.commit = status, time.Now()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status, w.commit = http.StatusOK, time.Now()
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Flush makes the recorder an http.Flusher; servers of this package always flush.
func (w *recorder) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
