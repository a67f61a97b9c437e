package report

import (
	"encoding/xml"
	"fmt"
	"io"

	"clowder/parse/diag"
)

// JUnit writes the XML of JUnit: one suite for each file that was read, a test
// case for each of its findings, or one that passed. Infos are passed test cases
// with their text in the output.
func JUnit(w io.Writer, r Report) error {
	type failure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	type testcase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		File    string   `xml:"file,attr,omitempty"`
		Line    int      `xml:"line,attr,omitempty"`
		Failure *failure `xml:"failure"`
		Out     string   `xml:"system-out,omitempty"`
	}
	type suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	type root struct {
		XMLName  xml.Name `xml:"testsuites"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Suites   []*suite `xml:"testsuite"`
	}
	out := root{Name: "clowder lint"}
	byName := map[string]*suite{}
	of := func(name string) *suite {
		if byName[name] == nil {
			byName[name] = &suite{Name: name}
			out.Suites = append(out.Suites, byName[name])
		}
		return byName[name]
	}
	for _, f := range r.Files {
		of(f.Name)
	}
	for i := range r.Findings {
		d := &r.Findings[i]
		s := of(fileName(d.Span))
		text := fmt.Sprintf("%s: %s %s: %s%s", d.Span, d.Severity, d.ID, oneLine(d.Message), relatedText(d))
		c := testcase{Name: fmt.Sprintf("%s %s line %d", d.ID, d.Name, d.Span.Begin().Line), Class: s.Name, File: s.Name, Line: d.Span.Begin().Line}
		if d.Severity >= diag.Warning {
			c.Failure = &failure{oneLine(d.Message), d.Severity.String() + " " + d.ID, text}
			s.Failures++
		} else {
			c.Out = text
		}
		s.Cases = append(s.Cases, c)
	}
	for _, s := range out.Suites {
		if len(s.Cases) == 0 {
			s.Cases = []testcase{{Name: "no findings", Class: s.Name}}
		}
		s.Tests = len(s.Cases)
		out.Tests, out.Failures = out.Tests+s.Tests, out.Failures+s.Failures
	}
	return writeXML(w, out)
}
