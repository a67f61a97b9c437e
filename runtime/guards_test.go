package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuardsOfSections: sections for some methods and conditional sections are
// enforced as a whole or refused with their places.
func TestGuardsOfSections(t *testing.T) {
	order := filepath.Join(t.TempDir(), "order.conf")
	if err := os.WriteFile(order, []byte("Order allow,deny\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	location := func(in string) string { return "<Location /a>\n" + in + "</Location>\n" }
	for name, tt := range map[string]struct {
		conf string
		want []string // places of what is refused
	}{
		"limit":             {location("<Limit POST>\nRequire all denied\n</Limit>\n"), nil},
		"inner limit":       {location("<LimitExcept GET>\n<LimitExcept POST>\nRequire all denied\n</LimitExcept>\n</LimitExcept>\n"), nil},
		"unknown in limit":  {location("<Limit POST>\nRequire all denied\nAllowMethods GET\n</Limit>\n"), []string{":4:1: the access rules of <Limit>"}},
		"limit in a group":  {location("<RequireAll>\nRequire local\n<Limit POST>\nRequire user ann\n</Limit>\n</RequireAll>\n"), []string{":6:1: the access rules of <Limit>"}},
		"order in the file": {location("Order deny,allow\nDeny from all\n<Limit GET>\nOrder allow,deny\nAllow from all\n</Limit>\n"), nil},
		"order not known":   {location("<Limit GET>\nOrder deny,allow\n</Limit>\nInclude " + order + "\n"), []string{":4:1: the access rules of <Limit>"}},
		"if":                {"<If \"%{QUERY_STRING} == 'x'\">\nRequire all denied\nLogLevel debug\n</If>\n", nil},
		"inner if":          {location("<If \"true\">\n<If \"true\">\n<Limit GET>\nDeny from all\n</Limit>\n</If>\n</If>\n"), nil},
		"unknown deep":      {location("<If \"true\">\nHeader set A b\n<If \"true\">\nAllowMethods GET\n</If>\n</If>\n"), []string{":4:1: the access rules of <If>"}},
		"rules of rewrite":  {"<If \"true\">\nRewriteEngine on\nRewriteRule ^ - [F]\n</If>\n", []string{":3:1: the access rules of <If>"}},
		"all of a chain": {"<If \"true\">\nRequire all denied\n</If>\n<ElseIf \"true\">\nHeader set A b\n</ElseIf>\n<Else>\nSSLRequire true\n</Else>\n",
			[]string{":3:1: the access rules of <If>", ":9:1: the access rules of <Else>"}},
		"nothing that guards": {"<If \"true\">\nRewriteEngine on\nExpiresActive on\n</If>\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t, "Listen 80\nProxyPass / http://127.0.0.1:1/\n"+tt.conf)
			c, err := choose(s, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = guards(s, c, false)
			if tt.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("not refused")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.want)+1 {
				t.Errorf("%v", err)
			}
			for i, w := range tt.want {
				if !strings.Contains(lines[i], w) {
					t.Errorf("%v\nlacks %s", err, w)
				}
			}
		})
	}
}
