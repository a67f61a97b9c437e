package interop

import (
	"fmt"
	"testing"
)

// TestClusterDeltaGoAndTomcat puts a Go node and a real Tomcat into one cluster:
// a session that counts on the one goes on at the other.
func TestClusterDeltaGoAndTomcat(t *testing.T) {
	p := FreePorts(t, 6)
	group := p[5]
	cluster := func(receiver int) string { return fmt.Sprintf(clusterXML, group, receiver) }
	const secret = `secret="s3cret"`
	files := map[string]string{"s1/server.xml": serverXML("s1", p[0], secret, cluster(p[2]))}
	goNode := startSetup(t, files)
	tomcat := StartTomcat(t, "t2", serverXML("t2", p[1], secret, cluster(p[3])), p[1])
	startSetup(t, map[string]string{"httpd.conf": balancerConf(p[4],
		fmt.Sprintf("BalancerMember ajp://127.0.0.1:%d route=s1 secret=s3cret retry=1", p[0]),
		fmt.Sprintf("BalancerMember ajp://127.0.0.1:%d route=t2 secret=s3cret retry=1", p[1]))})

	// Two sessions: byrequests gives the first to s1 and the second to t2.
	url := fmt.Sprintf("http://127.0.0.1:%d/", p[4])
	onGo, onTomcat := &Browser{URL: url}, &Browser{URL: url}
	for want := 1; want <= 5; want++ {
		if a := onGo.Get(t); a.Count != want || a.Node != "s1" {
			t.Fatalf("Go's session, request %d: %+v", want, a)
		}
		if a := onTomcat.Get(t); a.Count != want || a.Node != "t2" {
			t.Fatalf("Tomcat's session, request %d: %+v", want, a)
		}
	}
	stopRunning(t, goNode)
	if a := onGo.Get(t); a.Count != 6 || a.Node != "t2" {
		t.Fatalf("after the Go node stopped: %+v, want 6 on t2", a)
	}
	if a := onTomcat.Get(t); a.Count != 6 {
		t.Errorf("Tomcat's own session: %+v", a)
	}

	// A Go node that starts gets both sessions from Tomcat, and takes them over
	// when Tomcat is killed.
	startSetup(t, files)
	if err := tomcat.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*Browser{"Go's": onGo, "Tomcat's": onTomcat} {
		if a := b.Get(t); a.Count != 7 || a.Node != "s1" {
			t.Errorf("%s session after Tomcat was killed: %+v, want 7 on s1", name, a)
		}
	}
}
