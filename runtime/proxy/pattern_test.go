package proxy

import (
	"net/http"
	"strings"
	"testing"
)

// TestSlowPattern: a section whose pattern takes too long may guard the request,
// which is refused.
func TestSlowPattern(t *testing.T) {
	url := start(t, "DocumentRoot "+t.TempDir()+"\n<LocationMatch \"^/(?=(a+)+b)(a+)+$\">\nRequire all denied\n</LocationMatch>\n")
	for path, want := range map[string]int{"/x": 404, "/" + strings.Repeat("a", 40): 500} {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
		}
	}
}
