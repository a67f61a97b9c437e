// Package tomcat reads the files of Apache Tomcat (server.xml, context.xml,
// web.xml, tomcat-users.xml, catalina.properties) with the exact place of every
// element and attribute, and lowers them to the model.
//
// A scanner of this package walks the bytes and knows where everything stands.
// [Document.Tree] gives an etree document for queries: the n-th start tag of the
// scanner is the n-th etree element. Broken XML is reported at the tag that is to blame
// and still gives a tree, closed with what is known about the nesting of
// Tomcat's elements. Nothing outside the given bytes is read, except the external
// entities for which [ParseWith] is given an [Opener].
package tomcat

import (
	"strings"

	"clowder/parse/diag"
)

// Document is one XML file. It is not changed after [Parse]; reading it from
// many goroutines is safe.
type Document struct {
	File       *diag.File
	Root       *Element // never nil; has no name when the file holds no element
	WellFormed bool     // no syntax error was found
	Template   bool     // the file holds <% %> or {{ }} and is no configuration yet
	Comments   []Comment
	Included   []*diag.File // of external entities, in the order of reading

	// Stop is where an XML parser gives up, as Tomcat's does, with the line that
	// it would name; invalid when it does not.
	Stop diag.Span

	text     []byte            // of the file, in UTF-8
	entities map[string]string // of the DOCTYPE
	roots    []*Element        // more than one only in broken files
}

// Comment is one XML comment.
type Comment struct {
	Text string    // between <!-- and -->
	Span diag.Span // with <!-- and -->
}

// Element is one element and its places.
type Element struct {
	Name       string    // as written, with a namespace prefix
	Tag        diag.Span // the whole start tag
	NameSpan   diag.Span // the name in the start tag
	End        diag.Span // the end tag; invalid when self-closed or missing
	SelfClosed bool
	Attrs      []Attr // in file order, duplicates included
	Children   []*Element
	Parent     *Element
	Text       string // character data directly inside, entities resolved

	closed   bool // the scanner found its own end tag
	reported bool // a finding about this tag was made
}

// Attr is one attribute and its places.
type Attr struct {
	Name, Value string    // Value: entities resolved, white space as blanks
	NameSpan    diag.Span // the name
	ValueSpan   diag.Span // inside the quotes
	Span        diag.Span // from the name to the closing quote
}

// Attr returns the first attribute of that name, or nil.
func (e *Element) Attr(name string) *Attr {
	for i := range e.Attrs {
		if e.Attrs[i].Name == name {
			return &e.Attrs[i]
		}
	}
	return nil
}

// Walk calls f for the element and everything below it in document order; when f
// returns false the children of that element are left out.
func (e *Element) Walk(f func(*Element) bool) {
	if !f(e) {
		return
	}
	for _, c := range e.Children {
		c.Walk(f)
	}
}

// Local returns the element's name without a namespace prefix.
func (e *Element) Local() string { return localName(e.Name) }

// localName cuts the prefix off a name. A colon at either end belongs to the name.
func localName(name string) string {
	if prefix, local, ok := strings.Cut(name, ":"); ok && prefix != "" && local != "" {
		return local
	}
	return name
}

// Kind says what a document is, by its root element.
type Kind uint8

// The kinds of documents.
const (
	Unknown Kind = iota
	Server       // server.xml
	Context      // context.xml
	WebXML       // web.xml, web-fragment.xml
	Users        // tomcat-users.xml
)

func (k Kind) String() string {
	if int(k) > 4 {
		return "unknown"
	}
	return [...]string{"unknown", "server.xml", "context.xml", "web.xml", "tomcat-users.xml"}[k]
}

// Kind returns what the document is.
func (d *Document) Kind() Kind {
	switch d.Root.Local() {
	case "Server":
		return Server
	case "Context":
		return Context
	case "web-app", "web-fragment":
		return WebXML
	case "tomcat-users":
		return Users
	}
	return Unknown
}

// Bytes prints the tree: every tag from its own place, and between two of them
// what stands there in the file. For an untouched document that is the file, byte
// for byte. What an entity stands for is printed as its reference.
func (d *Document) Bytes() []byte {
	out := make([]byte, 0, len(d.File.Data))
	at := int32(0)
	put := func(s diag.Span) {
		if s.File == d.File && s.Start >= at {
			out = append(out, d.File.Data[at:s.Start]...)
			out = append(out, d.File.Data[s.Start:s.End]...)
			at = s.End
		}
	}
	var element func(e *Element)
	element = func(e *Element) {
		put(e.Tag)
		for _, c := range e.Children {
			element(c)
		}
		put(e.End)
	}
	for _, r := range d.roots {
		element(r)
	}
	return append(out, d.File.Data[at:]...)
}
