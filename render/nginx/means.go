package nginx

import (
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// means are nginx's nearest means for what is dropped because nothing carries it.
var means = map[string]string{
	"health":                   "max_fails and fail_timeout; health_check of NGINX Plus",
	"Member.max":               "max_conns, which answers with an error instead of waiting",
	"Member.acquire":           "queue of NGINX Plus",
	"Member.addressttl":        "server … resolve, from nginx 1.27.3",
	"Member.iobuffersize":      "proxy_buffer_size",
	"Member.responsefieldsize": "proxy_buffer_size",
	"Server.ProxyIOBufferSize": "proxy_buffer_size",
	"Server.ProxyVia":          "proxy_set_header Via and add_header Via",
	"Balancer.timeout":         "queue of NGINX Plus",
	"Balancer.growth":          "the API of NGINX Plus",
	"environment":              "map and set",
	"Alias":                    "location with alias",
	"Server.DocumentRoot":      "location with root",
	"redirects":                "return, rewrite",
	"TLS.SSLOptions":           "proxy_set_header with $ssl_client_s_dn, $ssl_client_verify and the like",
	"TLS.SSLCACertificatePath": "ssl_client_certificate",
	"TLS.SSLCARevocationFile":  "ssl_crl",
}

// extra is what becomes of a directive that the model keeps as it stands: message
// "" is exact, for what nginx does anyway or what is about httpd's own insides.
type extra struct{ message, means string }

var extras = map[string]extra{
	"serversignature": {}, "fileetag": {}, "include": {}, "includeoptional": {}, "pidfile": {"set by the system's service", "pid"},
	"user": {"set it once for all of nginx", "user"}, "group": {"set it once for all of nginx", "user"},
	"serverlimit":  {"nginx needs no process for each connection", "worker_processes, worker_connections"},
	"servertokens": {}, "directoryindex": {"index.html is taken", "index"}, "typesconfig": {}, "hostnamelookups": {},
	"acceptfilter": {}, "mutex": {}, "extendedstatus": {}, "usecanonicalphysicalport": {}, "proxystatus": {}, "namevirtualhost": {},
	"loglevel": {"errors from warn on are logged", "error_log"}, "maxkeepaliverequests": {"nginx closes a connection after 1000 requests", "keepalive_requests"},
	"requestreadtimeout": {"nginx waits 60 s between two reads", "client_header_timeout, client_body_timeout"},
	"limitrequestline":   {"a line has up to 8 KiB", "large_client_header_buffers"}, "limitrequestfieldsize": {"a header has up to 8 KiB", "large_client_header_buffers"},
	"limitrequestfields": {"their number is not limited, only their size", "large_client_header_buffers"},
	"adddefaultcharset":  {"", ""}, "protocolshonororder": {}, "sslsessioncache": {"", ""}, "sslsessioncachetimeout": {"", ""},
	"sslrandomseed": {}, "sslpassphrasedialog": {"a key with a pass phrase needs a file with it", "ssl_password_file"},
	"sslcompression": {}, "sslsessiontickets": {"nginx has tickets on", "ssl_session_tickets"}, "sslstrictsnivhostcheck": {"nginx answers with its default server", ""},
	"sslopensslconfcmd": {"", "ssl_conf_command"},
	"setoutputfilter":   {"answers are not compressed", "gzip on"}, "addoutputfilterbytype": {"answers are not compressed", "gzip on, gzip_types"},
}

// workers are the settings of httpd's process models.
var workers = []string{"startservers", "minspareservers", "maxspareservers", "maxclients", "maxrequestworkers", "threadsperchild", "threadlimit",
	"minsparethreads", "maxsparethreads", "maxrequestsperchild", "maxconnectionsperchild", "listenbacklog", "sendbuffersize", "receivebuffersize", "coredumpdirectory",
	"asyncrequestworkerfactor", "gracefulshutdowntimeout", "enablesendfile", "enablemmap", "scoreboardfile", "lockfile", "acceptmutex"}

// unreached accounts for what no request meets, and for the directives that the
// model keeps as they stand.
func (c *conf) unreached() {
	f := c.plan.Front
	reached, members := map[*model.Server]bool{}, map[*model.Member]bool{}
	files, docRoot := false, false
	for _, s := range c.plan.Sites {
		reached[s.Source] = true
	}
	for _, o := range c.plan.Outcomes() {
		files = files || o.Kind == plan.Files && !o.Access.Closed()
		docRoot = docRoot || o.Kind == plan.Files && o.Root != "" && o.Strip == "/" && !scripts(o.Settings.Extras)
	}
	for _, vh := range f.VHosts {
		if !reached[vh] {
			c.l.Approx("no socket leads to its virtual host: it was left out", "", vh)
		}
	}
	for _, p := range c.plan.Pools {
		for _, m := range p.Members {
			members[m.Source] = true
		}
	}
	for _, s := range append([]*model.Server{f.Main}, f.VHosts...) {
		if s == nil {
			continue
		}
		c.unused(s, members)
		if s.TLS != nil {
			c.l.Exact(s.TLS)
		}
		if files && !docRoot {
			c.l.Drop("its files may be guarded by sections for directories, or be programs: nginx answers with 404", "root", s.DocRoot)
		}
		c.l.Exact(s.DocRoot, s.ServerName, s.Aliases, s.CanonicalName)
		c.l.Exact(s.TraceEnable)
		c.settled(&s.Settings)
		for _, sec := range s.Sections {
			c.settled(&sec.Settings)
		}
	}
}

// unused accounts for balancers and workers that no request is sent to.
func (c *conf) unused(s *model.Server, members map[*model.Member]bool) {
	const why = "no request is sent to it: it was left out"
	for _, b := range s.Balancers {
		if len(b.Members) > 0 && !slices.ContainsFunc(b.Members, func(m *model.Member) bool { return members[m] }) {
			c.l.Approx(why, "", b)
		}
	}
	for _, w := range s.Workers {
		if !members[w] {
			c.l.Approx(why, "", w)
		}
	}
}

// settled marks what the plan has taken into account in settings: the access rules
// that others replace, and directives without a field. The worst mark counts, so
// that what is lost somewhere stays so.
func (c *conf) settled(st *model.Settings) {
	c.l.Exact(st.Access, st.Handler, st.PreserveHost, st.AddHeaders, st.ErrorOverride, st.Reverses, st.CookiePaths, st.CookieDomains,
		st.ErrorDocs, st.Redirects)
	for _, r := range st.Headers {
		if r.Request.V {
			c.l.Exact(r)
		}
	}
	for _, x := range st.Extras {
		c.extra(x)
	}
}

func (c *conf) extra(x *model.Directive) {
	name := strings.ToLower(x.Name.V)
	e, known := extras[name]
	switch {
	case x.Guard.V && !x.Files.V:
		// the plan closes what it is about
	case x.Files.V:
		c.l.Exact(x) // files are served only where these sections let everybody in
	case slices.Contains(workers, name) || known && e.message == "" && e.means == "":
		c.l.Exact(x)
	case known:
		c.l.Drop(e.message, e.means, x)
	case name == "sslproxyengine":
	}
}

// tokens hides nginx's version where httpd hides its own.
func (c *conf) tokens() *dir {
	for _, x := range c.plan.Front.Main.Settings.Extras {
		if strings.EqualFold(x.Name.V, "ServerTokens") && !strings.EqualFold(x.Arg(0), "full") && !strings.EqualFold(x.Arg(0), "os") {
			return d("server_tokens", "off").from(x.At)
		}
	}
	return nil
}
