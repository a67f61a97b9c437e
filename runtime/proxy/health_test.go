package proxy

import (
	"strings"
	"testing"
	"time"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/runtime/balancer"
	"clowder/runtime/health"
)

func healthProxy(t *testing.T, conf string) (*Proxy, error) {
	t.Helper()
	cfg, _ := httpd.Load(diag.NewFile("httpd.conf", []byte("Listen 80\n"+conf)), httpd.Options{Whole: true})
	f, _, _ := httpd.Lower(cfg)
	return New(f, Options{Hold: true, PortOffset: 1000})
}

// TestHealthTargets: checks go where requests go, with the time limits of
// hc_get_hcworker and hc_check_cping.
func TestHealthTargets(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		member string
		want   health.Target
	}{
		{"http://h", health.Target{Address: "h:1080", Host: "h:1080", ConnectTimeout: 30 * s, Timeout: 30 * s, Ping: 30 * s}},
		{"http://h:8080/base timeout=5", health.Target{Address: "h:9080", Host: "h:9080", Path: "/base", ConnectTimeout: 5 * s, Timeout: 5 * s, Ping: 5 * s}},
		{"ajp://[::1] connectiontimeout=2", health.Target{Address: "[::1]:9009", Host: "[::1]:9009", ConnectTimeout: 2 * s, Timeout: 30 * s, Ping: 2 * s}},
		{"ajp://h connectiontimeout=2 ping=300ms", health.Target{Address: "h:9009", Host: "h:9009", ConnectTimeout: 2 * s, Timeout: 30 * s, Ping: 300 * time.Millisecond}},
	} {
		p, err := healthProxy(t, "Timeout 30\n<Proxy balancer://c>\nBalancerMember "+c.member+" hcmethod=GET\n</Proxy>\n")
		if err != nil {
			t.Fatal(err)
		}
		c.want.Network = "tcp"
		if got := p.main.target(p)(p.Balancers()[0].Members()[0]); got != c.want {
			t.Errorf("%s: %+v", c.member, got)
		}
		p.Close()
	}
	p, err := healthProxy(t, "<Proxy balancer://c>\nBalancerMember https://h hcmethod=GET\n</Proxy>\n")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := p.main.target(p)(p.Balancers()[0].Members()[0]); got.TLS == nil || !got.Secure || got.Address != "h:1443" {
		t.Errorf("https: %+v", got)
	}
}

// TestHealthRefused: what cannot be checked as it says is refused, with its place.
func TestHealthRefused(t *testing.T) {
	for _, c := range []struct{ conf, want string }{
		{"ProxyHCExpr x {%{REMOTE_USER} == 'a'}", "httpd.conf:2:1: ProxyHCExpr x: not known to health checks"},
		{"<Proxy balancer://c>\nBalancerMember http://h hcmethod=GET hcexpr=y\n</Proxy>", "httpd.conf:3:38: hcexpr=y: the text"},
		{"ProxyHCTPsize x", "ProxyHCTPsize x: want a number"},
	} {
		p, err := healthProxy(t, c.conf)
		if err == nil {
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.conf, err)
		}
	}
	p, err := healthProxy(t, "ProxyHCTPsize 0\nProxyHCExpr OK {%{REQUEST_STATUS} =~ /^[234]/}\nProxyHCTemplate t hcinterval=7\n"+
		"<Proxy balancer://c>\nBalancerMember http://h hcmethod=GET hcexpr=ok\nBalancerMember http://i hctemplate=t\n</Proxy>\n"+
		"<VirtualHost *:80>\nServerName v\nProxyPass / balancer://c/\n</VirtualHost>")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	// A template without a method means TCP (set_hc_template).
	if h := p.Balancers()[0].Members()[1].Health(); h.Method != "TCP" || h.Interval != 7*time.Second {
		t.Errorf("%+v", h)
	}
	if len(p.Balancers()) != 2 || p.vhosts[0].target(p)(p.Balancers()[1].Members()[0]) != p.main.target(p)(p.Balancers()[0].Members()[0]) {
		t.Error("the same member of two servers has two targets")
	}
}

// TestHealthTemplates: a template sets every value, as httpd 2.4.71 shows them in
// balancer-manager for this configuration.
func TestHealthTemplates(t *testing.T) {
	p, err := healthProxy(t, "ProxyHCTemplate t hcinterval=7\nProxyHCTemplate u hcmethod=GET\n<Proxy balancer://c>\n"+
		"BalancerMember http://1 hctemplate=t\nBalancerMember http://2 hcinterval=5 hcpasses=4 hctemplate=u\n"+
		"BalancerMember http://3 hctemplate=u hcinterval=5\nBalancerMember http://4 hcmethod=HEAD hctemplate=t\n</Proxy>\n")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i, want := range []balancer.Health{
		{Method: "TCP", Interval: 7 * time.Second, Passes: 1, Fails: 1},
		{Method: "GET", Interval: 30 * time.Second, Passes: 1, Fails: 1},
		{Method: "GET", Interval: 5 * time.Second, Passes: 1, Fails: 1},
		{Method: "TCP", Interval: 7 * time.Second, Passes: 1, Fails: 1},
	} {
		if got := p.Balancers()[0].Members()[i].Health(); got != want {
			t.Errorf("member %d: %+v, want %+v", i+1, got, want)
		}
	}
}
