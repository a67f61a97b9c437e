package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden compares with a file, or rewrites it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is printed now; go test ./cmd/clowder -update rewrites it, look at the difference.\ngot:\n%s", name, got)
	}
}

// TestGraphStory draws the story's files in all forms.
func TestGraphStory(t *testing.T) {
	t.Chdir("../..")
	for _, setup := range []string{"broken", "fixed"} {
		for form, ext := range map[string]string{"svg": "svg", "mermaid": "mmd", "dot": "dot", "text": "txt"} {
			t.Run(setup+"/"+form, func(t *testing.T) {
				args := []string{"graph", "--format", form, "--httpd", "2.2.21", "--tomcat", "7.0.23", "testdata/seed/" + setup}
				var out, errs bytes.Buffer
				if code := Main(args, nil, &out, &errs); code != exitOK || errs.Len() > 0 {
					t.Fatalf("exit code %d: %s", code, errs.String())
				}
				golden(t, filepath.Join("cmd/clowder/testdata/graph", setup+"."+ext), out.Bytes())
			})
		}
	}
}

// TestReadmePicture runs the graph command of README.md; the picture that README.md
// shows is what it draws.
func TestReadmePicture(t *testing.T) {
	t.Chdir("../..")
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "clowder graph --httpd")
	if !ok {
		t.Fatal("README.md has no command that draws the story")
	}
	line, _, _ := strings.Cut(rest, "\n")
	command, file, ok := strings.Cut("graph --httpd"+line, " > ")
	if !ok || !strings.Contains(string(readme), "("+file+")") {
		t.Fatalf("README.md does not show the file of %q", line)
	}
	var out, errs bytes.Buffer
	if code := Main(strings.Fields(command), nil, &out, &errs); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	golden(t, file, out.Bytes())
}
