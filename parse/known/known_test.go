package known

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestDirectiveFacts compares records with what the manual of 2.4 says.
func TestDirectiveFacts(t *testing.T) {
	sv, svd, all := Server|VirtualHost, Server|VirtualHost|Section, Server|VirtualHost|Section|Htaccess
	for _, c := range []struct {
		name, module, args, def string
		ctx                     Context
		versions                HTTPD
	}{
		{"TimeOut", "core", "TAKE1", "TimeOut 60", sv, V22 | V24},
		{"KeepAlive", "core", "FLAG", "KeepAlive On", sv, V22 | V24},
		{"KeepAliveTimeout", "core", "TAKE1", "KeepAliveTimeout 5", sv, V22 | V24},
		{"MaxKeepAliveRequests", "core", "TAKE1", "MaxKeepAliveRequests 100", sv, V22 | V24},
		{"ProxyRequests", "mod_proxy", "FLAG", "ProxyRequests Off", sv, V22 | V24},
		{"ProxyPreserveHost", "mod_proxy", "FLAG", "ProxyPreserveHost Off", svd, V22 | V24},
		{"ProxyVia", "mod_proxy", "TAKE1", "ProxyVia Off", sv, V22 | V24},
		{"ProxyTimeout", "mod_proxy", "TAKE1", "Value of Timeout", sv, V22 | V24},
		{"ProxyErrorOverride", "mod_proxy", "ITERATE", "ProxyErrorOverride Off", svd, V22 | V24},
		{"ProxyStatus", "mod_proxy", "TAKE1", "ProxyStatus Off", sv, V22 | V24},
		{"ProxyPass", "mod_proxy", "RAW_ARGS", "", svd, V22 | V24},
		{"BalancerPersist", "mod_proxy", "FLAG", "BalancerPersist Off", sv, V24},
		{"ServerTokens", "core", "TAKE1", "ServerTokens Full", Server, V22 | V24},
		{"TraceEnable", "core", "TAKE1", "TraceEnable on", sv, V22 | V24},
		{"AllowOverrideList", "core", "TAKE_ARGV", "AllowOverrideList None", Section, V24},
		{"DirectoryIndex", "mod_dir", "RAW_ARGS", "DirectoryIndex index.html", all, V22 | V24},
		{"SSLEngine", "mod_ssl", "TAKE1", "SSLEngine off", sv, V22 | V24},
		{"DocumentRoot", "core", "TAKE1", `DocumentRoot "/usr/local/apache/htdocs"`, sv, V22 | V24},
		{"LogLevel", "core", "ITERATE", "LogLevel warn", svd, V22 | V24},
		{"HostnameLookups", "core", "TAKE1", "HostnameLookups Off", svd, V22 | V24},
		{"RewriteEngine", "mod_rewrite", "FLAG", "RewriteEngine off", all, V22 | V24},
		{"ErrorDocument", "core", "TAKE2", "", all, V22 | V24},
		{"LimitRequestBody", "core", "TAKE1", "LimitRequestBody 1073741824", all, V22 | V24},
		{"FileETag", "core", "RAW_ARGS", "FileETag MTime Size", all, V22 | V24},
		{"UseCanonicalName", "core", "TAKE1", "UseCanonicalName Off", svd, V22 | V24},
		{"Options", "core", "RAW_ARGS", "Options FollowSymlinks", all, V22 | V24},
		{"Require", "mod_authz_core", "RAW_ARGS", "", Section | Htaccess, V22 | V24},
		{"ServerSignature", "core", "TAKE1", "ServerSignature Off", all, V22 | V24},
		{"Order", "mod_access_compat", "TAKE1", "Order Deny,Allow", Section | Htaccess, V22 | V24},
		{"Proxy", "mod_proxy", "RAW_ARGS", "", sv, V22 | V24},
	} {
		d, ok := Directive(strings.ToUpper(c.name))
		if !ok || d.Name != c.name || d.Module != c.module || d.Args != c.args || d.Default != c.def || d.Contexts != c.ctx || d.Versions != c.versions {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
	if d, _ := Directive("Order"); d.In22 == nil || d.In22.Module != "mod_authz_host" {
		t.Errorf("Order in 2.2: %+v", d.In22)
	}
	if d, _ := Directive("<Location"); !d.IsSection {
		t.Error("Location is a section")
	}
}

// TestAttributeFacts compares records with what Tomcat's manuals say.
func TestAttributeFacts(t *testing.T) {
	for _, c := range []struct {
		owner, attr, version, def string
		required                  bool
		versions                  Tomcat
	}{
		{"Receiver", "autoBind", "9", "100", false, AllTomcat},
		{"NioReceiver", "port", "", "4000", false, AllTomcat},
		{"NioReceiver", "maxThreads", "", "15", false, AllTomcat},
		{"NioReceiver", "minThreads", "", "6", false, AllTomcat},
		{"NioReceiver", "selectorTimeout", "", "5000", false, AllTomcat},
		{"NioReceiver", "rxBufSize", "", "65536", false, AllTomcat},
		{"NioReceiver", "txBufSize", "", "25188", false, AllTomcat},
		{"NioReceiver", "address", "", "auto", false, AllTomcat},
		{"McastService", "address", "", "228.0.0.4", false, AllTomcat},
		{"McastService", "port", "", "45564", false, AllTomcat},
		{"McastService", "dropTime", "", "3000", false, AllTomcat},
		{"McastService", "frequency", "", "500", false, AllTomcat},
		{"Transport", "timeout", "", "3000", false, AllTomcat},
		{"PooledParallelSender", "poolSize", "", "25", false, AllTomcat},
		{"Cluster", "channelSendOptions", "", "8", true, AllTomcat},
		{"DeltaManager", "recordAllActions", "11", "false", false, AllTomcat},
		{"DeltaManager", "expireSessionsOnShutdown", "", "false", false, AllTomcat},
		{"DeltaManager", "maxActiveSessions", "", "-1", false, AllTomcat},
		{"BackupManager", "processExpiresFrequency", "", "6", false, AllTomcat},
		{"TcpFailureDetector", "connectTimeout", "", "1000", false, AllTomcat},
		{"AJP/1.3", "secretRequired", "10.1", "true", false, AllTomcat},
		{"AJP/1.3", "maxThreads", "", "200", false, AllTomcat},
		{"AJP/1.3", "maxParameterCount", "9", "10000", false, AllTomcat},
		{"AJP/1.3", "maxParameterCount", "11", "1000", false, AllTomcat},
		{"HTTP/1.1", "connectionTimeout", "", "60000", false, AllTomcat},
		{"HTTP/1.1", "acceptCount", "", "100", false, AllTomcat},
		{"HTTP/1.1", "maxPartCount", "9", "50", false, T9 | T101 | T11},
		{"Host", "autoDeploy", "", "true", false, AllTomcat},
		{"Host", "appBase", "", "webapps", true, AllTomcat},
		{"Engine", "defaultHost", "", "", true, AllTomcat},
		{"Server", "shutdown", "", "", true, AllTomcat},
		{"RemoteIpValve", "remoteIpHeader", "", "x-forwarded-for", false, AllTomcat},
		{"Interceptor", "optionFlag", "", "0", false, AllTomcat},
	} {
		a, ok := Attribute(c.owner, strings.ToLower(c.attr), c.version)
		f, held := a.In(c.version)
		if !ok || !held || a.Name != c.attr || f.Default != c.def || f.Required != c.required || a.Versions != c.versions {
			t.Errorf("%s.%s: %+v", c.owner, c.attr, a)
		}
	}
	if _, ok := Attribute("HTTP/1.1", "maxPartCount", "7"); ok {
		t.Error("maxPartCount is not in Tomcat 7")
	}
	if e, _ := Element("BioReceiver"); e.Versions != T7|T85|T9 {
		t.Errorf("BioReceiver in %s", e.Versions)
	}
	if a, ok := Attribute("TcpFailureDetector", "className", ""); !ok || !a.Facts[0].Required {
		t.Error("an attribute common to the interceptors is not found by class")
	}
}

func TestWellFormed(t *testing.T) {
	line := func(who, s string, limit int) {
		if len(s) > limit || strings.ContainsAny(s, "\n\t\r") || s != strings.TrimSpace(s) {
			t.Errorf("%s: bad text %q", who, s)
		}
	}
	if len(directives) < 700 || len(elements) < 80 {
		t.Fatalf("%d directives, %d elements", len(directives), len(elements))
	}
	last := ""
	for _, d := range Directives() {
		if k := strings.ToLower(d.Name); k <= last {
			t.Errorf("%s is out of order or twice", d.Name)
		} else {
			last = k
		}
		if d.Name == "" || d.Module == "" || d.Syntax == "" || d.Help == "" || d.Status == "" || d.Versions == 0 || d.Contexts == 0 {
			t.Errorf("incomplete: %+v", d)
		}
		line(d.Name, d.Help, 160)
		for _, s := range []string{d.Syntax, d.Default, d.Compat} {
			line(d.Name, s, 600)
		}
		if d.In22 != nil && d.Versions&V22 == 0 {
			t.Errorf("%s differs in 2.2, which has it not", d.Name)
		}
	}
	for _, e := range AllElements() {
		if e.Name == "" || e.Page == "" || e.Versions == 0 {
			t.Errorf("incomplete: %+v", e)
		}
		for _, a := range e.Attributes {
			line(e.Name+"."+a.Name, a.Help, 160)
			var sum Tomcat
			for _, f := range a.Facts {
				if f.Versions == 0 || sum&f.Versions != 0 {
					t.Errorf("%s.%s: facts overlap: %+v", e.Name, a.Name, a.Facts)
				}
				sum |= f.Versions
				line(e.Name+"."+a.Name, f.Default, 100)
			}
			if a.Name == "" || sum != a.Versions || a.Versions&^e.Versions != 0 {
				t.Errorf("%s %s: versions of %+v", e.Name, e.Class, a)
			}
		}
	}
}

func TestSuggest(t *testing.T) {
	for in, want := range map[string]string{
		"ProxyPas": "ProxyPass", "NioReciever": "NioReceiver", "Receiver.autoBnd": "Receiver.autoBind",
		"zzzzzzzzz": "", "": "", "Receiver.qqqqqqqq": "", strings.Repeat("x", 1000): "",
	} {
		if got := Suggest(in); got != want {
			t.Errorf("Suggest(%.20q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseTomcat(t *testing.T) {
	for in, want := range map[string]Tomcat{"": AllTomcat, "7.0.109": T7, "8.5": T85, "9": T9, "10.1.26": T101, "11": T11, "6": 0, "x": 0} {
		if got := ParseTomcat(in); got != want {
			t.Errorf("ParseTomcat(%q) = %v, want %v", in, got, want)
		}
	}
}

// TestParserLists reports the directives that the lists in
// parse/httpd do not name, and the names there that no manual has. It never fails:
// the lists need the directives of a front end only.
func TestParserLists(t *testing.T) {
	listed := map[string]bool{}
	for _, file := range []string{"../httpd/known.go", "../httpd/contexts.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			fn, ok := call.Fun.(*ast.Ident)
			lit, isLit := call.Args[0].(*ast.BasicLit)
			if ok && isLit && fn.Name == "names" {
				for _, w := range strings.Fields(strings.Trim(lit.Value, "`\"")) {
					listed[strings.ToLower(w)] = true
				}
			}
			return true
		})
	}
	// directives.txt has a line "name module where" for each directive.
	table, _ := os.ReadFile("../httpd/directives.txt")
	for l := range strings.Lines(string(table)) {
		if f := strings.Fields(l); len(f) == 3 && f[0] != "#" {
			listed[strings.ToLower(strings.Trim(f[0], "<>"))] = true
		}
	}
	var missing []string
	for _, d := range Directives() {
		if d.Versions&V24 != 0 && d.Args != "" && !listed[strings.ToLower(d.Name)] {
			missing = append(missing, d.Name)
		}
	}
	var unknown []string
	for n := range listed {
		if _, ok := Directive(n); !ok {
			unknown = append(unknown, n)
		}
	}
	t.Logf("%d of 2.4 are not in parse/httpd: %s", len(missing), strings.Join(missing, " "))
	t.Logf("in parse/httpd but in no manual: %v", unknown)
}

// TestClassDefaults holds what new objects of Tomcat 10.1.60's classes answer.
func TestClassDefaults(t *testing.T) {
	for name, want := range map[string]string{
		"NioReceiver.autoBind": "100", "NioReceiver.port": "4000", "NioReceiver.maxThreads": "15", "NioReceiver.direct": "true",
		"NioReceiver.udpPort": "-1", "NioReceiver.udpRxBufSize": "65536", "NioReceiver.udpTxBufSize": "25188",
		"NioReceiver.selectorTimeout": "5000", "NioReceiver.timeout": "3000", "McastService.frequency": "500",
		"McastService.dropTime": "3000", "McastService.recoverySleepTime": "5000", "PooledParallelSender.soLingerOn": "false",
		"PooledParallelSender.soLingerTime": "3", "PooledParallelSender.poolSize": "25", "PooledParallelSender.maxRetryAttempts": "1",
		"DeltaManager.stateTransferTimeout": "60", "DeltaManager.notifyListenersOnReplication": "true", "BackupManager.mapSendOptions": "6",
		"SimpleTcpCluster.channelSendOptions": "8", "HTTP/1.1.compression": "off", "HTTP/1.1.redirectPort": "443",
		"AJP/1.3.secretRequired": "true", "StandardContext.useRelativeRedirects": "true", "StandardContext.xmlValidation": "false",
		"StandardContext.tldValidation": "false", "ReplicationValve.primaryIndicator": "false", "StandardContext.cookies": "true",
	} {
		i := strings.LastIndexByte(name, '.')
		a, ok := Attribute(name[:i], name[i+1:], "10.1")
		if f, have := a.In("10.1"); !ok || !have || f.Default != want {
			t.Errorf("%s: %q, the class says %q", name, f.Default, want)
		}
	}
	for _, gone := range []struct{ name, version string }{
		{"BioReceiver.port", "10.1"}, {"HTTP/1.1.keystoreFile", "10.1"}, {"HTTP/1.1.rejectIllegalHeader", "11"},
		{"BackupManager.expireSessionsOnShutdown", "10.1"}, {"StandardContext.cacheTTL", "9"}, {"DeltaManager.maxInactiveInterval", "9"},
	} {
		i := strings.LastIndexByte(gone.name, '.')
		a, _ := Attribute(gone.name[:i], gone.name[i+1:], "")
		if _, ok := a.In(gone.version); ok || a.Name == "" {
			t.Errorf("%s is said to be in %s", gone.name, gone.version)
		}
	}
	for _, c := range corrections {
		if a, ok := Attribute(c.class, c.attribute, ""); !ok || len(a.Facts) == 0 {
			t.Errorf("%s.%s is corrected but not in the table", c.class, c.attribute)
		}
	}
}
