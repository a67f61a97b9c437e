package main

import "clowder/parse/native"

type schemaCmd struct{}

// Help is shown under the command.
func (schemaCmd) Help() string {
	return "With it an editor completes and checks clowder.toml: write it to a file and name that in the first line, #:schema ./clowder.schema.json"
}

// Run prints the JSON Schema of clowder.toml.
func (schemaCmd) Run(a *app) error {
	_, err := a.stdout.Write(native.Schema())
	return err
}
