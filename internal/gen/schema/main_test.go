package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"clowder/parse/native"
)

// TestCurrent: the shipped schema is the one that the tables make.
func TestCurrent(t *testing.T) {
	have, err := os.ReadFile(filepath.Join("..", "..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, native.Schema()) {
		t.Errorf("%s is not current: go run ./internal/gen/schema", file)
	}
}
