package tomcat

import (
	"fmt"
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// TestSubstitute holds what IntrospectionUtils.replaceProperties of Tomcat 10.1.60 gives.
func TestSubstitute(t *testing.T) {
	properties := map[string]string{"a": "1", "b": "${a}", "c": "${c}", "d": "x${d}", "e": "", "a:-z": "odd", "f": "${nope:-${a}}",
		"g": "$", "h": "{a}", "1k": "v", "p": "${q}", "q": "${p}"}
	lookup := func(k string) (string, bool) { v, ok := properties[k]; return v, ok }
	for in, want := range map[string]string{
		"plain": "plain", "${a}": "1", "x${a}y${b}z": "x1y1z", "${b}": "1", "${c}": "${c}", "${d}": strings.Repeat("x", 20) + "${d}",
		"${e}": "", "[${e:-dflt}]": "[]", "${nope}": "${nope}", "${nope:-def}": "def", "${nope:-}": "", "${a:-z}": "odd", "${f}": "1",
		"${nope:-${a}}": "1", "${nope:-${nope2}}": "${nope2}", "${nope:-${nope2:-q}}": "q", "${g}${h}": "1", "$${a}": "$1", "$$": "$$",
		"a$": "a$", "${a": "${a", "${": "${", "${}": "${}", "${:-x}": "x", "${${a}k}": "${${a}k}", "${${b}k}": "${${b}k}",
		"${nope}${a}": "${nope}1", "${p}": "${p}", "${nope:-a:-b}": "a:-b", "$a ${a}": "$a 1", "$ {a}": "$ {a}",
	} {
		if got, _ := Substitute(in, lookup); got != want {
			t.Errorf("%q gives %q, Tomcat %q", in, got, want)
		}
	}
	if _, left := Substitute("${nope:-${x}} ${a} ${y}", lookup); fmt.Sprint(left) != "[x y]" {
		t.Errorf("unresolved: %v", left)
	}
	properties["big"] = strings.Repeat("${big}", 100)
	if got, _ := Substitute("${big}", lookup); len(got) > maxSubstituted {
		t.Errorf("grows to %d bytes", len(got))
	}
}

func TestSubstituteInText(t *testing.T) {
	lookup := func(k string) (string, bool) {
		return map[string]string{"host": "www", "minutes": "7"}[k], k == "host" || k == "minutes"
	}
	d, _ := Parse(diag.NewFile("x", []byte(`<Server><Service><Engine><Host name="${host}"><Alias>${host}.example</Alias></Host></Engine></Service></Server>`)))
	n, _, _ := LowerServer(d, Options{Property: lookup})
	if h := n.Engine().Hosts[0]; h.Name.V != "www" || h.Aliases[0].V != "www.example" {
		t.Errorf("%+v", h)
	}
	d, _ = Parse(diag.NewFile("x", []byte(`<web-app><session-config><session-timeout>${minutes}</session-timeout></session-config></web-app>`)))
	c := &model.Context{}
	if LowerWebXML(d, c, lookup); c.SessionTimeout.V != 7 {
		t.Errorf("timeout %d", c.SessionTimeout.V)
	}
}
