package httpd

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"clowder/parse/diag"
)

// Check finds directives that httpd does not know (H002), that stand where
// httpd refuses them (H004), and mistakes in section arguments (H007). It looks
// only at the expanded tree. What is unknown is reported only when the modules
// are known, from LoadModule lines or Options.Modules.
func Check(c *Config) diag.List {
	k := &checker{c: c, foreign: c.hasForeignModule()}
	k.nodes(c.Nodes, nil)
	return k.diags
}

// CheckModules finds directives of stock modules that are not loaded (H003),
// one finding for each; lint has a rule of that ID with one for each module.
func CheckModules(c *Config) diag.List {
	k := &checker{c: c, modulesOnly: true}
	k.nodes(c.Nodes, nil)
	return k.diags
}

type checker struct {
	c           *Config
	diags       diag.List
	foreign     bool // a module that is not httpd's is loaded
	modulesOnly bool

	parent, around *Node // the last answer of aroundPath
}

func (k *checker) report(id, name string, n *Node, format string, args ...any) {
	if !k.modulesOnly {
		k.add(id, name, diag.Error, n, format, args...)
	}
}

func (k *checker) add(id, name string, sev diag.Severity, n *Node, format string, args ...any) {
	if len(k.diags) < 10000 {
		k.diags.Add(diag.Diagnostic{ID: id, Name: name, Severity: sev, Confidence: diag.Certain, Span: n.Span, Message: fmt.Sprintf(format, args...)})
	}
}

func (k *checker) nodes(nodes []*Node, parent *Node) {
	afterIf := false
	for _, n := range nodes {
		if n.Kind == Section {
			if n.command() == nil {
				k.unknown(n, "<"+n.Name)
				continue
			}
			k.module(n)
			k.section(n, parent, afterIf)
			k.nodes(n.Children, n)
			afterIf = n.Is("If") || n.Is("ElseIf")
			continue
		}
		afterIf = false
		if strings.HasPrefix(n.Name, "<") || strings.HasPrefix(n.Name, "/") {
			continue // reported as a mistake of syntax
		}
		if n.command() == nil {
			k.unknown(n, n.Name)
			continue
		}
		k.module(n)
		k.place(n, parent)
	}
}

// unknown reports a directive or section, key with its "<", that no stock
// module has. Without a list of modules it may belong to one of others.
func (k *checker) unknown(n *Node, key string) {
	if !k.c.moduleList || k.modulesOnly {
		return
	}
	name := n.key()
	if removedIn24[name] && strings.HasPrefix(k.c.version, "2.2") {
		return
	}
	list, what, shown := directiveNames, "directive", n.Name
	if key[0] == '<' {
		list, what, shown = sectionNames, "section", "<"+n.Name+">"
	}
	hint := ""
	near := diag.Suggest(n.Name, list)
	if near != "" {
		hint = "; did you mean `" + near + "`?"
	}
	sev := diag.Error
	switch {
	case k.foreign && near == "":
		return // most likely a directive of that module
	case k.foreign:
		sev = diag.Info
	case k.c.HasIncludesUnresolved:
		sev = diag.Warning // the module may be loaded in a file that is missing
	}
	k.add("H002", "unknown-directive", sev, n, "unknown %s `%s`%s", what, shown, hint)
}

// module reports a directive of a stock module that is not loaded.
func (k *checker) module(n *Node) {
	if c := n.command(); k.modulesOnly && k.c.moduleList && !k.c.brings(c) {
		k.add("H003", "directive-module-not-loaded", diag.Error, n, "`%s` belongs to mod_%s, which is not loaded",
			n.Name, c.modules[0])
	}
}

var directiveNames, sectionNames = func() (d, s []string) {
	for key, c := range commands {
		if key[0] == '<' {
			s = append(s, c.name)
		} else {
			d = append(d, c.name)
		}
	}
	slices.Sort(d)
	slices.Sort(s)
	return d, s
}()

func (k *checker) notHere(n, parent *Node) {
	where := "outside of a section"
	if parent != nil {
		where = "inside `<" + parent.Name + ">`"
	}
	name := n.Name
	if n.Kind == Section {
		name = "<" + name + ">"
	}
	k.report("H004", "directive-not-allowed-here", n, "`%s` is not allowed %s", name, where)
}

// place checks a directive's context (ap_check_cmd_context in server/core.c).
func (k *checker) place(n, parent *Node) {
	name := n.key()
	top := parent == nil || parent.Is("VirtualHost")
	switch {
	case serverOnly[name] && !top,
		dirOnly[name] && top,
		(name == "listen" || name == "proxyhctpsize") && parent != nil:
		k.notHere(n, parent)
	case pathTakers[name] && !top:
		if parent != k.parent {
			k.parent, k.around = parent, aroundPath(parent)
		}
		if k.around != nil {
			k.notHere(n, k.around)
		}
	}
}

// aroundPath returns the innermost section, from p on, in which nothing that is
// mapped by path may stand.
func aroundPath(p *Node) *Node {
	for ; p != nil; p = p.Parent {
		switch p.key() {
		case "directory", "directorymatch", "files", "filesmatch", "if", "elseif", "else":
			return p
		}
	}
	return nil
}

// section checks an opening tag: its place and its argument.
func (k *checker) section(n, parent *Node, afterIf bool) {
	name := n.key()
	switch {
	case n.noAngle:
		return
	case name == "virtualhost" && parent != nil,
		dirSections[name] && parent != nil && !parent.Is("VirtualHost"),
		strings.HasPrefix(name, "files") && parent != nil && dirSections[parent.key()] && !strings.HasPrefix(parent.key(), "directory"):
		k.notHere(n, parent)
		return
	case n.command().where == 'd' && (parent == nil || parent.Is("VirtualHost")):
		k.notHere(n, parent)
		return
	case strings.HasPrefix(name, "else") && !afterIf:
		k.report("H004", "directive-not-allowed-here", n, "`<%s>` stands behind no `<If>` or `<ElseIf>`", n.Name)
		return
	case name == "else" && len(n.Args) > 0:
		k.report("H007", "bad-parameter-value", n, "`<Else>` takes no argument")
		return
	case name != "proxy" && name != "else" && !strings.HasPrefix(name, "require") && len(n.Args) == 0:
		k.report("H007", "bad-parameter-value", n, "`<%s>` needs an argument", n.Name)
		return
	}
	k.argument(n, name)
	k.noEffect(n)
	if (name == "if" || name == "elseif") && len(n.Args) > 0 {
		if _, problem := checkExpr(n.Arg(0)); problem != "" {
			k.report("H007", "bad-parameter-value", n, "`<%s>`: the expression `%s` cannot be read: %s", n.Name, n.Arg(0), problem)
		}
	}
}

// noEffect finds a group of Require that can only refuse, in a place where one
// that grants is wanted (authz_core_check_section in mod_authz_core.c).
func (k *checker) noEffect(n *Node) {
	name := n.key()
	if name == "requireall" || name == "requireany" || name == "requirenone" || name == "authzprovideralias" {
		return // judged with the section around it
	}
	var negative *Node
	for _, c := range n.Children {
		x := c.key()
		switch {
		case x == "requirenone" && len(c.Children) > 0, x == "require" && strings.EqualFold(c.Arg(0), "not"):
			if negative == nil {
				negative = c
			}
		case x == "require" || x == "requireall" || x == "requireany":
			return
		}
	}
	if negative != nil && negative.Kind == Section {
		k.report("H007", "bad-parameter-value", negative, "`<%s>` has no effect here: beside it nothing grants access", negative.Name)
	}
}

// argument checks patterns and the number of words of Location and Proxy tags.
func (k *checker) argument(n *Node, name string) {
	if !dirSections[name] || len(n.Args) == 0 {
		return
	}
	args := n.Args
	match := strings.HasSuffix(name, "match")
	if args[0].Text == "~" && len(args) > 1 {
		match, args = true, args[1:]
	}
	wild := strings.ContainsAny(args[0].Text, "*?[")
	switch {
	case len(args) > 1 && (name != "proxy" || match):
		k.report("H007", "bad-parameter-value", n, "`<%s>` takes one argument; put it in quotes if it holds a blank", n.Name)
	case len(args) > 1 && wild:
		k.report("H007", "bad-parameter-value", n, "`<Proxy>` with a pattern takes no parameters")
	case len(args) > 1 && !strings.Contains(args[0].Text, ":"):
		k.report("H007", "bad-parameter-value", n, "`<Proxy>` takes parameters only for a URL")
	case match && !compiles(args[0].Text):
		k.report("H007", "bad-parameter-value", n, "`%s` is no regular expression", args[0].Text)
	}
}

// lookaround marks what PCRE knows and Go's regexp does not.
var lookaround = regexp.MustCompile(`\(\?[=!<>|#&(R+-]|\\[1-9gkKRXhHNvV]|[*+?}]\+|\(\*|\\Q`)

// compiles reports whether a pattern is a regular expression; what only PCRE
// can judge is taken as one.
func compiles(re string) bool {
	_, err := regexp.Compile(re)
	return err == nil || lookaround.MatchString(re)
}
