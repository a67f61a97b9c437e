package ledger

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"clowder/parse"
	"clowder/parse/model"
	"clowder/render/target"
)

// eachStruct calls f for every struct type that a setup can hold.
func eachStruct(f func(reflect.Type)) {
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		f(t)
		for _, fd := range model.Fields(t) {
			if fd.Kind == model.StructField || fd.Kind == model.ArrayField {
				walk(fd.Type)
			}
		}
	}
	walk(reflect.TypeFor[model.Setup]())
}

// TestEveryFieldHasAnArea: no fact of the model can be lost outside of an area
// that a user can name.
func TestEveryFieldHasAnArea(t *testing.T) {
	known := map[string]bool{}
	eachStruct(func(s reflect.Type) {
		known[s.Name()] = true
		for _, f := range model.Fields(s) {
			known[s.Name()+"."+f.Key], known[f.Key] = true, true
			if _, ok := target.FindArea(areaOf(s, f.Key)); !ok {
				t.Errorf("%s.%s is in the area %q, which does not exist", s.Name(), f.Key, areaOf(s, f.Key))
			}
		}
	})
	known["Attr"], known["Module"] = true, true
	for name := range areas {
		if !known[name] {
			t.Errorf("areas[%q] is no field of the model", name)
		}
	}
	for name := range neutral {
		if !known[name] {
			t.Errorf("neutral[%q] is no field of the model", name)
		}
	}
}

const conf = `Listen 80
ProxyRequests Off
ProxyVia On
<Proxy balancer://c>
  BalancerMember http://a:8080 route=s1 retry=5 secret=hush
</Proxy>
ProxyPass / balancer://c/ stickysession=JSESSIONID
<Location /private>
  Require ip 10.0.0.1
  Header set X-One "a b"
</Location>
`

func loadConf(t *testing.T) *model.FrontEnd {
	t.Helper()
	file := filepath.Join(t.TempDir(), "httpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	return r.Setup.FrontEnds[0]
}

// TestNothingIsLostInSilence: each written fact gets exactly one note; what nobody
// marked is dropped, and what is neutral is exact.
func TestNothingIsLostInSilence(t *testing.T) {
	f := loadConf(t)
	l := New("nothing")
	m := f.Main.Balancers[0].Members[0]
	l.Exact(m.URL, f.Listens[0])
	l.Approx("nearly", "means", m.Route)
	l.Exact(m.Route) // the worse one counts
	got := map[string]string{}
	for _, n := range l.Notes(f) {
		if got[n.Fact] != "" {
			t.Errorf("two notes for %s", n.Fact)
		}
		got[n.Fact] = n.Loss.String() + " " + n.ID
		if n.Security {
			got[n.Fact] += " security"
		}
		if strings.Contains(n.Fact+n.Message, "hush") {
			t.Errorf("a secret is shown: %+v", n)
		}
	}
	want := map[string]string{
		"Listen 80": "exact virtual-hosts", "ProxyRequests Off": "exact mappings", "ProxyVia On": "dropped headers",
		"BalancerMember http://a:8080": "exact protocol", "route=s1": "approximated stickiness",
		"retry=5": "dropped failover", "secret=…": "dropped secret security", "ProxyPass / balancer://c/": "dropped mappings",
		"stickysession=JSESSIONID": "dropped stickiness",
		"Require ip 10.0.0.1":      "dropped access security", `Header set X-One "a b"`: "dropped headers",
	}
	for fact, w := range want {
		if got[fact] != w {
			t.Errorf("%s: %q, want %q", fact, got[fact], w)
		}
		delete(got, fact)
	}
	for fact := range got {
		t.Errorf("unexpected fact %s", fact)
	}
}
