// Package malformed holds requests that are malformed, ambiguous or aimed at what
// two parsers read differently, and plays them through a front end with a backend
// behind it that records every byte.
package malformed

import (
	"fmt"
	"strings"
)

// Case is what a client sends on one connection.
type Case struct {
	Name string
	Raw  string
}

// hosted is a request with a good head, to which lines are added.
func hosted(line, fields, body string) string {
	return line + "\r\nHost: front.example\r\n" + fields + "\r\n" + body
}

func get(fields string) string   { return hosted("GET /a HTTP/1.1", fields, "") }
func target(t string) string     { return hosted("GET "+t+" HTTP/1.1", "", "") }
func post(f, body string) string { return hosted("POST /a HTTP/1.1", f, body) }
func chunked(body string) string { return post("Transfer-Encoding: chunked\r\n", body) }

// smuggled is a request inside of what may be taken for a body.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: front.example\r\n\r\n"

// Cases returns all requests; their names are unique.
func Cases() []Case {
	var list []Case
	group := func(name string, raws ...string) {
		for i, raw := range raws {
			list = append(list, Case{fmt.Sprintf("%s-%02d", name, i+1), raw})
		}
	}
	group("length", lengths()...)
	group("coding", codings()...)
	group("chunk", chunks()...)
	group("trailer", trailers()...)
	group("line", lines()...)
	group("method", methods()...)
	group("version", versions()...)
	group("target", targets()...)
	group("path", paths()...)
	group("host", hosts()...)
	group("field", fields()...)
	group("fold", folds()...)
	group("end", ends()...)
	group("bound", bounds()...)
	group("connection", connections()...)
	group("expect", expects()...)
	group("pipeline", pipelines()...)
	return list
}

func lengths() []string {
	var out []string
	for _, v := range []string{"3 ", " 3", "\t3", "+3", "-3", "-0", "0x3", "3.0", "3,", ",3", "3,3", "3, 3", "3, 4", "3;a", "3 3", "a", "", " ",
		"99999999999999999999", "9223372036854775808", "18446744073709551619", "003", "3\x00", "3\v", "\"3\"", "3e0", "٣"} {
		out = append(out, post("Content-Length:"+v+"\r\n", "abc"))
	}
	two := func(a, b string) string { return post(a+": 3\r\n"+b+"\r\n", "abc") }
	return append(out,
		two("Content-Length", "Content-Length: 3"), two("Content-Length", "Content-Length: 4"), two("Content-Length", "content-length: 3"),
		two("Content-Length", "Content-Length: 0"), two("Content-Length", "Content-Length:"), two("content-LENGTH", "X: y"),
		post("Content_Length: 30\r\n", ""), post("Content-Length : 3\r\n", "abc"), post(" Content-Length: 3\r\n", "abc"),
		post("Content-Length\x00: 3\r\n", "abc"), post("\x00Content-Length: 3\r\n", "abc"), post("Content-Length\t: 3\r\n", "abc"),
		post("X: a\rContent-Length: 3\r\n", "abc"), post("Content-Length: 0\r\n", smuggled), get("Content-Length: 3\r\n")+"abc",
		hosted("GET /a HTTP/1.0", "Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), hosted("HEAD /a HTTP/1.1", "Content-Length: 3\r\n", "abc"))
}

func codings() []string {
	body := "3\r\nabc\r\n0\r\n\r\n"
	var out []string
	for _, v := range []string{" chunked ", " Chunked", " CHUNKED", "chunked", " xchunked", " chunkedx", " \"chunked\"", " chunked,", " ,chunked", " chunked, chunked",
		" chunked, identity", " identity, chunked", " identity", " gzip, chunked", " gzip", " chunked;q=1", " chunked;", " chunk", " c hunked", "\tchunked", "\vchunked",
		" \x00chunked", " chunked\x00", "", " ", " chunked gzip", " deflate,chunked", " trailers", " chunked\t", " \x0bchunked", " chunKed\x7f", " ſhunked"} {
		out = append(out, post("Transfer-Encoding:"+v+"\r\n", body))
	}
	return append(out,
		post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body), post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", body),
		post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", body), post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", body),
		post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", body), post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", body),
		post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", body+smuggled), post("Content-Length: 13\r\nTransfer-Encoding: identity\r\n", body),
		post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"), post("Content-Length: 13\r\nTransfer-Encoding : chunked\r\n", body),
		post("Content-Length: 13\r\nTransfer_Encoding: chunked\r\n", body), post("Content-Length: 13\r\nTransfer-Encoding\x00: chunked\r\n", body),
		post("Content-Length: 13\r\n Transfer-Encoding: chunked\r\n", body), post("Content-Length: 13\r\nX:\r\n Transfer-Encoding: chunked\r\n", body),
		post("Content-Length: 13\r\nX: y\rTransfer-Encoding: chunked\r\n", body), post("Content-Length: 13\r\nX: y\nTransfer-Encoding: chunked\r\n", body),
		post("Content-Length: 13\r\nTransfer-Encoding:\r\n chunked\r\n", body), post("Content-Length: 13\r\nX-Transfer-Encoding: chunked\r\n", body),
		post("Content-Length: 13\r\nTE: chunked\r\n", body), post("TE: trailers, deflate;q=0.5\r\n", ""),
		hosted("POST /a HTTP/1.0", "Transfer-Encoding: chunked\r\n", body), hosted("GET /a HTTP/1.0", "Transfer-Encoding: chunked\r\n", body),
		hosted("POST /a HTTP/1.0", "Transfer-Encoding: chunked\r\nContent-Length: 13\r\n", body), get("Transfer-Encoding: chunked\r\n")+body)
}

func chunks() []string {
	var out []string
	for _, b := range []string{"3\r\nabc\r\n0\r\n\r\n", "0\r\n\r\n", "00000000003\r\nabc\r\n0\r\n\r\n", "3;x\r\nabc\r\n0\r\n\r\n", "3;x=y\r\nabc\r\n0\r\n\r\n", "3;x=\"y;z\"\r\nabc\r\n0\r\n\r\n",
		"3;\r\nabc\r\n0\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n", "3\t\r\nabc\r\n0\r\n\r\n", "3 ;x\r\nabc\r\n0\r\n\r\n", " 3\r\nabc\r\n0\r\n\r\n", "\t3\r\nabc\r\n0\r\n\r\n",
		"+3\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n", "0x3\r\nabc\r\n0\r\n\r\n", "3g\r\nabc\r\n0\r\n\r\n", "g\r\nabc\r\n0\r\n\r\n", "3,3\r\nabc\r\n0\r\n\r\n", "\r\nabc\r\n0\r\n\r\n",
		";x\r\nabc\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "3\rabc\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n", "3\r\nabc0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nab\r\n0\r\n\r\n", "3\r\nabc\r\n0\n\n",
		"3\r\nabc\r\n0\r\n\n", "3\r\nabc\r\r\n0\r\n\r\n", "3;x\ny\r\nabc\r\n0\r\n\r\n", "3;x\ry\r\nabc\r\n0\r\n\r\n", "3;x\x00y\r\nabc\r\n0\r\n\r\n", "3;\x01\r\nabc\r\n0\r\n\r\n",
		"ffffffffffffffff\r\nabc\r\n0\r\n\r\n", "10000000000000003\r\nabc\r\n0\r\n\r\n", "8000000000000000\r\nabc\r\n0\r\n\r\n", "7fffffffffffffff0\r\nabc\r\n0\r\n\r\n",
		"3\x00\r\nabc\r\n0\r\n\r\n", "3.0\r\nabc\r\n0\r\n\r\n", "3;" + strings.Repeat("x", 9000) + "\r\nabc\r\n0\r\n\r\n", strings.Repeat("0", 9000) + "3\r\nabc\r\n0\r\n\r\n",
		"3\r\nabc\r\n0;x\r\n\r\n", "3\r\nabc\r\n-0\r\n\r\n", "3\r\nabc\r\n00\r\n\r\n", "3\r\nabc\r\n0 \r\n\r\n", "A\r\n0123456789\r\n0\r\n\r\n", "3\r\n\r\n\r\r\n0\r\n\r\n"} {
		out = append(out, chunked(b))
	}
	return out
}

func trailers() []string {
	var out []string
	for _, f := range []string{"X: y\r\n", "X:y\r\n", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Host: other\r\n", "Connection: close\r\n", "Trailer: X\r\n", "Authorization: x\r\n",
		"X y\r\n", " X: y\r\n", "X : y\r\n", ": y\r\n", "X: y\n", "X: y\rz\r\n", "X: \x00\r\n", "X: y\r\n z\r\n", "X\x00: y\r\n", "Cookie: a=b\r\n", "Content-Type: text/plain\r\n",
		strings.Repeat("X: y\r\n", 200), "X: " + strings.Repeat("y", 9000) + "\r\n", "Te: x\r\n", "X-Forwarded-For: 1.2.3.4\r\n"} {
		out = append(out, chunked("3\r\nabc\r\n0\r\n"+f+"\r\n"))
	}
	return out
}

func lines() []string {
	var out []string
	for _, l := range []string{"GET  /a HTTP/1.1", "GET /a  HTTP/1.1", " GET /a HTTP/1.1", "GET /a HTTP/1.1 ", "GET\t/a HTTP/1.1", "GET /a\tHTTP/1.1", "GET /a b HTTP/1.1", "GET /a HTTP/1.1 x",
		"GET\v/a HTTP/1.1", "GET /a\fHTTP/1.1", "GET", "GET ", "GET /a", "GET /a ", "/a HTTP/1.1", "HTTP/1.1", "GET HTTP/1.1", "GET /a\x00 HTTP/1.1", "GET\x00 /a HTTP/1.1", "GET /a HTTP/1.1\x00",
		"\x00GET /a HTTP/1.1", "GET /a\x7f HTTP/1.1", "GET /a\x01 HTTP/1.1", "GET /\x80\xff HTTP/1.1", "\xef\xbb\xbfGET /a HTTP/1.1", "\x16\x03\x01\x02", "GET /a\r HTTP/1.1", "GET /a HTTP/1.1\r",
		"GET /a HTTP/1.1\r\r", "\r\nGET /a HTTP/1.1", "\r\n\r\nGET /a HTTP/1.1", "\nGET /a HTTP/1.1", "\rGET /a HTTP/1.1", "GET /a HTTP/1.1,", "GET \u00a0/a HTTP/1.1"} {
		out = append(out, hosted(l, "", ""))
	}
	return append(out, "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"+get(""), "\r\n\r\n", "\n\n\n"+get(""))
}

func methods() []string {
	var out []string
	for _, m := range []string{"get", "GeT", "G", "FOO", "M-SEARCH", "G@T", "G(T", "G/T", "G,T", "G:T", "G;T", "G=T", "G?T", "G[T", "G{T", "G\"T", "G\\T", "GÄT", "G\x7fT", "!#$%&'*+-.^_`|~", "TRACE", "TRACK", "CONNECT",
		"PRI", "HEAD", "OPTIONS", "DELETE", "PUT", strings.Repeat("M", 300), strings.Repeat("M", 9000)} {
		out = append(out, hosted(m+" /a HTTP/1.1", "", ""))
	}
	return append(out, hosted("TRACE /a HTTP/1.1", "Content-Length: 3\r\n", "abc"), hosted("CONNECT front.example:443 HTTP/1.1", "", ""), hosted("OPTIONS * HTTP/1.1", "", ""),
		hosted("GET * HTTP/1.1", "", ""), hosted("OPTIONS *a HTTP/1.1", "", ""), hosted("OPTIONS ** HTTP/1.1", "", ""))
}

func versions() []string {
	var out []string
	for _, v := range []string{"HTTP/1.0", "HTTP/1.1", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/2", "HTTP/3", "HTTP/0.9", "HTTP/0.0", "HTTP/1", "HTTP/1.", "HTTP/.1", "HTTP/11", "HTTP/1.10", "HTTP/1.01", "HTTP/01.1",
		"HTTP/1.1.1", "HTTP/a.b", "HTTP/1,1", "HTTP-1.1", "HTTP 1.1", "http/1.1", "Http/1.1", "HTTPS/1.1", "HTTP/+1.1", "HTTP/1.-1", "HTTP/ 1.1", "HTTP/1.1a", "XTTP/1.1", "HTTP//1.1", "HTTP/1.1\t", "HTTP/9.9", "HTTP/1.1\x00"} {
		out = append(out, hosted("GET /a "+v, "", ""))
	}
	return append(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n", "GET /a\r\n\r\n")
}

func targets() []string {
	var out []string
	for _, t := range []string{"a", "a/b", "?q", "#f", "/a#f", "/a?b#f", "/a?b c", "*", "//front.example/a", "///a", "http://front.example/a", "http://other.example/a", "HTTP://front.example/a", "https://front.example/a", "ftp://front.example/a",
		"http:/front.example/a", "http:front.example/a", "http:///a", "http://", "http://front.example", "http://front.example?x", "http://user@front.example/a", "http://user:pw@front.example/a", "http://front.example:80/a",
		"http://front.example:0/a", "http://front.example:x/a", "http://front.example:99999/a", "http://front.example:/a", "http://[::1]/a", "http://[::1/a", "http://[x]/a", "http://front%2eexample/a", "http://front.example\\@other/a",
		"http://front.example%00/a", "javascript:alert(1)", "file:///etc/passwd", "front.example:443", "unix:/a|http://b/", "/unix:/a|http://b/", "//evil@front.example/a", "/\\evil", "/a\\b", "/a|b", "/a\"b", "/a<b>", "/a^b`c", "/a{b}", "gopher://x/a"} {
		out = append(out, target(t))
	}
	return out
}

func paths() []string {
	var out []string
	for _, t := range []string{"/closed", "/closed/", "/closed/x", "//closed/x", "/./closed/x", "/a/../closed/x", "/a/..//closed/x", "/%63losed/x", "/closed%2fx", "/closed%2Fx", "/closed%5cx", "/a/%2e%2e/closed/x", "/a/%2e./closed/x",
		"/a/.%2e/closed/x", "/%2e/closed/x", "/a/..%2fclosed/x", "/a%2f..%2fclosed/x", "/closed;x/y", "/closed/;x", "/a/..;/closed/x", "/a/..;x=y/closed/x", "/;/closed/x", "/a;/../closed/x", "/CLOSED/x", "/closed%00/x", "/closed/x%00",
		"/%00/closed", "/closed%0a/x", "/closed%0d%0aX:%20y", "/closed%20/x", "/closed./x", "/closed%/x", "/closed%2/x", "/closed%zz/x", "/%", "/%u0063losed/x", "/%c0%ae%c0%ae/closed/x", "/a/%c0%ae%c0%ae/closed/x", "/a/%252e%252e/closed/x", "/closed%252fx",
		"/a/../../closed/x", "/../closed/x", "/..", "/a/../..", "/.", "/..%2f", "/...", "/a/.../closed", "/a/./b", "/a//b", "/a/?/../closed/x", "/a?/../closed/x", "/closed?x", "/a%3f/../closed/x", "/a%23/../closed/x", "/a\\..\\closed\\x", "/a/..\\closed", "/a/%2e%2e%5cclosed",
		"/a%2f%2e%2e%2fclosed", "/closed//", "/a/b/../../closed", "/a/b/c/../../../closed/x", "/%2fclosed", "/%2f/closed", "/.closed", "/closed..", "/a/%2e%2e;/closed/x", "/a;%2f../closed/x"} {
		out = append(out, target(t))
	}
	return out
}

func hosts() []string {
	var out []string
	for _, v := range []string{"", " ", " a b", " a,b", " a/b", " a@b", " a?b", " a#b", " a\\b", " a..b", " .", " ..", " .a", " a.", " a.:80", " a:", " a:0", " a:x", " a:65536", " a:99999999999", " a:80:80", " :80", " [::1]", " [::1]:80", " [::1", " ::1", " [x]", " []", " [::1]x",
		" a\x00", " a\x01", " a\x7f", " \xe4", " a%41", " a_b", " -a", " a-", " *", " a*", " 1.2.3.4", " 1.2.3", " 1.2.3.4.5", " 0x7f.1", " a\tb", "\ta", " a;b", " a'b", " a\"b", " a<b", " a|b", " " + strings.Repeat("a", 300), " http://a", " a=b", " a+b", " a!b", " ~a", " a(b)", " [::1%25lo]", " [::ffff:1.2.3.4]"} {
		out = append(out, "GET /a HTTP/1.1\r\nHost:"+v+"\r\n\r\n")
	}
	return append(out, "GET /a HTTP/1.1\r\n\r\n", "GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /a HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost : a\r\n\r\n", "GET /a HTTP/1.1\r\n Host: a\r\n\r\n", "GET /a HTTP/1.1\r\nX: y\r\n Host: a\r\n\r\n", "GET /a HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "GET http://front.example/a HTTP/1.1\r\n\r\n",
		"GET http://front.example/a HTTP/1.1\r\nHost: other.example\r\n\r\n", "GET http://front.example/a HTTP/1.1\r\nHost: a b\r\n\r\n", "GET http://front.example/a HTTP/1.1\r\nHost:\r\n\r\n", "GET /a HTTP/1.1\r\nHost: a\r\nX-Host: b\r\n\r\n", "GET /a HTTP/1.1\r\nHost\r\n\r\n")
}

func fields() []string {
	var out []string
	for _, f := range []string{"X\r\n", ":\r\n", ": y\r\n", "X Y: z\r\n", "X : y\r\n", "X\t: y\r\n", "X@: y\r\n", "X(: y\r\n", "X,: y\r\n", "X/: y\r\n", "X;: y\r\n", "X=: y\r\n", "X?: y\r\n", "X[: y\r\n", "X{: y\r\n", "X\": y\r\n", "X\\: y\r\n", "X<: y\r\n", "X\x00: y\r\n", "X\x01: y\r\n", "X\x7f: y\r\n", "XÄ: y\r\n",
		"X\v: y\r\n", "X: y\x00z\r\n", "X: y\x01z\r\n", "X: y\x7fz\r\n", "X: y\vz\r\n", "X: y\fz\r\n", "X: y\bz\r\n", "X: y\x1bz\r\n", "X: \xe4\xff\r\n", "X:\r\n", "X:y\r\n", "X: y \r\n", "X:\ty\t\r\n", "X::y\r\n", "X_Y: z\r\n", "X.Y: z\r\n", "X: y\rz\r\n", "X: y\r\r\n", "X\r: y\r\n", "\rX: y\r\n", "!#$%&'*+-.^_`|~: y\r\n",
		"Content-Type: a\r\nContent-Type: b\r\n", "Authorization: a\r\nAuthorization: b\r\n", "Range: bytes=0-0,1-1,2-2\r\n", "X-Forwarded-For: 1.2.3.4\r\n", "X_Forwarded_For: 1.2.3.4\r\n", "Max-Forwards: x\r\n", "Max-Forwards: -1\r\n", "Proxy: http://evil/\r\n", "X: ${jndi:ldap://x}\r\n"} {
		out = append(out, get(f))
	}
	return out
}

func folds() []string {
	return []string{get("X: y\r\n z\r\n"), get("X: y\r\n\tz\r\n"), get("X:\r\n y\r\n"), get("X: y\r\n \r\n"), get(" X: y\r\n"), get("\tX: y\r\n"), "GET /a HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "GET /a HTTP/1.1\r\nHost:\r\n a\r\n\r\n", post("Content-Length:\r\n 3\r\n", "abc"), post("Content-Length: 3\r\n 0\r\n", "abc"), get("X: y\n z\r\n"), get("X: y\r z\r\n")}
}

func ends() []string {
	return []string{"GET /a HTTP/1.1\nHost: a\r\n\r\n", "GET /a HTTP/1.1\r\nHost: a\n\r\n", "GET /a HTTP/1.1\r\nHost: a\r\n\n", "GET /a HTTP/1.1\nHost: a\n\n", "GET /a HTTP/1.1\rHost: a\r\r", "GET /a HTTP/1.1\r\nHost: a\r\nX: y\n\r\n",
		"GET /a HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n", "GET /a HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", "GET /a HTTP/1.1\n\rHost: a\n\r\n\r", post("Content-Length: 3\n", "abc"), post("Transfer-Encoding: chunked\n", "0\r\n\r\n"),
		"GET /a HTTP/1.1\r\nHost: a\x00\r\n\r\n", "GET /a HTTP/1.1\r\nHost: a\r\n\x00\r\n\r\n", "GET /a HTTP/1.1\r\nHost: a\r\n\u2028\r\n\r\n", "GET /a HTTP/1.1\u2028Host: a\r\n\r\n", "GET /a HTTP/1.1\x85Host: a\r\n\r\n"}
}

func bounds() []string {
	long := strings.Repeat("x", 8200)
	return []string{target("/" + long), target("/a?" + long), get("X: " + long + "\r\n"), get(long + ": y\r\n"), get(strings.Repeat("X: y\r\n", 99)), get(strings.Repeat("X: y\r\n", 101)), get(strings.Repeat("X: y\r\n", 3000)),
		get("Cookie: " + strings.Repeat("a=b; ", 1500) + "\r\n"), get("Cookie: " + strings.Repeat("a=b; ", 1700) + "\r\n"), target("/" + strings.Repeat("a/", 3000)), target("/" + strings.Repeat("../", 2000)), target("/" + strings.Repeat("%41", 2500))}
}

func connections() []string {
	var out []string
	for _, f := range []string{"Connection: close\r\n", "Connection: keep-alive, close\r\n", "Connection: Host\r\n", "Connection: close, X-Forwarded-For\r\nX-Forwarded-For: 1\r\n", "Connection: Content-Length\r\nContent-Length: 3\r\n", "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "Connection: Authorization\r\nAuthorization: a\r\n",
		"Connection: Cookie\r\nCookie: a=b\r\n", "Connection: upgrade\r\nUpgrade: websocket\r\n", "Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", "Upgrade: h2c\r\n", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", "Connection: upgrade\r\nUpgrade: TLS/1.0\r\n",
		"Connection: \x00\r\n", "Connection: a b\r\n", "Connection: ,,,\r\n", "Connection:\r\n", "Connection: close\r\nConnection: keep-alive\r\n", "Keep-Alive: timeout=5\r\n", "Proxy-Connection: keep-alive\r\n", "Proxy-Authorization: Basic x\r\n", "TE: trailers\r\nConnection: TE\r\n", "Trailer: Content-Length\r\n"} {
		body := ""
		if strings.Contains(f, "chunked") {
			body = "3\r\nabc\r\n0\r\n\r\n"
		} else if strings.Contains(f, "Content-Length: 3") {
			body = "abc"
		}
		out = append(out, post(f, body))
	}
	return out
}

func expects() []string {
	var out []string
	for _, v := range []string{"100-continue", "100-Continue", "100-continue, x", "x", "100-continue\x00", "", "200-ok", "100-continue;x=y", "\"100-continue\""} {
		out = append(out, post("Content-Length: 3\r\nExpect: "+v+"\r\n", "abc"))
	}
	return append(out, post("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 3\r\n", "abc"), get("Expect: 100-continue\r\n"), hosted("POST /a HTTP/1.0", "Expect: 100-continue\r\nContent-Length: 3\r\n", "abc"), chunked("3\r\nabc\r\n0\r\n\r\n"))
}

func pipelines() []string {
	return []string{get("") + smuggled, get("Content-Length: 0\r\n") + smuggled, get("Content-Length: 5\r\n") + smuggled, post("", smuggled), post("Content-Length: 48\r\n", smuggled), chunked("0\r\n\r\n") + smuggled, chunked("0\r\n") + smuggled, chunked("0\r\nX: y\r\n") + smuggled,
		hosted("HEAD /a HTTP/1.1", "", "") + smuggled, hosted("GET /a HTTP/1.0", "", "") + smuggled, hosted("GET /a HTTP/1.0", "Connection: keep-alive\r\n", "") + smuggled, get("Connection: close\r\n") + smuggled, get("") + "\r\n" + smuggled, get("") + "\n" + smuggled, get("") + "garbage\r\n" + smuggled,
		target("/closed/x") + smuggled, post("Content-Length: 3\r\n", "abc\r\n") + smuggled, post("Content-Length: 2\r\n", "abc") + smuggled}
}
