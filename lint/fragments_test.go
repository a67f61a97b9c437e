package lint_test

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/lint"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
)

const clustered = `<Server port="8005"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"/>
<Host name="localhost" appBase="webapps"/></Engine></Service></Server>`

// TestFragmentsInJars runs T417 over real jar files. The cases are those of a run
// of Tomcat 10.1.60, which made a cluster manager for those that are silent here.
func TestFragmentsInJars(t *testing.T) {
	const bare = `<web-fragment xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0"><name>reports</name></web-fragment>`
	for _, c := range []struct {
		name, jar, web, fragment string
		found                    bool
	}{
		{"plain", "reports.jar", `<web-app version="6.0"><distributable/></web-app>`, bare, true},
		{"version 2.3", "reports.jar", `<!DOCTYPE web-app PUBLIC "-//Sun Microsystems, Inc.//DTD Web Application 2.3//EN" "http://java.sun.com/dtd/web-app_2_3.dtd"><web-app><distributable/></web-app>`, bare, true},
		{"no fragment in it", "reports.jar", `<web-app version="6.0"><distributable/></web-app>`, "", false},
		{"a jar that is skipped", "commons-codec-1.2.jar", `<web-app version="6.0"><distributable/></web-app>`, bare, false},
		{"ordering without it", "reports.jar", `<web-app version="6.0"><distributable/><absolute-ordering/></web-app>`, bare, false},
		{"ordering that names it", "reports.jar", `<web-app version="6.0"><distributable/><absolute-ordering><name>reports</name></absolute-ordering></web-app>`, bare, true},
		{"ordering with the others", "reports.jar", `<web-app version="6.0"><distributable/><absolute-ordering><others/></absolute-ordering></web-app>`, bare, true},
		{"complete", "reports.jar", `<web-app version="6.0" metadata-complete="true"><distributable/></web-app>`, bare, false},
		{"a complete fragment", "reports.jar", `<web-app version="6.0"><distributable/></web-app>`, strings.Replace(bare, "version", `metadata-complete="true" version`, 1), true},
		{"distributable", "reports.jar", `<web-app version="6.0"><distributable/></web-app>`, `<web-fragment><distributable/></web-fragment>`, false},
		{"T406 is the cause", "reports.jar", `<web-app version="6.0"/>`, bare, false},
		{"no jar by its name", "reports.zip", `<web-app version="6.0"><distributable/></web-app>`, bare, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			lib := filepath.Join(dir, "webapps", "app", "WEB-INF", "lib")
			if err := os.MkdirAll(lib, 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "conf", "server.xml"), clustered)
			write(t, filepath.Join(dir, "webapps", "app", "WEB-INF", "web.xml"), c.web)
			writeJar(t, filepath.Join(lib, c.jar), c.fragment)
			r, err := parse.Load(parse.Options{Paths: []string{dir}})
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, d := range lint.Run(lint.NewInput(r), lint.Options{Rules: rules.All, Select: []string{"T4"}}) {
				if d.ID == "T417" {
					found = true
					if want := filepath.Join(lib, c.jar) + "!/META-INF/web-fragment.xml"; d.Span.File.Name != want || d.Severity != diag.Error || len(d.Related) != 1 {
						t.Errorf("%s %s %v", d.Span.File.Name, d.Severity, d.Related)
					}
				}
			}
			if found != c.found {
				t.Errorf("found %v, want %v", found, c.found)
			}
		})
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeJar makes a jar with a class and, unless it is empty, a fragment.
func writeJar(t *testing.T, name, fragment string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	entries := map[string]string{"com/example/A.class": "class"}
	if fragment != "" {
		entries["META-INF/web-fragment.xml"] = fragment
	}
	for name, text := range entries {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}
