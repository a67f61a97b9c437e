package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"clowder/parse/diag"
)

var (
	githubText  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubValue = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// GitHub writes workflow commands, which GitHub Actions shows as annotations.
func GitHub(w io.Writer, r Report) error {
	b := bufio.NewWriter(w)
	for i := range r.Findings {
		d := &r.Findings[i]
		command := d.Severity.String()
		if d.Severity == diag.Info {
			command = "notice"
		}
		var props []string
		if d.Span.IsValid() {
			p, e := d.Span.Begin(), d.Span.Finish()
			props = append(props, "file="+githubValue.Replace(d.Span.File.Name), fmt.Sprintf("line=%d", p.Line))
			if e.Line != p.Line {
				props = append(props, fmt.Sprintf("endLine=%d", e.Line))
			}
			props = append(props, fmt.Sprintf("col=%d", p.Column))
		}
		props = append(props, "title="+githubValue.Replace(d.ID+" "+d.Name))
		fmt.Fprintf(b, "::%s %s::%s\n", command, strings.Join(props, ","), githubText.Replace(d.Message))
	}
	return b.Flush()
}
