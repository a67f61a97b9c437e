package main

import (
	"os"
	"testing"
)

// TestCurrent: the page says what the targets do.
func TestCurrent(t *testing.T) {
	if err := os.Chdir("../../.."); err != nil {
		t.Fatal(err)
	}
	want, err := page("testdata/convert")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("docs/convert/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/convert/README.md is out of date: go run ./internal/gen/convertdocs")
	}
}
