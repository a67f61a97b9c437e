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
	var balancers strings.Builder
	for i := range 50000 {
		fmt.Fprintf(&balancers, "<Proxy balancer://b%d>\n</Proxy>\n", i)
	}
	for name, data := range map[string][]byte{
		"long line":       append([]byte("ServerAdmin "), bytes.Repeat([]byte("x"), 16<<20)...),
		"nested sections": []byte(strings.Repeat("<Location /a>\n", 10000) + strings.Repeat("</Location>\n", 10000)),
		"conditions":      []byte(strings.Repeat("<If true>\n", 200000)),
		"continued":       bytes.Repeat([]byte("a\\\n"), 4<<20),
		"tiny":            bytes.Repeat([]byte("a\n"), 4<<20),
		"balancers":       []byte(balancers.String()),
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

// TestDeepSections proves that 10,000 nested sections are sections, that one more
// is a finding, and that printing loses nothing of either.
func TestDeepSections(t *testing.T) {
	for _, depth := range []int{10000, 10001, 30000} {
		data := []byte(strings.Repeat("<If true>\n", depth) + "Header set a b\n" + strings.Repeat("</If>\n", depth))
		f := diag.NewFile("httpd.conf", data)
		tree, diags := Parse(f)
		if !bytes.Equal(tree.Bytes(), data) {
			t.Errorf("%d: printing changed the file", depth)
		}
		deep := 0
		for nodes := tree.Nodes; len(nodes) > 0 && nodes[0].Kind == Section; nodes = nodes[0].Children {
			if c := nodes[0].Close(); f.Line(int(c.Start)) != 2*depth+1-deep {
				t.Fatalf("%d: section %d ends at line %d", depth, deep, f.Line(int(c.Start)))
			}
			deep++
		}
		if deep != min(depth, maxNesting) || len(diags) != max(0, min(1, depth-maxNesting)) {
			t.Errorf("%d: %d sections, %d findings", depth, deep, len(diags))
		}
	}
}

// TestTooDense proves that what is not read of a file of nothing but tiny lines is
// reported, and that printing does not lose it.
func TestTooDense(t *testing.T) {
	data := bytes.Repeat([]byte("a\n"), 200000)
	tree, diags := Parse(diag.NewFile("httpd.conf", data))
	if len(diags) != 1 || !strings.Contains(diags[0].Message, "than its size explains") {
		t.Errorf("%d findings", len(diags))
	}
	if !bytes.Equal(tree.Bytes(), data) {
		t.Error("printing changed the file")
	}
}
