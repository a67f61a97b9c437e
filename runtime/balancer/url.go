package balancer

import (
	"strconv"
	"strings"
)

// splitURL cuts "scheme://host:port/path" into its authority and the parts around it.
func splitURL(u string) (before, authority, path string) {
	i := strings.Index(u, "://")
	if i < 0 {
		return "", "", u
	}
	before, rest := u[:i+3], u[i+3:]
	if j := strings.IndexByte(rest, '/'); j >= 0 {
		return before, rest[:j], rest[j:]
	}
	return before, rest, ""
}

// normalURL lower-cases scheme and host and drops a lone trailing slash, as
// ap_proxy_define_worker does.
func normalURL(u string) string {
	before, authority, path := splitURL(u)
	if path == "/" {
		path = ""
	}
	if strings.HasPrefix(strings.ToLower(u), "unix:") {
		return u
	}
	return strings.ToLower(before) + strings.ToLower(authority) + path
}

// DefaultPort returns the port that a scheme uses without one, 0 if unknown.
func DefaultPort(scheme string) int {
	switch scheme {
	case "http", "ws", "h2c":
		return 80
	case "https", "wss", "h2":
		return 443
	case "ajp":
		return 8009
	case "fcgi":
		return 8000
	}
	return 0
}

// ShiftURL adds offset to the port of a URL, the default port of its scheme included.
func ShiftURL(u string, offset int) string {
	before, authority, path := splitURL(u)
	if offset == 0 || authority == "" {
		return u
	}
	host, port := authority, DefaultPort(strings.TrimSuffix(before, "://"))
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		n, err := strconv.Atoi(authority[i+1:])
		if err != nil {
			return u
		}
		host, port = authority[:i], n
	}
	if port == 0 {
		return u
	}
	return before + host + ":" + strconv.Itoa(port+offset) + path
}

// SplitName cuts a member's URL into scheme, host and port.
func SplitName(u string) (scheme, host string, port int) {
	before, authority, _ := splitURL(u)
	scheme = strings.TrimSuffix(before, "://")
	host, port = authority, DefaultPort(scheme)
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		if n, err := strconv.Atoi(authority[i+1:]); err == nil {
			host, port = authority[:i], n
		}
	}
	return scheme, host, port
}

// SplitSocket cuts "unix:/path|http://host/" into the socket's path and the URL
// (ap_proxy_de_socketfy); the path is "" for another URL.
func SplitSocket(u string) (socket, rest string) {
	if len(u) < 5 || !strings.EqualFold(u[:5], "unix:") {
		return "", u
	}
	socket, rest, ok := strings.Cut(u[5:], "|")
	if !ok || socket == "" || !strings.Contains(rest, "://") {
		return "", u
	}
	return socket, rest
}

// MatchName is the URL that a mapping is compared with.
func (m *Member) MatchName() string {
	if m.Socket != "" {
		return m.URL
	}
	return m.Name
}
