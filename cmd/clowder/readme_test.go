package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestReadmeTranscript runs the lint command of README.md and compares what it
// says there with what is printed.
func TestReadmeTranscript(t *testing.T) {
	t.Chdir("../..")
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	const prompt, filter = "$ clowder lint ", " | grep '^testdata'"
	_, rest, ok := strings.Cut(string(readme), prompt)
	if !ok {
		t.Fatal("README.md has no lint transcript")
	}
	line, rest, _ := strings.Cut(rest, "\n")
	args := strings.Fields("lint " + strings.TrimSuffix(line, filter))
	var out, errs bytes.Buffer
	if code := Main(args, nil, &out, &errs); code != exitFindings {
		t.Errorf("exit code %d, want %d: %s", code, exitFindings, errs.String())
	}
	var got strings.Builder
	for l := range strings.Lines(out.String()) {
		if strings.HasPrefix(l, "testdata") {
			got.WriteString(l)
		}
	}
	want, _, _ := strings.Cut(rest, "$ clowder")
	if got.String() != want {
		t.Errorf("README.md says\n%s\nclowder prints\n%s", want, got.String())
	}
}
