package report

import (
	"encoding/xml"
	"io"

	"clowder/parse/diag"
)

// Checkstyle writes the XML of Checkstyle, which many CI servers read. Columns
// count Unicode code points from 1.
func Checkstyle(w io.Writer, r Report) error {
	type finding struct {
		Line     int    `xml:"line,attr"`
		Column   int    `xml:"column,attr"`
		Severity string `xml:"severity,attr"`
		Message  string `xml:"message,attr"`
		Source   string `xml:"source,attr"`
	}
	type file struct {
		Name   string    `xml:"name,attr"`
		Errors []finding `xml:"error"`
	}
	type root struct {
		XMLName xml.Name `xml:"checkstyle"`
		Version string   `xml:"version,attr"`
		Files   []*file  `xml:"file"`
	}
	out := root{Version: "4.3"}
	byName := map[string]*file{}
	for i := range r.Findings {
		d := &r.Findings[i]
		name := fileName(d.Span)
		f := byName[name]
		if f == nil {
			f = &file{Name: name}
			byName[name] = f
			out.Files = append(out.Files, f)
		}
		x := finding{Line: max(1, d.Span.Begin().Line), Column: 1, Severity: d.Severity.String(),
			Message: oneLine(d.Message) + relatedText(d), Source: "clowder." + d.ID + "." + d.Name}
		if d.Span.IsValid() {
			x.Column = d.Span.File.RuneColumn(int(d.Span.Start))
		}
		f.Errors = append(f.Errors, x)
	}
	return writeXML(w, out)
}

// relatedText names the other places of a finding in formats that have no room
// for them.
func relatedText(d *diag.Diagnostic) string {
	text := ""
	for _, rel := range d.Related {
		if rel.Span.IsValid() {
			text += " [" + rel.Span.Short() + ": " + oneLine(rel.Message) + "]"
		}
	}
	return text
}

func writeXML(w io.Writer, v any) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
