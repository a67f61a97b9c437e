package tomcat

import (
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// element is one element of the file that is made.
type element struct {
	name     string // "" for a comment alone
	attrs    []attribute
	text     string
	children []*element
	comments []string // written above it

	at     diag.Span // of the source's tag; invalid for what was added
	source any       // pointer to the struct of the model; nil for what was added
}

// attribute is one attribute of an element.
type attribute struct {
	name, value string
	place       diag.Span // of the fact; invalid for what was added
}

func (e *element) attr(name string) *attribute {
	for i := range e.attrs {
		if e.attrs[i].name == name {
			return &e.attrs[i]
		}
	}
	return nil
}

// value returns an attribute's value, "" when there is none.
func (e *element) value(name string) string {
	if a := e.attr(name); a != nil {
		return a.value
	}
	return ""
}

// add writes an attribute that the source has not, or replaces its value.
func (e *element) add(name, value string) {
	if a := e.attr(name); a != nil {
		a.value = value
		return
	}
	e.attrs = append(e.attrs, attribute{name: name, value: value})
}

// remove takes an attribute out.
func (e *element) remove(name string) {
	e.attrs = slices.DeleteFunc(e.attrs, func(a attribute) bool { return a.name == name })
}

// child returns the first child of that name, or nil.
func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// class is the full name of the element's class, "" when none is written.
func (e *element) class() string { return strings.TrimSpace(e.value("className")) }

// is reports whether the element's class has that simple name.
func (e *element) is(simple string) bool { return model.SimpleClass(e.class()) == simple }

// label is how notes call the element: "Valve RemoteIpValve", "Connector on 8009".
func (e *element) label() string {
	switch {
	case e.class() != "":
		return e.name + " " + model.SimpleClass(e.class())
	case e.name == "Connector" && e.value("port") != "":
		return "Connector on " + e.value("port")
	case e.value("name") != "":
		return e.name + " " + e.value("name")
	case e.name == "Context":
		return "Context " + `"` + e.value("path") + `"`
	}
	return e.name
}

// foreign reports whether the element is of somebody else's class.
func (e *element) foreign() bool {
	c := e.class()
	return c != "" && !strings.HasPrefix(c, "org.apache.")
}

// isSecret reports whether the values of an attribute of that name are secret.
func isSecret(name string) bool {
	const probe = `="x"`
	return diag.HideSecrets(name+probe) != name+probe
}
