// Package jk reads the configuration of mod_jk, the older connector from httpd
// to Tomcat: workers.properties, uriworkermap.properties and the Jk directives
// of httpd.conf. [Lower] puts them into the same model as mod_proxy's balancers.
//
// Behaviour follows the Apache Tomcat Connectors sources: native/common/jk_map.c
// (properties), jk_util.c (attributes), jk_uri_worker_map.c (rules),
// jk_lb_worker.c and jk_ajp_common.c (workers), and native/apache-2.0/mod_jk.c
// (directives).
package jk

import (
	"fmt"
	"strings"

	"clowder/parse/diag"
)

// Bounds of one properties file: LENGTH_OF_LINE of jk_map.c, and a number that
// only hostile input reaches.
const (
	maxLine       = 8191
	maxProperties = 20_000
	maxDiags      = 1000
)

// Property is one key=value line as written; $(NAME) is not replaced.
type Property struct {
	Key, Value string
	KeySpan    diag.Span
	ValueSpan  diag.Span
	Span       diag.Span // from the key to the end of the value
}

// ParseProperties reads a workers.properties or uriworkermap.properties file as
// jk_map_read_properties in native/common/jk_map.c: one property on each line,
// "#" begins a comment everywhere, lines without a key, "=" and a value are passed
// over. Keys that stand twice are all returned, in file order. An attribute of a
// worker that mod_jk does not know is H005: mod_jk stops there.
func ParseProperties(f *diag.File) ([]Property, diag.List) {
	var props []Property
	var diags diag.List
	for start := 0; start < len(f.Data) && len(props) < maxProperties; {
		end := start
		for end < len(f.Data) && f.Data[end] != '\n' {
			end++
		}
		if end-start >= maxLine && len(diags) < maxDiags {
			diags.Add(diag.Diagnostic{ID: "H007", Name: "bad-parameter-value", Severity: diag.Error, Confidence: diag.Certain,
				Span: diag.At(f, start, end), Message: fmt.Sprintf("the line is longer than %d bytes; mod_jk reads it in pieces", maxLine-1)})
		}
		if p, ok := parseLine(f, start, end); ok {
			props = append(props, p)
			checkAttribute(&diags, p)
		}
		start = end + 1
	}
	return props, diags
}

// parseLine takes the property out of the bytes of one line.
func parseLine(f *diag.File, start, end int) (Property, bool) {
	eq := -1
	for i := start; i < end; i++ {
		switch c := f.Data[i]; {
		case c == '#' || c == 0:
			end = i
		case c == '=' && eq < 0:
			eq = i
		}
	}
	if eq < 0 {
		return Property{}, false
	}
	ks, ke := trim(f.Data, start, eq)
	vs, ve := trim(f.Data, eq+1, end)
	if ks == ke || vs == ve {
		return Property{}, false
	}
	return Property{
		Key: string(f.Data[ks:ke]), Value: string(f.Data[vs:ve]),
		KeySpan: diag.At(f, ks, ke), ValueSpan: diag.At(f, vs, ve), Span: diag.At(f, ks, ve),
	}, true
}

func trim(b []byte, start, end int) (int, int) {
	for start < end && isSpace(b[start]) {
		start++
	}
	for end > start && isSpace(b[end-1]) {
		end--
	}
	return start, end
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// attributes are supported_properties of jk_util.c.
var attributes = strings.Fields(`sysprops stderr stdout secret mx ms class_path bridge jvm_lib ld_path cmd_line native_lib
	reference host source port type cachesize connection_pool_size connection_pool_minsize cache_timeout
	connection_pool_timeout connection_acquire_timeout recovery_options connect_timeout prepost_timeout ping_timeout ping_mode
	reply_timeout socket_timeout socket_connect_timeout socket_buffer socket_keepalive connection_ping_interval recycle_timeout
	lbfactor distance balanced_workers balance_workers sticky_session sticky_session_force session_cookie session_path
	set_session_cookie session_cookie_path local_worker local_worker_only jvm_route route domain redirect mount method lock
	disabled stopped activation recover_time error_escalation_time max_reply_timeouts retry_interval busy_limit max_packet_size
	css ns xmlns doctype prefix read_only user user_case_insensitive good bad secretkey retries lb_retries fail_on_status
	list maintain prefer_ipv6`)

var attributeSet = func() map[string]bool {
	m := map[string]bool{}
	for _, a := range attributes {
		m[a] = true
	}
	return m
}()

// lists are the attributes whose values are joined when they stand twice
// (list_properties of jk_util.c); of the others the last one counts.
var lists = map[string]bool{"balance_workers": true, "mount": true, "user": true, "good": true, "bad": true,
	"fail_on_status": true, "list": true}

// attribute returns the last part of a key.
func attribute(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

func checkAttribute(diags *diag.List, p Property) {
	attr := attribute(p.Key)
	if !strings.HasPrefix(p.Key, "worker.") || attributeSet[attr] || len(*diags) >= maxDiags {
		return
	}
	d := diag.Diagnostic{ID: "H005", Name: "unknown-worker-parameter", Severity: diag.Error, Confidence: diag.Certain,
		Span: p.KeySpan, Message: "mod_jk does not know the attribute `" + attr + "`"}
	if near := diag.Suggest(attr, attributes); near != "" {
		d.Message += "; did you mean `" + near + "`?"
		at := p.KeySpan
		at.Start = at.End - int32(len(attr))
		if at.Text() == attr {
			d.Fixes = []diag.Fix{{Message: "write `" + near + "`", Edits: []diag.Edit{{Span: at, New: near}}}}
		}
	}
	diags.Add(d)
}
