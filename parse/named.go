package parse

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
	"clowder/parse/native"
)

// named puts the files of [frontends] and [nodes] of clowder.toml in the place of
// those that a search found. A file that the user named on the command line stays.
func (l *loader) named(inputs []input) []input {
	if l.r.Native == nil || l.native() {
		return inputs
	}
	s := l.r.Native.Settings
	inputs = l.replace(inputs, s.FrontEnds, HTTPDConf, "root file of httpd")
	return l.replace(inputs, s.Nodes, ServerXML, "server.xml")
}

func (l *loader) replace(inputs []input, files []native.NamedFile, kind Kind, what string) []input {
	if len(files) == 0 {
		return inputs
	}
	dir := filepath.Dir(l.r.Native.File.Name)
	told := make([]input, 0, len(files))
	for _, f := range files {
		p := filepath.FromSlash(f.File.V)
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		in, err := readInput(p)
		switch {
		case err != nil:
			l.config("C104", "file-not-found", f.File.Span, "%s = %q: the file cannot be read", f.Name.V, f.File.V)
			continue
		case in.kind != kind:
			l.config("C104", "file-not-found", f.File.Span, "%s = %q: that is no %s", f.Name.V, f.File.V, what)
			continue
		}
		in.name = f.Name.V
		told = append(told, in)
	}
	same := func(in input) bool {
		return slices.ContainsFunc(told, func(t input) bool { return filepath.Clean(t.path) == filepath.Clean(in.path) })
	}
	inputs = slices.DeleteFunc(inputs, func(in input) bool { return in.kind == kind && (in.found || same(in)) })
	return append(told, inputs...)
}

func (l *loader) config(id, name string, at diag.Span, format string, args ...any) {
	l.r.Diags.Add(diag.Diagnostic{ID: id, Name: name, Severity: diag.Error, Confidence: diag.Certain, Span: at, Message: fmt.Sprintf(format, args...)})
}

// toldName is the name with its place in clowder.toml.
func (l *loader) toldName(files []native.NamedFile, name string) model.String {
	for _, f := range files {
		if f.Name.V == name {
			return f.Name
		}
	}
	return model.String{}
}

// serverRoot tells when the ServerRoot of a front end is not a folder of this
// machine, and what is taken in its place.
func (l *loader) serverRoot(front *model.FrontEnd, cfg *httpd.Config) {
	if w := front.ServerRoot; w.IsSet() && cfg.ServerRootReplaced {
		l.r.Remarks = append(l.r.Remarks, fmt.Sprintf("%s: ServerRoot %s is not a folder here; %s is taken in its place", w.Span.Short(), w.V, cfg.ServerRoot))
	}
}

// unusedNames finds the names of --host, --tomcat, [hosts] and [versions] that
// belong to nothing that was read.
func (l *loader) unusedNames() {
	var nodes, all []string
	for _, n := range l.r.Setup.Nodes {
		nodes = append(nodes, n.Name.V)
		all = append(all, l.nodeKeys(n)...)
	}
	for _, f := range l.r.Setup.FrontEnds {
		all = append(all, l.frontKeys(f)...)
	}
	said := func(flag string, names map[string]string, known []string) {
		for _, k := range sortedKeys(names) {
			if k != "" && !slices.Contains(known, k) {
				l.r.UnusedNames = append(l.r.UnusedNames, fmt.Sprintf("%s %s: %s", flag, k, noSuch(k, known)))
			}
		}
	}
	said("--tomcat", l.o.Tomcat, nodes)
	said("--host", l.o.Hosts, all)
	if l.r.Native == nil {
		return
	}
	written := func(table string, names map[string]model.String, known []string) {
		for _, k := range sortedKeys(names) {
			if !slices.Contains(known, k) {
				l.r.Diags.Add(diag.Diagnostic{ID: "C102", Name: "unknown-key", Severity: diag.Warning, Confidence: diag.Certain,
					Span: l.r.Native.KeySpan(table, k), Message: noSuch(k, known)})
			}
		}
	}
	written("versions", l.r.Native.Settings.Versions, append(nodes, "httpd", "tomcat"))
	written("hosts", l.r.Native.Settings.Hosts, all)
}

func noSuch(name string, known []string) string {
	msg := fmt.Sprintf("no node, front end or file of the setup is called %q", name)
	if near := diag.Suggest(name, known); near != "" {
		msg += fmt.Sprintf("; did you mean %q?", near)
	}
	return msg
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// frontKeys and nodeKeys are the names by which --host and [hosts] may call a
// front end or node: its own, and its file's, as given, by its base name when no
// other has it, or from the clowder.toml.
func (l *loader) frontKeys(f *model.FrontEnd) []string {
	return l.keys(f.Name.V, f.At)
}

func (l *loader) nodeKeys(n *model.Node) []string {
	return l.keys(n.Name.V, n.At)
}

func (l *loader) keys(name string, at diag.Span) []string {
	keys := []string{name}
	if !at.IsValid() {
		return keys
	}
	file := at.File.Name
	keys = append(keys, file, filepath.ToSlash(filepath.Clean(file)))
	for _, p := range l.o.Paths {
		if rel, err := filepath.Rel(p, file); err == nil && !strings.HasPrefix(rel, "..") && rel != "." {
			keys = append(keys, filepath.ToSlash(rel))
		}
	}
	base := filepath.Base(file)
	for other := range l.r.Kinds {
		if other.Name != file && filepath.Base(other.Name) == base && l.r.Kinds[other] == l.r.Kinds[at.File] {
			return keys
		}
	}
	return append(keys, base)
}
