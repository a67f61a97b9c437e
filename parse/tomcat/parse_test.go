package tomcat

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"clowder/parse/diag"
)

func load(t *testing.T, path ...string) (*Document, diag.List) {
	t.Helper()
	p := filepath.Join(append([]string{"..", "..", "testdata", "seed"}, path...)...)
	data, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(diag.NewFile(p, data))
}

func lines(l diag.List, id string) []int {
	var out []int
	for _, d := range l {
		if d.ID == id {
			out = append(out, d.Span.Begin().Line)
		}
	}
	return out
}

func TestVerbatimFindings(t *testing.T) {
	_, diags := load(t, "verbatim", "server.xml")
	if got, want := lines(diags, "T001"), []int{1, 12, 17, 19, 22, 25, 36, 38}; !slices.Equal(got, want) {
		t.Errorf("T001 at %v, want %v", got, want)
	}
}

// outline writes the tree as names with their lines.
func outline(e *Element, indent string, out *strings.Builder) {
	fmt.Fprintf(out, "%s%s %d\n", indent, e.Name, e.Tag.Begin().Line)
	for _, c := range e.Children {
		outline(c, indent+"  ", out)
	}
}

func TestVerbatimRecovery(t *testing.T) {
	d, _ := load(t, "verbatim", "server.xml")
	var got strings.Builder
	outline(d.Root, "", &got)
	want, err := os.ReadFile("testdata/verbatim.outline")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("recovered tree:\n%s", got.String())
	}
	n, _, _ := LowerServer(d, Options{Version: "7.0.23"})
	k := n.Cluster()
	if k == nil || k.Channel == nil || k.Channel.Receiver == nil || k.Channel.Receiver.Port.V != 4000 ||
		len(k.Valves) != 2 || len(n.Engine().Hosts) != 1 || len(n.Engine().Hosts[0].AccessLogs) != 1 {
		t.Errorf("lowered: %+v", k)
	}
}

func TestMalformed(t *testing.T) {
	long := strings.Repeat("<a>", maxDepth+5)
	tests := []struct{ name, xml, want string }{
		{"empty", "", "1:1"},
		{"good", `<a/>`, ""},
		{"bom", "\xEF\xBB\xBF<?xml version='1.0'?><a/>", ""},
		{"crlf", "<a>\r\n<b x='1'/>\r\n</a>\r\n", ""},
		{"cdata", "<a><![CDATA[<b></c>&]]></a>", ""},
		{"instruction", "<a><?php <b> ?></a>", ""},
		{"misplaced but closed", "<Server><Sender><Receiver/></Sender></Server>", ""},
		{"dash dash", "<a>\n<!-- x -- y --></a>", "2:8"},
		{"comment ends in three", "<a><!-- x ---></a>", "1:11"},
		{"open comment", "<a>\n<!-- x </a>", "2:1"},
		{"duplicate", `<a b="1" b="2"/>`, "1:10"},
		{"no value", `<a b/>`, "1:4"},
		{"no quotes", `<a b=1/>`, "1:6"},
		{"no space", `<a b="1"c="2"/>`, "1:9"},
		{"less in value", `<a b="x<y"/>`, "1:8"},
		{"open quote", "<a>\n<b c=\"x/>\n<d e=\"1\"/>\n</a>", "2:6"},
		{"bare ampersand", `<a b="x & y"/>`, "1:9"},
		{"unknown entity", `<a>&nope;</a>`, "1:4"},
		{"bad reference", `<a>&#0;</a>`, "1:4"},
		{"internal entity", `<!DOCTYPE a [<!ENTITY e "v>&#33;">]><a b="&e;">&e;</a>`, ""},
		{"markup entity", `<!DOCTYPE a [<!ENTITY e "<b/>">]><a>&e;</a>`, ""},
		{"external entity", `<!DOCTYPE a [<!ENTITY e SYSTEM "/etc/passwd">]><a>&e;</a>`, "1:51"},
		{"external subset", `<!DOCTYPE a SYSTEM "x.dtd"><a>&e;</a>`, ""},
		{"endless entity", `<!DOCTYPE a [<!ENTITY e "&f;"><!ENTITY f "&e;">]><a>&e;</a>`, "1:53"},
		{"text outside", "<a/>\nx", "2:1"},
		{"second root", "<a/>\n<b/>", "2:1"},
		{"late declaration", "\n<?xml version='1.0'?><a/>", "2:1"},
		{"stray end", "<a>\n</b></a>", "2:1"},
		{"misspelt end", "<a>\n<Sender></Sendr></a>", "2:1"},
		{"open tag", "<a>\n<b c='1'\n<d/></a>", "3:1"},
		{"stray less", "<a>1 < 2</a>", "1:6"},
		{"unclosed", "<a>\n<b>\n<c/></a>", "2:1"},
		{"template", "<a>\n<% if x { %><b></a>", "2:1"},
		{"braces", `<a port="{{ port }}"><b></a>`, "1:10"},
		{"property is no template", `<a port="${port}"/>`, ""},
		{"control character", "<a>\x01</a>", "1:4"},
		{"not UTF-8", "<a b='\xE9'/>", "1:7"},
		{"unknown encoding", `<?xml version="1.0" encoding="klingon"?><a/>`, "1:1"},
		{"deep", long, "1:3001"},
		{"name of digits", "<a><1b/></a>", "1:4"},
		{"no letter", "<a\u00D7/>", "1:3"},
		{"declaration without version", `<?xml encoding="utf-8"?><a/>`, "1:7"},
		{"declaration in another order", `<?xml version="1.0" standalone="yes" encoding="utf-8"?><a/>`, "1:38"},
		{"another XML", `<?xml version="2.0"?><a/>`, "1:1"},
		{"other bytes than declared", `<?xml version="1.0" encoding="UTF-16"?><a/>`, "1:1"},
		{"instruction without a name", "<a><? x?></a>", "1:4"},
		{"reference outside", "<a/>&#32;", "1:5"},
		{"CDATA outside", "<a/><![CDATA[]]>", "1:5"},
		{"late DOCTYPE", "<a/><!DOCTYPE a>", "1:5"},
		{"element declaration", "<!DOCTYPE a [<!ELEMENT a (b,c|d)>]><a/>", "1:30"},
		{"attribute default", "<!DOCTYPE a [<!ATTLIST a b CDATA 'x'>]><a/>", "1:34"},
		{"half an entity", `<!DOCTYPE a [<!ENTITY e "<b>">]><a>&e;</a>`, "1:36 1:36"},
		{"unparsed entity", `<!DOCTYPE a [<!ENTITY e SYSTEM "x" NDATA n>]><a>&e;</a>`, "1:49"},
		{"escaped markup in an attribute", `<!DOCTYPE a [<!ENTITY e "1 &lt; 2">]><a b="&e;"/>`, ""},
		{"long entity name", "<!DOCTYPE a [<!ENTITY " + strings.Repeat("e", 300) + " 'v'>]><a>&" + strings.Repeat("e", 300) + ";</a>", ""},
		{"parameter entity", `<!DOCTYPE a [<!ENTITY % p "x"> %p;]><a>&from.there;</a>`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, diags := Parse(diag.NewFile("f", []byte(tt.xml)))
			var got []string
			for _, d := range diags {
				p := d.Span.Begin()
				got = append(got, fmt.Sprintf("%d:%d", p.Line, p.Column))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("findings at %q, want %q: %v", s, tt.want, diags)
			}
		})
	}
}

// TestStop proves that the line of Tomcat's parser is said where the finding is elsewhere.
func TestStop(t *testing.T) {
	d, diags := Parse(diag.NewFile("f", []byte("<a>\n<b>\n<c/>\n</a>\n")))
	if d.WellFormed || d.Stop.Begin().Line != 4 || len(diags) != 1 || diags[0].Span.Begin().Line != 2 {
		t.Fatalf("stop %v: %v", d.Stop, diags)
	}
	said := false
	for _, r := range diags[0].Related {
		said = said || r.Span.Begin().Line == 4
	}
	if !said {
		t.Errorf("related: %v", diags[0].Related)
	}
	if d, _ := Parse(diag.NewFile("f", []byte(`<a port="{{ port }}"/>`))); !d.WellFormed || !d.Template || d.Stop.IsValid() {
		t.Error("a template that is XML is said not to be")
	}
}

func TestPropertiesFile(t *testing.T) {
	for text, want := range map[string]string{
		"a=\xe9\n": "é", "a=\xc3\xa9\n": "Ã©", "a = x\\\n   y": "xy", "\\\n#a=1\na:2": "2", "a\\\n=3": "3", "a=\\u00e9": "é",
		"! c\na 1\ra 2\r\n": "2", "\ta\f\t=\f b": "b",
	} {
		props, diags := Properties(diag.NewFile("x.properties", []byte(text)))
		if len(props) != 1 || props["a"].Value != want || len(diags) > 0 {
			t.Errorf("%q: %v %v", text, props, diags)
		}
	}
	many := bytes.Repeat([]byte("a"), 1)
	for i := range maxProperties + 1 {
		many = fmt.Appendf(many, "%d\n", i)
	}
	if props, diags := Properties(diag.NewFile("x", many)); len(props) != maxProperties || len(diags) != 1 {
		t.Errorf("%d properties, %d findings", len(props), len(diags))
	}
}

func TestEntityBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE a [<!ENTITY e0 "lolololol">`)
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, `<!ENTITY e%d "%s">`, i, strings.Repeat(fmt.Sprintf("&e%d;", i-1), 10))
	}
	b.WriteString(`]><a>&e11;</a>`)
	if _, diags := Parse(diag.NewFile("f", []byte(b.String()))); len(diags) != 1 {
		t.Errorf("findings %v", diags)
	}
}

func TestEncodings(t *testing.T) {
	utf16le := []byte{0xFF, 0xFE}
	utf16be := []byte{0xFE, 0xFF}
	for _, r := range "<a x=\"é\" yy=\"1\"/>" {
		utf16le = append(utf16le, byte(r), byte(r>>8))
		utf16be = append(utf16be, byte(r>>8), byte(r))
	}
	for name, tt := range map[string]struct {
		data  []byte
		value string
		text  string // original bytes of the second attribute
	}{
		"utf-8":        {[]byte("<a x=\"é\" yy=\"1\"/>"), "é", `yy="1"`},
		"bom":          {[]byte("\xEF\xBB\xBF<a x=\"é\" yy=\"1\"/>"), "é", `yy="1"`},
		"latin1":       {[]byte("<?xml version='1.0' encoding='ISO-8859-1'?><a x=\"\xE9\" yy=\"1\"/>"), "é", `yy="1"`},
		"latin9":       {[]byte("<?xml version='1.0' encoding='ISO-8859-15'?><a x=\"\xA4\" yy=\"1\"/>"), "€", `yy="1"`},
		"latin5":       {[]byte("<?xml version='1.0' encoding='ISO-8859-9'?><a x=\"\xF0\" yy=\"1\"/>"), "ğ", `yy="1"`},
		"windows-1251": {[]byte("<?xml version='1.0' encoding='windows-1251'?><a x=\"\xC6\" yy=\"1\"/>"), "Ж", `yy="1"`},
		"bom, latin1":  {[]byte("\xEF\xBB\xBF<?xml version='1.0' encoding='ISO-8859-1'?><a x=\"\xE9\" yy=\"1\"/>"), "é", `yy="1"`},
		"far behind":   {[]byte("<?xml version='1.0' encoding='Cp1252'?><!--" + strings.Repeat("\xE9", 1000) + "--><a x=\"\x80\" yy=\"1\"/>"), "€", `yy="1"`},
		"windows-1252": {[]byte("<?xml version='1.0' encoding='windows-1252'?><a x=\"\x80\" yy=\"1\"/>"), "€", `yy="1"`},
		"utf-16le":     {utf16le, "é", "y\x00y\x00=\x00\"\x001\x00\"\x00"},
		"utf-16be":     {utf16be, "é", "\x00y\x00y\x00=\x00\"\x001\x00\""},
	} {
		d, diags := Parse(diag.NewFile(name, tt.data))
		if len(diags) > 0 || len(d.Root.Attrs) != 2 {
			t.Errorf("%s: %v %+v", name, diags, d.Root)
			continue
		}
		if got := d.Root.Attrs[0].Value; got != tt.value {
			t.Errorf("%s: value %q", name, got)
		}
		if got := d.Root.Attrs[1].Span.Text(); got != tt.text {
			t.Errorf("%s: span holds %q, want %q", name, got, tt.text)
		}
		if _, list := d.Tree(); len(list) != 1 || list[0].SelectAttrValue("x", "") != tt.value {
			t.Errorf("%s: no etree element", name)
		}
	}
}

func TestLinear(t *testing.T) {
	for _, unit := range []string{"<a b='", "<Realm>", "</x>", "<!DOCTYPE [", "&", "<a{{", "<%", "<a b=\"\n<", "<!DOCTYPE a [x>", "<!DOCTYPE a [<!--", "<!---- ", "<![CDATA[]]", "<a b='&x ", "<?x "} {
		start := time.Now()
		Parse(diag.NewFile("f", []byte("<Server>"+strings.Repeat(unit, 200_000))))
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%q repeated took %v", unit, d)
		}
	}
}

// same compares a document with what encoding/xml reads.
func same(t *testing.T, d *Document) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(d.File.Data, []byte("\xEF\xBB\xBF"))))
	dec.Entity = map[string]string{"node": "s1"}
	var want []string
	for {
		tok, err := dec.RawToken()
		if err != nil {
			if err != io.EOF {
				return // stricter here than the scanner: nothing to compare
			}
			break
		}
		if s, ok := tok.(xml.StartElement); ok {
			want = append(want, s.Name.Local)
			for _, a := range s.Attr {
				want = append(want, a.Name.Local+"="+a.Value)
			}
		}
	}
	var got []string
	_, list := d.Tree()
	n := 0
	d.Root.Walk(func(e *Element) bool {
		got = append(got, e.Local())
		for _, a := range e.Attrs {
			got = append(got, localName(a.Name)+"="+a.Value)
		}
		if x := list[n]; x.Tag != e.Local() || len(x.Attr) != len(e.Attrs) {
			t.Errorf("element %s has another etree element", e.Name)
		}
		n++
		return true
	})
	blank := strings.NewReplacer("\n", " ", "\t", " ", "\r", " ")
	if g, w := blank.Replace(strings.Join(got, "\x00")), blank.Replace(strings.Join(want, "\x00")); g != w {
		t.Errorf("scanner: %q\nencoding/xml: %q", g, w)
	}
}

func TestEquivalence(t *testing.T) {
	files, _ := filepath.Glob("../../testdata/seed/*/s*/server.xml")
	if len(files) < 9 {
		t.Fatalf("only %d seed files", len(files))
	}
	installed, _ := filepath.Glob("/etc/tomcat*/*.xml")
	for _, p := range append(files, installed...) {
		data, err := os.ReadFile(p)
		if err != nil {
			continue // not readable here
		}
		d, diags := Parse(diag.NewFile(p, data))
		if !d.WellFormed {
			t.Errorf("%s: %v", p, diags)
		}
		same(t, d)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`<a b="1"><c d='&amp;'/>t</a>`, "<Server><Sender><Receiver/></Server>", `<!DOCTYPE a [<!ENTITY e "v">]><a b="&e;"/>`, "<a b=\"\n<", "<a:b c:d='1'>]]></a:b>", "\xFF\xFE<\x00a\x00/\x00>\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, diags := Parse(diag.NewFile("f", data))
		LowerServer(d, Options{Version: "9.0"})
		Properties(d.File)
		for _, x := range diags {
			if x.Span.Start < 0 || x.Span.Start > x.Span.End || int(x.Span.End) > len(data) {
				t.Fatalf("span %d-%d of %d bytes: %s", x.Span.Start, x.Span.End, len(data), x.Message)
			}
		}
		d.Root.Walk(func(e *Element) bool {
			_ = e.Tag.Text()
			for _, a := range e.Attrs {
				if !strings.HasSuffix(a.NameSpan.Text(), a.Name) && !bytes.ContainsAny(data[:min(2, len(data))], "\x00\xFF\xFE") && !bytes.Contains(data, []byte("encoding")) {
					t.Fatalf("name span %q of %q", a.NameSpan.Text(), a.Name)
				}
			}
			return true
		})
		if d.WellFormed && len(diags) == 0 && !bytes.Contains(data, []byte("encoding")) && !bytes.ContainsAny(data[:min(2, len(data))], "\x00\xFF\xFE") && !bytes.Contains(data, []byte("<!")) {
			same(t, d)
		}
	})
}
