package interop

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"clowder/parse"
	"clowder/render/target"
	"clowder/render/tomcat"
)

// complaint is how Tomcat speaks of what it does not know or cannot do.
var complaint = regexp.MustCompile(`(?m)^.*(?:did not find a matching property|failed to set property|No rules found|SEVERE).*$`)

// storyPort finds the ports of the story's files.
var storyPort = regexp.MustCompile(`\b(?:8[0-3]0\d|40\d\d|45564)\b`)

// movedPorts copies the files of a setup with free ports in the place of its own, the
// same one for the same number, and receivers on loopback.
func movedPorts(t *testing.T, from string) (dir string, ports map[int]int) {
	t.Helper()
	dir, ports = t.TempDir(), map[int]int{}
	free := FreePorts(t, 30)
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(p) == ".json" {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		text := storyPort.ReplaceAllStringFunc(string(data), func(m string) string {
			n, _ := strconv.Atoi(m)
			if ports[n] == 0 {
				ports[n] = free[len(ports)]
			}
			return strconv.Itoa(ports[n])
		})
		text = strings.ReplaceAll(text, `address="auto"`, `address="127.0.0.1"`)
		rel, _ := filepath.Rel(from, p)
		to := filepath.Join(dir, rel)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, []byte(text), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, ports
}

// TestTomcatStarts converts the story's three nodes of Tomcat 7 to 10.1 and starts
// them: nothing is unknown to the real one, and they are one cluster.
func TestTomcatStarts(t *testing.T) {
	dir, ports := movedPorts(t, "../../testdata/seed/fixed")
	r, err := parse.Load(parse.Options{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	res, err := tomcat.Target.Render(r.Setup, target.Options{Tomcat: "10.1"})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Files) != 3 {
		t.Fatalf("%d files", len(res.Files))
	}
	nodes := map[string]*Tomcat{}
	urls := map[string]string{}
	for i, f := range res.Files {
		name, _, _ := strings.Cut(f.Name, "/")
		if f.Name != path.Join(name, "conf", "server.xml") {
			t.Fatalf("file %s", f.Name)
		}
		if ajp := fmt.Sprintf(`port="%d" protocol="AJP/1.3"`, ports[8301+i]); !regexp.MustCompile(ajp + `[^>]*address="127\.0\.0\.1"`).Match(f.Data) {
			t.Errorf("%s: all members come by loopback, but AJP is not bound to it:\n%s", name, f.Data)
		}
		http := ports[8101+i]
		urls[name] = fmt.Sprintf("http://127.0.0.1:%d/", http)
		nodes[name] = StartTomcat(t, name, string(f.Data), http)
	}
	for name, url := range urls {
		if a := (&Browser{URL: url}).Get(t); a.Status != 200 || a.Node != name || !strings.HasSuffix(a.ID, "."+name) {
			t.Fatalf("%s answered %+v", name, a)
		}
	}
	b := &Browser{}
	for i, name := range []string{"s1", "s2", "s3", "s1"} {
		b.URL = urls[name]
		if a := b.Get(t); a.Count != i+1 || a.Node != name {
			t.Errorf("request %d on %s: %+v", i+1, name, a)
		}
	}
	WaitPort(t, ports[8301], 20*time.Second) // AJP started too
	for name, n := range nodes {
		for _, line := range complaint.FindAllString(n.Log(), -1) {
			t.Errorf("%s: %s", name, line)
		}
		for _, line := range strings.Split(n.Log(), "\n") {
			if strings.Contains(line, "WARNING") {
				t.Logf("%s: %s", name, line)
			}
		}
	}
}
