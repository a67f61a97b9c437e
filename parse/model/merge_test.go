package model

import (
	"testing"
	"time"

	"clowder/parse/diag"
)

func TestEffective(t *testing.T) {
	at := diag.Span{}
	f := &FrontEnd{Main: &Server{
		ServerName: Is("main", at), Timeout: Is(9*time.Second, at),
		Mappings: []*Mapping{{Path: Is("/m", at)}},
		Sections: []*Section{{Path: Is("/s", at)}},
		Balancers: []*Balancer{
			{Name: Is("c", at), Members: []*Member{{URL: Is("http://a:1", at)}}, LBMethod: Is("bytraffic", at), Sticky: Is("S", at)},
			{Name: Is("only", at)},
		},
	}}
	f.Main.Settings.PreserveHost = Is(true, at)
	f.Main.Settings.Reverses = []*Reverse{{From: Is("/1", at)}}
	vh := &Server{
		Mappings:  []*Mapping{{Path: Is("/v", at)}},
		Balancers: []*Balancer{{Name: Is("C", at), Sticky: Is("T", at), LBMethod: Def("byrequests"), Members: []*Member{{URL: Is("http://b:1", at)}}}},
	}
	vh.Settings.Reverses = []*Reverse{{From: Is("/2", at)}}
	f.VHosts = []*Server{vh}

	e := f.Effective(vh)
	if len(e.Mappings) != 2 || e.Mappings[0].Path.V != "/m" {
		t.Error("the main server's mappings must come first")
	}
	if e.Timeout.V != 9*time.Second || e.ServerName.V != "main" || !e.Settings.PreserveHost.V || len(e.Sections) != 1 {
		t.Error("single values are not inherited")
	}
	if r := e.Settings.Reverses; len(r) != 2 || r[0].From.V != "/1" {
		t.Error("lists must be joined, the main server's first")
	}
	if len(e.Balancers) != 2 {
		t.Fatalf("%d balancers", len(e.Balancers))
	}
	b := e.Balancers[0]
	if b.Members[0].URL.V != "http://a:1" || b.Sticky.V != "T" || b.LBMethod.V != "bytraffic" {
		t.Errorf("merged balancer: %+v", b)
	}
	if vh.Timeout.IsSet() || len(vh.Mappings) != 1 || f.Main.Balancers[0].Sticky.V != "S" {
		t.Error("the setup was changed")
	}

	vh.BalancerInherit, vh.PassInherit = Is(false, at), Is(false, at)
	if e := f.Effective(vh); len(e.Balancers) != 1 || e.Balancers[0] != vh.Balancers[0] || len(e.Mappings) != 2 {
		t.Error("with both switches off no balancer is inherited, mappings still are")
	}
}

// TestOverAccess: Order and its kin are one thing, Require another.
func TestOverAccess(t *testing.T) {
	at := diag.Span{}
	outer := Settings{Access: &Access{Order: Is("deny,allow", at), Deny: []String{Is("all", at)}, Satisfy: Is("any", at),
		Require: &Require{Group: Is("any", at)}, AuthName: Is("a", at)}}
	open := Settings{Access: &Access{Allow: []String{Is("all", at)}}}
	a := open.Over(&outer).Access
	if a.Order.IsSet() || a.Satisfy.IsSet() || len(a.Deny) != 0 || len(a.Allow) != 1 {
		t.Errorf("the older style must be replaced as a whole: %+v", a)
	}
	if a.Require != outer.Access.Require || a.AuthName.V != "a" {
		t.Errorf("Require must stay: %+v", a)
	}
	req := Settings{Access: &Access{Require: &Require{Group: Is("all", at)}}}
	if a := req.Over(&outer).Access; len(a.Deny) != 1 || a.Order.V != "deny,allow" || a.Require.Group.V != "all" {
		t.Errorf("the older style must stay: %+v", a)
	}
	if a := (&Settings{}).Over(&outer).Access; a != outer.Access {
		t.Error("a section that says nothing must leave all")
	}
}

// TestOverRewrite: a virtual host inherits the engine, and rules only when asked.
func TestOverRewrite(t *testing.T) {
	at := diag.Span{}
	tests := []struct{ main, vhost, want string }{ // options
		{"", "", "v"},
		{"", "Inherit", "vm"},
		{"", "InheritBefore", "mv"},
		{"InheritDown", "", "vm"}, // the options themselves are inherited too
		{"InheritDownBefore", "AllowNoSlash", "mv"},
		{"InheritDown", "IgnoreInherit", "v"},
	}
	rewrite := func(options, rule string) *Rewrite {
		r := &Rewrite{Rules: []*RewriteRule{{Pattern: Is(rule, at)}}}
		if options != "" {
			r.Options = []String{Is(options, at)}
		}
		return r
	}
	for _, tt := range tests {
		f := &FrontEnd{Main: &Server{}}
		f.Main.Settings.Rewrite = rewrite(tt.main, "m")
		f.Main.Settings.Rewrite.Engine = Is(true, at)
		vh := &Server{}
		vh.Settings.Rewrite = rewrite(tt.vhost, "v")
		got := ""
		e := f.Effective(vh).Settings.Rewrite
		for _, r := range e.Rules {
			got += r.Pattern.V
		}
		if got != tt.want || !e.Engine.V {
			t.Errorf("%q over %q: rules %s, engine %v; want %s", tt.vhost, tt.main, got, e.Engine.V, tt.want)
		}
	}
}

func TestEffectiveDefaults(t *testing.T) {
	f := &FrontEnd{}
	e := f.Effective(nil)
	if e.Timeout.V != time.Minute || e.Timeout.Origin != Default || !e.Settings.AddHeaders.V || !e.BalancerInherit.V {
		t.Errorf("defaults: %+v %+v", e.Timeout, e.Settings.AddHeaders)
	}
}

// TestAuthMerging: Off replaces, even by nothing; And and Or join both rules, and
// what a section without any of both has is the outer one's.
func TestAuthMerging(t *testing.T) {
	at := diag.Span{}
	line := func(word string) *Require {
		return &Require{Group: Def("any"), Children: []*Require{{Args: []String{Is(word, at)}}}}
	}
	outer, own := line("outer"), line("own")
	over := func(merging string, rules, outerRules *Require) *Require {
		s := Settings{Access: &Access{Require: rules}}
		if merging != "" {
			s.Access.Merging = Is(merging, at)
		}
		return s.Over(&Settings{Access: &Access{Require: outerRules, Merging: Is("And", at)}}).Access.Require
	}
	for merging, group := range map[string]string{"And": "all", "or": "any"} {
		got := over(merging, own, outer)
		if got.Group.V != group || len(got.Children) != 2 || got.Children[0] != outer || got.Children[1] != own {
			t.Errorf("%s: %+v", merging, got)
		}
		if over(merging, nil, outer) != outer || over(merging, own, nil) != own {
			t.Errorf("%s: one rule alone is not kept", merging)
		}
	}
	if over("", own, outer) != own || over("Off", own, outer) != own || over("Off", nil, outer) != nil || over("", nil, outer) != outer {
		t.Error("without And and Or")
	}
}
