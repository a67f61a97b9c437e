// Command convertdocs writes docs/convert/README.md: what survives a conversion,
// by area and target, as the notes about one rich sample say. Run it at the root
// of the repository after a target changed:
//
//	go run ./internal/gen/convertdocs
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"clowder/parse"
	"clowder/parse/model"
	"clowder/render"
	"clowder/render/target"
)

const intro = `# Conversions

` + "`clowder convert --to TARGET`" + ` writes a setup for another program and says of each fact what became of it:
exact, approximated, dropped, or to be decided by a person. ` + "`clowder help convert`" + ` lists the flags.

- Losses of protection (access rules, passwords, secrets, checks of TLS) end with exit code 1 until they
  are accepted with ` + "`--accept-loss AREA`" + ` or, for one place only, ` + "`--accept-loss AREA@FILE:LINE`" + `. The output is
  closed where something that protects cannot be said: it refuses, it does not open.
- ` + "`--strict`" + ` ends with exit code 1 when anything at all was dropped.
- ` + "`--notes json=FILE`" + ` writes the notes for machines; ` + "`--all-notes`" + ` lists the exact ones in text, too.
- ajp:// members go to the HTTP connector that the server.xml in the setup has. Where there is none the member
  is left out and a note says so; no port is guessed.

This page is generated from the notes about ` + "`testdata/convert`" + ` by ` + "`go run ./internal/gen/convertdocs`" + `.
The worst that happened to a fact of an area counts:

| word | meaning |
|---|---|
| exact | says the same |
| nearly | says nearly the same; the note tells the difference |
| dropped | something is not said |
| closed | something that protects is not said; the output refuses there |
| person | something has to be decided by a person |
| – | the target is not about this |

`

func main() {
	text, err := page(filepath.Join("testdata", "convert"))
	if err == nil {
		err = os.WriteFile(filepath.Join("docs", "convert", "README.md"), []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// page converts the sample to every target and tells how it went.
func page(sample string) (string, error) {
	r, err := parse.Load(parse.Options{Paths: []string{sample}, Whole: true, Tomcat: map[string]string{"": "9.0"}})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(intro)
	words := make([]map[string]string, len(render.Targets))
	head, rule := "| area |", "|---|"
	for i, t := range render.Targets {
		if words[i], err = outcome(t, r.Setup); err != nil {
			return "", fmt.Errorf("%s: %w", t.Name, err)
		}
		name := t.Name
		if _, err := os.Stat(filepath.Join("docs", "convert", t.Name+".md")); err == nil {
			name = fmt.Sprintf("[%s](%s.md)", t.Name, t.Name)
		}
		head += " " + name + " |"
		rule += "---|"
	}
	fmt.Fprintf(&b, "%s\n%s\n", head, rule)
	for _, a := range target.Areas {
		fmt.Fprintf(&b, "| %s |", a.ID)
		for i := range render.Targets {
			fmt.Fprintf(&b, " %s |", words[i][a.ID])
		}
		b.WriteByte('\n')
	}
	b.WriteString("\nThe areas, which are also the words of `--accept-loss`:\n\n")
	for _, a := range target.Areas {
		fmt.Fprintf(&b, "- **%s**: %s\n", a.ID, a.Doc)
	}
	b.WriteString("\nThe targets:\n\n")
	for _, t := range render.Targets {
		fmt.Fprintf(&b, "- `--to %s`: %s\n", t.Name, t.Doc)
	}
	return b.String(), nil
}

// outcome returns one word for each area.
func outcome(t target.Target, s *model.Setup) (map[string]string, error) {
	res, err := t.Render(s, target.Options{})
	if err != nil {
		return nil, err
	}
	rank := map[string]int{"exact": 1, "nearly": 2, "person": 3, "dropped": 4, "closed": 5}
	out := map[string]string{}
	for _, n := range res.Notes {
		word := [...]string{"exact", "nearly", "dropped", "person"}[n.Loss]
		if n.Loss == target.Dropped && n.Security {
			word = "closed"
		}
		if rank[word] > rank[out[n.ID]] {
			out[n.ID] = word
		}
	}
	for _, a := range target.Areas {
		if out[a.ID] == "" {
			out[a.ID] = "–"
			if t.Name == "toml" { // notes only what it loses
				out[a.ID] = "exact"
			}
		}
	}
	return out, nil
}
