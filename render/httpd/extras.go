package httpd

import (
	"slices"
	"strings"

	"clowder/parse/known"
	"clowder/parse/model"
)

// extras writes directives that the model keeps as they stand. What 2.4 has no
// more is translated or left out.
func (w *writer) extras(list []*model.Directive) {
	for _, d := range list {
		w.extra(d)
	}
}

func (w *writer) extra(d *model.Directive) {
	name := strings.ToLower(d.Name.V)
	if !writable(append(texts(d.Args), d.Name.V)...) || d.Name.V == "" || strings.ContainsAny(d.Name.V, " \t\"'<>#\\") {
		w.loseExtra(d, unwritable)
		return
	}
	if strings.HasPrefix(name, "jk") {
		w.jkLeft(name, d)
		return
	}
	if old, ok := removed[name]; ok {
		old(w, d)
		return
	}
	info, ok := known.Directive(d.Name.V)
	if ok && info.Versions&known.V24 == 0 {
		w.loseExtra(d, "httpd 2.4 has no such directive")
		return
	}
	if ok && strings.Contains(info.Module, "prefork") && !strings.Contains(info.Module, "worker") {
		w.mods.use("mpm_prefork")
	}
	w.mods.directive(d.Name.V)
	w.namedModules(name, d)
	if d.Section.V {
		switch name {
		case "requireall", "requireany", "requirenone":
			// A part of a group whose other rules stand in the model: beside them it
			// would let in whom the group refuses.
			w.lost = true
			w.led.Closed("a <Limit> inside of a group of rules is not written, so every request is refused", "<Limit> with all rules of the group in it", d)
			return
		}
		w.extraSection(d)
		return
	}
	words := quoteAll(texts(d.Args))
	switch name {
	case "options":
		if words = w.options(d); words == nil {
			return
		}
	case "rewriterule", "rewritecond":
		if words = rewriteWords(d.Args); words == nil {
			w.loseExtra(d, "no line of httpd can hold its words")
			return
		}
	case "sslrequire", "extfilterdefine", "proxyhcexpr":
		words[len(words)-1] = d.Args[len(d.Args)-1].V // read to the end of the line as it stands
	}
	w.put(d, d.Name.V, words...)
}

// filterModules are the modules of filters that directives name.
var filterModules = map[string]string{"deflate": "deflate", "inflate": "deflate", "includes": "include", "substitute": "substitute",
	"brotli_compress": "brotli", "rate_limit": "ratelimit", "proxy-html": "proxy_html", "xml2enc": "xml2enc", "sed": "sed", "cache": "cache"}

// namedModules asks for modules that words of a directive name: filters, caches of
// sessions, levels of single modules.
func (w *writer) namedModules(name string, d *model.Directive) {
	for _, a := range texts(d.Args) {
		low := strings.ToLower(a)
		switch {
		case strings.Contains(name, "filter"):
			for f := range strings.SplitSeq(low, ";") {
				if m := filterModules[f]; m != "" {
					w.mods.use(m)
				}
			}
		case name == "sslsessioncache" || name == "sslstaplingcache" || name == "cachesocache" || name == "authnsocacheprovide":
			for _, kind := range []string{"shmcb", "dbm", "memcache", "redis"} {
				if strings.HasPrefix(low, kind) {
					w.mods.use("socache_" + kind)
				}
			}
		case name == "loglevel":
			if m, _, ok := strings.Cut(low, ":"); ok {
				m = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(m, "mod_"), ".c"), "_module")
				if m != "core" && m != "http" && m != "so" && ours(m) {
					w.mods.use(m)
				}
			}
		}
	}
}

// loseExtra leaves a directive out. One that protects closes what it stands in.
func (w *writer) loseExtra(d *model.Directive, why string) {
	switch {
	case d.Guard.V:
		w.lost = true
		w.led.Closed(why+"; it restricts who may send requests, so every request is refused", "", d)
	case d.Files.V:
		w.filesLost = true
		w.led.Closed(why+"; it restricts access to files, so no file is served", "", d)
	default:
		w.led.Drop(why, "", d)
	}
}

func (w *writer) extraSection(d *model.Directive) {
	head := "<" + d.Name.V
	for i, a := range quoteAll(texts(d.Args)) {
		if n := strings.ToLower(d.Name.V); i == 0 && len(d.Args) == 1 && (n == "if" || n == "elseif" || strings.HasPrefix(n, "directory") || strings.HasPrefix(n, "files")) {
			a = always(d.Args[0].V)
		}
		head += " " + a
	}
	w.gap()
	w.from(d.At)
	w.raw(head + ">")
	w.depth++
	w.led.Exact(d.At, d.Name)
	if a := w.access.made[d]; a != nil {
		w.accessRules(a, true)
		w.markAccess(d)
	}
	for _, c := range d.Children {
		if w.access.made[d] != nil && accessWord(c) {
			continue
		}
		w.extra(c)
	}
	w.close(d.Name.V)
}

// accessWord reports whether a directive in a kept section is about access and
// was taken by [accessOf].
func accessWord(d *model.Directive) bool {
	switch strings.ToLower(d.Name.V) {
	case "order", "allow", "deny", "satisfy", "require", "requireall", "requireany", "requirenone", "authtype", "authname", "authuserfile", "authmerging":
		return true
	}
	return false
}

// markAccess keeps account of the directives that access rules were made of.
func (w *writer) markAccess(d *model.Directive) {
	for _, c := range d.Children {
		if accessWord(c) {
			w.led.Exact(c)
		}
	}
}

// accessOf collects the access rules of a kept section, nil when it has none.
func accessOf(d *model.Directive) *model.Access {
	a := &model.Access{At: d.At}
	found := false
	for _, c := range d.Children {
		if !accessWord(c) {
			continue
		}
		found = true
		first := model.String{}
		if len(c.Args) > 0 {
			first = c.Args[0]
		}
		switch strings.ToLower(c.Name.V) {
		case "order":
			a.Order = first
		case "allow", "deny":
			list := &a.Allow
			if strings.EqualFold(c.Name.V, "deny") {
				list = &a.Deny
			}
			if len(c.Args) > 1 {
				*list = append(*list, c.Args[1:]...)
			}
		case "satisfy":
			a.Satisfy = first
		case "authtype":
			a.AuthType = first
		case "authname":
			a.AuthName = first
		case "authuserfile":
			a.AuthFile = first
		case "authmerging":
			a.Merging = first
		default:
			if a.Require == nil {
				a.Require = &model.Require{At: c.At, Group: model.Def("any")}
			}
			a.Require.Children = append(a.Require.Children, requireOf(c))
		}
	}
	if !found {
		return nil
	}
	return a
}

func requireOf(d *model.Directive) *model.Require {
	r := &model.Require{At: d.At}
	if d.Section.V {
		r.Group = model.Is(strings.TrimPrefix(strings.ToLower(d.Name.V), "require"), d.At)
		for _, c := range d.Children {
			r.Children = append(r.Children, requireOf(c))
		}
		return r
	}
	r.Args = d.Args
	if len(r.Args) > 0 && strings.EqualFold(r.Args[0].V, "not") {
		r.Not, r.Args = model.Is(true, r.Args[0].Span), r.Args[1:]
	}
	return r
}

func rewriteWords(list []model.String) []string {
	out := make([]string, len(list))
	for i, x := range list {
		q, ok := rewriteWord(x.V)
		if !ok {
			return nil
		}
		out[i] = q
	}
	return out
}

// options returns the words of Options. 2.4 refuses words with and without a sign
// on one line; in 2.2 such a line sets those without and changes them by the others.
func (w *writer) options(d *model.Directive) []string {
	signed, plain := 0, 0
	for _, a := range d.Args {
		if strings.HasPrefix(a.V, "+") || strings.HasPrefix(a.V, "-") {
			signed++
		} else {
			plain++
		}
	}
	if signed == 0 || plain == 0 {
		return quoteAll(texts(d.Args))
	}
	out := plainOptions(texts(d.Args))
	w.from(d.At)
	w.raw("Options " + strings.Join(quoteAll(out), " "))
	w.led.Approx("httpd 2.4 refuses options with and without a sign on one line; written are those that result", "Options "+strings.Join(out, " "), d)
	return nil
}

// plainOptions works out what a line of 2.2 with both kinds of words leaves: those
// without a sign and with +, less those with -. All is every option but MultiViews.
func plainOptions(words []string) []string {
	var out []string
	add := func(name string) {
		if !slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, name) }) {
			out = append(out, name)
		}
	}
	drop := func(name string) {
		out = slices.DeleteFunc(out, func(o string) bool { return strings.EqualFold(o, name) })
	}
	for _, w := range words {
		name := strings.TrimLeft(w, "+-")
		names := []string{name}
		switch {
		case strings.EqualFold(name, "all"):
			names = []string{"Indexes", "Includes", "FollowSymLinks", "ExecCGI"}
		case strings.EqualFold(name, "none"):
			continue
		}
		for _, n := range names {
			switch {
			case !strings.HasPrefix(w, "-"):
				add(n)
			case strings.EqualFold(n, "IncludesNOEXEC"):
				drop("Includes")
				fallthrough
			default:
				drop(n)
			}
		}
	}
	if len(out) == 0 {
		return []string{"None"}
	}
	return out
}

// removed are directives of 2.2 that 2.4 does without or has under another name.
var removed = map[string]func(*writer, *model.Directive){
	"namevirtualhost":             gone("httpd 2.4 needs no line for it", ""),
	"lockfile":                    gone("httpd 2.4 chooses its own lock", "Mutex"),
	"acceptmutex":                 gone("httpd 2.4 chooses its own lock", "Mutex"),
	"sslmutex":                    gone("httpd 2.4 chooses its own lock", "Mutex"),
	"rewritelock":                 gone("httpd 2.4 chooses its own lock", "Mutex"),
	"defaulttype":                 defaultType,
	"rewritelog":                  gone("httpd 2.4 logs rewriting into its error log", "LogLevel rewrite:trace3"),
	"rewriteloglevel":             gone("httpd 2.4 logs rewriting into its error log", "LogLevel rewrite:trace3"),
	"cookielog":                   gone("httpd 2.4 has no log of cookies of its own", "CustomLog"),
	"win32disableacceptex":        gone("httpd 2.4 has another directive for it", "AcceptFilter http none"),
	"authdefaultauthoritative":    gone("httpd 2.4 decides by its Require groups", ""),
	"authzdefaultauthoritative":   gone("httpd 2.4 decides by its Require groups", ""),
	"authzuserauthoritative":      gone("httpd 2.4 decides by its Require groups", ""),
	"authzgroupfileauthoritative": gone("httpd 2.4 decides by its Require groups", ""),
	"authzdbmauthoritative":       gone("httpd 2.4 decides by its Require groups", ""),
	"authzownerauthoritative":     gone("httpd 2.4 decides by its Require groups", ""),
	"authzldapauthoritative":      gone("httpd 2.4 decides by its Require groups", ""),
	"maxclients":                  named("MaxRequestWorkers"),
	"maxrequestsperchild":         named("MaxConnectionsPerChild"),
	"loadmodule":                  func(w *writer, d *model.Directive) { w.led.Exact(d) },
}

func gone(why, means string) func(*writer, *model.Directive) {
	return func(w *writer, d *model.Directive) { w.led.Approx(why+"; the line was left out", means, d) }
}

func named(name string) func(*writer, *model.Directive) {
	return func(w *writer, d *model.Directive) { w.fact(d, name, texts(d.Args)...) }
}

func defaultType(w *writer, d *model.Directive) {
	if len(d.Args) > 0 && strings.EqualFold(d.Args[0].V, "none") {
		w.led.Exact(d)
		return
	}
	w.led.Drop("httpd 2.4 gives no type to files of unknown kind", "ForceType", d)
}
