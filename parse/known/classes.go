package known

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// classesText is written by internal/gen/classes: a line for each class with its
// name, versions, parents and properties, separated by tabs.
//
//go:embed tomcat_classes.txt
var classesText string

// Kind is what Tomcat's digester turns the value of an attribute into
// (org.apache.tomcat.util.IntrospectionUtils.setProperty).
type Kind byte

// The kinds. A value that is no number leaves the property alone; any text but
// "true" is false; Other properties are set to null.
const (
	NoKind  Kind = 0
	Text    Kind = 's'
	Whole   Kind = 'i' // 32 bits
	Long    Kind = 'l' // 64 bits
	Truth   Kind = 'b'
	Address Kind = 'a'
	Other   Kind = 'o'
)

// ClassInfo is one class of Tomcat.
type ClassInfo struct {
	Name     string
	Versions Tomcat

	parents    []versioned
	properties map[string][]versioned // by name with a small first letter; Name is the kind
}

type versioned struct {
	Name     string
	Versions Tomcat
}

var classLines = sync.OnceValue(func() map[string]string {
	m := make(map[string]string, 2000)
	for line := range strings.Lines(classesText) {
		if name, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			m[name] = rest
		}
	}
	return m
})

var classCache sync.Map // name -> *ClassInfo

// Class finds a class of Tomcat by its full name, in any version.
func Class(name string) (*ClassInfo, bool) {
	if c, ok := classCache.Load(name); ok {
		return c.(*ClassInfo), true
	}
	rest, ok := classLines()[name]
	if !ok {
		return nil, false
	}
	fields := strings.Split(rest, "\t")
	c := &ClassInfo{Name: name, Versions: versionBits(fields[0]), properties: map[string][]versioned{}}
	c.parents = versionedList(fields[1], c.Versions)
	for _, p := range versionedList(fields[2], c.Versions) {
		property, kind, _ := strings.Cut(p.Name, "/")
		c.properties[property] = append(c.properties[property], versioned{kind, p.Versions})
	}
	classCache.Store(name, c)
	return c, true
}

// Classes returns the full names of all classes of all versions, sorted.
func Classes() []string { return classNames() }

var classNames = sync.OnceValue(func() []string {
	names := make([]string, 0, len(classLines()))
	for n := range classLines() {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
})

func versionBits(hex string) Tomcat {
	n, _ := strconv.ParseUint(hex, 16, 8)
	return Tomcat(n)
}

func versionedList(s string, all Tomcat) []versioned {
	var out []versioned
	for _, w := range strings.Fields(s) {
		name, bits, limited := strings.Cut(w, ":")
		v := versioned{name, all}
		if limited {
			v.Versions = versionBits(bits)
		}
		out = append(out, v)
	}
	return out
}

// maxClassDepth bounds the walk up the parents.
const maxClassDepth = 32

// Property returns what an attribute of that name sets in the versions, those of
// parents included, and the versions that have it; NoKind when it sets nothing.
// The first letter may be large or small, as for the digester. Where versions or
// overloads differ, the kind that takes the most values is returned.
func (c *ClassInfo) Property(name string, versions Tomcat) (Kind, Tomcat) {
	if name == "" {
		return NoKind, 0
	}
	return c.property(strings.ToLower(name[:1])+name[1:], versions&c.Versions, 0)
}

func (c *ClassInfo) property(name string, versions Tomcat, depth int) (Kind, Tomcat) {
	best, found := NoKind, Tomcat(0)
	take := func(k Kind, v Tomcat) {
		found |= v
		if v != 0 && kindRank(k) > kindRank(best) {
			best = k
		}
	}
	for _, p := range c.properties[name] {
		take(Kind(p.Name[0]), p.Versions&versions)
	}
	c.eachParent(versions, depth, func(p *ClassInfo, v Tomcat) {
		take(p.property(name, v, depth+1))
	})
	return best, found
}

func (c *ClassInfo) eachParent(versions Tomcat, depth int, f func(*ClassInfo, Tomcat)) {
	if depth > maxClassDepth {
		return
	}
	for _, p := range c.parents {
		if v := p.Versions & versions; v != 0 {
			if parent, ok := Class(p.Name); ok {
				f(parent, v)
			}
		}
	}
}

func kindRank(k Kind) int { return strings.IndexByte("\x00oabils", byte(k)) }

// TakesAny reports whether the class has a setProperty(name, value), which the
// digester calls for attributes without a setter.
func (c *ClassInfo) TakesAny(versions Tomcat) bool {
	_, v := c.property("*", versions&c.Versions, 0)
	return v != 0
}

// Is reports whether the class is, extends or implements the other in one of the versions.
func (c *ClassInfo) Is(other string, versions Tomcat) bool { return c.is(other, versions, 0) }

func (c *ClassInfo) is(other string, versions Tomcat, depth int) bool {
	if c.Name == other {
		return true
	}
	found := false
	c.eachParent(versions, depth, func(p *ClassInfo, v Tomcat) { found = found || p.is(other, v, depth+1) })
	return found
}

// Settable returns the names of the properties that a text or number can set in
// the versions, sorted, as they are written in a configuration.
func (c *ClassInfo) Settable(versions Tomcat) []string {
	names := map[string]bool{}
	c.settable(names, versions&c.Versions, 0)
	out := make([]string, 0, len(names))
	for n := range names {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func (c *ClassInfo) settable(names map[string]bool, versions Tomcat, depth int) {
	for name, list := range c.properties {
		for _, p := range list {
			if name != "*" && Kind(p.Name[0]) != Other && p.Versions&versions != 0 {
				if len(name) > 1 && name[1] >= 'A' && name[1] <= 'Z' {
					name = strings.ToUpper(name[:1]) + name[1:] // SSLEnabled, URIEncoding
				}
				names[name] = true
				break
			}
		}
	}
	c.eachParent(versions, depth, func(p *ClassInfo, v Tomcat) { p.settable(names, v, depth+1) })
}
