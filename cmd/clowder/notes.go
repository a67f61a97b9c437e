package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"clowder/render/target"
)

// noteSink is where notes go, and how.
type noteSink struct{ format, file string }

type noteSinkList []noteSink

// noteSinks reads FORMAT[=FILE] words; none given means text on standard error.
func noteSinks(words []string) (noteSinkList, error) {
	var out noteSinkList
	for _, w := range words {
		format, file, _ := strings.Cut(w, "=")
		if format != "text" && format != "json" && format != "none" {
			return nil, usage("--notes %s: the forms are text, json and none", w)
		}
		out = append(out, noteSink{format, file})
	}
	if len(out) == 0 {
		out = noteSinkList{{format: "text"}}
	}
	return out, nil
}

func (l noteSinkList) write(a *app, c *convertCmd, notes []target.Note, accepted losses) error {
	notes = slices.Clone(notes)
	sortNotes(notes)
	for _, s := range l {
		var b strings.Builder
		switch s.format {
		case "text":
			writeNotesText(&b, c, notes, accepted)
		case "json":
			if err := writeNotesJSON(&b, c.To, notes, accepted); err != nil {
				return err
			}
		}
		if s.file == "" {
			if _, err := io.WriteString(a.stderr, b.String()); err != nil {
				return err
			}
		} else if err := writeFile(s.file, []byte(b.String()), 0o644, true); err != nil {
			return err
		}
	}
	return nil
}

// sortNotes puts notes in the order of files and places; those without a place come last.
func sortNotes(notes []target.Note) {
	slices.SortStableFunc(notes, func(a, b target.Note) int {
		if a.Span.IsValid() != b.Span.IsValid() {
			if a.Span.IsValid() {
				return -1
			}
			return 1
		}
		if !a.Span.IsValid() {
			return 0
		}
		return cmp.Or(cmp.Compare(a.Span.File.Name, b.Span.File.Name), cmp.Compare(a.Span.Start, b.Span.Start))
	})
}

func writeNotesText(b *strings.Builder, c *convertCmd, notes []target.Note, accepted losses) {
	counts := map[target.Loss]int{}
	for _, n := range notes {
		counts[n.Loss]++
		if n.Loss == target.Exact && !c.AllNotes {
			continue
		}
		if n.Span.IsValid() {
			fmt.Fprintf(b, "%s: ", n.Span)
		}
		fmt.Fprintf(b, "%s: ", n.Loss)
		if n.Fact != "" {
			fmt.Fprintf(b, "`%s`", n.Fact)
			if n.Message != "" {
				b.WriteString(": ")
			}
		}
		b.WriteString(n.Message)
		if n.Means != "" {
			fmt.Fprintf(b, " (nearest: %s)", n.Means)
		}
		fmt.Fprintf(b, " [%s%s]\n", n.ID, securityWord(n, accepted))
	}
	if len(notes) > 0 {
		fmt.Fprintf(b, "--to %s: %d exact, %d approximated, %d dropped, %d for a person\n", c.To,
			counts[target.Exact], counts[target.Approximated], counts[target.Dropped], counts[target.NeedsPerson])
	}
}

func securityWord(n target.Note, accepted losses) string {
	switch {
	case !n.Security || n.Loss == target.Exact:
		return ""
	case accepted.has(n):
		return ", security, accepted"
	}
	return ", security"
}

// jsonNote is one note as --notes json writes it.
type jsonNote struct {
	Loss     string `json:"loss"`
	Area     string `json:"area"`
	Security bool   `json:"security,omitempty"`
	Accepted bool   `json:"accepted,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"` // in bytes, from 1
	Fact     string `json:"fact,omitempty"`
	Message  string `json:"message,omitempty"`
	Means    string `json:"means,omitempty"`
}

func writeNotesJSON(w io.Writer, to string, notes []target.Note, accepted losses) error {
	out := struct {
		Target string     `json:"target"`
		Notes  []jsonNote `json:"notes"`
	}{to, make([]jsonNote, len(notes))}
	for i, n := range notes {
		j := jsonNote{Loss: n.Loss.String(), Area: n.ID, Fact: n.Fact, Message: n.Message, Means: n.Means}
		if n.Loss != target.Exact && n.Security {
			j.Security, j.Accepted = true, accepted.has(n)
		}
		if n.Span.IsValid() {
			at := n.Span.Begin()
			j.File, j.Line, j.Column = n.Span.File.Name, at.Line, at.Column
		}
		out.Notes[i] = j
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
