package native

// tomcatKeys describes keys of Tomcat's part that the manual has no attribute for;
// * stands for every type. Sources: the configuration reference of Tomcat, the
// servlet specification for web.xml.
var tomcatKeys = map[string]keyText{
	"Node.name":     {"", "Name of the node, unique in the setup.", ""},
	"Node.version":  {"", "Version of Tomcat, such as 10.1 or 7.0.23.", ""},
	"Node.host":     {"", "Address of the machine that it runs on; found out from the members that lead to it.", ""},
	"Node.service":  {"Service", "Connectors and the engine behind them.", ""},
	"Node.resource": {"GlobalNamingResources", "A resource for all applications; its other keys are its attributes.", ""},

	"Service.connector": {"Connector", "A socket for HTTP or AJP.", ""},
	"Service.executor":  {"Executor", "A pool of threads that connectors share; its other keys are its attributes.", ""},
	"Service.engine":    {"Engine", "What answers the requests of the service.", ""},
	"Engine.cluster":    {"Cluster", "Replication of the sessions of all hosts.", ""},
	"Engine.host":       {"Host", "A virtual host of Tomcat.", ""},
	"Host.cluster":      {"Cluster", "Replication of the sessions of this host.", ""},
	"Host.context":      {"Context", "A web application: its Context element, context.xml and web.xml together.", ""},
	"Host.alias":        {"Alias", "Other names of the host.", ""},

	"Context.distributable":      {"distributable in web.xml", "Its sessions may be replicated.", ""},
	"Context.sessionTimeout":     {"session-timeout in web.xml", "Minutes after which an idle session ends; 0 or less: never.", ""},
	"Context.cookieSecure":       {"secure in cookie-config of web.xml", "The session's cookie goes over TLS only.", ""},
	"Context.transportGuarantee": {"transport-guarantee in web.xml", "TLS that a security-constraint asks for.", "CONFIDENTIAL|INTEGRAL|…"},
	"Context.manager":            {"Manager", "The session manager of the application.", ""},

	"Cluster.clusterName":     {"Cluster clusterName", "Name of the cluster.", ""},
	"Cluster.manager":         {"Manager", "The session manager of distributable applications; absent: a DeltaManager.", ""},
	"Cluster.channel":         {"Channel", "How the nodes talk; absent: a GroupChannel with multicast.", ""},
	"Cluster.clusterlistener": {"ClusterListener", "A listener for messages; its other keys are its attributes.", ""},
	"Cluster.deployer":        {"Deployer", "Deployment on all nodes; its other keys are its attributes.", ""},
	"Manager.className":       {"Manager className", "Class of the session manager.", ""},
	"Channel.membership":      {"Membership", "How nodes find each other.", ""},
	"Channel.receiver":        {"Receiver", "Where messages come in.", ""},
	"Channel.sender":          {"Sender", "How messages go out.", ""},
	"Channel.interceptor":     {"Interceptor", "A step that each message takes; the first is nearest to the application.", ""},
	"Sender.transport":        {"Transport", "The connections of the sender.", ""},
	"Membership.member":       {"Member", "A node that is named in place of being found.", ""},
	"Interceptor.member":      {"Member", "A node that is named, of a StaticMembershipInterceptor.", ""},
	"Interceptor.localmember": {"LocalMember", "The node itself, of a StaticMembershipInterceptor.", ""},

	"Component.element":    {"", "Name of the element, where the key does not say it.", ""},
	"Component.className":  {"className", "Class of the component.", ""},
	"Component.attributes": {"", "Attributes whose name is a key of this table, too; all others stand in the table itself.", ""},
	"Component.text":       {"", "Text between the tags.", ""},
	"Component.child":      {"", "An element inside of it.", ""},

	"*.attributes": {"any other attribute", "Attributes without a key of their own, as text.", ""},
	"*.listener":   {"Listener", "A listener; its other keys are its attributes.", ""},
	"*.realm":      {"Realm", "Users and their roles; its other keys are its attributes.", ""},
	"*.valve":      {"Valve", "A valve other than an access log; its other keys are its attributes.", ""},
	"*.accesslog":  {"Valve className=\"…AccessLogValve\"", "An access log.", ""},
	"*.child":      {"", "An element inside that has no key of its own, such as SSLHostConfig or Store.", ""},
	"*.extra":      {"", "Any other element.", ""},
}
