package parse

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFragmentsThatCannotBeRead: a jar that is none, or holds too much, is a
// remark and stops nothing.
func TestFragmentsThatCannotBeRead(t *testing.T) {
	dir := unpack(t, `
-- conf/server.xml --
`+serverXML+`
-- webapps/app/WEB-INF/web.xml --
<web-app><distributable/></web-app>
-- webapps/app/WEB-INF/lib/broken.jar --
no zip
-- webapps/app/WEB-INF/lib/folder.jar/META-INF/web-fragment.xml --
<web-fragment><name>folder</name></web-fragment>
`)
	big, err := os.Create(filepath.Join(dir, "webapps/app/WEB-INF/lib/big.jar"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(big)
	w, err := z.Create(fragmentPath)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("<web-fragment>" + strings.Repeat(" ", maxFragment) + "</web-fragment>")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := big.Close(); err != nil {
		t.Fatal(err)
	}
	r := mustLoad(t, Options{Paths: []string{dir}})
	fragments := 0
	for _, d := range r.Docs {
		if d.IsFragment() {
			fragments++
		}
	}
	remarks := strings.Join(r.Remarks, "\n")
	if fragments != 1 || !strings.Contains(remarks, "broken.jar was not read") || !strings.Contains(remarks, "big.jar was not read") {
		t.Errorf("%d fragments, remarks:\n%s", fragments, remarks)
	}
	app := r.Setup.Nodes[0].Engine().Hosts[0].Contexts[0]
	if !app.Distributable.V || !app.WebApp.IsValid() || filepath.Base(app.WebApp.File.Name) != "web.xml" {
		t.Errorf("the fragment changed the application: %+v", app)
	}
}

// TestContextIsNotDistributable: only web.xml makes an application distributable.
func TestContextIsNotDistributable(t *testing.T) {
	r := mustLoad(t, Options{Paths: []string{unpack(t, `
-- conf/server.xml --
`+serverXML+`
-- webapps/app/META-INF/context.xml --
<Context distributable="true"/>
-- webapps/app/WEB-INF/web.xml --
<web-app/>
`)}})
	if app := r.Setup.Nodes[0].Engine().Hosts[0].Contexts[0]; app.Distributable.V {
		t.Errorf("distributable by %s", app.Distributable.Span)
	}
}
