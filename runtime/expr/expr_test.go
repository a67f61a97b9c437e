package expr

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// request is a request of fixed values.
type request map[string]string

func (r request) Var(name string) string { return r[name] }
func (r request) Header(name string) string {
	return r["req:"+strings.ToLower(name)]
}
func (r request) Response(name string) string     { return r["resp:"+strings.ToLower(name)] }
func (r request) Env(name string) (string, bool)  { v, ok := r["env:"+name]; return v, ok }
func (r request) Note(name string) (string, bool) { v, ok := r["note:"+name]; return v, ok }
func (r request) Remote() netip.Addr              { return netip.MustParseAddr("10.1.2.3") }
func (r request) Allowed(p string, _ bool) bool   { return p == "/ok" }

var sample = request{"REQUEST_URI": "/a/b", "req:host": "h", "req:accept": "x", "env:E": "v", "note:E": "n", "SSL_PROTOCOL": "TLSv1.3"}

// What real httpd makes of expressions is compared in internal/interop; here is
// what a request there cannot have.
func TestEval(t *testing.T) {
	for text, want := range map[string]bool{
		`-R '10.0.0.0/8' && ! -R '10.2'`:                      true,
		`%{SSL_PROTOCOL} == 'TLSv1.3' && ssl('SSL_NO') == ''`: true,
		`%{SSL:SSL_PROTOCOL} in { 'TLSv1.2', 'TLSv1.3' }`:     true,
		`env('E') == 'n' && reqenv('E') == 'v'`:               true,
		`-U '/ok' && ! -A '/no'`:                              true,
		`%{REQUEST_URI} =~ m#^/(.)/(.)# && $2 . $1 == 'ba'`:   true,
		`'99999999999999999999' -gt '9223372036854775806'`:    true,
		`'b' =~ /(a)?(b)/ && $1 == '' && $2 == 'b'`:           true,
		`'x' =~ /(?=y)/`: false,
		`'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' =~ /(a+)+\1{9}c/`: false,
	} {
		e, err := Parse(text, 0)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := e.Eval(sample, nil, nil); got != want || err != nil && want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestVary(t *testing.T) {
	e, err := Parse(`%{HTTP_HOST} == 'h' && %{HTTP_ACCEPT} == 'x' && req_novary('A') == '' && %{HTTP:B} == ''`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var res Result
	if ok, err := e.Eval(sample, nil, &res); !ok || err != nil || strings.Join(res.Vary, " ") != "Accept B" {
		t.Error(ok, err, res)
	}
}

func TestErrors(t *testing.T) {
	for text, offset := range map[string]int{`'a' == b`: 7, `'a' =~ /(/`: 7, `%{NOPE} == 'a'`: 2, `true || -Q 'a'`: 8, `'a' == 'b`: 7, `nope('x') == 'a'`: 0} {
		_, err := Parse(text, 0)
		var e *Error
		if !errors.As(err, &e) || e.Offset != offset {
			t.Errorf("%s: %v, want offset %d", text, err, offset)
		}
	}
	if _, err := ParseText("a %{req:x"); err == nil {
		t.Error("an open variable is taken")
	}
}

// TestDepth: what httpd would not follow is an error, and false; parsing is bounded.
func TestDepth(t *testing.T) {
	deep := strings.Repeat("tolower(", 25) + "'a'" + strings.Repeat(")", 25) + " == 'a'"
	e, err := Parse(deep, 0)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := e.Eval(sample, nil, nil); ok || !errors.Is(err, ErrDepth) {
		t.Error(ok, err)
	}
	for _, open := range []string{"(", "!", "tolower(", "%{req:", "'%{req:"} {
		if _, err := Parse(strings.Repeat(open, 100000), 0); err == nil {
			t.Error("taken:", open)
		}
	}
	long := strings.Repeat("false || ", 1000) + "true"
	if e, err = Parse(long, 0); err != nil {
		t.Fatal(err)
	}
	if ok, err := e.Eval(sample, nil, nil); !ok || err != nil {
		t.Error(ok, err)
	}
}

func TestSSLCompat(t *testing.T) {
	e, err := Parse(`'10' > '9' and '2' < '10'`, SSLCompat)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := e.Eval(sample, nil, nil); !ok {
		t.Error("texts are compared by their length first")
	}
}

func TestFnmatch(t *testing.T) {
	for _, a := range []struct {
		pattern, s string
		f          MatchFlags
		want       bool
	}{
		{"/a*", "/ab/c", Pathname, false}, {"/a*", "/ab/c", 0, true}, {"/*/c", "/ab/c", Pathname, true}, {"*", "", 0, true}, {"", "a", 0, false},
		{"[a-c]x", "Bx", CaseBlind, true}, {"[!a-c]x", "dx", 0, true}, {"[", "[", 0, true}, {"a[b", "a[b", 0, true}, {`\*`, "*", 0, true}, {"[]]", "]", 0, true},
		{"a?c", "a/c", Pathname, false}, {"a[/]c", "a/c", Pathname, false}, {"*a*b*c", "xxaxxbxxc", 0, true}, {"*.example", "a.b.example", 0, true},
	} {
		if got := Fnmatch(a.pattern, a.s, a.f); got != a.want {
			t.Errorf("%q %q %d: %v", a.pattern, a.s, a.f, got)
		}
	}
	if Fnmatch(strings.Repeat("*a", 30)+"b", strings.Repeat("a", 5000), 0) {
		t.Error("matched")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`%{REQUEST_URI} =~ m#^/(.)# && $1 == 'a' || -R '10.0.0.0/8'`, `tolower("%{req:X}") -in { 'a', 'b' . 1 }`, `! (true)`, `'\101' -strmatch 'A*'`, `%{env:a%{req:b}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s, 0)
		var pe *Error
		switch {
		case err == nil:
			if !strings.Contains(s, "file") && !strings.Contains(s, "FILE") {
				e.Eval(sample, nil, &Result{})
			}
			e.Walk(func(string, string) {})
		case !errors.As(err, &pe) || pe.Offset < 0 || pe.Offset > len(s):
			t.Fatalf("%q: %v", s, err)
		}
		x, err := ParseText(s)
		if err == nil && !strings.Contains(strings.ToLower(s), "file") {
			x.Eval(sample, nil)
		}
		Fnmatch(s, "some/text.txt", Pathname|CaseBlind)
	})
}
