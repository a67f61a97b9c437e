package plan

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/parse"
)

// TestSetLaws checks the algebra of sets against single addresses.
func TestSetLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	randomAddr := func() netip.Addr {
		if r.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{byte(r.IntN(3)), byte(r.IntN(3) * 127), byte(r.IntN(3) * 127), byte(r.IntN(256))})
		}
		var b [16]byte
		b[0], b[15] = byte(r.IntN(3)*127), byte(r.IntN(4))
		return netip.AddrFrom16(b)
	}
	randomSet := func() (Set, []netip.Prefix) {
		var nets []netip.Prefix
		for range r.IntN(5) {
			a := randomAddr()
			nets = append(nets, netip.PrefixFrom(a, r.IntN(a.BitLen()+1)).Masked())
		}
		return SetOf(nets...), nets
	}
	for range 2000 {
		a, an := randomSet()
		b, _ := randomSet()
		for range 20 {
			x := randomAddr()
			in := false
			for _, p := range an {
				in = in || p.Contains(x)
			}
			if a.Contains(x) != in {
				t.Fatalf("%v in %v: %v", x, an, a.Contains(x))
			}
			if a.Or(b).Contains(x) != (in || b.Contains(x)) || a.And(b).Contains(x) != (in && b.Contains(x)) || a.Not().Contains(x) == in {
				t.Fatalf("algebra is wrong for %v in %v and %v", x, a.Prefixes(), b.Prefixes())
			}
		}
		if !SetOf(a.Prefixes()...).Equal(a) {
			t.Fatalf("%v does not come back from its networks", a.Prefixes())
		}
	}
	if !Everyone().All() || len(Everyone().Prefixes()) != 2 || !(Set{}).Empty() {
		t.Error("the ends are wrong")
	}
}

// TestAccess states what httpd grants: free without a password, auth with one.
func TestAccess(t *testing.T) {
	for _, c := range []struct{ name, conf, free, auth, lost string }{
		{"nothing", "", "0.0.0.0/0 ::/0", "", ""},
		{"story", "Order deny,allow\nDeny from none\nAllow from localhost", "0.0.0.0/0 ::/0", "", "near"},
		{"allow first", "Order allow,deny\nAllow from 10.1\nDeny from 10.1.2.3", "not 10.1.2.3", "", ""},
		{"deny first", "Order deny,allow\nDeny from all\nAllow from 10.0.0.0/255.0.0.0", "10.0.0.0/8", "", ""},
		{"order alone", "Order allow,deny", "", "", ""},
		{"unknown deny", "Order deny,allow\nDeny from .example.org", "", "", "closed"},
		{"unknown allow", "Order allow,deny\nAllow from .example.org 10.2.3.4", "10.2.3.4", "", "closed"},
		{"ip", "Require ip 10.0.0.1 fd00::/8", "10.0.0.1 fd00::/8", "", ""},
		{"all of", "<RequireAll>\nRequire ip 10.0.0.0/8\nRequire not ip 10.0.0.0/9\n</RequireAll>", "10.128.0.0/9", "", ""},
		{"none of", "<RequireAll>\nRequire all granted\n<RequireNone>\nRequire ip 0.0.0.0/1\n</RequireNone>\n</RequireAll>", "128.0.0.0/1 ::/0", "", ""},
		{"unknown not", "<RequireAll>\nRequire all granted\nRequire not env BAD\n</RequireAll>", "", "", "closed"},
		{"users", "AuthType Basic\nAuthName x\nAuthUserFile /p\n<RequireAny>\nRequire ip 10.0.0.1\nRequire valid-user\n</RequireAny>", "10.0.0.1", "not 10.0.0.1", ""},
		{"both", "AuthType Basic\nAuthName x\nAuthUserFile /p\n<RequireAll>\nRequire ip 10.0.0.1\nRequire user al bo\n</RequireAll>", "", "10.0.0.1", ""},
		{"satisfy any", "AuthType Basic\nAuthName x\nAuthUserFile /p\nOrder deny,allow\nDeny from all\nAllow from 10.0.0.1\nRequire valid-user\nSatisfy Any", "10.0.0.1", "not 10.0.0.1", ""},
		{"digest", "AuthType Digest\nAuthName x\nAuthUserFile /p\nRequire valid-user", "", "", "closed"},
		{"group", "AuthType Basic\nAuthName x\nAuthUserFile /p\nRequire group g", "", "", "closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "httpd.conf")
			text := "Listen 80\n<Location />\n" + c.conf + "\n</Location>\n"
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			r, err := parse.Load(parse.Options{Paths: []string{file}})
			if err != nil {
				t.Fatal(err)
			}
			a := newAccess(r.Setup.FrontEnds[0].Main.Sections[0].Settings.Access)
			if !a.Free.Equal(parseSet(c.free)) {
				t.Errorf("free: %v, want %s", a.Free.Prefixes(), c.free)
			}
			if !a.Auth.Equal(parseSet(c.auth)) {
				t.Errorf("auth: %v, want %s", a.Auth.Prefixes(), c.auth)
			}
			lost := ""
			for _, l := range a.Lost {
				if lost = "closed"; l.Near {
					lost = "near"
				}
			}
			if lost != c.lost {
				t.Errorf("lost: %q, want %q", lost, c.lost)
			}
		})
	}
}

// parseSet reads networks; "not" before them takes everybody else.
func parseSet(text string) Set {
	rest, not := strings.CutPrefix(text, "not ")
	var s Set
	for _, w := range strings.Fields(rest) {
		p, ok := parseNet(w)
		if !ok {
			panic(w)
		}
		s = s.Or(SetOf(p))
	}
	switch {
	case !not:
		return s
	case strings.HasPrefix(rest, "10.1.2.3"):
		return SetOf(netip.MustParsePrefix("10.1.0.0/16")).And(s.Not())
	}
	return s.Not()
}
