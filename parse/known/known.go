// Package known holds what the manuals of Apache httpd and Apache Tomcat say
// about each stock directive, element and attribute: where it may stand, its
// syntax, its default and the versions that have it.
//
// The tables in httpd_gen.go and tomcat_gen.go are written by
// internal/gen/directives from the source trees of both servers; tomcat_facts.go
// holds what Tomcat's classes do otherwise. They are static data; the indexes over them are built at the first lookup. All
// functions are safe for concurrent use. Callers must not change returned
// slices.
package known

import (
	"sort"
	"strings"
	"sync"
)

// Context is the set of places where a directive may stand.
type Context uint8

// The contexts of the httpd manual.
const (
	Server      Context = 1 << iota // server config
	VirtualHost                     // virtual host
	Section                         // directory: <Directory>, <Location>, <Files>, <Proxy>
	Htaccess                        // .htaccess
	ProxyOnly                       // "proxy section", with which a few directives are limited to <Proxy>
)

var contextNames = []string{"server config", "virtual host", "directory", ".htaccess", "proxy section"}

// String lists the contexts in the words of the manual.
func (c Context) String() string { return bitNames(uint8(c), contextNames) }

// HTTPD is a set of httpd versions.
type HTTPD uint8

// The httpd versions of the table.
const (
	V22 HTTPD = 1 << iota // 2.2
	V24                   // 2.4
)

// String lists the versions.
func (v HTTPD) String() string { return bitNames(uint8(v), []string{"2.2", "2.4"}) }

// Tomcat is a set of Tomcat versions.
type Tomcat uint8

// The Tomcat versions of the table.
const (
	T7   Tomcat = 1 << iota // 7.0
	T85                     // 8.5
	T9                      // 9.0
	T101                    // 10.1
	T11                     // 11.0
)

// AllTomcat is each Tomcat version of the table.
const AllTomcat = T7 | T85 | T9 | T101 | T11

// String lists the versions.
func (v Tomcat) String() string {
	return bitNames(uint8(v), []string{"7", "8.5", "9", "10.1", "11"})
}

// ParseTomcat maps a version such as "9", "10.1.26" or "8.5" to its bit. The
// empty string is each version; an unknown version is none (0). Version 8 is
// read as 8.5 and version 10 as 10.1, their nearest relatives.
func ParseTomcat(version string) Tomcat {
	if version == "" {
		return AllTomcat
	}
	major, _, _ := strings.Cut(version, ".")
	switch major {
	case "7":
		return T7
	case "8":
		return T85
	case "9":
		return T9
	case "10":
		return T101
	case "11":
		return T11
	}
	return 0
}

func bitNames(bits uint8, names []string) string {
	var out []string
	for i, n := range names {
		if bits&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return strings.Join(out, ", ")
}

// DirectiveInfo is one directive or section of httpd.
type DirectiveInfo struct {
	Name       string         // as the manual spells it, without angle brackets
	Module     string         // such as mod_proxy or core; several are joined by ", "
	Identifier string         // for LoadModule and <IfModule>, such as proxy_module; empty for core
	Source     string         // file of the module, such as mod_proxy.c; empty for core
	Status     string         // Core, MPM, Base, Extension, Experimental or External
	Contexts   Context        // where it may stand
	Override   string         // AllowOverride class that permits it in .htaccess
	Syntax     string         // syntax line of the manual
	Args       string         // argument kind of the source, such as FLAG, TAKE1, RAW_ARGS; empty if not derivable
	Default    string         // default line of the manual; empty if there is none
	Help       string         // one short sentence
	Compat     string         // compatibility remark
	IsSection  bool           // written as <Name ...>
	Versions   HTTPD          // versions that have it
	In22       *DirectiveInfo // how 2.2 differs; nil if it does not, or has it not
}

// Fact is what holds for an attribute in some versions.
type Fact struct {
	Versions Tomcat
	Required bool
	Default  string // empty if the manual names none
}

// AttributeInfo is one attribute of an element.
type AttributeInfo struct {
	Name     string
	Help     string // one short sentence
	Versions Tomcat // versions whose manual names it
	Facts    []Fact // each version of Versions is in exactly one
}

// In returns what holds in a version ("" for the newest that has it).
func (a AttributeInfo) In(version string) (Fact, bool) {
	v := ParseTomcat(version)
	for i := len(a.Facts) - 1; i >= 0; i-- {
		if a.Facts[i].Versions&v != 0 {
			return a.Facts[i], true
		}
	}
	return Fact{}, false
}

// ElementInfo is one element of server.xml or context.xml as one class
// implements it.
type ElementInfo struct {
	Name       string // such as Receiver
	Class      string // Java class or, for a Connector, protocol; empty if the attributes hold for each class
	Page       string // page of the manual
	Versions   Tomcat
	Attributes []AttributeInfo // sorted by name
}

// SimpleClass is the class without its package.
func (e ElementInfo) SimpleClass() string { return e.Class[strings.LastIndexByte(e.Class, '.')+1:] }

var directiveIndex = sync.OnceValue(func() map[string]int {
	m := make(map[string]int, len(directives))
	for i := range directives {
		m[strings.ToLower(directives[i].Name)] = i
	}
	return m
})

var elementIndex = sync.OnceValue(func() map[string][]int {
	m := make(map[string][]int, 3*len(elementTable()))
	for i, e := range elementTable() {
		names := map[string]bool{strings.ToLower(e.Name): true}
		if e.Class != "" {
			names[strings.ToLower(e.Class)] = true
			names[strings.ToLower(e.SimpleClass())] = true
		}
		for n := range names {
			m[n] = append(m[n], i)
		}
	}
	return m
})

type attributeKey struct {
	element int
	name    string
}

var attributeIndex = sync.OnceValue(func() map[attributeKey]int {
	m := map[attributeKey]int{}
	for i := range elementTable() {
		for j := range elementTable()[i].Attributes {
			m[attributeKey{i, strings.ToLower(elementTable()[i].Attributes[j].Name)}] = j
		}
	}
	return m
})

// Directive finds a directive or section, in any case and with or without the
// opening angle bracket.
func Directive(name string) (DirectiveInfo, bool) {
	i, ok := directiveIndex()[strings.ToLower(strings.Trim(name, "<>/ "))]
	if !ok {
		return DirectiveInfo{}, false
	}
	return directives[i], true
}

// Directives returns the directives, sorted by name.
func Directives() []DirectiveInfo { return directives[:] }

// AllElements returns the elements, sorted by name and class.
func AllElements() []ElementInfo { return elementTable() }

// Elements finds the records of an element name, class or simple class name,
// in any case.
func Elements(name string) []ElementInfo {
	var out []ElementInfo
	for _, i := range elementIndex()[strings.ToLower(strings.Trim(name, "<>/ "))] {
		out = append(out, elementTable()[i])
	}
	return out
}

// Element returns one record that Elements finds: the only one of a class, and
// of an element name the one with the attributes common to its classes, or
// else the first that the newest versions have.
func Element(name string) (ElementInfo, bool) {
	list := Elements(name)
	if len(list) == 0 {
		return ElementInfo{}, false
	}
	best := list[0]
	for _, e := range list[1:] {
		if best.Class != "" && e.Versions > best.Versions {
			best = e
		}
	}
	return best, true
}

// Attribute finds an attribute of an element or class in a version ("" for any
// version). Of several classes that have it, the one in the newest versions
// is taken; after them, what holds for each class of the element.
func Attribute(element, name, version string) (AttributeInfo, bool) {
	v := ParseTomcat(version)
	idx := attributeIndex()
	found := elementIndex()[strings.ToLower(strings.Trim(element, "<>/ "))]
	look := func(i int) (AttributeInfo, bool) {
		if j, ok := idx[attributeKey{i, strings.ToLower(name)}]; ok {
			if a := elementTable()[i].Attributes[j]; a.Versions&v != 0 {
				return a, true
			}
		}
		return AttributeInfo{}, false
	}
	var best AttributeInfo
	for _, i := range found {
		if a, ok := look(i); ok && a.Versions > best.Versions {
			best = a
		}
	}
	if best.Versions != 0 {
		return best, true
	}
	for _, i := range found {
		for _, k := range elementIndex()[strings.ToLower(elementTable()[i].Name)] {
			if elementTable()[k].Class != "" {
				continue
			}
			if a, ok := look(k); ok {
				return a, true
			}
		}
	}
	return AttributeInfo{}, false
}

// Suggest returns the known directive, element, class or Element.attribute
// whose name is nearest to name, or "" if none is near.
func Suggest(name string) string {
	if len(name) > 100 {
		return ""
	}
	if owner, attr, ok := strings.Cut(name, "."); ok && len(Elements(owner)) > 0 {
		var names []string
		for _, e := range Elements(owner) {
			for _, a := range e.Attributes {
				names = append(names, a.Name)
			}
		}
		if n := nearest(attr, names); n != "" {
			return owner + "." + n
		}
		return ""
	}
	names := make([]string, 0, len(directives)+2*len(elementTable()))
	for i := range directives {
		names = append(names, directives[i].Name)
	}
	for i := range elementTable() {
		names = append(names, elementTable()[i].Name)
		if elementTable()[i].Class != "" {
			names = append(names, elementTable()[i].SimpleClass())
		}
	}
	return nearest(name, names)
}

func nearest(name string, names []string) string {
	sort.Strings(names)
	lower, best, limit := strings.ToLower(name), "", len(name)/3+1
	for _, n := range names {
		if d := distance(lower, strings.ToLower(n), limit); d < limit {
			best, limit = n, d
		}
	}
	return best
}

// distance is the Levenshtein distance of a and b, or limit if it is not less.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return min(row[len(b)], limit)
}
