package graph

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// style paints the picture in light and in dark. It has a background of its own,
// so that it can be read on any page.
const style = `
text{font-family:Arial,Helvetica,"Liberation Sans",sans-serif;fill:#1f2328}
.b{font-weight:bold}.m{fill:#57606a}
.bg{fill:#fff}.frame{fill:#f6f8fa;stroke:#c4ccd5}.cluster{stroke-dasharray:none}
.card{fill:#fff;stroke:#8c959f}.clients{fill:#eaeef2}
.card.error{stroke:#cf222e;stroke-width:1.5}.card.warning{stroke:#bf8700;stroke-width:1.5}
.r{stroke:#d8dee4}.w{fill:none;stroke:#7d8590;stroke-width:1.4}.a{fill:#7d8590;stroke:none}
.standby{stroke-dasharray:7 4}.off{stroke-dasharray:2 4}
.w0{stroke:#3b82c4}.w1{stroke:#c27c1f}.w2{stroke:#2f9465}.w3{stroke:#8f66c9}.w4{stroke:#c4578a}.w5{stroke:#2a8f9c}
.s0,.a0{fill:#3b82c4}.s1,.a1{fill:#c27c1f}.s2,.a2{fill:#2f9465}.s3,.a3{fill:#8f66c9}.s4,.a4{fill:#c4578a}.s5,.a5{fill:#2a8f9c}
.e{fill:#cf222e}.n{fill:#9a6700}.i{fill:#0969da}.badge{fill:#fff}
@media(prefers-color-scheme:dark){
text{fill:#f0f6fc}.m{fill:#9ea7b1}
.bg{fill:#0d1117}.frame{fill:#151b23;stroke:#3d444d}
.card{fill:#212830;stroke:#656c76}.clients{fill:#2a313c}
.card.error{stroke:#f85149}.card.warning{stroke:#d29922}
.r{stroke:#3d444d}.badge{fill:#fff}.e{fill:#c93c37}.n{fill:#966600}.i{fill:#316dca}}
`

var severityClass = [...]string{"", "i", "n", "e"}

// WriteSVG draws the graph as one SVG file without scripts and outside resources.
func WriteSVG(w io.Writer, g *Graph) error {
	s := g.layout()
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" aria-labelledby="title desc">`+"\n",
		num(s.w), num(s.h), num(s.w), num(s.h))
	fmt.Fprintf(b, "<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n<style>%s</style>\n", escape(s.title), escape(s.desc), style)
	fmt.Fprintf(b, "<rect class=\"bg\" width=\"%s\" height=\"%s\" rx=\"8\"/>\n", num(s.w), num(s.h))
	for _, p := range s.frames {
		p.write(b, ` rx="10"`)
	}
	for i := range s.wires {
		s.wires[i].write(b)
	}
	for _, p := range s.cards {
		p.write(b, ` rx="6"`)
	}
	for _, p := range s.rules {
		fmt.Fprintf(b, "<path class=\"r\" d=\"M%s %sh%s\"/>\n", num(p.x), num(p.y), num(p.w))
	}
	for _, p := range s.stripes {
		p.write(b, ` rx="2"`)
	}
	for i := range s.labels {
		s.labels[i].write(b)
	}
	for i := range s.badges {
		s.badges[i].write(b)
	}
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

func (p *panel) write(w io.Writer, more string) {
	fmt.Fprintf(w, "<rect class=%q x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"%s/>\n", p.class, num(p.x), num(p.y), num(p.w), num(p.h), more)
}

func (l *wire) write(w io.Writer) {
	class, arrow := "w", "a"
	if l.hue >= 0 {
		class += " w" + strconv.Itoa(l.hue)
		arrow += " a" + strconv.Itoa(l.hue)
	}
	class += [...]string{"", " standby", " off"}[l.state]
	end, k := l.bend()
	fmt.Fprintf(w, "<g><title>%s</title><path class=%q d=\"M%s %sC%s %s %s %s %s %s\"/>", escape(l.tip), class,
		num(l.x1), num(l.y1), num(l.x1+k), num(l.y1), num(end-k), num(l.y2), num(end), num(l.y2))
	fmt.Fprintf(w, "<path class=%q d=\"M%s %sl-7 -3.5v7z\"/></g>\n", arrow, num(l.x2), num(l.y2))
}

func (l *label) write(w io.Writer) {
	class := l.class
	if l.bold {
		class += " b"
	}
	fmt.Fprintf(w, "<text class=%q x=\"%s\" y=\"%s\" font-size=\"%s\"", class, num(l.x), num(l.y), num(l.size))
	if n := utf8.RuneCountInString(l.text); n > 1 {
		fmt.Fprintf(w, " textLength=\"%s\" lengthAdjust=\"spacingAndGlyphs\"", num(l.width()))
	}
	if l.tip != "" {
		fmt.Fprintf(w, "><title>%s</title>%s</text>\n", escape(l.tip), escape(l.text))
		return
	}
	fmt.Fprintf(w, ">%s</text>\n", escape(l.text))
}

func (m *badge) write(w io.Writer) {
	fmt.Fprintf(w, "<g><title>%s</title><rect class=%q x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\" rx=\"7.5\"/>", escape(m.tip),
		severityClass[m.severity], num(m.x), num(m.y), num(m.w), num(m.h))
	fmt.Fprintf(w, "<text class=\"badge b\" x=\"%s\" y=\"%s\" font-size=\"%s\">%s</text></g>\n", num(m.x+5), num(m.y+m.h/2+badgeSize*0.36), num(badgeSize), escape(m.text))
}

// num writes a number with at most one decimal.
func num(f float64) string {
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64)
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// escape writes a text for elements and attributes. What XML cannot hold was
// replaced by clean.
func escape(s string) string { return escaper.Replace(strings.ToValidUTF8(s, "\uFFFD")) }
