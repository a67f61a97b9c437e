package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"clowder/parse/diag"
)

func sample() Report {
	a := diag.NewFile("s1/server.xml", []byte("<Server port=\"8005\">\n\t<Receiver port=\"4000\"/>\n"))
	b := diag.NewFile("s2/server.xml", []byte("<Server>\n\t<Receiver port=\"4000\"/>\n"))
	return Report{
		Files: []*diag.File{a, b},
		Findings: diag.List{{
			ID: "X201", Name: "receiver-port-shared", Severity: diag.Error, Confidence: diag.Likely,
			Span: diag.At(b, 10, 34), Message: "Receiver port 4000 is also that of s1", Detail: "why",
			Related: []diag.Related{{Span: diag.At(a, 22, 46), Message: "node s1 has it first"}},
			Fixes:   []diag.Fix{{Message: "use port 4001", Safe: true, Edits: []diag.Edit{{Span: diag.At(b, 27, 31), New: "4001"}}}},
		}, {ID: "C000", Name: "internal-error", Severity: diag.Error, Confidence: diag.Certain, Message: "100% lost:\n\x1b[31m"}},
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, "text", sample()); err != nil {
		t.Fatal(err)
	}
	want := `s2/server.xml:2:2: error X201 receiver-port-shared: Receiver port 4000 is also that of s1
    2 |  <Receiver port="4000"/>
      |  ^^^^^^^^^^^^^^^^^^^^^^^
  s1/server.xml:2:2: node s1 has it first
    2 |  <Receiver port="4000"/>
      |  ^^^^^^^^^^^^^^^^^^^^^^^
  note: why
  fix: use port 4001
  hint: clowder explain X201

error C000 internal-error: 100% lost: �[31m
  hint: clowder explain C000

`
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestTextColour(t *testing.T) {
	var b bytes.Buffer
	r := sample()
	r.Color = true
	_ = Text(&b, r)
	if !strings.Contains(b.String(), red+"error"+reset) {
		t.Errorf("no colour: %q", b.String())
	}
}

func TestSnippetOfALongLine(t *testing.T) {
	line := strings.Repeat("ä", 5000) + "HERE" + strings.Repeat("b", 5000)
	f := diag.NewFile("x", []byte(line))
	var b bytes.Buffer
	_ = Text(&b, Report{Findings: diag.List{{ID: "H001", Name: "n", Severity: diag.Error, Span: diag.At(f, 10000, 10004), Message: "m"}}})
	lines := strings.Split(b.String(), "\n")
	text, carets := []rune(lines[1]), []rune(lines[2])
	at := strings.Index(string(carets), "^")
	if len(text) > 300 || string(text[at:at+4]) != "HERE" || strings.Count(lines[2], "^") != 4 {
		t.Errorf("%s\n%s", lines[1], lines[2])
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, sample()); err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	want := `{"schema":"clowder.lint/v1","findings":[` +
		`{"rule":"X201","name":"receiver-port-shared","severity":"error","confidence":"likely","message":"Receiver port 4000 is also that of s1",` +
		`"file":"s2/server.xml","line":2,"column":2,"endLine":3,"endColumn":1,"related":[{"file":"s1/server.xml","line":2,"column":2,"message":"node s1 has it first"}],"fixable":true},` +
		`{"rule":"C000","name":"internal-error","severity":"error","confidence":"certain","message":"100% lost:\n\u001b[31m","file":"","line":0,"column":0,"endLine":0,"endColumn":0,"related":[],"fixable":false}],` +
		`"summary":{"error":2,"warning":0,"info":0,"files":2}}`
	if got := compact.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestGitHub(t *testing.T) {
	var b bytes.Buffer
	_ = GitHub(&b, sample())
	want := "::error file=s2/server.xml,line=2,endLine=3,col=2,title=X201 receiver-port-shared::Receiver port 4000 is also that of s1\n" +
		"::error title=C000 internal-error::100%25 lost:%0A\x1b[31m\n"
	if got := b.String(); got != want {
		t.Errorf("got:\n%s", got)
	}
}

func TestSARIFAndNDJSONAreJSON(t *testing.T) {
	var b bytes.Buffer
	_ = SARIF(&b, sample())
	if !json.Valid(b.Bytes()) || !strings.Contains(b.String(), `"relatedLocations"`) {
		t.Errorf("%s", b.String())
	}
	b.Reset()
	_ = NDJSON(&b, sample())
	for line := range strings.Lines(b.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("%s", line)
		}
	}
	if Write(&b, "nope", Report{}) == nil {
		t.Error("an unknown format is accepted")
	}
}
