package httpd

import (
	"strings"

	"clowder/parse/model"
)

// pathAlias lowers Alias, AliasMatch, ScriptAlias and ScriptAliasMatch outside of
// sections (add_alias and add_alias_regex in mod_alias.c). Inside of a Location
// they take an expression and no path: that has no field.
func (l *lowerer) pathAlias(n *Node, srv *model.Server) bool {
	key := n.key()
	switch key {
	case "alias", "aliasmatch", "scriptalias", "scriptaliasmatch":
	default:
		return false
	}
	if len(n.Args) != 2 {
		return false
	}
	a := &model.Alias{At: n.Span, Path: model.Is(n.Arg(0), n.Args[0].Span), File: model.Is(n.Arg(1), n.Args[1].Span)}
	if strings.HasSuffix(key, "match") {
		if !l.compiles(n.Arg(0)) {
			return false
		}
		a.Regex = model.Is(true, n.NameSpan())
	}
	if strings.HasPrefix(key, "script") {
		a.Script = model.Is(true, n.NameSpan())
	}
	srv.PathAlias = append(srv.PathAlias, a)
	return true
}

// statusWords are the words for a status that Redirect knows.
var statusWords = map[string]int{"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}

// redirect lowers the four directives by the rules of add_redirect_internal in
// mod_alias.c: a status in front, as a word or a number; in a section the path may
// be absent, and then the target is an expression for all that the section is
// about. What httpd refuses was reported by [checkRedirect] and is not taken.
func (l *lowerer) redirect(n *Node, s *scope) bool {
	key := n.key()
	r := &model.Redirect{At: n.Span}
	switch key {
	case "redirect", "redirectmatch":
	case "redirectpermanent":
		r.Status = model.Is(301, n.NameSpan())
	case "redirecttemp":
		r.Status = model.Is(302, n.NameSpan())
	default:
		return false
	}
	args := n.Args
	if len(args) == 0 {
		return false
	}
	first, understood := args[0], true
	if code, ok := statusWords[strings.ToLower(first.Text)]; ok {
		r.Status = model.Is(code, first.Span)
	} else if first.Text != "" && first.Text[0] >= '0' && first.Text[0] <= '9' {
		r.Status = model.Is(atoi(first.Text), first.Span)
	} else {
		understood = false
	}
	if understood {
		args = args[1:]
	}
	status := r.Status.Or(302)
	away := status >= 300 && status <= 399
	least, most := 0, 1 // words behind the status
	if away {
		least, most = 1, 2
	}
	if s.sec == nil {
		least++
	}
	if len(args) < least || len(args) > most {
		return false
	}
	if away {
		last := args[len(args)-1]
		r.Target = model.Is(last.Text, last.Span)
		args = args[:len(args)-1]
	}
	if len(args) > 0 {
		r.Path = model.Is(args[0].Text, args[0].Span)
		if key == "redirectmatch" {
			if !l.compiles(r.Path.V) {
				return false
			}
			r.Regex = model.Is(true, n.NameSpan())
		} else if away && !isURL(r.Target.V) && !strings.HasPrefix(r.Target.V, "/") {
			return false
		}
	}
	st := s.settings()
	st.Redirects = append(st.Redirects, r)
	return true
}
