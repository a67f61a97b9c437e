package lint

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"sort"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/tomcat"
)

// Fingerprints makes identities of findings that survive edits elsewhere in the
// file: a hash of the rule, of the directive or element at the place without its
// layout, and of the names of what is around it. No line number takes part, no
// secret does, and the file's name does not.
type Fingerprints struct {
	places map[*diag.File][]place
}

// place is a directive, section or element with its surroundings.
type place struct {
	start, end int32
	text       string
}

// NewFingerprints indexes the files of the input.
func NewFingerprints(in *Input) *Fingerprints {
	f := &Fingerprints{places: map[*diag.File][]place{}}
	for _, c := range in.Configs {
		if c == nil {
			continue
		}
		for _, t := range c.Trees {
			f.httpd(t.Nodes, "")
		}
	}
	for _, d := range in.Docs {
		f.xml(d.Root, "")
	}
	for _, list := range f.places {
		sort.SliceStable(list, func(i, j int) bool { return list[i].start < list[j].start })
	}
	return f
}

func (f *Fingerprints) httpd(nodes []*httpd.Node, around string) {
	for _, n := range nodes {
		if n.Kind != httpd.Directive && n.Kind != httpd.Section {
			continue
		}
		f.places[n.Span.File] = append(f.places[n.Span.File], place{n.Span.Start, n.Span.End, around + normal(n.Span.Text())})
		f.httpd(n.Children, around+strings.ToLower(n.Name)+">")
	}
}

func (f *Fingerprints) xml(e *tomcat.Element, around string) {
	if e.Name != "" {
		f.places[e.Tag.File] = append(f.places[e.Tag.File], place{e.Tag.Start, e.Tag.End, around + normal(e.Tag.Text())})
	}
	for _, c := range e.Children {
		f.xml(c, around+e.Name+">")
	}
}

var stars = regexp.MustCompile(`\*+`)

// normal takes layout and secrets out of the text.
func normal(s string) string {
	s = stars.ReplaceAllString(diag.HideSecrets(s), "*")
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "\\\n", " ")), " ")
}

// Of returns the fingerprint of a finding, 32 hexadecimal digits.
func (f *Fingerprints) Of(d *diag.Diagnostic) string {
	text := ""
	if s := d.Span; s.File != nil {
		list := f.places[s.File]
		i := sort.Search(len(list), func(i int) bool { return list[i].start > s.Start }) - 1
		if i >= 0 && s.Start <= list[i].end {
			text = list[i].text
		} else {
			text = normal(s.File.LineText(s.Begin().Line))
		}
	}
	sum := sha256.Sum256([]byte(d.ID + "\x00" + text))
	return hex.EncodeToString(sum[:16])
}
