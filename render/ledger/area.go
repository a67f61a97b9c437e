package ledger

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"clowder/parse/model"
)

// areas gives the area of a field by "Struct.key", and of the other fields of a
// struct by "Struct".
var areas = map[string]string{
	"Setup": "unmapped", "App": "tomcat",
	"FrontEnd": "virtual-hosts", "Listen": "virtual-hosts", "Module": "virtual-hosts",

	"Server": "virtual-hosts", "Server.DocumentRoot": "files", "Server.ServerAdmin": "responses",
	"Server.Timeout": "timeouts", "Server.ProxyTimeout": "timeouts", "Server.KeepAlive": "timeouts", "Server.KeepAliveTimeout": "timeouts",
	"Server.ProxyVia": "headers", "Server.ProxyStatus": "headers", "Server.ProxyBadHeader": "headers", "Server.ProxyMaxForwards": "headers",
	"Server.ProxyIOBufferSize": "pool", "Server.ProxyReceiveBufferSize": "pool", "Server.ProxyRequests": "mappings",
	"Server.AllowEncodedSlashes": "mappings", "Server.MergeSlashes": "mappings", "Server.ProxyPassInherit": "mappings",
	"FrontEnd.MaxRequestWorkers": "limits", "FrontEnd.ServerLimit": "limits", "FrontEnd.ThreadsPerChild": "limits",
	"FrontEnd.AsyncRequestWorkerFactor": "limits", "FrontEnd.ListenBacklog": "limits", "LimitRequestBody": "limits",
	"Server.MaxKeepAliveRequests": "limits", "Server.LimitRequestLine": "limits", "Server.LimitRequestFields": "limits",
	"Server.LimitRequestFieldSize": "limits", "Server.HttpProtocolOptions": "limits", "ReadTimeout": "timeouts",
	"Server.BalancerInherit": "mappings", "Server.TraceEnable": "limits", "Server.ErrorLog": "logging",
	"Log": "logging", "Alias": "files",

	"TLS": "tls", "TLS.SSLVerifyClient": "client-certificate", "TLS.SSLVerifyDepth": "client-certificate",
	"TLS.SSLCACertificateFile": "client-certificate", "TLS.SSLCACertificatePath": "client-certificate",
	"TLS.SSLCARevocationFile": "client-certificate", "TLS.SSLOptions": "client-certificate",
	"TLS.SSLProxyEngine": "backend-tls", "TLS.SSLProxyVerify": "backend-tls", "TLS.SSLProxyVerifyDepth": "backend-tls",
	"TLS.SSLProxyCACertificateFile": "backend-tls", "TLS.SSLProxyCACertificatePath": "backend-tls",
	"TLS.SSLProxyCheckPeerName": "backend-tls", "TLS.SSLProxyCheckPeerCN": "backend-tls", "TLS.SSLProxyCheckPeerExpire": "backend-tls",
	"TLS.SSLProxyProtocol": "backend-tls", "TLS.SSLProxyCipherSuite": "backend-tls", "TLS.SSLProxyMachineCertificateFile": "backend-tls",

	"Rewrite": "rewrite", "RewriteRule": "rewrite", "RewriteCond": "rewrite",
	"Section": "mappings", "Mapping": "mappings", "Redirect": "redirects", "Reverse": "responses", "ErrorDoc": "responses",
	"HeaderRule": "headers", "Env": "environment", "Directive": "unmapped",
	"SetHandler": "manager", "ProxyPreserveHost": "headers", "ProxyErrorOverride": "responses", "ProxyAddHeaders": "headers",
	"Proxy100Continue": "headers", "ProxyPassInterpolateEnv": "environment",

	"Access": "access", "Access.AuthType": "authentication", "Access.AuthName": "authentication", "Access.AuthUserFile": "authentication",
	"Access.AuthGroupFile": "authentication", "Access.AuthBasicProvider": "authentication", "Access.AuthBasicAuthoritative": "authentication",
	"Require": "access",

	"Balancer": "failover", "Balancer.name": "mappings", "Balancer.lbmethod": "lbmethod", "Balancer.stickysession": "stickiness",
	"Balancer.stickysessionsep": "stickiness", "Balancer.scolonpathdelim": "stickiness", "Balancer.timeout": "timeouts",
	"Balancer.growth": "members", "Balancer.nonce": "manager",

	"Member": "pool", "Member.url": "protocol", "Member.route": "stickiness", "Member.redirect": "stickiness",
	"Member.status": "members", "Member.loadfactor": "members", "Member.lbset": "members", "Member.retry": "failover",
	"Member.timeout": "timeouts", "Member.connectiontimeout": "timeouts", "Member.ping": "protocol", "Member.acquire": "timeouts",
	"Member.secret": "secret", "Member.upgrade": "upgrade", "Member.responsefieldsize": "limits",
	"Member.hcmethod": "health", "Member.hcinterval": "health", "Member.hcpasses": "health", "Member.hcfails": "health",
	"Member.hcuri": "health", "Member.hcexpr": "health", "Member.hctemplate": "health",

	"Node": "tomcat", "Service": "tomcat", "Connector": "tomcat", "Connector.secret": "secret", "Connector.secretRequired": "secret",
	"Engine": "tomcat", "Host": "tomcat", "Context": "tomcat", "AccessLog": "logging", "Component": "tomcat", "Attr": "tomcat",
	"Cluster": "cluster", "Manager": "cluster", "Channel": "cluster", "Membership": "cluster", "Receiver": "cluster", "Sender": "cluster",
	"Transport": "cluster", "Interceptor": "cluster", "StaticMember": "cluster",
}

// guards are the areas whose loss touches security.
var guards = map[string]bool{"access": true, "authentication": true, "tls": true, "client-certificate": true, "backend-tls": true, "secret": true}

// neutral are values that say what is so without them, whatever the target; "*"
// stands for every value: names within the setup, and what only httpd itself needs.
var neutral = map[string][]string{
	"FrontEnd.name": {"*"}, "FrontEnd.version": {"*"}, "FrontEnd.host": {"*"}, "FrontEnd.ServerRoot": {"*"},
	"Server.ProxyRequests": {"false"}, "Server.ProxyVia": {"off"}, "Server.ProxyStatus": {"off"}, "Server.TraceEnable": {"off"},
	"Server.ServerAdmin": {"*"}, "Server.ProxyPassInherit": {"*"}, "Server.BalancerInherit": {"*"}, "Server.ProxyBadHeader": {"iserror"},
	"ProxyErrorOverride": {"off"}, "ProxyPassInterpolateEnv": {"false"}, "SetHandler": {"none"},
	"Rewrite.RewriteEngine": {"false"},
	"TLS.SSLEngine":         {"off"}, "TLS.SSLVerifyClient": {"none"}, "TLS.SSLProxyEngine": {"false"}, "TLS.SSLUseStapling": {"false"},
	"Balancer.name": {"*"}, "Balancer.nofailover": {"false"}, "Balancer.growth": {"0"}, "Balancer.failontimeout": {"false"},
	"Member.loadfactor": {"1"}, "Member.lbset": {"0"}, "Member.hcmethod": {"none"}, "Member.disablereuse": {"false"},
	"Member.flushpackets": {"off"}, "Member.status": {"", "-d", "-e", "-s", "-h"},
	"Section.kind": {"*"}, "Section.path": {"*"}, "Node.name": {"*"}, "Node.version": {"*"}, "Node.host": {"*"},
}

// silent are the fields that are part of a structure and no fact of their own: no
// note says that they were kept.
var silent = map[string]bool{"FrontEnd.name": true, "FrontEnd.version": true, "FrontEnd.host": true, "Balancer.name": true,
	"Section.kind": true, "Section.path": true, "Node.name": true, "Node.version": true, "Node.host": true}

// areaOf returns the area of a field of a struct type.
func areaOf(t reflect.Type, key string) string {
	if a := areas[t.Name()+"."+key]; a != "" {
		return a
	}
	if t.Name() == "Server" || t.Name() == "Section" || t.Name() == "Settings" {
		if a := areas[key]; a != "" {
			return a
		}
	}
	return areas[t.Name()]
}

// isNeutral reports whether the value says nothing that the target has to say.
func isNeutral(t reflect.Type, key string, v any) bool {
	list := neutral[t.Name()+"."+key]
	if list == nil {
		list = neutral[key]
	}
	for _, n := range list {
		if n == "*" || strings.EqualFold(n, fmt.Sprint(v)) {
			return true
		}
	}
	return false
}

// inline are the structs whose values are written as key=value behind a directive.
var inline = map[reflect.Type]bool{reflect.TypeFor[model.Balancer](): true, reflect.TypeFor[model.Member](): true}

// factText writes one field as it stands in the source's own files.
func factText(t reflect.Type, f model.Field, v any) string {
	text := fmt.Sprint(v)
	switch x := v.(type) {
	case time.Duration:
		text = strings.TrimSuffix(model.FormatDuration(x), "s")
		if x%time.Second != 0 {
			text = model.FormatDuration(x)
		}
	case bool:
		text = "Off"
		if x {
			text = "On"
		}
	}
	if f.Secret {
		text = "…"
	}
	switch {
	case inline[t] && f.Key != "url", isXML(t):
		if _, ok := v.(bool); ok && isXML(t) {
			text = fmt.Sprint(v)
		}
		return f.Key + "=" + text
	case f.Key == "url":
		return "BalancerMember " + text
	case f.Key == "Allow", f.Key == "Deny":
		return f.Key + " from " + text
	}
	return f.Key + " " + text
}

// isXML reports whether the struct is an element of Tomcat's files.
func isXML(t reflect.Type) bool {
	switch areas[t.Name()] {
	case "tomcat", "cluster":
		return true
	}
	return t == reflect.TypeFor[model.AccessLog]()
}

// directiveArea returns the area of a directive that the model has no field for.
func directiveArea(d *model.Directive) string {
	name := strings.ToLower(d.Name.V)
	switch {
	case d.Guard.V || d.Files.V || name == "regexdefaultoptions":
		return "access"
	case strings.HasPrefix(name, "sslcarevocation"), strings.HasPrefix(name, "sslocsp"), name == "sslcadnrequestfile", name == "sslcadnrequestpath":
		return "client-certificate"
	case strings.HasPrefix(name, "sslproxy"):
		return "backend-tls"
	}
	return areas["Directive"]
}
