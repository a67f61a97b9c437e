package graph

import "clowder/parse/diag"

// scene is a finished picture: everything has its place, in pixels from the upper
// left corner. Writing it as SVG decides nothing any more, so that tests of the
// geometry look here.
type scene struct {
	w, h        float64
	title, desc string
	frames      []panel
	cards       []panel
	stripes     []panel
	rules       []panel // lines between rows
	wires       []wire
	labels      []label
	badges      []badge
}

type rect struct{ x, y, w, h float64 }

func (r rect) right() float64  { return r.x + r.w }
func (r rect) bottom() float64 { return r.y + r.h }

// panel is a rectangle; its class says how it is painted.
type panel struct {
	rect
	class string
	tip   string
}

// label is one line of text; x and y are the left end of its base line.
type label struct {
	x, y  float64
	text  string
	size  float64
	bold  bool
	class string
	tip   string // the whole text when it was cut
	in    rect   // what it stands in
}

func (l *label) width() float64 { return width(l.text, l.size, l.bold) }

// badge is the ID of a rule in the colour of its severity.
type badge struct {
	rect
	text     string
	severity diag.Severity
	tip      string
	in       rect
}

// wire is an edge from the right side of one card to the left side of another.
type wire struct {
	x1, y1, x2, y2 float64
	hue            int // -1: none
	state          State
	tip            string
	from, to       int // indices of cards
}

// bend gives where the curve ends, which the point of the arrow covers, and how far
// its control points are from its ends.
func (w *wire) bend() (end, k float64) {
	end = w.x2 - 6
	return end, (end - w.x1) / 2
}

// point returns a place on the curve, a cubic Bézier: u = 0 is its beginning, 1 its end.
func (w *wire) point(u float64) (x, y float64) {
	end, k := w.bend()
	v := 1 - u
	a, b, c, d := v*v*v, 3*v*v*u, 3*v*u*u, u*u*u
	return a*w.x1 + b*(w.x1+k) + c*(end-k) + d*end, a*w.y1 + b*w.y1 + c*w.y2 + d*w.y2
}

// Sizes in pixels.
const (
	margin    = 24.0
	padX      = 12.0
	titleSize = 13.0
	textSize  = 12.0
	noteSize  = 11.0
	badgeSize = 10.0
	badgeH    = 15.0
	titleH    = 18.0
	noteH     = 16.0
	rowH      = 24.0
	headPad   = 7.0 // above and below the words of a head
	gapY      = 14.0
	tightGap  = 2.0
	framePad  = 16.0
	frameHead = 30.0
	groupHead = 46.0
	frameGap  = 26.0
	widestGap = 84.0 // between Tomcats of one frame

	noteRoom   = 230.0 // where notes of a head begin a new line
	maxTitle   = 44    // characters
	maxLabel   = 56
	maxNotes   = 72
	maxOneLine = 120
	maxBadges  = 3
	manyNodes  = 24   // from here on Tomcats are one line each
	tall       = 1500 // a higher picture begins at the top: findings, clients, listeners
)
