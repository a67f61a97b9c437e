package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"clowder/parse/known"
)

// page tells which element a page of webapps/docs/config describes, and the
// classes its attributes belong to where the page does not name one.
type page struct {
	element string
	classes []string
}

var pages = map[string]page{
	"ajp":                 {"Connector", []string{"AJP/1.3"}},
	"http":                {"Connector", []string{"HTTP/1.1"}},
	"http2":               {"UpgradeProtocol", []string{"org.apache.coyote.http2.Http2Protocol"}},
	"cluster":             {"Cluster", []string{"org.apache.catalina.ha.tcp.SimpleTcpCluster"}},
	"cluster-channel":     {"Channel", []string{"org.apache.catalina.tribes.group.GroupChannel"}},
	"cluster-deployer":    {"Deployer", []string{"org.apache.catalina.ha.deploy.FarmWarDeployer"}},
	"cluster-listener":    {"ClusterListener", []string{"org.apache.catalina.ha.session.ClusterSessionListener"}},
	"cluster-manager":     {"Manager", []string{"org.apache.catalina.ha.session.DeltaManager", "org.apache.catalina.ha.session.BackupManager"}},
	"cluster-membership":  {"Membership", []string{"org.apache.catalina.tribes.membership.McastService"}},
	"cluster-receiver":    {"Receiver", []string{"org.apache.catalina.tribes.transport.nio.NioReceiver"}},
	"cluster-sender":      {"Sender", []string{"org.apache.catalina.tribes.transport.ReplicationTransmitter"}},
	"context":             {"Context", []string{"org.apache.catalina.core.StandardContext"}},
	"cookie-processor":    {"CookieProcessor", []string{"org.apache.tomcat.util.http.Rfc6265CookieProcessor"}},
	"credentialhandler":   {"CredentialHandler", []string{"org.apache.catalina.realm.MessageDigestCredentialHandler", "org.apache.catalina.realm.SecretKeyCredentialHandler"}},
	"engine":              {"Engine", []string{"org.apache.catalina.core.StandardEngine"}},
	"executor":            {"Executor", []string{"org.apache.catalina.core.StandardThreadExecutor"}},
	"globalresources":     {"GlobalNamingResources", nil},
	"host":                {"Host", []string{"org.apache.catalina.core.StandardHost"}},
	"jar-scanner":         {"JarScanner", []string{"org.apache.tomcat.util.scan.StandardJarScanner"}},
	"jar-scan-filter":     {"JarScanFilter", []string{"org.apache.tomcat.util.scan.StandardJarScanFilter"}},
	"loader":              {"Loader", []string{"org.apache.catalina.loader.WebappLoader"}},
	"manager":             {"Manager", []string{"org.apache.catalina.session.StandardManager", "org.apache.catalina.session.PersistentManager"}},
	"resources":           {"Resources", []string{"org.apache.catalina.webresources.StandardRoot"}},
	"server":              {"Server", []string{"org.apache.catalina.core.StandardServer"}},
	"service":             {"Service", []string{"org.apache.catalina.core.StandardService"}},
	"sessionidgenerator":  {"SessionIdGenerator", []string{"org.apache.catalina.util.StandardSessionIdGenerator"}},
	"cluster-interceptor": {"Interceptor", nil}, "cluster-valve": {"Valve", nil},
	"listeners": {"Listener", nil}, "realm": {"Realm", nil}, "valve": {"Valve", nil},
}

// parts are headings, or parts of them, that describe another element or class
// than their page does.
var parts = []struct {
	heading string
	page
}{
	{"StaticMember Attributes", page{"Member", []string{"org.apache.catalina.tribes.membership.StaticMember"}}},
	{"Context Parameters", page{"Parameter", nil}},
	{"Environment Entries", page{"Environment", nil}},
	{"Resource Definitions", page{"Resource", nil}},
	{"Resource Links", page{"ResourceLink", nil}},
	{"Transaction", page{"Transaction", nil}},
	{"SSL Support - SSLHostConfig", page{"SSLHostConfig", nil}},
	{"SSL Support - Certificate", page{"Certificate", nil}},
	{"SSL_CONF", page{"OpenSSLConfCmd", nil}},
	{"Transport Attributes", page{"Transport", nil}},
	{"PooledSender Attributes", page{"Transport", []string{"org.apache.catalina.tribes.transport.nio.PooledParallelSender", "org.apache.catalina.tribes.transport.bio.PooledMultiSender"}}},
	{"Virtual Thread Implementation", page{"Executor", []string{"org.apache.catalina.core.StandardVirtualThreadExecutor"}}},
	{"Static Membership", page{"Membership", []string{"org.apache.catalina.tribes.membership.StaticMembershipService"}}},
	{"VirtualWebappLoader", page{"Loader", []string{"org.apache.catalina.loader.VirtualWebappLoader"}}},
	{"VirtualDirContext", page{"Resources", []string{"org.apache.naming.resources.VirtualDirContext"}}},
	{"SecretKeyCredentialHandler", page{"CredentialHandler", []string{"org.apache.catalina.realm.SecretKeyCredentialHandler"}}},
	{"MessageDigestCredentialHandler", page{"CredentialHandler", []string{"org.apache.catalina.realm.MessageDigestCredentialHandler"}}},
}

var (
	className = regexp.MustCompile(`org\.apache\.[\w.]*\w`)
	// interfaces are named beside the implementations in the text of className.
	interfaces = regexp.MustCompile(`^org\.apache\.(?:catalina|tomcat)\.[A-Z]\w+$|CookieProcessor$|CredentialHandler$|MultiPointSender$|WebResource\w+$|BaseDirContext$|naming\.resources$`)
)

// inherits are classes whose manual entry adds to that of another class.
var inherits = map[string]string{
	"org.apache.catalina.valves.ExtendedAccessLogValve": "org.apache.catalina.valves.AccessLogValve",
	"org.apache.catalina.valves.JsonAccessLogValve":     "org.apache.catalina.valves.AccessLogValve",
}

type key struct{ element, class string }

type tomcatTable map[key]*known.ElementInfo

// readTomcat reads webapps/docs/config of each tree, by version.
func readTomcat(trees map[string]string) ([]known.ElementInfo, string, error) {
	table := tomcatTable{}
	var sources []string
	for _, v := range []string{"7.0", "8.5", "9.0", "10.1", "11.0"} {
		dir, ok := trees[v]
		if !ok {
			continue
		}
		sources = append(sources, "Tomcat "+tomcatVersion(dir, v))
		files, _ := filepath.Glob(filepath.Join(dir, "webapps", "docs", "config", "*.xml"))
		if len(files) == 0 {
			return nil, "", fmt.Errorf("%s has no webapps/docs/config/*.xml", dir)
		}
		sort.Strings(files)
		for _, f := range files {
			name := strings.TrimSuffix(filepath.Base(f), ".xml")
			p, ok := pages[name]
			if !ok {
				continue
			}
			root, err := readXML(f)
			if err != nil {
				return nil, "", fmt.Errorf("%s: %w", f, err)
			}
			table.walk(root, nil, name, p, known.ParseTomcat(v))
		}
	}
	table.inherit()
	var list []known.ElementInfo
	for _, e := range table {
		sort.Slice(e.Attributes, func(i, j int) bool { return e.Attributes[i].Name < e.Attributes[j].Name })
		list = append(list, *e)
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if a.Name != b.Name {
			return a.Name < b.Name
		}
		return a.Class < b.Class
	})
	return list, strings.Join(sources, ", "), nil
}

var buildNumber = regexp.MustCompile(`(?m)^version\.(?:major|minor|build)=(\d+)`)

func tomcatVersion(dir, v string) string {
	b, err := os.ReadFile(filepath.Join(dir, "build.properties.default"))
	if err != nil {
		return v
	}
	var n []string
	for _, m := range buildNumber.FindAllSubmatch(b, 3) {
		n = append(n, string(m[1]))
	}
	return strings.Join(n, ".")
}

// walk adds the <attributes> below n; chain holds the headings above.
func (t tomcatTable) walk(n *node, chain []string, name string, p page, v known.Tomcat) {
	for _, k := range n.kids {
		switch k.name {
		case "section", "subsection":
			t.walk(k, append(chain[:len(chain):len(chain)], k.attrs["name"]), name, p, v)
		case "attributes":
			t.block(k, chain, name, p, v)
		default:
			t.walk(k, chain, name, p, v)
		}
	}
}

// block adds one <attributes>.
func (t tomcatTable) block(n *node, chain []string, name string, p page, v known.Tomcat) {
	var classText string
	for _, a := range n.kids {
		if a.name == "attribute" && a.attrs["name"] == "className" {
			classText = a.plain(false)
		}
	}
	if len(chain) == 0 {
		return
	}
	owner := ownerOf(chain, classText, name, p)
	classes := owner.classes
	if len(classes) == 0 {
		classes = []string{""}
	}
	for _, c := range classes {
		e := t[key{owner.element, c}]
		if last := chain[len(chain)-1]; strings.Contains(last, "PooledSender") && (e == nil || e.Versions&v == 0) {
			continue // the manual names the class in older versions only
		}
		if e == nil {
			e = &known.ElementInfo{Name: owner.element, Class: c, Page: "config/" + name + ".html"}
			t[key{owner.element, c}] = e
		}
		e.Versions |= v
		for _, a := range n.kids {
			if a.name == "attribute" {
				text := a.plain(true)
				add(e, a.attrs["name"], brief(a.plain(false)), known.Fact{Versions: v, Required: a.attrs["required"] == "true", Default: defaultOf(text)})
			}
		}
	}
}

// ownerOf finds the element and classes of a block.
func ownerOf(chain []string, classText, name string, p page) page {
	last := ""
	if len(chain) > 0 {
		last = chain[len(chain)-1]
	}
	for _, x := range parts {
		if strings.Contains(last, x.heading) {
			p = x.page
			if len(p.classes) == 0 && classText != "" {
				p.classes = implementations(classText)
			}
			return p
		}
	}
	for i := len(chain) - 1; i >= 0; i-- {
		if c := className.FindString(chain[i]); c != "" {
			return page{p.element, []string{c}}
		}
	}
	found := implementations(classText)
	if last == "Nested Components" {
		switch {
		case p.element == "Manager" && len(found) > 0:
			return page{"Store", found}
		case p.element == "Manager":
			return page{"SessionIdGenerator", []string{"org.apache.catalina.util.StandardSessionIdGenerator"}}
		case strings.Contains(classText, "CacheStrategy"):
			return page{"CacheStrategy", nil}
		case p.element == "Resources":
			return page{"PostResources", found}
		}
	}
	if name == "manager" && last == "Standard Implementation" && len(found) == 0 {
		found = p.classes[:1]
	}
	if p.element == "Listener" && last == "Common Attributes" || p.element == "Connector" {
		return p
	}
	if len(found) > 0 {
		p.classes = found
	}
	return p
}

func implementations(text string) []string {
	seen := map[string]bool{}
	var out []string
	for _, c := range className.FindAllString(text, -1) {
		if !interfaces.MatchString(c) && !seen[c] {
			seen[c] = true
			out = append(out, c)
		}
	}
	return out
}

// add records an attribute in the versions of f. The newest help wins, and
// versions with the same facts share one record.
func add(e *known.ElementInfo, name, help string, f known.Fact) {
	var a *known.AttributeInfo
	for i := range e.Attributes {
		if e.Attributes[i].Name == name {
			a = &e.Attributes[i]
		}
	}
	if a == nil {
		e.Attributes = append(e.Attributes, known.AttributeInfo{Name: name})
		a = &e.Attributes[len(e.Attributes)-1]
	}
	if help != "" {
		a.Help = help
	}
	if a.Versions&f.Versions != 0 {
		return // named twice by one manual: the first holds
	}
	a.Versions |= f.Versions
	for i := range a.Facts {
		if a.Facts[i].Required == f.Required && a.Facts[i].Default == f.Default {
			a.Facts[i].Versions |= f.Versions
			return
		}
	}
	a.Facts = append(a.Facts, f)
}

// inherit copies the attributes of the base classes.
func (t tomcatTable) inherit() {
	for class, base := range inherits {
		e, b := t[key{"Valve", class}], t[key{"Valve", base}]
		if e == nil || b == nil {
			continue
		}
		for _, a := range b.Attributes {
			for _, f := range a.Facts {
				if f.Versions &= e.Versions; f.Versions != 0 {
					add(e, a.Name, a.Help, f)
				}
			}
		}
	}
}

var defaults = []*regexp.Regexp{
	regexp.MustCompile("(?i)\\bdefaults?(?: value| values)?(?: of this attribute| for this attribute)?(?: is| of| to|:| will be)?(?: set to)?(?: a very high| the value| a value of)? ?[\"'`]+([^\"'`]{1,80})[\"'`]"),
	regexp.MustCompile(`(?i)\bdefaults?(?: value)?(?: is| of| to|:)(?: set to)? (-?\d+|true|false)\b`),
	regexp.MustCompile("(?i)(?:not|isn't) (?:specified|set|configured|present|provided|supplied)[^.`]{0,80}(?:default|value) (?:of |is )?`([^`]{1,80})`"),
	regexp.MustCompile(`(?i)not (?:specified|set)[^.\x60]{0,60} (?:set to|value of|default of) \x60?(-?\d+|true|false)\b`),
	regexp.MustCompile("`([^`]{1,60})` ?\\(?(?:by default|is the default|the default|\\(default)"),
	regexp.MustCompile(`(?i)(-?\d+) \(the default\)`),
	regexp.MustCompile("(?i)by default,? [^.`]{0,60}`([^`]{1,60})`"),
	regexp.MustCompile("(?i)default (?:value )?(?:of|is|for)[^.`]{1,60}?(?: is| of)? `([^`]{1,80})`"),
}

// defaultOf finds the default that the description of an attribute names. The
// text has its code in backquotes.
func defaultOf(text string) string {
	for _, re := range defaults {
		if m := re.FindStringSubmatch(text); m != nil {
			return strings.TrimSpace(m[1])
		}
	}
	return ""
}
