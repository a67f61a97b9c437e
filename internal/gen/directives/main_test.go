package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// TestRun compares the output for a small tree with golden files, twice.
func TestRun(t *testing.T) {
	o := options{
		httpd: "testdata/httpd24", httpd22: "testdata/httpd22",
		tomcat: "9.0=testdata/tomcat9,11.0=testdata/tomcat11", date: "2026-01-02",
	}
	for range 2 {
		o.out = t.TempDir()
		if err := run(o); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"httpd_gen.go", "tomcat_gen.go"} {
			got, err := os.ReadFile(filepath.Join(o.out, name))
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("%s:\n%s", name, d)
			}
		}
	}
}

func TestRunErrors(t *testing.T) {
	for _, o := range []options{
		{},
		{httpd: t.TempDir(), tomcat: "9.0=x", date: "d"},
		{httpd: "testdata/httpd24", tomcat: "nowhere", date: "d", out: t.TempDir()},
		{httpd: "testdata/httpd24", tomcat: "9.0=" + t.TempDir(), date: "d", out: t.TempDir()},
	} {
		if err := run(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestBrief(t *testing.T) {
	for in, want := range map[string]string{
		"One. Two.":                        "One",
		"Default value is `3`. What it is": "What it is",
		"A version such as 2.4 stays":      "A version such as 2.4 stays",
		"":                                 "",
	} {
		if got := brief(in); got != want {
			t.Errorf("brief(%q) = %q, want %q", in, got, want)
		}
	}
	if got := brief(strings.Repeat("long ", 100)); len(got) > maxHelp {
		t.Errorf("%d bytes", len(got))
	}
}

func TestDefaultOf(t *testing.T) {
	for in, want := range map[string]string{
		"The default value is `4000`.":                       "4000",
		"Default is `false`.":                                "false",
		"If not specified, this attribute is set to 200.":    "200",
		"at most, or -1 (the default) for no limit":          "-1",
		"The value is `auto` by default.":                    "auto",
		"There is no word about it, and `code` is no value.": "",
	} {
		if got := defaultOf(in); got != want {
			t.Errorf("defaultOf(%q) = %q, want %q", in, got, want)
		}
	}
}
