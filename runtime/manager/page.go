package manager

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"clowder/runtime/balancer"
)

// page is what the templates see.
type page struct {
	Server, Version, Path string
	Uptime                time.Duration
	Balancers             []row
	Form                  *row               // the balancer whose form is shown
	Member                *balancer.Snapshot // or the member's
	Methods               []string
	Letters               []letter
}

type letter struct {
	Letter, Name string
	On           bool
}

type row struct {
	Name, Nonce, Path string
	balancer.Settings
	Members []balancer.Snapshot
}

func newRow(b *balancer.Balancer, v View) row {
	r := row{Name: b.Name, Nonce: b.Nonce, Path: v.Paths[b.Name], Settings: b.Settings()}
	for _, m := range b.Members() {
		r.Members = append(r.Members, m.Snapshot())
	}
	return r
}

func newPage(o Options, v View, b *balancer.Balancer, p map[string]string) page {
	pg := page{Server: v.ServerName, Version: o.Server, Path: v.Path, Uptime: time.Since(o.Started).Round(time.Second), Methods: methods()}
	for _, x := range v.Balancers {
		pg.Balancers = append(pg.Balancers, newRow(x, v))
	}
	if b == nil {
		return pg
	}
	r := newRow(b, v)
	pg.Form = &r
	if m := member(b, p["w"]); m != nil {
		s := m.Snapshot()
		pg.Member = &s
		for _, f := range formStatus {
			pg.Letters = append(pg.Letters, letter{f.letter, strings.Fields(f.bit.String())[0], s.Status&f.bit != 0})
		}
	}
	return pg
}

// factor prints a load factor of hundredths.
func factor(n int) string { return fmt.Sprintf("%d.%02d", n/100, n%100) }

// size is apr_strfsize: four characters.
func size(n uint64) string {
	if n < 973 {
		return fmt.Sprintf("%3d ", n)
	}
	units := "KMGTPE"
	for i := 0; ; i++ {
		rest := n & 1023
		n >>= 10
		if n >= 973 && i < len(units)-1 {
			continue
		}
		if n < 9 || n == 9 && rest < 973 {
			rest = (rest*5 + 256) / 512
			if rest >= 10 {
				n, rest = n+1, 0
			}
			return fmt.Sprintf("%d.%d%c", n, rest, units[i])
		}
		if rest >= 512 {
			n++
		}
		return fmt.Sprintf("%3d%c", n, units[i])
	}
}

func esc(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

// xmlPage is the answer to ?xml=1. Names are escaped, which httpd does not do.
func xmlPage(v View) string {
	var b strings.Builder
	b.WriteString("<?xml version='1.0' encoding='UTF-8' ?>\n<httpd:manager xmlns:httpd='http://httpd.apache.org'>\n  <httpd:balancers>\n")
	for _, bal := range v.Balancers {
		s := bal.Settings()
		fmt.Fprintf(&b, "    <httpd:balancer>\n      <httpd:name>balancer://%s</httpd:name>\n", esc(bal.Name))
		if s.Sticky != "" {
			fmt.Fprintf(&b, "      <httpd:stickysession>%s</httpd:stickysession>\n", esc(s.Sticky))
		}
		fmt.Fprintf(&b, "      <httpd:nofailover>%s</httpd:nofailover>\n      <httpd:timeout>%d</httpd:timeout>", onOff(s.NoFailover), s.Timeout/time.Second)
		fmt.Fprintf(&b, "      <httpd:lbmethod>%s</httpd:lbmethod>\n      <httpd:nonce>%s</httpd:nonce>\n      <httpd:workers>\n", s.Method, esc(bal.Nonce))
		for _, m := range bal.Members() {
			w := m.Snapshot()
			fmt.Fprintf(&b, "        <httpd:worker>\n          <httpd:name>%s</httpd:name>\n          <httpd:route>%s</httpd:route>\n          <httpd:redirect>%s</httpd:redirect>\n",
				esc(w.Name), esc(w.Route), esc(w.Redirect))
			fmt.Fprintf(&b, "          <httpd:loadfactor>%s</httpd:loadfactor>\n          <httpd:lbset>%d</httpd:lbset>\n          <httpd:status>%s</httpd:status>\n          <httpd:busy>%d</httpd:busy>\n          <httpd:elected>%d</httpd:elected>\n          <httpd:to>%d</httpd:to>\n          <httpd:read>%d</httpd:read>\n        </httpd:worker>\n",
				factor(w.Factor), w.Set, w.Status, w.Busy, w.Elected, w.Sent, w.Received)
		}
		b.WriteString("      </httpd:workers>\n    </httpd:balancer>\n")
	}
	b.WriteString("  </httpd:balancers>\n</httpd:manager>")
	return b.String()
}

func onOff(b bool) string {
	if b {
		return "On"
	}
	return "Off"
}
