package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPagesAreCurrent compares docs/rules with what the rules say.
func TestPagesAreCurrent(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "docs", "rules")
	want := pages()
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil || len(files) != len(want) {
		t.Errorf("%d pages in docs/rules, want %d: run go run ./internal/gen/ruledocs", len(files), len(want))
	}
	for name, text := range want {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(data) != text {
			t.Errorf("%s is not what the rule says: run go run ./internal/gen/ruledocs", name)
		}
	}
}
