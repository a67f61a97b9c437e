package plan

import (
	"net/netip"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/ledger"
)

// Access says who may send a request, in a form that every proxy can state: by
// the client's address and by a password. Whoever is in Free needs no password,
// whoever is in Auth gets in with one, everybody else is refused. What of the
// source cannot be said so is taken as refusing, and stands in Lost.
type Access struct {
	Free  Set
	Auth  Set      // beyond Free
	Users []string // who may log in; nil: everybody in File
	Realm string
	File  string // AuthUserFile

	Facts []any // the facts of the source that Free and Auth say, see [ledger.Ledger]
	Lost  []Lost
}

// Lost is a fact that cannot be said; the output is closed for what it is about.
type Lost struct {
	Fact    any
	Message string
	Near    bool // said nearly, and not less strictly
}

// Open reports whether everybody gets in without a password.
func (a *Access) Open() bool { return a.Free.All() }

// Closed reports whether nobody gets in at all.
func (a *Access) Closed() bool { return a.Free.Empty() && a.Auth.Empty() }

// NeedsAuth reports whether somebody has to give a password.
func (a *Access) NeedsAuth() bool { return !a.Auth.Empty() }

// stricter returns the access of who gets in by both. The other one is of a section
// at that place that applies to some of the requests only.
func (a Access) stricter(b Access, at diag.Span) Access {
	if b.Open() {
		return a
	}
	both := a
	both.Free = a.Free.And(b.Free)
	both.Auth = a.Free.Or(a.Auth).And(b.Free.Or(b.Auth)).And(both.Free.Not())
	if !b.Auth.Empty() || a.File != b.File && !a.Auth.Empty() {
		both.Auth = Set{} // of two files of passwords neither says enough
	}
	both.Lost = append(slices.Clone(a.Lost), Lost{Fact: at, Message: "it restricts a part of what this mapping leads to; all of it is restricted so"})
	both.Lost = append(both.Lost, b.Lost...)
	return both
}

// Mark puts the account of the access rules into the ledger.
func (a *Access) Mark(l *ledger.Ledger) {
	l.Exact(a.Facts...)
	for _, x := range a.Lost {
		if x.Near {
			l.Approx(x.Message, "", x.Fact)
		} else {
			l.Closed(x.Message, "", x.Fact)
		}
	}
}

// newAccess evaluates the access control of merged settings (mod_access_compat.c,
// mod_authz_core.c): without any everybody gets in.
func newAccess(m *model.Access) Access {
	if m == nil {
		return Access{Free: Everyone()}
	}
	e := &evaluator{m: m, seen: map[diag.Span]bool{}}
	withCompat := m.Order.IsSet() || len(m.Allow)+len(m.Deny) > 0
	withRequire := m.Require != nil && (len(m.Require.Args) > 0 || len(m.Require.Children) > 0)
	compat := Everyone()
	if withCompat {
		compat = e.compat()
	}
	free, auth := Everyone(), Everyone()
	if withRequire {
		free, auth = e.require(m.Require, false, false), e.require(m.Require, true, false)
	}
	if strings.EqualFold(m.Satisfy.V, "any") && withCompat && withRequire {
		free, auth = compat.Or(free), compat.Or(auth)
	} else {
		free, auth = compat.And(free), compat.And(auth)
	}
	e.out.Free, e.out.Auth = free, auth.And(free.Not())
	e.fact(m.Order)
	e.fact(m.Satisfy)
	e.fact(m.Merging)
	e.password()
	return e.out
}

type evaluator struct {
	m     *model.Access
	out   Access
	seen  map[diag.Span]bool
	users [][]string
}

func (e *evaluator) fact(x any) { e.out.Facts = append(e.out.Facts, x) }

func (e *evaluator) lose(at interface{ Place() diag.Span }, near bool, message string) {
	if p := at.Place(); !e.seen[p] {
		e.seen[p] = true
		e.out.Lost = append(e.out.Lost, Lost{p, message, near})
	}
}

// compat evaluates Order, Allow and Deny.
func (e *evaluator) compat() Set {
	allow, deny := e.from(e.m.Allow, false), e.from(e.m.Deny, true)
	switch strings.ToLower(e.m.Order.V) {
	case "allow,deny", "mutual-failure":
		return allow.And(deny.Not())
	}
	return allow.Or(deny.Not())
}

// from evaluates the words of Allow from or Deny from. A word that cannot be
// known allows nobody and denies everybody.
func (e *evaluator) from(words []model.String, deny bool) Set {
	var s Set
	for _, w := range words {
		lower := strings.ToLower(w.V)
		p, isNet := parseNet(w.V)
		switch {
		case lower == "all":
			s = Everyone()
			e.fact(w)
		case isNet:
			s = s.Or(SetOf(p))
			e.fact(w)
		case lower == "localhost":
			s = s.Or(loopback())
			e.lose(w, true, "the addresses of loopback are taken for the name localhost")
		case lower == "none":
			e.fact(w) // httpd takes it for a host name, which no client has
		case deny:
			s = Everyone()
			e.lose(w, false, "a name or variable cannot be looked up there: everybody is refused")
		default:
			e.lose(w, false, "a name or variable cannot be looked up there: those clients are refused")
		}
	}
	return s
}

func loopback() Set {
	return SetOf(netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
}

// require evaluates a tree of Require lines for clients with or without a valid
// password; not tells that the opposite is wanted.
func (e *evaluator) require(r *model.Require, auth, not bool) Set {
	if r.Not.V {
		not = !not
		e.fact(r.Not)
	}
	if len(r.Args) > 0 {
		return e.provider(r, auth, not)
	}
	if r.Group.IsWritten() {
		e.fact(r.At)
	}
	if len(r.Children) == 0 {
		return either(Everyone(), not)
	}
	// All of them: and; any: or; none: not any. A negation turns it round.
	all := strings.EqualFold(r.Group.V, "all")
	if strings.EqualFold(r.Group.V, "none") {
		not = !not
	}
	var s Set
	for i, c := range r.Children {
		one := e.require(c, auth, not)
		switch {
		case i == 0:
			s = one
		case all != not:
			s = s.And(one)
		default:
			s = s.Or(one)
		}
	}
	return s
}

func either(s Set, not bool) Set {
	if not {
		return s.Not()
	}
	return s
}

// provider evaluates one Require line. What cannot be known lets nobody in,
// negated or not.
func (e *evaluator) provider(r *model.Require, auth, not bool) Set {
	words := r.Args[1:]
	switch name := strings.ToLower(r.Args[0].V); name {
	case "all":
		e.fact(r.At)
		if len(words) > 0 && strings.EqualFold(words[0].V, "granted") {
			return either(Everyone(), not)
		}
		return either(Set{}, not)
	case "local":
		e.lose(at(r.At), true, "the addresses of loopback are taken for local clients")
		return either(loopback(), not)
	case "ip":
		var nets []netip.Prefix
		for _, w := range words {
			p, ok := parseNet(w.V)
			if !ok {
				e.lose(at(r.At), false, "the address is not understood: those clients are refused")
				return Set{}
			}
			nets = append(nets, p)
		}
		e.fact(r.At)
		return either(SetOf(nets...), not)
	case "host":
		if len(words) == 1 && strings.EqualFold(words[0].V, "localhost") {
			e.lose(at(r.At), true, "the addresses of loopback are taken for the name localhost")
			return either(loopback(), not)
		}
	case "valid-user", "user":
		if not {
			break
		}
		e.fact(r.At)
		list := []string(nil)
		for _, w := range words {
			if name == "user" {
				list = append(list, w.V)
			}
		}
		e.users = append(e.users, list)
		return either(Everyone(), !auth)
	}
	e.lose(at(r.At), false, "this cannot be asked there: those requests are refused")
	return Set{}
}

// at is a place as a fact.
type at diag.Span

// Place returns the place.
func (a at) Place() diag.Span { return diag.Span(a) }

// password settles who may log in and against which file. Without Basic
// authentication and a file nobody can.
func (e *evaluator) password() {
	m, out := e.m, &e.out
	out.Realm, out.File = m.AuthName.V, m.AuthFile.V
	for _, list := range e.users {
		if list != nil {
			if out.Users == nil {
				out.Users = list
				continue
			}
			out.Users = slices.DeleteFunc(slices.Clone(out.Users), func(u string) bool { return !slices.Contains(list, u) })
		}
	}
	facts := []any{m.AuthType, m.AuthName, m.AuthFile}
	if out.Auth.Empty() {
		for _, f := range facts {
			e.fact(f)
		}
		return
	}
	onlyFile := !slices.ContainsFunc(m.Providers, func(p model.String) bool { return !strings.EqualFold(p.V, "file") })
	if strings.EqualFold(m.AuthType.V, "Basic") && m.AuthFile.V != "" && onlyFile {
		for _, f := range append(facts, m.Providers) {
			e.fact(f)
		}
		return
	}
	e.lose(m.AuthType, false, "only Basic authentication against a file of passwords can be carried over: those who would have to log in are refused")
	out.Auth = Set{}
}
