package tomcat

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"clowder/parse/diag"
)

func TestExternalEntities(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "conf")
	for name, text := range map[string]string{
		"conf/cluster.xml": "<Cluster className=\"org.apache.catalina.ha.tcp.SimpleTcpCluster\"\n  channelSendOptions=\"x\"/>",
		"conf/half.xml":    "<Cluster>",
		"conf/turned.xml":  "</Engine><Engine>",
		"secret.xml":       "<Stolen/>",
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret.xml", filepath.Join(inside, "link.xml")); err != nil {
		t.Fatal(err)
	}
	server := `<!DOCTYPE Server [<!ENTITY e SYSTEM "%s">]><Server><Service><Engine>&e;</Engine></Service></Server>`
	tests := []struct{ id, message string }{
		{"cluster.xml", ""},
		{"./cluster.xml", ""},
		{"half.xml", "without its counterpart"},
		{"turned.xml", "without its counterpart"},
		{"none.xml", "cannot be read"},
		{"../secret.xml", "outside the folder"},
		{"link.xml", "cannot be read"},
		{"file:///etc/passwd", "only files below"},
		{"http://127.0.0.1:1/x", "only files below"},
		{"/etc/passwd", "only files below"},
		{`..\secret.xml`, "only files below"},
	}
	for _, tt := range tests {
		d, diags := ParseWith(diag.NewFile("server.xml", []byte(fmt.Sprintf(server, tt.id))), DirOpener(inside))
		if tt.message != "" {
			if len(diags) == 0 || !strings.Contains(diags[0].Message, tt.message) {
				t.Errorf("%s: %v, want %q", tt.id, diags, tt.message)
			}
			continue
		}
		if len(diags) != 0 || len(d.Included) != 1 {
			t.Fatalf("%s: %v, %d files", tt.id, diags, len(d.Included))
		}
		n, _, lowered := LowerServer(d, Options{})
		c := n.Services[0].Engine.Cluster
		if c == nil || !strings.HasSuffix(c.At.File.Name, "/cluster.xml") {
			t.Fatalf("the cluster of the other file is not there: %+v", c)
		}
		if len(lowered) != 1 || lowered[0].Span.Begin().Line != 2 || lowered[0].Span.File != d.Included[0] {
			t.Errorf("the finding is not at its place in the other file: %v", lowered)
		}
	}
}

func TestIncludedFilesAreBounded(t *testing.T) {
	n := 0
	open := func(name string) (*diag.File, error) {
		n++
		return diag.NewFile(name, []byte("<a>&e;&e;</a>")), nil
	}
	_, diags := ParseWith(diag.NewFile("x", []byte(`<!DOCTYPE a [<!ENTITY e SYSTEM "x">]><a>&e;</a>`)), open)
	if n != 1 || len(diags) != 2 || !strings.Contains(diags[0].Message, "refers to itself") {
		t.Errorf("%d files read: %v", n, diags)
	}
	n = 0
	open = func(name string) (*diag.File, error) { n++; return diag.NewFile(name, []byte("<b/>")), nil }
	_, diags = ParseWith(diag.NewFile("x", []byte(`<!DOCTYPE a [<!ENTITY e SYSTEM "x">]><a>`+strings.Repeat("&e;", 1000)+`</a>`)), open)
	if n != maxIncluded || len(diags) == 0 {
		t.Errorf("%d files read, %d findings", n, len(diags))
	}
}

func TestMarkupEntity(t *testing.T) {
	d, diags := Parse(diag.NewFile("x", []byte(`<!DOCTYPE Server [<!ENTITY c '<Listener className="L"/>'>]><Server>&c;&c;</Server>`)))
	if len(diags) != 0 || len(d.Root.Children) != 2 || d.Root.Children[0].Tag.Text() != "&c;" {
		t.Errorf("%v, children %v", diags, d.Root.Children)
	}
	if x, list := d.Tree(); len(x.FindElements("//Listener")) != 2 || len(list) != 3 {
		t.Error("the elements are not in the etree")
	}
}

func TestXInclude(t *testing.T) {
	for _, s := range []string{
		`<Server xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="a.xml"/></Server>`,
		`<Server><include xmlns="http://www.w3.org/2001/XInclude" href="a.xml"/></Server>`,
	} {
		d, diags := Parse(diag.NewFile("x", []byte(s)))
		if len(diags) != 1 || diags[0].Severity != diag.Info || !d.WellFormed {
			t.Errorf("%s: %v", s, diags)
		}
	}
}

func TestPorts(t *testing.T) {
	text := `<Server port="-1"><Service><Connector port="%s" redirectPort="%s"/><Engine><Cluster><Channel><Receiver port="%s" securePort="-1"/></Channel></Cluster></Engine></Service></Server>`
	tests := []struct {
		connector, redirect, receiver string
		findings                      int
	}{
		{"0", "443", "4000", 0}, {"-1", "0", "65535", 0}, {"65536", "8443", "4000", 1},
		{"-2", "-1", "-1", 3}, {"80800", "70000", "99999", 3}, {"${port}", "443", "4000", 1},
	}
	for _, tt := range tests {
		d, _ := Parse(diag.NewFile("x", []byte(fmt.Sprintf(text, tt.connector, tt.redirect, tt.receiver))))
		if _, _, diags := LowerServer(d, Options{}); len(diags) != tt.findings {
			t.Errorf("%+v: %v", tt, diags)
		}
	}
}

// TestHostileXML proves that each kind of overlong input is refused with a
// finding in bounded time and memory.
func TestHostileXML(t *testing.T) {
	bomb := "<!DOCTYPE a [<!ENTITY e0 \"lol\">"
	markup := "<!DOCTYPE a [<!ENTITY e0 \"<b/>\">"
	for i := 1; i < 30; i++ {
		ref := strings.Repeat(fmt.Sprintf("&e%d;", i-1), 10)
		bomb += fmt.Sprintf("<!ENTITY e%d \"%s\">", i, ref)
		markup += fmt.Sprintf("<!ENTITY e%d \"<c>%s</c>\">", i, ref)
	}
	var attrs strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&attrs, " a%d='x'", i)
	}
	tests := map[string]string{
		"text bomb":          bomb + "]><a>&e29;</a>",
		"attribute bomb":     bomb + "]><a b='&e29;'/>",
		"markup bomb":        markup + "]><a>&e29;</a>",
		"wide markup bomb":   markup + "]><a>" + strings.Repeat("&e6;", 1000) + "</a>",
		"10,000 nested":      strings.Repeat("<a>", 10_000) + strings.Repeat("</a>", 10_000),
		"16 MiB attribute":   "<a b='" + strings.Repeat("x", 16<<20) + "'",
		"NUL bytes":          "<a>" + strings.Repeat("\x00", 1<<20) + "</a>",
		"invalid UTF-8":      "<a>" + strings.Repeat("\xff\xc0", 1<<20) + "</a>",
		"100,000 attributes": "<a" + attrs.String() + "/>",
		"unclosed tags":      strings.Repeat("<a ", 200_000),
		"only references":    "<a>" + strings.Repeat("&b", 500_000) + "</a>",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			d, diags := Parse(diag.NewFile("x", []byte(text)))
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if diags.Count(diag.Error) == 0 && diags.Count(diag.Warning) == 0 || d.Root == nil {
				t.Error("no finding")
			}
			if len(diags) > 2*maxFindings {
				t.Errorf("%d findings", len(diags))
			}
			if took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 700 {
				t.Errorf("allocated %d MiB for %d KiB", mib, len(text)>>10)
			}
			t.Logf("%s, %d MiB", took, (after.TotalAlloc-before.TotalAlloc)>>20)
		})
	}
}

func FuzzParseWith(f *testing.F) {
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY e SYSTEM "x"><!ENTITY g "<b>&e;</b>">]><a>&g;&e;</a>`), []byte("<c d='&e;'>&g;</c>"))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY e SYSTEM "x">]><a>&e;</a>`), []byte("\xff\xfe<\x00b\x00/\x00>\x00"))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY e "</a><a>">]><a>&e;</a>`), []byte(""))
	f.Fuzz(func(t *testing.T, data, included []byte) {
		d, diags := ParseWith(diag.NewFile("x", data), func(name string) (*diag.File, error) { return diag.NewFile(name, included), nil })
		for _, x := range diags {
			if x.Span.Start < 0 || int(x.Span.End) > len(x.Span.File.Data) || x.Span.Start > x.Span.End {
				t.Fatalf("span %d-%d of %d bytes: %s", x.Span.Start, x.Span.End, len(x.Span.File.Data), x.Message)
			}
		}
		LowerServer(d, Options{Version: "10.1"})
	})
}

func FuzzProperties(f *testing.F) {
	f.Add([]byte("a=b\\\n  c\n# x\nk\\u0041:\\uD83D\\uDE00"))
	f.Add([]byte("\\u12"))
	f.Fuzz(func(t *testing.T, data []byte) {
		props, _ := Properties(diag.NewFile("x", data))
		for k, p := range props {
			if int(p.Span.End) > len(data) || p.Span.Start > p.Span.End {
				t.Fatalf("%q: span %d-%d of %d bytes", k, p.Span.Start, p.Span.End, len(data))
			}
		}
	})
}
