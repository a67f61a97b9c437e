// Command ruledocs writes docs/rules: a page for each rule of clowder lint and an
// index by topic, out of the rules' own documentation. Run it at the root of the
// repository after a rule changed:
//
//	go run ./internal/gen/ruledocs
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/lint/rules"
)

func main() {
	dir := filepath.Join("docs", "rules")
	if err := write(dir, pages()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write replaces the pages in dir; those of rules that are gone are deleted.
func write(dir string, pages map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := pages[filepath.Base(path)]; !ok {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pages returns all pages by file name.
func pages() map[string]string {
	out := map[string]string{"README.md": index()}
	for _, r := range rules.All {
		out[r.ID+".md"] = r.Explain(lint.Markdown)
	}
	return out
}

// index lists the rules by topic.
func index() string {
	var b strings.Builder
	b.WriteString("# Rules of clowder lint\n\nGenerated from the rules by `go run ./internal/gen/ruledocs`. H: httpd alone, T: one Tomcat alone, X: httpd and its\n" +
		"Tomcats, or Tomcats among themselves, C: about linting itself. `clowder explain ID` prints the same pages.\n")
	var topics []lint.Category
	for _, r := range rules.All {
		if !slices.Contains(topics, r.Category) {
			topics = append(topics, r.Category)
		}
	}
	for _, t := range topics {
		fmt.Fprintf(&b, "\n## %s\n\n| rule | name | level | fix | versions |\n|---|---|---|---|---|\n", t)
		for _, r := range rules.All {
			if r.Category != t {
				continue
			}
			fix := ""
			if r.Fixable {
				fix = "yes"
			}
			fmt.Fprintf(&b, "| [%s](%s.md) | %s | %s | %s | %s |\n", r.ID, r.ID, r.Name, r.Severity, fix, r.Versions.Text)
		}
	}
	return b.String()
}
