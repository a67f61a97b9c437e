// Package parse reads the configuration of httpd and of its Tomcats as one setup.
//
// [Load] finds out what each file is, has it read by parse/httpd, parse/tomcat or
// parse/native, and puts the parts together in a model.Setup. Findings about the
// files are diagnostics; an error means that the reading itself could not be done.
package parse

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
	"clowder/parse/native"
	"clowder/parse/tomcat"
)

// Options say what to read and what is known about it.
type Options struct {
	Paths   []string
	Root    string            // put before absolute paths of Include and ServerRoot
	Defines []string          // as httpd -D
	HTTPD   string            // version of httpd, "" unknown
	Tomcat  map[string]string // version by node name; "" is for all nodes
	Hosts   map[string]string // address of the machine by node name or file

	// Overlay replaces the content of files, by the name under which they are
	// read; a path of Paths may be there only.
	Overlay map[string][]byte

	// Config names the clowder.toml to use, or "none"; empty: the one that a search
	// finds.
	Config string

	// OnHost says that this is the server's own machine: files of modules must exist.
	OnHost bool

	// Whole keeps directives of httpd without a field in the model, too (see
	// [model.Directive]): for whoever writes the setup down again.
	Whole bool

	// Read is told the size of each file of httpd before it is parsed, of one that
	// is included again not once more; it may be nil.
	Read func(bytes int)
}

// Result is one setup and all that was read for it.
type Result struct {
	Setup   *model.Setup
	Diags   diag.List
	HTTPD   []*httpd.Config // parallel to Setup.FrontEnds; nil for one from TOML
	Tomcat  map[*model.Node]*tomcat.Document
	Docs    []*tomcat.Document       // every XML file
	Native  *native.Doc              // clowder.toml, nil without one
	Options map[*model.Node][]Define // -D options of the start scripts that are known for the node
	Kinds   map[*diag.File]Kind

	HTTPDDeclared, TomcatDeclared bool                // versions were said, not guessed
	Broken                        map[*diag.File]bool // files with syntax errors
	Remarks                       []string            // what was assumed or skipped, for -v and show
	UnusedNames                   []string            // of Options.Tomcat and Options.Hosts: they name nothing
}

// Load reads the paths of the options as one setup.
func Load(o Options) (*Result, error) {
	inputs, remarks, err := gather(o.Paths, o.Overlay)
	if err != nil {
		return nil, err
	}
	if o.Config != "" {
		if inputs, err = configured(inputs, o.Config); err != nil {
			return nil, err
		}
	}
	r := &Result{
		Remarks: remarks,
		Setup:   &model.Setup{},
		Tomcat:  map[*model.Node]*tomcat.Document{},
		Options: map[*model.Node][]Define{},
		Kinds:   map[*diag.File]Kind{},
		Broken:  map[*diag.File]bool{},
	}
	l := &loader{o: o, r: r, properties: map[string]map[string]tomcat.PropertyValue{}}
	if err := l.run(inputs); err != nil {
		return nil, err
	}
	return r, nil
}

// Settings reads only the clowder.toml that [Load] would use for the paths; no
// document when there is none. config is as [Options.Config].
func Settings(paths []string, config string) (*native.Doc, diag.List, error) {
	inputs, _, err := gather(paths, nil)
	if err == nil && config != "" {
		inputs, err = configured(inputs, config)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, in := range inputs {
		if in.kind == ClowderTOML {
			doc, diags := native.Parse(diag.NewFile(in.path, in.data))
			return doc, diags, nil
		}
	}
	return nil, nil, nil
}

// configured replaces the clowder.toml files by the named one.
func configured(inputs []input, config string) ([]input, error) {
	var out []input
	for _, in := range inputs {
		if in.kind != ClowderTOML {
			out = append(out, in)
		}
	}
	if config == "none" {
		return out, nil
	}
	in, err := readInput(config)
	if err != nil {
		return nil, err
	}
	in.kind = ClowderTOML
	return append([]input{in}, out...), nil
}

type loader struct {
	o          Options
	r          *Result
	properties map[string]map[string]tomcat.PropertyValue // by folder
	webs       []*tomcat.Document
	scripts    []*startScript
	servers    int // server.xml files among the inputs
}

func (l *loader) run(inputs []input) error {
	recognised := 0
	for _, in := range inputs {
		if in.kind == ClowderTOML {
			l.file(in)
			recognised++
		}
	}
	inputs = l.named(inputs)
	for _, in := range inputs {
		if in.kind == ServerXML {
			l.servers++
		}
	}
	for _, pass := range [][]Kind{{PropertiesFile, StartScript}, {HTTPDConf, ServerXML, ContextXML, WebXML, UsersXML, Unknown}} {
		for _, in := range inputs {
			for _, k := range pass {
				if in.kind == k {
					l.file(in)
					if k != Unknown && k != PropertiesFile && k != StartScript {
						recognised++
					}
				}
			}
		}
	}
	if recognised == 0 {
		return fmt.Errorf("%s: no httpd.conf, server.xml or clowder.toml found", strings.Join(l.o.Paths, ", "))
	}
	l.finish()
	return nil
}

func (l *loader) file(in input) {
	f := diag.NewFile(in.path, in.data)
	l.r.Kinds[f] = in.kind
	switch in.kind {
	case ClowderTOML:
		l.toml(f)
	case HTTPDConf:
		if !l.native() {
			l.httpd(f, in.name)
		}
	case PropertiesFile:
		l.r.Setup.Files = append(l.r.Setup.Files, f)
		props, diags := tomcat.Properties(f)
		l.properties[filepath.Dir(in.path)] = props
		l.add(diags)
	case StartScript:
		l.r.Setup.Files = append(l.r.Setup.Files, f)
		l.scripts = append(l.scripts, readScript(f))
	case Unknown:
		l.r.Setup.Files = append(l.r.Setup.Files, f)
		l.r.Diags.Add(diag.Diagnostic{ID: "C004", Name: "file-not-recognised", Severity: diag.Warning, Confidence: diag.Certain,
			Span: diag.At(f, 0, 0), Message: "this is neither an httpd configuration nor a file of Tomcat; it was not read"})
	default:
		if !l.native() {
			l.xml(f, in)
		}
	}
}

// native reports whether the setup came from clowder.toml; legacy files are then left alone.
func (l *loader) native() bool { return l.r.Native != nil && l.r.Native.Setup != nil }

// open reads files of httpd, those of the overlay from there.
func (l *loader) open() func(string) ([]byte, error) {
	if len(l.o.Overlay) == 0 {
		return nil
	}
	return func(name string) ([]byte, error) {
		if data, ok := l.o.Overlay[name]; ok {
			return data, nil
		}
		return httpd.ReadFile(name)
	}
}

func (l *loader) add(diags diag.List) {
	l.r.Diags = append(l.r.Diags, diags...)
	for _, d := range diags {
		if d.Severity == diag.Error && (d.ID == "H001" || d.ID == "T001" || d.ID == "C101") {
			l.r.Broken[d.Span.File] = true
		}
	}
}

func (l *loader) toml(f *diag.File) {
	l.r.Setup.Files = append(l.r.Setup.Files, f)
	doc, diags := native.Parse(f)
	l.add(diags)
	l.r.Native = doc
	if doc.Setup == nil {
		return
	}
	s := l.r.Setup
	s.FrontEnds, s.Nodes, s.App = doc.Setup.FrontEnds, doc.Setup.Nodes, doc.Setup.App
	for i, front := range s.FrontEnds {
		if !front.Name.IsSet() {
			front.Name = model.Infer("httpd", front.At)
			if i > 0 {
				front.Name.V = fmt.Sprintf("httpd%d", i+1)
			}
		}
		inferGuards(front)
		s.Unmapped = append(s.Unmapped, extrasOf(front)...)
	}
	slices.SortStableFunc(s.Unmapped, func(a, b model.Unmapped) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	l.r.HTTPD = make([]*httpd.Config, len(s.FrontEnds))
	l.r.Remarks = append(l.r.Remarks, f.Name+" holds a whole setup; other files beside it were not read")
}

// httpd reads a root file; name is that of clowder.toml, else "".
func (l *loader) httpd(f *diag.File, name string) {
	cfg, diags := httpd.Load(f, httpd.Options{Defines: l.o.Defines, Env: environment(f.Name), Root: l.o.Root, Version: l.o.HTTPD,
		OnHost: l.o.OnHost, Open: l.open(), Read: l.o.Read, Whole: l.o.Whole})
	checked := make(chan diag.List, 1)
	go func() { checked <- httpd.Check(cfg) }() // reads only, as Lower does
	front, unmapped, more := httpd.Lower(cfg)
	l.add(diags)
	l.add(more)
	l.add(<-checked)
	markGuards(cfg, unmapped)
	inferGuards(front)
	s := l.r.Setup
	s.Files = append(s.Files, cfg.Files...)
	s.Unmapped = append(s.Unmapped, unmapped...)
	front.Name = model.Infer(frontName(s), diag.At(f, 0, 0))
	if name != "" {
		front.Name = l.toldName(l.r.Native.Settings.FrontEnds, name)
	}
	l.serverRoot(front, cfg)
	s.FrontEnds = append(s.FrontEnds, front)
	l.r.HTTPD = append(l.r.HTTPD, cfg)
	l.jk(front, cfg)
}

func frontName(s *model.Setup) string {
	if n := len(s.FrontEnds); n > 0 {
		return fmt.Sprintf("httpd%d", n+1)
	}
	return "httpd"
}

func (l *loader) xml(f *diag.File, in input) {
	l.r.Setup.Files = append(l.r.Setup.Files, f)
	doc, diags := tomcat.ParseWith(f, tomcat.DirOpener(filepath.Dir(f.Name)))
	l.r.Setup.Files = append(l.r.Setup.Files, doc.Included...)
	l.add(diags)
	l.r.Docs = append(l.r.Docs, doc)
	switch in.kind {
	case ServerXML:
		l.server(doc, in.name)
	case ContextXML, WebXML:
		if !doc.IsFragment() {
			l.webs = append(l.webs, doc)
		}
	}
}

// server lowers a server.xml; told is the node's name in clowder.toml, else "".
func (l *loader) server(doc *tomcat.Document, told string) {
	name := told
	if told == "" {
		name = l.uniqueName(nodeName(doc.File.Name))
	}
	node, unmapped, diags := tomcat.LowerServer(doc, tomcat.Options{
		Name: name, Version: l.tomcatVersion(name).V,
		Property: l.propertyOf(filepath.Dir(doc.File.Name)),
	})
	l.add(diags)
	node.Name = model.Infer(name, doc.Root.Tag)
	if told != "" {
		node.Name = l.toldName(l.r.Native.Settings.Nodes, told)
	}
	l.r.Setup.Unmapped = append(l.r.Setup.Unmapped, unmapped...)
	l.r.Setup.Nodes = append(l.r.Setup.Nodes, node)
	l.r.Tomcat[node] = doc
}

// nodeName is the folder of a server.xml, or its parent when the folder is conf.
func nodeName(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	dir := filepath.Dir(abs)
	if strings.EqualFold(filepath.Base(dir), "conf") {
		dir = filepath.Dir(dir)
	}
	if name := filepath.Base(dir); name != "/" && name != "." {
		return name
	}
	return "tomcat"
}

func (l *loader) uniqueName(name string) string {
	unique := name
	for i := 2; l.r.Setup.Node(unique) != nil; i++ {
		unique = fmt.Sprintf("%s-%d", name, i)
	}
	return unique
}

// tomcatVersion gives the declared version of a node: flags before clowder.toml.
func (l *loader) tomcatVersion(node string) model.String {
	for _, key := range []string{node, ""} {
		if v := l.o.Tomcat[key]; v != "" {
			return model.Is(v, diag.Span{})
		}
	}
	return l.settingVersion(node, "tomcat")
}

func (l *loader) settingVersion(keys ...string) model.String {
	if l.r.Native != nil {
		for _, k := range keys {
			if v, ok := l.r.Native.Settings.Versions[k]; ok {
				return v
			}
		}
	}
	return model.String{}
}
