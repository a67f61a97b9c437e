package native

import (
	"math"
	"strings"
	"testing"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/native"
	"clowder/render/target"
)

// FuzzQuote: any bytes, as a value, in a list, as the name and the value of an
// attribute and as a module, come back from the TOML as they were.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a", `"`, `'`, `\`, `'"\`, "\n", "\r\n\t\x00\x7f", "\xff\xfe", "é", "\xe9", "\uef80", "\uefff\xef", "\ufffd", "a # b", "'''", `"""`, "${x}", "\u2028", "attributes", "child"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		is := func(v string) model.String { return model.Is(v, diag.Span{}) }
		attrs := func() []*model.Attr { return []*model.Attr{{Name: s, Value: is(s)}} }
		in := &model.Setup{
			FrontEnds: []*model.FrontEnd{{Name: is("f"), Modules: []*model.Module{{Name: is(s), File: is(s)}}, Main: &model.Server{ServerName: is(s), Aliases: []model.String{is(s), is(s)}}}},
			Nodes: []*model.Node{{Name: is(s), Listeners: []*model.Component{{Element: is("Listener"), Attrs: attrs()}},
				Services: []*model.Service{{Connectors: []*model.Connector{{Extra: attrs()}}}}}},
		}
		for _, provenance := range []bool{false, true} {
			res, err := render(in, target.Options{Provenance: provenance})
			if err != nil {
				t.Fatal(err)
			}
			doc, diags := native.Parse(diag.NewFile("clowder.toml", res.Files[0].Data))
			if len(diags) > 0 {
				t.Fatalf("%s: %v", res.Files[0].Data, diags)
			}
			for _, d := range model.Compare(in, doc.Setup) {
				t.Errorf("%q: %s", s, d)
			}
		}
	})
}

// TestNumbers: numbers and times of every size come back.
func TestNumbers(t *testing.T) {
	for _, x := range []float64{0, 1, 1.5, -2.25, 1e-7, 1e21, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1)} {
		for _, d := range []time.Duration{0, time.Nanosecond, 1500 * time.Microsecond, 60 * time.Second, -time.Second, math.MaxInt64, 90*time.Minute + time.Millisecond} {
			in := &model.Setup{FrontEnds: []*model.FrontEnd{{Main: &model.Server{Timeout: model.Is(d, diag.Span{}), Workers: []*model.Member{{
				URL: model.Is("u", diag.Span{}), LoadFactor: model.Is(x, diag.Span{}), Min: model.Is(math.MinInt32, diag.Span{}), Max: model.Is(math.MaxInt32, diag.Span{})}}}}}}
			res, err := render(in, target.Options{})
			if err != nil {
				t.Fatal(err)
			}
			doc, diags := native.Parse(diag.NewFile("clowder.toml", res.Files[0].Data))
			if len(diags) > 0 {
				t.Fatalf("%s: %v", res.Files[0].Data, diags)
			}
			for _, diff := range model.Compare(in, doc.Setup) {
				t.Error(diff)
			}
		}
	}
}

// TestDepth: sections in sections without end are refused, not written in a size
// that grows with their square.
func TestDepth(t *testing.T) {
	nest := func(n int) *model.Setup {
		d := &model.Directive{Name: model.Is("If", diag.Span{})}
		for range n {
			d = &model.Directive{Name: model.Is("If", diag.Span{}), Children: []*model.Directive{d}}
		}
		return &model.Setup{FrontEnds: []*model.FrontEnd{{Main: &model.Server{Settings: model.Settings{Extras: []*model.Directive{d}}}}}}
	}
	if _, err := render(nest(10_000), target.Options{}); err == nil || !strings.Contains(err.Error(), "nested more than 64 deep") {
		t.Errorf("error %v", err)
	}
	in := nest(maxDepth - 3)
	res, err := render(in, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	doc, diags := native.Parse(diag.NewFile("clowder.toml", res.Files[0].Data))
	if len(diags) > 0 || len(model.Compare(in, doc.Setup)) > 0 {
		t.Errorf("what is just not too deep does not come back: %v", diags)
	}
}

// TestPrivate: a file with a secret in it is readable by its owner only, wherever
// the secret stands.
func TestPrivate(t *testing.T) {
	is := func(v string) model.String { return model.Is(v, diag.Span{}) }
	front := func(srv model.Server) *model.Setup {
		return &model.Setup{FrontEnds: []*model.FrontEnd{{Main: &srv}}}
	}
	tests := []struct {
		name string
		s    *model.Setup
		want bool
	}{
		{"none", front(model.Server{ServerName: is("x")}), false},
		{"member", front(model.Server{Workers: []*model.Member{{URL: is("ajp://h"), Secret: is("x")}}}), true},
		{"empty secret", front(model.Server{Workers: []*model.Member{{URL: is("ajp://h"), Secret: is("")}}}), false},
		{"nonce", front(model.Server{Balancers: []*model.Balancer{{Name: is("b"), Nonce: is("n")}}}), true},
		{"directive", front(model.Server{Settings: model.Settings{Extras: []*model.Directive{{Name: is("AuthLDAPBindPassword"), Args: []model.String{is("x")}}}}}), true},
		{"inner directive", front(model.Server{Settings: model.Settings{Extras: []*model.Directive{{Name: is("If"), Children: []*model.Directive{{Name: is("SessionCryptoPassphrase"), Args: []model.String{is("x")}}}}}}}), true},
		{"word of a directive", front(model.Server{Settings: model.Settings{Extras: []*model.Directive{{Name: is("ProxyPass"), Args: []model.String{is("secret=x")}}}}}), true},
		{"attribute", &model.Setup{Nodes: []*model.Node{{Name: is("n"), Resources: []*model.Component{{Attrs: []*model.Attr{{Name: "password", Value: is("x")}}}}}}}, true},
		{"keystore", &model.Setup{Nodes: []*model.Node{{Name: is("n"), Services: []*model.Service{{Connectors: []*model.Connector{{Extra: []*model.Attr{{Name: "keystorePass", Value: is("x")}}}}}}}}}, true},
		{"reference to a property", &model.Setup{Nodes: []*model.Node{{Name: is("n"), Resources: []*model.Component{{Attrs: []*model.Attr{{Name: "password", Value: is("${p}")}}}}}}}, false},
	}
	for _, tt := range tests {
		res, err := render(tt.s, target.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Files[0].Private; got != tt.want {
			t.Errorf("%s: private %v, want %v", tt.name, got, tt.want)
		}
	}
}
