package httpd

import (
	"strings"
	"testing"

	"clowder/parse"
	"clowder/render/target"
)

// TestLimitInGroup: a <Limit> inside of a group of rules cannot be written beside the
// rest of the group, where it would let in whom the group refuses: all is refused.
func TestLimitInGroup(t *testing.T) {
	conf := "Listen 80\n<Location /x>\n<RequireAll>\nRequire ip 10.0.0.0/8\n<Limit POST>\nRequire ip 10.1.0.0/16\n</Limit>\n</RequireAll>\n</Location>\nProxyPass / http://127.0.0.1:9/\n"
	r, err := parse.Load(parse.Options{Paths: []string{"httpd.conf"}, HTTPD: "2.4", Whole: true, Config: "none", Overlay: map[string][]byte{"httpd.conf": []byte(conf)}})
	if err != nil || len(r.Broken) > 0 {
		t.Fatal(err, r.Diags)
	}
	res, err := Target.Render(r.Setup, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	security := false
	for _, n := range res.Notes {
		security = security || n.Security && n.Loss == target.Dropped
	}
	out := string(res.Files[0].Data)
	if !security || !strings.Contains(out, "Require all denied") || strings.Contains(out, "<Limit") {
		t.Errorf("security note: %v\n%s", security, out)
	}
}
