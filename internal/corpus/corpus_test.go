package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var manifest = flag.String("manifest", os.Getenv("CLOWDER_CORPUS"), "manifest of a corpus of real files")

func TestCorpus(t *testing.T) {
	if *manifest == "" {
		t.Skip("no corpus: name its MANIFEST.tsv by -manifest or in CLOWDER_CORPUS")
	}
	r, err := check(*manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.deviations {
		t.Errorf("%s: %s", d.file, d.cause)
	}
}

// TestVerdicts proves that the program sees what it is there to see.
func TestVerdicts(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"good.conf": "Listen 80\n<Location />\n</Location>\n",
		"bad.conf":  "<Location />\n",
		"good.xml":  "<Server/>",
		"bad.xml":   "<Server>",
		"liar.xml":  "<Server/>",
		"c.props":   "a=\\u12\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := filepath.Join(dir, "MANIFEST.tsv")
	table := "file\tkind\txml_error\twellformed\thttpd_t\n" +
		"good.conf\thttpd\t\t\tok\nbad.conf\thttpd\t\t\tok\nbad.conf\thttpd\t\t\tsyntax: x\n" +
		"good.xml\tserver\t\tyes\t\nbad.xml\tserver\tno element found: line 1, column 8\tno\t\nbad.xml\tserver\telsewhere: line 2, column 0\tno\t\nbad.xml\tserver\t\tyes\t\nliar.xml\tserver\t\tno\t\n" +
		"c.props\tcatalina\nnowhere\tlink\n"
	if err := os.WriteFile(m, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := check(m)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range r.deviations {
		got = append(got, d.file)
	}
	if s := strings.Join(got, " "); s != "bad.conf bad.xml bad.xml liar.xml c.props" {
		t.Errorf("deviations: %s", s)
	}
	var out strings.Builder
	if err := r.write(&out); err != nil || !strings.Contains(out.String(), "5  deviations") {
		t.Errorf("%v, report:\n%s", err, &out)
	}
	if run([]string{m}) != 1 || run(nil) != 2 || run([]string{filepath.Join(dir, "none")}) != 2 {
		t.Error("exit codes are wrong")
	}
}

func TestManifestMistakes(t *testing.T) {
	for _, s := range []string{"", "a\tb\n", "file\tkind\n"} {
		if _, err := readManifest(strings.NewReader(s)); err == nil {
			t.Errorf("no error for %q", s)
		}
	}
}

func TestLimit(t *testing.T) {
	big := []byte(strings.Repeat("<a>", 1<<20))
	if class, causes := limited(entry{file: "x", kind: "server"}, big, time.Nanosecond); class != "server (hang)" || len(causes) != 1 {
		t.Errorf("%s: %v", class, causes)
	}
}
