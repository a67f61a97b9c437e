package graph

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"clowder/internal/interop"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// hostile are names that would break out of one of the forms.
var hostile = []string{
	"plain", `</text><script>alert(1)</script>`, `"]`, `"]; x["`, `a"b\N\l`, "`**b**`", "#quot;", "]]>", "<!--", "&amp;", "%%{init: {}}%%",
	"a\nend\nclick c1 href", "1. list", "- list", "style a:b#1", "http://www.x.org/", "\x00\x1b[31m", "\u202egnp", "\xff\xfe", "\u2028graph", "->", "{x|y}", "end",
}

// named is a setup that has the name wherever a person can write one.
func named(name string) *model.Setup {
	f := diag.NewFile(name, []byte("x\n"))
	at := diag.At(f, 0, 1)
	str := func(s string) model.String { return model.Is(s, at) }
	member := &model.Member{At: at, URL: str("ajp://" + name + ":8009"), Route: str(name), Status: str(name)}
	worker := &model.Member{At: at, URL: str("http://" + name + "/")}
	sv := &model.Server{
		At: at, ServerName: str(name), Addresses: []model.String{str(name)},
		Balancers: []*model.Balancer{{At: at, Name: str(name), LBMethod: str(name), Sticky: str(name), Members: []*model.Member{member}}},
		Workers:   []*model.Member{worker},
		Mappings: []*model.Mapping{
			{At: at, Path: str(name), Target: str("balancer://" + name + "/" + name)},
			{At: at, Path: str(name), Target: str("http://" + name + "/" + name)},
			{At: at, Path: str(name), Target: str("balancer://absent" + name)},
		},
		Sections: []*model.Section{{At: at, Kind: str("Location"), Path: str(name), Settings: model.Settings{Handler: str(name)}}},
	}
	node := &model.Node{At: at, Name: str(name), Host: str(name), Services: []*model.Service{{
		Connectors: []*model.Connector{{At: at, Port: model.Is(8009, at), Protocol: str("AJP/1.3"), Address: str(name)}},
		Engine: &model.Engine{At: at, JVMRoute: str(name), Cluster: &model.Cluster{Manager: &model.Manager{Class: str(name)},
			Channel: &model.Channel{Membership: &model.Membership{Address: str(name)}, Receiver: &model.Receiver{Address: str(name)}}}},
	}}}
	return &model.Setup{
		FrontEnds: []*model.FrontEnd{{At: at, Name: str(name), Version: str(name), Host: str(name), Main: &model.Server{}, VHosts: []*model.Server{sv},
			Listens: []*model.Listen{{At: at, Address: str(name), Port: model.Is(80, at), Protocol: str(name)}}}},
		Nodes: []*model.Node{node},
		Files: []*diag.File{f},
	}
}

func written(t *testing.T, name string) (out map[string]string, cards int) {
	t.Helper()
	s := named(name)
	g := Build(s, diag.List{{ID: "X101", Severity: diag.Error, Span: diag.At(s.Files[0], 0, 1), Message: name}})
	out = map[string]string{}
	for _, f := range Formats {
		var b bytes.Buffer
		if err := f.Write(&b, g); err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(b.Bytes()) {
			t.Errorf("%s is not UTF-8", f.Name)
		}
		for _, r := range b.String() {
			if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' {
				t.Errorf("%s holds %U", f.Name, r)
			}
		}
		out[f.Name] = b.String()
	}
	return out, len(g.Cards())
}

func FuzzNames(f *testing.F) {
	for _, h := range hostile {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 2000 {
			return
		}
		out, _ := written(t, name)
		checkXML(t, out["svg"], svgElements)
		checkMermaid(t, out["mermaid"])
		checkDOT(t, out["dot"])
	})
}

var svgElements = map[string]string{"svg": "xmlns width height viewBox role aria-labelledby", "title": "id", "desc": "id", "style": "", "g": "",
	"rect": "class x y width height rx", "path": "class d", "text": "class x y font-size textLength lengthAdjust"}

// checkXML demands well-formed XML of these elements with these attributes only.
func checkXML(t *testing.T, text string, allowed map[string]string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			attrs, ok := allowed[e.Name.Local]
			if !ok {
				t.Fatalf("<%s> in\n%s", e.Name.Local, text)
			}
			for _, a := range e.Attr {
				if !strings.Contains(" "+attrs+" ", " "+a.Name.Local+" ") {
					t.Fatalf("%s of <%s> in\n%s", a.Name.Local, e.Name.Local, text)
				}
			}
		case xml.Comment, xml.ProcInst, xml.Directive:
			t.Fatalf("%v in\n%s", e, text)
		}
	}
}

// mermaidLine is all that a line of the Mermaid form may be: a label holds no
// quote, no bracket and no bare # or ;.
var mermaidLine = regexp.MustCompile(`^(?:flowchart LR|clients\(\["clients"\]\)| *%% [^{]*|end|  direction LR` +
	`|(?:subgraph | *)\w+\["(?:<br/>|#\d+;|[^"\[\](){}<>#;` + "`" + `*\\|%&])*"\]` +
	`|\w+ (?:-->|---|-\.->|-\.-x|~~~|-->\|"\d+"\|) \w+|classDef \w+ stroke:#\w+,stroke-width:2px|class [\w,]+ \w+)$`)

func checkMermaid(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if !mermaidLine.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Fatalf("line %q in\n%s", line, text)
		}
	}
}

var (
	dotLabel = regexp.MustCompile(`label=<(.*)>\]?$`)
	dotLine  = regexp.MustCompile(`^(?:digraph clowder \{|  (?:graph|node|edge) \[[\w=", .#]*\]|  clients \[[\w=", ]*\]|  subgraph cluster_\w+ \{| *style=rounded| *labelloc=[tb]` +
		`| *label=<.*>| *\w+ \[label=<.*>\]|  [\w:]+ -> [\w:]+(?: \[style=\w+\])?| *\})$`)
	dotElements = map[string]string{"table": "border cellborder cellspacing cellpadding color", "tr": "", "td": "port align valign colspan", "b": "",
		"br": "align", "font": "point-size color"}
)

func checkDOT(t *testing.T, text string) {
	t.Helper()
	labels := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !dotLine.MatchString(line) {
			t.Fatalf("line %q in\n%s", line, text)
		}
		if m := dotLabel.FindStringSubmatch(line); m != nil {
			labels++
			checkXML(t, m[1], dotElements)
		}
	}
	if labels < 6 {
		t.Errorf("only %d labels in\n%s", labels, text)
	}
}

// TestGraphviz: dot itself reads what was written, for names of all kinds.
func TestGraphviz(t *testing.T) {
	dot := interop.Require(t, "dot", "apt-get install graphviz")
	for _, name := range hostile {
		text, cards := written(t, name)
		cmd := exec.Command(dot, "-Tsvg")
		cmd.Stdin = strings.NewReader(text["dot"])
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil || errs.Len() > 0 {
			t.Errorf("%q: %v %s", name, err, errs.String())
		}
		if n := strings.Count(out.String(), "<g id=\"node"); n != cards+1 {
			t.Errorf("%q: dot drew %d nodes, want %d and the clients", name, n, cards)
		}
	}
}

func TestNoSecrets(t *testing.T) {
	at := diag.At(diag.NewFile("httpd.conf", []byte("x\n")), 0, 1)
	str := func(s string) model.String { return model.Is(s, at) }
	s := named("x")
	sv := s.FrontEnds[0].VHosts[0]
	sv.Balancers[0].Nonce = str("hush")
	sv.Balancers[0].Members[0].Secret = str("hush")
	sv.Workers[0].URL = str("http://me:hush@10.0.0.1/")
	sv.Mappings[1].Target = str("http://me:hush@10.0.0.1/")
	sv.Mappings[2].Target = str("http://me:hush@10.0.0.2/?password=hush")
	s.Nodes[0].Services[0].Connectors[0].Secret = str("hush")
	g := Build(s, diag.List{{ID: "H401", Severity: diag.Warning, Span: at, Message: "`http://me:hush@10.0.0.1/` has no ProxyPassReverse"}})
	for _, f := range Formats {
		var b strings.Builder
		if err := f.Write(&b, g); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "hush") || !strings.Contains(b.String(), "10.0.0.2") {
			t.Errorf("%s tells a secret, or not the member:\n%s", f.Name, b.String())
		}
	}
}

// TestMermaidLimits: what is written is what Mermaid draws.
func TestMermaidLimits(t *testing.T) {
	for _, e := range []estate{{1, 5, 3, 4, 12, 2}, {1, 20, 15, 20, 300, 3}, {1, 90, 2, 3, 6, 2}} {
		s := e.load(t)
		var b strings.Builder
		if err := WriteMermaid(&b, Build(s, findings(s))); err != nil {
			t.Fatal(err)
		}
		edges := 0
		for line := range strings.Lines(b.String()) {
			if regexp.MustCompile(`^\w+ [-~]`).MatchString(line) {
				edges++
			}
		}
		if edges < 20 || edges > mermaidEdges || b.Len() > mermaidBytes {
			t.Errorf("%v: %d edges, %d bytes", e, edges, b.Len())
		}
		checkMermaid(t, b.String())
	}
}
