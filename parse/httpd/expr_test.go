package httpd

import "testing"

// The verdicts are those of httpd 2.4.71 for <If "EXPRESSION">.
var exprCases = []struct {
	text string
	ok   bool
}{
	{"true", true}, {"!false && (true || false)", true}, {"%{REQUEST_URI} == '/b'", true}, {"%{REQUEST_URI} =~ m#^/a#", true},
	{"%{REQUEST_URI} =~ /a/i", true}, {"%{REMOTE_ADDR} -ipmatch '10.0.0.0/8'", true}, {"-n %{HTTP_HOST}", true},
	{"%{REQUEST_METHOD} in { 'GET', 'POST' }", true}, {"%{REQUEST_STATUS} -ge 400", true}, {"tolower(req('Host')) eq 'a'", true},
	{"'a' . 'b' == 'ab'", true}, {"%{HTTP:X-A} != ''", true}, {"-R '10.0.0.0/8'", true}, {"req('A') == $1", true},
	{"%{REQUEST_URI} =~ ", false}, {"%{REQUEST_URI}", false}, {"'a' ==", false}, {"(true", false}, {"true)", false}, {"'a", false},
	{"true true", false}, {"'a' == 'b' 'c'", false}, {"%{REQUEST_URI", false}, {"'a' =~ 'b'", false}, {"'a' =~ /(/", false},
	{"abc == 'a'", false}, {"&& true", false}, {"true ||", false}, {"'a' in { 'a' ", false}, {"", false}, {"-Q 'a'", false},
}

func TestExpressions(t *testing.T) {
	for _, c := range exprCases {
		at, problem := checkExpr(c.text, true)
		if (problem == "") != c.ok || at < 0 || at > len(c.text) {
			t.Errorf("%q: %d %q", c.text, at, problem)
		}
	}
}

func FuzzExpressions(f *testing.F) {
	for _, c := range exprCases {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if at, _ := checkExpr(s, true); at < 0 || at > len(s) {
			t.Errorf("%q: place %d", s, at)
		}
	})
}
