package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/native"
)

// TestCurrent: the page is the one that the guide and the tables make.
func TestCurrent(t *testing.T) {
	have, err := os.ReadFile(filepath.Join("..", "..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page() {
		t.Errorf("%s is not current: go run ./internal/gen/tomldoc", file)
	}
}

// TestGuide: the example of the guide is a clowder.toml without a mistake.
func TestGuide(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(guide, -1)
	if len(blocks) == 0 || !strings.Contains(blocks[0][1], "[[frontend]]") {
		t.Fatal("the guide has no example")
	}
	doc, diags := native.Parse(diag.NewFile("clowder.toml", []byte(blocks[0][1])))
	if len(diags) > 0 || doc.Setup == nil {
		t.Errorf("the example: %v", diags)
	}
}
