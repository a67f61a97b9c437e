package rules

import (
	"clowder/lint"
	"clowder/parse/diag"
)

// The findings of the rules in this file come from the parsers, which have to
// understand the text anyway; the values document them.

var httpdSyntax = &lint.Rule{
	ID: "H001", Name: "httpd-syntax", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Syntax, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "A section is not closed, a closing tag has no section, or a line cannot be read at all.",
		Why:  "httpd refuses to start and names the opening line.",
		Fix:  "Add the closing tag behind the last directive that belongs to the section.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
ProxyPass "/app" "balancer://c/app"`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Notes:  "At most one finding per opening tag. Rules about httpd alone still run on what could be read; X rules are silent about the file.",
		Source: "httpd manual, Configuration Sections; httpd 2.4.71: \"<Proxy> was not closed\".",
	},
}

var unknownDirective = &lint.Rule{
	ID: "H002", Name: "unknown-directive", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Syntax, Versions: everyHTTPD,
	Doc: lint.Doc{
		What:   "A line begins with a name that no module of httpd has.",
		Why:    "httpd refuses to start: \"Invalid command, perhaps misspelled or defined by a module not included in the server configuration\".",
		Fix:    "Correct the spelling; the message names the nearest directive.",
		Bad:    "LoadModule proxy_module modules/mod_proxy.so\nProxyPas \"/app\" \"http://10.0.0.11:8080/app\"",
		Good:   "LoadModule proxy_module modules/mod_proxy.so\nProxyPass \"/app\" \"http://10.0.0.11:8080/app\"",
		Notes:  "Only when the files hold at least one LoadModule line; a warning while an included file is missing. With a module that is not httpd's own (mod_jk, mod_security, …) only a name close to a known one is reported, as info. Names compare without case; what stands in an <IfModule> that is not taken is not looked at.",
		Source: "The directives of httpd 2.4.71 as its option -L prints them.",
	},
}

var directiveNotAllowedHere = &lint.Rule{
	ID: "H004", Name: "directive-not-allowed-here", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Syntax, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "A directive or section stands where httpd does not accept it.",
		Why:  "httpd refuses to start: \"not allowed in <...> context\", \"not allowed here\" or \"cannot occur within\".",
		Fix:  "Move the line out of the section, or into one.",
		Bad: `<Directory "/srv/www">
    ProxyPass "/app" "http://10.0.0.11:8080/app"
</Directory>`,
		Good:   `ProxyPass "/app" "http://10.0.0.11:8080/app"`,
		Notes:  "In <Location> a ProxyPass is written without its path; with a path it is refused there too (H007).",
		Source: "httpd manual, the context of each directive; ap_check_cmd_context in server/core.c.",
	},
}

var includeNotFound = &lint.Rule{
	ID: "H010", Name: "include-not-found", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Syntax, Versions: everyHTTPD,
	Doc: lint.Doc{
		What:   "An Include names a file, folder or pattern that is not among the files.",
		Why:    "httpd does not start without it; clowder cannot see what it would define.",
		Fix:    "Give the missing file too, or write IncludeOptional when it may be missing.",
		Bad:    "Include conf/extra/proxy.conf",
		Good:   "IncludeOptional conf.d/*.conf",
		Notes:  "IncludeOptional is never reported. Findings that rest on something not being there are one step weaker while a file is missing.",
		Source: "httpd manual, Include; messages of httpd 2.4.71.",
	},
}

var unknownWorkerParameter = &lint.Rule{
	ID: "H005", Name: "unknown-worker-parameter", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "A BalancerMember, or a ProxyPass to a plain URL, has a parameter that workers do not know.",
		Why:  "httpd refuses to start: \"unknown Worker parameter\".",
		Fix:  "Correct the name; move a balancer's parameter (stickysession, lbmethod, nofailover, …) to ProxySet or ProxyPass.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" rout=s1
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
</Proxy>`,
		Notes:  "Names compare without case. Some parameters have a first version: enablereuse 2.4.11, responsefieldsize 2.4.34, secret 2.4.42, upgrade 2.4.47, mapping 2.4.49.",
		Source: "mod_proxy, the key=value tables of ProxyPass; set_worker_param in modules/proxy/mod_proxy.c.",
	},
}

var unknownBalancerParameter = &lint.Rule{
	ID: "H006", Name: "unknown-balancer-parameter", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What:   "A ProxySet or a ProxyPass to a balancer has a parameter that balancers do not know.",
		Why:    "httpd refuses to start: \"unknown Balancer parameter\".",
		Fix:    "Correct the name; parameters of single members belong on BalancerMember.",
		Bad:    `ProxyPass "/app" "balancer://c/app" stickysesion=JSESSIONID`,
		Good:   `ProxyPass "/app" "balancer://c/app" stickysession=JSESSIONID`,
		Notes:  "nocanon, interpolate and noquery are bare keywords.",
		Source: "mod_proxy, ProxyPass, \"Balancer parameters\"; set_balancer_param in modules/proxy/mod_proxy.c.",
	},
}

var badParameterValue = &lint.Rule{
	ID: "H007", Name: "bad-parameter-value", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "A parameter of a worker or balancer has a value outside its range.",
		Why:  "httpd refuses to start and says the range.",
		Fix:  "Write a value in the range that the message names.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" loadfactor=200
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" loadfactor=100
</Proxy>`,
		Notes:  "loadfactor 1 to 100 (whole numbers in 2.2, decimals in 2.4), route and redirect below 64 characters, status letters DSIRHEN, ms only on ping and connectiontimeout.",
		Source: "mod_proxy, the key=value tables of ProxyPass; messages of httpd 2.4.71.",
	},
}

var xmlSyntax = &lint.Rule{
	ID: "T001", Name: "xml-syntax", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Syntax, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "An element is not closed, is closed twice, or the text is no XML.",
		Why:  "Tomcat's digester gives up where it notices, often far behind the mistake, and the server does not start.",
		Fix:  "Close the element at the place the message names.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN">
  <Service name="Catalina">
    <Connector port="8080">
    <Engine name="Catalina" defaultHost="localhost"/>
  </Service>
</Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN">
  <Service name="Catalina">
    <Connector port="8080"/>
    <Engine name="Catalina" defaultHost="localhost"/>
  </Service>
</Server>`,
		Notes:  "At most one finding per opening tag. Rules about the one Tomcat run on the recovered tree; X rules are silent about the node.",
		Source: "The XML specification; 18 of 310 public server.xml files read are not well-formed.",
	},
}
