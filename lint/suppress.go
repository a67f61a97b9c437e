package lint

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"clowder/parse/diag"
)

// An ignore is one rule of one clowder:ignore comment and the bytes it covers.
type ignore struct {
	rule     *Rule
	at       diag.Span // the rule's name inside the comment
	reason   string
	from, to int32
	used     bool
}

var ignoreMark = []byte("clowder:ignore")

// maxIgnores bounds how many comments of one file are looked at.
const maxIgnores = 10000

// suppress takes the findings out that comments in the files ignore, and adds the
// findings about these comments. A finding of an X rule is also ignored by a
// comment at one of its related places.
func suppress(list diag.List, f *facts, o *Options) Result {
	byFile := map[*diag.File][]*ignore{}
	var meta diag.List
	for _, file := range f.Files {
		if o.NoInline || !bytes.Contains(file.Data, ignoreMark) {
			continue
		}
		s := &ignoreScanner{file: file, rules: o.Rules}
		s.scan()
		byFile[file] = s.found
		meta = append(meta, s.diags...)
	}
	if len(byFile) == 0 {
		return Result{Findings: list}
	}
	covered := func(id string, at diag.Span) (by *ignore) {
		for _, ig := range byFile[at.File] {
			if ig.rule.ID == id && at.Start >= ig.from && at.Start < ig.to {
				ig.used, by = true, ig
			}
		}
		return by
	}
	var suppressed []Suppressed
	out := list[:0]
	for _, d := range list {
		by := covered(d.ID, d.Span)
		if strings.HasPrefix(d.ID, "X") {
			for _, r := range d.Related {
				if ig := covered(d.ID, r.Span); ig != nil {
					by = ig
				}
			}
		}
		if by == nil {
			out = append(out, d)
		} else {
			suppressed = append(suppressed, Suppressed{d, true, by.reason})
		}
	}
	for _, file := range f.Files {
		for _, ig := range byFile[file] {
			if !ig.used && o.enabled(ig.rule) {
				meta.Add(metaUnused.finding(ig.at, fmt.Sprintf("%s %s finds nothing here; delete this comment", ig.rule.ID, ig.rule.Name)))
			}
		}
	}
	for _, d := range meta {
		if r := find(Meta(), d.ID); o.enabled(r) {
			out = append(out, d)
		}
	}
	return Result{out, suppressed}
}

// ignoreScanner reads the clowder:ignore comments of one file.
type ignoreScanner struct {
	file  *diag.File
	rules []*Rule
	found []*ignore
	diags diag.List
	open  []*ignore // begun by ignore-start
	begun bool      // something other than comments was seen
}

func (s *ignoreScanner) scan() {
	if s.isXML() {
		s.xml()
	} else {
		s.lines()
	}
}

func (s *ignoreScanner) isXML() bool {
	switch strings.ToLower(path.Ext(s.file.Name)) {
	case ".xml":
		return true
	case ".conf", ".toml":
		return false
	}
	head := bytes.TrimLeft(s.file.Data, "\ufeff \t\r\n")
	return bytes.HasPrefix(head, []byte("<?xml")) || bytes.HasPrefix(head, []byte("<!--"))
}

// lines reads files whose comments are lines that begin with '#'. A comment
// covers the next directive with its continuation lines.
func (s *ignoreScanner) lines() {
	data := s.file.Data
	var waiting []*ignore
	for pos, n := 0, 0; pos < len(data) && n < maxIgnores; {
		end := logicalEnd(data, pos)
		line := bytes.TrimSpace(data[pos:end])
		switch {
		case len(line) == 0:
		case line[0] == '#':
			if i := bytes.Index(data[pos:end], ignoreMark); i >= 0 && len(bytes.Trim(data[pos:pos+i], "# \t")) == 0 {
				n++
				waiting = append(waiting, s.comment(pos+i, end, true)...)
			}
		default:
			s.begun = true
			for _, ig := range waiting {
				ig.from, ig.to = int32(pos), int32(end)
			}
			waiting = nil
		}
		pos = end
	}
	s.closeAll()
}

// logicalEnd returns the offset behind the line and its continuation lines.
func logicalEnd(data []byte, pos int) int {
	for {
		i := bytes.IndexByte(data[pos:], '\n')
		if i < 0 {
			return len(data)
		}
		pos += i + 1
		if !bytes.HasSuffix(bytes.TrimSuffix(data[:pos-1], []byte("\r")), []byte(`\`)) {
			return pos
		}
	}
}

// xml reads XML comments. A comment behind an element on the same line covers
// that element's tag, any other one the next start tag.
func (s *ignoreScanner) xml() {
	data := s.file.Data
	var waiting []*ignore
	for pos, n := 0, 0; pos < len(data) && n < maxIgnores; {
		i := bytes.IndexByte(data[pos:], '<')
		if i < 0 {
			break
		}
		pos += i
		rest := data[pos:]
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			end := len(data)
			if j := bytes.Index(rest, []byte("-->")); j >= 0 {
				end = pos + j
			}
			text := data[pos+4 : end]
			if lead := len(text) - len(bytes.TrimLeft(text, " \t\r\n")); bytes.HasPrefix(text[lead:], ignoreMark) {
				n++
				got := s.comment(pos+4+lead, end, false)
				if from, ok := s.trailed(pos); ok {
					for _, ig := range got {
						ig.from, ig.to = from, int32(pos)
					}
				} else {
					waiting = append(waiting, got...)
				}
			}
			pos = end + 1
		case len(rest) > 1 && isNameStart(rest[1]):
			s.begun = true
			end := pos + tagLength(rest)
			for _, ig := range waiting {
				ig.from, ig.to = int32(pos), int32(end)
			}
			waiting = nil
			pos = end
		default:
			pos++
		}
	}
	s.closeAll()
}

// trailed returns where the tag begins that ends on the line of the comment, in
// front of it.
func (s *ignoreScanner) trailed(comment int) (int32, bool) {
	line := s.file.LineStart(s.file.Line(comment))
	before := bytes.TrimSpace(s.file.Data[line:comment])
	if len(before) == 0 || before[len(before)-1] != '>' || bytes.HasSuffix(before, []byte("-->")) {
		return 0, false
	}
	return int32(min(line, max(0, bytes.LastIndexByte(s.file.Data[:comment], '<')))), true
}

func isNameStart(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || c >= 0x80
}

// tagLength returns the length of the tag at the start of b, heeding quotes.
func tagLength(b []byte) int {
	var quote byte
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return len(b)
}

// comment reads one comment's text and returns the ignores that wait for the
// next directive or element.
func (s *ignoreScanner) comment(from, to int, dashes bool) []*ignore {
	text := string(s.file.Data[from:to])
	text = strings.TrimRight(text, " \t\r\n\\")
	at := diag.At(s.file, from, from+len(text))
	verb, rest, _ := strings.Cut(text, " ")
	kind := strings.TrimPrefix(verb, string(ignoreMark))
	refs, reason := rest, ""
	if i := strings.Index(rest, "reason:"); i >= 0 {
		refs, reason = rest[:i], rest[i+len("reason:"):]
	} else if i := strings.Index(rest, "--"); dashes && i >= 0 {
		refs, reason = rest[:i], rest[i+2:]
	}
	if kind != "" && kind != "-start" && kind != "-end" && kind != "-file" {
		s.diags.Add(metaUnknown.finding(at, fmt.Sprintf("%q is not a clowder comment; there are clowder:ignore, -start, -end and -file", verb)))
		return nil
	}
	got := s.refs(refs, from+len(text)-len(rest), at, kind == "-end")
	if kind == "-end" {
		s.end(got, from)
		return nil
	}
	reason = strings.TrimSpace(reason)
	for _, ig := range got {
		ig.reason = reason
	}
	if len(got) > 0 && reason == "" {
		s.diags.Add(metaReason.finding(at, "this comment gives no reason; write `reason: ...` behind the rules"))
	}
	s.found = append(s.found, got...)
	switch kind {
	case "-start":
		for _, ig := range got {
			ig.from = int32(from)
		}
		s.open = append(s.open, got...)
		return nil
	case "-file":
		for _, ig := range got {
			if !s.begun {
				ig.from, ig.to = 0, int32(len(s.file.Data))+1
			}
		}
		return nil
	}
	return got
}

// refs reads the list of rules. base is the offset of the list in the file.
func (s *ignoreScanner) refs(list string, base int, at diag.Span, end bool) []*ignore {
	var out []*ignore
	named := 0
	for pos := 0; pos < len(list); {
		i := strings.IndexAny(list[pos:], ", \t\r\n")
		if i < 0 {
			i = len(list) - pos
		}
		if word := list[pos : pos+i]; word != "" {
			named++
			span := diag.At(s.file, base+pos, base+pos+i)
			if r := find(s.rules, word); r == nil {
				s.unknown(word, span)
			} else if find(Meta(), r.ID) == nil {
				out = append(out, &ignore{rule: r, at: span, from: -1, to: -1})
			}
		}
		pos += i + 1
	}
	if named == 0 && !end {
		d := metaUnknown.finding(at, "this comment names no rule; write the IDs of the rules to ignore")
		d.Severity = diag.Error
		s.diags.Add(d)
	}
	return out
}

func (s *ignoreScanner) unknown(word string, at diag.Span) {
	var names []string
	for _, r := range s.rules {
		names = append(names, r.ID, r.Name)
	}
	d := metaUnknown.finding(at, fmt.Sprintf("there is no rule %q", word))
	if near := diag.Suggest(word, names); near != "" {
		d.Message += fmt.Sprintf("; did you mean %s?", near)
		d.Fixes = []diag.Fix{{Message: "write " + near, Edits: []diag.Edit{{Span: at, New: near}}}}
	}
	s.diags.Add(d)
}

// end closes the named blocks, all of them when none is named.
func (s *ignoreScanner) end(named []*ignore, at int) {
	kept := s.open[:0]
	for _, ig := range s.open {
		closes := len(named) == 0
		for _, n := range named {
			closes = closes || n.rule == ig.rule
		}
		if closes {
			ig.to = int32(at)
		} else {
			kept = append(kept, ig)
		}
	}
	s.open = kept
}

func (s *ignoreScanner) closeAll() {
	for _, ig := range s.open {
		ig.to = int32(len(s.file.Data)) + 1
	}
}
