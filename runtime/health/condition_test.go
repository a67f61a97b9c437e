package health

import (
	"testing"

	"clowder/runtime/exchange"
)

var sample = &Answer{Status: 204, Protocol: "HTTP/1.1", Header: exchange.Header{{Name: "Content-Type", Value: "text/html"}, {Name: "X-A", Value: "7"}}, Body: []byte("all is well\n")}

func TestConditions(t *testing.T) {
	for text, want := range map[string]bool{
		"%{REQUEST_STATUS} =~ /^[234]/":                          true,
		"{%{REQUEST_STATUS} =~ m#^5#}":                           false,
		"%{REQUEST_STATUS} -eq 204":                              true,
		"%{REQUEST_STATUS} -lt 300 && %{REQUEST_STATUS} -ge 200": true,
		"%{REQUEST_STATUS} -lt 30":                               false,
		"%{REQUEST_STATUS} in { '200', '204' }":                  true,
		"%{REQUEST_STATUS} in {'200'}":                           false,
		"! ( hc('body') =~ /WELL/i )":                            false,
		"hc('body') =~ /WELL/":                                   false,
		"%{hc:body} =~ /well/ || false":                          true,
		"false || (true && ! false)":                             true,
		"resp('X-A') == 7 && resp('X-B') == ''":                  true,
		"%{resp:x-a} gt 6":                                       true,
		"%{CONTENT_TYPE} = 'text/html'":                          true,
		`"s%{REQUEST_STATUS}t" == 's204t'`:                       true,
		"-n resp('X-A')":                                         true,
		"-z resp('X-A')":                                         false,
		"%{SERVER_PROTOCOL} != 'HTTP/1.0'":                       true,
	} {
		c, err := Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := c.Holds(sample); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	for _, text := range []string{"", "{}", "%{REMOTE_ADDR} == 'x'", "file('/etc/passwd') =~ /x/", "%{REQUEST_STATUS}", "%{REQUEST_STATUS} =~ /(/",
		"%{REQUEST_STATUS} == 1 extra", "(true", "hc('head') == 'x'", "'a' in {'b'", "'a", "%{REQUEST_STATUS =~ /x/", "-R '10.0.0.0/8'"} {
		if _, err := Compile(text); err == nil {
			t.Errorf("%s was understood", text)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("{%{REQUEST_STATUS} =~ /^[234]/ && hc('body') !~ m#x#i || -n resp('a')}")
	f.Add("((((")
	f.Add("!!!'a%{resp:b}' in {1,'2'}")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := Compile(text); err == nil {
			c.Holds(sample)
		} else if c != nil {
			t.Error("both")
		}
	})
}
