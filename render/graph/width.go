package graph

// The widths of the characters of Helvetica, which Arial and Liberation Sans share
// (Adobe's font metrics for the core fonts), for ' ' to '~' in thousandths of the
// font's size. The font list of the picture begins with these fonts; with another
// one textLength keeps the texts to these widths.
var (
	normalWidths = [95]int16{
		278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
		556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
		1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
		667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
		333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
		556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
	}
	boldWidths = [95]int16{
		278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278,
		556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611,
		975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
		667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556,
		333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611,
		611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
	}
)

// width returns the width of a text in pixels at the size. Characters outside of
// ASCII are taken for wide ones.
func width(s string, size float64, bold bool) float64 {
	table := &normalWidths
	if bold {
		table = &boldWidths
	}
	sum := 0
	for _, r := range s {
		switch {
		case r >= ' ' && r <= '~':
			sum += int(table[r-' '])
		case r == '·':
			sum += 333
		case r < 0x500: // Latin, Greek, Cyrillic
			sum += 722
		default:
			sum += 1000
		}
	}
	return float64(sum) * size / 1000
}

// fit cuts the middle out of a text until it is no wider than the room.
func fit(s string, size float64, bold bool, room float64) string {
	for n := len([]rune(s)); n > 1 && width(s, size, bold) > room; {
		n = max(1, min(n-1, int(float64(n)*room/width(s, size, bold))))
		s = shorten(s, n)
	}
	return s
}

// wrap breaks a text at blanks into lines no wider than the room; a word that is
// wider is broken inside.
func wrap(s string, size float64, room float64) []string {
	var lines []string
	line := ""
	flush := func() {
		if line != "" {
			lines = append(lines, line)
		}
		line = ""
	}
	for _, word := range splitBlanks(s) {
		if line != "" && width(line+" "+word, size, false) > room {
			flush()
		}
		for line == "" && width(word, size, false) > room {
			r := []rune(word)
			n := len(r)
			for n > 1 && width(string(r[:n]), size, false) > room {
				n--
			}
			lines = append(lines, string(r[:n]))
			if word = string(r[n:]); word == "" {
				break
			}
		}
		if word == "" {
			continue
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	flush()
	return lines
}

func splitBlanks(s string) []string {
	var out []string
	start := -1
	for i, r := range s {
		if r == ' ' {
			if start >= 0 {
				out = append(out, s[start:i])
			}
			start = -1
		} else if start < 0 {
			start = i
		}
	}
	if start >= 0 {
		out = append(out, s[start:])
	}
	return out
}
