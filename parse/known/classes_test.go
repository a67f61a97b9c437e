package known

import (
	"slices"
	"strings"
	"testing"
)

// TestClasses checks facts of the class table that Tomcat itself shows: what its
// digester sets, and what it warns about.
func TestClasses(t *testing.T) {
	for _, c := range []struct {
		class, property string
		version         Tomcat
		want            Kind
	}{
		{"org.apache.catalina.tribes.transport.nio.NioReceiver", "port", T101, Whole},
		{"org.apache.catalina.tribes.transport.nio.NioReceiver", "tcpListenPort", T7, Whole},
		{"org.apache.catalina.tribes.transport.nio.NioReceiver", "tcpListenPort", T101, NoKind},
		{"org.apache.catalina.core.StandardHost", "autoDeploy", T101, Truth},
		{"org.apache.catalina.core.StandardHost", "backgroundProcessorDelay", T7, Whole},
		{"org.apache.catalina.ha.session.DeltaManager", "notifyListenersOnReplication", T9, Truth},
		{"org.apache.catalina.ha.session.BackupManager", "expireSessionsOnShutdown", T101, NoKind},
		{"org.apache.catalina.ha.tcp.SimpleTcpCluster", "channelSendOptions", T85, Whole},
		{"org.apache.catalina.ha.tcp.SimpleTcpCluster", "channelSendOptions", T101, Text},
		{"org.apache.coyote.http11.Http11NioProtocol", "SSLEnabled", T101, Truth},
		{"org.apache.coyote.http11.Http11NioProtocol", "keystoreFile", T9, Text},
		{"org.apache.coyote.http11.Http11NioProtocol", "keystoreFile", T101, NoKind},
		{"org.apache.catalina.core.StandardContext", "manager", T101, Other},
	} {
		info, ok := Class(c.class)
		if !ok {
			t.Errorf("%s is not known", c.class)
			continue
		}
		if got, _ := info.Property(c.property, c.version); got != c.want {
			t.Errorf("%s %s in %s: %q, want %q", c.class, c.property, c.version, got, c.want)
		}
	}
	if _, ok := Class("org.apache.catalina.ha.tcp.SimpleTCPCluster"); ok {
		t.Error("a class of the wrong case is found")
	}
	for class, want := range map[string]Tomcat{
		"org.apache.catalina.core.JasperListener":                                  T7,
		"org.apache.catalina.ha.session.JvmRouteSessionIDBinderListener":           T7,
		"org.apache.catalina.tribes.membership.StaticMembershipService":            T9 | T101 | T11,
		"org.apache.catalina.tribes.group.interceptors.EncryptInterceptor":         AllTomcat,
		"org.apache.catalina.tribes.group.interceptors.TcpFailureDetector":         AllTomcat,
		"org.apache.catalina.tribes.transport.bio.BioReceiver":                     T7 | T85 | T9,
		"org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor": AllTomcat,
	} {
		if info, ok := Class(class); !ok || info.Versions != want {
			t.Errorf("%s: %v, want %s", class, info, want)
		}
	}
}

// TestManualAgreesWithClasses compares the two tables: what the manual names as an
// attribute of a class, the class has a setter for.
func TestManualAgreesWithClasses(t *testing.T) {
	unset := map[string]bool{}
	compared := 0
	for _, e := range AllElements() {
		c, ok := Class(e.Class)
		if !ok || c.TakesAny(AllTomcat) {
			continue
		}
		for _, a := range e.Attributes {
			if a.Name == "className" {
				continue
			}
			compared++
			if _, v := c.Property(a.Name, a.Versions); v == 0 {
				unset[c.Name[strings.LastIndexByte(c.Name, '.')+1:]+"."+a.Name] = true
			}
		}
	}
	if compared < 500 {
		t.Fatalf("only %d attributes compared", compared)
	}
	var got []string
	for n := range unset {
		got = append(got, n)
	}
	slices.Sort(got)
	// Names that the manuals kept when the setters went.
	want := []string{"FileStore.checkInterval", "HeartbeatListener.proxyURL", "JDBCStore.checkInterval", "JNDIRealm.sslSocketFactory", "JsonAccessLogValve.resolveHosts"}
	if !slices.Equal(got, want) {
		t.Errorf("without a setter: %v, want %v", got, want)
	}
}
