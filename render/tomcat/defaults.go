package tomcat

import "strings"

// changedDefault is a default that is another one since some version. Those whose
// old value was a hole are not among them: the new value counts.
type changedDefault struct {
	element   string
	applies   func(e *element) bool // nil: always
	attribute string
	since     string // first version with the new default
	old, new  string
}

// changedDefaults come from the fields of Connector, StandardManager and
// AccessLogValve in the branches; the manuals name most of them.
var changedDefaults = []changedDefault{
	{"Connector", nil, "URIEncoding", "8.0", "ISO-8859-1", "UTF-8"},
	{"Connector", nil, "asyncTimeout", "8.0", "10000", "30000"},
	{"Connector", nil, "maxParameterCount", "11.0", "10000", "1000"},
	{"Manager", standardManager, "pathname", "10.0", "SESSIONS.ser", ""},
	{"Valve", datedLog, "fileDateFormat", "8.0", "yyyy-MM-dd", ".yyyy-MM-dd"},
}

// standardManager reports whether the element is the default manager of a context.
func standardManager(e *element) bool { return e.class() == "" || e.is("StandardManager") }

// datedLog reports whether the name of the log's file is made of a prefix of the
// source and the date: the dot between them went from the default prefix to the
// date in 8.0.
func datedLog(e *element) bool {
	return (e.is("AccessLogValve") || e.is("ExtendedAccessLogValve")) && e.attr("prefix") != nil
}

// defaults writes the default of the source's version where the target has another.
func (c *conversion) defaults(e *element) {
	if e.foreign() {
		return
	}
	var written []string
	for _, d := range changedDefaults {
		if d.element != e.name || d.applies != nil && !d.applies(e) || e.attr(d.attribute) != nil || !crosses(c.from, c.to, d.since) {
			continue
		}
		value := d.old
		if !c.to.atLeast(d.since) {
			value = d.new
		}
		e.add(d.attribute, value)
		written = append(written, d.attribute)
		c.added(e.at, e.label(), d.attribute+`="`+value+`" was the default of Tomcat `+c.from.text)
	}
	if len(written) > 0 {
		e.comments = append(e.comments, "As before by default: "+strings.Join(written, ", ")+".")
	}
}
