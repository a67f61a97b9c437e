package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/model"
)

// sectionsOf returns the sections in force for the server, the main server's first.
func sectionsOf(sv lint.Server) []*model.Section {
	if main := sv.FrontEnd.Main; main != nil && !sv.Main {
		return append(main.Sections[:len(main.Sections):len(main.Sections)], sv.Sections...)
	}
	return sv.Sections
}

// settingsOf returns the settings in force for the server: of the main server and
// its own, then those of their sections.
func settingsOf(sv lint.Server) []*model.Settings {
	var out []*model.Settings
	if main := sv.FrontEnd.Main; main != nil && !sv.Main {
		out = append(out, &main.Settings)
	}
	out = append(out, &sv.Settings)
	for _, sec := range sectionsOf(sv) {
		out = append(out, &sec.Settings)
	}
	return out
}

// reverseIndex holds the ProxyPassReverse lines in force for a server.
type reverseIndex struct {
	from map[string]bool // public paths without their last slash
	to   map[string]bool // real URLs: host in lower case, no last slash
	host map[string]bool // scheme://host:port of them
	edit bool            // a Header line rewrites Location by hand
}

func reversesOf(sv lint.Server) *reverseIndex {
	ix := &reverseIndex{from: map[string]bool{}, to: map[string]bool{}, host: map[string]bool{}}
	take := func(s *model.Settings) {
		for _, r := range s.Reverses {
			base, path := splitBackend(r.To.V)
			ix.from[strings.TrimRight(r.From.V, "/")] = true
			ix.to[base+strings.TrimRight(path, "/")] = true
			ix.host[base] = true
		}
		for _, h := range s.Headers {
			ix.edit = ix.edit || !h.Request.V && strings.EqualFold(h.Name.V, "Location")
		}
	}
	for _, s := range settingsOf(sv) {
		take(s)
	}
	if sv.Main { // virtual hosts inherit the mapping and may bring the line
		for _, v := range sv.FrontEnd.VHosts {
			take(&v.Settings)
			for _, sec := range v.Sections {
				take(&sec.Settings)
			}
		}
	}
	return ix
}

// covers reports whether a line speaks about the mapping: by its path, or by a
// real URL that the target begins with.
func (ix *reverseIndex) covers(m mapped, b *backend) bool {
	if ix.edit || ix.from[strings.TrimRight(m.Path.V, "/")] {
		return true
	}
	base, path := splitBackend(m.Target.V)
	if m.Regex.V {
		path, _, _ = strings.Cut(path, "$")
		if ix.host[base] {
			return true
		}
	}
	urls := append([]string{base + path}, b.urls...)
	for _, u := range urls {
		base, path := splitBackend(u)
		for path = strings.TrimRight(path, "/"); ; {
			if ix.to[base+path] {
				return true
			}
			i := strings.LastIndexByte(path, '/')
			if i < 0 {
				break
			}
			path = path[:i]
		}
	}
	return false
}

// hostKeeper says where ProxyPreserveHost is On.
type hostKeeper struct {
	sections []*model.Section // that say something about it
	server   bool
}

func newHostKeeper(sv lint.Server) *hostKeeper {
	k := &hostKeeper{}
	for _, sec := range sectionsOf(sv) {
		if sec.Settings.PreserveHost.IsWritten() {
			k.sections = append(k.sections, sec)
		}
	}
	v := sv.Settings.PreserveHost
	if main := sv.FrontEnd.Main; !v.IsWritten() && main != nil {
		v = main.Settings.PreserveHost
	}
	k.server = v.V
	return k
}

func (k *hostKeeper) keeps(m mapped) bool {
	on := k.server
	for _, sec := range k.sections {
		switch {
		case sec == m.section, strings.HasPrefix(sec.Kind.V, "Proxy"):
			on = sec.Settings.PreserveHost.V
		case sec.Kind.V == "Location" && covers(sec.Path.V, m.Path.V):
			on = sec.Settings.PreserveHost.V
		}
	}
	return on
}

// publicName returns the name that clients know the server by, "" when unknown.
func publicName(sv lint.Server) string {
	name := sv.ServerName.V
	if name == "" && sv.FrontEnd.Main != nil {
		name = sv.FrontEnd.Main.ServerName.V
	}
	if _, rest, ok := strings.Cut(name, "://"); ok {
		name = rest
	}
	if unknown(name) {
		return ""
	}
	return name
}

// publicURL returns the address that the server's clients use, "" when unknown.
func publicURL(sv lint.Server) string {
	name := publicName(sv)
	switch {
	case name == "":
		return ""
	case tlsOn(sv):
		return "https://" + name
	}
	return "http://" + name
}

// tlsOn reports whether TLS ends in the server; SSLEngine is inherited.
func tlsOn(sv lint.Server) bool {
	if sv.TLS != nil && sv.TLS.Engine.IsWritten() {
		return strings.EqualFold(sv.TLS.Engine.V, "on")
	}
	main := sv.FrontEnd.Main
	return !sv.Main && main != nil && main.TLS != nil && strings.EqualFold(main.TLS.Engine.V, "on")
}

// isPublicHost reports whether the host, a port aside, is a name of the server.
func isPublicHost(sv lint.Server, base string) bool {
	_, host, _ := strings.Cut(base, "://")
	name := func(s string) string {
		if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
			s = s[:i]
		}
		return strings.ToLower(s)
	}
	host = name(host)
	if host == name(publicName(sv)) {
		return true
	}
	for _, a := range sv.Aliases {
		if host == name(a.V) {
			return true
		}
	}
	return false
}
