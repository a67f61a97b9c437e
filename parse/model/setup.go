package model

import (
	"strings"

	"clowder/parse/diag"
)

// Setup is one httpd front end (or several) and its Tomcats. It is built by
// parse.Load and not changed afterwards; reading it from many goroutines is safe.
type Setup struct {
	FrontEnds []*FrontEnd `key:"frontend"`
	Nodes     []*Node     `key:"node"`
	App       *App        `key:"app"`

	Files    []*diag.File `key:"-"` // all files read, in load order
	Unmapped []Unmapped   `key:"-"` // what the model does not hold
}

// App says what the Go nodes answer with; nil means the counter page.
type App struct {
	At       diag.Span
	Kind     String `key:"kind"`     // counter, static or upstream
	Upstream String `key:"upstream"` // URL of the process behind kind upstream
}

// Unmapped is a directive, element or attribute that the model does not hold.
type Unmapped struct {
	Span diag.Span
	What string // "RewriteMap", "Connector attribute bindOnInit"

	Guard     bool // restricts who may send requests: a run without it would be more open
	FileGuard bool // restricts access to files only
}

// Node returns the node of that name, or nil.
func (s *Setup) Node(name string) *Node {
	for _, n := range s.Nodes {
		if n.Name.V == name {
			return n
		}
	}
	return nil
}

// FrontEnd is one httpd: its listening sockets, modules and servers.
type FrontEnd struct {
	At         diag.Span
	Name       String    `key:"name"`                     // unique in the setup; "httpd" when there is one
	Version    String    `key:"version"`                  // 2.2.21, 2.4
	Host       String    `key:"host"`                     // address of the machine it runs on
	ServerRoot String    `key:"ServerRoot"`               // as written
	Workers    Int       `key:"MaxRequestWorkers"`        // requests at one time; MaxClients
	Processes  Int       `key:"ServerLimit"`              // child processes
	Threads    Int       `key:"ThreadsPerChild"`          // of one child process
	AsyncMore  Float     `key:"AsyncRequestWorkerFactor"` // of the event MPM: waiting connections for each worker
	Backlog    Int       `key:"ListenBacklog"`            // connections that wait in the kernel
	Listens    []*Listen `key:"listen"`
	Modules    []*Module `key:"module"`
	Main       *Server   `key:"server"` // settings outside every <VirtualHost>
	VHosts     []*Server `key:"virtualhost"`
}

// HasModule reports whether the module (its identifier, "proxy_balancer_module")
// is loaded by a LoadModule line of the setup.
func (f *FrontEnd) HasModule(ident string) bool {
	for _, m := range f.Modules {
		if m.Name.V == ident {
			return true
		}
	}
	return false
}

// Listen is one Listen directive.
type Listen struct {
	At       diag.Span
	Address  String `key:"address"` // unset: every address
	Port     Int    `key:"port"`
	Protocol String `key:"protocol"`
}

// Module is one LoadModule line.
type Module struct {
	At   diag.Span
	Name String `key:"name"` // identifier: proxy_module
	File String `key:"file"`
}

// Server is the main server or one <VirtualHost>, as written: settings that a
// virtual host inherits from the main server stand only there. Use
// [FrontEnd.Effective] for the merged view of httpd.
type Server struct {
	At         diag.Span
	Addresses  []String    `key:"addresses"` // of <VirtualHost>; empty for the main server
	ServerName String      `key:"ServerName"`
	Aliases    []String    `key:"ServerAlias"`
	DocRoot    String      `key:"DocumentRoot"`
	Admin      String      `key:"ServerAdmin"`
	Settings   Settings    `key:",inline"`
	Balancers  []*Balancer `key:"balancer"`
	Workers    []*Member   `key:"worker"`  // plain workers outside balancers
	Mappings   []*Mapping  `key:"mapping"` // ProxyPass and ProxyPassMatch in file order
	PathAlias  []*Alias    `key:"alias"`   // Alias, AliasMatch, ScriptAlias, ScriptAliasMatch in file order
	Sections   []*Section  `key:"section"` // Location, Proxy, … in file order

	Timeout         Duration `key:"Timeout" default:"60s"`
	ProxyTimeout    Duration `key:"ProxyTimeout"`
	ProxyRequests   Bool     `key:"ProxyRequests" default:"false"`
	ProxyVia        String   `key:"ProxyVia" default:"Off"`
	ProxyStatus     String   `key:"ProxyStatus" default:"Off"`
	ProxyBadHeader  String   `key:"ProxyBadHeader" default:"IsError"`
	IOBufferSize    Int      `key:"ProxyIOBufferSize" default:"8192"` // bytes
	RecvBufferSize  Int      `key:"ProxyReceiveBufferSize" default:"0"`
	MaxForwards     Int      `key:"ProxyMaxForwards" default:"-1"`
	BalancerInherit Bool     `key:"BalancerInherit" default:"true"`
	PassInherit     Bool     `key:"ProxyPassInherit" default:"true"`
	KeepAlive       Bool     `key:"KeepAlive" default:"true"`
	KeepAliveTime   Duration `key:"KeepAliveTimeout" default:"5s"`
	MaxKeepAlive    Int      `key:"MaxKeepAliveRequests" default:"100"` // 0: no bound
	LimitLine       Int      `key:"LimitRequestLine" default:"8190"`    // bytes
	LimitFields     Int      `key:"LimitRequestFields" default:"100"`   // 0: no bound
	LimitFieldSize  Int      `key:"LimitRequestFieldSize" default:"8190"`
	HTTPOptions     []String `key:"HttpProtocolOptions"`
	CanonicalName   String   `key:"UseCanonicalName" default:"Off"`
	EncodedSlashes  String   `key:"AllowEncodedSlashes" default:"Off"`
	MergeSlashes    Bool     `key:"MergeSlashes" default:"true"`
	TraceEnable     String   `key:"TraceEnable" default:"on"`
	ErrorLog        String   `key:"ErrorLog"`
	CustomLogs      []*Log   `key:"CustomLog"`
	LogFormats      []*Log   `key:"LogFormat"`
	TLS             *TLS     `key:"tls"`

	ReadTime *ReadTimeout `key:"readtimeout"`
}

// Log is one CustomLog or LogFormat.
type Log struct {
	At     diag.Span
	File   String `key:"file"`      // of CustomLog
	Format String `key:"format"`    // a nickname or a format
	Name   String `key:"name"`      // nickname given by LogFormat
	Cond   String `key:"condition"` // of CustomLog: env=NAME, env=!NAME, expr=…
}

// TLS is mod_ssl: the server side, and SSLProxy* towards https:// members. The
// keys are the directives; what takes several words is kept with single blanks.
type TLS struct {
	At              diag.Span
	Engine          String `key:"SSLEngine"`
	CertFile        String `key:"SSLCertificateFile"`
	KeyFile         String `key:"SSLCertificateKeyFile"`
	ChainFile       String `key:"SSLCertificateChainFile"`
	Protocol        String `key:"SSLProtocol"`
	CipherSuite     String `key:"SSLCipherSuite"`
	CipherOrder     Bool   `key:"SSLHonorCipherOrder"`
	VerifyClient    String `key:"SSLVerifyClient"`
	VerifyDepth     Int    `key:"SSLVerifyDepth"`
	CAFile          String `key:"SSLCACertificateFile"`
	CAPath          String `key:"SSLCACertificatePath"`
	CARevocation    String `key:"SSLCARevocationFile"`
	Stapling        Bool   `key:"SSLUseStapling"`
	Options         String `key:"SSLOptions"`
	ProxyEngine     Bool   `key:"SSLProxyEngine"`
	ProxyVerify     String `key:"SSLProxyVerify"`
	ProxyDepth      Int    `key:"SSLProxyVerifyDepth"`
	ProxyCAFile     String `key:"SSLProxyCACertificateFile"`
	ProxyCAPath     String `key:"SSLProxyCACertificatePath"`
	ProxyPeerName   Bool   `key:"SSLProxyCheckPeerName"`
	ProxyPeerCN     Bool   `key:"SSLProxyCheckPeerCN"`
	ProxyPeerExpire Bool   `key:"SSLProxyCheckPeerExpire"`
	ProxyProtocol   String `key:"SSLProxyProtocol"`
	ProxyCiphers    String `key:"SSLProxyCipherSuite"`
	ProxyCert       String `key:"SSLProxyMachineCertificateFile"`
}

// Rewrite is mod_rewrite in one server or section. Conditions belong to the rule
// that follows them.
type Rewrite struct {
	At      diag.Span
	Engine  Bool           `key:"RewriteEngine"`
	Base    String         `key:"RewriteBase"`
	Options []String       `key:"RewriteOptions"`
	Rules   []*RewriteRule `key:"rule"`
}

// RewriteRule is one RewriteRule with its conditions.
type RewriteRule struct {
	At      diag.Span
	Conds   []*RewriteCond `key:"cond"`
	Pattern String         `key:"pattern"`
	Target  String         `key:"target"`
	Flags   String         `key:"flags"` // without the brackets
}

// HasFlag reports whether the rule has the flag, by its short or long name
// (mod_rewrite's cmd_rewriterule_setflag).
func (r *RewriteRule) HasFlag(short, long string) bool {
	for flag := range strings.SplitSeq(r.Flags.V, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(flag), "=")
		if strings.EqualFold(name, short) || strings.EqualFold(name, long) {
			return true
		}
	}
	return false
}

// RewriteCond is one RewriteCond.
type RewriteCond struct {
	At      diag.Span
	Test    String `key:"test"`
	Pattern String `key:"pattern"`
	Flags   String `key:"flags"`
}

// Settings are the per-directory directives that may stand in a server and in a section.
type Settings struct {
	Handler       String        `key:"SetHandler"`
	PreserveHost  Bool          `key:"ProxyPreserveHost"`
	ErrorOverride String        `key:"ProxyErrorOverride"` // On, Off, or "On 404 500"
	AddHeaders    Bool          `key:"ProxyAddHeaders"`
	Continue100   Bool          `key:"Proxy100Continue"`
	InterpolEnv   Bool          `key:"ProxyPassInterpolateEnv"`
	LimitBody     Int           `key:"LimitRequestBody"` // bytes; 0: no bound
	Reverses      []*Reverse    `key:"reverse"`
	CookiePaths   []*Reverse    `key:"cookiepath"`
	CookieDomains []*Reverse    `key:"cookiedomain"`
	Headers       []*HeaderRule `key:"header"`
	SetEnv        []*Env        `key:"setenv"`
	ErrorDocs     []*ErrorDoc   `key:"errordocument"`
	Redirects     []*Redirect   `key:"redirect"` // in file order
	Access        *Access       `key:"access"`
	Rewrite       *Rewrite      `key:"rewrite"`
	Extras        []*Directive  `key:"extra"` // directives and sections without a field; read only on demand
}

// Redirect is Redirect, RedirectMatch, RedirectPermanent or RedirectTemp
// (mod_alias). In a server ProxyPass comes before it, in a Location it comes first.
//
// Without a path, in a section only, it answers every request that the section is
// about, and the target is an expression (%{REQUEST_URI}) to which nothing of the
// request's path is added; of several such ones in a section the last counts.
type Redirect struct {
	At     diag.Span
	Regex  Bool   `key:"regex"`
	Status Int    `key:"status"` // unset: 302
	Path   String `key:"path"`   // prefix or regular expression
	Target String `key:"target"` // URL or path; unset for a status other than 3xx, such as 410
}

// Refuses reports whether the answer is an error instead of another place.
func (r *Redirect) Refuses() bool {
	status := r.Status.Or(302)
	return status < 300 || status > 399
}

// Alias is Alias, AliasMatch, ScriptAlias or ScriptAliasMatch (mod_alias).
type Alias struct {
	At     diag.Span
	Regex  Bool   `key:"regex"`
	Script Bool   `key:"script"`
	Path   String `key:"path"` // prefix or regular expression
	File   String `key:"file"` // file or directory, as written
}

// Directive is a directive or section of httpd that the model keeps as it stands:
// its words after the replacement of variables and macros, without their quotes.
// Those of RewriteRule and RewriteCond are cut as mod_rewrite does, with all
// backslashes; the expression {...} of ProxyHCExpr, that of Require expr and what
// follows SSLRequire and ExtFilterDefine is one word, with the quotes in it.
//
// Guard and Files are inferred from the names and words in it (parse/guard.go) and
// stand only at the outermost directive; they are written for directives of
// modules that clowder does not know.
type Directive struct {
	At       diag.Span
	Name     String       `key:"name"` // as written, without the brackets of a section
	Section  Bool         `key:"section"`
	Args     []String     `key:"args"`
	Guard    Bool         `key:"guard"`     // restricts who may send requests
	Files    Bool         `key:"fileguard"` // restricts access to files only
	Children []*Directive `key:"directive"`
}

// Arg returns the i-th word, "" when there is none.
func (d *Directive) Arg(i int) string {
	if i < len(d.Args) {
		return d.Args[i].V
	}
	return ""
}

// Reverse is ProxyPassReverse, ProxyPassReverseCookiePath or …CookieDomain.
type Reverse struct {
	At   diag.Span
	From String `key:"from"` // ProxyPassReverse: public path; cookie rules: internal value
	To   String `key:"to"`   // ProxyPassReverse: real URL; cookie rules: public value

	Interp Bool `key:"interpolate"` // ${VARIABLE} is replaced, with ProxyPassInterpolateEnv On
}

// HeaderRule is one Header or RequestHeader line.
type HeaderRule struct {
	At      diag.Span
	Request Bool   `key:"request"` // RequestHeader
	Always  Bool   `key:"always"`
	Action  String `key:"action"` // set, add, unset, …
	Name    String `key:"name"`
	Value   String `key:"value"`     // of edit: regular expression and replacement, two words
	Cond    String `key:"condition"` // env=NAME, expr=…, early
}

// Edit takes the value of an edit rule apart.
func (h *HeaderRule) Edit() (pattern, replacement string) {
	pattern, rest := cutWord(h.Value.V)
	replacement, _ = cutWord(rest)
	return pattern, replacement
}

// QuoteWord writes a word as it stands in httpd's files: in quotes when it is
// empty or holds a blank or a quote (ap_getword_conf in server/util.c).
func QuoteWord(w string) string {
	if w != "" && !strings.ContainsAny(w, " \t\"'") {
		return w
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `"`
}

// cutWord splits the first word off a text as QuoteWord wrote it; another quote
// ends at its like.
func cutWord(s string) (word, rest string) {
	s = strings.TrimLeft(s, " \t")
	if s == "" || s[0] != '"' {
		if i := strings.IndexAny(s, " \t"); i >= 0 {
			return s[:i], s[i:]
		}
		return s, ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// Env is SetEnv, SetEnvIf, SetEnvIfNoCase, BrowserMatch or UnsetEnv.
type Env struct {
	At        diag.Span
	Directive String   `key:"directive"`
	Args      []String `key:"args"`
}

// ErrorDoc is one ErrorDocument.
type ErrorDoc struct {
	At       diag.Span
	Status   Int    `key:"status"`
	Document String `key:"document"`
}

// Access is access control of both styles as it stands in one section.
type Access struct {
	At       diag.Span
	Order    String   `key:"Order"` // deny,allow · allow,deny · mutual-failure
	Allow    []String `key:"Allow"` // each word after "from"
	Deny     []String `key:"Deny"`
	Satisfy  String   `key:"Satisfy"`
	Require  *Require `key:"Require"` // tree of mod_authz_core, root is the section's RequireAny
	AuthType String   `key:"AuthType"`
	AuthName String   `key:"AuthName"`
	AuthFile String   `key:"AuthUserFile"`

	GroupFile     String   `key:"AuthGroupFile"`
	Providers     []String `key:"AuthBasicProvider"` // none: file
	Authoritative Bool     `key:"AuthBasicAuthoritative"`
	Forbid        Bool     `key:"AuthzSendForbiddenOnFailure"` // 403, not 401, for users who may not
	Merging       String   `key:"AuthMerging"`                 // And, Or, Off: what becomes of an outer Require
}

// Require is a <RequireAll|Any|None> group or, with an Args list, one Require line.
type Require struct {
	At       diag.Span
	Group    String     `key:"group"` // any, all, none; unset for a single line
	Not      Bool       `key:"not"`
	Args     []String   `key:"args"` // provider and its arguments
	Children []*Require `key:"require"`
}

// Section is a Location, LocationMatch, Proxy or ProxyMatch block.
type Section struct {
	At       diag.Span
	Kind     String   `key:"kind"` // Location, LocationMatch, Proxy, ProxyMatch
	Path     String   `key:"path"` // its argument
	Settings Settings `key:",inline"`
	Mapping  *Mapping `key:"mapping"` // ProxyPass inside a Location
}

// Mapping is one ProxyPass or ProxyPassMatch; in file order the first match wins.
type Mapping struct {
	At     diag.Span
	Path   String `key:"path"`   // prefix, or regular expression
	Target String `key:"target"` // URL, balancer://name/path, or "!"
	Regex  Bool   `key:"regex"`
	Nocan  Bool   `key:"nocanon"`
	Interp Bool   `key:"interpolate"`
	NoQry  Bool   `key:"noquery"`
	Enc    String `key:"mapping"` // encoded, servlet
	Own    Bool   `key:"own"`     // of the main server: virtual hosts do not inherit it (JkMount)
}

// Excludes reports whether the mapping is an exclusion (target "!").
func (m *Mapping) Excludes() bool { return m.Target.V == "!" }

// Balancer is one balancer:// and its members (mod_proxy_balancer). Parameters may
// come from <Proxy>, ProxySet and ProxyPass; the last one counts.
type Balancer struct {
	At            diag.Span // the <Proxy> tag, else the first mention
	Name          String    `key:"name"` // without balancer://
	Members       []*Member `key:"member"`
	LBMethod      String    `key:"lbmethod" default:"byrequests"`
	Sticky        String    `key:"stickysession"` // COOKIE or COOKIE|pathparam
	StickySep     String    `key:"stickysessionsep" default:"."`
	ScolonDelim   Bool      `key:"scolonpathdelim" default:"false"`
	NoFailover    Bool      `key:"nofailover" default:"false"`
	Timeout       Duration  `key:"timeout" default:"0s"`
	MaxAttempts   Int       `key:"maxattempts"`
	FailOnStatus  String    `key:"failonstatus"`
	FailOnTimeout Bool      `key:"failontimeout" default:"false"`
	ForceRecovery Bool      `key:"forcerecovery" default:"true"`
	Growth        Int       `key:"growth" default:"0"`
	Nonce         String    `key:"nonce" secret:"true"`
}

// Member is a BalancerMember or a plain worker (mod_proxy's parameters).
type Member struct {
	At             diag.Span
	URL            String   `key:"url"`
	Route          String   `key:"route"`
	Redirect       String   `key:"redirect"`
	Status         String   `key:"status"`
	LoadFactor     Float    `key:"loadfactor" default:"1"`
	LBSet          Int      `key:"lbset" default:"0"`
	Retry          Duration `key:"retry" default:"60s"`
	Timeout        Duration `key:"timeout"`
	ConnTimeout    Duration `key:"connectiontimeout"`
	Ping           Duration `key:"ping"`
	Acquire        Duration `key:"acquire"`
	Min            Int      `key:"min" default:"0"`
	Max            Int      `key:"max"`
	SMax           Int      `key:"smax"`
	TTL            Duration `key:"ttl"`
	KeepAlive      Bool     `key:"keepalive" default:"false"`
	DisableReuse   Bool     `key:"disablereuse" default:"false"`
	EnableReuse    Bool     `key:"enablereuse"`
	AddressTTL     Int      `key:"addressttl" default:"-1"`
	FlushPackets   String   `key:"flushpackets" default:"off"`
	FlushWait      Int      `key:"flushwait" default:"10"`
	IOBufferSize   Int      `key:"iobuffersize"`
	RecvBufferSize Int      `key:"receivebuffersize"`
	ResponseField  Int      `key:"responsefieldsize" default:"8192"`
	Secret         String   `key:"secret" secret:"true"`
	Upgrade        String   `key:"upgrade"`
	Flusher        String   `key:"flusher"`
	HCMethod       String   `key:"hcmethod" default:"NONE"`
	HCInterval     Duration `key:"hcinterval" default:"30s"`
	HCPasses       Int      `key:"hcpasses" default:"1"`
	HCFails        Int      `key:"hcfails" default:"1"`
	HCURI          String   `key:"hcuri"`
	HCExpr         String   `key:"hcexpr"`
	HCTemplate     String   `key:"hctemplate"`
}
