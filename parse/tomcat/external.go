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

// nextMarkup finds the first reference to a declared entity, which may stand for
// markup or for a file; without one it returns end twice.
func (s *scanner) nextMarkup(start, end int) (at, next int) {
	if s.ents.text == nil {
		return end, end
	}
	for i := start; i < end; i++ {
		n := bytes.IndexByte(s.text[i:end], '&')
		if n < 0 {
			break
		}
		i += n
		n = referenceEnd(s.text[:end], i)
		if n < 0 {
			continue
		}
		name := string(s.text[i+1 : n-1])
		if s.ents.known(name) && !s.ents.unparsed[name] {
			return i, n
		}
	}
	return end, end
}

// markupEntity reads the entity that is referred to between the offsets as if its
// text stood there.
func (s *scanner) markupEntity(start, end int) {
	name := string(s.text[start+1 : end-1])
	switch {
	case s.outside():
		s.report(start, start+1, "a reference outside the root element")
		return
	case slices.Contains(s.within, name):
		s.report(start, end, "entity `&%s;` refers to itself", name)
		return
	case len(s.within) >= maxEntityDepth:
		s.bounded = true
		s.note(s.span(start, end), "entity `&%s;` is nested too deep", name)
		return
	}
	at := s.span(start, end)
	sub := &scanner{doc: s.doc, file: s.file, ents: s.ents, open: s.open, tokens: s.tokens, names: s.names, pieces: s.pieces,
		template: -1, stopAt: -1, charAt: -1, rooted: true}
	if id, ok := s.ents.external[name]; ok {
		f, problem := s.external(id)
		if problem != "" {
			s.unread(start, end, name, problem)
			return
		}
		s.doc.Included = append(s.doc.Included, f)
		sub.file, sub.src = f, decode(f.Data)
		sub.text = sub.src.text
		if sub.src.unknown {
			sub.report(0, 0, "encoding %q is not supported", sub.src.name)
		}
	} else {
		v := s.ents.text[name]
		if s.ents.expanded += len(v) + 1; s.ents.expanded > maxExpansion {
			s.bounded, s.aborted = true, true
			s.note(at, "entity `&%s;` grows beyond %d MiB", name, maxExpansion>>20)
			return
		}
		if !strings.ContainsAny(v, "<&]") {
			s.push(token{kind: textToken, text: v}, start, end)
			s.count(start, 1)
			return
		}
		sub.fixed, sub.text, sub.src = &at, []byte(v), &source{bad: -1}
	}
	sub.within = append(slices.Clone(s.within), name)
	sub.diags = s.diags
	before := s.tokens.n
	sub.scan()
	s.diags = sub.diags
	s.aborted = s.aborted || sub.aborted
	s.bounded = s.bounded || sub.bounded
	if sub.template >= 0 {
		s.markTemplate(start)
	}
	if !s.tokens.balanced(before) && !s.aborted {
		s.report(start, end, "entity `&%s;` holds a tag without its counterpart", name)
	}
	if sub.stopAt >= 0 || sub.charAt >= 0 {
		s.fail(start, start)
	}
}

// balanced reports whether from token i on every end tag follows a start tag and
// the reverse.
func (l *tokenList) balanced(i int) bool {
	depth := 0
	for ; i < l.n; i++ {
		switch t := l.at(i); {
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

// external reads the file of a system identifier.
func (s *scanner) external(name string) (*diag.File, string) {
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
