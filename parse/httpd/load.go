package httpd

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"clowder/parse/diag"
)

// Bounds of a configuration: httpd's own include depth, and limits that only
// hostile input reaches.
const (
	maxIncludeDepth = 128
	maxFiles        = 4000
	maxFileBytes    = 64 << 20
	maxModules      = 20000 // names; httpd itself loads no more than some hundred modules
	maxMacroDepth   = 64
	maxValueBytes   = 1 << 16
)

// Options say in which surroundings a configuration is read. The zero value
// reads the machine's files with an empty environment.
type Options struct {
	Defines []string                                 // -D NAME
	Env     func(string) (string, bool)              // environment variables; nil: none
	Open    func(name string) ([]byte, error)        // nil: os.ReadFile
	ReadDir func(name string) ([]fs.DirEntry, error) // nil: os.ReadDir
	Stat    func(name string) (os.FileInfo, error)   // nil: os.Stat
	Root    string                                   // put in front of absolute paths
	Version string                                   // for <IfVersion>; empty: 2.4.71
	Read    func(bytes int)                          // told the size of each file before it is parsed; nil: nobody
	Modules []string                                 // loaded beside the file's own LoadModule lines

	// OnHost says that this is the server's machine, so that files of modules
	// that are not there are mistakes.
	OnHost bool

	// Whole has [Lower] keep directives without a field in the model, too (see
	// [model.Directive]).
	Whole bool
}

// Config is a configuration after httpd's first phase.
type Config struct {
	Files      []*diag.File
	Trees      []*Tree         // one for each file read, root first
	Nodes      []*Node         // expanded; no comments, blank lines, conditions, includes
	ServerRoot string          // folder that relative paths are taken from
	Modules    map[string]bool // proxy_module and mod_proxy.c of each module loaded at the end

	// ServerRootReplaced says that the written ServerRoot is no folder here.
	ServerRootReplaced bool
	// HasIncludesUnresolved says that a file named by Include was not found, so
	// that the configuration is not complete.
	HasIncludesUnresolved bool
	// HasLoadModule says that at least one LoadModule line was read.
	HasLoadModule bool

	whole      bool   // see [Options.Whole]
	moduleList bool   // the list of modules is known: LoadModule lines or Options.Modules
	version    string // of httpd, as Options say or assumed
	left       budget // what the model may take
}

// HasModule reports whether the module is known to be loaded; name is
// proxy_module, mod_proxy.c or proxy.
func (c *Config) HasModule(name string) bool {
	return c.Modules[name] || c.Modules[name+"_module"]
}

type loader struct {
	o       Options
	c       *Config
	diags   diag.List
	vars    map[string]string // of Define NAME VALUE; an apr_table: case does not matter
	defined map[string]bool   // for <IfDefine>
	macros  map[string]*macro
	using   []*macro
	written string // ServerRoot as written
	depth   int
	budget  *budget
	taken   map[diag.Span]bool // opening tags of conditions that were taken
	warned  map[string]bool

	suspicious bool // the structure is not plain: httpd's own reading decides
	strict     bool // only what is wrong for httpd's own reading is reported
	judging    bool // of a strict reading only the verdict is wanted: no nodes are made
	again      bool // the files were read before

	root    *diag.File
	cache   map[string]*diag.File // the files read, by name
	looked  map[string]bool       // the files that were searched for LoadModule
	counted map[string]bool       // the files whose size the budget knows
	made    nodeList              // nodes made by expanding, and their arguments
	args    argList
}

// Load reads the root file and all that it includes. Each file is parsed once
// for each time it is included. Files that cannot be found are warnings H010.
// Every mistake is reported, and the one at which httpd stops is among them.
func Load(f *diag.File, o Options) (*Config, diag.List) {
	if o.Open == nil {
		o.Open = ReadFile
	}
	if o.ReadDir == nil {
		o.ReadDir = os.ReadDir
	}
	if o.Stat == nil {
		o.Stat = os.Stat
	}
	if o.Version == "" {
		o.Version = "2.4.71"
	}
	l := newLoader(f, o)
	t := l.parse(f)
	stock := len(o.Modules) == 0 && !l.findsLoadModule(t.Nodes, 0)
	l.start(stock)
	l.c.Files, l.c.Trees = append(l.c.Files, f), append(l.c.Trees, t)
	l.c.Nodes = l.expand(make([]*Node, 0, len(t.Nodes)), t.Nodes, nil)
	l.dropTaken()
	if l.suspicious && !l.budget.told {
		if stop := readStrictly(f, newStrictLoader(f, o, l.cache, stock, true)); stop != nil {
			l.add(*stop)
		} else {
			l, t = newStrictLoader(f, o, l.cache, stock, false), nil // the first reading's nodes are free
			if stop := readStrictly(f, l); stop != nil {
				l.add(*stop)
			}
			l.missingAngles(l.c.Nodes)
		}
	}
	l.c.moduleList = l.c.HasLoadModule || len(o.Modules) > 0
	l.c.left = *l.budget
	return l.c, l.diags
}

// newStrictLoader makes a loader for [readStrictly].
func newStrictLoader(f *diag.File, o Options, cache map[string]*diag.File, stock, judging bool) *loader {
	l := newLoader(f, o)
	l.cache = cache
	l.start(stock)
	l.strict, l.judging, l.again = true, judging, true
	return l
}

func newLoader(f *diag.File, o Options) *loader {
	dir := filepath.Dir(f.Name)
	if strings.EqualFold(filepath.Base(dir), "conf") {
		dir = filepath.Dir(dir)
	}
	return &loader{o: o, c: &Config{ServerRoot: dir, Modules: set{}, version: o.Version, whole: o.Whole}, vars: map[string]string{}, defined: map[string]bool{},
		macros: map[string]*macro{}, taken: map[diag.Span]bool{}, warned: map[string]bool{}, budget: newBudget(),
		root: f, cache: map[string]*diag.File{}, counted: map[string]bool{}, looked: map[string]bool{}}
}

// start sets what is there before the first line is read.
func (l *loader) start(stock bool) {
	for _, d := range l.o.Defines {
		name, _, _ := strings.Cut(d, "=")
		l.defined[name] = true
	}
	for _, m := range builtinModules {
		l.addModule(m)
	}
	for _, m := range l.o.Modules {
		l.addModule(m)
	}
	if stock {
		for _, m := range stockModules {
			l.addModule(m)
		}
	}
}

// parse parses one file; its findings are those of the whole configuration. What
// only judges needs no nodes.
func (l *loader) parse(f *diag.File) *Tree {
	l.grow(f)
	if l.judging {
		return &Tree{File: f}
	}
	p := &parser{budget: l.budget}
	t := p.file(f)
	if !l.strict {
		l.suspicious = l.suspicious || p.suspicious
		l.diags = append(l.diags, p.diags...)
	} else if p.overrun != nil {
		l.diags.Add(*p.overrun)
	}
	return t
}

// grow tells everybody of the size of a file, the first time that it is read.
func (l *loader) grow(f *diag.File) {
	if l.counted[f.Name] {
		return
	}
	l.counted[f.Name] = true
	l.budget.grow(len(f.Data))
	if l.o.Read != nil && !l.again {
		l.o.Read(len(f.Data))
	}
}

// add reports the mistake at which httpd stops, unless a finding is there.
func (l *loader) add(stop diag.Diagnostic) {
	at := stop.Span
	here := func(s diag.Span) bool {
		return s.File != nil && s.File.Name == at.File.Name && s.Start <= at.End && s.End >= at.Start
	}
	for _, d := range l.diags {
		if d.Severity == diag.Error && (here(d.Span) || slices.ContainsFunc(d.Related, func(r diag.Related) bool { return here(r.Span) })) {
			return
		}
	}
	for _, f := range l.c.Files {
		if f.Name == at.File.Name {
			stop.Span.File = f
		}
	}
	l.diags.Add(stop)
}

// LineNumber is the number that httpd gives to the directive at the place: of
// the last of the lines that its backslashes join.
func (c *Config) LineNumber(at diag.Span) int {
	for _, t := range c.Trees {
		if t.File.Name != at.File.Name || len(t.File.Data) == 0 {
			continue
		}
		data := t.File.Data
		start := min(int(at.Start), len(data)-1)
		start = bytes.LastIndexByte(data[:start], '\n') + 1
		for start > 0 {
			before := bytes.LastIndexByte(data[:start-1], '\n') + 1
			eol, next := physical(data, before, len(data))
			if _, cont := lineBody(t.File, before, eol, next); !cont {
				break
			}
			start = before
		}
		ln, _ := nextLine(t.File, start, len(data))
		return lastLine(ln.at)
	}
	return at.Finish().Line
}

// missingAngles reports the opening tags without ">" that httpd meets in its
// second phase.
func (l *loader) missingAngles(nodes []*Node) {
	Walk(nodes, func(n *Node) bool {
		if n.Kind == Section && n.noAngle {
			l.syntax(n.Span, "`<%s>` lacks its closing `>`", n.Name)
		}
		return true
	})
}

// ReadFile reads a regular file of at most 64 MiB; it is the default of
// [Options.Open].
func ReadFile(name string) ([]byte, error) {
	if st, err := os.Stat(name); err == nil && (st.Size() > maxFileBytes || !st.Mode().IsRegular()) {
		return nil, fmt.Errorf("%s: not a regular file of at most %d bytes", name, maxFileBytes)
	}
	return os.ReadFile(name)
}

// dropTaken removes the findings about conditions that were taken and never
// closed: httpd does not mind them.
func (l *loader) dropTaken() {
	keep := l.diags[:0]
	for _, d := range l.diags {
		if !l.taken[d.Span] {
			keep = append(keep, d)
		}
	}
	l.diags = keep
}

func (l *loader) report(id, name string, sev diag.Severity, at diag.Span, format string, args ...any) {
	if len(l.diags) < 10000 {
		l.diags.Add(diag.Diagnostic{ID: id, Name: name, Severity: sev, Confidence: diag.Certain, Span: at, Message: fmt.Sprintf(format, args...)})
	}
}

func (l *loader) syntax(at diag.Span, format string, args ...any) {
	l.report("H001", "httpd-syntax", diag.Error, at, format, args...)
}

// expand executes the first phase on nodes and appends what remains to out.
func (l *loader) expand(out, nodes []*Node, parent *Node) []*Node {
	for _, n := range nodes {
		if n.Kind == Comment || n.Kind == Blank {
			continue
		}
		if n.Kind == Section && conditions[n.key()] {
			x := l.variables(n)
			if l.condition(x) {
				l.taken[n.Span] = !n.noAngle // a missing ">" is a mistake all the same
				out = l.expand(out, n.Children, parent)
			} else {
				Walk(n.Children, func(c *Node) bool { c.Skipped = true; return true })
			}
			continue
		}
		if n.Kind == Section && n.Is("Macro") {
			l.defineMacro(l.variables(n), n)
			continue
		}
		x := l.variables(n)
		x.Parent = parent
		if n.Kind == Directive {
			var more []*Node
			if more, x = l.phase1(x, parent); x == nil {
				out = append(out, more...)
				continue
			}
		}
		if len(n.Children) > 0 {
			x.Children = l.expand(make([]*Node, 0, len(n.Children)), n.Children, x)
		}
		out = append(out, x)
	}
	return out
}

// phase1 executes the directives that act while reading. It returns what takes
// the directive's place, and nil when the directive itself is gone.
func (l *loader) phase1(n, parent *Node) ([]*Node, *Node) {
	switch name := n.key(); name {
	case "include", "includeoptional":
		return l.include(n, parent), nil
	case "use":
		return l.useMacro(n, parent), nil
	default:
		if l.readTime(n, name) {
			return nil, nil
		}
	}
	return nil, n
}

// readTime executes a directive that acts while reading; it reports whether the
// directive is gone with that.
func (l *loader) readTime(n *Node, name string) bool {
	switch name {
	case "define":
		switch {
		case len(n.Args) < 1 || len(n.Args) > 2 || n.Args[0].Text == "":
			l.syntax(n.Span, "`Define` takes a name and at most one value")
		case strings.Contains(n.Args[0].Text, ":"):
			l.syntax(n.Args[0].Span, "the name of a variable must not contain `:`")
		default:
			l.defined[n.Arg(0)] = true
			if len(n.Args) == 2 && len(n.Arg(1)) <= maxValueBytes {
				l.vars[strings.ToLower(n.Arg(0))] = n.Arg(1)
			}
		}
	case "undefine":
		switch {
		case len(n.Args) != 1 || n.Arg(0) == "":
			l.syntax(n.Span, "`UnDefine` takes one name")
		case strings.Contains(n.Arg(0), ":"):
			l.syntax(n.Args[0].Span, "the name of a variable must not contain `:`")
		}
		delete(l.vars, strings.ToLower(n.Arg(0)))
		delete(l.defined, n.Arg(0))
	case "undefmacro":
		if l.macros[strings.ToLower(n.Arg(0))] == nil {
			l.syntax(n.Span, "macro `%s` is not defined before this line", n.Arg(0))
		}
		delete(l.macros, strings.ToLower(n.Arg(0)))
	case "loadmodule":
		l.c.HasLoadModule = true
		if len(n.Args) >= 1 {
			l.addModule(n.Arg(0))
			if len(n.Args) > 1 {
				if _, err := l.o.Stat(l.locate(n.Arg(1))); err != nil && l.o.OnHost {
					l.syntax(n.Args[1].Span, "`LoadModule %s`: there is no file `%s`", n.Arg(0), l.locate(n.Arg(1)))
				}
				base := path.Base(strings.ReplaceAll(n.Arg(1), `\`, "/"))
				l.c.Modules[strings.TrimSuffix(base, ".so")+".c"] = true
			}
		}
		return false
	case "serverroot":
		if len(n.Args) == 1 {
			l.written = n.Arg(0)
			st, err := l.o.Stat(l.rooted(l.written))
			if l.c.ServerRootReplaced = err != nil || !st.IsDir(); !l.c.ServerRootReplaced {
				l.c.ServerRoot = l.rooted(l.written)
			}
		}
		return false
	default:
		return false
	}
	return true
}

// variables returns the node with ${NAME} replaced. A section is always a copy,
// without content; a directive without variables is the node itself.
func (l *loader) variables(n *Node) *Node {
	if ln, ok := l.replaced(n); ok {
		y := l.made.add()
		l.budget.take(nodeBytes)
		if kind := ln.kind(); kind != Directive {
			y.Kind, y.made = kind, ln.kept()
		} else if !y.read(&ln, &l.args, l.budget) {
			l.tooMuch(n.Span)
		}
		if y.Kind != n.Kind || y.Kind == Section && !y.Is(n.Name) {
			l.suspicious = true
			y.Kind = n.Kind
		}
		y.Span, y.closing, y.use, y.unclosed = n.Span, n.closing, n.use, n.unclosed
		return y
	}
	if n.Kind == Directive {
		return n
	}
	x := l.made.add()
	*x = *n
	x.Children = nil
	return x
}

// replaced returns the line of a node with its variables replaced, false when it
// has none.
func (l *loader) replaced(n *Node) (line, bool) {
	if n.made == nil && !strings.Contains(n.Span.File.Text(int(n.Span.Start), int(n.Span.End)), "${") {
		return line{}, false
	}
	ln := n.line()
	return l.resolveEnv(&ln)
}

// resolveEnv replaces ${NAME}, as ap_resolve_env in server/core.c does: once,
// without looking at the result again. It reports whether it changed anything.
func (l *loader) resolveEnv(ln *line) (line, bool) {
	return l.replace(ln, l.replacements(ln.text))
}

// replace carries out replacements unless there are none or too many.
func (l *loader) replace(ln *line, rs []replacement) (line, bool) {
	if len(rs) == 0 {
		return *ln, false
	}
	size := ln.sizeAfter(rs)
	if len(rs) > maxReplacements || size > maxLineBytes || nodeBytes+madeBytes+size+ln.segsAfter(rs)*segmentBytes > l.budget.left {
		l.tooMuch(ln.at)
		return *ln, false
	}
	return ln.replace(rs), true
}

// tooMuch reports, once, that replacing makes too much text or too many words.
func (l *loader) tooMuch(at diag.Span) {
	if !l.warned["replace"] {
		l.warned["replace"] = true
		l.budget.told = true
		l.syntax(at, "replacing the variables here and below makes more text than the size of the configuration explains; they are left as written")
	}
}

// replacements finds the variables in a line that have a value.
func (l *loader) replacements(t string) []replacement {
	var rs []replacement
	for i := 0; ; {
		k := strings.Index(t[i:], "${")
		if k < 0 {
			return rs
		}
		k += i
		e := strings.IndexByte(t[k:], '}')
		if e < 0 {
			return rs
		}
		e += k
		name := t[k+2 : e]
		v, ok := l.vars[strings.ToLower(name)]
		if !ok && l.o.Env != nil {
			v, ok = l.o.Env(name)
		}
		if ok && len(v) <= maxValueBytes {
			rs = append(rs, replacement{k, e + 1, v})
			if len(rs) > maxReplacements {
				return rs
			}
			i = e + 1
			continue
		}
		i = k + 2
		if !ok {
			i = e + 1
		}
	}
}

// findsLoadModule looks for a LoadModule line in the nodes, and in the files
// that plain Include lines name, before anything is executed.
func (l *loader) findsLoadModule(nodes []*Node, depth int) bool {
	found := false
	Walk(nodes, func(n *Node) bool {
		if found || n.Kind != Directive && n.Kind != Section {
			return false
		}
		switch {
		case n.Is("LoadModule"):
			found = true
		case depth < 2 && len(n.Args) == 1 && (n.Is("Include") || n.Is("IncludeOptional")) && !strings.Contains(n.Arg(0), "${"):
			files, _ := l.resolve(n.Arg(0))
			for _, name := range files {
				if l.looked[name] || len(l.looked) >= maxFiles {
					continue
				}
				l.looked[name] = true
				if data, err := l.o.Open(name); err == nil && strings.Contains(strings.ToLower(string(data)), "loadmodule") {
					t, _ := Parse(diag.NewFile(name, data))
					found = found || l.findsLoadModule(t.Nodes, depth+1)
				}
			}
		}
		return !found
	})
	return found
}
