package diff

import (
	"reflect"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// loose is something that the model has no field for.
type loose struct {
	what string
	text string // with single blanks
	at   diag.Span
}

// unmapped compares what stands in the files without a place in the model, word
// for word: nobody here knows what it means.
func (c *comparer) unmapped(a, b *model.Setup, only string) {
	for _, part := range []string{HTTPD, Tomcat} {
		if only != "" && only != part {
			continue
		}
		c.part = part
		c.loose(looseOf(a, part), looseOf(b, part))
	}
}

func (c *comparer) loose(a, b []*loose) {
	va, vb := values(a), values(b)
	key := func(f func(*loose) string) func(reflect.Value) string {
		return func(v reflect.Value) string { return f(v.Interface().(*loose)) }
	}
	to := pair(va, vb, []pass{
		{key: key(func(l *loose) string { return l.what + "\x00" + l.text })},
		{key: key(func(l *loose) string { return l.what })},
	})
	taken := make([]bool, len(b))
	for i, x := range a {
		switch j := to[i]; {
		case j < 0:
			c.add(Difference{Change: Removed, Field: x.what, A: Side{Span: x.at}})
		default:
			taken[j] = true
			if y := b[j]; x.text != y.text {
				d := Difference{Change: Changed, Field: x.what, A: Side{x.text, model.Written, x.at}, B: Side{y.text, model.Written, y.at}}
				if c.secret(x.what, x.text, y.text) {
					d.Hidden, d.A.Value, d.B.Value = true, "", ""
				}
				c.add(d)
			}
		}
	}
	for j, y := range b {
		if !taken[j] {
			c.add(Difference{Change: Added, Field: y.what, B: Side{Span: y.at}})
		}
	}
}

// modules are directives that load modules, which do not count.
var modules = map[string]bool{"loadfile": true, "addmodule": true, "clearmodulelist": true}

// looseOf lists what the model does not hold; the directives that it holds without
// a field are not among it.
func looseOf(s *model.Setup, part string) []*loose {
	held := map[diag.Span]bool{}
	for _, f := range s.FrontEnds {
		for _, srv := range append([]*model.Server{f.Main}, f.VHosts...) {
			if srv == nil {
				continue
			}
			hold(held, srv.Settings.Extras)
			for _, x := range srv.Sections {
				hold(held, x.Settings.Extras)
			}
		}
	}
	var out []*loose
	for _, u := range s.Unmapped {
		if held[u.Span] || idle(u.What) || partOf(u.Span) != part || modules[strings.ToLower(u.What)] {
			continue
		}
		text := strings.ReplaceAll(strings.ReplaceAll(u.Span.Text(), "\\\r\n", " "), "\\\n", " ")
		text = strings.Join(strings.Fields(text), " ")
		if name, rest, _ := strings.Cut(text, " "); name == u.What || strings.HasPrefix(u.What, name+" ") {
			text = rest
		}
		out = append(out, &loose{u.What, text, u.Span})
	}
	return out
}

// idle reports whether what stands in a file has no effect in httpd: such things
// are listed, and do not count.
func idle(what string) bool {
	return strings.Contains(what, ", which httpd ignores") || strings.Contains(what, ", which adds none")
}

func hold(held map[diag.Span]bool, list []*model.Directive) {
	for _, d := range list {
		held[d.At] = true
		hold(held, d.Children)
	}
}

// partOf tells by the file whether something belongs to httpd or to Tomcat.
func partOf(at diag.Span) string {
	if at.File == nil {
		return HTTPD
	}
	head := strings.TrimLeft(at.File.Text(0, min(len(at.File.Data), 100)), "\ufeff \t\r\n")
	if strings.HasSuffix(strings.ToLower(at.File.Name), ".xml") || strings.HasPrefix(head, "<?xml") {
		return Tomcat
	}
	return HTTPD
}
