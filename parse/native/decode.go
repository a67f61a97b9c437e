// Package native reads clowder.toml: the settings of clowder itself and, in the
// same file, a whole setup as package render/native writes it. It is strict:
// unknown keys, wrong types and duplicate keys are findings with their places.
package native

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"

	"github.com/BurntSushi/toml"
)

// Doc is one clowder.toml.
type Doc struct {
	File     *diag.File
	Setup    *model.Setup // nil when the file holds no front end and no node
	Settings Settings

	keys map[string]place
}

// KeySpan returns the place of a key of a top-level table, such as hosts; it is
// not valid when the key does not stand there.
func (d *Doc) KeySpan(table, key string) diag.Span { return d.keys[join(table, key)].Key }

// Settings is the part of clowder.toml that is not the setup.
type Settings struct {
	Versions map[string]model.String // httpd, tomcat, or a node's name → version
	Hosts    map[string]model.String // a node's name or a file → address of its machine
	Lint     LintSettings

	// FrontEnds and Nodes name files, relative to the clowder.toml, that are to be
	// read in place of those that a search of its folder finds.
	FrontEnds []NamedFile
	Nodes     []NamedFile
}

// NamedFile is one line NAME = "FILE" of [frontends] or [nodes].
type NamedFile struct {
	Name, File model.String
}

// LintSettings steers lint.
type LintSettings struct {
	Disable  []model.String
	Enable   []model.String
	Severity map[string]model.String
	FailOn   model.String
	Ignore   []Ignore
	Baseline model.String // file, relative to the clowder.toml

	MinConfidence model.String

	// Features are what a distribution has ported back to a server, and what the
	// application does itself, so that no file says it: see [LintFeatures].
	Features []model.String
}

// Ignore is one [[lint.ignore]].
type Ignore struct {
	At                        diag.Span
	Rule, Path, Reason, Until model.String
}

// LintFeatures are the values of features: httpd sends AJP secrets though it is
// older than 2.4.42, and the application takes the forwarded headers over.
var LintFeatures = []string{"ajp-secret", "forwarded-by-app"}

// MaxSize is the largest clowder.toml that is read, in bytes.
const MaxSize = 32 << 20

// Parse reads one file. The findings have the IDs C101 (syntax), C102 (unknown
// key) and C103 (wrong type); Doc is usable as far as the file could be read.
func Parse(f *diag.File) (*Doc, diag.List) {
	d := &decoder{doc: &Doc{File: f}}
	if len(f.Data) > MaxSize {
		d.add("C101", "toml-syntax", diag.At(f, 0, 0), fmt.Sprintf("the file has more than %d MiB", MaxSize>>20))
		return d.doc, d.diags
	}
	if at := tooDeep(f.Data); at >= 0 {
		d.add("C101", "toml-syntax", diag.At(f, at, at+1), fmt.Sprintf("this is nested more than %d deep", maxDepth))
		return d.doc, d.diags
	}
	var ok bool // before the library, which joins the names of each key, too
	if d.keys, ok = scanKeys(f); !ok {
		d.add("C101", "toml-syntax", diag.At(f, 0, 0), "the keys and the names of their tables are longer than the size of the file explains")
		return d.doc, d.diags
	}
	var tree map[string]any
	if _, err := toml.Decode(string(f.Data), &tree); err != nil {
		d.syntax(err)
		return d.doc, d.diags
	}
	d.doc.keys = d.keys
	d.root(tree)
	d.diags.Sort([]*diag.File{f})
	return d.doc, d.diags
}

type decoder struct {
	doc   *Doc
	keys  map[string]place
	diags diag.List
}

func (d *decoder) add(id, name string, at diag.Span, msg string) {
	if len(d.diags) >= maxFindings {
		return
	}
	d.diags.Add(diag.Diagnostic{ID: id, Name: name, Severity: diag.Error, Confidence: diag.Certain, Span: at, Message: msg})
}

func (d *decoder) syntax(err error) {
	var pe toml.ParseError
	at, msg := diag.At(d.doc.File, 0, 0), err.Error()
	if errors.As(err, &pe) {
		start := min(max(0, pe.Position.Start), len(d.doc.File.Data)) // the library may count from -1
		at = diag.At(d.doc.File, start, min(start+max(0, pe.Position.Len), len(d.doc.File.Data)))
		if pe.Message != "" {
			msg = pe.Message
		}
	}
	d.add("C101", "toml-syntax", at, strings.TrimSuffix(strings.TrimPrefix(msg, "toml: "), "."))
}

// root takes the settings out of the tree and decodes the rest as a setup.
func (d *decoder) root(tree map[string]any) {
	s := &d.doc.Settings
	s.Versions = d.stringTable("versions", tree)
	s.Hosts = d.stringTable("hosts", tree)
	s.FrontEnds = d.namedFiles("frontends", tree)
	s.Nodes = d.namedFiles("nodes", tree)
	d.lint(tree)
	delete(tree, "lint")
	_, front := tree["frontend"]
	_, node := tree["node"]
	setup := &model.Setup{Files: []*diag.File{d.doc.File}}
	d.table("", tree, reflect.ValueOf(setup).Elem(), settingNames(rootKeys)...)
	var fronts, nodes []model.String
	for _, f := range setup.FrontEnds {
		fronts = append(fronts, f.Name)
	}
	for _, n := range setup.Nodes {
		nodes = append(nodes, n.Name)
	}
	d.unique("front end", fronts)
	d.unique("node", nodes)
	if front || node {
		d.doc.Setup = setup
	}
}

func (d *decoder) stringTable(key string, tree map[string]any) map[string]model.String {
	raw, ok := tree[key]
	delete(tree, key)
	if !ok {
		return nil
	}
	m, ok := raw.(map[string]any)
	if !ok {
		d.wrongType(key, "a table")
		return nil
	}
	out := make(map[string]model.String, len(m))
	for _, k := range d.ordered(key, m) {
		if v, ok := m[k].(string); ok {
			out[k] = model.Is(v, d.keys[join(key, k)].Value)
		} else {
			d.wrongType(join(key, k), "a string")
		}
	}
	return out
}

// namedFiles reads a table of files in the order in which they stand.
func (d *decoder) namedFiles(key string, tree map[string]any) []NamedFile {
	m := d.stringTable(key, tree)
	out := make([]NamedFile, 0, len(m))
	for name, file := range m {
		out = append(out, NamedFile{model.Is(name, d.keys[join(key, name)].Key), file})
	}
	slices.SortFunc(out, func(a, b NamedFile) int { return cmp.Compare(a.Name.Span.Start, b.Name.Span.Start) })
	return out
}

func (d *decoder) lint(tree map[string]any) {
	raw, ok := tree["lint"]
	if !ok {
		return
	}
	m, ok := raw.(map[string]any)
	if !ok {
		d.wrongType("lint", "a table")
		return
	}
	l := &d.doc.Settings.Lint
	l.Severity = d.prefixed("lint", "severity", m)
	for _, k := range d.ordered("lint", m) {
		path := join("lint", k)
		switch k {
		case "disable", "enable":
			list := d.strings(path, m[k])
			if k == "disable" {
				l.Disable = list
			} else {
				l.Enable = list
			}
		case "features":
			l.Features = d.strings(path, m[k])
			for _, f := range l.Features {
				if !slices.Contains(LintFeatures, f.V) {
					d.add("C103", "wrong-type", f.Span, fmt.Sprintf("%q is no feature; known are %s", f.V, strings.Join(LintFeatures, " and ")))
				}
			}
		case "fail_on":
			d.text(path, m[k], &l.FailOn)
		case "baseline":
			d.text(path, m[k], &l.Baseline)
		case "min_confidence":
			d.text(path, m[k], &l.MinConfidence)
		case "ignore":
			d.ignores(path, m[k], l)
		default:
			d.unknown(path, k, settingNames(lintKeys))
		}
	}
}

func (d *decoder) text(path string, raw any, v *model.String) {
	if s, ok := raw.(string); ok {
		*v = model.Is(s, d.keys[path].Value)
	} else {
		d.wrongType(path, "a string")
	}
}

// ignores reads the tables [[lint.ignore]]; rule and reason are required.
func (d *decoder) ignores(path string, raw any, l *LintSettings) {
	list, ok := raw.([]map[string]any)
	if !ok {
		d.wrongType(path, "a list of tables, written [[lint.ignore]]")
		return
	}
	for i, m := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		ig := Ignore{At: d.keys[at].Key}
		for _, k := range d.ordered(at, m) {
			key := join(at, k)
			switch k {
			case "rule":
				d.text(key, m[k], &ig.Rule)
			case "path":
				d.text(key, m[k], &ig.Path)
			case "reason":
				d.text(key, m[k], &ig.Reason)
			case "until":
				if t, ok := m[k].(time.Time); ok {
					ig.Until = model.Is(t.Format(time.DateOnly), d.keys[key].Value)
				} else {
					d.text(key, m[k], &ig.Until)
				}
				if _, err := time.Parse(time.DateOnly, ig.Until.V); err != nil && ig.Until.V != "" {
					d.add("C103", "wrong-type", ig.Until.Span, "`until` must be a day, such as 2027-03-01")
				}
			default:
				d.unknown(key, k, settingNames(ignoreKeys))
			}
		}
		if ig.Rule.V == "" || ig.Reason.V == "" {
			d.add("C103", "wrong-type", ig.At, "[[lint.ignore]] needs a rule and a reason")
		}
		l.Ignore = append(l.Ignore, ig)
	}
}

func (d *decoder) prefixed(prefix, key string, m map[string]any) map[string]model.String {
	raw, ok := m[key]
	delete(m, key)
	if !ok {
		return nil
	}
	inner, ok := raw.(map[string]any)
	if !ok {
		d.wrongType(join(prefix, key), "a table")
		return nil
	}
	out := make(map[string]model.String, len(inner))
	for k, v := range inner {
		if s, ok := v.(string); ok {
			out[k] = model.Is(s, d.keys[join(join(prefix, key), k)].Value)
		} else {
			d.wrongType(join(join(prefix, key), k), "a string")
		}
	}
	return out
}

// table fills a model struct from a TOML table. more are keys that are taken
// already, for suggestions.
func (d *decoder) table(path string, m map[string]any, v reflect.Value, more ...string) {
	keys := keysOf(v.Type())
	if at := v.FieldByName("At"); at.IsValid() {
		at.Set(reflect.ValueOf(d.keys[path].Key))
	}
	component, isComponent := v.Addr().Interface().(*model.Component)
	meant := map[string]bool{} // keys that a wrong one is likely to stand for
	for _, k := range d.ordered(path, m) {
		i, ok := keys.byName[k]
		switch {
		case ok:
			d.field(join(path, k), m[k], keys.list[i], v.FieldByIndex(keys.list[i].Index))
		case isComponent:
			d.attribute(join(path, k), k, m[k], &component.Attrs)
		default:
			known := append([]string(nil), more...)
			for _, f := range keys.list {
				known = append(known, f.Key)
			}
			meant[d.unknown(join(path, k), k, known)] = true
		}
	}
	for _, k := range keys.list {
		if _, ok := m[k.Key]; k.Required && !ok && !meant[k.Key] {
			d.add("C103", "wrong-type", d.keys[path].Key, fmt.Sprintf("%s needs the key %q", tableName(path), k.Key))
		}
	}
}

// tableName is the header of the table at a path, for sentences about it.
func tableName(path string) string {
	name := index.ReplaceAllString(path, "")
	if strings.HasSuffix(path, "]") {
		return "[[" + name + "]]"
	}
	return "[" + name + "]"
}

var index = regexp.MustCompile(`\[\d+\]`)

func (d *decoder) field(path string, raw any, k Key, v reflect.Value) {
	f := k.Field
	switch f.Kind {
	case model.ScalarField:
		d.scalar(path, raw, k, v)
	case model.ListField:
		v.Set(reflect.ValueOf(d.strings(path, raw)))
	case model.StructField:
		if m, ok := raw.(map[string]any); ok {
			v.Set(d.element(path, m, f))
		} else {
			d.wrongType(path, "one table, written "+tableName(path))
		}
	case model.ArrayField:
		d.array(path, raw, f, v)
	case model.AttrsField, model.TableField:
		d.pairs(path, raw, f, v)
	}
}

func (d *decoder) array(path string, raw any, f model.Field, v reflect.Value) {
	var list []map[string]any
	switch raw := raw.(type) {
	case []map[string]any:
		list = raw
	case []any:
		for _, x := range raw {
			m, ok := x.(map[string]any)
			if !ok {
				d.wrongType(path, "a list of tables")
				return
			}
			list = append(list, m)
		}
	default:
		d.wrongType(path, "a list of tables, written [["+f.Key+"]]")
		return
	}
	for i, m := range list {
		v.Set(reflect.Append(v, d.element(fmt.Sprintf("%s[%d]", path, i), m, f)))
	}
}

// element makes the struct of one table. A component whose key says what element
// it is needs not say it again.
func (d *decoder) element(path string, m map[string]any, f model.Field) reflect.Value {
	p := reflect.New(f.Type)
	d.table(path, m, p.Elem())
	switch c := p.Interface().(type) {
	case *model.Component:
		if e := model.ImpliedElement(f.Key); e != "" && !c.Element.IsSet() {
			c.Element = model.Is(e, c.At)
		}
		slices.SortStableFunc(c.Attrs, func(a, b *model.Attr) int { return cmp.Compare(a.At.Start, b.At.Start) })
	case *model.Section:
		if c.Mapping != nil && !c.Mapping.Path.IsSet() {
			c.Mapping.Path = c.Path // as ProxyPass in a Location
		}
	}
	return p
}

// unique reports names of front ends and nodes that stand twice.
func (d *decoder) unique(what string, names []model.String) {
	seen := map[string]diag.Span{}
	for _, n := range names {
		if first, ok := seen[n.V]; ok && n.IsSet() {
			d.add("C103", "wrong-type", n.Span, fmt.Sprintf("the %s of %s is called %q, too; names must differ", what, first.Short(), n.V))
		}
		seen[n.V] = n.Span
	}
}

// pairs reads the tables that keep an order: attributes and modules.
func (d *decoder) pairs(path string, raw any, f model.Field, v reflect.Value) {
	m, ok := raw.(map[string]any)
	if !ok {
		d.wrongType(path, "a table")
		return
	}
	if f.Kind == model.AttrsField {
		attrs := v.Addr().Interface().(*[]*model.Attr)
		for _, k := range d.ordered(path, m) {
			d.attribute(join(path, k), k, m[k], attrs)
		}
		return
	}
	mods := v.Addr().Interface().(*[]*model.Module)
	for _, k := range d.ordered(path, m) {
		p := d.keys[join(path, k)]
		file, ok := m[k].(string)
		if !ok {
			d.wrongType(join(path, k), "a string")
			continue
		}
		*mods = append(*mods, &model.Module{At: p.Key, Name: model.Is(model.DecodeText(k), p.Key), File: model.Is(model.DecodeText(file), p.Value)})
	}
}

func (d *decoder) attribute(path, name string, raw any, into *[]*model.Attr) {
	s, ok := raw.(string)
	if !ok {
		d.wrongType(path, "a string")
		return
	}
	p := d.keys[path]
	*into = append(*into, &model.Attr{At: p.Key, Name: model.DecodeText(name), Value: model.Is(model.DecodeText(s), p.Value)})
}

func (d *decoder) strings(path string, raw any) []model.String {
	list, ok := raw.([]any)
	if !ok {
		d.wrongType(path, "a list of strings")
		return nil
	}
	out := make([]model.String, 0, len(list))
	for i, x := range list {
		el := fmt.Sprintf("%s[%d]", path, i)
		if s, ok := x.(string); ok {
			out = append(out, model.Is(model.DecodeText(s), d.keys[el].Value))
		} else {
			d.wrongType(el, "a string")
		}
	}
	return out
}

func (d *decoder) scalar(path string, raw any, k Key, v reflect.Value) {
	x, want := convert(raw, k.Type)
	if text, ok := x.(string); ok && want == "" && !k.allows(text) {
		want = "one of " + strings.Join(k.Words, ", ")
	}
	if want != "" {
		d.wrongType(path, want)
		return
	}
	model.SetAny(v, x, d.keys[path].Value)
}

// allows reports whether a text is one of the words of the key.
func (k Key) allows(text string) bool {
	return k.Words == nil || k.Open || slices.ContainsFunc(k.Words, func(w string) bool { return len(w) == len(text) && strings.EqualFold(w, text) })
}

// Whole numbers are those of C and Java.
const (
	minInt = math.MinInt32
	maxInt = math.MaxInt32
)

// convert turns a TOML value into a model scalar, or says what was wanted.
func convert(raw any, t reflect.Type) (x any, want string) {
	switch t {
	case reflect.TypeFor[string]():
		if s, ok := raw.(string); ok {
			return model.DecodeText(s), ""
		}
		return nil, "a string"
	case reflect.TypeFor[bool]():
		if b, ok := raw.(bool); ok {
			return b, ""
		}
		return nil, "true or false"
	case reflect.TypeFor[int]():
		if n, ok := raw.(int64); ok && n >= minInt && n <= maxInt {
			return int(n), ""
		}
		return nil, "a whole number of at most 32 bits"
	case reflect.TypeFor[float64]():
		switch n := raw.(type) {
		case float64:
			return n, ""
		case int64:
			return float64(n), ""
		}
		return nil, "a number"
	}
	switch n := raw.(type) {
	case string:
		if dur, err := time.ParseDuration(n); err == nil {
			return dur, ""
		}
	case int64:
		if n >= 0 && n < math.MaxInt64/int64(time.Second) {
			return time.Duration(n) * time.Second, ""
		}
	}
	return nil, `a time such as "60s" or "500ms", or a whole number of seconds`
}

func (d *decoder) wrongType(path, want string) {
	p, ok := d.keys[path]
	if !ok {
		p = d.keys[path+"[0]"] // tables where there should be none
	}
	at := p.Value
	if !at.IsValid() {
		at = p.Key
	}
	d.add("C103", "wrong-type", at, fmt.Sprintf("%q must be %s", lastKey(path), want))
}

// unknown reports a key that there is not, and returns the one that was meant.
func (d *decoder) unknown(path, key string, known []string) (meant string) {
	msg := fmt.Sprintf("unknown key %q", key)
	if meant = diag.Suggest(key, known); meant != "" {
		msg += fmt.Sprintf("; did you mean %q?", meant)
	}
	p, ok := d.keys[path]
	if !ok {
		p = d.keys[path+"[0]"]
	}
	d.add("C102", "unknown-key", p.Key, msg)
	return meant
}

func lastKey(path string) string {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[i+1:]
	}
	return path
}

// ordered lists the keys of a table in the order in which they stand in the file.
func (d *decoder) ordered(path string, m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	at := func(k string) int32 {
		p := join(path, k)
		if pl, ok := d.keys[p]; ok {
			return pl.Key.Start
		}
		return d.keys[p+"[0]"].Key.Start
	}
	sort.Slice(keys, func(i, j int) bool {
		if a, b := at(keys[i]), at(keys[j]); a != b {
			return a < b
		}
		return keys[i] < keys[j]
	})
	return keys
}
