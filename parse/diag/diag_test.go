package diag

import "testing"

func TestPositions(t *testing.T) {
	f := NewFile("x", []byte("ab\r\ncä𝄞d\n\nlast"))
	tests := []struct {
		offset                int
		line, col, rune, wide int
	}{
		{0, 1, 1, 1, 1},
		{2, 1, 3, 3, 3},
		{4, 2, 1, 1, 1},
		{7, 2, 4, 3, 3},
		{11, 2, 8, 4, 5},
		{13, 3, 1, 1, 1},
		{14, 4, 1, 1, 1},
		{99, 4, 5, 5, 5}, // behind the end: the end
		{-1, 1, 1, 1, 1},
	}
	for _, tt := range tests {
		p := f.Position(tt.offset)
		if p.Line != tt.line || p.Column != tt.col || f.RuneColumn(tt.offset) != tt.rune || f.UTF16Column(tt.offset) != tt.wide {
			t.Errorf("offset %d: got %d:%d rune %d utf16 %d, want %d:%d rune %d utf16 %d", tt.offset,
				p.Line, p.Column, f.RuneColumn(tt.offset), f.UTF16Column(tt.offset), tt.line, tt.col, tt.rune, tt.wide)
		}
	}
	if got := f.LineText(1); got != "ab" {
		t.Errorf("line 1 is %q", got)
	}
	if got := f.LineCount(); got != 4 {
		t.Errorf("%d lines, want 4", got)
	}
	if got := At(f, 0, 8).Head().Text(); got != "ab" {
		t.Errorf("head of a span over two lines is %q", got)
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"ProxyPass", "ProxyPassReverse", "route", "node"}
	for word, want := range map[string]string{"ProxyPas": "ProxyPass", "proxypass": "ProxyPass", "rotue": "route", "nodde": "node", "xyz": "", "": ""} {
		if got := Suggest(word, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestSortIsByFileThenPlaceThenID(t *testing.T) {
	a, b := NewFile("a", []byte("xxxx")), NewFile("b", []byte("xxxx"))
	l := List{{ID: "X2", Span: At(b, 0, 1)}, {ID: "X9", Span: At(a, 2, 3)}, {ID: "X1", Span: At(a, 2, 3)}, {ID: "X3", Span: At(a, 0, 1)}}
	l.Sort([]*File{b, a})
	got := ""
	for _, d := range l {
		got += d.ID + " "
	}
	if got != "X2 X3 X1 X9 " {
		t.Errorf("order %s", got)
	}
}
