package rules

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// indentOf returns the blanks that the line of the offset begins with.
func indentOf(f *diag.File, offset int32) string {
	line := f.LineText(f.Line(int(offset)))
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// eol returns the line end that the file's first line has.
func eol(f *diag.File) string {
	if i := bytes.IndexByte(f.Data, '\n'); i > 0 && f.Data[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// lineBefore inserts a line in front of the line where the span begins, with its indentation.
func lineBefore(at diag.Span, text string) diag.Edit {
	start := at.File.LineStart(at.Begin().Line)
	return diag.Edit{Span: diag.At(at.File, start, start), New: indentOf(at.File, at.Start) + text + eol(at.File)}
}

// lineAfter inserts a line behind the line where the span ends.
func lineAfter(at diag.Span, text string) diag.Edit {
	end := max(at.Start, at.End-1)
	pos := at.File.LineStart(at.File.Line(int(end)) + 1)
	indent := indentOf(at.File, at.Start)
	if pos == len(at.File.Data) && pos > 0 && at.File.Data[pos-1] != '\n' {
		return diag.Edit{Span: diag.At(at.File, pos, pos), New: eol(at.File) + indent + text}
	}
	return diag.Edit{Span: diag.At(at.File, pos, pos), New: indent + text + eol(at.File)}
}

// appendWord inserts a word at the end of a directive.
func appendWord(at diag.Span, word string) diag.Edit {
	text := strings.TrimRight(at.Text(), " \t\r\n")
	end := int(at.Start) + len(text)
	return diag.Edit{Span: diag.At(at.File, end, end), New: " " + word}
}

// addAttribute inserts an attribute at the end of a start tag.
func addAttribute(tag diag.Span, attr string) (diag.Edit, bool) {
	text := tag.Text()
	if !strings.HasPrefix(text, "<") {
		return diag.Edit{}, false
	}
	end := tagEnd(text)
	if end < 0 {
		return diag.Edit{}, false
	}
	text = strings.TrimRight(strings.TrimSuffix(text[:end], "/"), " \t\r\n")
	pos := int(tag.Start) + len(text)
	return diag.Edit{Span: diag.At(tag.File, pos, pos), New: " " + attr}, true
}

// tagEnd returns the offset of the '>' that ends the tag, or -1.
func tagEnd(s string) int {
	var quote byte
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i
		}
	}
	return -1
}

// deleteElement removes an element without content, with its line when it is
// alone on it. It refuses elements with content.
func deleteElement(tag diag.Span) (diag.Edit, bool) {
	text := tag.Text()
	end := tagEnd(text)
	if end < 1 || text[end-1] != '/' {
		return diag.Edit{}, false
	}
	f, from, to := tag.File, int(tag.Start), int(tag.Start)+end+1
	lineStart := f.LineStart(f.Line(from))
	lineEnd := f.LineStart(f.Line(to-1) + 1)
	if len(bytes.TrimSpace(f.Data[lineStart:from])) == 0 && len(bytes.TrimSpace(f.Data[to:lineEnd])) == 0 {
		from, to = lineStart, lineEnd
	}
	return diag.Edit{Span: diag.At(f, from, to)}, true
}

// loadModule is the fix that loads a module: a line like the other LoadModule
// lines behind the last of them, or in front of the given one.
func loadModule(fe *model.FrontEnd, name string, before *model.Module) []diag.Fix {
	if len(fe.Modules) == 0 {
		return nil
	}
	pattern := fe.Modules[len(fe.Modules)-1]
	if before != nil {
		pattern = before
	}
	if !pattern.At.IsValid() {
		return nil
	}
	dir := path.Dir(strings.ReplaceAll(pattern.File.V, `\`, "/"))
	line := fmt.Sprintf("LoadModule %s_module %s/mod_%s.so", name, dir, name)
	e := lineAfter(pattern.At, line)
	if before != nil {
		e = lineBefore(pattern.At, line)
	}
	return []diag.Fix{{Message: "load mod_" + name, Safe: true, Edits: []diag.Edit{e}}}
}

// sectionEnd returns a place in the line of the closing tag of the section that
// begins at the tag; false when the closing tag is not in the same file.
func sectionEnd(tag diag.Span, name string) (diag.Span, bool) {
	f := tag.File
	if f == nil {
		return diag.Span{}, false
	}
	depth := 0
	for line := tag.Begin().Line; line <= f.LineCount(); line++ {
		text := strings.ToLower(strings.TrimSpace(f.LineText(line)))
		switch {
		case strings.HasPrefix(text, "<"+strings.ToLower(name)+" "), strings.HasPrefix(text, "<"+strings.ToLower(name)+">"):
			depth++
		case strings.HasPrefix(text, "</"+strings.ToLower(name)):
			if depth--; depth == 0 {
				start := f.LineStart(line)
				return diag.At(f, start, start+1), true
			}
		}
	}
	return diag.Span{}, false
}

// addToSection inserts a line at the end of a <Proxy> or similar section.
func addToSection(tag diag.Span, name, line string) (diag.Edit, bool) {
	end, ok := sectionEnd(tag, name)
	if !ok {
		return diag.Edit{}, false
	}
	return diag.Edit{Span: diag.At(tag.File, int(end.Start), int(end.Start)), New: indentOf(tag.File, tag.Start) + "    " + line + eol(tag.File)}, true
}

// absence is how much a finding weakens that rests on something not being there:
// one step when an Include could not be read.
func absence(p *lint.Pass) int {
	for i := range p.Diags {
		if p.Diags[i].ID == "H010" {
			return 1
		}
	}
	return 0
}

// unknown reports whether a value holds a ${...} that nobody resolved.
func unknown(s string) bool { return strings.Contains(s, "${") }

// valueOf narrows the place of an XML attribute (name="value") to the value
// between the quotes; other places stay as they are.
func valueOf(at diag.Span) diag.Span {
	text := at.Text()
	if len(text) == 0 || text[len(text)-1] != '"' && text[len(text)-1] != '\'' {
		return at
	}
	open := strings.IndexByte(text, text[len(text)-1])
	if open < 0 || open == len(text)-1 || !strings.HasSuffix(strings.TrimRight(text[:open], " \t\r\n"), "=") {
		return at
	}
	return diag.At(at.File, int(at.Start)+open+1, int(at.End)-1)
}

// directiveOf widens the place of an argument to its directive's first letter.
func directiveOf(at diag.Span) diag.Span {
	if at.File == nil {
		return at
	}
	start := at.File.LineStart(at.Begin().Line)
	start += len(indentOf(at.File, at.Start))
	if start < int(at.Start) {
		at.Start = int32(start)
	}
	return at
}
