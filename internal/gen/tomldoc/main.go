// Command tomldoc writes docs/toml.md: a guide (guide.md beside this file) and a
// table of every key of clowder.toml. Run it at the root of the repository after a
// key of the model or the guide changed:
//
//	go run ./internal/gen/tomldoc
package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/parse/native"
)

// file is where the page stands, from the root of the repository.
var file = filepath.Join("docs", "toml.md")

//go:embed guide.md
var guide string

func main() {
	if err := os.WriteFile(file, []byte(page()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// use is one place where a table stands.
type use struct {
	parent reflect.Type
	key    string
	list   bool
}

// page is the whole text.
func page() string {
	var b strings.Builder
	b.WriteString(guide)
	uses := map[reflect.Type][]use{}
	for _, t := range native.Structs() {
		for _, k := range native.Keys(t) {
			if k.Kind == model.StructField || k.Kind == model.ArrayField {
				uses[k.Type] = append(uses[k.Type], use{t, k.Key, k.Kind == model.ArrayField})
			}
		}
	}
	shared := keySet(reflect.TypeFor[model.Settings]())
	for _, t := range native.Structs() {
		var leave map[string]bool
		switch t {
		case reflect.TypeFor[model.Server](), reflect.TypeFor[model.Section]():
			leave = shared
		}
		heading(&b, t, uses[t])
		table(&b, native.Keys(t), leave)
		if t == reflect.TypeFor[model.Section]() {
			b.WriteString("\nAnd the [settings](#settings) below.\n")
		}
		if t == reflect.TypeFor[model.Server]() {
			b.WriteString("\nAnd the [settings](#settings), which stand in the table of the server itself.\n\n### Settings\n\n" +
				"Keys of servers and of sections; what a section leaves out it has from its server.\n\n")
			table(&b, native.Keys(reflect.TypeFor[model.Settings]()), nil)
		}
	}
	return b.String()
}

func keySet(t reflect.Type) map[string]bool {
	out := map[string]bool{}
	for _, f := range model.Fields(t) {
		out[f.Key] = true
	}
	return out
}

// heading names the table and the places where it stands.
func heading(b *strings.Builder, t reflect.Type, uses []use) {
	if len(uses) == 0 {
		b.WriteString("\n### The file\n\n")
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n", title(t))
	var places []string
	for _, u := range uses {
		text := "[…" + u.key + "]"
		if u.list {
			text = "[[…" + u.key + "]]"
		}
		if u.parent == reflect.TypeFor[model.Setup]() {
			text = strings.Replace(text, "…", "", 1)
			places = append(places, "`"+text+"`")
			continue
		}
		if u.parent == reflect.TypeFor[model.Section]() && contains(uses, reflect.TypeFor[model.Server](), u.key) {
			continue // said of the server
		}
		owner := strings.ToLower(title(u.parent))
		if contains(uses, reflect.TypeFor[model.Section](), u.key) {
			owner += " and section"
		}
		places = append(places, "`"+text+"` of "+owner)
	}
	b.WriteString("Written " + strings.Join(places, ", ") + ".\n\n")
}

func contains(uses []use, parent reflect.Type, key string) bool {
	for _, u := range uses {
		if u.parent == parent && u.key == key {
			return true
		}
	}
	return false
}

// titles are what the tables are called where the name of the type is no word.
var titles = map[string]string{
	"FrontEnd": "Front end", "HeaderRule": "Header", "Env": "Environment", "ErrorDoc": "Error document", "RewriteRule": "Rewrite rule", "RewriteCond": "Rewrite condition",
	"Directive": "Directive without a key", "StaticMember": "Static member", "AccessLog": "Access log", "Log": "Log", "App": "Application of the nodes",
}

func title(t reflect.Type) string {
	if s := titles[t.Name()]; s != "" {
		return s
	}
	return t.Name()
}

func table(b *strings.Builder, keys []native.Key, leave map[string]bool) {
	b.WriteString("| key | type | default | in httpd or Tomcat | |\n|---|---|---|---|---|\n")
	for _, k := range keys {
		if leave[k.Key] {
			continue
		}
		name := k.Key
		if k.Required {
			name += " (required)"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", name, typeText(k), code(k.DefaultText), code(k.Counterpart), plain(docText(k)))
	}
}

func docText(k native.Key) string {
	if k.Words == nil {
		return k.Doc
	}
	words := strings.Join(k.Words, ", ")
	if k.Open {
		return k.Doc + " Such as " + words + "."
	}
	return k.Doc + " One of " + words + "."
}

func typeText(k native.Key) string {
	switch k.Kind {
	case model.ListField:
		return "list of texts"
	case model.StructField:
		return "table"
	case model.ArrayField:
		return "tables"
	case model.AttrsField, model.TableField:
		return "table of texts"
	}
	switch k.Type {
	case reflect.TypeFor[bool]():
		return "true, false"
	case reflect.TypeFor[int]():
		return "whole number"
	case reflect.TypeFor[float64]():
		return "number"
	case reflect.TypeFor[time.Duration]():
		return "time"
	}
	return "text"
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + escape(s) + "`"
}

// escape keeps a text inside of its cell.
func escape(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// plain is a text with nothing that Markdown would take for markup.
func plain(s string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`, "_", `\_`).Replace(s)
}
