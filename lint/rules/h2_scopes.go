package rules

import (
	"net/netip"
	"strconv"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

// h2Scope is one server of a front end and what stands in it, sections and what
// is inside of them included, in order. What a virtual host inherits is not in it.
type h2Scope struct {
	lint.Server
	Index int // of the front end
	Nodes []*httpd.Node
}

// h2Scopes returns the scopes of all front ends that were read from httpd files,
// the main server of each before its virtual hosts.
func h2Scopes(p *lint.Pass) []h2Scope {
	var out []h2Scope
	for i, fe := range p.Setup.FrontEnds {
		if i >= len(p.Configs) || p.Configs[i] == nil || fe.Main == nil {
			continue
		}
		first := len(out)
		out = append(out, h2Scope{Server: lint.Server{Server: fe.Main, FrontEnd: fe, Main: true}, Index: i})
		httpd.Walk(p.Configs[i].Nodes, func(n *httpd.Node) bool {
			if n.Kind != httpd.Section || !n.Is("VirtualHost") {
				out[first].Nodes = append(out[first].Nodes, n)
				return true
			}
			k := len(out) - first - 1
			if k >= len(fe.VHosts) || fe.VHosts[k].At != n.Span {
				return false
			}
			host := h2Scope{Server: lint.Server{Server: fe.VHosts[k], FrontEnd: fe}, Index: i}
			httpd.Walk(n.Children, func(c *httpd.Node) bool {
				host.Nodes = append(host.Nodes, c)
				return true
			})
			out = append(out, host)
			return false
		})
	}
	return out
}

// h2Target is one URL that requests are sent to.
type h2Target struct {
	URL  string // behind proxy: and behind the | of a unix: URL
	At   diag.Span
	Node *httpd.Node
}

// h2TargetOf returns the URL that a directive sends requests to: ProxyPass,
// ProxyPassMatch, BalancerMember, RewriteRule with the flag P, SetHandler proxy:….
func h2TargetOf(n *httpd.Node) (t h2Target, ok bool) {
	var a httpd.Arg
	args := n.Args
	inside := h2InSection(n)
	switch {
	case n.Is("ProxyPass"), n.Is("ProxyPassMatch"):
		if !inside {
			if len(args) > 0 && args[0].Text == "~" {
				args = args[1:]
			}
			if len(args) < 2 {
				return t, false
			}
			args = args[1:]
		}
		if len(args) < 1 || args[0].Text == "!" {
			return t, false
		}
		a = args[0]
	case n.Is("BalancerMember"):
		if !inside && len(args) > 0 {
			args = args[1:]
		}
		for _, w := range args {
			if !strings.Contains(w.Text, "=") {
				a = w
				break
			}
		}
	case n.Is("RewriteRule"):
		if len(args) < 3 || !h2HasFlag(args[2].Text, "P", "proxy") {
			return t, false
		}
		a = args[1]
	case n.Is("SetHandler"):
		if len(args) != 1 || len(args[0].Text) < 6 || !strings.EqualFold(args[0].Text[:6], "proxy:") {
			return t, false
		}
		a = args[0]
		a.Text = a.Text[6:]
	default:
		return t, false
	}
	if len(a.Text) > 5 && strings.EqualFold(a.Text[:5], "unix:") {
		if _, rest, found := strings.Cut(a.Text, "|"); found {
			a.Text = rest
		}
	}
	return h2Target{URL: a.Text, At: a.Span, Node: n}, strings.Contains(a.Text, ":")
}

// h2InSection reports whether the directive stands in a section of a server.
func h2InSection(n *httpd.Node) bool { return n.Parent != nil && !n.Parent.Is("VirtualHost") }

func h2HasFlag(flags, short, long string) bool {
	r := model.RewriteRule{Flags: model.String{V: strings.Trim(flags, "[] \t")}}
	return r.HasFlag(short, long)
}

// h2Scheme returns the scheme of a URL in lower case, "" when it cannot be told.
func h2Scheme(u string) string {
	scheme, _, ok := strings.Cut(u, "://")
	if !ok || unknown(scheme) || strings.ContainsAny(scheme, "$%/ ") {
		return ""
	}
	return strings.ToLower(scheme)
}

// h2BalancerName returns the name in balancer://NAME/path in lower case; dynamic
// is true when a part of the name is known only for a request.
func h2BalancerName(u string) (name string, dynamic, ok bool) {
	if h2Scheme(u) != "balancer" {
		return "", false, false
	}
	name = u[len("balancer://"):]
	if i := strings.IndexAny(name, "/?"); i >= 0 {
		name = name[:i]
	}
	if i := strings.IndexAny(name, "$%"); i >= 0 {
		// A reference right behind the name holds the path, as a rule.
		dynamic = i == 0 || name[i] == '%' || !strings.HasPrefix(name[i:], "$") || i+1 < len(name) && name[i+1] == '{'
		name = name[:i]
	}
	return strings.ToLower(name), dynamic, true
}

// h2At is the place of a finding: the word when it stands in the first line of
// its directive, else that line.
func h2At(word, line diag.Span) diag.Span {
	if word.File != nil && word.File == line.File && word.Start >= line.Start && word.Begin().Line == line.Begin().Line {
		return word
	}
	return line.Head()
}

// h2Keys lists the names of the key=value words of a directive, never the values.
func h2Keys(args []httpd.Arg) []string {
	var out []string
	for _, a := range args {
		if key, _, ok := strings.Cut(a.Text, "="); ok && key != "" && !strings.EqualFold(key, "mapping") && !strings.Contains(key, "://") {
			out = append(out, strings.ToLower(key))
		}
	}
	return out
}

// h2Params maps the keys of the key=value words of a directive to their values.
func h2Params(args []httpd.Arg) map[string]string {
	m := map[string]string{}
	for _, a := range args {
		if key, val, ok := strings.Cut(a.Text, "="); ok {
			m[strings.ToLower(key)] = val
		}
	}
	return m
}

// h2SameWorker brings URLs that lead to one place into one form: scheme and host
// without case, the default port written out, no slash at the end.
func h2SameWorker(u string) string {
	scheme, host, port, ok := model.SplitURL(u)
	if !ok || strings.HasPrefix(strings.ToLower(u), "unix:") {
		return u
	}
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.String()
	}
	_, rest, _ := strings.Cut(u, "://")
	path := ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		path = strings.TrimRight(rest[i:], "/")
	}
	return scheme + "://" + host + " " + strconv.Itoa(port) + path
}

// h2DeleteLines removes a directive with its lines.
func h2DeleteLines(at diag.Span) diag.Edit {
	f := at.File
	from := f.LineStart(at.Begin().Line)
	to := f.LineStart(f.Line(int(max(at.Start, at.End-1))) + 1)
	return diag.Edit{Span: diag.At(f, from, to)}
}

// h2Blocks finds the section or condition of the written file that a line
// stands in; conditions are gone in the expanded tree.
type h2Blocks map[*diag.File]map[int32]*httpd.Node

// same reports whether both directives stand in one block of one file.
func (b h2Blocks) same(p *lint.Pass, x, y diag.Span) bool {
	if x.File != y.File || x.File == nil {
		return false
	}
	m, ok := b[x.File]
	if !ok {
		m = map[int32]*httpd.Node{}
		for _, cfg := range p.Configs {
			if cfg == nil {
				continue
			}
			for _, t := range cfg.Trees {
				if t.File == x.File {
					h2Parents(t.Nodes, nil, m)
				}
			}
		}
		b[x.File] = m
	}
	px, okx := m[x.Start]
	py, oky := m[y.Start]
	return okx && oky && px == py
}

func h2Parents(nodes []*httpd.Node, parent *httpd.Node, m map[int32]*httpd.Node) {
	for _, n := range nodes {
		m[n.Span.Start] = parent
		h2Parents(n.Children, n, m)
	}
}

// h2Move is the fix that moves the lines of one directive in front of another.
func h2Move(from, before diag.Span, message string) diag.Fix {
	del := h2DeleteLines(from)
	text := del.Span.Text()
	if !strings.HasSuffix(text, "\n") {
		text += eol(from.File)
	}
	start := before.File.LineStart(before.Begin().Line)
	return diag.Fix{Message: message, Safe: true, Edits: []diag.Edit{{Span: diag.At(before.File, start, start), New: text}, del}}
}

// conditional returns the condition, <IfModule> or the like, around a line of a
// written file, nil when there is none.
func (b h2Blocks) conditional(p *lint.Pass, at diag.Span) *httpd.Node {
	b.same(p, at, at)
	for n := b[at.File][at.Start]; n != nil; n = b[at.File][n.Span.Start] {
		if strings.HasPrefix(strings.ToLower(n.Name), "if") {
			return n
		}
	}
	return nil
}
