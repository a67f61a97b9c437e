package lint

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"sort"
	"strings"
	"sync"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/tomcat"
)

// Fingerprints makes identities of findings that survive edits elsewhere in the
// file: a hash of the rule, of the directive or element at the place without its
// layout, and of the names of what is around it. No line number takes part, no
// secret does, and the file's name does not.
type Fingerprints struct {
	trees  map[*diag.File]*httpd.Tree
	docs   []*tomcat.Document
	once   sync.Once
	places map[*diag.File][]place // of the elements of docs
}

// place is an element with its surroundings.
type place struct {
	start, end int32
	text       string
}

// NewFingerprints makes ready for the files of the input.
func NewFingerprints(in *Input) *Fingerprints {
	f := &Fingerprints{docs: in.Docs, trees: map[*diag.File]*httpd.Tree{}}
	for _, c := range in.Configs {
		if c == nil {
			continue
		}
		for _, t := range c.Trees {
			f.trees[t.File] = t
		}
	}
	return f
}

// index notes the elements of all documents.
func (f *Fingerprints) index() {
	f.places = map[*diag.File][]place{}
	for _, d := range f.docs {
		f.xml(d.Root, "")
	}
	for _, list := range f.places {
		sort.SliceStable(list, func(i, j int) bool { return list[i].start < list[j].start })
	}
}

// directive returns the text of the last directive or section that begins at or
// before the place, with what is around it, when the place is in it.
func directive(nodes []*httpd.Node, at int32) (text string, ok bool) {
	var around strings.Builder
	var last *httpd.Node
	for {
		i := sort.Search(len(nodes), func(i int) bool { return nodes[i].Span.Start > at }) - 1
		for i >= 0 && nodes[i].Kind != httpd.Directive && nodes[i].Kind != httpd.Section {
			i--
		}
		if i < 0 {
			break
		}
		if last != nil {
			around.WriteString(strings.ToLower(last.Name) + ">")
		}
		last = nodes[i]
		nodes = last.Children
	}
	if last == nil || at > last.Span.End {
		return "", false
	}
	return around.String() + normal(last.Span.Text()), true
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
		var ok bool
		if t := f.trees[s.File]; t != nil {
			text, ok = directive(t.Nodes, s.Start)
		} else {
			text, ok = f.element(s)
		}
		if !ok {
			text = normal(s.File.LineText(s.Begin().Line))
		}
	}
	sum := sha256.Sum256([]byte(d.ID + "\x00" + text))
	return hex.EncodeToString(sum[:16])
}

// element returns the text of the element at the place.
func (f *Fingerprints) element(at diag.Span) (text string, ok bool) {
	f.once.Do(f.index)
	list := f.places[at.File]
	i := sort.Search(len(list), func(i int) bool { return list[i].start > at.Start }) - 1
	if i < 0 || at.Start > list[i].end {
		return "", false
	}
	return list[i].text, true
}
