package tomcat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"clowder/parse/diag"
)

// Bounds on the files and entities that one document may pull in.
const (
	maxIncluded      = 64
	maxIncludedBytes = 16 << 20
	maxIncludeDepth  = 8
)

// Opener reads the file of an external entity. The name is relative with
// slashes; an implementation must not leave the document's folder.
type Opener func(name string) (*diag.File, error)

// DirOpener returns an Opener for the files in and below a folder; symbolic links
// that lead out of it are refused. Spans name a file as dir/name.
func DirOpener(dir string) Opener {
	return func(name string) (*diag.File, error) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		if st, err := root.Stat(name); err != nil || !st.Mode().IsRegular() {
			return nil, errors.Join(err, errNotRegular(err))
		}
		f, err := root.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, maxIncludedBytes+1))
		if err != nil {
			return nil, err
		}
		return diag.NewFile(path.Join(dir, name), data), nil
	}
}

func errNotRegular(err error) error {
	if err == nil {
		return errors.New("not a regular file")
	}
	return nil
}

// nextMarkup finds the first reference to an entity that stands for markup or for
// a file; without one it returns end twice.
func (s *scanner) nextMarkup(start, end int) (at, next int) {
	if s.ents.text == nil && s.ents.external == nil {
		return end, end
	}
	for i := start; i < end; i++ {
		n := bytes.IndexByte(s.text[i:end], '&')
		if n < 0 {
			break
		}
		i += n
		semi := bytes.IndexByte(s.text[i:min(end, i+128)], ';')
		if semi < 2 {
			continue
		}
		name := s.text[i+1 : i+semi]
		if _, ok := s.ents.external[string(name)]; ok || strings.Contains(s.ents.text[string(name)], "<") {
			return i, i + semi + 1
		}
	}
	return end, end
}

// markupEntity reads the entity that is referred to between the offsets as if its
// text stood there.
func (s *scanner) markupEntity(start, end int) {
	name := string(s.text[start+1 : end-1])
	at := s.span(start, end)
	switch {
	case slices.Contains(s.within, name):
		s.report(start, end, "entity `&%s;` refers to itself", name)
		return
	case len(s.within) >= maxIncludeDepth:
		s.report(start, end, "entity `&%s;` is nested too deep", name)
		return
	}
	sub := &scanner{doc: s.doc, file: s.file, ents: s.ents, open: s.open, template: -1, within: append(slices.Clone(s.within), name)}
	if id, ok := s.ents.external[name]; ok {
		f, problem := s.external(id)
		if problem != "" {
			s.unread(start, end, name, problem)
			return
		}
		s.doc.Included = append(s.doc.Included, f)
		sub.file, sub.src = f, decode(f.Data)
		sub.text = sub.src.text
	} else {
		v := s.ents.text[name]
		if s.ents.expanded += len(v) + 1; s.ents.expanded > maxExpansion {
			s.report(start, end, "entity `&%s;` grows beyond %d MiB", name, maxExpansion>>20)
			return
		}
		sub.fixed, sub.text, sub.src = &at, []byte(v), &source{}
	}
	sub.diags = s.diags
	sub.scan()
	s.diags = sub.diags
	s.aborted = s.aborted || sub.aborted
	if sub.template >= 0 {
		s.markTemplate(start)
	}
	if !balanced(sub.tokens) && !s.aborted {
		s.report(start, end, "entity `&%s;` holds a tag without its counterpart", name)
	}
	s.tokens = append(s.tokens, sub.tokens...)
}

// balanced reports whether every end tag follows a start tag and the reverse.
func balanced(tokens []token) bool {
	depth := 0
	for _, t := range tokens {
		switch {
		case t.kind == startToken && !t.elem.SelfClosed:
			depth++
		case t.kind == endToken:
			if depth--; depth < 0 {
				return false
			}
		}
	}
	return depth == 0
}

// external reads the file of a declaration's SYSTEM or PUBLIC part.
func (s *scanner) external(decl string) (*diag.File, string) {
	name := systemID(decl)
	clean := path.Clean(name)
	switch {
	case s.open == nil:
		return nil, "stands for another file, which is not read"
	case name == "":
		return nil, "names no file"
	case strings.Contains(name, ":") || strings.HasPrefix(name, "/") || strings.Contains(name, "\\"):
		return nil, fmt.Sprintf("stands for %q; only files below the folder of this file are read", name)
	case clean == ".." || strings.HasPrefix(clean, "../"):
		return nil, fmt.Sprintf("stands for %q outside the folder of this file, which is not read", name)
	case len(s.doc.Included) >= maxIncluded:
		return nil, fmt.Sprintf("stands for one file too many; at most %d are read", maxIncluded)
	}
	f, err := s.open(clean)
	if err != nil {
		return nil, fmt.Sprintf("stands for %q, which cannot be read", name)
	}
	total := len(f.Data)
	for _, x := range s.doc.Included {
		total += len(x.Data)
	}
	if total > maxIncludedBytes {
		return nil, fmt.Sprintf("makes the included files larger than %d MiB", maxIncludedBytes>>20)
	}
	return f, ""
}

// systemID returns the system identifier: the last quoted string.
func systemID(decl string) string {
	var words []string
	for {
		i := strings.IndexAny(decl, `"'`)
		if i < 0 {
			break
		}
		word, rest, ok := strings.Cut(decl[i+1:], decl[i:i+1])
		if !ok {
			break
		}
		words, decl = append(words, word), rest
	}
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

const xincludeNamespace = "http://www.w3.org/2001/XInclude"

// xinclude says that Tomcat's parser leaves XInclude elements as they are.
func (s *scanner) xinclude(root *Element) {
	root.Walk(func(e *Element) bool {
		prefix, local, ok := strings.Cut(e.Name, ":")
		if !ok {
			prefix, local = "", e.Name
		}
		if local == "include" && namespace(e, prefix) == xincludeNamespace && len(s.diags) < maxFindings {
			s.diags.Add(diag.Diagnostic{ID: "T001", Name: "xml-syntax", Severity: diag.Info, Confidence: diag.Certain, Span: e.Tag,
				Message: "Tomcat's XML parser does not process XInclude; this file is not included",
				Detail:  "Tomcat reads other files through external entities of a DOCTYPE only."})
		}
		return true
	})
}

func namespace(e *Element, prefix string) string {
	name := "xmlns"
	if prefix != "" {
		name += ":" + prefix
	}
	for ; e != nil; e = e.Parent {
		if a := e.Attr(name); a != nil {
			return a.Value
		}
	}
	return ""
}
