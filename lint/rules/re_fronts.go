package rules

import (
	"strconv"
	"strings"

	"clowder/lint"
	"clowder/parse/model"
)

// frontUse says how the requests come to httpd that it sends on to a member.
type frontUse struct{ tls, plain bool }

// frontUses finds out, for each member, whether servers with TLS or without send
// requests to it: by ProxyPass, by a proxy handler or by a rewrite rule.
func frontUses(p *lint.Pass) map[*model.Member]frontUse {
	type target struct {
		fe   *model.FrontEnd
		name string // "balancer NAME" or HOST:PORT
	}
	members := map[target][]*model.Member{}
	for _, l := range p.Links() {
		name := l.Host + ":" + strconv.Itoa(l.Port)
		if l.Balancer != nil {
			name = "balancer " + strings.ToLower(l.Balancer.Name.V)
		}
		k := target{l.FrontEnd, name}
		members[k] = append(members[k], l.Member)
	}
	uses := map[*model.Member]frontUse{}
	for _, fe := range p.Setup.FrontEnds {
		note := func(sv *model.Server, tls, plain bool) {
			eachTarget(sv, func(url string) {
				for _, m := range members[target{fe, targetName(url)}] {
					u := uses[m]
					uses[m] = frontUse{u.tls || tls, u.plain || plain}
				}
			})
		}
		all := frontUse{}
		for _, vh := range fe.VHosts {
			tls := hasTLS(fe, vh)
			all = frontUse{all.tls || tls, all.plain || !tls}
			note(vh, tls, !tls)
		}
		if fe.Main == nil {
			continue
		}
		if len(fe.VHosts) == 0 {
			tls := hasTLS(fe, fe.Main)
			all = frontUse{tls, !tls}
		}
		note(fe.Main, all.tls, all.plain) // virtual hosts inherit it
	}
	return uses
}

// hasTLS reports whether SSLEngine is on in a server, or in the main one when the
// server does not say.
func hasTLS(fe *model.FrontEnd, sv *model.Server) bool {
	for _, s := range []*model.Server{sv, fe.Main} {
		if s != nil && s.TLS != nil && s.TLS.Engine.IsWritten() {
			return !strings.EqualFold(s.TLS.Engine.V, "off")
		}
	}
	return false
}

// eachTarget calls f for the URLs that a server hands requests to.
func eachTarget(sv *model.Server, f func(url string)) {
	settings := func(s *model.Settings) {
		if url, ok := strings.CutPrefix(s.Handler.V, "proxy:"); ok {
			f(url)
		}
		if s.Rewrite == nil {
			return
		}
		for _, r := range s.Rewrite.Rules {
			if r.HasFlag("P", "proxy") {
				f(r.Target.V)
			}
		}
	}
	for _, m := range sv.Mappings {
		if !m.Excludes() {
			f(m.Target.V)
		}
	}
	settings(&sv.Settings)
	for _, sec := range sv.Sections {
		if sec.Mapping != nil && !sec.Mapping.Excludes() {
			f(sec.Mapping.Target.V)
		}
		settings(&sec.Settings)
	}
}

// targetName brings the target of a mapping into the form of frontUses.
func targetName(url string) string {
	if len(url) > 11 && strings.EqualFold(url[:11], "balancer://") {
		name, _, _ := strings.Cut(url[11:], "/")
		return "balancer " + strings.ToLower(name)
	}
	_, host, port, ok := model.SplitURL(url)
	if !ok {
		return ""
	}
	return host + ":" + strconv.Itoa(port)
}
