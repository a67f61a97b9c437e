package graph

import (
	"fmt"
	"strings"

	"clowder/parse/diag"
)

// placed is a card with its size and, in the end, its place.
type placed struct {
	rect
	card  *Card
	index int // in the scene
	head  float64
	notes []string // lines below the title
	tight bool     // one line: title and notes
}

func measure(c *Card, tight bool) *placed {
	p := &placed{card: c, tight: tight && c.Kind == Tomcat}
	switch {
	case p.tight:
		p.head = rowH - tightGap
		p.w = 2*padX + width(p.title(), titleSize, true) + 8 + width(p.oneLine(), noteSize, false) + badgesWidth(c.Marks)
		p.h = p.head
		return p
	case c.Title != "":
		p.notes = pack(c.Notes, noteRoom)
		p.head = 2*headPad + titleH + noteH*float64(len(p.notes))
		p.w = 2*padX + width(p.title(), titleSize, true) + badgesWidth(c.Marks)
		for _, n := range p.notes {
			p.w = max(p.w, 2*padX+width(n, noteSize, false))
		}
	}
	for _, r := range c.Rows {
		w := 2*padX + width(shorten(r.Label, maxLabel), textSize, false) + badgesWidth(r.Marks)
		if n := rowNotes(r.Notes); n != "" {
			w += 8 + width(n, noteSize, false)
		}
		p.w = max(p.w, w)
	}
	p.h = p.head + rowH*float64(len(c.Rows))
	return p
}

func (p *placed) title() string { return shorten(p.card.Title, maxTitle) }

// oneLine are the notes of a Tomcat that takes one line.
func (p *placed) oneLine() string { return shorten(strings.Join(p.card.Notes, " · "), maxOneLine) }

func rowNotes(notes []string) string { return shorten(strings.Join(notes, " · "), maxNotes) }

// pack joins notes to lines that are no wider than the room.
func pack(notes []string, room float64) []string {
	var lines []string
	for _, n := range notes {
		n = shorten(n, maxNotes)
		if k := len(lines) - 1; k >= 0 && width(lines[k]+" · "+n, noteSize, false) <= room {
			lines[k] += " · " + n
			continue
		}
		lines = append(lines, n)
	}
	return lines
}

// rowY is the middle of a row, from the top of the card.
func (p *placed) rowY(i int) float64 { return p.head + rowH*(float64(i)+0.5) }

// inY is where edges end, from the top of the card.
func (p *placed) inY() float64 {
	if p.card.Kind == Server || p.card.Kind == Balancer {
		return p.head / 2
	}
	return p.h / 2
}

// outs calls f for each edge: where it begins, from the top of the card, and its end.
func (p *placed) outs(f func(y float64, row *Row, to *Card)) {
	for _, t := range p.card.To {
		f(p.h/2, nil, t)
	}
	for i, r := range p.card.Rows {
		if r.To != nil {
			f(p.rowY(i), r, r.To)
		}
	}
}

// shownBadges are the texts of the badges of a thing and what they tell.
func shownBadges(m Marks) []badge {
	var out []badge
	for i, k := range m {
		if i == maxBadges && len(m) > maxBadges {
			rest := len(m) - maxBadges
			tip := ""
			for _, k := range m[i:] {
				tip += " " + k.ID
			}
			out = append(out, badge{text: fmt.Sprintf("+%d", rest), severity: k.Severity, tip: strings.TrimSpace(tip)})
			break
		}
		tip := fmt.Sprintf("%s %s", k.Severity, k.ID)
		if k.Count > 1 {
			tip += fmt.Sprintf(", %d times", k.Count)
		}
		out = append(out, badge{text: k.ID, severity: k.Severity, tip: tip})
	}
	for i := range out {
		out[i].w, out[i].h = width(out[i].text, badgeSize, true)+10, badgeH
	}
	return out
}

// badgesWidth is the room that badges take behind a text.
func badgesWidth(m Marks) float64 {
	w := 0.0
	for _, b := range shownBadges(m) {
		w += b.w + 4
	}
	if w > 0 {
		w += 6
	}
	return w
}

// draw puts the card and its words into the scene.
func (p *placed) draw(s *scene) {
	p.index = len(s.cards)
	class := "card"
	if w := p.card.worst(); w > 0 {
		class += " " + w.String()
	}
	s.cards = append(s.cards, panel{p.rect, class, ""})
	if p.card.Kind == Balancer || p.card.Kind == Worker {
		s.stripes = append(s.stripes, panel{rect{p.x, p.y, 4, p.h}, fmt.Sprintf("s%d", p.card.Hue%hues), ""})
	}
	head := rect{p.x, p.y, p.w, p.head}
	switch {
	case p.tight:
		x := s.line(head, p.y+p.head/2, p.title(), p.card.Title, titleSize, true, "t", head.x+padX)
		s.line(head, p.y+p.head/2, p.oneLine(), strings.Join(p.card.Notes, " · "), noteSize, false, "m", x+8)
		s.addBadges(p.card.Marks, head, p.y+p.head/2)
	case p.head > 0:
		s.line(head, p.y+headPad+titleH/2, p.title(), p.card.Title, titleSize, true, "t", head.x+padX)
		for i, n := range p.notes {
			s.line(head, p.y+headPad+titleH+noteH*(float64(i)+0.5), n, n, noteSize, false, "m", head.x+padX)
		}
		s.addBadges(p.card.Marks, head, p.y+headPad+titleH/2)
	}
	for i, r := range p.card.Rows {
		row := rect{p.x, p.y + p.head + rowH*float64(i), p.w, rowH}
		if row.y > p.y {
			s.rules = append(s.rules, panel{rect{row.x, row.y, row.w, 0}, "r", ""})
		}
		class := "t"
		if r.State == Off || r.To == nil && p.card.Kind == Server {
			class = "m"
		}
		x := s.line(row, row.y+rowH/2, shorten(r.Label, maxLabel), r.Label, textSize, false, class, row.x+padX)
		s.line(row, row.y+rowH/2, rowNotes(r.Notes), strings.Join(r.Notes, " · "), noteSize, false, "m", x+8)
		s.addBadges(r.Marks, row, row.y+rowH/2)
	}
}

// worst is the highest severity of the card and its rows.
func (c *Card) worst() (w diag.Severity) {
	w = c.Marks.worst()
	for _, r := range c.Rows {
		w = max(w, r.Marks.worst())
	}
	return w
}

// line adds a text whose middle is at the height y, and returns its right end.
func (s *scene) line(in rect, y float64, text, whole string, size float64, bold bool, class string, x float64) float64 {
	if text == "" {
		return x
	}
	l := label{x: x, y: y + size*0.36, text: text, size: size, bold: bold, class: class, in: in}
	if whole != text {
		l.tip = whole
	}
	s.labels = append(s.labels, l)
	return x + l.width()
}

// addBadges puts badges at the right end of a box.
func (s *scene) addBadges(m Marks, in rect, y float64) {
	list := shownBadges(m)
	x := in.right() - padX + 4
	for i := len(list) - 1; i >= 0; i-- {
		b := list[i]
		x -= b.w + 4
		b.x, b.y, b.in = x, y-badgeH/2, in
		s.badges = append(s.badges, b)
	}
}
