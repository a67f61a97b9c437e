package lint

import "strings"

// ExampleFile is one file of an example.
type ExampleFile struct {
	Name string // relative, with slashes
	Text string
}

// Example returns the files of an example of the rule. One that begins with a
// line "-- NAME --" holds several files, each behind such a line; another one is
// an httpd.conf, or a server.xml for the rules about Tomcat alone.
func (r *Rule) Example(text string) []ExampleFile {
	if !strings.HasPrefix(text, "-- ") {
		name := "httpd.conf"
		if r.ID[0] == 'T' {
			name = "server.xml"
		}
		return []ExampleFile{{name, text}}
	}
	var files []ExampleFile
	for line := range strings.Lines(text) {
		trimmed := strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(trimmed, "-- "); ok && strings.HasSuffix(name, " --") {
			files = append(files, ExampleFile{Name: strings.TrimSuffix(name, " --")})
		} else if k := len(files) - 1; k >= 0 {
			files[k].Text += line
		}
	}
	return files
}
