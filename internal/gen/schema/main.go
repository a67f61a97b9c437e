// Command schema writes docs/clowder.schema.json, the JSON Schema of clowder.toml,
// which clowder schema prints, too. Run it at the root of the repository after a
// key of the model or of the settings changed:
//
//	go run ./internal/gen/schema
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"clowder/parse/native"
)

// file is where the schema stands, from the root of the repository.
var file = filepath.Join("docs", "clowder.schema.json")

func main() {
	if err := os.WriteFile(file, native.Schema(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
