package interop

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"clowder/parse"
	"clowder/runtime"
)

const clusterXML = `
      <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6">
        <Manager className="org.apache.catalina.ha.session.DeltaManager" expireSessionsOnShutdown="false" notifyListenersOnReplication="true"/>
        <Channel className="org.apache.catalina.tribes.group.GroupChannel">
          <Membership className="org.apache.catalina.tribes.membership.McastService" address="228.0.0.4" port="%d" frequency="500" dropTime="3000"/>
          <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="127.0.0.1" port="%d" autoBind="1" selectorTimeout="5000" maxThreads="6"/>
          <Sender className="org.apache.catalina.tribes.transport.ReplicationTransmitter">
            <Transport className="org.apache.catalina.tribes.transport.nio.PooledParallelSender"/>
          </Sender>
          <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
          <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
        </Channel>
        <Valve className="org.apache.catalina.ha.tcp.ReplicationValve" filter=""/>
        <Valve className="org.apache.catalina.ha.session.JvmRouteBinderValve"/>
        <ClusterListener className="org.apache.catalina.ha.session.ClusterSessionListener"/>
      </Cluster>`

// serverXML is a Tomcat with an AJP connector on loopback.
func serverXML(name string, ajp int, secret, cluster string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<Server port="-1" shutdown="SHUTDOWN">
  <Service name="Catalina">
    <Connector port="%d" protocol="AJP/1.3" address="127.0.0.1" %s/>
    <Engine name="Catalina" defaultHost="localhost" jvmRoute="%s">%s
      <Host name="localhost" appBase="webapps" unpackWARs="true" autoDeploy="false"/>
    </Engine>
  </Service>
</Server>
`, ajp, secret, name, cluster)
}

// startSetup writes the files, reads them as one setup and runs it.
func startSetup(t *testing.T, files map[string]string, only ...string) *runtime.Running {
	t.Helper()
	dir := writeFiles(t, files)
	r, err := parse.Load(parse.Options{Paths: []string{dir}, Tomcat: map[string]string{"": "10.1"}, HTTPD: "2.4", Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Broken) > 0 {
		t.Fatalf("the setup does not parse: %v", r.Diags)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	running, err := runtime.Start(ctx, r.Setup, runtime.Options{Only: only})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopRunning(t, running) })
	return running
}

func stopRunning(t *testing.T, r *runtime.Running) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

const balancerModules = `
LoadModule mpm_event_module $MODULES/mod_mpm_event.so
LoadModule authz_core_module $MODULES/mod_authz_core.so
LoadModule slotmem_shm_module $MODULES/mod_slotmem_shm.so
LoadModule proxy_module $MODULES/mod_proxy.so
LoadModule proxy_ajp_module $MODULES/mod_proxy_ajp.so
LoadModule proxy_balancer_module $MODULES/mod_proxy_balancer.so
LoadModule lbmethod_byrequests_module $MODULES/mod_lbmethod_byrequests.so
`

func balancerConf(listen int, members ...string) string {
	return fmt.Sprintf("Listen 127.0.0.1:%d\nServerName localhost\n<Proxy balancer://mybalancer>\n%s\n</Proxy>\n"+
		"ProxyPass / balancer://mybalancer/ stickysession=JSESSIONID|jsessionid scolonpathdelim=On\n", listen, strings.Join(members, "\n"))
}

// TestClusterRealHTTPDInFrontOfGoNodes puts a real httpd before three Go nodes:
// it balances over AJP, sticks by the route, and fails over with the count going on.
func TestClusterRealHTTPDInFrontOfGoNodes(t *testing.T) {
	Require(t, "apache2", "apt-get install apache2", "/usr/sbin/apache2")
	p := FreePorts(t, 8)
	nodes := map[string]*runtime.Running{}
	files := map[string]string{}
	var members []string
	for i, name := range []string{"s1", "s2", "s3"} {
		files[name+"/conf/server.xml"] = serverXML(name, p[i], `secret="s3cret"`, fmt.Sprintf(clusterXML, p[7], p[3+i]))
		members = append(members, fmt.Sprintf("BalancerMember ajp://127.0.0.1:%d route=%s secret=s3cret retry=1", p[i], name))
	}
	for _, name := range []string{"s1", "s2", "s3"} {
		nodes[name] = startSetup(t, files, name)
	}
	StartHTTPD(t, p[6], balancerModules+balancerConf(p[6], members...))

	b := &Browser{URL: fmt.Sprintf("http://127.0.0.1:%d/", p[6])}
	first := b.Get(t)
	if first.Status != 200 || first.Count != 1 {
		t.Fatalf("first answer: %d %q", first.Status, first.Body)
	}
	for want := 2; want <= 10; want++ {
		if a := b.Get(t); a.Count != want || a.Node != first.Node {
			t.Fatalf("request %d: count %d on %s, want it on %s", want, a.Count, a.Node, first.Node)
		}
	}
	stopRunning(t, nodes[first.Node])
	a := b.Get(t)
	if a.Count != 11 || a.Node == first.Node {
		t.Fatalf("after %s stopped: count %d on %s; want 11 on another node\n%s", first.Node, a.Count, a.Node, a.Body)
	}
	if !strings.HasSuffix(b.Session(), "."+a.Node) {
		t.Errorf("session id %s does not carry the route of %s", b.Session(), a.Node)
	}
	if a := b.Get(t); a.Count != 12 {
		t.Errorf("then %d, want 12", a.Count)
	}
}

// TestBalancerInFrontOfRealTomcat puts the Go balancer before a real Tomcat.
func TestBalancerInFrontOfRealTomcat(t *testing.T) {
	p := FreePorts(t, 2)
	StartTomcat(t, "t1", serverXML("t1", p[0], `secret="s3cret"`, ""), p[0])
	startSetup(t, map[string]string{"httpd.conf": balancerConf(p[1],
		fmt.Sprintf("BalancerMember ajp://127.0.0.1:%d route=t1 secret=s3cret", p[0]))})
	b := &Browser{URL: fmt.Sprintf("http://127.0.0.1:%d/", p[1])}
	for want := 1; want <= 5; want++ {
		a := b.Get(t)
		if a.Status != 200 || a.Count != want || a.Node != "t1" {
			t.Fatalf("request %d: %+v", want, a)
		}
	}
	if !strings.HasSuffix(b.Session(), ".t1") {
		t.Errorf("session id %q has no route", b.Session())
	}
}
