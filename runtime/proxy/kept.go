package proxy

import (
	"slices"
	"strconv"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// settingsOf reads directives that the model keeps as they stand as the settings
// of a section. What it cannot read is in left; what is read from Extras, such as
// SetEnvIfExpr and the sections inside, is there.
func settingsOf(list []*model.Directive) (s *model.Settings, left []*model.Directive) {
	s = &model.Settings{}
	for _, d := range list {
		switch {
		case d.Section.V && condSection(d), d.Section.V && limitSection(d), !d.Section.V && fromExtras[strings.ToLower(d.Name.V)]:
			s.Extras = append(s.Extras, d)
		case !keptSetting(s, d) && !keptAccess(&s.Access, d):
			left = append(left, d)
		}
	}
	return s, left
}

// fromExtras are the directives of settings that are read where they are kept.
var fromExtras = map[string]bool{"setenvifexpr": true, "passenv": true, "directoryindex": true, "directoryslash": true,
	"addtype": true, "forcetype": true, "sslrequiressl": true}

// keptSetting reads a directive that has a field in Settings, and reports whether it
// could.
func keptSetting(s *model.Settings, d *model.Directive) bool {
	if d.Section.V || len(d.Args) == 0 {
		return false
	}
	switch name := strings.ToLower(d.Name.V); name {
	case "sethandler":
		s.Handler = d.Args[0]
	case "proxypreservehost":
		return keptFlag(&s.PreserveHost, d)
	case "proxyaddheaders":
		return keptFlag(&s.AddHeaders, d)
	case "proxyerroroverride":
		s.ErrorOverride = model.Is(joinWords(d.Args), d.At)
	case "header", "requestheader":
		return keptHeader(s, d, name == "requestheader")
	case "setenv", "unsetenv", "setenvif", "setenvifnocase", "browsermatch", "browsermatchnocase":
		s.SetEnv = append(s.SetEnv, &model.Env{At: d.At, Directive: d.Name, Args: d.Args})
	case "errordocument":
		code, err := strconv.Atoi(d.Arg(0))
		if err != nil || len(d.Args) != 2 {
			return false
		}
		s.ErrorDocs = append(s.ErrorDocs, &model.ErrorDoc{At: d.At, Status: model.Is(code, d.Args[0].Span), Document: d.Args[1]})
	case "redirect", "redirectmatch", "redirectpermanent", "redirecttemp":
		r := keptRedirect(d, name)
		if r == nil {
			return false
		}
		s.Redirects = append(s.Redirects, r)
	default:
		return false
	}
	return true
}

func joinWords(args []model.String) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a.V
	}
	return strings.Join(words, " ")
}

func keptFlag(to *model.Bool, d *model.Directive) bool {
	if len(d.Args) != 1 {
		return false
	}
	switch strings.ToLower(d.Arg(0)) {
	case "on":
		*to = model.Is(true, d.Args[0].Span)
	case "off":
		*to = model.Is(false, d.Args[0].Span)
	default:
		return false
	}
	return true
}

// keptHeader reads Header and RequestHeader as header_cmd of mod_headers.c; early
// has no place in a section.
func keptHeader(s *model.Settings, d *model.Directive, request bool) bool {
	h := &model.HeaderRule{At: d.At}
	args := d.Args
	switch first := strings.ToLower(args[0].V); {
	case request:
		h.Request = model.Is(true, d.Name.Span)
	case first == "always", first == "onsuccess":
		if first == "always" {
			h.Always = model.Is(true, args[0].Span)
		}
		args = args[1:]
	}
	if len(args) < 2 {
		return false
	}
	h.Action = model.Is(strings.ToLower(args[0].V), args[0].Span)
	name, _, _ := strings.Cut(args[1].V, ":")
	h.Name, args = model.Is(name, args[1].Span), args[2:]
	wants := 1
	switch h.Action.V {
	case "set", "setifempty", "add", "append", "merge", "note":
	case "unset", "echo":
		wants = 0
	case "edit", "edit*":
		wants = 2
	default:
		return false
	}
	if len(args) < wants || len(args) > wants+1 || h.Action.V == "echo" && request {
		return false
	}
	if len(args) > wants {
		if h.Cond = args[wants]; strings.EqualFold(h.Cond.V, "early") {
			return false
		}
	}
	switch wants {
	case 1:
		h.Value = args[0]
	case 2:
		h.Value = model.Is(model.QuoteWord(args[0].V)+" "+model.QuoteWord(args[1].V), args[0].Span)
	}
	s.Headers = append(s.Headers, h)
	return true
}

// keptRedirect reads the four directives as add_redirect_internal of mod_alias.c
// does in a section; nil for what is not understood.
func keptRedirect(d *model.Directive, name string) *model.Redirect {
	r := &model.Redirect{At: d.At}
	args := d.Args
	switch name {
	case "redirectpermanent":
		r.Status = model.Is(301, d.Name.Span)
	case "redirecttemp":
		r.Status = model.Is(302, d.Name.Span)
	default:
		code, ok := map[string]int{"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}[strings.ToLower(args[0].V)]
		if !ok {
			n, err := strconv.Atoi(args[0].V)
			code, ok = n, err == nil
		}
		if ok {
			r.Status, args = model.Is(code, args[0].Span), args[1:]
		}
	}
	if !r.Refuses() {
		if len(args) == 0 {
			return nil
		}
		r.Target, args = args[len(args)-1], args[:len(args)-1]
	}
	if len(args) > 1 || len(args) == 0 && name == "redirectmatch" {
		return nil
	}
	if len(args) == 1 {
		r.Path = args[0]
		if name == "redirectmatch" {
			r.Regex = model.Is(true, d.Name.Span)
		}
	}
	return r
}

// keptAccess reads a directive of access control into a, which is made when it is
// needed, and reports whether it could.
func keptAccess(a **model.Access, d *model.Directive) bool {
	in := *a
	if in == nil {
		in = &model.Access{At: d.At}
	}
	if !keptRule(in, d) {
		return false
	}
	*a = in
	return true
}

func keptRule(a *model.Access, d *model.Directive) bool {
	name := strings.ToLower(d.Name.V)
	if name == "require" || d.Section.V {
		r := keptRequire(d)
		if r == nil {
			return false
		}
		if a.Require == nil {
			a.Require = &model.Require{At: d.At, Group: model.Def("any")}
		}
		a.Require.Children = append(a.Require.Children, r)
		return true
	}
	if len(d.Args) == 0 {
		return false
	}
	one := func(to *model.String, words ...string) bool {
		if len(d.Args) != 1 || len(words) > 0 && !slices.Contains(words, strings.ToLower(d.Arg(0))) {
			return false
		}
		*to = d.Args[0]
		return true
	}
	switch name {
	case "order":
		return one(&a.Order, "deny,allow", "allow,deny", "mutual-failure")
	case "allow", "deny":
		if len(d.Args) < 2 || !strings.EqualFold(d.Arg(0), "from") {
			return false
		}
		if name == "allow" {
			a.Allow = append(a.Allow, d.Args[1:]...)
		} else {
			a.Deny = append(a.Deny, d.Args[1:]...)
		}
	case "satisfy":
		return one(&a.Satisfy, "all", "any")
	case "authtype":
		return one(&a.AuthType)
	case "authname":
		return one(&a.AuthName)
	case "authuserfile":
		return one(&a.AuthFile)
	case "authgroupfile":
		return one(&a.GroupFile)
	case "authbasicprovider":
		a.Providers = append(a.Providers, d.Args...)
	case "authbasicauthoritative":
		return keptFlag(&a.Authoritative, d)
	case "authzsendforbiddenonfailure":
		return keptFlag(&a.Forbid, d)
	case "authmerging":
		return one(&a.Merging, "off", "and", "or")
	default:
		return false
	}
	return true
}

// keptRequire reads a Require line or a group of them, nil for what it cannot read.
func keptRequire(d *model.Directive) *model.Require {
	r := &model.Require{At: d.At}
	if !d.Section.V {
		args := d.Args
		if len(args) > 0 && strings.EqualFold(args[0].V, "not") {
			r.Not, args = model.Is(true, args[0].Span), args[1:]
		}
		if r.Args = args; len(args) == 0 {
			return nil
		}
		return r
	}
	switch name := strings.ToLower(d.Name.V); name {
	case "requireall", "requireany", "requirenone":
		r.Group = model.Is(strings.TrimPrefix(name, "require"), d.Name.Span)
	default:
		return nil
	}
	for _, c := range d.Children {
		kid := keptRequire(c)
		if kid == nil || !c.Section.V && !strings.EqualFold(c.Name.V, "Require") {
			return nil
		}
		r.Children = append(r.Children, kid)
	}
	if len(r.Children) == 0 {
		return nil
	}
	return r
}

// later returns the one of two values of a directive that httpd reads last. ok is
// false when they differ and their order is not known: it is when both stand in the
// section, behind its own place in the same file.
func later[T model.Scalar](a, b model.Value[T], section diag.Span) (v model.Value[T], ok bool) {
	if !given(b) {
		return a, true
	}
	if !given(a) {
		return b, true
	}
	f := section.File
	known := f != nil && a.Span.File == f && b.Span.File == f && !strings.HasSuffix(f.Name, ".toml") &&
		a.Span.Start > section.Start && b.Span.Start > section.Start && a.Span.Start != b.Span.Start
	switch {
	case known && a.Span.Start > b.Span.Start:
		return a, true
	case known:
		return b, true
	}
	b.Span = diag.Span{} // its order to a third is not known either
	return b, a.V == b.V
}
