package report

import (
	"bufio"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"clowder/parse/diag"
)

const (
	reset  = "\x1b[0m"
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	blue   = "\x1b[34m"
	dim    = "\x1b[2m"
)

// maxSnippet is how many bytes of a source line are shown.
const maxSnippet = 160

// Text writes one finding after the other. The first line of each is stable:
//
//	file:line:column: severity ID name: message
//
// with columns in bytes from 1. Below it stand the source line with carets, the
// related places with theirs, and a hint.
func Text(w io.Writer, r Report) error {
	b := bufio.NewWriter(w)
	t := &textWriter{Writer: b, color: r.Color, links: r.Links}
	for i := range r.Findings {
		d := &r.Findings[i]
		t.head(d)
		if r.Brief {
			continue
		}
		t.snippet(d.Span, severityColor(d.Severity))
		for _, rel := range d.Related {
			fmt.Fprintf(b, "  %s %s\n", t.paint(blue, t.place(rel.Span)), rel.Message)
			t.snippet(rel.Span, blue)
		}
		if d.Detail != "" {
			fmt.Fprintf(b, "  %s %s\n", t.paint(bold, "note:"), d.Detail)
		}
		for _, f := range d.Fixes {
			kind := "suggestion"
			if f.Safe {
				kind = "fix"
			}
			fmt.Fprintf(b, "  %s %s\n", t.paint(bold, kind+":"), f.Message)
		}
		fmt.Fprintf(b, "  %s\n\n", t.paint(dim, "hint: clowder explain "+d.ID))
	}
	return b.Flush()
}

type textWriter struct {
	*bufio.Writer
	color bool
	links bool
}

// place prints a place, as a link to its file where the terminal can do that.
func (t *textWriter) place(s diag.Span) string {
	text := s.String() + ":"
	if !t.links || s.File == nil {
		return text
	}
	abs, err := filepath.Abs(s.File.Name)
	if err != nil {
		return text
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), Fragment: fmt.Sprintf("L%d", s.Begin().Line)}
	return "\x1b]8;;" + u.String() + "\x1b\\" + text + "\x1b]8;;\x1b\\"
}

func (t *textWriter) paint(color, s string) string {
	if !t.color {
		return s
	}
	return color + s + reset
}

func severityColor(s diag.Severity) string {
	switch s {
	case diag.Error:
		return red
	case diag.Warning:
		return yellow
	}
	return blue
}

func (t *textWriter) head(d *diag.Diagnostic) {
	place := ""
	if d.Span.IsValid() {
		place = t.place(d.Span) + " "
	}
	fmt.Fprintf(t, "%s%s %s: %s\n", t.paint(bold, place), t.paint(severityColor(d.Severity), d.Severity.String()),
		t.paint(bold, d.ID+" "+d.Name), oneLine(d.Message))
}

// oneLine keeps control characters of the user's files off the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0:
			return utf8.RuneError
		}
		return r
	}, s)
}

// snippet shows the first line of the span with carets under it.
func (t *textWriter) snippet(s diag.Span, color string) {
	if !s.IsValid() || len(s.File.Data) == 0 {
		return
	}
	p := s.Begin()
	line := s.File.LineText(p.Line)
	from := min(p.Column-1, len(line))
	to := min(max(from+1, from+int(s.End-s.Start)), max(len(line), from+1))
	cut := 0 // bytes left out at the start of a very long line
	if from > maxSnippet/2 && len(line) > maxSnippet {
		cut = from - maxSnippet/4
		for cut > 0 && cut < len(line) && !utf8.RuneStart(line[cut]) {
			cut--
		}
	}
	end := min(len(line), cut+maxSnippet)
	for end < len(line) && !utf8.RuneStart(line[end]) {
		end++
	}
	to = max(from+1, min(to, end))
	number := fmt.Sprintf("%5d", p.Line)
	fmt.Fprintf(t, "%s | %s\n", t.paint(dim, number), strings.ReplaceAll(oneLine(line[cut:end]), "\t", " "))
	carets := max(1, utf8.RuneCountInString(line[min(from, len(line)):min(to, len(line))]))
	fmt.Fprintf(t, "      | %s%s\n", strings.Repeat(" ", utf8.RuneCountInString(line[cut:from])), t.paint(color, strings.Repeat("^", carets)))
}
