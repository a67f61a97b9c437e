package envoy

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// TestEncodedAlike compares what patterns match of paths as bytes, as PCRE does,
// and of the same paths with each byte beyond ASCII as %XX, as Envoy has them.
func TestEncodedAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"/", "a", "c3", "C", "x", ".", ".*", ".+", "[^/]+", "[^/]*", "[a-z]", "[0-9]+", "[!-~]+", "(", ")", "(?:", "|", "?", "*", "+", "^", "$", `\.jsp`, "%", `\b`, `[^a]`, "ü", `\w`, `\W*`, "(?i)"}
	letters := []string{"/", "a", "c", "3", "C", "x", ".jsp", "\u00c3", "\u00e4", "\u00b5", "\u00fc"}
	var paths, encoded []string
	for range 600 {
		raw, enc := "/", "/"
		for range r.IntN(6) {
			l := letters[r.IntN(len(letters))]
			raw += l
			if c := []rune(l)[0]; c > 0x7F {
				format := "%%%02X"
				if r.IntN(2) == 0 {
					format = "%%%02x"
				}
				l = fmt.Sprintf(format, c)
			}
			enc += l
		}
		paths, encoded = append(paths, raw), append(encoded, enc)
	}
	alikes := 0
	for range 60000 {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		pattern := b.String()
		re, err := regexp.Compile(pattern)
		if err != nil || !encodedAlike(pattern) {
			continue
		}
		alikes++
		for i := range paths {
			if re.MatchString(paths[i]) != re.MatchString(encoded[i]) {
				t.Fatalf("%q: %q and %q differ", pattern, paths[i], encoded[i])
			}
		}
	}
	if alikes < 1000 {
		t.Errorf("only %d patterns are taken for alike", alikes)
	}
	for _, usual := range []string{`\.jsp$`, `^/app(/.*)?$`, `^/(.*)$`, `^/(old|new)/`, `^/[^/]+/admin`} {
		if !encodedAlike(usual) {
			t.Errorf("%q refuses all encoded paths", usual)
		}
	}
}

// TestGlobCovers: what a name takes, an earlier name takes as a whole or not at all.
func TestGlobCovers(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{{"*.a.org", "x.a.org", true}, {"*.a.org", "*.b.a.org", true}, {"*.b.a.org", "*.a.org", false}, {"*ample.org", "foo.example.org", true}, {"*", "*.a", true},
		{"?.a", "*.a", false}, {"?.a", "x.a", true}, {"a.*.c", "a.b.b.c", true}, {"a*b*c", "aXbXbX", false}, {"", "", true}, {"x", "", false}} {
		if got := globCovers(c.pattern, c.name); got != c.want {
			t.Errorf("%s over %s: %v", c.pattern, c.name, got)
		}
	}
}
