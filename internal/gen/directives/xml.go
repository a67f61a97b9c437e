package main

import (
	"encoding/xml"
	"io"
	"os"
	"regexp"
	"strings"
)

// node is an element of a manual page; a text node has no name.
type node struct {
	name, text string
	attrs      map[string]string
	kids       []*node
}

// readXML reads a page leniently: entities of the pages' own DTD stay as text.
func readXML(path string) (*node, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := xml.NewDecoder(f)
	d.Strict = false
	d.Entity = xml.HTMLEntity
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	root := &node{}
	stack := []*node{root}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		top := stack[len(stack)-1]
		switch t := tok.(type) {
		case xml.StartElement:
			n := &node{name: t.Name.Local, attrs: map[string]string{}}
			for _, a := range t.Attr {
				n.attrs[a.Name.Local] = a.Value
			}
			top.kids = append(top.kids, n)
			stack = append(stack, n)
		case xml.EndElement:
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
		case xml.CharData:
			top.kids = append(top.kids, &node{text: string(t)})
		}
	}
}

// child returns the first child element of that name, or an empty node.
func (n *node) child(name string) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return &node{}
}

// find returns the descendants of that name.
func (n *node) find(name string) []*node {
	var out []*node
	for _, k := range n.kids {
		if k.name == name {
			out = append(out, k)
		}
		out = append(out, k.find(name)...)
	}
	return out
}

// plain is the text of n on one line. With marks, code is put in backquotes.
func (n *node) plain(marks bool) string {
	var b strings.Builder
	n.write(&b, marks)
	return strings.Join(strings.Fields(b.String()), " ")
}

func (n *node) write(b *strings.Builder, marks bool) {
	b.WriteString(n.text)
	code := marks && (n.name == "code" || n.name == "strong")
	if code {
		b.WriteByte('`')
	}
	for _, k := range n.kids {
		k.write(b, marks)
	}
	if code {
		b.WriteByte('`')
	}
	switch n.name {
	case "p", "br", "li", "td":
		b.WriteByte(' ')
	}
}

// leadingDefault is a first sentence that tells the default only.
var leadingDefault = regexp.MustCompile(`^(?:The )?[Dd]efault(?: value)? is [^ ]+\. +`)

var sentenceEnd = regexp.MustCompile(`[.:;] +\(?[A-Z*]|\. *$|; `)

// maxHelp bounds a help sentence, in bytes.
const maxHelp = 140

// brief is the first sentence of s, shortened at a word if it is long.
func brief(s string) string {
	s = strings.TrimSpace(leadingDefault.ReplaceAllString(strings.ReplaceAll(s, "`", ""), ""))
	if at := sentenceEnd.FindStringIndex(s); at != nil {
		s = s[:at[0]]
	}
	s = strings.TrimRight(s, " .:;,")
	if len(s) <= maxHelp {
		return s
	}
	cut := strings.LastIndexByte(s[:maxHelp-3], ' ')
	if c := strings.LastIndex(s[:maxHelp], ", "); c > 60 {
		return s[:c]
	}
	return strings.TrimRight(s[:max(cut, 1)], " ,(") + " ..."
}
