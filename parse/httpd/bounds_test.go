package httpd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clowder/parse/diag"
)

// TestHostile reads inputs that only an attacker makes: they end soon, in
// findings or in a tree.
func TestHostile(t *testing.T) {
	var vhosts strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&vhosts, "<VirtualHost *:80>\nServerName h%d\n", i)
		for j := range 14 {
			fmt.Fprintf(&vhosts, "ProxyPass /a%d http://127.0.0.1:81/%d\n", j, i)
		}
		vhosts.WriteString("</VirtualHost>\n")
	}
	for name, data := range map[string][]byte{
		"long line":       append([]byte("ServerAdmin "), bytes.Repeat([]byte("x"), 16<<20)...),
		"nested sections": []byte(strings.Repeat("<Location /a>\n", 10000) + strings.Repeat("</Location>\n", 10000)),
		"unclosed":        []byte(strings.Repeat("<Location /a>\n", 10000)),
		"NUL bytes":       bytes.Repeat([]byte("Server\x00Admin x\n"), 10000),
		"invalid UTF-8":   bytes.Repeat([]byte("ServerAdmin \xff\xfe\xe9\n"), 10000),
		"virtual hosts":   []byte(vhosts.String()),
		"includes":        []byte(strings.Repeat("Include no\n", 100000)),
		"include cycle":   []byte("Include self.conf\n"),
	} {
		t.Run(name, func(t *testing.T) {
			self := filepath.Join(t.TempDir(), "self.conf")
			if err := os.WriteFile(self, data, 0o644); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			c, diags := Load(diag.NewFile(self, data), Options{})
			if name == "include cycle" && len(diags) == 0 {
				t.Error("no finding")
			}
			Lower(c)
			Check(c)
			if d := time.Since(start); d > 30*time.Second {
				t.Errorf("it took %v", d)
			} else {
				t.Log(d)
			}
		})
	}
}
