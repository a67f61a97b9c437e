package node

import (
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"

	"clowder/runtime/session"
)

// counter is the page of the original question: it counts the requests of a
// session in the Integer attribute "tambah".
type counter struct{ node string }

func (c counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/favicon.ico") {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, HEAD, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	s := session.From(r)
	n := toInt(s.Update("tambah", func(old any) any { return int32(toInt(old) + 1) }))
	page := fmt.Sprintf("<html>\n<head><title>%[1]s</title></head>\n<body>\n<pre>\nTambah = %[2]d\nID = %[3]s\nNode = %[1]s\n</pre>\n</body>\n</html>\n",
		html.EscapeString(c.node), n, html.EscapeString(s.ID()))
	h := w.Header()
	h.Set("Content-Type", "text/html;charset=UTF-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	w.Write([]byte(page))
}

// toInt reads a number as a Java application may have stored it.
func toInt(v any) int64 {
	switch n := v.(type) {
	case int32:
		return int64(n)
	case int64:
		return n
	case int:
		return int64(n)
	case int16:
		return int64(n)
	}
	return 0
}
