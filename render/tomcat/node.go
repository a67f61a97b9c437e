package tomcat

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"clowder/render/target"
)

// java are the oldest versions of Java that each branch runs on, newest branch first.
var java = []struct {
	branch  string
	version int
}{{"11.0", 17}, {"10.1", 11}, {"9.0", 8}, {"8.0", 7}, {"7.0", 6}}

func (r release) java() int {
	for _, j := range java {
		if r.atLeast(j.branch) {
			return j.version
		}
	}
	return 5
}

// nodeNotes says what a change of the version means for the node as a whole.
func (c *conversion) nodeNotes(root *element) {
	say := func(loss target.Loss, message, means string) {
		c.ledger.Add(target.Note{Loss: loss, ID: "tomcat", Span: c.node.At.Head(), Fact: "node " + c.node.Name.V, Message: message, Means: means})
		root.comments = append(root.comments, sentence(message))
	}
	if !c.fromKnown {
		say(target.NeedsPerson, fmt.Sprintf("nothing says which Tomcat the node runs now, so %s was assumed: --tomcat %s=VERSION says it, and old defaults are kept", c.from.text, c.node.Name.V), "")
	}
	if names := slices.Sorted(maps.Keys(c.lifter.properties)); len(names) > 0 {
		say(target.NeedsPerson, "values come from properties: set them for the new Tomcat too: "+strings.Join(names, ", "), "catalina.properties, or -D in CATALINA_OPTS")
	}
	if c.from.branch() == c.to.branch() {
		return
	}
	message := fmt.Sprintf("Tomcat %s comes with its own web.xml, context.xml and catalina.properties: repeat your changes in those", c.to.text)
	if c.from.java() < c.to.java() {
		message = fmt.Sprintf("Tomcat %s needs Java %d or later; it", c.to.text, c.to.java()) + strings.TrimPrefix(message, "Tomcat "+c.to.text)
	}
	say(target.NeedsPerson, message, "")
	if crosses(c.from, c.to, "10.0") {
		old, now, how := "Java EE (javax.*)", "Jakarta EE (jakarta.*)", "the migration tool for Jakarta EE, or webapps-javaee"
		if !c.to.atLeast("10.0") {
			old, now, how = now, old, ""
		}
		say(target.NeedsPerson, fmt.Sprintf("applications made for %s do not run on Tomcat %s, which has %s: migrate them and your own valves, realms and listeners", old, c.to.text, now), how)
		say(target.Approximated, "whether sessions survive a restart by default is another answer since Tomcat 10: see pathname of the Manager in conf/context.xml", `<Manager pathname="SESSIONS.ser"/>`)
	}
	if crosses(c.from, c.to, "8.5") {
		say(target.Approximated, "cookies are read by RFC 6265 since Tomcat 8.5: names and values that only older rules allow are not seen", "CookieProcessor")
	}
}
