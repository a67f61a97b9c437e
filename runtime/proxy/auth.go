package proxy

import (
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/runtime/htpasswd"
)

// authConf is the access control of one section, or of sections merged: compiled,
// never changed, and nil where there is none. The rules are those of mod_authz_core,
// mod_access_compat, mod_authn_core and mod_auth_basic.
type authConf struct {
	hosts     *hostRules
	rules     *authz // nil: no Require
	merging   string // and, or, off; "" when not written
	kind      *string
	realm     *text
	userFile  string
	groupFile string
	providers []string
	lax       *bool // AuthBasicAuthoritative Off
	forbid    *bool // AuthzSendForbiddenOnFailure

	odd []oddRule // what can be asked nowhere here

	merged sync.Map // outer *authConf → *authConf
	count  atomic.Int32
}

// oddRule is something that makes a place refuse all who need it.
type oddRule struct {
	at   diag.Span
	what string
}

// text is a value of the configuration that may be an expression; unknown is one
// that cannot be evaluated.
type text struct {
	constant string
	eval     func(*call) (string, error)
	unknown  bool
}

// maxMerged bounds how many results of merging a section keeps: as many as
// sections that it usually meets.
const maxMerged = 64

// newAuthConf compiles the access control of a section, nil for none. What the
// limits say that is not about methods is in m ([withLimits]).
func newAuthConf(m *model.Access, limits []*limit, section diag.Span) (*authConf, error) {
	if m == nil {
		return nil, nil
	}
	a := &authConf{merging: strings.ToLower(m.Merging.V)}
	var err error
	if a.hosts, err = newHostRules(m, limits, section); err != nil {
		return nil, err
	}
	odd := func(at diag.Span, what string) { a.odd = append(a.odd, oddRule{at, what}) }
	a.rules = limitRules(newAuthz(m.Require, odd), limits, odd)
	if given(m.AuthType) {
		a.kind = &m.AuthType.V
		if k := strings.ToLower(*a.kind); k != "basic" && k != "none" {
			odd(m.AuthType.Span, "AuthType "+m.AuthType.V)
		}
	}
	if given(m.AuthName) {
		t := &text{}
		var ok bool
		t.constant, t.eval, ok = plainText(m.AuthName.V)
		if t.unknown = !ok && strings.Contains(m.AuthName.V, "%{"); t.unknown {
			odd(m.AuthName.Span, "AuthName "+m.AuthName.V)
		} else if !ok {
			t.constant = m.AuthName.V
		}
		a.realm = t
	}
	a.userFile, a.groupFile = m.AuthFile.V, m.GroupFile.V
	for _, p := range m.Providers {
		a.providers = append(a.providers, strings.ToLower(p.V))
		if !strings.EqualFold(p.V, "file") {
			odd(p.Span, "AuthBasicProvider "+p.V)
		}
	}
	if given(m.Authoritative) {
		lax := !m.Authoritative.V
		a.lax = &lax
	}
	if given(m.Forbid) {
		a.forbid = &m.Forbid.V
	}
	return a, nil
}

// over merges the section over an outer or earlier one, as ap_merge_per_dir_configs
// does. Results are kept, so that a request allocates nothing.
func (a *authConf) over(outer *authConf) *authConf {
	switch {
	case a == nil:
		return outer
	case outer == nil:
		return a
	}
	if m, ok := a.merged.Load(outer); ok {
		return m.(*authConf)
	}
	m := a.merge(outer)
	if a.count.Add(1) <= maxMerged {
		a.merged.Store(outer, m)
	}
	return m
}

func (a *authConf) merge(outer *authConf) *authConf {
	m := &authConf{hosts: a.hosts, rules: a.rules, merging: a.merging, kind: a.kind, realm: a.realm, userFile: a.userFile,
		groupFile: a.groupFile, providers: a.providers, lax: a.lax, forbid: a.forbid}
	if m.hosts == nil {
		m.hosts = outer.hosts
	}
	// merge_authz_core_dir_config
	switch {
	case a.rules == nil && a.merging == "":
		m.rules, m.merging = outer.rules, outer.merging
	case a.merging != "and" && a.merging != "or", outer.rules == nil:
	case a.rules == nil:
		m.rules = outer.rules
	default:
		m.rules = &authz{at: a.rules.at, all: a.merging == "and", kids: []*authz{outer.rules, a.rules},
			methods: bothMethods(outer.rules, a.rules)}
	}
	if m.kind == nil {
		m.kind = outer.kind
	}
	if m.realm == nil {
		m.realm = outer.realm
	}
	if m.userFile == "" {
		m.userFile = outer.userFile
	}
	if m.groupFile == "" {
		m.groupFile = outer.groupFile
	}
	if len(m.providers) == 0 {
		m.providers = outer.providers
	}
	if m.lax == nil {
		m.lax = outer.lax
	}
	if m.forbid == nil {
		m.forbid = outer.forbid
	}
	return m
}

// authType returns the written kind of authentication, "" for none.
func (a *authConf) authType() string {
	if a.kind == nil || strings.EqualFold(*a.kind, "none") {
		return ""
	}
	return *a.kind
}

// authFiles are the files of users and groups by their paths.
type authFiles struct{ userFiles, groupFiles sync.Map }

func (f *authFiles) users(path string) *htpasswd.Users {
	if u, ok := f.userFiles.Load(path); ok {
		return u.(*htpasswd.Users)
	}
	u, _ := f.userFiles.LoadOrStore(path, htpasswd.NewUsers(path))
	return u.(*htpasswd.Users)
}

func (f *authFiles) groups(path string) *htpasswd.Groups {
	if g, ok := f.groupFiles.Load(path); ok {
		return g.(*htpasswd.Groups)
	}
	g, _ := f.groupFiles.LoadOrStore(path, htpasswd.NewGroups(path))
	return g.(*htpasswd.Groups)
}

// serverPath completes a path as ap_server_root_relative does; without a
// ServerRoot it begins at the folder of the configuration.
func (p *Proxy) serverPath(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	root := p.front.ServerRoot.V
	if file := p.front.At.File; !filepath.IsAbs(root) && file != nil {
		root = filepath.Join(filepath.Dir(file.Name), root)
	}
	return filepath.Join(root, name)
}

// checkAuth reads the files of users and groups once, so that what is wrong with
// them is told at the start, and tells what lets nobody in.
func (p *Proxy) checkAuth() {
	seen := map[string]bool{}
	look := func(name, what string, at diag.Span, check func(path string) error) {
		path := p.serverPath(name)
		if name == "" || seen[what+path] {
			return
		}
		seen[what+path] = true
		if err := check(path); err != nil {
			p.log.Warn(what+" cannot be read; nobody who needs it gets in", "place", at, "file", path, "reason", err)
		}
	}
	for _, m := range p.accessModels() {
		look(m.AuthFile.V, "AuthUserFile", m.AuthFile.Span, func(path string) error {
			problems, err := p.files.users(path).Check(p.ctx)
			for _, x := range problems {
				p.log.Warn("AuthUserFile: a line cannot be used; that user cannot log in", "file", path, "line", x.Line, "user", x.User, "reason", x.Err)
			}
			return err
		})
		look(m.GroupFile.V, "AuthGroupFile", m.GroupFile.Span, func(path string) error {
			return p.files.groups(path).Check(p.ctx)
		})
		if a, err := newAuthConf(m, nil, m.At); err == nil && a != nil {
			for _, o := range a.odd {
				p.log.Warn(o.what+" is not carried out by clowder run; who needs it gets 500", "place", o.at)
			}
		}
	}
}

// accessModels lists the access control of every server and section.
func (p *Proxy) accessModels() []*model.Access {
	var out []*model.Access
	for _, s := range append([]*model.Server{p.front.Main}, p.front.VHosts...) {
		if s == nil {
			continue
		}
		out = append(out, s.Settings.Access)
		for _, sec := range s.Sections {
			out = append(out, sec.Settings.Access)
		}
	}
	eachKept(p.front, func(k *keptSections) {
		for _, l := range k.limits {
			out = append(out, l.access)
		}
		for _, x := range k.ifs {
			out = append(out, x.settings.Access)
		}
	})
	return slices.DeleteFunc(out, func(a *model.Access) bool { return a == nil })
}
