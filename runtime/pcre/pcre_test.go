package pcre

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What libpcre2-8 10.42 answers with httpd's options (DOTALL, DOLLAR_ENDONLY).
var answers = []struct{ pattern, subject, want string }{
	{`^/(.*)$`, "/a/b\n", "0 5 1 5"},
	{`a$`, "a\n", ""},
	{`a\Z`, "a\n", "0 1"},
	{`a.b`, "a\nb", "0 3"},
	{`(?m)^b$`, "a\nb\nc", "2 3"},
	{`(?i)É`, "\xc3\xa9", ""},
	{"^.{2}$", "\xc3\xa9", "0 2"},
	{"[\xa0-\xff]+", "x\xc3\xa9y", "1 3"},
	{`[^a]`, "a\xc3", "1 2"},
	{`\xc3\xa9`, "a\xc3\xa9", "1 3"},
	{`(a)|(b)`, "b", "0 1 -1 -1 0 1"},
	{`a++b`, "aaab", "0 4"},
	{`a++ab`, "aaab", ""},
	{`(?>a+)ab`, "aaab", ""},
	{`^(?!/admin)(/.*)`, "/admin/x", ""},
	{`^(?!/admin)(/.*)`, "/user", "0 5 0 5"},
	{`(?<=/)x`, "a/x", "2 3"},
	{`(?<!/)x`, "a/x", ""},
	{`(\w)\1`, "abccd", "2 4 2 3"},
	{`(?<n>\w)-\k<n>`, "a-b-b", "2 5 2 3"},
	{`(?P<n>b)(c)(?P=n)`, "abcb", "1 4 1 2 2 3"},
	{`[]a]+`, "x]a", "1 3"},
	{`[^]a]+`, "]xa", "1 2"},
	{`[[:alpha:]_]+`, "1ab_", "1 4"},
	{`[[:^digit:]]+`, "12ab3", "2 4"},
	{`[a-\d]+`, "x-a3", "error"},
	{`\h+`, "a \t\xa0b", "1 4"},
	{`\R`, "a\r\nb", "1 3"},
	{`\s`, "a\vb", "1 2"},
	{`a{,3}`, "a{,3}", "0 5"},
	{`a{2`, "a{2", "0 3"},
	{`(?:ab){2}{2}`, "abababab", "error"},
	{`\Qa.b\E+`, "xa.bb", "1 5"},
	{`(?x) a b # c`, "ab", "0 2"},
	{`(?i:A)b`, "ab", "0 2"},
	{`(?i:A)b`, "aB", ""},
	{`(?#note)a`, "a", "0 1"},
	{`\.(gif|jpe?g)$`, "/x.jpeg", "2 7 3 7"},
	{`\101\x42\x{43}\o`, "ABC", "error"},
	{`\101\x42\x{43}`, "ABC", "0 3"},
	{`(a)(?(1)b|c)`, "ab", "0 2 0 1"},
	{`(`, "", "error"},
	{`a)`, "", "error"},
	{`*a`, "", "error"},
	{`[a`, "", "error"},
	{`[b-a]`, "", "error"},
	{`\2(a)`, "", "error"},
	{`^$`, "", "0 0"},
	{`(a*)*`, "b", "0 0 0 0"},
	{`^(/[^/]+)+/$`, "/a/b/", "0 5 2 4"},
}

func found(r *Regexp, s string) string {
	at, err := r.Find(s)
	if err != nil {
		return err.Error()
	}
	return strings.Trim(fmt.Sprint(at), "[]")
}

func TestAnswers(t *testing.T) {
	for _, a := range answers {
		r, err := Compile(a.pattern, 0)
		if err != nil {
			if a.want != "error" {
				t.Error(err)
			}
			continue
		}
		if a.want == "error" {
			t.Errorf("%q is taken", a.pattern)
			continue
		}
		if got := found(r, a.subject); got != a.want {
			t.Errorf("%q in %q: %q, want %q", a.pattern, a.subject, got, a.want)
		}
	}
}

// TestLinear: what needs no backtracking runs on the engine that has none.
func TestLinear(t *testing.T) {
	for _, a := range []struct {
		pattern string
		slow    bool
	}{{`^/([a-z]+)/(.*)$`, false}, {`[[:alnum:]]+\.(?:php|jsp)`, false}, {`(?i)^\Q.x\E`, false}, {`(?!a)b`, true}, {`(a)\1`, true}} {
		if r := MustCompile(a.pattern, 0); r.Backtracks() != a.slow {
			t.Errorf("%q: backtracks %v", a.pattern, r.Backtracks())
		}
	}
}

// TestTimeout: a pattern that explodes ends with an error, not with an answer.
func TestTimeout(t *testing.T) {
	r := MustCompile(`^(?=(a+)+b)(a+)+$`, 0)
	ok, err := r.Match(strings.Repeat("a", 40))
	if ok || !errors.Is(err, ErrTimeout) {
		t.Fatal(ok, err)
	}
	if _, err := r.Find(strings.Repeat("a", 40)); !errors.Is(err, ErrTimeout) {
		t.Fatal(err)
	}
}

func FuzzCompile(f *testing.F) {
	for _, a := range answers {
		f.Add(a.pattern, a.subject)
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 200 || len(s) > 200 {
			return
		}
		r, err := Compile(pattern, ICase)
		if err != nil {
			return
		}
		at, err := r.Find(s)
		if err != nil {
			return
		}
		ok, err := r.Match(s)
		if err == nil && ok != (at != nil) {
			t.Fatalf("%q in %q: %v and %v", pattern, s, ok, at)
		}
		for i, v := range at {
			if v < -1 || v > len(s) || i%2 == 1 && v < at[i-1] {
				t.Fatalf("%q in %q: %v", pattern, s, at)
			}
		}
		if at != nil && len(at) != 2*(r.Groups()+1) {
			t.Fatalf("%q: %d groups, %v", pattern, r.Groups(), at)
		}
	})
}
