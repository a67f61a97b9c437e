package manager

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"

	"clowder/runtime/balancer"
)

func esc(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

// xmlPage is the answer to ?xml=1, with the oddities of httpd's own: places
// without a line end, loadfactor twice, only the milliseconds of a timeout. Names
// are escaped, which httpd does not do.
func (m *Manager) xmlPage(v View) string {
	var b strings.Builder
	b.WriteString("<?xml version='1.0' encoding='UTF-8' ?>\n<httpd:manager xmlns:httpd='http://httpd.apache.org'>\n  <httpd:balancers>\n")
	for _, bal := range v.Balancers {
		s := bal.Settings()
		line(&b, 4, "<httpd:balancer>")
		tag(&b, 6, "name", "balancer://"+bal.Name)
		tag(&b, 6, "nonce", bal.Nonce)
		if s.Sticky != "" {
			name, _, _ := strings.Cut(s.Sticky, "|")
			tag(&b, 6, "stickysession", name)
			tag(&b, 6, "nofailover", onOff(s.NoFailover))
		}
		fmt.Fprintf(&b, "      <httpd:timeout>%d</httpd:timeout>", s.Timeout/time.Second)
		if s.Attempts > 0 || bal.Model.MaxAttempts.IsWritten() {
			tag(&b, 6, "maxattempts", s.Attempts)
		}
		tag(&b, 6, "lbmethod", s.Method)
		if s.Sticky != "" {
			tag(&b, 6, "scolonpathdelim", onOff(bal.Model.ScolonDelim.V))
		}
		line(&b, 6, "<httpd:workers>")
		for _, w := range bal.Members() {
			xmlMember(&b, w, m.o.MemberMax)
		}
		line(&b, 6, "</httpd:workers>")
		line(&b, 4, "</httpd:balancer>")
	}
	b.WriteString("  </httpd:balancers>\n</httpd:manager>")
	return b.String()
}

func xmlMember(b *strings.Builder, m *balancer.Member, most int) {
	w, c := m.Snapshot(), m.Model
	scheme, host, port := balancer.SplitName(m.Name)
	limit := func(n int) int {
		if n == 0 {
			return most
		}
		return n
	}
	line(b, 8, "<httpd:worker>")
	tag(b, 10, "name", m.Name)
	tag(b, 10, "scheme", scheme)
	tag(b, 10, "hostname", host)
	tag(b, 10, "loadfactor", factor(w.Factor))
	tag(b, 10, "port", port)
	tag(b, 10, "min", c.Min.V)
	tag(b, 10, "smax", min(limit(c.SMax.V), limit(c.Max.V)))
	tag(b, 10, "max", limit(c.Max.V))
	tag(b, 10, "ttl", int(c.TTL.V/time.Second))
	if c.Timeout.IsWritten() {
		tag(b, 10, "timeout", int(c.Timeout.V/time.Second))
	}
	if c.Acquire.IsWritten() {
		tag(b, 10, "acquire", int(c.Acquire.V/time.Millisecond))
	}
	if c.RecvBufferSize.IsWritten() {
		tag(b, 10, "recv_buffer_size", c.RecvBufferSize.V)
	}
	if c.IOBufferSize.IsWritten() {
		tag(b, 10, "io_buffer_size", c.IOBufferSize.V)
	}
	if c.KeepAlive.IsWritten() {
		tag(b, 10, "keepalive", onOff(c.KeepAlive.V))
	}
	tag(b, 10, "status", w.Status.String())
	if !w.ErrorTime.IsZero() {
		tag(b, 10, "error_time", w.ErrorTime.UTC().Format(http.TimeFormat))
	}
	tag(b, 10, "retries", w.Retries)
	tag(b, 10, "lbstatus", w.Load)
	tag(b, 10, "loadfactor", factor(w.Factor))
	tag(b, 10, "transferred", w.Sent)
	tag(b, 10, "read", w.Received)
	tag(b, 10, "elected", w.Elected)
	tag(b, 10, "route", w.Route)
	tag(b, 10, "redirect", w.Redirect)
	tag(b, 10, "busy", w.Busy)
	tag(b, 10, "lbset", w.Set)
	switch flush := strings.ToLower(c.FlushPackets.V); {
	case scheme == "ajp" && flush != "on" && flush != "auto":
		tag(b, 10, "flushpackets", "Off")
	case flush == "on":
		tag(b, 10, "flushpackets", "On")
	case flush == "auto":
		tag(b, 10, "flushpackets", "Auto")
		tag(b, 10, "flushwait", c.FlushWait.V*1000)
	}
	if c.DisableReuse.IsWritten() {
		tag(b, 6, "disablereuse", onOff(c.DisableReuse.V))
	}
	if c.ConnTimeout.IsWritten() {
		tag(b, 10, "connectiontimeout", int(c.ConnTimeout.V%time.Second/time.Millisecond))
	}
	if c.Retry.IsWritten() {
		tag(b, 10, "retry", int(w.Retry/time.Second))
	}
	if c.Ping.IsWritten() {
		fmt.Fprintf(b, "          <httpd:ping>%d</httpd:ping>", c.Ping.V%time.Second/time.Millisecond)
	}
	line(b, 8, "</httpd:worker>")
}

func line(b *strings.Builder, indent int, s string) {
	fmt.Fprintf(b, "%*s%s\n", indent, "", s)
}

func tag(b *strings.Builder, indent int, name string, value any) {
	fmt.Fprintf(b, "%*s<httpd:%s>%s</httpd:%s>\n", indent, "", name, esc(fmt.Sprint(value)), name)
}

func onOff(b bool) string {
	if b {
		return "On"
	}
	return "Off"
}
