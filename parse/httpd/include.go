package httpd

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"clowder/parse/diag"
)

// include reads the files of one Include or IncludeOptional.
func (l *loader) include(n, parent *Node) []*Node {
	var out []*Node
	trees := l.included(n)
	l.depth++
	for _, t := range trees {
		out = l.expand(out, t.Nodes, parent)
		if l.warned["depth"] {
			break
		}
	}
	l.depth--
	return out
}

// included parses the files that the directive names.
func (l *loader) included(n *Node) []*Tree {
	if len(n.Args) != 1 || n.Arg(0) == "" {
		l.syntax(n.Span, "`%s` takes one file name or pattern; put a name with blanks in quotes", n.Name)
		return nil
	}
	if l.depth >= maxIncludeDepth {
		l.endless(n, "files are included more than %d deep; `%s` seems to include itself", maxIncludeDepth, n.Arg(0))
		return nil
	}
	optional := n.Is("IncludeOptional")
	files, err := l.resolve(n.Arg(0))
	if err != nil {
		if name := l.near(n, optional); name != "" {
			files, err = []string{name}, nil
		}
	}
	if err != nil {
		l.missing(n, optional, err)
		return nil
	}
	var trees []*Tree
	for _, name := range files {
		f, err := l.open(name)
		switch {
		case err != nil:
			l.missing(n, optional, err)
			continue
		case len(l.c.Files) >= maxFiles:
			l.endless(n, "more than %d files are included; `%s` and what is named behind it was not read", maxFiles, n.Arg(0))
			return trees
		case l.counted[name] && !l.budget.again(len(f.Data)):
			l.endless(n, "files are included again and again, %d MiB in all; `%s` and what is named behind it was not read", l.budget.rereadBytes>>20, n.Arg(0))
			return trees
		}
		t := l.parse(f)
		l.c.Files, l.c.Trees = append(l.c.Files, f), append(l.c.Trees, t)
		trees = append(trees, t)
	}
	return trees
}

// open returns a file of its own for each time that it is included; all share
// the bytes.
func (l *loader) open(name string) (*diag.File, error) {
	if f := l.cache[name]; f != nil {
		return f.Again(), nil
	}
	data, err := l.o.Open(name)
	if err != nil {
		return nil, err
	}
	f := diag.NewFile(name, data)
	if root := l.root; len(data) == len(root.Data) && bytes.Equal(data, root.Data) && filepath.Base(name) == filepath.Base(root.Name) {
		f = root.AgainAs(name) // it includes itself by another path
		l.counted[name] = true
	}
	l.cache[name] = f
	return f, nil
}

// endless reports, once, that including does not come to its end.
func (l *loader) endless(n *Node, format string, args ...any) {
	if !l.warned["depth"] {
		l.warned["depth"] = true
		l.syntax(n.Span, format, args...)
	}
}

func (l *loader) missing(n *Node, optional bool, err error) {
	if optional {
		return
	}
	l.c.HasIncludesUnresolved = true
	l.report("H010", "include-not-found", diag.Warning, n.Args[0].Span, "`Include %s` finds no file (%v); httpd does not start without it", n.Arg(0), err)
}

// rooted maps an absolute path to below Options.Root.
func (l *loader) rooted(p string) string {
	if l.o.Root != "" && filepath.IsAbs(p) {
		return filepath.Join(l.o.Root, p)
	}
	return p
}

// locate makes a path of the configuration one of this machine. A path below a
// ServerRoot of another machine is taken below the folder in its place.
func (l *loader) locate(p string) string {
	p = strings.ReplaceAll(p, `\`, "/")
	w := strings.TrimSuffix(strings.ReplaceAll(l.written, `\`, "/"), "/")
	if w != "" && len(p) > len(w) && strings.EqualFold(p[:len(w)], w) && p[len(w)] == '/' {
		if _, err := l.o.Stat(l.rooted(p)); err != nil {
			return filepath.Join(l.c.ServerRoot, p[len(w)+1:])
		}
	}
	if filepath.IsAbs(p) {
		return l.rooted(p)
	}
	return filepath.Join(l.c.ServerRoot, p)
}

var errNoMatch = errors.New("no match")

// resolve lists the files of an Include argument, as
// ap_process_resource_config and ap_process_fnmatch_configs in server/config.c.
func (l *loader) resolve(arg string) ([]string, error) {
	p := l.locate(arg)
	if !strings.ContainsAny(p, "*?[") {
		return l.below(p, 0)
	}
	k := strings.IndexAny(p, "*?[")
	dir := p[:strings.LastIndexByte(p[:k], '/')+1]
	var out []string
	err := l.glob(path.Clean(dir+"."), strings.Split(p[len(dir):], "/"), &out)
	if err == nil && len(out) == 0 {
		err = errNoMatch
	}
	return out, err
}

// below lists a file, or every file below a directory in byte order.
func (l *loader) below(name string, depth int) ([]string, error) {
	st, err := l.o.Stat(name)
	if err != nil {
		return nil, errors.New("no such file")
	}
	if !st.IsDir() {
		return []string{name}, nil
	}
	if depth > 20 {
		return nil, fmt.Errorf("%s: folders too deep", name)
	}
	entries, err := l.o.ReadDir(name)
	if err != nil {
		return nil, err
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	var out []string
	for _, e := range entries {
		more, err := l.below(filepath.Join(name, e.Name()), depth+1)
		if err != nil {
			return out, err
		}
		if out = append(out, more...); len(out) > maxFiles {
			return out[:maxFiles], nil
		}
	}
	return out, nil
}

// glob follows the components of a pattern below dir.
func (l *loader) glob(dir string, parts []string, out *[]string) error {
	entries, err := l.o.ReadDir(dir)
	if err != nil {
		return errors.New("no such folder")
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	for _, e := range entries {
		name := e.Name()
		if name[0] == '.' && !strings.HasPrefix(parts[0], ".") {
			continue
		}
		if ok, err := path.Match(parts[0], name); err != nil || !ok || len(*out) >= maxFiles {
			continue
		}
		full := filepath.Join(dir, name)
		rest := parts[1:]
		switch {
		case len(rest) == 0, !strings.ContainsAny(strings.Join(rest, "/"), "*?["):
			more, err := l.below(filepath.Join(append([]string{full}, rest...)...), 0)
			if err != nil {
				return err
			}
			*out = append(*out, more...)
		default:
			if err := l.glob(full, rest, out); err != nil {
				return err
			}
		}
	}
	return nil
}
