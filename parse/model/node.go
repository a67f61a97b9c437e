package model

import "clowder/parse/diag"

// Node is one Tomcat: its server.xml and the contexts known to belong to it.
type Node struct {
	At         diag.Span // the <Server> tag
	Name       String    `key:"name"`                        // unique in the setup; the folder of server.xml
	Version    String    `key:"version"`                     // 7.0.23, 10.1
	Host       String    `key:"host"`                        // address of the machine; usually inferred from members
	Address    String    `key:"address" default:"localhost"` // of the shutdown port
	Port       Int       `key:"port" default:"8005"`         // shutdown port, -1 for none
	PortOffset Int       `key:"portOffset" default:"0"`
	Shutdown   String    `key:"shutdown" default:"SHUTDOWN"` // shutdown command

	Listeners []*Component `key:"listener"`
	Resources []*Component `key:"resource"` // inside GlobalNamingResources
	Services  []*Service   `key:"service"`
	Extra     []*Attr      `key:"attributes"`
	Extras    []*Component `key:"extra"` // anything else below Server
}

// Engine returns the engine of the node's first service, or nil.
func (n *Node) Engine() *Engine {
	for _, s := range n.Services {
		if s.Engine != nil {
			return s.Engine
		}
	}
	return nil
}

// Connectors returns the connectors of all services.
func (n *Node) Connectors() []*Connector {
	var cs []*Connector
	for _, s := range n.Services {
		cs = append(cs, s.Connectors...)
	}
	return cs
}

// Cluster returns the cluster of the engine, else of the first host that has one, or nil.
func (n *Node) Cluster() *Cluster {
	for _, s := range n.Services {
		if s.Engine == nil {
			continue
		}
		if s.Engine.Cluster != nil {
			return s.Engine.Cluster
		}
		for _, h := range s.Engine.Hosts {
			if h.Cluster != nil {
				return h.Cluster
			}
		}
	}
	return nil
}

// Service is one Service of a Tomcat.
type Service struct {
	At         diag.Span
	Name       String       `key:"name"`
	Connectors []*Connector `key:"connector"`
	Executors  []*Component `key:"executor"`
	Engine     *Engine      `key:"engine"`
	Extras     []*Component `key:"extra"`
}

// Connector is an HTTP or AJP connector.
type Connector struct {
	At             diag.Span
	Port           Int    `key:"port"`
	Protocol       String `key:"protocol" default:"HTTP/1.1"`
	Address        String `key:"address"`
	RedirectPort   Int    `key:"redirectPort"`
	ConnTimeout    Int    `key:"connectionTimeout"` // ms, -1 for none
	KeepAliveTime  Int    `key:"keepAliveTimeout"`  // ms
	MaxThreads     Int    `key:"maxThreads" default:"200"`
	AcceptCount    Int    `key:"acceptCount" default:"100"`
	MaxHeaderSize  Int    `key:"maxHttpHeaderSize"`
	MaxPostSize    Int    `key:"maxPostSize" default:"2097152"`
	PacketSize     Int    `key:"packetSize"`
	Secret         String `key:"secret" secret:"true"`
	SecretRequired Bool   `key:"secretRequired"`
	AllowedAttrs   String `key:"allowedRequestAttributesPattern"`
	TomcatAuth     Bool   `key:"tomcatAuthentication"`
	SSLEnabled     Bool   `key:"SSLEnabled" default:"false"`
	Scheme         String `key:"scheme" default:"http"`
	Secure         Bool   `key:"secure" default:"false"`
	ProxyName      String `key:"proxyName"`
	ProxyPort      Int    `key:"proxyPort"`
	URIEncoding    String `key:"URIEncoding"`
	Executor       String `key:"executor"`

	Extra    []*Attr      `key:"attributes"` // all other attributes
	Children []*Component `key:"child"`      // UpgradeProtocol, SSLHostConfig
}

// Kind returns "ajp", "https" or "http".
func (c *Connector) Kind() string {
	switch p := c.Protocol.V; {
	case containsFold(p, "ajp"):
		return "ajp"
	case c.SSLEnabled.V:
		return "https"
	}
	return "http"
}

// Engine is the Engine of a service.
type Engine struct {
	At          diag.Span
	Name        String       `key:"name"`
	DefaultHost String       `key:"defaultHost"`
	JVMRoute    String       `key:"jvmRoute"`
	Delay       Int          `key:"backgroundProcessorDelay" default:"10"` // s
	Cluster     *Cluster     `key:"cluster"`
	Realms      []*Component `key:"realm"`
	Valves      []*Component `key:"valve"`
	AccessLogs  []*AccessLog `key:"accesslog"`
	Hosts       []*Host      `key:"host"`
	Extra       []*Attr      `key:"attributes"`
	Extras      []*Component `key:"extra"`
}

// Host is a virtual host of an engine.
type Host struct {
	At         diag.Span
	Name       String       `key:"name"`
	Aliases    []String     `key:"alias"`
	AppBase    String       `key:"appBase" default:"webapps"`
	UnpackWARs Bool         `key:"unpackWARs" default:"true"`
	AutoDeploy Bool         `key:"autoDeploy" default:"true"`
	Cluster    *Cluster     `key:"cluster"`
	Realms     []*Component `key:"realm"`
	Valves     []*Component `key:"valve"`
	AccessLogs []*AccessLog `key:"accesslog"`
	Contexts   []*Context   `key:"context"`
	Extra      []*Attr      `key:"attributes"`
	Extras     []*Component `key:"extra"`
}

// Context is one web application: Context element, context.xml and web.xml together.
type Context struct {
	At             diag.Span
	WebApp         diag.Span    `key:"-"`    // the <web-app> tag of its web.xml; invalid when none was read
	Path           String       `key:"path"` // "" is the root application
	DocBase        String       `key:"docBase"`
	Distributable  Bool         `key:"distributable" default:"false"`
	SessionTimeout Int          `key:"sessionTimeout" default:"30"` // minutes
	CookieName     String       `key:"sessionCookieName" default:"JSESSIONID"`
	CookiePath     String       `key:"sessionCookiePath"`
	CookieDomain   String       `key:"sessionCookieDomain"`
	HTTPOnly       Bool         `key:"useHttpOnly" default:"true"`
	CookieSecure   Bool         `key:"cookieSecure"`
	Transport      String       `key:"transportGuarantee"` // CONFIDENTIAL or INTEGRAL, of any security-constraint
	Cookies        Bool         `key:"cookies" default:"true"`
	CrossContext   Bool         `key:"crossContext" default:"false"`
	Manager        *Manager     `key:"manager"`
	Valves         []*Component `key:"valve"`
	AccessLogs     []*AccessLog `key:"accesslog"`
	Extra          []*Attr      `key:"attributes"`
	Extras         []*Component `key:"extra"`
}

// AccessLog is an AccessLogValve.
type AccessLog struct {
	At        diag.Span
	Class     String  `key:"className"`
	Directory String  `key:"directory" default:"logs"`
	Prefix    String  `key:"prefix" default:"access_log"`
	Suffix    String  `key:"suffix"`
	Pattern   String  `key:"pattern" default:"common"`
	Extra     []*Attr `key:"attributes"`
}

// Cluster is a SimpleTcpCluster.
type Cluster struct {
	At           diag.Span
	Class        String       `key:"className"`
	SendOptions  Int          `key:"channelSendOptions" default:"8"`
	StartOptions Int          `key:"channelStartOptions" default:"15"`
	Name         String       `key:"clusterName"`
	Manager      *Manager     `key:"manager"` // nil: DeltaManager with its defaults
	Channel      *Channel     `key:"channel"` // nil: the default channel; see [Cluster.EffectiveChannel]
	Valves       []*Component `key:"valve"`
	Listeners    []*Component `key:"clusterlistener"`
	Deployer     *Component   `key:"deployer"`
	Extra        []*Attr      `key:"attributes"`
	Extras       []*Component `key:"extra"`
}

// Manager is a session manager: DeltaManager, BackupManager, StandardManager, PersistentManager.
type Manager struct {
	At               diag.Span
	Class            String       `key:"className"`
	ExpireOnShutdown Bool         `key:"expireSessionsOnShutdown" default:"false"`
	NotifyListeners  Bool         `key:"notifyListenersOnReplication" default:"true"`
	NotifySession    Bool         `key:"notifySessionListenersOnReplication" default:"true"`
	NotifyContainer  Bool         `key:"notifyContainerListenersOnReplication" default:"true"`
	StateTimeout     Int          `key:"stateTransferTimeout" default:"60"` // s
	SendAllSessions  Bool         `key:"sendAllSessions" default:"true"`
	SendAllSize      Int          `key:"sendAllSessionsSize" default:"1000"`
	SendAllWait      Int          `key:"sendAllSessionsWaitTime" default:"2000"` // ms
	StateTimestamp   Bool         `key:"stateTimestampDrop" default:"true"`
	RecordAllActions Bool         `key:"recordAllActions" default:"false"`
	MaxActive        Int          `key:"maxActiveSessions" default:"-1"`
	MaxInactive      Int          `key:"maxInactiveInterval"` // s
	SessionIDLength  Int          `key:"sessionIdLength" default:"16"`
	Pathname         String       `key:"pathname"`
	AttrNameFilter   String       `key:"sessionAttributeNameFilter"`
	AttrClassFilter  String       `key:"sessionAttributeValueClassNameFilter"`
	MapSendOptions   Int          `key:"mapSendOptions" default:"6"` // BackupManager
	RPCTimeout       Int          `key:"rpcTimeout" default:"15000"` // ms, BackupManager
	TerminateOnFail  Bool         `key:"terminateOnStartFailure" default:"false"`
	Extra            []*Attr      `key:"attributes"`
	Children         []*Component `key:"child"` // Store, SessionIdGenerator
}

// Channel is a GroupChannel.
type Channel struct {
	At           diag.Span
	Class        String         `key:"className"`
	Membership   *Membership    `key:"membership"`
	Receiver     *Receiver      `key:"receiver"`
	Sender       *Sender        `key:"sender"`
	Interceptors []*Interceptor `key:"interceptor"` // first is nearest to the application
	Extra        []*Attr        `key:"attributes"`
	Extras       []*Component   `key:"extra"`
}

// Membership is McastService or StaticMembershipService.
type Membership struct {
	At        diag.Span
	Class     String          `key:"className"`
	Address   String          `key:"address" default:"228.0.0.4"`
	Port      Int             `key:"port" default:"45564"`
	Frequency Int             `key:"frequency" default:"500"` // ms
	DropTime  Int             `key:"dropTime" default:"3000"` // ms
	Bind      String          `key:"bind"`
	TTL       Int             `key:"ttl"`
	SoTimeout Int             `key:"soTimeout"`
	Domain    String          `key:"domain"`
	LoopOff   Bool            `key:"localLoopbackDisabled" default:"false"`
	Recovery  Bool            `key:"recoveryEnabled" default:"true"`
	RecoveryN Int             `key:"recoveryCounter" default:"10"`
	RecoveryT Int             `key:"recoverySleepTime" default:"5000"` // ms
	Members   []*StaticMember `key:"member"`                           // StaticMembershipService
	Extra     []*Attr         `key:"attributes"`
}

// Receiver is NioReceiver.
type Receiver struct {
	At         diag.Span
	Class      String  `key:"className"`
	Address    String  `key:"address" default:"auto"`
	Port       Int     `key:"port" default:"4000"`
	AutoBind   Int     `key:"autoBind" default:"100"` // number of ports to try
	SecurePort Int     `key:"securePort" default:"-1"`
	UDPPort    Int     `key:"udpPort" default:"-1"`
	SelTimeout Int     `key:"selectorTimeout" default:"5000"` // ms
	MaxThreads Int     `key:"maxThreads" default:"15"`
	MinThreads Int     `key:"minThreads" default:"6"`
	Timeout    Int     `key:"timeout" default:"3000"` // ms
	Extra      []*Attr `key:"attributes"`
}

// Sender is ReplicationTransmitter with its Transport.
type Sender struct {
	At        diag.Span
	Class     String     `key:"className"`
	Transport *Transport `key:"transport"`
	Extra     []*Attr    `key:"attributes"`
}

// Transport is PooledParallelSender.
type Transport struct {
	At       diag.Span
	Class    String  `key:"className"`
	PoolSize Int     `key:"poolSize" default:"25"`
	MaxWait  Int     `key:"maxWait" default:"3000"` // ms
	Timeout  Int     `key:"timeout" default:"3000"` // ms
	MaxRetry Int     `key:"maxRetryAttempts" default:"1"`
	Extra    []*Attr `key:"attributes"`
}

// Interceptor is one Interceptor of a channel.
type Interceptor struct {
	At      diag.Span
	Class   String          `key:"className"`
	Extra   []*Attr         `key:"attributes"`
	Members []*StaticMember `key:"member"`      // StaticMembershipInterceptor
	Local   *StaticMember   `key:"localmember"` // StaticMembershipInterceptor
}

// Attribute returns the attribute of that name, or nil.
func (i *Interceptor) Attribute(name string) *Attr { return attr(i.Extra, name) }

// StaticMember is a Member or LocalMember element.
type StaticMember struct {
	At         diag.Span
	Class      String  `key:"className"`
	Host       String  `key:"host"`
	Port       Int     `key:"port"`
	SecurePort Int     `key:"securePort" default:"-1"`
	Domain     String  `key:"domain"`
	UniqueID   String  `key:"uniqueId"`
	Extra      []*Attr `key:"attributes"`
}

// Component is an element that the model keeps as it stands: listeners, realms,
// valves and everything that only Tomcat itself has a use for.
type Component struct {
	At       diag.Span
	Element  String       `key:"element"`   // Listener, Realm, Valve, …
	Class    String       `key:"className"` // unset when the element has none
	Attrs    []*Attr      `key:"attributes"`
	Text     String       `key:"text"`
	Children []*Component `key:"child"`
}

// impliedElements are the elements that the key of a component says already.
var impliedElements = map[string]string{
	"listener": "Listener", "resource": "Resource", "executor": "Executor", "realm": "Realm", "valve": "Valve",
	"clusterlistener": "ClusterListener", "deployer": "Deployer",
}

// ImpliedElement returns the element of components under a key, "" when it differs.
func ImpliedElement(key string) string { return impliedElements[key] }

// Attribute returns the attribute of that name, or nil.
func (c *Component) Attribute(name string) *Attr { return attr(c.Attrs, name) }

// Attr is one attribute of an element. Its name's place is At.
type Attr struct {
	At    diag.Span
	Name  string
	Value String
}

func attr(list []*Attr, name string) *Attr {
	for _, a := range list {
		if a.Name == name {
			return a
		}
	}
	return nil
}
