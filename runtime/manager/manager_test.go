package manager

import (
	"io"
	"net"
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/runtime/balancer"
	"clowder/runtime/exchange"
)

// answer is a ResponseWriter that keeps what it gets.
type answer struct {
	status int
	body   strings.Builder
}

func (a *answer) Interim(int, string, exchange.Header) error { return nil }
func (a *answer) Head(status int, _ string, _ exchange.Header, _ int64) error {
	a.status = status
	return nil
}
func (a *answer) Write(p []byte) (int, error)           { return a.body.Write(p) }
func (a *answer) Flush() error                          { return nil }
func (a *answer) Abort()                                {}
func (a *answer) Started() bool                         { return a.status != 0 }
func (a *answer) Upgrade() (net.Conn, io.Reader, error) { return nil, nil, io.EOF }

func newBalancer(t testing.TB) *balancer.Balancer {
	at := diag.Span{}
	b, err := balancer.New(&model.Balancer{Name: model.Is("c", at), Nonce: model.Is("n0nce", at), Growth: model.Is(1, at),
		Members: []*model.Member{{URL: model.Is("http://10.0.0.1:1", at), Route: model.Is("<b>", at)}}}, balancer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func do(b *balancer.Balancer, method, query, referer, form string) *answer {
	a := &answer{}
	q := &exchange.Request{Method: method, Query: query, Body: strings.NewReader(form)}
	if referer != "" {
		q.Header.Add("Referer", referer)
	}
	if status := New(Options{}).Serve(&exchange.Exchange{Req: q, W: a},
		View{ServerName: "www.example", Path: "/bm", Balancers: []*balancer.Balancer{b}}); status != 0 {
		a.status = status
	}
	return a
}

func TestChange(t *testing.T) {
	const good = "http://www.example:8080/bm"
	const form = "b=c&w=http://10.0.0.1:1&nonce=n0nce&w_status_D=1&w_lf=2.5&w_wr=x"
	for _, c := range []struct {
		name, method, query, referer, form string
		want                               bool
	}{
		{"right", "POST", "", good, form, true},
		{"encoded twice", "POST", "", good, strings.ReplaceAll(form, "://", "%253A%252F%252F"), true},
		{"other host", "POST", "", "http://evil.example/", form, false},
		{"no referer", "POST", "", "", form, false},
		{"wrong nonce", "POST", "", good, strings.ReplaceAll(form, "n0nce", "guess"), false},
		{"no nonce", "POST", "", good, strings.ReplaceAll(form, "nonce=n0nce&", ""), false},
		{"by GET", "GET", form, good, "", false},
		{"query of a POST", "POST", form, good, "", false},
	} {
		b := newBalancer(t)
		a := do(b, c.method, c.query, c.referer, c.form)
		s := b.Members()[0].Snapshot()
		if got := s.Status&balancer.Disabled != 0 && s.Route == "x"; got != c.want || a.status != 200 {
			t.Errorf("%s: changed %v, status %d", c.name, got, a.status)
		}
		if strings.Contains(a.body.String(), "<b>") {
			t.Errorf("%s: not escaped", c.name)
		}
	}
}

func TestBalancerForm(t *testing.T) {
	b := newBalancer(t)
	a := do(b, "POST", "", "http://www.example/", "b=c&nonce=n0nce&b_lbm=bybusyness&b_tmo=3&b_max=7&b_sforce=1&b_ss=S|s&b_nwrkr=ajp://h:1&b_wyes=1")
	s := b.Settings()
	if a.status != 200 || s.Method != "bybusyness" || s.Attempts != 7 || !s.NoFailover || s.Sticky != "S|s" || len(b.Members()) != 2 {
		t.Errorf("%d %+v", a.status, s)
	}
	if a := do(b, "POST", "", "http://www.example/", "b=c&nonce=n0nce&b_nwrkr=ajp://h:2&b_wyes=1"); a.status != 400 {
		t.Error("no room:", a.status)
	}
	if a := do(b, "PUT", "", "", ""); a.status != 405 {
		t.Error(a.status)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{0: "  0 ", 972: "972 ", 1229: "1.2K", 1 << 20: "1.0M", 20 << 20: " 20M"} {
		if got := size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add("b=c&w=http://10.0.0.1:1&nonce=n0nce&w_lf=1e9&w_status_D=1")
	f.Add("b=c&nonce=n0nce&b_nwrkr=%2500&b_wyes=1")
	f.Fuzz(func(t *testing.T, form string) {
		b := newBalancer(t)
		do(b, "POST", "", "http://www.example/", form)
		s := b.Members()[0].Snapshot()
		if s.Factor < 100 || s.Factor > 10000 || s.Set < 0 || s.Set > 99 || len(s.Route) > 63 || len(b.Members()) > 2 {
			t.Fatalf("%+v", s)
		}
	})
}
