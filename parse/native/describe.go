package native

import (
	"reflect"
	"strings"
	"sync"

	"clowder/parse/known"
	"clowder/parse/model"
)

// Key is one key of clowder.toml and what is known about it. The JSON Schema, the
// page docs/toml.md and the strict reading come from it.
type Key struct {
	model.Field
	Counterpart string   // the directive, parameter or attribute; "" when there is none
	Doc         string   // one sentence
	DefaultText string   // for people; "" when there is none or nobody says
	Words       []string // what a string may be, in any case of letters
	Open        bool     // other words are possible, too
	Required    bool
}

// Keys describes the keys of a model struct, in the order of the TOML.
func Keys(t reflect.Type) []Key {
	fields := model.Fields(t)
	out := make([]Key, len(fields))
	for i, f := range fields {
		out[i] = describe(t, f)
	}
	return out
}

// keyTable is what the reader needs of the keys of a struct.
type keyTable struct {
	list   []Key
	byName map[string]int
}

var keyTables sync.Map // reflect.Type -> *keyTable

func keysOf(t reflect.Type) *keyTable {
	if k, ok := keyTables.Load(t); ok {
		return k.(*keyTable)
	}
	k := &keyTable{list: Keys(t), byName: map[string]int{}}
	for i, key := range k.list {
		k.byName[key.Key] = i
	}
	keyTables.Store(t, k)
	return k
}

// elements are the Tomcat elements, or classes, whose attributes a struct's keys
// are; the first that knows one counts.
var elements = map[string][]string{
	"Node": {"Server"}, "Service": {"Service"}, "Connector": {"Connector"}, "Engine": {"Engine"}, "Host": {"Host"}, "Context": {"Context"},
	"AccessLog": {"AccessLogValve"}, "Cluster": {"Cluster"}, "Manager": {"DeltaManager", "BackupManager", "StandardManager", "Manager"},
	"Channel": {"GroupChannel", "Channel"}, "Membership": {"McastService", "Membership"}, "Receiver": {"NioReceiver", "Receiver"},
	"Sender": {"Sender"}, "Transport": {"PooledParallelSender", "Transport"}, "Interceptor": {"Interceptor"}, "StaticMember": {"StaticMember", "Member"},
}

// elementNames are what a struct's element is called, where it is not the first of
// [elements].
var elementNames = map[string]string{
	"AccessLog": "Valve", "Manager": "Manager", "Channel": "Channel", "Membership": "Membership", "Receiver": "Receiver", "Transport": "Transport", "StaticMember": "Member",
}

// required are the keys without which a table says nothing.
var required = map[string]bool{
	"Node.name": true, "Balancer.name": true, "Member.url": true, "Mapping.target": true, "Section.kind": true, "Listen.port": true,
	"Directive.name": true, "Alias.path": true, "Alias.file": true, "HeaderRule.action": true, "HeaderRule.name": true, "Env.directive": true,
	"ErrorDoc.status": true, "App.kind": true,
}

func describe(t reflect.Type, f model.Field) Key {
	k := Key{Field: f, Required: required[t.Name()+"."+f.Key]}
	k.DefaultText = f.Default
	if s := settingDefaults[f.Key]; s != "" {
		k.DefaultText = s
	}
	text, ok := textOf(t, f)
	switch {
	case ok:
		k.Counterpart, k.Doc = text.counterpart, text.doc
		if text.words != "" {
			k.Words = strings.Split(text.words, "|")
			if last := len(k.Words) - 1; k.Words[last] == "…" {
				k.Words, k.Open = k.Words[:last], true
			}
		}
	case !k.fromTomcat(t.Name()):
		k.fromHTTPD()
	}
	return k
}

// settingDefaults are the defaults that [model.FrontEnd.Effective] and
// [model.Node.ApplyDefaults] fill in by rules of their own.
var settingDefaults = map[string]string{
	"connectionTimeout": "60000, of AJP -1", "secretRequired": "true; false before 7.0.100, 8.5.51 and 9.0.31", "tomcatAuthentication": "true",
	"ProxyPreserveHost": "false", "ProxyErrorOverride": "Off", "ProxyAddHeaders": "true", "Proxy100Continue": "true", "ProxyPassInterpolateEnv": "false",
}

// textOf finds what is said by hand: of the struct's own key, or, for settings that
// a section shares with the server, of the server's.
func textOf(t reflect.Type, f model.Field) (keyText, bool) {
	names := []string{t.Name() + "." + f.Key}
	if t == reflect.TypeFor[model.Section]() || t == reflect.TypeFor[model.Settings]() {
		names = append(names, "Server."+f.Key)
	}
	if f.Kind == model.AttrsField {
		names = append(names, "*.attributes")
	}
	if f.Type == reflect.TypeFor[model.Component]() || f.Type == reflect.TypeFor[model.AccessLog]() {
		names = append(names, "*."+f.Key)
	}
	for _, n := range names {
		for _, table := range []map[string]keyText{httpdKeys, tomcatKeys} {
			if text, ok := table[n]; ok {
				return text, true
			}
		}
	}
	return keyText{}, false
}

// fromTomcat takes what Tomcat's manual says of the attribute.
func (k *Key) fromTomcat(name string) bool {
	for _, e := range elements[name] {
		a, ok := known.Attribute(e, k.Key, "")
		if !ok {
			continue
		}
		element := elementNames[name]
		if element == "" {
			element = elements[name][0]
		}
		k.Counterpart, k.Doc = element+" "+a.Name, sentence(a.Help)
		if fact, ok := a.In(""); ok && k.DefaultText == "" && fact.Default != "null" {
			k.DefaultText = fact.Default
		}
		return true
	}
	return false
}

// fromHTTPD takes what httpd's manual says of the directive of that name.
func (k *Key) fromHTTPD() {
	d, ok := known.Directive(k.Key)
	if !ok || k.Key[0] >= 'a' {
		return
	}
	k.Counterpart, k.Doc = d.Name, sentence(d.Help)
	if rest, ok := strings.CutPrefix(d.Default, d.Name+" "); ok && k.DefaultText == "" && k.Kind == model.ScalarField {
		rest, _, _ = strings.Cut(rest, " (")
		k.DefaultText = strings.Trim(rest, `"`)
		if on := strings.ToLower(rest); k.Type == reflect.TypeFor[bool]() {
			k.DefaultText = map[string]string{"on": "true", "off": "false"}[on]
		}
	}
	if strict, ok := syntaxWords[k.Key]; ok {
		_, rest, _ := strings.Cut(d.Syntax, " ")
		k.Words, k.Open = strings.Split(strings.ReplaceAll(strings.Trim(rest, "[]"), " ", ""), "|"), !strict
	}
}

// syntaxWords are the directives whose values are the words of the manual's syntax
// line. True: the reading of httpd's files lets no other through.
var syntaxWords = map[string]bool{
	"ProxyVia": true, "ProxyStatus": true, "ProxyBadHeader": true, "UseCanonicalName": true, "AllowEncodedSlashes": true, "TraceEnable": true,
	"Satisfy": true, "SSLEngine": false, "AuthType": false, "AuthMerging": true,
}

// sentence ends a text with a full stop and begins it with a capital letter.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	if c := s[0]; c >= 'a' && c <= 'z' {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}
