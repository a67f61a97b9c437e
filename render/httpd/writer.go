package httpd

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/ledger"
)

// writer makes the text of one httpd.conf and keeps account of it. It is not safe
// for concurrent use.
type writer struct {
	buf        bytes.Buffer
	depth      int
	led        *ledger.Ledger
	provenance bool
	said       diag.Span // place that the last provenance comment named
	mods       *modules
	front      *model.FrontEnd
	access     *accessPlan
	secret     bool // a secret was written
	unmapped   []model.Unmapped
	lost       bool           // rules about requests have no form: everything is refused
	conn       Connector      // nil: mod_proxy
	srv        *model.Server  // the one that is being written
	sec        *model.Section // the one that is being written
	unmounted  []string       // patterns of paths whose worker of mod_jk is not known
	filesLost  bool           // the same for files
}

// isBlank reports what ends a word for ap_getword_conf.
func isBlank(c byte) bool {
	return c == ' ' || c >= '\t' && c <= '\r'
}

// writable reports whether httpd can read the text back: a line ends at a line
// feed, and a file's line at a NUL byte (ap_cfg_getline in server/util.c).
func writable(words ...string) bool {
	for _, w := range words {
		if strings.ContainsAny(w, "\n\x00") {
			return false
		}
	}
	return true
}

// quote writes a word so that ap_getword_conf in server/util.c reads it back:
// outside of quotes a doubled backslash counts once, and a backslash at the end
// of a line joins it with the next.
func quote(w string) string {
	plain := w != "" && !strings.ContainsAny(w, `"'`) && !strings.Contains(w, `\\`) && !strings.HasSuffix(w, `\`)
	for i := 0; plain && i < len(w); i++ {
		plain = !isBlank(w[i])
	}
	if plain {
		return w
	}
	return always(w)
}

// always puts a word in quotes: paths and URLs, as the manual has them. A
// backslash is doubled only where it would escape what follows.
func always(w string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(w); i++ {
		if w[i] == '"' || w[i] == '\\' && (i+1 == len(w) || w[i+1] == '\\' || w[i+1] == '"') {
			b.WriteByte('\\')
		}
		b.WriteByte(w[i])
	}
	b.WriteByte('"')
	return b.String()
}

func quoteAll(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quote(w)
	}
	return out
}

// raw writes one line of ready text.
func (w *writer) raw(text string) {
	w.buf.WriteString(strings.Repeat("    ", w.depth))
	w.buf.WriteString(text)
	w.buf.WriteByte('\n')
}

// comment begins a block with a blank line before it, unless it is the first of
// its section.
func (w *writer) comment(text string) {
	w.gap()
	w.raw("# " + strings.Map(printable, text))
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r == '\\' {
		return '?'
	}
	return r
}

// gap writes an empty line, but not behind an opening tag or another one.
func (w *writer) gap() {
	b := bytes.TrimRight(w.buf.Bytes(), "\n")
	last := b[bytes.LastIndexByte(b, '\n')+1:]
	last = bytes.TrimSpace(last)
	opens := len(last) > 1 && last[0] == '<' && last[1] != '/' || len(last) > 0 && last[0] == '#'
	if len(last) > 0 && !opens {
		w.buf.Truncate(len(b) + 1)
		w.buf.WriteByte('\n')
	}
}

// from names the place of what follows, with --provenance.
func (w *writer) from(at diag.Span) {
	if !w.provenance || !at.IsValid() || at == w.said {
		return
	}
	w.said = at
	w.raw("# from " + strings.Map(printable, at.Short()))
}

// placeOf returns the place of a value or of a struct of the model.
func placeOf(fact any) diag.Span {
	switch x := fact.(type) {
	case nil:
		return diag.Span{}
	case diag.Span:
		return x
	case interface{ Place() diag.Span }:
		return x.Place()
	}
	if v := reflect.ValueOf(fact); v.Kind() == reflect.Pointer && !v.IsNil() {
		return model.PlaceOf(v.Elem())
	}
	return diag.Span{}
}

// unwritable is the message for text that no line of httpd can hold.
const unwritable = "it holds a line break, which no directive of httpd can; it was left out"

// put writes one directive of ready words for a fact and notes that it says the
// same. A text that cannot be written is for a person; false then.
func (w *writer) put(fact any, name string, words ...string) bool {
	if !writable(words...) {
		w.led.Person(unwritable, "", fact)
		return false
	}
	w.from(placeOf(fact))
	w.raw(strings.TrimRight(name+" "+strings.Join(words, " "), " "))
	w.led.Exact(fact)
	return true
}

// fact is put with words that are quoted where that is needed.
func (w *writer) fact(fact any, name string, words ...string) bool {
	return w.put(fact, name, quoteAll(words)...)
}

// open begins a section; its words are quoted always, as the manual has them.
func (w *writer) open(at diag.Span, name string, words ...string) {
	w.from(at)
	text := "<" + name
	for _, x := range words {
		text += " " + always(x)
	}
	w.raw(text + ">")
	w.depth++
}

func (w *writer) close(name string) {
	w.depth--
	w.raw("</" + name + ">")
}

// scalar writes the value of a field as httpd reads it.
func scalar(v any) string {
	switch x := v.(type) {
	case bool:
		if x {
			return "On"
		}
		return "Off"
	case time.Duration:
		return duration(x)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case int:
		return strconv.Itoa(x)
	}
	return v.(string)
}

// duration writes seconds, or milliseconds with their unit.
func duration(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10)
	}
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10) + "ms"
}

// stated reports whether a value is a fact of the setup and no default.
func stated(o model.Origin) bool { return o == model.Written || o == model.Inferred }

// pair is a scalar field that is stated, with its key, which is the directive.
type pair struct {
	key    string
	value  any
	secret bool
	fact   diag.Span
}

// pairs lists the stated scalars of a struct of the model in their order.
func pairs(structure any) []pair {
	v := reflect.ValueOf(structure).Elem()
	var out []pair
	for _, f := range model.Fields(v.Type()) {
		if f.Kind != model.ScalarField || len(f.Index) > 1 {
			continue // those of embedded settings are written by settings
		}
		if x := model.Any(v.FieldByIndex(f.Index)); stated(x.Origin) {
			out = append(out, pair{f.Key, x.V, f.Secret, x.Span})
		}
	}
	return out
}
