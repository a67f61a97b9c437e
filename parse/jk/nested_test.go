package jk

import (
	"fmt"
	"strings"
	"testing"
)

// TestNested: an lb worker inside of another gives its members, who share its
// load factor (0: not written, which is 1); lb workers that hold each other end.
func TestNested(t *testing.T) {
	front, res := lower(t, `-- httpd.conf --
JkWorkersFile w.properties
JkMount /* top
-- w.properties --
worker.list=top
worker.top.type=lb
worker.top.balance_workers=near,c
worker.near.type=lb
worker.near.balance_workers=a,b
worker.near.lbfactor=4
worker.near.distance=1
worker.near.activation=D
worker.a.host=ha
worker.a.lbfactor=3
worker.b.host=hb
worker.c.host=hc
`)
	if len(res.Diags) > 0 || len(front.Main.Balancers) != 1 {
		t.Fatalf("findings %v, balancers %+v", res.Diags, front.Main.Balancers)
	}
	got := ""
	for _, m := range front.Main.Balancers[0].Members {
		got += fmt.Sprintf("%s %s %g %d %s\n", m.URL.V, m.Route.V, m.LoadFactor.V, m.LBSet.V, m.Status.V)
	}
	want := "ajp://ha:8009 a 3 1 N\najp://hb:8009 b 1 1 N\najp://hc:8009 c 0 0 \n"
	if got != want {
		t.Errorf("members:\n%swant:\n%s", got, want)
	}
	if len(res.Unmapped) != 1 || res.Unmapped[0].What != "member near of type lb (its members stand in its place)" {
		t.Errorf("listed: %+v", res.Unmapped)
	}

	var b strings.Builder
	b.WriteString("-- httpd.conf --\nJkWorkersFile w.properties\nJkMount /* l0\n-- w.properties --\nworker.list=l0\n")
	names := make([]string, 30)
	for i := range names {
		names[i] = fmt.Sprintf("l%d", i)
	}
	for _, n := range names {
		fmt.Fprintf(&b, "worker.%s.type=lb\nworker.%s.balance_workers=%s\n", n, n, strings.Join(names, ","))
	}
	if front, _ := lower(t, b.String()); len(front.Main.Balancers) != 1 || len(front.Main.Balancers[0].Members) != 0 {
		t.Error("lb workers that hold only each other have no members")
	}
}
