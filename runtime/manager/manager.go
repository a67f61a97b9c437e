// Package manager serves httpd's balancer-manager and a small server-status over
// the run-time state of balancers. Who may reach the pages is the proxy's
// business; this package checks the Referer and each balancer's nonce before it
// changes anything.
//
// The behaviour follows balancer_handler of modules/proxy/mod_proxy_balancer.c.
package manager

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"clowder/runtime/balancer"
	"clowder/runtime/balancer/lbmethod"
	"clowder/runtime/exchange"
)

//go:embed pages.html
var files embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{"size": size, "factor": factor}).ParseFS(files, "pages.html"))

// Options of a manager.
type Options struct {
	Log     *slog.Logger // nil discards
	Server  string       // shown as the server's version
	Started time.Time
	// MemberMax are the connections that a member without max= may have.
	MemberMax int
}

// View is what the pages show: the balancers of one server.
type View struct {
	ServerName string // that the Referer must name
	Path       string // decoded path of the page, for its links
	Balancers  []*balancer.Balancer
	Paths      map[string]string // balancer → the last path mapped to it
	Action     string            // absolute URL of the page, for its forms
	Persist    bool              // BalancerPersist
	Inherit    bool              // BalancerInherit
	PassInh    bool              // ProxyPassInherit
	Checks     bool              // mod_proxy_hcheck is there
	AJP        bool              // mod_proxy_ajp is there
	Conditions []Condition       // ProxyHCExpr lines
}

// Condition is one ProxyHCExpr.
type Condition struct{ Name, Text string }

// Manager serves the pages. It is safe for concurrent use.
type Manager struct{ o Options }

// New makes a manager.
func New(o Options) *Manager {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Manager{o}
}

// maxForm is how much of a form body is read.
const maxForm = 1024

// Serve answers one request for balancer-manager. What it returns is 0, or the
// status of an error page that is still to be sent.
func (m *Manager) Serve(x *exchange.Exchange, v View) int {
	params := map[string]string{}
	switch x.Req.Method {
	case "GET", "HEAD":
		for k, val := range parse(x.Req.Query) {
			if k == "w" || k == "b" || k == "nonce" || k == "xml" {
				params[k] = val
			}
		}
	case "POST":
		if x.Req.Body != nil {
			b, err := io.ReadAll(io.LimitReader(x.Req.Body, maxForm))
			if err != nil {
				return 400
			}
			params = parse(string(b))
		}
	default:
		return 405
	}
	ref := x.Req.Header.Get("Referer")
	if !sameHost(ref, v.ServerName) {
		if ref == "" {
			ref = "(null)"
		}
		m.o.Log.Warn("AH10187: ignoring params in balancer-manager cross-site access "+ref+": "+v.ServerName, "client", x.Req.Remote.Addr())
		params = nil
	}
	b := find(v.Balancers, params["b"])
	if b != nil && x.Req.Method == "POST" && b.Nonce != "" && params["nonce"] == b.Nonce {
		if err := change(b, params); err != nil {
			m.o.Log.Error("AH10164: balancer://"+b.Name+": failed to add worker "+params["b_nwrkr"], "balancer", b.Name, "reason", err, "referer", ref)
			return 400
		}
		m.o.Log.Info("balancer-manager: changed", "balancer", b.Name, "member", params["w"])
	}
	if params["xml"] == "1" {
		send(x, 200, "OK", "text/xml", m.xmlPage(v), false)
		return 0
	}
	send(x, 200, "OK", "text/html; charset=ISO-8859-1", m.htmlPage(v, b, member(b, params["w"])), true)
	return 0
}

// sameHost reports whether the Referer's host is the server's name.
func sameHost(ref, name string) bool {
	u, err := url.Parse(ref)
	return err == nil && u.Hostname() != "" && strings.EqualFold(u.Hostname(), name)
}

// parse reads a query or form. Values are decoded twice, "+" is no blank, as in
// httpd; the last value of a name counts.
func parse(s string) map[string]string {
	out := map[string]string{}
	for kv := range strings.SplitSeq(s, "&") {
		k, val, ok := strings.Cut(kv, "=")
		if !ok || len(out) >= 64 {
			continue
		}
		once, err := url.PathUnescape(val)
		if err != nil {
			continue
		}
		twice, err := url.PathUnescape(once)
		if err != nil || strings.ContainsAny(twice, "\x00\r\n") {
			continue
		}
		out[k] = twice
	}
	return out
}

func find(list []*balancer.Balancer, name string) *balancer.Balancer {
	for _, b := range list {
		if name != "" && strings.EqualFold(b.Name, name) {
			return b
		}
	}
	return nil
}

func member(b *balancer.Balancer, name string) *balancer.Member {
	if b == nil || name == "" {
		return nil
	}
	for _, m := range b.Members() {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// change applies a form whose nonce was right.
func change(b *balancer.Balancer, p map[string]string) error {
	if m := member(b, p["w"]); m != nil {
		changeMember(b, m, p)
		return nil
	}
	if v, ok := p["b_lbm"]; ok {
		b.SetMethod(v)
	}
	if n, err := strconv.Atoi(p["b_tmo"]); err == nil && n >= 0 && n <= 7200 {
		b.SetTimeout(time.Duration(n) * time.Second)
	}
	if n, err := strconv.Atoi(p["b_max"]); err == nil && n >= 0 && n <= 99 {
		b.SetAttempts(n)
	}
	if v, ok := p["b_sforce"]; ok {
		b.SetNoFailover(v == "1")
	}
	if v := p["b_ss"]; v == "-" {
		b.SetSticky("")
	} else if v != "" && len(v) < 64 {
		b.SetSticky(v)
	}
	if p["b_wyes"] == "1" && p["b_nwrkr"] != "" {
		_, err := b.AddMember(p["b_nwrkr"])
		return err
	}
	return nil
}

// formStatus are the bits of a member that the form can change, in its order.
var formStatus = []struct {
	letter, name string
	bit          balancer.Status
}{
	{"I", "Ignore Errors", balancer.Ignore}, {"N", "Draining Mode", balancer.Drain}, {"D", "Disabled", balancer.Disabled},
	{"H", "Hot Standby", balancer.HotStandby}, {"R", "Hot Spare", balancer.HotSpare}, {"C", "HC Fail", balancer.HealthFailed},
	{"S", "Stopped", balancer.Stopped},
}

func changeMember(b *balancer.Balancer, m *balancer.Member, p map[string]string) {
	if f, err := strconv.ParseFloat(p["w_lf"], 64); err == nil && f >= 1 && f <= 100 {
		b.SetFactor(m, int(math.Round(f*100)))
	}
	if n, err := strconv.Atoi(p["w_ls"]); err == nil && n >= 0 && n <= 99 {
		m.SetLBSet(n)
	}
	if v, ok := p["w_wr"]; ok {
		m.SetRoute(short(v))
	}
	if v, ok := p["w_rr"]; ok {
		m.SetRedirect(short(v))
	}
	for _, s := range formStatus {
		switch p["w_status_"+s.letter] {
		case "1":
			m.SetStatus(s.bit, true)
		case "0":
			m.SetStatus(s.bit, false)
		}
	}
	m.UpdateHealth(func(h *balancer.Health) {
		if v, ok := p["w_hm"]; ok && v != "" && len(v) < 16 {
			h.Method = v
		}
		if n, err := strconv.Atoi(p["w_hi"]); err == nil && n >= 100 && n <= math.MaxInt32 {
			h.Interval = time.Duration(n) * time.Millisecond
		}
		if n, err := strconv.Atoi(p["w_hp"]); err == nil && n >= 1 {
			h.Passes = n
		}
		if n, err := strconv.Atoi(p["w_hf"]); err == nil && n >= 1 {
			h.Fails = n
		}
		if v, ok := p["w_hu"]; ok {
			h.URI = short(v)
		}
		if v, ok := p["w_he"]; ok {
			h.Expr = short(v)
		}
	})
}

// short is what a shared-memory field takes, or nothing.
func short(s string) string {
	if len(s) > 63 {
		return ""
	}
	return s
}

// render sends a page of the templates.
func (m *Manager) render(x *exchange.Exchange, name string, data any) int {
	var buf bytes.Buffer
	if err := pages.ExecuteTemplate(&buf, name, data); err != nil {
		m.o.Log.Error("page failed", "page", name, "reason", err)
		return 500
	}
	send(x, 200, "OK", "text/html; charset=UTF-8", buf.String(), false)
	return 0
}

// send sends a page; stream leaves its length to the front, as httpd does for what
// is written in pieces.
func send(x *exchange.Exchange, status int, reason, kind, body string, stream bool) {
	length := int64(len(body))
	if stream {
		length = -1
	}
	if x.W.Head(status, reason, exchange.Header{{Name: "Content-Type", Value: kind}}, length) == nil && x.Req.Method != "HEAD" {
		io.WriteString(x.W, body)
	}
}

// Status answers one request for server-status; "?auto" is for machines. It
// returns what Serve returns.
func (m *Manager) Status(x *exchange.Exchange, v View) int {
	if x.Req.Method != "GET" && x.Req.Method != "HEAD" {
		return 405
	}
	if x.Req.Query != "auto" {
		return m.render(x, "status", newPage(m.o, v))
	}
	var b strings.Builder
	for i, bal := range v.Balancers {
		fmt.Fprintf(&b, "ProxyBalancer[%d]Name: balancer://%s\n", i, bal.Name)
		for j, w := range bal.Members() {
			s := w.Snapshot()
			fmt.Fprintf(&b, "ProxyBalancer[%d]Worker[%d]Name: %s\n", i, j, s.Name)
			fmt.Fprintf(&b, "ProxyBalancer[%d]Worker[%d]Status: %s\n", i, j, s.Status)
			fmt.Fprintf(&b, "ProxyBalancer[%d]Worker[%d]Elected: %d\n", i, j, s.Elected)
			fmt.Fprintf(&b, "ProxyBalancer[%d]Worker[%d]Busy: %d\n", i, j, s.Busy)
			fmt.Fprintf(&b, "ProxyBalancer[%d]Worker[%d]Sent: %dK\n", i, j, s.Sent>>10)
			fmt.Fprintf(&b, "ProxyBalancer[%d]Worker[%d]Rcvd: %dK\n", i, j, s.Received>>10)
		}
	}
	send(x, 200, "OK", "text/plain; charset=ISO-8859-1", b.String(), false)
	return 0
}

// methods are the names for the balancer's form.
func methods() []string {
	var out []string
	for _, m := range lbmethod.Methods {
		out = append(out, m.Name)
	}
	return out
}
