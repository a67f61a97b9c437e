package parse

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/parse/diag"
)

func TestReadScript(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"shell", "export CATALINA_OPTS=\"$CATALINA_OPTS -Xmx1g -DjvmRoute=s1 -Da.b=c\"\n", "jvmRoute=s1 a.b=c"},
		{"batch", "@echo off\r\nset \"JAVA_OPTS=%JAVA_OPTS% -DjvmRoute=s1\"\r\n", "jvmRoute=s1"},
		{"first in quotes", "JAVA_OPTS='-DjvmRoute=s1'\n", "jvmRoute=s1"},
		{"quoted option", "JAVA_OPTS=\"$JAVA_OPTS\" \"-DjvmRoute=s1\"\n", "jvmRoute=s1"},
		{"quoted value", "JAVA_OPTS=$JAVA_OPTS -DjvmRoute=\"s 1\"\n", "jvmRoute=s 1"},
		{"variable", "NODE=s1\nJAVA_OPTS=\"-DjvmRoute=${NODE} -Db=$NODE -Dc=$OTHER\"\n", "jvmRoute=s1 b=s1 c=${OTHER}"},
		{"command", "JAVA_OPTS=\"-DjvmRoute=$(hostname)\"\n", "jvmRoute=${hostname}"},
		{"comments", "# -Da=b\nrem -Da=b\n:: -Da=b\n  ; -Da=b\n", ""},
		{"no value", "JAVA_OPTS=-Djava.security.manager\n", "java.security.manager="},
		{"no option", "JAVA_OPTS=x-DjvmRoute=s1\n", ""},
		{"continued", "JAVA_OPTS=\"-Da=b \\\n  -Dc=d\"", "a=b c=d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range readScript(diag.NewFile("setenv.sh", []byte(c.text))).defines {
				got = append(got, d.Name+"="+d.Value)
				if !strings.HasPrefix(d.Span.Text(), "-D"+d.Name) {
					t.Errorf("%s is placed on %q", d.Name, d.Span.Text())
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
		})
	}
}

// TestStartScripts finds the scripts in folders, gives each node its own, and
// takes the jvmRoute of old versions and the properties of server.xml from them.
func TestStartScripts(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []string{"s1", "s2"} {
		write(n+"/conf/server.xml", `<Server port="-1"><Service name="a"><Connector port="${http.port}"/><Engine name="a" defaultHost="localhost"><Host name="localhost"/></Engine></Service></Server>`)
	}
	write("s1/bin/setenv.sh", "CATALINA_OPTS=\"-DjvmRoute=one -Dhttp.port=8081\"\n")
	write("s2/bin/setenv.bat", "set CATALINA_OPTS=-DjvmRoute=two -Dhttp.port=8082\r\n")
	for version, want := range map[string]string{
		"9.0":  "s1:one:8081:2 s2:two:8082:2",
		"10.1": "s1::8081:2 s2::8082:2",
		"":     "s1::8081:2 s2::8082:2",
	} {
		r, err := Load(Options{Paths: []string{dir}, Tomcat: map[string]string{"": version}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range r.Setup.Nodes {
			e := n.Engine()
			got = append(got, fmt.Sprintf("%s:%s:%d:%d", n.Name.V, e.JVMRoute.V, n.Connectors()[0].Port.V, len(r.Options[n])))
			if e.JVMRoute.V != "" && !strings.HasPrefix(filepath.Base(e.JVMRoute.Span.File.Name), "setenv.") {
				t.Errorf("the jvmRoute is placed in %s", e.JVMRoute.Span.File.Name)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: got %q, want %q", version, s, want)
		}
		if len(r.Diags) > 0 {
			t.Errorf("%q: %v", version, r.Diags)
		}
	}
}

func FuzzReadScript(f *testing.F) {
	f.Add("NODE=s1\nCATALINA_OPTS=\"$CATALINA_OPTS -DjvmRoute=$NODE\"\n")
	f.Add("set \"JAVA_OPTS=%JAVA_OPTS% -DjvmRoute=%NODE%\"\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := diag.NewFile("setenv.sh", []byte(text))
		for _, d := range readScript(file).defines {
			if !strings.HasPrefix(d.Span.Text(), "-D"+d.Name) {
				t.Errorf("%s is placed on %q", d.Name, d.Span.Text())
			}
		}
	})
}
