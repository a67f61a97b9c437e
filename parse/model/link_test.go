package model

import (
	"testing"

	"clowder/parse/diag"
)

func TestSplitURL(t *testing.T) {
	for _, c := range []struct {
		url, scheme, host string
		port              int
		ok                bool
	}{
		{"ajp://Localhost:8301", "ajp", "localhost", 8301, true},
		{"ajp://10.0.0.11", "ajp", "10.0.0.11", 8009, true},
		{"http://h/app?x", "http", "h", 80, true},
		{"https://[::1]:8443/", "https", "::1", 8443, true},
		{"https://u:p@h", "https", "h", 443, true},
		{"h2c://h", "h2c", "h", 80, true},
		{"balancer://c", "balancer", "", 0, false},
		{"unix:/run/x.sock|http://h", "unix:/run/x.sock|http", "", 0, false},
		{"http://h:99999", "http", "h", 0, false},
		{"http://[::1", "http", "", 0, false},
		{"", "", "", 0, false},
	} {
		scheme, host, port, ok := SplitURL(c.url)
		if scheme != c.scheme || host != c.host || port != c.port || ok != c.ok {
			t.Errorf("%q: %q %q %d %v", c.url, scheme, host, port, ok)
		}
	}
}

func FuzzSplitURL(f *testing.F) {
	for _, s := range []string{"ajp://h:8009", "http://[::1]:80/x", "://", "a://@:", "ajp://[", "ws://h:1:2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, host, port, ok := SplitURL(s)
		if ok && (host == "" || port < 0 || port > 65535) {
			t.Errorf("%q: host %q port %d", s, host, port)
		}
	})
}

func str(s string) String { return Is(s, diag.Span{}) }

type nodeSpec struct {
	name, host, address, route string
	port                       int
}

func build(members [][2]string, nodes ...nodeSpec) *Setup {
	b := &Balancer{Name: str("c")}
	for _, m := range members {
		x := &Member{URL: str(m[0])}
		if m[1] != "" {
			x.Route = str(m[1])
		}
		b.Members = append(b.Members, x)
	}
	s := &Setup{FrontEnds: []*FrontEnd{{Name: str("httpd"), Main: &Server{Balancers: []*Balancer{b}}}}}
	for _, n := range nodes {
		c := &Connector{Port: Is(n.port, diag.Span{}), Protocol: str("AJP/1.3")}
		if n.address != "" {
			c.Address = str(n.address)
		}
		e := &Engine{}
		if n.route != "" {
			e.JVMRoute = str(n.route)
		}
		x := &Node{Name: str(n.name), Services: []*Service{{Connectors: []*Connector{c}, Engine: e}}}
		if n.host != "" {
			x.Host = str(n.host)
		}
		s.Nodes = append(s.Nodes, x)
	}
	return s
}

func TestLinks(t *testing.T) {
	local := []nodeSpec{{"s1", "", "", "s1", 8301}, {"s2", "", "", "s2", 8302}}
	for _, c := range []struct {
		name       string
		url, route string
		nodes      []nodeSpec
		node       string
		connector  bool
		by         Evidence
	}{
		{"loopback by port", "ajp://localhost:8302", "", local, "s2", true, ByLoopback},
		{"loopback, wrong port, route tells", "ajp://127.0.0.1:8303", "s2", local, "s2", false, ByLoopback},
		{"loopback, wrong port, nobody's route", "ajp://127.0.0.1:8303", "s3", local, "", false, ByLoopback},
		{"by address", "ajp://10.0.0.11:8009", "", []nodeSpec{{"s1", "", "10.0.0.11", "", 8009}, {"s2", "", "10.0.0.12", "", 8009}}, "s1", true, ByAddress},
		{"by address, wrong port", "ajp://10.0.0.11:8010", "s1", []nodeSpec{{"s1", "", "10.0.0.11", "s1", 8009}}, "s1", false, ByAddress},
		{"by address, another server's route", "ajp://10.0.0.11:8010", "s9", []nodeSpec{{"s1", "", "10.0.0.11", "s1", 8009}}, "", false, ByAddress},
		{"by setup file", "ajp://tc1:8009", "", []nodeSpec{{"s1", "tc1", "", "", 8009}}, "s1", true, BySetup},
		{"by name", "ajp://s2:8302", "", local, "s2", true, ByName},
		{"by route", "ajp://tc2.example.com:8302", "s2", local, "s2", true, ByRoute},
		{"route does not overrule an address", "ajp://10.0.0.9:8009", "s1", []nodeSpec{{"s1", "", "10.0.0.11", "s1", 8009}}, "", false, NoEvidence},
		{"unknown host", "ajp://10.9.9.9:8009", "", local, "", false, NoEvidence},
		{"same port twice, route tells", "ajp://localhost:8009", "s2", []nodeSpec{{"s1", "", "", "s1", 8009}, {"s2", "", "", "s2", 8009}}, "s2", true, ByLoopback},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := build([][2]string{{c.url, c.route}}, c.nodes...).Links()[0]
			name := ""
			if l.Node != nil {
				name = l.Node.Name.V
			}
			if name != c.node || (l.Connector != nil) != c.connector || l.By != c.by {
				t.Errorf("node %q, connector %v, by %v", name, l.Connector != nil, l.By)
			}
		})
	}
}

func TestRouteOfSeveralHostsTellsNothing(t *testing.T) {
	s := build([][2]string{{"ajp://tc1.example.com:8301", "s1"}, {"ajp://tc2.example.com:8301", "s1"}}, nodeSpec{"s1", "", "", "s1", 8301})
	for _, l := range s.Links() {
		if l.Node != nil {
			t.Errorf("%s leads to %s", l.Member.URL.V, l.Node.Name.V)
		}
	}
}

func TestPortOffset(t *testing.T) {
	s := build([][2]string{{"ajp://localhost:8109", ""}}, nodeSpec{"s1", "", "", "", 8009})
	s.Nodes[0].PortOffset = Is(100, diag.Span{})
	if l := s.Links()[0]; l.Connector == nil {
		t.Error("portOffset is not added")
	}
}

func TestSameHost(t *testing.T) {
	for _, c := range []struct {
		name string
		s    *Setup
		same bool
		conf diag.Confidence
	}{
		{"loopback members", build([][2]string{{"ajp://localhost:8301", ""}, {"ajp://127.0.0.1:8302", ""}}, nodeSpec{"s1", "", "", "", 8301}, nodeSpec{"s2", "", "", "", 8302}), true, diag.Certain},
		{"different addresses", build(nil, nodeSpec{"s1", "", "10.0.0.1", "", 1}, nodeSpec{"s2", "", "10.0.0.2", "", 1}), false, diag.Likely},
		{"equal address", build(nil, nodeSpec{"s1", "", "10.0.0.1", "", 1}, nodeSpec{"s2", "", "10.0.0.1", "", 2}), true, diag.Certain},
		{"setup file", build(nil, nodeSpec{"s1", "a", "", "", 1}, nodeSpec{"s2", "A", "", "", 2}), true, diag.Certain},
		{"setup file says no", build([][2]string{{"ajp://localhost:1", ""}}, nodeSpec{"s1", "a", "", "", 1}, nodeSpec{"s2", "b", "", "", 2}), false, diag.Likely},
		{"nothing known", build(nil, nodeSpec{"s1", "", "", "", 1}, nodeSpec{"s2", "", "", "", 1}), false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			same, conf := c.s.SameHost(c.s.Nodes[0], c.s.Nodes[1])
			if same != c.same || conf != c.conf {
				t.Errorf("%v %v", same, conf)
			}
		})
	}
}
