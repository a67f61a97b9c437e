package interop

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clowder/parse/diag"
	"clowder/parse/httpd"
)

var (
	diffN    = flag.Int("diff.n", 200, "how many random configurations to compare with httpd")
	diffSeed = flag.Uint64("diff.seed", 1, "seed of the random configurations")
)

const diffModules = "/usr/lib/apache2/modules"

// TestHTTPDSyntax compares the verdict of clowder's parser with that of
// `apache2 -t` on random configurations; where httpd names a line, one of
// clowder's findings must be there. What may differ, and why, stands in
// docs/differences-syntax.md; the generator does not make such inputs.
func TestHTTPDSyntax(t *testing.T) {
	bin := Require(t, "apache2", "apt-get install apache2-bin", "/usr/sbin/apache2")
	root, head := syntaxRoot(t)
	bad := 0
	for i := range *diffN {
		g := generator{rand.New(rand.NewPCG(*diffSeed, uint64(i)))}
		text := g.statement()
		if g.IntN(3) == 0 {
			text = g.lines(0, 1+g.IntN(6))
		}
		bad += compareSyntax(t, bin, root, i, head, text)
	}
	t.Logf("%d of %d inputs differ", bad, *diffN)
	if bad > 0 {
		t.Errorf("%d of %d inputs differ", bad, *diffN)
	}
}

// compareSyntax returns 1 when the two differ.
func compareSyntax(t *testing.T, bin, root string, i int, head, text string) int {
	conf := head + text
	name := filepath.Join(root, "httpd.conf")
	if err := os.WriteFile(name, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, bin, "-t", "-f", name).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	c, diags := httpd.Load(diag.NewFile(name, []byte(conf)), httpd.Options{})
	_, _, more := httpd.Lower(c)
	diags = append(append(append(diags, more...), httpd.Check(c)...), httpd.CheckModules(c)...)
	var refused diag.List
	for _, d := range diags {
		if d.Severity == diag.Error || d.ID == "H010" {
			refused = append(refused, d)
		}
	}
	refuses := err != nil
	if refuses != (len(refused) > 0) {
		first := "nothing"
		if len(refused) > 0 {
			first = refused[0].Span.Short() + " " + refused[0].Message
		}
		t.Logf("input %d:\n%s\nhttpd: %s\nclowder: %s", i, text, out, first)
		return 1
	}
	at := strings.LastIndex(string(out), "Syntax error on line")
	if !refuses || at < 0 {
		return 0
	}
	var line int
	if n, _ := fmt.Sscanf(string(out[at:]), "Syntax error on line %d of", &line); n != 1 || !strings.Contains(string(out[at:]), " of "+root) {
		return 0 // inside a macro
	}
	for _, d := range refused {
		spans := []diag.Span{d.Span}
		for _, r := range d.Related {
			spans = append(spans, r.Span)
		}
		for _, s := range spans {
			if c.LineNumber(s) == line {
				return 0
			}
		}
	}
	t.Logf("input %d: no finding on line %d:\n%s\nhttpd: %s\nclowder: %s %s", i, line, text, out,
		refused[0].Span.Short(), refused[0].Message)
	return 1
}

// generator makes lines of a configuration, most of them right.
type generator struct{ *rand.Rand }

func (g generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g generator) lines(depth, n int) string {
	var b strings.Builder
	for range n {
		if depth < 4 && g.IntN(3) == 0 {
			b.WriteString(g.section(depth))
		} else {
			b.WriteString(g.directive() + g.pick("\n", "\n", "\n", "\n", "\r\n", " \\\n\n"))
		}
	}
	return b.String()
}

func (g generator) word() string {
	return g.pick("a", `"a b"`, `'a'`, `"a\"b"`, `a\\b`, "${V}", "${NOPE}", `"open`, `a"b`, "on", "Off", `""`, "#x", "{a b}")
}

func (g generator) directive() string {
	switch g.IntN(14) {
	case 0:
		return "Define " + g.pick("V", "W", "v") + g.pick("", " 1", ` "a b"`, " ${V}", " 1 2")
	case 1:
		return "UnDefine " + g.pick("V", "W")
	case 2:
		return g.pick("Include inc.conf", "IncludeOptional no.conf", "Include no.conf", "IncludeOptional *.none", "Include inc*.conf")
	case 3:
		return "ServerAdmin " + g.word()
	case 4:
		return g.pick("ProxyVia ", "ProxyRequests ", "ProxyPreserveHost ", "ProxyTimeout ") + g.pick("On", "off", "5", "", "0", "full")
	case 5:
		return g.pick("Require all granted", "Require all denied", "Header set X-A "+g.word(), "SetEnv A "+g.word())
	case 6:
		return "ProxyPass " + g.pick("/a", "", `"/a b"`) + g.pick(" http://127.0.0.1:81/", " http://127.0.0.1:81/ retry=5", " !", " http://127.0.0.1:81/ foo=1", " balancer://c/")
	case 7:
		return g.pick("Bogus x", "serveradmin x", "\xef\xbb\xbfServerAdmin x", `"ServerAdmin" x`, "Order allow,deny", "Alias /a /b")
	case 8:
		return g.pick("# comment", "# comment \\", "", "   ", "\t# x")
	case 9:
		return g.pick("Use M a", "Use m "+g.word(), "Use Nope", "UndefMacro M")
	default:
		return g.pick("ServerAdmin a@b", "SetEnv A b", "ProxyPreserveHost On", "Header set X-B c")
	}
}

func (g generator) section(depth int) string {
	name := g.pick("VirtualHost", "Location", "Proxy", "Directory", "IfDefine", "IfModule", "IfVersion", "If", "Macro", "IfDirective")
	arg := map[string][]string{
		"VirtualHost": {"*:80", "127.0.0.1:81", "*:x"}, "Location": {"/a", `"/a b"`, "~ ^/a", "/a /b", ""},
		"Proxy": {"*", "balancer://c", "http://127.0.0.1:81/"}, "Directory": {"/", `"/srv/x y"`}, "IfDefine": {"V", "!V", "W", "! W"},
		"IfModule": {"mod_proxy.c", "!mod_proxy.c", "proxy_module", "mod_nope.c"}, "IfVersion": {">= 2.4", "2.4", "< 2.4.0", "~ ^2", "** 2"},
		"If": {"true", `"-n %{HTTP_HOST}"`, `"%{REQUEST_URI} =~ /a/"`, `"%{REQUEST_URI} =~"`}, "Macro": {"M $x", "m %x"},
		"IfDirective": {"ProxyPass", "Nope", "!SSLEngine"},
	}[name]
	open, end := "<"+name+" "+g.pick(arg...)+">\n", "</"+name+">\n"
	switch g.IntN(40) {
	case 0:
		end = ""
	case 1:
		end = "</Location>\n"
	case 2:
		open = strings.Replace(open, ">\n", "\n", 1)
	case 3:
		end = "</" + strings.ToUpper(name) + "> x\n"
	}
	return open + g.lines(depth+1, g.IntN(4)) + end
}

// syntaxRoot makes a server root with the file that the generator includes, and
// returns it with the lines that load the modules of the comparison and further ones.
func syntaxRoot(t *testing.T, further ...string) (root, head string) {
	t.Helper()
	modules := append(strings.Fields(diffModuleNames), further...)
	root = t.TempDir()
	head = "ServerRoot " + root + "\nServerName localhost\n"
	for _, m := range modules {
		Require(t, "mod_"+m+".so", "apt-get install apache2-bin", filepath.Join(diffModules, "mod_"+m+".so"))
		head += fmt.Sprintf("LoadModule %s_module %s/mod_%s.so\n", m, diffModules, m)
	}
	if err := os.MkdirAll(filepath.Join(root, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "inc.conf"), []byte("Define FROM_INC x\nServerAdmin a@b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return root, head
}
