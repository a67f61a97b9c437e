package httpd

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// readingTime are the directives that are done with once the files are read.
var readingTime = names("Include IncludeOptional Define UnDefine Use UndefMacro Error <IfDefine <IfModule <IfVersion <IfFile <IfDirective <IfSection <Macro")

// arguments are right ones for directives that look at them; what is missing gets "x".
var arguments = map[string]string{
	"allow": "from all", "allowconnect": "443", "allowencodedslashes": "On", "authtype": "Basic", "balancergrowth": "3",
	"balancerinherit": "Off", "balancermember": "balancer://c http://m:1", "browsermatch": "^x y", "browsermatchnocase": "^x y",
	"customlog": "f common", "deny": "from all", "errordocument": "404 /x", "header": "set X y", "keepalive": "Off",
	"keepalivetimeout": "7", "listen": "81", "loadmodule": "rewrite_module modules/mod_rewrite.so", "logformat": "%h n", "loglevel": "warn",
	"mergeslashes": "Off", "order": "allow,deny", "proxy100continue": "Off", "proxyaddheaders": "Off", "proxybadheader": "Ignore",
	"proxydomain": ".x", "proxyerroroverride": "On", "proxyhcexpr": "n {%{REQUEST_STATUS} =~ /^2/}", "proxyhctemplate": "n hcmethod=GET", "proxyhctpsize": "3",
	"proxyiobuffersize": "9000", "proxymaxforwards": "3", "proxypass": "/p http://h:1/", "proxypassinherit": "Off", "proxypassinterpolateenv": "On",
	"proxypassmatch": "^/p http://h:1/", "proxypassreverse": "/p http://h:1/", "proxypassreversecookiedomain": "a b",
	"proxypassreversecookiepath": "/a /b", "proxypreservehost": "On", "proxyreceivebuffersize": "9000", "proxyrequests": "On",
	"proxyset": "balancer://base timeout=7", "proxystatus": "On", "proxytimeout": "7", "proxyvia": "On", "requestheader": "set X y",
	"require": "all granted", "rewritecond": "%{A} b", "rewriteengine": "On", "rewriteoptions": "Inherit", "rewriterule": "^a b",
	"satisfy": "any", "setenvif": "a b c", "setenvifnocase": "a b c", "sslengine": "on", "sslhonorcipherorder": "on",
	"sslproxycheckpeercn": "off", "sslproxycheckpeerexpire": "off", "sslproxycheckpeername": "off", "sslproxyengine": "on",
	"sslprotocol": "all", "sslproxyprotocol": "all", "ssloptions": "+StdEnvVars", "sslusestapling": "on",
	"sslproxyverify": "none", "sslverifyclient": "none", "sslproxyverifydepth": "2", "sslverifydepth": "2", "timeout": "7", "traceenable": "off",
	"asyncrequestworkerfactor": "2", "errorlogformat": "%M", "usecanonicalphysicalport": "on", "acceptpathinfo": "on", "alias": "/x /y", "aliasmatch": "^x /y", "allowoverride": "None", "authmerging": "Off", "cgivar": "REQUEST_URI current-uri",
	"directoryindexredirect": "on", "enablemmap": "off", "enablesendfile": "on", "fileetag": "MTime", "flushmaxpipelined": "3", "flushmaxthreshold": "3",
	"hostnamelookups": "off", "httpprotocoloptions": "Strict", "limitinternalrecursion": "3", "limitrequestbody": "3",
	"limitrequestfields": "3", "limitrequestline": "3", "limitxmlrequestbody": "3", "listenbacklog": "3", "maxrangeoverlaps": "3", "maxrangereversals": "3",
	"maxranges": "3", "multiviewsmatch": "Any", "options": "None", "protocolshonororder": "on", "proxyremotematch": "^x http://r:1", "proxysourceaddress": "127.0.0.1",
	"readbuffersize": "3", "redirect": "/x /y", "redirectmatch": "^x /y", "redirectpermanent": "/x /y", "redirecttemp": "/x /y", "regexdefaultoptions": "ICASE",
	"rewritebase": "/x", "scriptalias": "/x /y", "scriptaliasmatch": "^x /y", "serversignature": "Off", "servertokens": "Prod", "setenvifexpr": "true x=y",
	"watchdoginterval": "3", "usecanonicalname": "On", "requestreadtimeout": "header=5", "servername": "other.example", "proxyremote": "* http://r:1",
}

// anyArguments are right in number for each kind of arguments.
var anyArguments = map[string]string{
	"": "x", "RAW_ARGS": "x", "TAKE_ARGV": "x", "NO_ARGS": "", "FLAG": "On", "TAKE1": "x", "TAKE2": "x x", "TAKE12": "x", "TAKE3": "x x x", "TAKE23": "x x",
	"TAKE123": "x", "TAKE13": "x", "ITERATE": "x", "ITERATE2": "x x",
}

// inSection are the arguments that differ inside of sections.
var inSection = map[string]string{
	"alias": "/y", "aliasmatch": "/y", "scriptalias": "/y", "scriptaliasmatch": "/y",
	"proxypass": "http://h:1/", "proxypassmatch": "http://h:1/", "proxypassreverse": "http://h:1/",
}

// place is where a directive may stand; %s is its line.
type place struct{ name, text string }

const proxyBase = "<Proxy balancer://base>\nBalancerMember http://b:1\n</Proxy>\n"

var serverPlaces = []place{
	{"the main server", proxyBase + "<VirtualHost *:80>\n</VirtualHost>\n%s"},
	{"a virtual host", "<VirtualHost *:80>\n" + proxyBase + "%s</VirtualHost>\n"},
}

var sectionPlaces = []place{
	{"Location", "<Location /l>\n%s</Location>\n"},
	{"LocationMatch", "<VirtualHost *:80>\n<LocationMatch ^/l>\n%s</LocationMatch>\n</VirtualHost>\n"},
	{"Proxy", "<Proxy *>\n%s</Proxy>\n"},
	{"Directory", "<Directory /d>\n%s</Directory>\n"},
	{"Files in Directory", "<Directory /d>\n<Files f>\n%s</Files>\n</Directory>\n"},
	{"If", "<If \"true\">\n%s</If>\n"},
	{"Limit", "<Location /l>\n<Limit POST>\n%s</Limit>\n</Location>\n"},
}

// TestEveryDirective: each directive and section of httpd's own modules, in each
// place where it may stand, changes the model or is listed as not held by it with
// exactly its place, unless it is done with when the files are read.
func TestEveryDirective(t *testing.T) {
	keys := make([]string, 0, len(commands))
	for k := range commands {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	if len(keys) < 500 {
		t.Fatalf("only %d directives are known", len(keys))
	}
	held := 0
	for _, k := range keys {
		if readingTime[k] {
			continue
		}
		for _, p := range placesOf(k) {
			if how := inPlace(t, k, p); how == "held" {
				held++
			}
		}
	}
	if held < 200 {
		t.Errorf("only %d directives in their places change the model", held)
	}
}

func placesOf(key string) []place {
	switch commands[key].where {
	case 's':
		return serverPlaces
	case 'd':
		if key == "proxyset" || key == "balancermember" {
			return nil
		}
		return sectionPlaces
	}
	return append(slices.Clone(serverPlaces), sectionPlaces...)
}

// inPlace reads the directive in one place and reports "held" or "listed".
func inPlace(t *testing.T, key string, p place) string {
	t.Helper()
	name, section := strings.CutPrefix(key, "<")
	section = section || strings.HasPrefix(key, "<")
	args, ok := arguments[name]
	if _, inside := inSection[name]; inside && strings.Contains(p.text, "Location") {
		args, ok = inSection[name], true
	}
	switch {
	case (name == "proxyset" || name == "balancermember" || inSection[name] != "") && (!ok || p.name == "Proxy" || p.name == "Directory" || strings.HasPrefix(p.name, "Files") || p.name == "If" || p.name == "Limit"),
		(name == "proxyset" || name == "balancermember") && p.text[:5] != "<Prox" && p.text[:5] != "<Virt",
		(name == "proxyset" || name == "balancermember") && p.name == "LocationMatch":
		return "" // has a test of its own, or httpd refuses it there
	case name == "rewritebase" && (p.name == "the main server" || p.name == "a virtual host"),
		name == "serveralias" && p.name == "the main server",
		strings.Contains(name, "alias") && inSection[name] != "" && p.name != "the main server" && p.name != "a virtual host" && !strings.HasPrefix(p.name, "Location"):
		return "" // refused there
	case !ok:
		args = anyArguments[commands[key].args]
	}
	line := name + " " + args + "\n"
	if section {
		line = "<" + name + " x>\n</" + name + ">\n"
		switch {
		case strings.HasPrefix(name, "require"):
			line = "<" + name + ">\nRequire all granted\n</" + name + ">\n"
		case strings.HasPrefix(name, "if"), strings.HasPrefix(name, "else"):
			line = "<" + name + " \"true\">\n</" + name + ">\n"
		}
	}
	with, unmapped, diags := lowerString(fmt.Sprintf(p.text, line))
	without, _, _ := lowerString(fmt.Sprintf(p.text, "\n"))
	for _, d := range diags {
		t.Errorf("%q in %s: %s", line, p.name, d.Message)
	}
	changes := model.Compare(&model.Setup{FrontEnds: []*model.FrontEnd{without}}, &model.Setup{FrontEnds: []*model.FrontEnd{with}})
	at := int32(strings.Index(p.text, "%s"))
	listed := slices.ContainsFunc(unmapped, func(u model.Unmapped) bool {
		return u.Span.Start == at && strings.HasPrefix(strings.ToLower(strings.Trim(u.What, "<")), name)
	})
	switch {
	case len(changes) == 0 && !listed:
		t.Errorf("%q in %s is lost: neither in the model nor listed (%v)", line, p.name, unmapped)
	case listed:
		return "listed"
	}
	return "held"
}

func lowerString(text string) (*model.FrontEnd, []model.Unmapped, diag.List) {
	c, _ := Load(diag.NewFile("/none/httpd.conf", []byte(text)), Options{})
	return Lower(c)
}
