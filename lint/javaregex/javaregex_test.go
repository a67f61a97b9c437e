package javaregex

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// subjects are the strings that the columns of java17.tsv are about.
var subjects = []string{"/app/", "/app/login", "/app/login.do", "/app/index.jsp", "a", "ab", "aab", "a.gif", "b1", "", "aa"}

// TestAsJava compares with what java.util.regex of Java 17 answered: the file has
// a verdict, then what matched or why the pattern is refused, then the pattern.
func TestAsJava(t *testing.T) {
	f, err := os.Open("testdata/java17.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, matches := 0, 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		part := strings.SplitN(sc.Text(), "\t", 3)
		if len(part) != 3 {
			t.Fatalf("not three columns: %q", sc.Text())
		}
		lines++
		re, err := Parse(part[2])
		if (err == nil) != (part[0] == "ok") {
			t.Errorf("%s: got %v, Java says %s %s", part[2], err, part[0], part[1])
			continue
		}
		if err != nil {
			if err.Error() != part[1] {
				t.Errorf("%s: got %q, Java says %q", part[2], err, part[1])
			}
			continue
		}
		for i, s := range subjects {
			if match, sure := re.MatchAll(s); sure {
				matches++
				if match != (part[1][i] == '1') {
					t.Errorf("%s on %q: %v, Java the opposite", part[2], s, match)
				}
			}
		}
	}
	if lines < 200 || matches < 1000 {
		t.Errorf("only %d patterns and %d sure answers", lines, matches)
	}
}

// TestBounds: what would take for ever is given up, and says so.
func TestBounds(t *testing.T) {
	re, err := Parse("(a*)*(a*)*(a*)*b")
	if err != nil {
		t.Fatal(err)
	}
	if _, sure := re.MatchAll(strings.Repeat("a", 200)); sure {
		t.Error("an exponential match came to an end")
	}
	for _, pattern := range []string{strings.Repeat("(", 100_000), strings.Repeat("[", 60_000), strings.Repeat("(?:", 2000) + strings.Repeat(")", 2000)} {
		if re, err := Parse(pattern); err == nil {
			if _, sure := re.MatchAll("a"); sure {
				t.Errorf("a pattern of %d characters is surely known", len(pattern))
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`.*\.gif`, `*.gif`, `(?<n>a)\k<n>`, `[a&&[b]]`, `\Q(\E`, `a{2,}+`, `(?x) a`, `\x{10FFFF}`} {
		f.Add(s, "/app/index.jsp")
	}
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		re, err := Parse(pattern)
		if err != nil {
			if e := err.(*Error); e.Offset < 0 || e.Offset > len([]rune(pattern)) {
				t.Errorf("offset %d of %q", e.Offset, pattern)
			}
			return
		}
		re.MatchAll(subject)
	})
}
