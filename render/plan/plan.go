// Package plan lays out a front end as every reverse proxy can state it: sockets
// with their sites, sites cut into cells of the URL space, each cell with one
// outcome, and pools of members that speak HTTP. It knows httpd's order of
// evaluation (first ProxyPass wins, last Location wins, sections before files);
// the targets only have to write it down.
package plan

import (
	"clowder/parse/model"
)

// Plan is one front end laid out. What it points to is shared with the setup and
// must not be changed.
type Plan struct {
	Front     *model.FrontEnd
	Listeners []*Listener
	Sites     []*Site // every site once, the main server's last when it can be reached
	Pools     []*Pool // every balancer and worker in use, with unique names
}

// Listener is one listening socket.
type Listener struct {
	Source  *model.Listen
	Address string // "" for every address
	Family  string // "4" when Address is "" and only IPv4 is listened on, else ""
	Port    int
	TLS     bool    // its default site has SSLEngine on
	Sites   []*Site // in the order of their choice; the first is the default
}

// Site is what answers for some host names: a virtual host, or the main server.
type Site struct {
	Source *model.Server // as written
	Server *model.Server // merged over the main server, see [model.FrontEnd.Effective]
	Main   bool
	Name   string     // an identifier, unique in the plan: a-z, 0-9, _
	Names  []string   // ServerName without scheme and port, then aliases; * and ? are wildcards
	TLS    *model.TLS // nil: plain HTTP
	Early  []*Early   // rewrite rules of the server, before everything else
	Cells  []*Cell    // longest path first; the last one is "/"
}

// Cell is a part of a site's URL space: the paths for which Path is the longest
// one among those of all cells. "/app" holds /app and what is below it, not
// /apple; "/app/" holds only what is below it. A branch comes before the rest.
type Cell struct {
	Path     string
	Branches []*Branch // the first one that applies counts
	Outcome
}

// Branch is an outcome for the decoded paths of a cell that all patterns match.
type Branch struct {
	Patterns []Pattern
	Outcome
}

// Pattern is a regular expression (PCRE) of the source for the decoded path.
type Pattern struct {
	Regex string
	RE2   bool // the expression means the same to Go, Caddy, Envoy and Traefik
	Fact  any
}

// Kind is what is done with a request.
type Kind uint8

// The kinds of outcomes.
const (
	Files    Kind = iota // served by httpd itself from DocumentRoot or an alias
	Proxy                // goes to a pool
	Handler              // a page of httpd: balancer-manager, server-status
	Redirect             // is sent elsewhere
	Refuse               // is refused with Status, whatever the access rules say
)

// Outcome is what is done with a request, and under which rules.
type Outcome struct {
	Kind    Kind
	Status  int            // of Redirect and Refuse
	Mapping *model.Mapping // of Proxy, and the exclusion ("!") that leads to Files or Handler; nil for none
	Pool    *Pool          // of Proxy

	// The path that the member sees is To, and what follows Strip in the request's.
	// For a pattern (Regex set) To holds $1 to $9 and is all of it.
	Strip string
	To    string
	Base  string // the part of To that stands in the members' URLs; behind it there is at least a slash
	Regex *Pattern

	Handler  string          // of Handler
	Redirect *model.Redirect // of Redirect
	Location string          // of Redirect: the target; what follows Strip is appended unless Regex is set
	Root     string          // of Files: the directory, "" when none is known to be safe to serve

	Access   Access
	Settings model.Settings   // merged: server, Proxy sections, Location sections
	Sections []*model.Section // the sections that were merged

	partial []*model.Section // Proxy sections that may apply to some of the requests only
}

// New lays out one front end of the setup. links are those of the whole setup
// (see [model.Setup.Links]); they tell which connectors of a node members can use.
func New(f *model.FrontEnd, links []model.Link) *Plan {
	b := &builder{plan: &Plan{Front: f}, names: map[string]bool{}, links: map[*model.Member]model.Link{}, pools: map[poolKey]*Pool{}}
	for _, l := range links {
		if l.FrontEnd == f {
			b.links[l.Member] = l
		}
	}
	b.listeners()
	return b.plan
}

// All lays out every front end of the setup.
func All(s *model.Setup) []*Plan {
	links := s.Links()
	plans := make([]*Plan, len(s.FrontEnds))
	for i, f := range s.FrontEnds {
		plans[i] = New(f, links)
	}
	return plans
}

type builder struct {
	plan  *Plan
	names map[string]bool // identifiers in use
	links map[*model.Member]model.Link
	pools map[poolKey]*Pool
}

// identifier makes a unique name of a-z, 0-9 and _ out of a text.
func (b *builder) identifier(text string) string {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text) && len(out) < 60; i++ {
		c := text[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		default:
			c = '_'
		}
		if c == '_' && (len(out) == 0 || out[len(out)-1] == '_') {
			continue
		}
		out = append(out, c)
	}
	for len(out) > 0 && out[len(out)-1] == '_' {
		out = out[:len(out)-1]
	}
	if len(out) == 0 || out[0] >= '0' && out[0] <= '9' {
		out = append([]byte("x"), out...)
	}
	return unique(b.names, string(out))
}
