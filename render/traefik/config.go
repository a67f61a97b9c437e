package traefik

// The parts of Traefik's static and dynamic configuration that are written
// (doc.traefik.io, "Static configuration" and "Dynamic configuration", file provider).

type static struct {
	EntryPoints map[string]*entryPoint `yaml:"entryPoints"`
	Providers   providers              `yaml:"providers"`
	AccessLog   *struct{}              `yaml:"accessLog,omitempty"`
	API         *struct{}              `yaml:"api,omitempty"`
}

type entryPoint struct {
	Address   string     `yaml:"address"`
	ReusePort bool       `yaml:"reusePort,omitempty"` // beside one on every address; the narrower socket gets the connection
	HTTP      entryHTTP  `yaml:"http"`
	Transport *transport `yaml:"transport,omitempty"`
}

// entryHTTP refuses what a path can hide behind an encoding; Traefik's defaults
// let it pass (pkg/config/static/entrypoints.go of Traefik).
type entryHTTP struct {
	EncodedCharacters map[string]bool `yaml:"encodedCharacters"`
}

type transport struct {
	RespondingTimeouts map[string]string `yaml:"respondingTimeouts,omitempty"`
}

type providers struct {
	File fileProvider `yaml:"file"`
}

type fileProvider struct {
	Filename string `yaml:"filename"`
	Watch    bool   `yaml:"watch"`
}

type dynamic struct {
	HTTP httpPart `yaml:"http"`
	TLS  *tlsPart `yaml:"tls,omitempty"`
}

type httpPart struct {
	Routers           map[string]*router     `yaml:"routers,omitempty"`
	Middlewares       map[string]*middleware `yaml:"middlewares,omitempty"`
	Services          map[string]*service    `yaml:"services,omitempty"`
	ServersTransports map[string]*serversTr  `yaml:"serversTransports,omitempty"`
}

type router struct {
	EntryPoints []string   `yaml:"entryPoints"`
	Rule        string     `yaml:"rule"`
	Priority    int        `yaml:"priority"`
	Middlewares []string   `yaml:"middlewares,omitempty"`
	Service     string     `yaml:"service"`
	TLS         *routerTLS `yaml:"tls,omitempty"`
}

type routerTLS struct {
	Options string `yaml:"options,omitempty"`
}

type middleware struct {
	IPAllowList      *ipAllowList  `yaml:"ipAllowList,omitempty"`
	BasicAuth        *basicAuth    `yaml:"basicAuth,omitempty"`
	StripPrefix      *stripPrefix  `yaml:"stripPrefix,omitempty"`
	ReplacePathRegex *replacePath  `yaml:"replacePathRegex,omitempty"`
	RedirectRegex    *redirectRule `yaml:"redirectRegex,omitempty"`
	Headers          *headers      `yaml:"headers,omitempty"`
	Retry            *retry        `yaml:"retry,omitempty"`
}

type ipAllowList struct {
	SourceRange []string `yaml:"sourceRange"`
}

type basicAuth struct {
	UsersFile string `yaml:"usersFile"`
	Realm     string `yaml:"realm,omitempty"`
}

type stripPrefix struct {
	Prefixes []string `yaml:"prefixes"`
}

type replacePath struct {
	Regex       string `yaml:"regex"`
	Replacement string `yaml:"replacement"`
}

type redirectRule struct {
	Regex       string `yaml:"regex"`
	Replacement string `yaml:"replacement"`
	Permanent   bool   `yaml:"permanent,omitempty"`
}

type headers struct {
	CustomRequestHeaders  map[string]string `yaml:"customRequestHeaders,omitempty"`
	CustomResponseHeaders map[string]string `yaml:"customResponseHeaders,omitempty"`
}

type retry struct {
	Attempts int `yaml:"attempts"`
}

type service struct {
	LoadBalancer *loadBalancer `yaml:"loadBalancer,omitempty"`
	Failover     *failover     `yaml:"failover,omitempty"`
}

type loadBalancer struct {
	Servers          []server     `yaml:"servers"`
	PassHostHeader   bool         `yaml:"passHostHeader"`
	ServersTransport string       `yaml:"serversTransport,omitempty"`
	Sticky           *sticky      `yaml:"sticky,omitempty"`
	HealthCheck      *healthCheck `yaml:"healthCheck,omitempty"`
}

type server struct {
	URL    string `yaml:"url"`
	Weight int    `yaml:"weight,omitempty"`
}

type sticky struct {
	Cookie stickyCookie `yaml:"cookie"`
}

type stickyCookie struct {
	Name     string `yaml:"name"`
	HTTPOnly bool   `yaml:"httpOnly"`
	Secure   bool   `yaml:"secure,omitempty"`
}

type healthCheck struct {
	Path     string `yaml:"path"`
	Method   string `yaml:"method,omitempty"`
	Interval string `yaml:"interval,omitempty"`
}

type failover struct {
	Service     string    `yaml:"service"`
	Fallback    string    `yaml:"fallback"`
	HealthCheck *struct{} `yaml:"healthCheck,omitempty"`
}

type serversTr struct {
	ServerName          string             `yaml:"serverName,omitempty"`
	InsecureSkipVerify  bool               `yaml:"insecureSkipVerify,omitempty"`
	RootCAs             []string           `yaml:"rootCAs,omitempty"`
	MaxIdleConnsPerHost int                `yaml:"maxIdleConnsPerHost,omitempty"`
	ForwardingTimeouts  *forwardingTimeout `yaml:"forwardingTimeouts,omitempty"`
}

type forwardingTimeout struct {
	DialTimeout           string `yaml:"dialTimeout,omitempty"`
	ResponseHeaderTimeout string `yaml:"responseHeaderTimeout,omitempty"`
}

type tlsPart struct {
	Certificates []certificate         `yaml:"certificates,omitempty"`
	Options      map[string]*tlsOption `yaml:"options,omitempty"`
}

type certificate struct {
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
}

type tlsOption struct {
	MinVersion string      `yaml:"minVersion,omitempty"`
	MaxVersion string      `yaml:"maxVersion,omitempty"`
	ClientAuth *clientAuth `yaml:"clientAuth,omitempty"`
}

type clientAuth struct {
	CAFiles        []string `yaml:"caFiles"`
	ClientAuthType string   `yaml:"clientAuthType"`
}
