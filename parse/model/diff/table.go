package diff

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"clowder/parse/model"
)

// identity says how elements of one type find each other in two lists.
type identity struct {
	// show names the keys that make the element's name.
	show string
	// match lists passes, separated by "|": keys that must agree, "?" in front where
	// only a lone element counts, "*" for everything that the element says. Without
	// keys behind it, "?" pairs the only ones left.
	match string
	// meet reports whether the order of two elements matters; nil: of none.
	meet func(x, y any) bool
}

// identities holds the identity of every type that stands in a list. The keys are
// those of the type and of derived.
var identities = map[string]identity{
	"FrontEnd":     {show: "name", match: "name | ?"},
	"Listen":       {show: "socket", match: "* | socket | ?port | ?"},
	"Balancer":     {show: "name", match: "name"},
	"Member":       {show: "url", match: "url | ?route"},
	"Mapping":      {show: "path", match: "* | path regex target | path regex | path", meet: meetBy(mappingPath)},
	"Alias":        {show: "path", match: "* | path regex | path", meet: meetBy(aliasPath)},
	"Redirect":     {show: "path", match: "* | path regex | path", meet: meetBy(redirectPath)},
	"Section":      {show: "title", match: "* | kind path", meet: meetBy(sectionPath)},
	"Reverse":      {show: "from", match: "* | from | to", meet: meetBy(reversePath)},
	"HeaderRule":   {show: "rule", match: "* | rule condition | rule | request name", meet: sameHeader},
	"Env":          {show: "variable", match: "* | variable", meet: always},
	"ErrorDoc":     {show: "status", match: "* | status", meet: sameStatus},
	"Log":          {show: "file name", match: "* | file name | name | file"},
	"RewriteRule":  {show: "pattern", match: "* | pattern target | pattern", meet: always},
	"RewriteCond":  {show: "test pattern", match: "* | test", meet: always},
	"Directive":    {show: "title", match: "* | title | name", meet: sameName},
	"Node":         {show: "name", match: "name | ?jvmRoute | ?"},
	"Service":      {show: "name", match: "name | ?"},
	"Connector":    {show: "kind socket", match: "kind socket | kind port | port | ?kind | ?"},
	"Host":         {show: "name", match: "name | ?"},
	"Context":      {show: "place", match: "place"},
	"AccessLog":    {show: "prefix", match: "* | directory prefix | ?"},
	"Interceptor":  {show: "class", match: "* | class", meet: always},
	"StaticMember": {show: "host port", match: "* | host port | ?uniqueId"},
	"Component":    {show: "title", match: "* | title | element className", meet: bothValves},
	"Server":       {show: "title", match: "addresses ServerName ServerAlias | addresses ServerName | ?ports ServerName | ?ServerName | ?addresses"},
}

// skipped are fields that say nothing about what the servers do, and those that
// are compared apart.
var skipped = map[string]bool{
	"FrontEnd.name": true, "FrontEnd.ServerRoot": true, "FrontEnd.module": true,
	"FrontEnd.server": true, "FrontEnd.virtualhost": true,
	"Node.name":       true,
	"Directive.guard": true, "Directive.fileguard": true, "Directive.section": true, // follow from the name
}

// onlyWritten are keys whose guesses do not count.
var onlyWritten = map[string]bool{"version": true}

// following are keys whose defaults follow from other values, which are compared.
var following = map[string]bool{"ProxyTimeout": true}

// transparent types say nothing by being there: an empty one is as good as none.
var transparent = map[string]bool{"Access": true, "TLS": true, "Rewrite": true, "Server": true}

// sets are lists without an order.
var sets = map[string]bool{
	"Server.addresses": true, "Server.ServerAlias": true, "Access.Allow": true, "Access.Deny": true,
	"Host.alias": true, "Rewrite.RewriteOptions": true,
}

// defaults are values of httpd that the model's tags do not hold, since an unset
// one has yet to inherit there (the manual pages of mod_ssl and mod_alias).
var defaults = map[string]string{
	"TLS.SSLEngine": "off", "TLS.SSLProtocol": "all -SSLv3", "TLS.SSLHonorCipherOrder": "false",
	"TLS.SSLVerifyClient": "none", "TLS.SSLVerifyDepth": "1", "TLS.SSLUseStapling": "false",
	"TLS.SSLProxyEngine": "false", "TLS.SSLProxyVerify": "none", "TLS.SSLProxyVerifyDepth": "1",
	"TLS.SSLProxyCheckPeerName": "true", "TLS.SSLProxyCheckPeerCN": "true", "TLS.SSLProxyCheckPeerExpire": "true",
	"TLS.SSLProxyProtocol": "all -SSLv3", "Redirect.status": "302", "Context.cookieSecure": "false",
}

// plainFlags are types whose true-or-false values are words that stand there or not.
var plainFlags = map[string]bool{
	"Mapping": true, "Redirect": true, "Alias": true, "HeaderRule": true, "Directive": true, "Reverse": true,
}

// meanings bring values that say the same into one form. A key counts for its type,
// or without one for all.
var meanings = map[string]func(string) string{
	"Server.addresses": address, "Server.ServerName": strings.ToLower, "Server.ServerAlias": strings.ToLower,
	"ProxyVia": strings.ToLower, "ProxyStatus": strings.ToLower, "ProxyBadHeader": strings.ToLower,
	"UseCanonicalName": strings.ToLower, "AllowEncodedSlashes": strings.ToLower, "TraceEnable": strings.ToLower,
	"ProxyErrorOverride": words, "Balancer.name": strings.ToLower, "Balancer.lbmethod": strings.ToLower,
	"Balancer.stickysession": sticky, "Member.url": workerURL, "Member.flushpackets": strings.ToLower,
	"Member.hcmethod": strings.ToLower, "Member.hctemplate": strings.ToLower, "Listen.protocol": strings.ToLower,
	"Listen.address": strings.ToLower, "Satisfy": words, "Access.Allow": strings.ToLower, "Access.Deny": strings.ToLower,
	"AuthType": strings.ToLower, "RewriteOptions": strings.ToLower, "HeaderRule.name": strings.ToLower, "HeaderRule.rule": strings.ToLower,
	"SSLEngine": words, "SSLProtocol": words, "SSLVerifyClient": words, "SSLProxyVerify": words,
	"SSLProxyProtocol": words, "Directive.name": strings.ToLower, "Env.directive": strings.ToLower,
	"Host.name": strings.ToLower, "Host.alias": strings.ToLower, "Engine.defaultHost": strings.ToLower,
}

func words(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// address brings an address of <VirtualHost> into one form; _default_ is another
// word for * (server/vhost.c).
func address(s string) string {
	s = strings.ToLower(s)
	if rest, ok := strings.CutPrefix(s, "_default_"); ok {
		s = "*" + rest
	}
	return strings.TrimSuffix(s, ":*")
}

// sticky completes COOKIE, which stands for the cookie and the path parameter.
func sticky(s string) string {
	if s == "" || strings.Contains(s, "|") {
		return s
	}
	return s + "|" + s
}

// workerURL writes scheme and host in lower case and the port that is meant.
func workerURL(s string) string {
	scheme, host, port, ok := model.SplitURL(s)
	if !ok || port == 0 {
		return s
	}
	_, rest, _ := strings.Cut(s, "://")
	path := ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		path = rest[i:]
	}
	return scheme + "://" + host + ":" + strconv.Itoa(port) + path
}

// field is a field of the model with what the tables say about it.
type field struct {
	model.Field
	skip  bool                // says nothing
	set   bool                // a list without an order
	def   any                 // the server's default, nil for none
	means func(string) string // nil: the words themselves
	text  func(any) rendered  // for a struct that is compared as one value
}

var fieldCache sync.Map // reflect.Type → []field

// fieldsOf lists the fields of a type.
func fieldsOf(t reflect.Type) []field {
	if l, ok := fieldCache.Load(t); ok {
		return l.([]field)
	}
	var out []field
	for _, f := range model.Fields(t) {
		id := t.Name() + "." + f.Key
		x := field{Field: f, skip: skipped[id], set: sets[id], means: meanings[id], text: asText[id]}
		if x.means == nil {
			x.means = meanings[f.Key]
		}
		if text := cmp.Or(f.Default, defaults[id]); f.Kind == model.ScalarField && text != "" {
			x.def = model.ParseDefault(text, f.Type)
		} else if f.Kind == model.ScalarField && f.Type.Kind() == reflect.Bool && plainFlags[t.Name()] {
			x.def = false
		}
		out = append(out, x)
	}
	fieldCache.Store(t, out)
	return out
}

// meaning brings a word into the form that is compared.
func (f *field) meaning(s string) string {
	if f.means == nil {
		return s
	}
	return f.means(s)
}

// said returns what a value amounts to: written, inferred, or the default.
func (f *field) said(v reflect.Value) model.AnyValue {
	if unset(v) {
		if f.def == nil {
			return model.AnyValue{}
		}
		return model.AnyValue{V: f.def, Origin: model.Default}
	}
	return model.Any(v)
}

// passes are the ways to find counterparts of elements of the type; at last, of
// those without any key, by all that they say.
func (id identity) passes(t reflect.Type) []pass {
	var out []pass
	for p := range strings.SplitSeq(id.match, "|") {
		p, unique := strings.CutPrefix(strings.TrimSpace(p), "?")
		keys := strings.Fields(p)
		key := func(v reflect.Value) string { return keyOf(v.Elem(), keys) }
		switch {
		case p == "*":
			key = fingerprint
		case len(keys) == 0:
			key = func(reflect.Value) string { return "the only one" }
		}
		out = append(out, pass{key, unique})
	}
	return append(out, pass{key: fingerprint})
}

// keyOf joins the meanings of some keys of an element; "" when it has none of them.
func keyOf(v reflect.Value, keys []string) string {
	var b strings.Builder
	some := false
	for _, k := range keys {
		s := valueOf(v, k, true)
		some = some || s != ""
		b.WriteString(s)
		b.WriteByte(0)
	}
	if !some {
		return ""
	}
	return b.String()
}

// name is how an element is called.
func name(v reflect.Value) string {
	var out []string
	for _, k := range strings.Fields(identities[v.Type().Name()].show) {
		if s := valueOf(v, k, false); s != "" {
			out = append(out, hideIn(s))
		}
	}
	return strings.Join(out, " ")
}

// valueOf returns the value of a key of an element, or of one that is derived; with
// meant in the form that is compared.
func valueOf(v reflect.Value, key string, meant bool) string {
	t := v.Type()
	if d := derived[t.Name()+"."+key]; d != nil {
		s := d(v.Addr().Interface())
		if m := meanings[t.Name()+"."+key]; meant && m != nil {
			s = m(s)
		}
		return s
	}
	for _, f := range fieldsOf(t) {
		if f.Key != key {
			continue
		}
		fv := v.FieldByIndex(f.Index)
		if f.Kind == model.ListField {
			return f.list(fv)
		}
		x := f.said(fv)
		if x.Origin == model.Unset {
			return ""
		}
		s := model.FormatScalar(x.V)
		if meant {
			s = f.meaning(s)
		}
		return s
	}
	panic("diff: " + t.Name() + " has no key " + key)
}

// list writes a list in the form that is compared.
func (f *field) list(v reflect.Value) string {
	words := make([]string, v.Len())
	for i := range words {
		words[i] = model.QuoteWord(f.meaning(v.Index(i).Field(0).String()))
	}
	if f.set {
		slices.Sort(words)
		words = slices.Compact(words)
	}
	return strings.Join(words, " ")
}

// wordNames are the names of lists for people, where the key is none.
var wordNames = map[string]string{
	"frontend": "front end", "virtualhost": "virtual host", "accesslog": "access log", "errordocument": "error document",
	"clusterlistener": "cluster listener", "localmember": "local member", "cond": "condition", "cookiepath": "cookie path",
	"cookiedomain": "cookie domain", "extra": "", "child": "", "directive": "", "setenv": "", "header": "", "section": "",
	"listener": "", "resource": "", "realm": "", "valve": "", "executor": "", "rule": "RewriteRule",
}

// called is what an element of a list or field is called in a path.
func called(key string, p reflect.Value) string {
	w, ok := wordNames[key]
	if !ok {
		w = key
	}
	return strings.TrimSpace(w + " " + name(p.Elem()))
}
