package proxy

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"clowder/runtime/exchange"
	"clowder/runtime/expr"
)

// documentRoot is DocumentRoot, or the one that Debian's httpd is built with.
func (s *server) documentRoot() string {
	if s.docRoot == "" {
		return "/usr/share/apache2/default-site/htdocs"
	}
	return s.docRoot
}

// fileName is r->filename: what the URL was mapped to so far.
func (c *call) fileName() string {
	switch {
	case c.url != "" && c.fixed:
		return "proxy:" + c.canonical()
	case c.url != "":
		return "proxy:" + c.url
	case c.path == "":
		return ""
	}
	name, _ := c.mapFile()
	return name
}

// canonical is the URL as a backend gets it (ap_proxy_canon_url); that of a
// balancer waits for its member.
func (c *call) canonical() string {
	scheme, authority, rest, ok := splitTarget(c.url)
	if !ok || c.literal || scheme == "balancer" {
		return c.url
	}
	if !c.early {
		rest = canonPath(rest)
	}
	if rest == "" {
		rest = "/"
	}
	if q := c.x.Req; q.HasQ {
		rest += "?" + q.Query
	}
	return scheme + "://" + authority + rest
}

// mapFile cuts the mapped name where a file or nothing stands (ap_directory_walk):
// the rest is the path's info. Links are followed here; sending does not follow
// them out of their root.
func (c *call) mapFile() (name, info string) {
	full := c.filename
	if full == "" {
		if c.translating {
			return c.path, ""
		}
		full = strings.TrimSuffix(c.srv.documentRoot(), "/") + c.path
	} else if c.translating {
		return full, ""
	}
	start := 1
	if root := strings.TrimSuffix(c.srv.documentRoot(), "/"); strings.HasPrefix(full, root+"/") {
		start = len(root) + 1
	}
	for i := start; i <= len(full); i++ {
		if i < len(full) && full[i] != '/' || i == start && i < len(full) {
			continue
		}
		st, err := os.Stat(full[:i])
		if err != nil || !st.IsDir() {
			return full[:i], full[i:]
		}
	}
	return full, ""
}

// root returns the directory that the mapped file must stay in, and the file in it.
func (c *call) rootOf(name string) (dir, rest string) {
	for _, dir := range []string{c.base, c.srv.documentRoot()} {
		if d := strings.TrimSuffix(dir, "/"); d != "" && (strings.HasPrefix(name, d+"/") || name == d) {
			return d, strings.Trim(path.Clean("/"+name[len(d):]), "/")
		}
	}
	return path.Dir(strings.TrimSuffix(name, "/")), path.Base(name)
}

// static answers with a file (mod_dir and the core's default_handler).
func (c *call) static() *problem {
	q := c.x.Req
	switch {
	case c.script:
		c.p.log.Error("no CGI programs are run", "path", c.path)
		return &problem{status: 403}
	case c.p.o.NoFiles || strings.IndexByte(c.path, 0) >= 0 || c.srv.docRoot == "" && c.filename == "":
		return c.noFile()
	}
	name, info := c.mapFile()
	dir, rest := c.rootOf(name)
	root, err := os.OpenRoot(dir)
	if err != nil {
		if st, serr := os.Stat(dir); serr == nil && !st.IsDir() { // Alias of one file
			root, err = os.OpenRoot(path.Dir(dir))
			rest = path.Base(dir)
		}
		if err != nil {
			return c.noFile()
		}
	}
	defer root.Close()
	if rest == "" {
		rest = "."
	}
	st, err := root.Stat(strings.TrimSuffix(rest, "/"))
	switch {
	case err != nil:
		return c.fileProblem(err)
	case st.IsDir() && info == "":
		return c.noIndex()
	case st.IsDir() || info != "" || !st.Mode().IsRegular():
		return c.noFile()
	}
	if prob := fileMethod(q); prob != nil || q.Method == "OPTIONS" {
		return c.options(prob)
	}
	return c.sendFile(root, rest, name)
}

// noFile is the answer when nothing is there; other methods than those for reading
// are not allowed on files.
func (c *call) noFile() *problem {
	if prob := fileMethod(c.x.Req); prob != nil || c.x.Req.Method == "OPTIONS" {
		return c.options(prob)
	}
	return &problem{status: 404}
}

func fileMethod(q *exchange.Request) *problem {
	switch q.Method {
	case "GET", "HEAD", "POST", "OPTIONS":
		return nil
	}
	return &problem{status: 405}
}

func (c *call) options(prob *problem) *problem {
	if prob != nil {
		return prob
	}
	return c.answer(200, "OK", exchange.Header{{Name: "Allow", Value: "GET,HEAD,POST,OPTIONS"}}, "")
}

func (c *call) fileProblem(err error) *problem {
	if errors.Is(err, fs.ErrNotExist) {
		return c.noFile()
	}
	c.p.log.Error("file cannot be read", "path", c.path, "reason", err)
	return &problem{status: 403}
}

// fixupDir redirects from a directory's name to that with a slash, or goes on with
// an index of it (fixup_dir in modules/mappers/mod_dir.c).
func (c *call) fixupDir() *problem {
	q := c.x.Req
	if c.p.o.NoFiles || c.script || c.srv.docRoot == "" && c.filename == "" {
		return nil
	}
	name, info := c.mapFile()
	if st, err := os.Stat(name); err != nil || !st.IsDir() || info != "" {
		return nil
	}
	if !strings.HasSuffix(c.path, "/") {
		if c.conf.noSlash {
			return nil
		}
		to := c.selfURL() + expr.Escape(visible(c.path)) + "/"
		if q.HasQ {
			to += "?" + q.Query
		}
		return &problem{status: 301, location: cleanValue(to)}
	}
	if c.again != "" {
		return nil
	}
	index := c.conf.dirIndex
	if index == nil {
		index = []string{"index.html"}
	}
	var failed *problem
	for _, n := range index {
		if strings.EqualFold(n, "disabled") {
			break
		}
		if !c.depthLeft() {
			return &problem{status: 500, err: errors.New("AH00124: Request exceeded the limit of 10 lookups")}
		}
		uri := c.path + n
		if strings.HasPrefix(n, "/") {
			uri = n
		}
		done, prob := c.index(uri)
		if done {
			return prob
		}
		if prob != nil {
			if prob.location != "" || len(index) == 1 && (prob.status == 401 || prob.status == 406) {
				return prob
			}
			failed = prob
		}
	}
	return failed
}

func (c *call) noIndex() *problem {
	if prob := fileMethod(c.x.Req); prob != nil || c.x.Req.Method == "OPTIONS" {
		return c.options(prob)
	}
	if c.p.front.HasModule("autoindex_module") {
		c.p.log.Error("AH01276: Cannot serve directory", "path", c.path)
		return &problem{status: 403}
	}
	return &problem{status: 404}
}

// index tries one name of DirectoryIndex as a request of its own would go: it may
// be proxied, refused or redirected.
func (c *call) index(uri string) (done bool, prob *problem) {
	uri = expr.Escape(visible(uri))
	if q := c.x.Req; q.HasQ {
		uri += "?" + q.Query
	}
	sub := c.lookup(uri)
	switch {
	case sub.prob != nil && sub.prob.again == "" && sub.prob.status != 404:
		return false, sub.prob
	case sub.prob != nil, sub.url == "" && !sub.isFile():
		return false, nil
	}
	c.adopt(sub)
	return true, nil
}

// adopt goes on with what a lookup found (ap_internal_fast_redirect).
func (c *call) adopt(sub *call) {
	c.path, c.conf, c.url, c.literal, c.early, c.viaRule = sub.path, sub.conf, sub.url, sub.literal, sub.early, sub.viaRule
	c.filename, c.base, c.script, c.info = sub.filename, sub.base, sub.script, sub.info
	c.x.Env, c.again = sub.x.Env, ""
	c.forcedType, c.forcedHandler = sub.forcedType, sub.forcedHandler
	q := c.x.Req
	q.Query, q.HasQ = sub.x.Req.Query, sub.x.Req.HasQ
	for k, v := range sub.notes {
		c.note(k, v)
	}
	c.errHeader = append(c.errHeader, sub.errHeader...)
	c.outHeader = append(c.outHeader, sub.outHeader...)
}

// isFile reports whether the mapped name is a file that may be sent.
func (c *call) isFile() bool {
	if c.p.o.NoFiles || c.script {
		return false
	}
	name, info := c.mapFile()
	dir, rest := c.rootOf(name)
	root, err := os.OpenRoot(dir)
	if err != nil || info != "" || rest == "" {
		return false
	}
	defer root.Close()
	st, err := root.Stat(rest)
	return err == nil && st.Mode().IsRegular()
}

// sendFile sends a file with validators and ranges.
func (c *call) sendFile(root *os.Root, rest, name string) *problem {
	f, err := root.Open(rest)
	if err != nil {
		return c.fileProblem(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return &problem{status: 403}
	}
	q := c.x.Req
	w := &fileWriter{c: c, header: http.Header{}, modified: st.ModTime().UTC().Format(http.TimeFormat)}
	w.header.Set("ETag", c.etag(st))
	kind := c.contentType(name)
	w.header["Content-Type"] = nil // so that net/http does not guess
	if kind != "" {
		w.header.Set("Content-Type", kind)
		w.kind = kind
	}
	r := &http.Request{Method: q.Method, Header: http.Header{}}
	if q.Method == "POST" {
		r.Method = "GET"
	}
	for _, n := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"} {
		if v, ok := joined(q.Header, n); ok {
			if n == "Range" {
				if !validRange(v) {
					continue
				}
				v = "bytes=" + v[len("bytes="):]
			}
			r.Header.Set(n, v)
		}
	}
	http.ServeContent(w, r, "", st.ModTime(), f)
	return w.end()
}

// etag is ap_make_etag with FileETag MTime Size; a file that changed within the
// last second has a weak one.
func (c *call) etag(st fs.FileInfo) string {
	weak := ""
	if c.start.Sub(st.ModTime()) <= time.Second {
		weak = "W/"
	}
	return weak + `"` + strconv.FormatInt(st.Size(), 16) + "-" + strconv.FormatInt(st.ModTime().UnixMicro(), 16) + `"`
}

// fileWriter takes what net/http makes of a file and its conditions.
type fileWriter struct {
	c      *call
	header http.Header
	prob   *problem
	begun  bool
	skip   bool // the body is not sent

	modified, kind string
}

func (w *fileWriter) Header() http.Header { return w.header }

func (w *fileWriter) WriteHeader(status int) {
	if w.begun {
		return
	}
	w.begun = true
	length := int64(0)
	if v := w.header.Get("Content-Length"); v != "" {
		length, _ = strconv.ParseInt(v, 10, 64)
	} else if status == 200 || status == 206 {
		length = -1
	}
	w.skip = status >= 400
	switch status {
	case 304, 412: // with the fields of the file, and no page
		w.header.Set("Last-Modified", w.modified)
		w.header.Set("Accept-Ranges", "bytes")
		w.header.Del("Content-Type")
		if status == 412 && w.kind != "" {
			w.header.Set("Content-Type", w.kind)
		}
		length = 0
	default:
		if w.skip {
			w.prob = &problem{status: status}
			return
		}
	}
	var h exchange.Header
	for _, n := range []string{"Last-Modified", "Etag", "Accept-Ranges", "Content-Range", "Content-Type"} {
		if v := w.header.Get(n); v != "" {
			if n == "Etag" {
				n = "ETag"
			}
			h.Add(n, v)
		}
	}
	w.c.status = status
	h = w.c.finished(ownOrder(h), false, true)
	w.skip = w.c.head(status, statusText(status), h, length) != nil || w.c.x.Req.Method == "HEAD"
}

// validRange reports whether httpd heeds a Range (ap_set_byterange): a list of
// first-last, first- and -length.
func validRange(v string) bool {
	list, ok := cutFold(v, "bytes=")
	if !ok {
		return false
	}
	for e := range strings.SplitSeq(list, ",") {
		first, last, ok := strings.Cut(strings.TrimSpace(e), "-")
		a, err1 := strconv.ParseInt(first, 10, 64)
		b, err2 := strconv.ParseInt(last, 10, 64)
		switch {
		case !ok || first == "" && (err2 != nil || b == 0), first != "" && err1 != nil:
			return false
		case first != "" && last != "" && (err2 != nil || b < a):
			return false
		}
	}
	return true
}

func (w *fileWriter) Write(b []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(200)
	}
	if w.skip {
		return len(b), nil
	}
	n, err := w.c.x.W.Write(b)
	w.c.bytes += int64(n)
	return n, err
}

func (w *fileWriter) end() *problem {
	if !w.begun {
		w.WriteHeader(200)
	}
	return w.prob
}
