package httpd

import (
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
	if len(n.Args) != 1 || n.Arg(0) == "" {
		l.syntax(n.Span, "`%s` takes one file name or pattern; put a name with blanks in quotes", n.Name)
		return nil
	}
	if l.depth >= maxIncludeDepth || len(l.c.Files) >= maxFiles {
		if !l.warned["depth"] {
			l.warned["depth"] = true
			l.syntax(n.Span, "files are included more than %d deep; `%s` seems to include itself", maxIncludeDepth, n.Arg(0))
		}
		return nil
	}
	optional := n.Is("IncludeOptional")
	files, err := l.resolve(n.Arg(0))
	if err != nil {
		l.missing(n, optional, err)
		return nil
	}
	var out []*Node
	for _, name := range files {
		data, err := l.o.Open(name)
		if err != nil {
			l.missing(n, optional, err)
			continue
		}
		f := diag.NewFile(name, data)
		t, diags := l.parse(f)
		l.diags = append(l.diags, diags...)
		l.c.Files, l.c.Trees = append(l.c.Files, f), append(l.c.Trees, t)
		l.depth++
		out = l.expand(out, t.Nodes, parent)
		l.depth--
		if l.warned["depth"] {
			break
		}
	}
	return out
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
