package native

import (
	"bytes"

	"clowder/parse/diag"
)

// Format puts the lines of a clowder.toml at the left margin, as clowder writes
// them, and removes blanks at the ends of lines. Values over several lines, strings
// and arrays alike, stay as they are; so do comments, blank lines and line ends. A
// file that is not TOML comes back as it is, with findings.
func Format(f *diag.File) ([]byte, diag.List) {
	doc, diags := Parse(f)
	for _, d := range diags {
		if d.ID == "C101" {
			return f.Data, diag.List{d}
		}
	}
	fixed := linesOfValues(f, doc.keys)
	out := make([]byte, 0, len(f.Data))
	for line, at := 1, 0; at < len(f.Data); line++ {
		next := len(f.Data)
		if i := bytes.IndexByte(f.Data[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		out = append(out, flush(f.Data[at:next], fixed[line], fixed[line+1])...)
		at = next
	}
	return out, nil
}

// linesOfValues returns the lines that begin inside a value.
func linesOfValues(f *diag.File, keys map[string]place) map[int]bool {
	inside := map[int]bool{}
	for _, p := range keys {
		if !p.Value.IsValid() || bytes.IndexByte(f.Data[p.Value.Start:p.Value.End], '\n') < 0 {
			continue
		}
		for l, last := f.Line(int(p.Value.Start))+1, f.Line(int(p.Value.End)); l <= last; l++ {
			inside[l] = true
		}
	}
	return inside
}

// flush trims a line at its beginning unless that is inside a value, and at its end
// unless the next line is.
func flush(line []byte, inside, nextInside bool) []byte {
	if !inside {
		line = bytes.TrimLeft(line, " \t")
	}
	if inside || nextInside {
		return line
	}
	text := bytes.TrimRight(line, "\r\n")
	end := line[len(text):]
	return append(bytes.TrimRight(text[:len(text):len(text)], " \t"), end...)
}
