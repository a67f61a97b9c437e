package plan

import "strings"

// SplitURL cuts a URL into scheme://host and the rest.
func SplitURL(url string) (origin, path string) {
	i := strings.Index(url, "://")
	if i < 0 {
		return "", url
	}
	if j := strings.IndexAny(url[i+3:], "/?#"); j >= 0 {
		return url[:i+3+j], url[i+3+j:]
	}
	return url, ""
}
