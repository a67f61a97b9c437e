package httpd

import (
	"fmt"
	"net"
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

// CheckModules finds directives and parameters of stock modules that are not
// loaded (H003, H108), one finding for each, and directives that 2.4 does not have
// any more (H008); lint has rules of these IDs that know the version better and
// say it once for each module.
func CheckModules(c *Config) diag.List {
	k := &checker{c: c, modulesOnly: true, foreign: c.hasForeignModule()}
	k.nodes(c.Nodes, nil)
	return k.diags
}

type checker struct {
	c           *Config
	diags       diag.List
	foreign     bool // a module that is not httpd's is loaded
	modulesOnly bool

	around around
}

// around holds the innermost sections around a directive of some kinds.
type around struct {
	vhost *Node
	path  *Node // in which nothing that is mapped by path may stand
	limit *Node // <Limit> or <LimitExcept>
	place *Node // <Location> or <LocationMatch>
}

// inside returns what is around the content of a section.
func (a around) inside(n *Node) around {
	switch n.key() {
	case "virtualhost":
		a.vhost = n
	case "directory", "directorymatch", "files", "filesmatch", "if", "elseif", "else":
		a.path = n
	case "limit", "limitexcept":
		a.limit = n
	case "location", "locationmatch":
		a.place = n
	}
	return a
}

func (k *checker) report(id, name string, n *Node, format string, args ...any) {
	if !k.modulesOnly {
		k.add(id, name, diag.Error, n, format, args...)
	}
}

func (k *checker) warn(n *Node, format string, args ...any) {
	if !k.modulesOnly {
		k.add("H007", "bad-parameter-value", diag.Warning, n, format, args...)
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
			outer := k.around
			k.around = outer.inside(n)
			k.nodes(n.Children, n)
			k.around = outer
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
		k.healthParams(n)
		k.namedModules(n)
		k.place(n, parent)
	}
}

// unknown reports a directive or section, key with its "<", that no stock
// module has. Without a list of modules it may belong to one of others.
func (k *checker) unknown(n *Node, key string) {
	name, section := n.key(), strings.HasPrefix(key, "<")
	if !section && RemovedIn24(name) {
		if k.modulesOnly && !strings.HasPrefix(k.c.version, "2.2") {
			k.add("H008", "directive-removed", diag.Error, n, "`%s` was removed in httpd 2.4", n.Name)
		}
		return
	}
	if !k.c.moduleList || k.modulesOnly || strings.HasPrefix(name, "jk") && k.c.HasModule("jk") {
		return
	}
	list, what, shown := directiveNames, "directive", n.Name
	if section {
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

// healthParams reports parameters that only mod_proxy_hcheck knows while it is
// not loaded.
func (k *checker) healthParams(n *Node) {
	if !k.modulesOnly || !k.c.moduleList || k.c.HasModule("proxy_hcheck") || !n.Is("BalancerMember") && !n.Is("ProxySet") && !n.Is("ProxyPass") {
		return
	}
	for _, a := range n.Args {
		if key, _, ok := strings.Cut(a.Text, "="); ok && strings.HasPrefix(strings.ToLower(key), "hc") {
			k.add("H108", "hcheck-module-missing", diag.Error, n, "`%s` needs mod_proxy_hcheck, which is not loaded", key)
			return
		}
	}
}

// namedModules reports words that only a module gives a meaning which is not
// loaded: providers of Require and AuthBasicProvider, modules of LogLevel.
func (k *checker) namedModules(n *Node) {
	if !k.modulesOnly || !k.c.moduleList || k.foreign || k.c.HasIncludesUnresolved {
		return
	}
	missing := func(word, module string) {
		k.add("H003", "directive-module-not-loaded", diag.Error, n, "`%s %s` belongs to mod_%s, which is not loaded", n.Name, word, module)
	}
	switch n.key() {
	case "require":
		args := n.Args
		if len(args) > 1 && strings.EqualFold(args[0].Text, "not") {
			args = args[1:]
		}
		if len(args) > 0 {
			if m := requireProviders[strings.ToLower(args[0].Text)]; m != "" && !k.c.HasModule(m) {
				missing(args[0].Text, m)
			}
		}
	case "authbasicprovider":
		for _, a := range n.Args {
			if m := authnProviders[strings.ToLower(a.Text)]; m != "" && !k.c.HasModule(m) {
				missing(a.Text, m)
				return
			} else if m == "" && !hasAuthnAlias(k.c.Nodes) {
				k.add("H007", "bad-parameter-value", diag.Error, n, "`AuthBasicProvider %s`: no module that is loaded provides it", a.Text)
				return
			}
		}
	case "loglevel":
		for _, a := range n.Args {
			if m, _, ok := strings.Cut(a.Text, ":"); ok && !k.c.HasModule(m) && !k.c.HasModule(strings.TrimSuffix(m, ".c")) {
				missing(a.Text, strings.TrimSuffix(m, "_module"))
				return
			}
		}
	}
}

// authnProviders are the modules behind the words of AuthBasicProvider.
var authnProviders = map[string]string{"file": "authn_file", "anon": "authn_anon", "dbm": "authn_dbm", "dbd": "authn_dbd",
	"socache": "authn_socache", "ldap": "authnz_ldap", "fcgi": "authnz_fcgi"}

// hasAuthnAlias reports whether the configuration names providers of its own.
func hasAuthnAlias(nodes []*Node) bool {
	found := false
	Walk(nodes, func(n *Node) bool {
		found = found || n.Is("AuthnProviderAlias")
		return !found
	})
	return found
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
	case globalOnly[name] && k.around.vhost != nil:
		k.notHere(n, k.around.vhost)
	case parent != nil && strings.HasPrefix(parent.key(), "require") && parent.command() != nil && !inAuthConfig(name):
		k.notHere(n, parent)
	case pathTakers[name] && !top && k.around.path != nil:
		k.notHere(n, k.around.path)
	}
}

// section checks an opening tag: its place and its argument.
func (k *checker) section(n, parent *Node, afterIf bool) {
	name := n.key()
	switch {
	case n.noAngle:
		return
	case name == "virtualhost" && parent != nil,
		dirSections[name] && parent != nil && !parent.Is("VirtualHost"),
		strings.HasPrefix(name, "files") && (k.around.place != nil || k.around.limit != nil),
		(name == "if" || strings.HasPrefix(name, "else")) && k.around.limit != nil:
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
	case name != "proxy" && name != "proxymatch" && name != "else" && !strings.HasPrefix(name, "require") && len(n.Args) == 0:
		k.report("H007", "bad-parameter-value", n, "`<%s>` needs an argument", n.Name)
		return
	}
	k.argument(n, name)
	switch name {
	case "requireany", "requirenone":
		k.group(n, true)
	case "requireall":
		k.group(n, false)
	case "directory", "directorymatch", "location", "locationmatch", "files", "filesmatch", "proxy", "proxymatch", "if", "elseif", "else":
		k.group(n, true)
	}
	if (name == "if" || name == "elseif") && len(n.Args) > 0 {
		if _, problem := checkExpr(n.Arg(0), k.foreign || !k.c.moduleList || k.c.HasIncludesUnresolved); problem != "" {
			k.report("H007", "bad-parameter-value", n, "`<%s>`: the expression `%s` cannot be read: %s", n.Name, n.Arg(0), problem)
		}
	}
}

// argument checks patterns and the number of words of Location and Proxy tags.
func (k *checker) argument(n *Node, name string) {
	switch {
	case len(n.Args) == 0:
		return
	case name == "virtualhost":
		k.addresses(n)
		return
	case strings.HasPrefix(name, "require") && len(n.Args) > 0:
		k.report("H007", "bad-parameter-value", n, "`<%s>` takes no arguments", n.Name)
		return
	case name == "limit" || name == "limitexcept":
		k.methods(n)
		return
	case !dirSections[name] && !strings.HasPrefix(name, "files"):
		return
	}
	args := n.Args
	match := strings.HasSuffix(name, "match")
	if args[0].Text == "~" && len(args) > 1 && !match {
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

// addresses checks the words of <VirtualHost> (get_addresses in server/vhost.c).
func (k *checker) addresses(n *Node) {
	for _, a := range n.Args {
		host, port := a.Text, ""
		if host != "" && strings.Trim(host, "0123456789") == "" {
			k.report("H007", "bad-parameter-value", n, "`<VirtualHost %s>` names a port but no address; write `*:%s`", host, host)
			return
		}
		if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
			host, port = host[:i], host[i+1:]
			if port != "*" && strings.Trim(port, "0123456789") != "" {
				k.warn(n, "`<VirtualHost %s>`: the port is no number; httpd takes the whole word for a host name", a.Text)
				return
			}
			if port != "*" && (atoi(port) < 1 || atoi(port) > 65535) {
				k.report("H007", "bad-parameter-value", n, "`<VirtualHost %s>`: the port must be a number from 1 to 65535, or `*`", a.Text)
				return
			}
		}
		if strings.HasPrefix(host, "[") != strings.HasSuffix(host, "]") || strings.HasPrefix(host, "[") && net.ParseIP(strings.Trim(host, "[]")) == nil {
			k.report("H007", "bad-parameter-value", n, "`<VirtualHost %s>`: that is no address", a.Text)
			return
		}
	}
}

// methods checks the words of <Limit> and <LimitExcept> (ap_limit_section in
// server/core.c).
func (k *checker) methods(n *Node) {
	for _, a := range n.Args {
		if strings.EqualFold(a.Text, "trace") && n.Is("Limit") {
			k.report("H007", "bad-parameter-value", n, "`<%s>`: TRACE cannot be limited here; use TraceEnable", n.Name)
		}
	}
	if outer := k.around.limit; outer != nil && !methodsMeet(n, outer) {
		k.report("H007", "bad-parameter-value", n, "`<%s>` inside `<%s>` is left without any method", n.Name, outer.Name)
	}
}

// methodsMeet reports whether a method is in both sections; HEAD goes with GET.
func methodsMeet(a, b *Node) bool {
	set := func(n *Node) map[string]bool {
		m := map[string]bool{}
		for _, x := range n.Args {
			if key := strings.ToUpper(x.Text); key == "HEAD" {
				m["GET"] = true
			} else {
				m[key] = true
			}
		}
		return m
	}
	in, out := set(a), set(b)
	switch a, b := a.Is("Limit"), b.Is("Limit"); {
	case a && b:
		for m := range in {
			if out[m] {
				return true
			}
		}
		return false
	case a || b:
		if b {
			in, out = out, in
		}
		for m := range in {
			if !out[m] {
				return true
			}
		}
		return false
	}
	return true
}

// lookaround marks what PCRE knows and Go's regexp does not.
var lookaround = regexp.MustCompile(`\(\?[=!<>|#&(R+-]|\\[1-9gkKRXhHNvV]|[*+?}]\+|\(\*|\\Q`)

// compiles reports whether a pattern is a regular expression; what only PCRE
// can judge is taken as one.
func compiles(re string) bool {
	_, err := regexp.Compile(re)
	return err == nil || lookaround.MatchString(re)
}
