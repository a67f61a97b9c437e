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

func TestEffectiveDefaults(t *testing.T) {
	f := &FrontEnd{}
	e := f.Effective(nil)
	if e.Timeout.V != time.Minute || e.Timeout.Origin != Default || !e.Settings.AddHeaders.V || !e.BalancerInherit.V {
		t.Errorf("defaults: %+v %+v", e.Timeout, e.Settings.AddHeaders)
	}
}
