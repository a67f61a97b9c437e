package httpd

import (
	"reflect"
	"strings"

	"clowder/parse/model"
)

// limits are the ranges of numbers (set_worker_param and set_balancer_param in
// modules/proxy/mod_proxy.c).
var limits = map[string][2]float64{
	"loadfactor": {1, 100}, "lbset": {0, 99}, "flushwait": {0, 1000}, "growth": {1, 100},
}

// longest are the texts with a length, in bytes.
var longest = map[string]int{
	"route": 63, "redirect": 63, "secret": 63, "upgrade": 15, "flusher": 15, "hcuri": 63, "hcexpr": 15, "nonce": 36, "stickysession": 63,
}

// words are the texts out of a list.
var words = map[string]string{
	"lbmethod": "byrequests bytraffic bybusyness heartbeat", "flushpackets": "on off auto",
	"hcmethod": "NONE TCP OPTIONS HEAD GET CPING OPTIONS11 HEAD11 GET11",
}

// badParam says why httpd 2.4 refuses the value of a parameter, "" when it does not.
func badParam(t reflect.Type, p pair) string {
	text := scalar(p.value)
	if !writable(text) {
		return "it holds a line break, which no directive of httpd can"
	}
	if l, ok := limits[p.key]; ok {
		n, isInt := p.value.(int)
		f, _ := p.value.(float64)
		if isInt {
			f = float64(n)
		}
		if f < l[0] || f > l[1] {
			return "httpd accepts only numbers from " + scalar(l[0]) + " to " + scalar(l[1])
		}
	}
	if n := longest[p.key]; n > 0 && len(text) > n {
		return "the text is longer than httpd can hold"
	}
	if list := words[p.key]; list != "" && !strings.Contains(" "+strings.ToLower(list)+" ", " "+strings.ToLower(text)+" ") {
		return "httpd accepts only one of " + strings.ReplaceAll(list, " ", ", ")
	}
	switch p.key {
	case "status":
		if strings.Trim(strings.ToUpper(text), "+-DSIRHENCUOGF") != "" {
			return "httpd accepts only its letters for states"
		}
	case "stickysessionsep":
		if len(text) != 1 && !strings.EqualFold(text, "off") {
			return "it must be a single character or Off"
		}
	case "timeout", "ttl", "connectiontimeout", "ping", "acquire", "hcinterval":
		if strings.HasPrefix(text, "-") || text == "0" && t == reflect.TypeFor[model.Member]() {
			return "the time must be more than nothing"
		}
	case "iobuffersize", "receivebuffersize":
		if n, _ := p.value.(int); n != 0 && n < 512 {
			return "it must be at least 512 bytes, or 0"
		}
	case "min", "max", "smax", "maxattempts", "responsefieldsize", "hcpasses", "hcfails":
		if strings.HasPrefix(text, "-") {
			return "the number must not be negative"
		}
	}
	return ""
}
