package httpd

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
)

func loadSeed(t *testing.T, name string) (*diag.File, *Config, *model.FrontEnd, diag.List) {
	t.Helper()
	p := filepath.Join("..", "..", "testdata", "seed", name, "httpd.conf")
	data, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	f := diag.NewFile(p, data)
	c, diags := Load(f, Options{})
	fe, _, more := Lower(c)
	return f, c, fe, append(diags, more...)
}

// TestVerbatimSeed proves the recovery: one finding for each unclosed opening
// tag, and everything behind it is seen as standing outside.
func TestVerbatimSeed(t *testing.T) {
	f, _, fe, diags := loadSeed(t, "verbatim")
	var lines []int
	for _, d := range diags {
		if d.ID != "H001" {
			t.Errorf("unexpected %s: %s", d.ID, d.Message)
		}
		lines = append(lines, f.Line(int(d.Span.Start)))
	}
	if len(lines) != 3 || lines[0] != 8 || lines[1] != 17 || lines[2] != 23 {
		t.Fatalf("findings at lines %v, want 8, 17, 23", lines)
	}
	if want := "`<Proxy>` opened at line 8 is never closed; add `</Proxy>` after line 11 (the next directive, `ProxyPass`, is not allowed inside it)"; diags[0].Message != want {
		t.Errorf("got  %s\nwant %s", diags[0].Message, want)
	}
	if len(fe.Main.Balancers) != 1 || len(fe.Main.Balancers[0].Members) != 3 || len(fe.Main.Mappings) != 1 || len(fe.Main.Sections) != 3 {
		t.Errorf("recovered: %d balancers, %d mappings, %d sections", len(fe.Main.Balancers), len(fe.Main.Mappings), len(fe.Main.Sections))
	}
}

// TestFixedSeed proves the lowering of the whole story.
func TestFixedSeed(t *testing.T) {
	for _, name := range []string{"fixed", "broken", "broken-on-current"} {
		t.Run(name, func(t *testing.T) {
			_, c, fe, diags := loadSeed(t, name)
			if len(diags) != 0 {
				t.Fatalf("findings: %v", diags)
			}
			if !c.HasModule("proxy_ajp") || c.HasModule("proxy_http") {
				t.Error("modules are not those of the LoadModule lines")
			}
			if len(fe.Main.Balancers) != 1 {
				t.Fatalf("%d balancers", len(fe.Main.Balancers))
			}
			b := fe.Main.Balancers[0]
			if b.Name.V != "mybalancer" || b.Sticky.V != "JSESSIONID|jsessionid" || !b.Sticky.IsWritten() {
				t.Errorf("balancer %+v", b)
			}
			if b.Sticky.Span.Text() != "stickysession=JSESSIONID|jsessionid" {
				t.Errorf("stickysession is placed on %q", b.Sticky.Span.Text())
			}
			if b.LBMethod.V != "byrequests" || b.LBMethod.Origin != model.Default || b.StickySep.V != "." {
				t.Errorf("defaults: %+v %+v", b.LBMethod, b.StickySep)
			}
			m := b.Members[2]
			if m.URL.V != "ajp://localhost:8303" || m.Route.V != "s3" || m.Retry.V != time.Minute || m.LoadFactor.V != 1 {
				t.Errorf("member %+v", m)
			}
			if m.Route.Span.Text() != "route=s3" {
				t.Errorf("route is placed on %q", m.Route.Span.Text())
			}
			if len(fe.Main.Sections) != 3 || fe.Main.Sections[2].Settings.Handler.V != "balancer-manager" {
				t.Errorf("sections %+v", fe.Main.Sections)
			}
			if a := fe.Main.Sections[1].Settings.Access; a == nil || a.Order.V == "" || len(a.Allow) != 1 {
				t.Errorf("access of <Proxy *>: %+v", a)
			}
			if name == "fixed" && !fe.Main.Mappings[0].Excludes() {
				t.Error("the exclusion is lost")
			}
		})
	}
}
