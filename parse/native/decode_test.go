package native

import (
	"fmt"
	"strings"
	"testing"

	"clowder/internal/schemacheck"
	"clowder/parse/diag"
)

// TestPlacedFindings: every mistake of a file is named with its place.
func TestPlacedFindings(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // line:col ID part of the message
	}{
		{"syntax", "[versions\nhttpd = \"2.4\"\n", []string{`1:10 C101 `}},
		{"duplicate key", "[versions]\nhttpd = \"2.4\"\nhttpd = \"2.2\"\n", []string{`3:1 C101 Key 'versions.httpd' has already been defined`}},
		{"unknown at the top", "frontnd = 1\n", []string{`1:1 C102 unknown key "frontnd"; did you mean "frontend"?`}},
		{
			"unknown in the second of two tables",
			"[[node]]\nname = \"a\"\n[[node]]\nnam = \"b\"\n",
			[]string{`4:1 C102 unknown key "nam"; did you mean "name"?`},
		},
		{
			"wrong type in a nested table",
			"[[node]]\nname = 'n'\n[[node.service]]\n[[node.service.connector]]\nport = \"8009\"\n",
			[]string{`5:8 C103 "port" must be a whole number`},
		},
		{
			"inline table",
			"[[node]]\nname='n'\nlistener = [ { className = \"x\" }, { className = 7 } ]\n",
			[]string{`3:49 C103 "className" must be a string`},
		},
		{"bool", "[[frontend]]\n[frontend.server]\nProxyRequests = \"Off\"\n", []string{`3:17 C103 "ProxyRequests" must be true or false`}},
		{"time", "[[frontend]]\n[frontend.server]\nTimeout = \"soon\"\n", []string{`3:11 C103 "Timeout" must be a time such as`}},
		{"list", "[[frontend]]\n[frontend.server]\nServerAlias = [\"a\", 1]\n", []string{`3:21 C103`}},
		{"missing key", "[[frontend]]\n[[frontend.server.balancer]]\n", []string{`2:1 C103 [[frontend.server.balancer]] needs the key "name"`}},
		{"missing key, written wrongly", "[[frontend]]\n[frontend.server]\nworker = [{ urll = 'http://h:1' }]\n", []string{`3:13 C102 unknown key "urll"; did you mean "url"?`}},
		{"word", "[[frontend]]\n[frontend.server]\nProxyVia = 'maybe'\n", []string{`3:12 C103 "ProxyVia" must be one of On, Off, Full, Block`}},
		{"number too large", "[[node]]\nname = 'n'\nport = 3000000000\n", []string{`3:8 C103 "port" must be a whole number of at most 32 bits`}},
		{"one table in place of a list", "[frontend.server]\nServerName = 'x'\n", []string{`1:1 C103 "frontend" must be a list of tables, written [[frontend]]`}},
		{"a list in place of one table", "[[frontend]]\n[[frontend.server]]\n", []string{`2:1 C103 "server" must be one table, written [frontend.server]`}},
		{"table in the wrong place", "[[frontend]]\n[[frontend.balancer]]\nname = 'b'\n", []string{`2:1 C102 unknown key "balancer"`}},
		{"unknown table", "[fronted.server]\n", []string{`1:1 C102 unknown key "fronted"; did you mean "frontend"?`}},
		{"unknown list of tables", "[[nods]]\n[[nods]]\n", []string{`1:1 C102 unknown key "nods"; did you mean "nodes"?`}},
		{"table twice", "[[frontend]]\n[frontend.server]\n[frontend.server]\n", []string{`3:2 C101 Key 'frontend.server'`}},
		{"key of a table that stands already", "[[node]]\nname = 'n'\n[node.service]\n[[node.service]]\n", []string{`4:3 C101 Key 'node.service'`}},
		{"inline table twice", "[lint]\nseverity = { H1 = 'info', H1 = 'error' }\n", []string{`2:27 C101 Key 'lint.severity.H1'`}},
		{"two nodes of one name", "[[node]]\nname = 'n'\n[[node]]\nname = 'n'\n", []string{`4:8 C103 the node of clowder.toml:2 is called "n", too; names must differ`}},
		{"attribute of an element", "[[node]]\nname = 'n'\n[[node.listener]]\nport = 3\n", []string{`4:8 C103 "port" must be a string`}},
		{"attributes", "[[node]]\nname = 'n'\n[[node.service]]\n[[node.service.connector]]\nattributes = { a = '1', b = 2 }\n", []string{`5:29 C103 "b" must be a string`}},
		{"modules", "[[frontend]]\n[frontend.module]\nproxy_module = true\n", []string{`3:16 C103 "proxy_module" must be a string`}},
		{"byte order", "\xff = 1\n", []string{`1:1 C101 `}},
		{"table expected", "node = 3\n", []string{`1:8 C103 "node" must be a list of tables, written [[node]]`}},
		{"settings", "[lint]\ndisabel = [\"X201\"]\n", []string{`2:1 C102 unknown key "disabel"; did you mean "disable"?`}},
		{"feature", "[lint]\nfeatures = [\"ajp-secret\", \"ajp\"]\n", []string{`2:27 C103 "ajp" is no feature; known are ajp-secret and forwarded-by-app`}},
		{"two mistakes", "[versions]\nhttpd = 2.4\n[hosts]\ns1 = 4\n", []string{`2:9 C103 "httpd" must be a string`, `4:6 C103 "s1" must be a string`}},
		{"multi-line strings and comments do not shift places", "a = 1 # x = 2\n[versions]\nhttpd = \"\"\"\n2.4\n[x]\"\"\"\ntomcat = 9\n",
			[]string{`1:1 C102 unknown key "a"`, `6:10 C103 "tomcat" must be a string`}},
	}
	schema, err := schemacheck.New(Schema())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if schema.TOML([]byte(tt.text)) == nil && tt.name != "two nodes of one name" { // a schema cannot say that
				t.Error("the schema lets it through")
			}
			_, diags := Parse(diag.NewFile("clowder.toml", []byte(tt.text)))
			if len(diags) != len(tt.want) {
				t.Fatalf("got %d findings %v, want %d", len(diags), diags, len(tt.want))
			}
			for i, d := range diags {
				p := d.Span.Begin()
				got := fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, d.ID, d.Message)
				if !strings.HasPrefix(got, tt.want[i]) && !strings.Contains(got, tt.want[i]) {
					t.Errorf("got  %s\nwant %s…", got, tt.want[i])
				}
			}
		})
	}
}

// TestBounds: what is nested or dense as no file that is meant is one finding, and
// takes neither the stack nor the memory.
func TestBounds(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"arrays", "a = " + strings.Repeat("[", 1<<20), "1:105 C101 this is nested more than 100 deep"},
		{"inline tables", "a = " + strings.Repeat("{a=", 1<<20), "1:305 C101 this is nested more than 100 deep"},
		{"header", "[frontend.server" + strings.Repeat(".extra", 1<<17) + "]\n", "1:611 C101 this is nested more than 100 deep"},
		{"key", strings.Repeat("a.", 1<<17) + "a = 1\n", "1:202 C101 this is nested more than 100 deep"},
		{"brackets in strings and comments", "a = '" + strings.Repeat("[", 1000) + "'\nb = \"\"\"" + strings.Repeat("{\n", 1000) + "\"\"\" # " + strings.Repeat("[", 1000) + "\n", `1:1 C102 unknown key "a"`},
		{"long names", "[" + strings.Repeat("a", 1<<20) + "]\n" + keys(1<<16), "1:1 C101 the keys and the names of their tables are longer than the size of the file explains"},
		{"many mistakes", keys(1 << 16), `1:1 C102 unknown key "k0"`},
	} {
		_, diags := Parse(diag.NewFile("clowder.toml", []byte(tt.text)))
		if len(diags) == 0 || len(diags) > maxFindings {
			t.Errorf("%s: %d findings", tt.name, len(diags))
			continue
		}
		p := diags[0].Span.Begin()
		if got := fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, diags[0].ID, diags[0].Message); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func keys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d=1\n", i)
	}
	return b.String()
}

func TestSettingsAndSetup(t *testing.T) {
	doc, diags := Parse(diag.NewFile("clowder.toml", []byte(`
[versions]
httpd = "2.2.21"
[hosts]
s1 = "10.0.0.1"
[lint]
disable = ["T305"]
[lint.severity]
X313 = "error"
[[node]]
name = "s1"
[[node.listener]]
className = "org.apache.catalina.core.AprLifecycleListener"
SSLEngine = "on"
[frontend.modules]
`)))
	if len(diags) != 1 || diags[0].ID != "C103" { // frontend must be [[frontend]]
		t.Fatalf("findings: %v", diags)
	}
	s := doc.Settings
	if s.Versions["httpd"].V != "2.2.21" || s.Hosts["s1"].V != "10.0.0.1" || s.Lint.Disable[0].V != "T305" || s.Lint.Severity["X313"].V != "error" {
		t.Errorf("settings: %+v", s)
	}
	l := doc.Setup.Nodes[0].Listeners[0]
	if l.Class.V != "org.apache.catalina.core.AprLifecycleListener" || len(l.Attrs) != 1 || l.Attrs[0].Name != "SSLEngine" {
		t.Errorf("listener: %+v", l)
	}
	if got := l.Attrs[0].At.Short(); got != "clowder.toml:14" {
		t.Errorf("attribute at %s", got)
	}
}

// FuzzParse: no input makes the reader panic, every finding has a place inside the
// file, and the reader is at least as strict as the schema.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "[a]\nb=1", "[[node]]\nname='x'\n[node.x]", "a=[[1,2],[3]]", "a={b={c=\"\"\"\n\"\"\"}}", "\"a.b\".c='''x'''", "[[a]]\n[[a.b]]\n[[a]]\n[[a.b]]\nc=1",
		"[[frontend]]\n[[frontend.server.balancer]]\nname='b'\ntimeout='5s'\n[[frontend.server.balancer.member]]\nurl='http://h:1'\nloadfactor=2\n[frontend.server.access.Require]\ngroup='all'\n[[frontend.server.extra]]\nname='Options'\nargs=['None']\n",
		"[[node]]\nname='n'\n[[node.service]]\n[[node.service.connector]]\nport=1\nattributes.a='b'\n[node.service.engine.cluster]\n[[node.listener]]\nx='y'\nattributes.text='z'\n",
		"[lint]\ndisable=['X']\nfail_on='error'\n[[lint.ignore]]\nrule='X'\nreason='r'\nuntil=2027-01-01\n"} {
		f.Add([]byte(s))
	}
	schema, err := schemacheck.New(Schema())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := diag.NewFile("f.toml", data)
		_, diags := Parse(file)
		if problems := schema.TOML(data); len(diags) == 0 && problems != nil {
			t.Fatalf("the reader takes what the schema refuses: %v", problems)
		}
		for _, d := range diags {
			if d.Span.File == nil || (d.Span.Start < 0 || int(d.Span.End) > len(data) || d.Span.Start > d.Span.End) {
				t.Fatalf("finding outside the file: %+v", d)
			}
		}
	})
}
