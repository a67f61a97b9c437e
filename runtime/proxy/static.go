package proxy

import (
	"errors"
	"io"
	"io/fs"
	"mime"
	"os"
	"path"
	"strings"

	"clowder/runtime/exchange"
)

// maxLocalFile bounds a file that is sent from DocumentRoot.
const maxLocalFile = 16 << 20

// static answers from DocumentRoot: plain files and index.html, else 404.
func (c *call) static() *problem {
	switch c.x.Req.Method {
	case "GET", "HEAD", "POST":
	case "OPTIONS":
		return c.answer(200, "OK", exchange.Header{{Name: "Allow", Value: c.allow("GET", "POST", "OPTIONS", "HEAD")}}, "")
	default:
		return &problem{status: 405, allow: c.allow("GET", "POST", "OPTIONS", "HEAD")}
	}
	text, kind, ok := c.localFile(c.path)
	if !ok {
		return &problem{status: 404}
	}
	var h exchange.Header
	if kind != "" {
		h.Add("Content-Type", kind)
	}
	return c.answer(200, "OK", h, text)
}

// localFile reads a file below DocumentRoot; os.Root keeps links from leading out.
func (c *call) localFile(p string) (text, kind string, ok bool) {
	if c.p.o.NoFiles || c.srv.docRoot == "" || strings.IndexByte(p, 0) >= 0 {
		return "", "", false
	}
	root, err := os.OpenRoot(c.srv.docRoot)
	if err != nil {
		return "", "", false
	}
	defer root.Close()
	name := strings.TrimPrefix(path.Clean(p), "/")
	if strings.HasSuffix(p, "/") || name == "" {
		name = path.Join(name, "index.html")
	}
	f, err := root.Open(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.p.log.Error("file cannot be read", "path", p, "reason", err)
		}
		return "", "", false
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() > maxLocalFile {
		return "", "", false
	}
	b, err := io.ReadAll(io.LimitReader(f, maxLocalFile))
	return string(b), mime.TypeByExtension(path.Ext(name)), err == nil
}
