package httpd

import (
	"math"
	"strconv"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// workerParams and balancerParams are the keys of set_worker_param and
// set_balancer_param in modules/proxy/mod_proxy.c, and of mod_proxy_hcheck.
var (
	workerParams = strings.Fields(`loadfactor lbset route redirect status retry timeout connectiontimeout ping acquire
		min max smax ttl keepalive disablereuse enablereuse addressttl flushpackets flushwait iobuffersize receivebuffersize
		responsefieldsize secret upgrade flusher hcmethod hcinterval hcpasses hcfails hcuri hcexpr hctemplate`)
	balancerParams = strings.Fields(`lbmethod stickysession stickysessionsep scolonpathdelim nofailover timeout maxattempts
		failonstatus failontimeout forcerecovery nonce growth`)
)

// atoi reads an int as C does: what does not begin with a number is 0.
func atoi(s string) int { return int(int32(atol(s))) }

// atol reads a long as C does.
func atol(s string) int {
	s = strings.TrimLeft(s, " \t")
	end := 0
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseInt(strings.TrimPrefix(s[:end], "+"), 10, 64)
	return int(n)
}

// atof reads a number as C does: what does not begin with one is 0.
func atof(s string) float64 {
	s = strings.TrimLeft(s, " \t")
	for end := min(len(s), 64); end > 0; end-- {
		if strings.Contains(s[:end], "_") {
			continue // Go's, not C's
		}
		f, err := strconv.ParseFloat(s[:end], 64)
		if err != nil {
			f, err = strconv.ParseFloat(s[:end]+"p0", 64) // C reads hexadecimal numbers without an exponent
		}
		if err == nil {
			return f
		}
	}
	return 0
}

// parseTime reads a time with an optional unit as ap_timeout_parameter_parse in
// server/util.c does.
func parseTime(s string, unit time.Duration) (time.Duration, bool) {
	end := 0
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(s[:end], "+"), 10, 64)
	if err != nil && end > 0 {
		return 0, false
	} // else without digits: 0 of the unit that follows
	switch u := s[end:]; {
	case n < 0:
		return 0, false
	case u == "":
	case u[0] == 's':
		unit = time.Second
	case u[0] == 'h':
		unit = time.Hour
	case strings.HasPrefix(u, "ms"):
		unit = time.Millisecond
	case strings.HasPrefix(u, "mi"):
		unit = time.Minute
	default:
		return 0, false
	}
	if limit := int64(math.MaxInt64 / unit); n > limit {
		n = limit
	}
	return time.Duration(n) * unit, true
}

// param is one key=value word. Its setters fill a value and return what is wrong.
type param struct {
	key, val string
	at       diag.Span
}

func (p param) text(v *model.String, limit int, bad string) string {
	if limit > 0 && len(p.val) > limit {
		return bad
	}
	*v = model.Is(p.val, p.at)
	return ""
}

func (p param) integer(v *model.Int, lo, hi int, bad string) string {
	n := atoi(p.val)
	if n < lo || n > hi {
		return bad
	}
	*v = model.Is(n, p.at)
	return ""
}

func (p param) size(v *model.Int, least int, bad string) string {
	n := atol(p.val)
	if n != 0 && n < least || n < 0 {
		return bad
	}
	*v = model.Is(n, p.at)
	return ""
}

func (p param) seconds(v *model.Duration, least int, bad string) string {
	n := atoi(p.val)
	if n < least {
		return bad
	}
	*v = model.Is(time.Duration(n)*time.Second, p.at)
	return ""
}

func (p param) duration(v *model.Duration, unit, least time.Duration, format, bad string) string {
	d, ok := parseTime(p.val, unit)
	switch {
	case !ok:
		return format
	case d < least:
		return bad
	}
	*v = model.Is(d, p.at)
	return ""
}

func (p param) flag(v *model.Bool) string {
	on, ok := onOff(p.val)
	if !ok {
		return "must be On or Off"
	}
	*v = model.Is(on, p.at)
	return ""
}

func onOff(s string) (on, ok bool) {
	on = strings.EqualFold(s, "on")
	return on, on || strings.EqualFold(s, "off")
}

const maxInt = 1<<31 - 1

// setWorker sets one parameter of a member or worker; it returns what is wrong
// with the value, and whether the key is known.
func setWorker(m *model.Member, p param) (bad string, known bool) {
	switch p.key {
	case "loadfactor":
		f := atof(p.val)
		if !(f >= 1 && f <= 100) {
			return "must be a number from 1 to 100", true
		}
		m.LoadFactor = model.Is(f, p.at)
	case "lbset":
		bad = p.integer(&m.LBSet, 0, 99, "must be from 0 to 99")
	case "route":
		bad = p.text(&m.Route, 63, "must be shorter than 64 characters")
	case "redirect":
		bad = p.text(&m.Redirect, 63, "must be shorter than 64 characters")
	case "status":
		if !validStatus(p.val) {
			return "must be letters of D, S, I, R, H, E, N, C, each with + or - before it", true
		}
		m.Status = model.Is(p.val, p.at)
	case "retry":
		bad = p.seconds(&m.Retry, 0, "must be 0 or more seconds")
	case "timeout":
		bad = p.seconds(&m.Timeout, 1, "must be at least one second")
	case "connectiontimeout":
		bad = p.duration(&m.ConnTimeout, time.Second, time.Millisecond, "is not a time", "must be at least one millisecond")
	case "ping":
		bad = p.duration(&m.Ping, time.Second, time.Millisecond, "is not a time", "must be at least one millisecond")
	case "acquire":
		bad = p.duration(&m.Acquire, time.Millisecond, time.Millisecond, "is not a time", "must be at least one millisecond")
	case "min":
		bad = p.integer(&m.Min, 0, maxInt, "must be 0 or more")
	case "max":
		bad = p.integer(&m.Max, 0, maxInt, "must be 0 or more")
	case "smax":
		bad = p.integer(&m.SMax, 0, maxInt, "must be 0 or more")
	case "ttl":
		bad = p.seconds(&m.TTL, 1, "must be at least one second")
	case "keepalive":
		bad = p.flag(&m.KeepAlive)
	case "disablereuse":
		bad = p.flag(&m.DisableReuse)
	case "enablereuse":
		bad = p.flag(&m.EnableReuse)
	case "secret":
		bad = p.text(&m.Secret, 63, "must be shorter than 64 characters")
	case "upgrade":
		bad = p.text(&m.Upgrade, 15, "must be shorter than 16 characters")
	case "flusher":
		bad = p.text(&m.Flusher, 15, "must be shorter than 16 characters")
	default:
		if strings.HasPrefix(p.key, "hc") {
			return setHealth(m, p)
		}
		return setBuffers(m, p)
	}
	return bad, true
}

func setBuffers(m *model.Member, p param) (bad string, known bool) {
	const size = "must be at least 512 bytes, or 0 for the system's default"
	switch p.key {
	case "addressttl":
		d, ok := parseTime(p.val, time.Second)
		if p.val != "-1" && (!ok || d < 0 || d%time.Second != 0) {
			return "must be -1 or whole seconds", true
		}
		n := int(d / time.Second)
		m.AddressTTL = model.Is(n, p.at)
	case "flushpackets":
		switch strings.ToLower(p.val) {
		case "on", "off", "auto":
			m.FlushPackets = model.Is(strings.ToLower(p.val), p.at)
		default:
			return "must be on, off or auto", true
		}
	case "flushwait":
		bad = p.integer(&m.FlushWait, 0, 1000, "must be from 1 to 1000 milliseconds, or 0 for 10")
	case "iobuffersize":
		bad = p.size(&m.IOBufferSize, 512, size)
	case "receivebuffersize":
		bad = p.size(&m.RecvBufferSize, 512, size)
	case "responsefieldsize":
		bad = p.size(&m.ResponseField, 0, "must be 0 or more bytes")
	default:
		return "", false
	}
	return bad, true
}

var healthMethods = names("NONE TCP OPTIONS HEAD GET CPING OPTIONS11 HEAD11 GET11")

func setHealth(m *model.Member, p param) (bad string, known bool) {
	switch p.key {
	case "hcmethod":
		if !healthMethods[strings.ToLower(p.val)] {
			return "must be NONE, TCP, OPTIONS, HEAD, GET, CPING, OPTIONS11, HEAD11 or GET11", true
		}
		m.HCMethod = model.Is(strings.ToUpper(p.val), p.at)
	case "hcinterval":
		bad = p.duration(&m.HCInterval, time.Second, 100*time.Millisecond, "is not a time", "must be at least 100 milliseconds")
	case "hcpasses":
		bad = p.integer(&m.HCPasses, 0, maxInt, "must be 0 or more")
	case "hcfails":
		bad = p.integer(&m.HCFails, 0, maxInt, "must be 0 or more")
	case "hcuri":
		bad = p.text(&m.HCURI, 63, "must be shorter than 64 characters")
	case "hcexpr":
		bad = p.text(&m.HCExpr, 0, "")
	case "hctemplate":
		bad = p.text(&m.HCTemplate, 0, "")
	default:
		return "", false
	}
	return bad, true
}

func validStatus(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '+' || s[i] == '-' {
			if i++; i == len(s) {
				return false
			}
		}
		if !strings.ContainsRune("DSIRHENCUOGFdsirhencuogf", rune(s[i])) {
			return false
		}
	}
	return true
}

// setBalancer is setWorker for balancers.
func setBalancer(b *model.Balancer, p param) (bad string, known bool) {
	switch p.key {
	case "lbmethod":
		switch p.val {
		case "byrequests", "bytraffic", "bybusyness", "heartbeat":
			b.LBMethod = model.Is(p.val, p.at)
		default:
			return "must be byrequests, bytraffic, bybusyness or heartbeat", true
		}
	case "stickysession":
		if len(p.val) > 63 {
			p.val = p.val[:63]
		}
		b.Sticky = model.Is(p.val, p.at)
	case "stickysessionsep":
		if len(p.val) != 1 && !strings.EqualFold(p.val, "off") {
			return "must be a single character or Off", true
		}
		b.StickySep = model.Is(p.val, p.at)
	case "scolonpathdelim":
		bad = p.flag(&b.ScolonDelim)
	case "nofailover":
		bad = p.flag(&b.NoFailover)
	case "timeout":
		bad = p.seconds(&b.Timeout, 1, "must be at least one second")
	case "maxattempts":
		bad = p.integer(&b.MaxAttempts, 0, maxInt, "must be 0 or more")
	case "failonstatus":
		for _, w := range strings.FieldsFunc(p.val, func(r rune) bool { return r == ',' || r == ' ' }) {
			if n := atoi(w); n < 100 || n > 599 {
				return "must be HTTP status codes from 100 to 599", true
			}
		}
		b.FailOnStatus = model.Is(p.val, p.at)
	case "failontimeout":
		bad = p.flag(&b.FailOnTimeout)
	case "forcerecovery":
		bad = p.flag(&b.ForceRecovery)
	case "nonce":
		bad = p.text(&b.Nonce, 36, "must be at most 36 characters")
	case "growth":
		bad = p.integer(&b.Growth, 1, 100, "must be from 1 to 100")
	default:
		return "", false
	}
	return bad, true
}
