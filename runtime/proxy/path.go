package proxy

import "strings"

// slashes says what %2F in a path means (AllowEncodedSlashes).
type slashes uint8

const (
	slashesOff slashes = iota // 404
	slashesOn
	slashesNoDecode
)

// kept marks a %2F that stays encoded: the byte 0 cannot come from a request,
// since %00 is refused. The next byte is the digit's letter as it was typed.
const kept = 0

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// decodePath decodes %XX once. The status is 0, 400 for a broken sequence or a
// control character, 404 for %00 and a %2F that is not allowed (ap_unescape_url).
func decodePath(p string, s slashes) (string, int) {
	if strings.IndexByte(p, 0) >= 0 {
		return "", 400 // the front lets none through
	}
	if strings.IndexByte(p, '%') < 0 {
		return p, 0
	}
	out := make([]byte, 0, len(p))
	notFound := false
	for i := 0; i < len(p); i++ {
		if p[i] != '%' {
			out = append(out, p[i])
			continue
		}
		if i+2 >= len(p) {
			return "", 400
		}
		hi, ok1 := unhex(p[i+1])
		lo, ok2 := unhex(p[i+2])
		if !ok1 || !ok2 {
			return "", 400
		}
		c := hi<<4 | lo
		switch {
		case c == 0, c == '/' && s == slashesOff:
			notFound = true
		case c == '/' && s == slashesNoDecode:
			out = append(out, kept, p[i+2])
		default:
			out = append(out, c)
		}
		i += 2
	}
	if notFound {
		return "", 404
	}
	return string(out), 0
}

// normalPath resolves "." and ".." segments and merges slashes
// (ap_normalize_path). ok is false above the root.
func normalPath(p string, merge bool) (string, bool) {
	if !strings.Contains(p, "/.") && (!merge || !strings.Contains(p, "//")) {
		return p, true
	}
	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); {
		if p[i] != '/' {
			out = append(out, p[i])
			i++
			continue
		}
		j := i + 1
		for j < len(p) && p[j] != '/' {
			j++
		}
		last := j == len(p)
		switch seg := p[i+1 : j]; {
		case seg == "." && last:
			out = append(out, '/')
		case seg == "." || seg == "" && merge && !last:
		case seg == "..":
			if len(out) == 0 {
				return "", false
			}
			out = out[:max(strings.LastIndexByte(string(out), '/'), 0)]
			if last {
				out = append(out, '/')
			}
		default:
			out = append(append(out, '/'), seg...)
		}
		i = j
	}
	if len(out) == 0 {
		out = append(out, '/')
	}
	return string(out), true
}

// encodedNormal is the path for rules with mapping=encoded: unreserved
// characters are decoded, everything else stays.
func encodedNormal(p string, merge bool) (string, bool) {
	if strings.IndexByte(p, '%') >= 0 {
		out := make([]byte, 0, len(p))
		for i := 0; i < len(p); i++ {
			if p[i] == '%' && i+2 < len(p) {
				hi, ok1 := unhex(p[i+1])
				lo, ok2 := unhex(p[i+2])
				if c := hi<<4 | lo; ok1 && ok2 && (alnum(c) || strings.IndexByte("-._~", c) >= 0) {
					out = append(out, c)
					i += 2
					continue
				}
			}
			out = append(out, p[i])
		}
		p = string(out)
	}
	return normalPath(p, merge)
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// canonPath encodes a decoded path for a backend (ap_proxy_canonenc).
func canonPath(p string) string {
	plain := true
	for i := 0; i < len(p) && plain; i++ {
		plain = pathByte(p[i])
	}
	if plain {
		return p
	}
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(p)+16)
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == kept && i+1 < len(p):
			out = append(out, '%', '2', p[i+1])
			i++
		case pathByte(c):
			out = append(out, c)
		default:
			out = append(out, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(out)
}

func pathByte(c byte) bool { return alnum(c) || strings.IndexByte("~$-_.+!*'(),;:@&=/", c) >= 0 }

// visible turns the marks of kept slashes into what the client typed.
func visible(p string) string {
	if strings.IndexByte(p, kept) < 0 {
		return p
	}
	return strings.NewReplacer("\x00F", "%2F", "\x00f", "%2f").Replace(p)
}

// safeRaw reports whether text from the request line may go to a backend unchanged.
func safeRaw(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// splitTarget cuts a URL into scheme, authority (both in lower case) and the rest.
func splitTarget(u string) (scheme, authority, path string, ok bool) {
	i := strings.Index(u, "://")
	if i <= 0 {
		return "", "", "", false
	}
	rest := u[i+3:]
	j := strings.IndexAny(rest, "/?")
	if j < 0 {
		j = len(rest)
	}
	return strings.ToLower(u[:i]), strings.ToLower(rest[:j]), rest[j:], true
}
