package manager

import (
	"fmt"
	"hash/fnv"
	"html"
	"net/url"
	"strings"
	"time"

	"clowder/runtime/balancer"
)

// The pages are those of httpd 2.4.71, byte for byte: scripts and configuration
// tools read them (balancer_display_page of mod_proxy_balancer.c). Names are
// escaped also where httpd does not.

const pageHead = `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">
<html><head><title>Balancer Manager</title>
<style type='text/css'>
table {
 border-width: 1px;
 border-spacing: 3px;
 border-style: solid;
 border-color: gray;
 border-collapse: collapse;
 background-color: white;
 text-align: center;
}
th {
 border-width: 1px;
 padding: 2px;
 border-style: dotted;
 border-color: gray;
 background-color: lightgray;
 text-align: center;
}
td {
 border-width: 1px;
 padding: 2px;
 border-style: dotted;
 border-color: gray;
 background-color: white;
 text-align: center;
}
</style>
</head>
`

var (
	balancerColumns = []string{"MaxMembers", "StickySession", "DisableFailover", "Timeout", "FailoverAttempts", "Method", "Path", "Active"}
	memberColumns   = []string{"Worker URL", "Route", "RouteRedir", "Factor", "Set", "Status", "Elected", "Busy", "Load", "To", "From"}
	checkColumns    = []string{"HC Method", "HC Interval", "Passes", "Fails", "HC uri", "HC Expr"}
	// checkMethods are those of mod_proxy_hcheck that are carried out.
	checkMethods = []string{"NONE", "TCP", "OPTIONS", "HEAD", "GET", "CPING", "OPTIONS11", "HEAD11", "GET11"}
)

// sheet is a page being written.
type sheet struct {
	strings.Builder
	v View
}

func (s *sheet) f(format string, args ...any) { fmt.Fprintf(&s.Builder, format, args...) }

func (s *sheet) columns(names []string) {
	for _, n := range names {
		s.f("<th>%s</th>", n)
	}
}

// not is the word that httpd puts before what is off.
func not(on bool) string {
	if on {
		return ""
	}
	return "NOT "
}

// escapePath is ap_escape_uri for what goes into a link.
func escapePath(p string) string { return html.EscapeString((&url.URL{Path: p}).EscapedPath()) }

// escapeURL is the same for a member's URL.
func escapeURL(u string) string {
	return html.EscapeString(strings.NewReplacer(" ", "%20", "%", "%25", "?", "%3f").Replace(u))
}

// shortID is the name that httpd gives to a balancer's shared memory.
func shortID(b *balancer.Balancer, server string) string {
	h := fnv.New32a()
	h.Write([]byte(server + "/" + b.Name))
	return fmt.Sprintf("p%x_%s", h.Sum32(), b.Name)
}

// htmlPage is the main page, with the form of a balancer or of a member below it.
func (m *Manager) htmlPage(v View, b *balancer.Balancer, w *balancer.Member) string {
	s := &sheet{v: v}
	s.WriteString(pageHead)
	s.f("<body><h1>Load Balancer Manager for %s</h1>\n\n", html.EscapeString(v.ServerName))
	s.f("<dl><dt>Server Version: %s</dt>\n<dt>Server Built: %s</dt>\n", html.EscapeString(m.o.Server), m.o.Started.UTC().Format("2006-01-02T15:04:05"))
	s.f("<dt>Balancer changes will %sbe persisted on restart.</dt>", not(v.Persist))
	s.f("<dt>Balancers are %sinherited from main server.</dt>", not(v.Inherit))
	s.f("<dt>ProxyPass settings are %sinherited from main server.</dt></dl>\n", not(v.PassInh))
	for _, x := range v.Balancers {
		s.balancer(x)
	}
	s.f("<hr />\n")
	if v.Checks && len(v.Conditions) > 0 {
		s.f("\n\n<table><tr><th colspan='2'>Health check cond. expressions:</th></tr>\n<tr><th>Expr name</th><th>Expression</th></tr>\n")
		for _, c := range v.Conditions {
			s.f("<tr><td>%s</td><td>%s</td></tr>\n", html.EscapeString(c.Name), html.EscapeString(c.Text))
		}
		s.f("</table><hr/>\n")
	}
	switch {
	case b != nil && w != nil:
		s.memberForm(b, w)
	case b != nil:
		s.balancerForm(b)
	}
	s.f("</body></html>\n")
	return s.String()
}

func (s *sheet) balancer(b *balancer.Balancer) {
	set, members := b.Settings(), b.Members()
	name, path := html.EscapeString(b.Name), escapePath(s.v.Path)
	s.f("<hr />\n<h3>LoadBalancer Status for <a href=\"%s?b=%s&amp;nonce=%s\">balancer://%s</a> [%s]</h3>\n", path, name, html.EscapeString(b.Nonce), name, html.EscapeString(shortID(b, s.v.ServerName)))
	s.f("\n\n<table><tr>")
	s.columns(balancerColumns)
	s.f("</tr>\n<tr><td>%d [%d Used]</td>\n<td>", len(members)+set.Room, len(members))
	if set.Sticky == "" {
		s.f(" (None) ")
	} else {
		s.f("%s", html.EscapeString(set.Sticky))
	}
	s.f("</td><td>%s</td>\n<td>%d</td><td>%d</td>\n<td>%s</td>\n", onOff(set.NoFailover), set.Timeout/time.Second, set.Attempts, set.Method)
	s.f("<td>%s</td>\n<td>Yes</td>\n</tr>\n</table>\n<br />\n\n<table><tr>", html.EscapeString(s.v.Paths[b.Name]))
	s.columns(memberColumns)
	if s.v.Checks {
		s.columns(checkColumns)
	}
	s.f("</tr>\n")
	for _, m := range members {
		w := m.Snapshot()
		s.f("<tr>\n<td><a href=\"%s?b=%s&amp;w=%s&amp;nonce=%s\">%s</a></td>", path, name, escapeURL(w.Name), html.EscapeString(b.Nonce), html.EscapeString(w.Name))
		s.f("<td>%s</td><td>%s</td><td>%s</td><td>%d</td><td>%s</td>", html.EscapeString(w.Route), html.EscapeString(w.Redirect), factor(w.Factor), w.Set, w.Status)
		s.f("<td>%d</td><td>%d</td><td>%d</td><td>%s</td><td>%s", w.Elected, w.Busy, w.Load, size(w.Sent), size(w.Received))
		if h := w.Health; s.v.Checks {
			s.f("</td><td>%s</td><td>%dms</td><td>%d (%d)</td><td>%d (%d)</td>", html.EscapeString(h.Method), h.Interval.Milliseconds(), h.Passes, h.Passed, h.Fails, h.Failed)
			s.f("<td>%s</td><td>%s", html.EscapeString(h.URI), html.EscapeString(h.Expr))
		}
		s.f("</td></tr>\n")
	}
	s.f("</table>\n")
}

// radio is a pair of buttons.
func (s *sheet) radio(name string, on bool) {
	checked := [2]string{" checked", ""}
	if on {
		checked = [2]string{"", " checked"}
	}
	s.f("<td><label for='%[1]s1'>On</label> <input name='%[1]s' id='%[1]s1' value='1' type=radio%[2]s> <br/> ", name, checked[1])
	s.f("<label for='%[1]s0'>Off</label> <input name='%[1]s' id='%[1]s0' value='0' type=radio%[2]s></td>\n", name, checked[0])
}

func (s *sheet) form() {
	s.f("<form method='POST' enctype='application/x-www-form-urlencoded' action=\"%s\">\n", html.EscapeString(s.v.Action))
}

func (s *sheet) end(b *balancer.Balancer) {
	s.f("<input type=hidden name='b' id='b' value=\"%s\">\n<input type=hidden name='nonce' id='nonce' value='%s'>\n</form>\n<hr />\n",
		html.EscapeString(b.Name), html.EscapeString(b.Nonce))
}

func (s *sheet) memberForm(b *balancer.Balancer, m *balancer.Member) {
	w := m.Snapshot()
	s.f("<h3>Edit worker settings for %s</h3>\n", html.EscapeString(w.Name))
	s.form()
	s.f("<table><tr><td>Load factor:</td><td><input name='w_lf' id='w_lf' type=text value='%s'></td></tr>\n", factor(w.Factor))
	s.f("<tr><td>LB Set:</td><td><input name='w_ls' id='w_ls' type=text value='%d'></td></tr>\n", w.Set)
	s.f("<tr><td>Route:</td><td><input name='w_wr' id='w_wr' type=text value=\"%s\"></td></tr>\n", html.EscapeString(w.Route))
	s.f("<tr><td>Route Redirect:</td><td><input name='w_rr' id='w_rr' type=text value=\"%s\"></td></tr>\n", html.EscapeString(w.Redirect))
	s.f("<tr><td>Status:</td><td><table><tr>")
	for _, c := range formStatus {
		if c.bit != balancer.HealthFailed || s.v.Checks {
			s.f("<th>%s</th>", c.name)
		}
	}
	s.f("</tr>\n<tr>")
	for _, c := range formStatus {
		if c.bit != balancer.HealthFailed || s.v.Checks {
			s.radio("w_status_"+c.letter, w.Status&c.bit != 0)
		}
	}
	s.f("</tr></table></td></tr>\n")
	if s.v.Checks {
		s.checkForm(&w.Health)
	}
	s.f("<tr><td colspan='2'><input type=submit value='Submit'></td></tr>\n</table>\n")
	s.f("<input type=hidden name='w' id='w' value=\"%s\">\n", escapeURL(w.Name))
	s.end(b)
}

func (s *sheet) checkForm(h *balancer.Health) {
	selected := func(on bool) string {
		if on {
			return "selected"
		}
		return ""
	}
	s.f("<tr><td colspan='2'>\n<table align='center'><tr><th>Health Check param</th><th>Value</th></tr>\n<tr><td>Method</td><td><select name='w_hm'>\n")
	for _, n := range checkMethods {
		if n == "CPING" && !s.v.AJP {
			continue
		}
		s.f("<option value='%[1]s' %[2]s >%[1]s</option>\n", n, selected(strings.EqualFold(h.Method, n)))
	}
	s.f("</select>\n</td></tr>\n<tr><td>Expr</td><td><select name='w_he'>\n")
	for _, c := range s.v.Conditions {
		s.f("<option value='%[1]s' %[2]s >%[1]s</option>\n", html.EscapeString(c.Name), selected(strings.EqualFold(h.Expr, c.Name)))
	}
	s.f("</select>\n</td></tr>\n")
	s.f("<tr><td>Interval (ms)</td><td><input name='w_hi' id='w_hi' type='text' value='%d'></td></tr>\n", h.Interval.Milliseconds())
	s.f("<tr><td>Passes trigger</td><td><input name='w_hp' id='w_hp' type='text' value='%d'></td></tr>\n", h.Passes)
	s.f("<tr><td>Fails trigger)</td><td><input name='w_hf' id='w_hf' type='text' value='%d'></td></tr>\n", h.Fails)
	s.f("<tr><td>HC uri</td><td><input name='w_hu' id='w_hu' type='text' value=\"%s\"></td></tr>\n", html.EscapeString(h.URI))
	s.f("</table>\n</td></tr>\n")
}

func (s *sheet) balancerForm(b *balancer.Balancer) {
	set := b.Settings()
	s.f("<h3>Edit balancer settings for balancer://%s</h3>\n", html.EscapeString(b.Name))
	s.form()
	s.f("<table>\n<tr><td>LBmethod:</td><td>\n<select name='b_lbm' id='b_lbm'>")
	for _, n := range methods() {
		mark := ""
		if n == set.Method {
			mark = " selected "
		}
		s.f("<option value='%[1]s'%[2]s>%[1]s\n", n, mark)
	}
	s.f("</select>\n</td></tr>\n")
	s.f("<tr><td>Timeout:</td><td><input name='b_tmo' id='b_tmo' type=text value='%d'></td></tr>\n", set.Timeout/time.Second)
	s.f("<tr><td>Failover Attempts:</td><td><input name='b_max' id='b_max' type=text value='%d'></td></tr>\n", set.Attempts)
	s.f("<tr><td>Disable Failover:</td>")
	s.radio("b_sforce", set.NoFailover)
	s.f("</tr>\n<tr><td>Sticky Session:</td><td><input name='b_ss' id='b_ss' size=64 type=text value =\"%s\">&nbsp;&nbsp;&nbsp;&nbsp;(Use '-' to delete)</td></tr>\n", html.EscapeString(set.Sticky))
	if set.Room > 0 {
		s.f("<tr><td>Add New Worker:</td><td><input name='b_nwrkr' id='b_nwrkr' size=32 type=text>&nbsp;&nbsp;&nbsp;&nbsp;Are you sure? <input name='b_wyes' id='b_wyes' type=checkbox value='1'></td></tr>")
	}
	s.f("<tr><td colspan=2><input type=submit value='Submit'></td></tr>\n</table>\n")
	s.end(b)
}
