package lint_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clowder/lint"
	"clowder/parse"
)

// twin is one node of a setup of this test. Its server.xml has the Server tag in
// line 1, the Connector in 2, the Engine in 3, its parts from line 4 on, the Host
// behind them.
type twin struct {
	server    string // attributes of Server; port="-1" when empty
	connector string // attributes
	engine    string // the lines inside the Engine, in front of the Host
	host      string // name of the Host; localhost when empty
}

func (n twin) file(i int) lint.ExampleFile {
	server, host := n.server, n.host
	if server == "" {
		server = `port="-1"`
	}
	if host == "" {
		host = "localhost"
	}
	return lint.ExampleFile{Name: fmt.Sprintf("s%d/server.xml", i), Text: fmt.Sprintf(`<Server %s shutdown="down"><Service name="Catalina">
<Connector protocol="HTTP/1.1" %s/>
<Engine name="Catalina" defaultHost="%s" jvmRoute="s%d">
%s<Host name="%s"/>
</Engine></Service></Server>
`, server, n.connector, host, i, n.engine, host)}
}

// cluster is a Cluster in line 4 with one part of its channel per line, from line 6 on.
func clusterOf(attrs string, parts ...string) string {
	return `<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" ` + attrs + ">\n" +
		`<Channel className="org.apache.catalina.tribes.group.GroupChannel">` + "\n" + strings.Join(parts, "\n") + "\n</Channel></Cluster>\n"
}

func mcastOf(attrs string) string {
	return `<Membership className="org.apache.catalina.tribes.membership.McastService" ` + attrs + "/>"
}

func receiverOf(attrs string) string {
	return `<Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" ` + attrs + "/>"
}

func interceptorOf(class, attrs string) string {
	return `<Interceptor className="org.apache.catalina.tribes.group.interceptors.` + class + `" ` + attrs + "/>"
}

// static is a StaticMembershipInterceptor: its own line, one for the LocalMember
// when own is above 0, and one for each "host:port:id".
func staticOf(own int, members ...string) string {
	id := func(i string) string { return `uniqueId="{0, 0,0,0,0,0,0,0,0,0,0,0,0,0,0,` + i + `}"` }
	lines := []string{`<Interceptor className="org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor">`}
	if own > 0 {
		lines = append(lines, `<LocalMember className="org.apache.catalina.tribes.membership.StaticMember" `+id(fmt.Sprint(own))+"/>")
	}
	for _, m := range members {
		f := strings.Split(m, ":")
		lines = append(lines, fmt.Sprintf(`<Member className="org.apache.catalina.tribes.membership.StaticMember" host="%s" port="%s" %s/>`, f[0], f[1], id(f[2])))
	}
	return strings.Join(append(lines, "</Interceptor>"), "\n")
}

// balancers is an httpd.conf with one balancer for each list of members.
func balancers(lists ...string) string {
	b := strings.Builder{}
	for i, list := range lists {
		fmt.Fprintf(&b, "<Proxy balancer://b%d>\n", i+1)
		for _, m := range strings.Fields(list) {
			url, options, _ := strings.Cut(m, ",")
			fmt.Fprintf(&b, "BalancerMember http://%s %s\n", url, options)
		}
		fmt.Fprintf(&b, "</Proxy>\nProxyPass /%d balancer://b%d/\n", i+1, i+1)
	}
	return b.String()
}

const (
	noMcast = `channelStartOptions="3"`
	on1     = `port="8080" address="10.0.0.11"`
	on2     = `port="8080" address="10.0.0.12"`
	on3     = `port="8080" address="10.0.0.13"`
	on4     = `port="8080" address="10.0.0.14"`
	two     = "10.0.0.11:8080 10.0.0.12:8080"
	three   = two + " 10.0.0.13:8080"
	four    = three + " 10.0.0.14:8080"
)

// clusterCases are setups of several nodes with the findings of X2xx and X3xx
// that they must have, all of them.
var clusterCases = []struct {
	name  string
	httpd string
	nodes []twin
	more  []lint.ExampleFile
	want  string // "ID file:line" and commas
}{
	{"shutdown and connector", "", []twin{{server: `port="8005"`, connector: `port="8081" address="127.0.0.1"`}, {connector: `port="8005" address="127.0.0.1"`}}, nil, "X205 s2/server.xml:2"},
	{"connector on another address than the shutdown port", "", []twin{{server: `port="8005"`, connector: `port="8081" address="10.0.0.11"`}, {connector: `port="8005" address="10.0.0.11"`}}, nil, ""},
	{"portOffset", "", []twin{{server: `port="8005" portOffset="100"`, connector: `port="8081" address="127.0.0.1"`}, {server: `port="8105"`, connector: `port="8082" address="127.0.0.1"`}}, nil, "X203 s2/server.xml:1"},
	{"unresolved properties are no defaults", "", []twin{
		{server: `port="${shutdown.port}"`, connector: `port="${http.port}" address="127.0.0.1"`, engine: clusterOf("", receiverOf(`address="127.0.0.1" port="${receiver.port}"`))},
		{server: `port="${shutdown.port}"`, connector: `port="${http.port}" address="127.0.0.1"`, engine: clusterOf("", receiverOf(`address="127.0.0.1" port="${receiver.port}"`))},
	}, nil, ""},
	{"two addresses of the loopback network", "", []twin{{connector: `port="8081" address="127.0.0.1"`}, {connector: `port="8081" address="127.0.0.2"`}}, nil, ""},
	{"localhost and 127.0.0.1", "", []twin{{connector: `port="8081" address="localhost"`}, {connector: `port="8081" address="127.0.0.1"`}}, nil, "X204 s2/server.xml:2"},
	{"overlapping ranges are an info", "", []twin{
		{connector: `port="8081" address="127.0.0.1"`, engine: clusterOf("", receiverOf(`address="127.0.0.1" port="4000"`))},
		{connector: `port="8082" address="127.0.0.1"`, engine: clusterOf("", receiverOf(`address="127.0.0.1" port="4099" autoBind="1"`))},
	}, nil, "X202 s2/server.xml:6"},
	{"touching ranges", "", []twin{
		{connector: `port="8081" address="127.0.0.1"`, engine: clusterOf("", receiverOf(`address="127.0.0.1" port="4000"`))},
		{connector: `port="8082" address="127.0.0.1"`, engine: clusterOf("", receiverOf(`address="127.0.0.1" port="4100" autoBind="0"`))},
	}, nil, ""},
	{"Listen and a shutdown port", "Listen 80\nListen 127.0.0.1:8005\nProxyPass / http://127.0.0.1:8081/\n", []twin{{server: `port="8005"`, connector: `port="8081"`}}, nil, "X206 httpd.conf:2"},
	{"Listen on the address of a member", "Listen 10.0.0.11:8080\n" + balancers(two), []twin{{connector: on1}, {connector: on2}}, nil, "X206 httpd.conf:1"},
	{"Listen on another host", "Listen 8080\n" + balancers(two), []twin{{connector: on1}, {connector: on2}}, nil, ""},

	{"the odd one of three is the first", balancers(three), []twin{
		{connector: on1, engine: clusterOf("", mcastOf(`port="45565"`))}, {connector: on2, engine: clusterOf("", mcastOf(""))}, {connector: on3, engine: clusterOf("")},
	}, nil, "X301 s1/server.xml:6"},
	{"no Membership element", balancers(two), []twin{{connector: on1, engine: clusterOf("", mcastOf(`address="228.0.0.9"`))}, {connector: on2, engine: clusterOf("")}}, nil, "X301 s2/server.xml:4"},
	{"group by property", balancers(two), []twin{{connector: on1, engine: clusterOf("", mcastOf(`port="${mcast.port}"`))}, {connector: on2, engine: clusterOf("", mcastOf(`port="45599"`))}}, nil, ""},
	{"two clusters behind one balancer, each with its own as well", balancers(four, two, "10.0.0.13:8080 10.0.0.14:8080"), []twin{
		{connector: on1, engine: clusterOf("")}, {connector: on2, engine: clusterOf("")},
		{connector: on3, engine: clusterOf(`channelSendOptions="6"`, mcastOf(`port="45565"`))}, {connector: on4, engine: clusterOf(`channelSendOptions="6"`, mcastOf(`port="45565"`))},
	}, nil, ""},
	{"two clusters behind one balancer, apart by lbset", balancers(two + " 10.0.0.13:8080,lbset=1 10.0.0.14:8080,lbset=1"), []twin{
		{connector: on1, engine: clusterOf("")}, {connector: on2, engine: clusterOf("")},
		{connector: on3, engine: clusterOf("", mcastOf(`port="45565"`))}, {connector: on4, engine: clusterOf("", mcastOf(`port="45565"`))},
	}, nil, ""},
	{"two groups and nothing that says why", balancers(four), []twin{
		{connector: on1, engine: clusterOf("")}, {connector: on2, engine: clusterOf("")},
		{connector: on3, engine: clusterOf("", mcastOf(`port="45565"`))}, {connector: on4, engine: clusterOf("", mcastOf(`port="45565"`))},
	}, nil, "X301 s3/server.xml:6, X301 s4/server.xml:6"},

	{"two balancers in the default group", balancers("10.0.0.11:8080", "10.0.0.12:8080"), []twin{{connector: on1, engine: clusterOf("")}, {connector: on2, engine: clusterOf("")}}, nil, "X302 s2/server.xml:4"},
	{"two balancers in one group, filtered by domain", balancers("10.0.0.11:8080", "10.0.0.12:8080"), []twin{
		{connector: on1, engine: clusterOf("", mcastOf(`domain="a"`), interceptorOf("DomainFilterInterceptor", `domain="a"`))},
		{connector: on2, engine: clusterOf("", mcastOf(`domain="b"`), interceptorOf("DomainFilterInterceptor", `domain="b"`))},
	}, nil, ""},
	{"two balancers with a node in common", balancers("10.0.0.11:8080 10.0.0.12:8080", "10.0.0.12:8080 10.0.0.13:8080"), []twin{{connector: on1, engine: clusterOf("")}, {connector: on2, engine: clusterOf("")}, {connector: on3, engine: clusterOf("")}}, nil, ""},

	{"a filter against the own domain", balancers(two), []twin{
		{connector: on1, engine: clusterOf("", mcastOf(`domain="a"`), interceptorOf("DomainFilterInterceptor", `domain="a"`))},
		{connector: on2, engine: clusterOf("", mcastOf(`domain="a"`), interceptorOf("DomainFilterInterceptor", `domain="b"`))},
	}, nil, "X303 s2/server.xml:7"},
	{"a node without the domain that is filtered", balancers(two), []twin{
		{connector: on1, engine: clusterOf("", mcastOf(`domain="a"`), interceptorOf("DomainFilterInterceptor", `domain="a"`))},
		{connector: on2, engine: clusterOf("", mcastOf(""))},
	}, nil, "X303 s2/server.xml:6"},
	{"one domain in two spellings", balancers(two), []twin{
		{connector: on1, engine: clusterOf("", mcastOf(`domain="ab"`), interceptorOf("DomainFilterInterceptor", `domain="{97, 98}"`))},
		{connector: on2, engine: clusterOf("", mcastOf(`domain="{97,98}"`))},
	}, nil, ""},
	{"domains without a filter", balancers(two), []twin{{connector: on1, engine: clusterOf("", mcastOf(`domain="a"`))}, {connector: on2, engine: clusterOf("", mcastOf(`domain="b"`))}}, nil, ""},

	{"a commented-out Cluster", balancers(two), []twin{{connector: on1, engine: clusterOf("")}, {connector: on2, engine: "<!-- <Cluster/> -->\n"}}, nil, "X304 s2/server.xml:3"},
	{"a plain Tomcat behind another balancer", balancers("10.0.0.11:8080 10.0.0.12:8080", "10.0.0.13:8080"), []twin{{connector: on1, engine: clusterOf("")}, {connector: on2, engine: clusterOf("")}, {connector: on3}}, nil, ""},

	{"a manager for one application", balancers(two), []twin{{connector: on1, engine: clusterOf("")}, {connector: on2, engine: clusterOf("")}}, []lint.ExampleFile{
		{Name: "s2/webapps/shop/META-INF/context.xml", Text: "<Context>\n<Manager className=\"org.apache.catalina.ha.session.BackupManager\"/>\n</Context>\n"},
	}, "X306 s2/webapps/shop/META-INF/context.xml:2"},

	{"encryption on one node only", balancers(two), []twin{{connector: on1, engine: clusterOf("", interceptorOf("EncryptInterceptor", `encryptionKey="00112233445566778899aabbccddeeff"`))}, {connector: on2, engine: clusterOf("")}}, nil, "X307 s2/server.xml:5"},
	{"keys in two spellings, the default algorithm", balancers(two), []twin{
		{connector: on1, engine: clusterOf("", interceptorOf("EncryptInterceptor", `encryptionKey="00112233445566778899AABBCCDDEEFF" encryptionAlgorithm="AES/GCM/NoPadding"`))},
		{connector: on2, engine: clusterOf("", interceptorOf("EncryptInterceptor", `encryptionKey="00112233445566778899aabbccddeeff"`))},
	}, nil, ""},
	{"keys by property", balancers(two), []twin{{connector: on1, engine: clusterOf("", interceptorOf("EncryptInterceptor", `encryptionKey="${key}"`))}, {connector: on2, engine: clusterOf("", interceptorOf("EncryptInterceptor", `encryptionKey="${key}"`))}}, nil, ""},
	{"another algorithm", balancers(two), []twin{{connector: on1, engine: clusterOf("", interceptorOf("EncryptInterceptor", `encryptionKey="${key}"`))}, {connector: on2, engine: clusterOf("", interceptorOf("EncryptInterceptor", `encryptionKey="${key}" encryptionAlgorithm="AES/CBC/PKCS5Padding"`))}}, nil, "X307 s2/server.xml:6"},

	{"another order", balancers(two), []twin{
		{connector: on1, engine: clusterOf("", interceptorOf("GzipInterceptor", ""), interceptorOf("FragmentationInterceptor", ""))},
		{connector: on2, engine: clusterOf("", interceptorOf("FragmentationInterceptor", ""), interceptorOf("GzipInterceptor", ""))},
	}, nil, "X308 s2/server.xml:6"},
	{"an interceptor that most have", balancers(three), []twin{{connector: on1, engine: clusterOf("")}, {connector: on2, engine: clusterOf("", interceptorOf("OrderInterceptor", ""))}, {connector: on3, engine: clusterOf("", interceptorOf("OrderInterceptor", ""))}}, nil, "X308 s3/server.xml:6"},

	{"a static member of a Receiver that moves", balancers(two), []twin{
		{connector: on1, engine: clusterOf(noMcast, receiverOf(`address="10.0.0.11" autoBind="1"`), staticOf(1, "10.0.0.12:4001:2"))},
		{connector: on2, engine: clusterOf(noMcast, receiverOf(`address="10.0.0.12"`), staticOf(2, "10.0.0.11:4000:1"))},
	}, nil, "X309 s1/server.xml:9"},
	{"static members of one host", balancers("127.0.0.1:8081 127.0.0.1:8082"), []twin{
		{connector: `port="8081"`, engine: clusterOf(noMcast, receiverOf(`address="127.0.0.1" port="4001" autoBind="1"`), staticOf(1, "127.0.0.1:4002:2"))},
		{connector: `port="8082"`, engine: clusterOf(noMcast, receiverOf(`address="127.0.0.1" port="4002" autoBind="1"`), staticOf(2, "localhost:4001:1"))},
	}, nil, ""},
	{"a node that lists nobody", balancers(two), []twin{
		{connector: on1, engine: clusterOf(noMcast, receiverOf(`address="10.0.0.11" autoBind="1"`), staticOf(1, "10.0.0.12:4000:2"))},
		{connector: on2, engine: clusterOf(noMcast, receiverOf(`address="10.0.0.12" autoBind="1"`), staticOf(2))},
	}, nil, "X310 s2/server.xml:7"},
	{"a member by a name that nobody knows", balancers(two), []twin{
		{connector: on1, engine: clusterOf(noMcast, receiverOf(`address="10.0.0.11" autoBind="1"`), staticOf(1, "10.0.0.12:4000:2"))},
		{connector: on2, engine: clusterOf(noMcast, receiverOf(`address="10.0.0.12" autoBind="1"`), staticOf(2, "first.example.com:4000:1"))},
	}, nil, ""},
	{"two nodes of one uniqueId", balancers(two), []twin{
		{connector: on1, engine: clusterOf(noMcast, receiverOf(`address="10.0.0.11" autoBind="1"`), staticOf(1, "10.0.0.12:4000:2"))},
		{connector: on2, engine: clusterOf(noMcast, receiverOf(`address="10.0.0.12" autoBind="1"`), staticOf(1, "10.0.0.11:4000:1"))},
	}, nil, "X311 s2/server.xml:8"},

	{"both Receivers on loopback, two hosts", balancers(two), []twin{
		{connector: on1, engine: clusterOf("", receiverOf(`address="127.0.0.1"`))}, {connector: on2, engine: clusterOf("", receiverOf(`address=""`))},
	}, nil, "X312 s1/server.xml:6, X312 s2/server.xml:6"},
	{"heartbeats on loopback, two hosts", balancers(two), []twin{{connector: on1, engine: clusterOf("", mcastOf(`bind="127.0.0.1"`))}, {connector: on2, engine: clusterOf("")}}, nil, "X312 s1/server.xml:6"},

	{"five static members", balancers(two), []twin{
		{connector: on1, engine: clusterOf(noMcast, receiverOf(`address="10.0.0.11" autoBind="1"`), staticOf(1, "10.0.0.12:4000:2", "10.0.0.13:4000:3", "10.0.0.14:4000:4", "10.0.0.15:4000:5"))},
		{connector: on2, engine: clusterOf(noMcast, receiverOf(`address="10.0.0.12" autoBind="1"`), staticOf(2, "10.0.0.11:4000:1", "10.0.0.13:4000:3", "10.0.0.14:4000:4", "10.0.0.15:4000:5"))},
	}, nil, "X313 s1/server.xml:4"},
	{"four nodes", balancers(four), []twin{{connector: on1, engine: clusterOf("")}, {connector: on2, engine: clusterOf("")}, {connector: on3, engine: clusterOf("")}, {connector: on4, engine: clusterOf("")}}, nil, ""},

	{"a further host on one node", balancers(two), []twin{{connector: on1, engine: clusterOf("")}, {connector: on2, engine: clusterOf("") + "<Host name=\"www.example.com\"/>\n"}}, nil, ""},
	{"the application is in another host", balancers(two), []twin{
		{connector: on1, engine: clusterOf("") + "<Host name=\"a\"><Context path=\"/x\"/></Host>\n"}, {connector: on2, engine: clusterOf("") + "<Host name=\"b\"><Context path=\"/x\"/></Host>\n"},
	}, nil, "X314 s2/server.xml:8"},
	{"other host names, Cluster in the Host", balancers(two), []twin{
		{connector: on1, engine: "<Host name=\"a\">" + clusterOf("") + "</Host>\n", host: "x"}, {connector: on2, engine: "<Host name=\"b\">" + clusterOf("") + "</Host>\n", host: "y"},
	}, nil, ""},
	{"other send options", balancers(two), []twin{{connector: on1, engine: clusterOf(`channelSendOptions="asynchronous"`)}, {connector: on2, engine: clusterOf(`channelSendOptions="6"`)}}, nil, "X317 s2/server.xml:4"},
	{"the default send options in words", balancers(two), []twin{{connector: on1, engine: clusterOf(`channelSendOptions="asynchronous"`)}, {connector: on2, engine: clusterOf("")}}, nil, ""},
}

// TestNodesOfClusters compares the findings of the rules about several nodes.
func TestNodesOfClusters(t *testing.T) {
	for _, c := range clusterCases {
		t.Run(c.name, func(t *testing.T) {
			var files []lint.ExampleFile
			if c.httpd != "" {
				files = append(files, lint.ExampleFile{Name: "httpd.conf", Text: c.httpd})
			}
			for i, n := range c.nodes {
				files = append(files, n.file(i+1))
			}
			var got []string
			for _, d := range lintFiles(t, append(files, c.more...), parse.Options{HTTPD: "2.4", Tomcat: map[string]string{"": "10.1"}}) {
				if !strings.HasPrefix(d.ID, "X2") && !strings.HasPrefix(d.ID, "X3") {
					continue
				}
				name := filepath.ToSlash(d.Span.File.Name)
				for _, f := range append(files, c.more...) {
					if strings.HasSuffix(name, "/"+f.Name) {
						name = f.Name
					}
				}
				got = append(got, fmt.Sprintf("%s %s:%d", d.ID, name, d.Span.Begin().Line))
				if len(d.Related) == 0 {
					t.Errorf("%s names no second place", d.ID)
				}
				if strings.Contains(d.Message+d.Detail, "00112233") {
					t.Errorf("%s prints a key: %s", d.ID, d.Message)
				}
				t.Log(d.ID, d.Severity, d.Confidence, d.Message)
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, strings.Join(got, ", ")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
