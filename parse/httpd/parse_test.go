package httpd

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"clowder/parse/diag"
)

var snippets = []string{
	"", "\n", "\r\n", "# c \\\n still a comment\nListen 80\n", "Listen 80", "Listen \\\n 80 \\",
	"<Proxy *>\n</Proxy>\n", "<Proxy *>\n<Location /a>\n", "</Proxy>\n", "<VirtualHost *:80 >\nServerName x\n</VirtualHost >\n",
	"a\x00b\n<\n<>\n</>\n< >\n", "<Location \"/a>\">\n</Location> trailing\n", "ServerAdmin a\\\r\n@b\r\n",
	"<IfModule a>\n</VirtualHost>\n<If x>\n", "\xef\xbb\xbf# x\n", "<A>\n<B>\n</A>\n</B>\n<\\\nB>\n",
	"Define L ${L}${L}\n${L}\n${\n$}\n<Macro m $a>\nUse m $a$a\n</Macro>\nUse m x\n",
}

func lossless(t *testing.T, data []byte) *Tree {
	t.Helper()
	f := diag.NewFile("httpd.conf", data)
	tree, _ := Parse(f)
	if got := tree.Bytes(); !bytes.Equal(got, data) {
		t.Fatalf("printing an untouched tree changed it:\n got %q\nwant %q", got, data)
	}
	return tree
}

func TestLossless(t *testing.T) {
	for _, s := range snippets {
		lossless(t, []byte(s))
	}
	n := 0
	err := filepath.WalkDir(filepath.Join("..", "..", "testdata", "seed"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".conf") {
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			lossless(t, data)
			n++
		}
		return err
	})
	if err != nil || n == 0 {
		t.Fatalf("%d files, %v", n, err)
	}
}

func TestWords(t *testing.T) {
	for in, want := range map[string]string{
		`X "no\"such"`: `no"such`, `X "no\'such"`: `no\'such`, `X no\\such`: `no\such`, `X no\"such`: `no\"such`,
		`X "no such `: `no such`, `X "a""b"`: `a|b`, `X key="v w"`: `key="v|w"`, `X "key=v w"`: `key=v w`, `X {no such}`: `{no|such}`,
	} {
		n := lossless(t, []byte(in)).Nodes[0]
		if got := strings.Join(argTexts(n.Args), "|"); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestUnclosedSections(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     string
	}{
		{"inner closed by outer", "<VirtualHost *>\n<Proxy *>\nRequire all granted\n</VirtualHost>\n", "2"},
		{"end of file", "<Location /a>\nSetHandler x\n", "1"},
		{"stray", "Listen 80\n</Location>\n", "2"},
		{"two proxies", "<Proxy a>\nRequire all granted\n<Proxy b>\n</Proxy>\n", "1"},
		{"closed, content wrong", "<Location /a>\n<Location /b>\n</Location>\n</Location>\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := diag.NewFile("x", []byte(tc.in))
			_, diags := Parse(f)
			var got []string
			for _, d := range diags {
				got = append(got, fmt.Sprint(f.Line(int(d.Span.Start))))
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("lines %v, want %s", got, tc.want)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	for in, want := range map[string]string{
		"BalancerMember balancer://c ajp://h:1 rout=a":              "H005 unknown parameter `rout` for BalancerMember; did you mean `route`?",
		"BalancerMember balancer://c ajp://h:1 lbmethod=byrequests": "H005 unknown parameter `lbmethod` for BalancerMember; it belongs to the balancer: move it to ProxySet or ProxyPass",
		"ProxyPass / balancer://c/ stickysesion=S":                  "H006 unknown balancer parameter `stickysesion`; did you mean `stickysession`?",
		"BalancerMember balancer://c ajp://h:1 loadfactor=200":      "H007 `loadfactor=200`: must be a number from 1 to 100",
		"BalancerMember balancer://c ajp://h:1 retry=-1 retry=5":    "",
		"ProxyPass / balancer://c/ \"stickysession=A|b\" nocanon":   "",
		"ProxyPass / http://h/ secret=" + strings.Repeat("x", 64):   "H007 `secret=...`: must be shorter than 64 characters",
		"<Location /a>\nProxyPass /a http://h/\n</Location>":        "H004 `ProxyPass` with a path is not allowed inside `<Location>`; write `ProxyPass http://h/`, the path is that of the section",
		"ProxyVia maybe": "H007 `ProxyVia maybe`: it must be one of off, on, full, block",
		"ServerRoot \"C:/Nowhere\"\nInclude C:/Nowhere/conf/a.conf\n": "H010 `Include C:/Nowhere/conf/a.conf` finds no file (no such file); httpd does not start without it",
	} {
		c, diags := Load(diag.NewFile("/nowhere/httpd.conf", []byte(in)), Options{})
		_, _, more := Lower(c)
		got := ""
		if diags = append(diags, more...); len(diags) > 0 {
			got = diags[0].ID + " " + diags[0].Message
		}
		if got != want || len(diags) > 1 {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range snippets {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { lossless(t, data) })
}

func FuzzLoad(f *testing.F) {
	for _, s := range snippets {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		files := fstest.MapFS{"r/httpd.conf": {Data: data}, "r/conf/a.conf": {Data: data}, "r/conf/b.conf": {Data: []byte("Use m x\n")}}
		rel := func(p string) string { return strings.TrimPrefix(path.Clean(p), "/") }
		c, _ := Load(diag.NewFile("/r/httpd.conf", data), Options{
			Open:    func(p string) ([]byte, error) { return files.ReadFile(rel(p)) },
			ReadDir: func(p string) ([]fs.DirEntry, error) { return files.ReadDir(rel(p)) },
			Stat:    func(p string) (os.FileInfo, error) { return files.Stat(rel(p)) },
		})
		Lower(c)
	})
}
